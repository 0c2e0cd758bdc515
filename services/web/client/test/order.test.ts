// Each change at its place in the order, changes that go as one, and why no connection can be opened.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { httpUrl, whyRefused, type OrderedChange } from "../src/index.ts";
import { Bench } from "./bench.ts";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); vi.unstubAllGlobals(); vi.restoreAllMocks(); });

test("each change is told as it gets its place, by whom, before what came of it", async () => {
  const bench = await Bench.joined({}, {}, { a: 0 });
  const heard: unknown[] = [];
  bench.flow.onUpdate(({ seq, clientId, changes, before, after }) => { heard.push({ seq, clientId, changes, before, after }); });
  bench.flow.onChange(({ origin, clientId }) => { heard.push(clientId === undefined ? origin : `${origin} by ${clientId}`); });
  void bench.flow.change({ b: 1 });
  bench.sim.change("bob", { a: 2, b: 7 }, 0); // before it
  await bench.settle();
  expect(heard).toEqual([
    "local",
    { seq: 2, clientId: "bob", changes: { a: 2, b: 7 }, before: { a: 0 }, after: { a: 2, b: 7 } },
    "remote by bob",
    { seq: 3, clientId: "me", changes: { b: 1 }, before: { a: 2, b: 7 }, after: { a: 2, b: 1 } },
  ]);
});

test("what comes in one piece is told as one, by nobody in particular; the first document is no change", async () => {
  const bench = new Bench();
  const heard: OrderedChange[] = [];
  bench.flow.onUpdate((update) => { heard.push(update); });
  bench.sim.change("bob", { a: 1 }, 0);
  await bench.settle();
  expect(heard).toEqual([]);
  bench.link.end(1006);
  bench.sim.change("bob", { a: 2 }, 0);
  bench.sim.change("cem", { b: 3 }, 0);
  await bench.back();
  expect(heard).toEqual([{ epoch: "epoch-1", seq: 3, changes: { a: 2, b: 3 }, before: { a: 1 }, after: { a: 2, b: 3 } }]);
});

test("what is changed while a flow is held goes as one, when the last who holds it lets go", async () => {
  const bench = await Bench.joined();
  const releases = [bench.flow.hold(), bench.flow.hold()];
  void bench.flow.change({ a: 1 });
  void bench.flow.change({ b: 2 });
  releases[0]?.();
  releases[0]?.(); // twice is once
  await bench.settle();
  expect(bench.received).toEqual([]);
  expect(bench.flow.document).toEqual({ a: 1, b: 2 });
  expect(bench.flow.waiting).toBe(true);
  releases[1]?.();
  await bench.settle();
  expect(bench.carriedOut).toEqual([{ a: 1, b: 2 }]);
  expect(bench.flow.waiting).toBe(false);
});

test.each([
  ["ws://host:4000/socket", "http://host:4000/api"],
  ["wss://host/socket/websocket", "https://host/api"],
  ["wss://host/helix/socket/", "https://host/helix/api"],
])("the HTTP API beside %s is %s", (socket, api) => { expect(httpUrl(socket, "/api")).toBe(api); });

test("why no connection can be opened is what the HTTP API says, and nothing where it says nothing", async () => {
  const asked: unknown[] = [];
  const answer = (status: number, body: object) => {
    vi.stubGlobal("fetch", (address: string, { headers }: RequestInit) => { asked.push([address, headers]); return Promise.resolve(new Response(JSON.stringify(body), { status })); });
  };
  answer(401, { code: "token_expired", detail: "it is over" });
  expect(await whyRefused("ws://host/socket", "t")).toMatchObject({ reason: "token_expired", sentence: "it is over" });
  expect(asked).toEqual([["http://host/api/flows?limit=1", { authorization: "Bearer t" }]]);
  answer(200, { flows: [] });
  expect(await whyRefused("ws://host/socket")).toBeUndefined();
  answer(502, {});
  expect(await whyRefused("ws://host/socket")).toBeUndefined();
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  expect(await whyRefused("ws://host/socket")).toBeUndefined();
});
