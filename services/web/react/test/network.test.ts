// The network, as people see it: each state has its cause and a next step, and no edit is lost on the way.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { node, Stage, type Session } from "./stage.ts";

let stage: Stage;
let answers: Record<string, { status: number; body?: object }>; // of the HTTP API, by a part of the address
beforeEach(() => {
  vi.useFakeTimers();
  stage = new Stage();
  answers = {};
  vi.stubGlobal("fetch", (address: string) => {
    const known = Object.entries(answers).find(([part]) => address.includes(part));
    if (!known) return Promise.reject(new TypeError("Failed to fetch"));
    const [, { status, body = {} }] = known;
    return Promise.resolve(new Response(status === 204 || status === 404 ? null : JSON.stringify(body), { status }));
  });
});
afterEach(async () => {
  await stage.stop();
  vi.unstubAllGlobals();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const status = (session: Session) => session.getState().status;
const end = (code: number) => { stage.sim.links.at(-1)?.end(code); };

async function later(ms = 1_000, times = 6): Promise<void> {
  for (let i = 0; i < times; i++) {
    await vi.advanceTimersByTimeAsync(ms);
    await stage.settle();
  }
}

/** refuseUpgrades has the server take no connection. */
async function refuseUpgrades(times = 3): Promise<void> {
  for (let i = 0; i < times; i++) {
    end(1006);
    await vi.advanceTimersByTimeAsync(25_000);
  }
  await vi.advanceTimersByTimeAsync(60);
}

test("joining, live, saving, live", async () => {
  const ann = await stage.person();
  const seen: string[] = [];
  ann.subscribe(() => { seen.push(status(ann).name); });
  expect(status(ann)).toEqual({ name: "live" });
  ann.patch({ title: "t" });
  expect(status(ann)).toEqual({ name: "saving" });
  await stage.settle();
  expect(status(ann)).toEqual({ name: "live" });
  expect(ann.getState()).toMatchObject({ loaded: true, editable: true });
});

test("offline says when the next try is and whether something waits; edits go on, and go out once", async () => {
  const ann = await stage.person();
  end(1006);
  const now = status(ann);
  expect(now).toMatchObject({ name: "offline", waiting: false, next: "retry" });
  expect((now as { retryAt: number }).retryAt).toBeGreaterThan(Date.now());
  ann.addNodes([node("a")]);
  ann.setNodeData("a", { label: "offline" });
  expect(status(ann)).toMatchObject({ name: "offline", waiting: true });
  expect(ann.getState()).toMatchObject({ editable: true, nodes: [{ id: "a", data: { label: "offline" } }] });
  await later();
  expect(status(ann)).toEqual({ name: "live" });
  expect(stage.sim.history).toHaveLength(1);
  expect(ann.undo()).toBe(true);
});

test("retry does not wait", async () => {
  const ann = await stage.person();
  end(1006);
  const { length } = stage.sim.links;
  ann.retry();
  expect(stage.sim.links).toHaveLength(length + 1);
  await stage.settle();
  expect(status(ann)).toEqual({ name: "live" });
});

test.each([
  ["max_clients_reached", "full", "wait"],
  ["unavailable", "unavailable", "wait"],
])("a join that is refused for now (%s) is tried again by itself", async (reason, cause, next) => {
  stage.sim.refuseJoin = () => reason;
  const ann = await stage.person();
  expect(status(ann)).toMatchObject({ name: "offline", cause, next, sentence: expect.any(String) as string, retryAt: expect.any(Number) as number });
  stage.sim.refuseJoin = () => undefined;
  await later();
  expect(status(ann)).toEqual({ name: "live" });
});

test.each([
  ["unauthorized", "unauthorized", "ask_for_access"],
  ["Invalid flow identifier", "invalid_flow_id", "leave"],
  ["some new reason", "other", "retry"],
])("a join that is refused for good (%s) says what to do, and edits are not taken", async (reason, cause, next) => {
  stage.sim.refuseJoin = () => reason;
  const ann = await stage.person();
  expect(status(ann)).toMatchObject({ name: "refused", cause, next });
  ann.addNodes([node("a")]);
  expect(ann.getState()).toMatchObject({ editable: false, nodes: [] });
  stage.sim.refuseJoin = () => undefined;
  ann.reopen();
  await stage.settle();
  expect(status(ann)).toEqual({ name: "live" });
});

test("who may look only since a moment sees it as soon as an edit is refused, which is taken back; then edits are not taken any more", async () => {
  const ann = await stage.person();
  stage.sim.refuse = () => "unauthorized";
  ann.patch({ title: "mine" });
  await stage.settle();
  expect(status(ann)).toMatchObject({ name: "read_only", next: "ask_for_access" });
  expect(ann.getState().document).toEqual({});
  expect(stage.told(ann, "refused")).toMatchObject([{ cause: "read_only" }]);
  const { length } = stage.sim.received;
  ann.patch({ title: "again" });
  ann.undo();
  await stage.settle();
  expect(stage.sim.received).toHaveLength(length);
  stage.sim.change("bob", { title: "theirs" }, 0);
  await stage.settle();
  expect(ann.getState()).toMatchObject({ editable: false, document: { title: "theirs" } });
});

test("who may look only sees it at once where the join says so, until a join says otherwise; what was made offline is not lost before", async () => {
  stage.sim.readOnly = () => true;
  const ann = await stage.person();
  expect(status(ann)).toMatchObject({ name: "read_only", next: "ask_for_access" });
  ann.patch({ title: "mine" });
  await stage.settle();
  expect(stage.sim.received).toEqual([]);
  expect(ann.client?.readOnly).toBe(true);
  stage.sim.readOnly = () => false;
  end(1008); // its token ends, and the next one may do more
  await later();
  expect(status(ann)).toEqual({ name: "live" });
  ann.patch({ title: "mine" });
  await stage.settle();
  expect(stage.sim.document).toEqual({ title: "mine" });
});

test.each([
  ["document_too_large", "flow_too_large"],
  ["changes_too_large", "change_too_large"],
])("a change that is refused (%s) is taken back and told; the flow goes on", async (reason, cause) => {
  const ann = await stage.person();
  stage.sim.refuse = () => reason;
  ann.patch({ title: "much" });
  await stage.settle();
  expect(stage.told(ann, "refused")).toMatchObject([{ cause }]);
  expect(status(ann)).toEqual({ name: "live" });
  expect(ann.getState().document).toEqual({});
});

test("one that is too large is refused here already", async () => {
  const ann = await stage.person();
  ann.patch({ title: "x".repeat(1 << 20) });
  expect(stage.told(ann, "refused")).toMatchObject([{ cause: "change_too_large" }]);
  expect(ann.getState()).toMatchObject({ document: {}, canUndo: false });
});

test("a change that is put off says so, and goes later", async () => {
  const ann = await stage.person();
  stage.sim.refuse = () => "rate_limited";
  ann.patch({ title: "t" });
  await stage.settle();
  expect(status(ann)).toMatchObject({ name: "saving", cause: "rate_limited", sentence: expect.any(String) as string, retryAt: expect.any(Number) as number });
  stage.sim.refuse = () => undefined;
  await later();
  expect(status(ann)).toEqual({ name: "live" });
});

describe("a flow that ends", () => {
  const deleted = () => { stage.sim.links.at(-1)?.give([null, null, "flow:f", "flow_deleted", { flow_id: "f", timestamp: 0 }]); };

  test("because it was deleted: reopen begins an empty one", async () => {
    answers["/api/flows/f"] = { status: 404 };
    const ann = await stage.person();
    ann.patch({ title: "t" });
    await stage.settle();
    deleted();
    await stage.settle();
    expect(status(ann)).toMatchObject({ name: "refused", cause: "removed", next: "reopen" });
    expect(ann.getState().editable).toBe(false);
    stage.sim.restore();
    stage.sim.document = {};
    ann.reopen();
    await later();
    expect(status(ann)).toEqual({ name: "live" });
    expect(ann.getState()).toMatchObject({ document: {}, canUndo: false });
  });

  test("because its session was closed: its document is kept", async () => {
    answers["/api/flows/f"] = { status: 200 };
    const ann = await stage.person();
    ann.patch({ title: "t" });
    await stage.settle();
    deleted();
    await stage.settle();
    expect(status(ann)).toMatchObject({ name: "refused", cause: "session_closed", next: "reopen" });
    ann.reopen();
    await later();
    expect(ann.getState()).toMatchObject({ status: { name: "live" }, document: { title: "t" } });
  });
});

describe("a token", () => {
  test("that has expired is asked for anew: the session comes back by itself, with its edits", async () => {
    let token = "first";
    const ann = await stage.person({ token: () => token });
    expect(stage.sim.links.at(-1)?.url).toContain("token=first");
    token = "second";
    end(1008);
    ann.patch({ title: "kept" });
    await later();
    expect(stage.sim.links.at(-1)?.url).toContain("token=second");
    expect(status(ann)).toEqual({ name: "live" });
    expect(stage.sim.document).toEqual({ title: "kept" });
  });

  test("that takes time to come is waited for", async () => {
    let count = 0;
    const token = () => new Promise<string>((resolve) => { setTimeout(() => { resolve(`t${String(++count)}`); }, 3_000); });
    const ann = await stage.person({ token });
    expect(stage.sim.links).toHaveLength(0);
    await later();
    expect(stage.sim.links[0]?.url).toContain("token=t1");
    expect(status(ann)).toEqual({ name: "live" });
    end(1008);
    await later();
    expect(stage.sim.links.at(-1)?.url).toMatch(/token=t[23]/);
    expect(status(ann)).toEqual({ name: "live" });
  });

  test.each([
    [undefined, { status: 401, body: { code: "unauthenticated", detail: "this needs a valid token" } }, "token_missing"],
    ["bad", { status: 401, body: { code: "unauthenticated", detail: "this needs a valid token" } }, "token_invalid"],
    ["old", { status: 401, body: { code: "token_expired", detail: "the token has expired; come back with a fresh one" } }, "token_expired"],
  ])("that is not taken (%s) is said to be so, and what to do; a new one is taken at once", async (token, answer, cause) => {
    answers["/api/flows?"] = answer;
    const ann = await stage.person({ ...(token !== undefined && { token }), store: false });
    stage.sim.links[0]?.end(1006);
    const seen: string[] = [];
    ann.subscribe(() => { seen.push(status(ann).name); });
    await refuseUpgrades();
    expect(status(ann)).toMatchObject({ name: "refused", cause, next: "sign_in" });
    delete answers["/api/flows?"];
    ann.setOptions({ url: "ws://sim/socket", flowId: "f", token: "new" });
    await stage.settle();
    expect(stage.sim.links.at(-1)?.url).toContain("token=new");
    expect(status(ann)).toEqual({ name: "live" });
  });

  test("that says itself that it has expired is known to, where the HTTP API cannot be asked", async () => {
    const token = ["", btoa(JSON.stringify({ sub: "ann", exp: 1 })), ""].join(".");
    const ann = await stage.person({ token });
    await refuseUpgrades();
    expect(status(ann)).toMatchObject({ name: "refused", cause: "token_expired" });
  });

  test("is not blamed where only the server is away", async () => {
    answers["/api/flows?"] = { status: 502 };
    const ann = await stage.person();
    await refuseUpgrades();
    expect(status(ann)).toMatchObject({ name: expect.stringMatching(/offline|joining/) as string });
    expect(status(ann)).not.toHaveProperty("cause");
  });
});

test("a session that is stopped and started again goes on; what is stopped leaves nothing behind", async () => {
  const ann = await stage.person();
  ann.patch({ title: "t" });
  await stage.settle();
  const stopped = ann.stop();
  ann.start(); // as React's strict mode does
  await stage.settle();
  await stopped;
  expect(ann.getState()).toMatchObject({ status: { name: "live" }, document: { title: "t" } });
  const again = ann.stop();
  await stage.settle();
  await again;
  expect(status(ann)).toEqual({ name: "closed" });
  expect(stage.sim.links.filter(({ up }) => up)).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
