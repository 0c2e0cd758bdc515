// What a tab keeps over a reload: each edit goes out once, whichever tab sends it, and no two tabs share a queue.
import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import type { PendingState } from "@helix/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Sim } from "../../client/test/sim.ts";
import { createFlowSession } from "../src/flow-session.ts";
import type { FlowSession } from "../src/index.ts";
import { TabLocks } from "../src/tab-locks.ts";
import { forgetDatabase, sendOrphans, TabStore } from "../src/tab-store.ts";

const place = { scope: "server", flowId: "f" };
const state = (clientId: string, title: string): PendingState => ({ clientId, nextId: 2, sent: [{ id: 1, patch: { title } }], waiting: [] });
const nothing = (clientId: string): PendingState => ({ clientId, nextId: 2, sent: [], waiting: [] });

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
  forgetDatabase();
});
afterEach(() => { vi.unstubAllGlobals(); });

/** until waits for what nothing tells of. */
async function until(what: string, check: () => boolean, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!check()) {
    if (Date.now() > deadline) throw new Error(`not within ${String(ms)} ms: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
}

/** Locks is Web Locks, of one browser. */
class Locks {
  readonly held = new Set<string>();

  readonly request = async (name: string, _options: LockOptions, work: (lock: Lock | null) => unknown): Promise<void> => {
    if (this.held.has(name)) { await work(null); return; }
    this.held.add(name);
    try {
      await work({ name, mode: "exclusive" });
    } finally {
      this.held.delete(name);
    }
  };
}

const byLocks = () => { const locks = new Locks() as unknown as LockManager; return () => new TabLocks(locks); };
const byAsking = () => () => new TabLocks(null as unknown as undefined, () => new BroadcastChannel("test-locks"));

describe.each([["with Web Locks", byLocks], ["with tabs that ask each other", byAsking]])("%s", (_how, make) => {
  test("what one tab left is there for the next one, and what was sent is forgotten", async () => {
    const locks = make();
    const first = new TabStore(place, undefined, locks());
    expect(await first.load()).toBeUndefined();
    await first.save(state("one", "kept"));
    await first.close();
    const second = new TabStore(place, undefined, locks());
    expect(await second.load()).toEqual(state("one", "kept"));
    await second.save(nothing("one"));
    await second.close();
    const third = new TabStore(place, undefined, locks());
    expect(await third.load()).toBeUndefined();
    await third.close();
  });

  test("tabs that are open at once have queues of their own", async () => {
    const locks = make();
    const tabs = [1, 2, 3].map(() => new TabStore(place, undefined, locks()));
    await Promise.all(tabs.map((tab) => tab.load()));
    expect(new Set(tabs.map(({ slot }) => slot)).size).toBe(3);
    await Promise.all(tabs.map((tab, i) => tab.save(state(`tab${String(i)}`, String(i)))));
    await Promise.all(tabs.map((tab) => tab.close()));
  });

  test("another flow, or another person, is another queue", async () => {
    const locks = make();
    const mine = new TabStore(place, undefined, locks());
    await mine.load();
    await mine.save(state("one", "mine"));
    await mine.close();
    for (const other of [{ ...place, flowId: "g" }, { ...place, scope: "server, somebody else" }]) {
      const tab = new TabStore(other, undefined, locks());
      expect(await tab.load()).toBeUndefined();
      await tab.close();
    }
  });

  test("a name is held by one at a time, and free again when it is let go", async () => {
    const locks = make();
    const got = await Promise.all([1, 2, 3].map(() => locks().take("it")));
    const held = got.filter((one) => one !== undefined);
    expect(held.length).toBeLessThanOrEqual(1);
    held[0]?.release();
    await new Promise((resolve) => { setTimeout(resolve, 1); }); // a lock is free soon after
    const again = await locks().take("it");
    expect(again).toBeDefined();
    again?.release();
  });
});

test("more tabs than may keep a queue go on without one", async () => {
  const locks = byLocks()();
  const tabs = Array.from({ length: 17 }, () => new TabStore(place, undefined, locks));
  const results = await Promise.allSettled(tabs.map((tab) => tab.load()));
  expect(results.filter(({ status }) => status === "rejected")).toHaveLength(1);
  await Promise.all(tabs.map((tab) => tab.close()));
});

test("where nothing tells one tab from another nothing is kept: better than sending twice", async () => {
  const tab = new TabStore(place, undefined, new TabLocks(null as unknown as undefined, null as unknown as undefined));
  await expect(tab.load()).rejects.toThrow();
});

test("a queue that is a month old is not sent any more", async () => {
  const locks = byLocks()();
  const old = new TabStore(place, undefined, locks);
  await old.load();
  const now = Date.now();
  vi.spyOn(Date, "now").mockReturnValue(now - 31 * 24 * 3_600_000);
  await old.save(state("one", "old"));
  vi.restoreAllMocks();
  await old.close();
  const tab = new TabStore(place, undefined, locks);
  expect(await tab.load()).toBeUndefined();
  await tab.close();
});

/** Serving is a simulated server that serves by itself. */
function serving(): Sim & { end: () => void } {
  const sim = new Sim();
  const timer = setInterval(() => { void sim.settle(); }, 2);
  return Object.assign(sim, { end: () => { clearInterval(timer); } });
}

describe("a session", () => {
  let sim: ReturnType<typeof serving>;
  const open: FlowSession[] = [];
  beforeEach(() => {
    sim = serving();
    vi.stubGlobal("navigator", { locks: new Locks() });
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((session) => session.stop()));
    sim.end();
  });

  async function opened(name = "Ann"): Promise<FlowSession> {
    const session = createFlowSession({ url: "ws://sim/socket", flowId: "f", transport: sim.transport(), user: { name }, timeoutMs: 2_000 });
    open.push(session);
    session.start();
    await until("live", () => session.getState().status.name === "live");
    return session;
  }

  test("that was offline when its page was reloaded sends its edits once, from the next page", async () => {
    const ann = await opened();
    const { clientId } = ann.client ?? {};
    sim.end();
    for (const link of sim.links) { link.lose(); link.end(1006); }
    ann.patch({ title: "offline" });
    ann.patch({ more: true });
    await until("offline", () => ann.getState().status.name === "offline");
    await ann.stop();
    expect(sim.document).toEqual({});
    const timer = setInterval(() => { void sim.settle(); }, 2);
    sim.end = () => { clearInterval(timer); };
    const next = await opened();
    expect(next.client?.clientId).toBe(clientId);
    await until("it is there", () => sim.document["more"] === true);
    expect(sim.document).toEqual({ title: "offline", more: true });
    expect(sim.history).toHaveLength(1);
    await until("live", () => next.getState().status.name === "live");
    await next.stop();
    const third = await opened();
    expect(third.client?.clientId).not.toBe(clientId);
    expect(sim.history).toHaveLength(1);
  });

  test("that was offline when its page was reloaded changes what is there, and deletes nothing", async () => {
    sim.change("bob", { nodes: { a: { type: "default", position: { x: 0, y: 0 }, data: { label: "A" } } } }, 0);
    const ann = await opened();
    await until("the node is here", () => ann.getState().nodes.length === 1);
    sim.end();
    for (const link of sim.links) { link.lose(); link.end(1006); }
    ann.setNodeData("a", { label: "mine" });
    await until("offline", () => ann.getState().status.name === "offline");
    await ann.stop();
    const next = createFlowSession({ url: "ws://sim/socket", flowId: "f", transport: sim.transport() });
    open.push(next);
    next.start();
    await until("what was kept is read", () => next.client?.waiting === true);
    await new Promise((resolve) => { setTimeout(resolve, 100); }); // and looked at, before there is a connection
    expect(next.getState().nodes).toEqual([]);
    const timer = setInterval(() => { void sim.settle(); }, 2);
    sim.end = () => { clearInterval(timer); };
    await until("it is sent", () => next.getState().status.name === "live");
    expect(sim.document).toEqual({ nodes: { a: { type: "default", position: { x: 0, y: 0 }, data: { label: "mine" } } } });
    expect(next.getState().nodes).toMatchObject([{ data: { label: "mine" } }]);
  });

  test("sends what another tab left that will not come back, under that tab's name, once", async () => {
    const lock = new TabLocks();
    const [one, two] = [new TabStore({ scope: JSON.stringify(["ws://sim/socket", ""]), flowId: "f" }, undefined, lock), new TabStore({ scope: JSON.stringify(["ws://sim/socket", ""]), flowId: "f" }, undefined, lock)];
    await one.load();
    await two.load();
    await one.save({ ...state("gone1", ""), sent: [{ id: 1, patch: { one: 1 } }] });
    await two.save({ ...state("gone2", ""), sent: [{ id: 1, patch: { two: 2 } }] });
    await one.close();
    await two.close();
    const ann = await opened();
    await until("both are there", () => sim.document["one"] === 1 && sim.document["two"] === 2);
    expect(sim.history).toHaveLength(2);
    expect(new Set(sim.history.map(({ clientId }) => clientId))).toEqual(new Set(["gone1", "gone2"]));
    await until("it came", () => ann.getState().document["two"] === 2);
    await ann.stop();
    await opened();
    expect(sim.history).toHaveLength(2);
  });

  test("of a second tab has a client id of its own, and each one's edits count once", async () => {
    const [ann, again] = [await opened(), await opened()];
    expect(ann.client?.clientId).not.toBe(again.client?.clientId);
    for (let i = 0; i < 20; i++) {
      ann.patch({ [`a${String(i)}`]: i });
      again.patch({ [`b${String(i)}`]: i });
    }
    await until("all came", () => Object.keys(ann.getState().document).length === 40 && Object.keys(again.getState().document).length === 40);
  });

  test("goes on where the browser keeps nothing", async () => {
    vi.stubGlobal("indexedDB", { open: () => { throw new Error("not in private mode"); } });
    forgetDatabase();
    const ann = await opened();
    ann.patch({ title: "t" });
    await until("it is there", () => sim.document["title"] === "t");
  });
});

test("what cannot be sent stays for another time", async () => {
  const locks = byLocks()();
  const one = new TabStore(place, undefined, locks), two = new TabStore(place, undefined, locks);
  await one.load();
  await two.load();
  await two.save(state("two", "kept"));
  await two.close();
  await sendOrphans(one, { url: "ws://sim/socket", transport: new Sim().transport(), timeoutMs: 50 }, 50); // to a server that never answers
  await one.close();
  const left = [new TabStore(place, undefined, locks), new TabStore(place, undefined, locks)];
  const loaded: unknown[] = [];
  for (const tab of left) loaded.push(await tab.load());
  expect(loaded).toContainEqual(expect.objectContaining({ clientId: "two", sent: state("two", "kept").sent }));
  await Promise.all(left.map((tab) => tab.close()));
});
