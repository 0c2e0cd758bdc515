// What is kept over a reload of the page.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { connect, type PendingState, type PendingStore } from "../src/index.ts";
import { Bench } from "./bench.ts";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); vi.restoreAllMocks(); });

/** Shelf is a store as a page has it: what is saved becomes text, and takes its time. */
class Shelf implements PendingStore {
  text: string | undefined;
  saves = 0;
  readonly waiting: (() => void)[] = [];
  slow = false;

  load(): Promise<PendingState | undefined> { return Promise.resolve(this.text === undefined ? undefined : JSON.parse(this.text) as PendingState); }

  async save(state: PendingState): Promise<void> {
    const text = JSON.stringify(state);
    if (this.slow) await new Promise<void>((resolve) => { this.waiting.push(resolve); });
    this.text = text;
    this.saves++;
  }
}

/** reloaded gives the flow of the page that comes next. */
function reloaded(bench: Bench, store: PendingStore) {
  bench.link.end(1006);
  return connect({ url: "ws://sim/socket", transport: bench.sim.transport() }).flow("f", { store });
}

test("a change whose answer the reload lost goes again under its id, and what waited behind it follows; each counts once", async () => {
  const store = new Shelf();
  const bench = await Bench.joined({ store });
  void bench.flow.change({ n: null });
  await bench.pass(0); // it is saved, then sent
  void bench.flow.change({ a: 1 });
  void bench.flow.change({ b: { c: null } });
  void bench.flow.change({ b: null });
  void bench.flow.change({ b: { d: 1 } });
  await bench.pass(0);
  bench.link.serve();
  const flow = reloaded(bench, store);
  await bench.settle();
  expect(flow.clientId).toBe("me");
  const [first, again, ...others] = bench.received;
  expect(again).toEqual(first);
  expect(others.map(([, text]) => text)).toEqual(['{"b":null}', '{"b":{"d":1},"a":1}']);
  expect(others[0]?.[0]).toBeGreaterThan(first?.[0] ?? Infinity);
  expect(bench.carriedOut).toHaveLength(3);
  expect(flow.document).toEqual({ a: 1, b: { d: 1 } });
  expect(flow.state).toEqual({ name: "live" });
  expect(JSON.parse(store.text ?? "")).toMatchObject({ clientId: "me", sent: [], waiting: [] });
});

test("a change is sent only after it is saved under its id", async () => {
  const store = new Shelf();
  const bench = await Bench.joined({ store });
  store.slow = true;
  const receipt = bench.flow.change({ a: 1 });
  await bench.settle();
  expect(bench.received).toEqual([]);
  while (store.waiting.length > 0) {
    store.waiting.shift()?.();
    await bench.pass(0);
  }
  await bench.settle();
  expect(bench.received).toHaveLength(1);
  expect(await receipt).toEqual({ seq: 1 });
});

test("many changes cost few saves", async () => {
  const store = new Shelf();
  const bench = await Bench.joined({ store });
  for (let x = 0; x < 1_000; x++) void bench.flow.change({ x });
  await bench.settle();
  expect(bench.flow.state).toEqual({ name: "live" });
  expect(store.saves).toBeLessThan(20);
});

test("what was left for the store is sent by who comes next", async () => {
  const store = new Shelf();
  const bench = await Bench.joined({ store });
  bench.link.end(1006);
  const receipt = bench.flow.change({ a: 1 });
  const judged = expect(receipt).rejects.toMatchObject({ reason: "left" });
  await Promise.all([bench.flow.leave(), judged]);
  const flow = bench.helix.flow("f", { store });
  await bench.back();
  expect(flow.document).toEqual({ a: 1 });
  expect(bench.carriedOut).toEqual([{ a: 1 }]);
});

test("leaving before the store has answered does not empty it", async () => {
  const store = new Shelf();
  store.text = JSON.stringify({ clientId: "me", nextId: 2, sent: [{ id: 1, patch: { a: 1 } }], waiting: [] } satisfies PendingState);
  const before = store.text;
  const bench = new Bench();
  const flow = bench.helix.flow("g", { store });
  await Promise.all([flow.leave(), bench.pass(20_000)]);
  expect(store.text).toBe(before);
});

test.each<[string, () => Promise<never>]>([
  ["fails", () => Promise.reject(new Error("no room"))],
  ["never answers", () => new Promise(() => undefined)],
])("a store that %s does not stop the flow", async (_what, answer) => {
  const bench = new Bench({ store: { load: answer, save: answer } });
  const receipt = bench.flow.change({ a: 1 });
  for (let i = 0; i < 4; i++) {
    await bench.pass(10_000);
    await bench.settle();
  }
  expect(await receipt).toEqual({ seq: 1 });
  expect(bench.flow.state).toEqual({ name: "live" });
});

test("ids rise over reloads without a store too: a client id that comes back begins no count that was used", async () => {
  const bench = await Bench.joined();
  void bench.flow.change({ a: 1 });
  await bench.settle();
  const left = bench.flow.leave();
  await bench.settle();
  await left;
  await bench.pass(1);
  const receipt = bench.helix.flow("f", { clientId: "me" }).change({ a: 2 });
  await bench.settle();
  expect(await receipt).toEqual({ seq: 2 });
  expect(bench.sim.document).toEqual({ a: 2 });
});
