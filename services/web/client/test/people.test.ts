// Presence and signals: what clients tell of themselves, and to each other.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { JsonObject, Signal } from "../src/index.ts";
import { Bench } from "./bench.ts";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); vi.restoreAllMocks(); });

const ok = { status: "ok", response: {} };

/** tell has the server say something to the flow's members. */
function tell(bench: Bench, event: string, payload: Record<string, unknown>): void { bench.link.give([null, null, "flow:f", event, payload]); }

describe("presence", () => {
  const ann = { metas: [{ phx_ref: "1", name: "Ann" }] };
  const me = { metas: [{ phx_ref: "2", name: "Me" }] };

  test("shows who is there, and who comes, changes and goes", async () => {
    const bench = await Bench.joined({ presence: { name: "Me" } });
    const lists: (readonly unknown[])[] = [];
    bench.flow.presence.onChange((people) => { lists.push(people.map(({ meta }) => meta["name"])); });
    expect(bench.sim.joins[0]).toMatchObject({ presence: { name: "Me" } });
    tell(bench, "presence_diff", { joins: { bob: { metas: [{ phx_ref: "3", name: "Bob" }] } }, leaves: {} }); // before the state: it waits
    tell(bench, "presence_state", { me, ann });
    tell(bench, "presence_diff", { joins: { ann: { metas: [{ phx_ref: "4", name: "Anna", at: { x: 1 } }] } }, leaves: { ann } });
    tell(bench, "presence_diff", { joins: {}, leaves: { bob: { metas: [{ phx_ref: "3", name: "Bob" }] } } });
    await bench.settle();
    expect(lists).toEqual([["Ann", "Bob", "Me"], ["Anna", "Bob", "Me"], ["Anna", "Me"]]);
    expect(bench.flow.presence.list()).toEqual([
      { clientId: "ann", meta: { name: "Anna", at: { x: 1 } }, me: false },
      { clientId: "me", meta: { name: "Me" }, me: true },
    ]);
    expect(bench.flow.presence.list()).toBe(bench.flow.presence.list());
  });

  test("tells the newest of many updates, one at a time", async () => {
    const bench = await Bench.joined({ presence: {} });
    const told: unknown[] = [];
    bench.sim.answer = (event, payload) => { told.push([event, payload]); return ok; };
    for (let x = 1; x <= 50; x++) bench.flow.presence.update({ x });
    await bench.settle();
    expect(told).toEqual([["presence_update", { x: 1 }], ["presence_update", { x: 50 }]]);
  });

  test("is told again where it was refused for now, and only the newest", async () => {
    const bench = await Bench.joined({ presence: {} });
    const told: JsonObject[] = [];
    bench.sim.answer = (_event, payload) => {
      told.push(payload as JsonObject);
      return told.length === 1 ? { status: "error", response: { reason: "rate_limited" } } : ok;
    };
    bench.flow.presence.update({ x: 1 });
    await bench.settle();
    await bench.back();
    bench.flow.presence.update({ x: 2 });
    await bench.settle();
    expect(told).toEqual([{ x: 1 }, { x: 1 }, { x: 2 }]);
  });

  test("comes back with the client, as it is by then", async () => {
    const bench = await Bench.joined({ presence: { x: 1 } });
    const told: unknown[] = [];
    bench.sim.answer = (_event, payload) => { told.push(payload); return ok; };
    bench.link.end(1012);
    bench.flow.presence.update({ x: 2 });
    await bench.pass(1_000);
    bench.link.open(); // the join goes out now
    bench.flow.presence.update({ x: 3 });
    await bench.settle();
    expect(bench.sim.joins.at(-1)).toMatchObject({ presence: { x: 2 } });
    expect(told).toEqual([{ x: 3 }]);
  });

  test("is only for who opened the flow with it, and bounded", async () => {
    const bench = await Bench.joined();
    expect(() => { bench.flow.presence.update({}); }).toThrow(/presence option/);
    expect(bench.flow.presence.list()).toEqual([]);
    expect(bench.sim.joins[0]).not.toHaveProperty("presence");
    expect(() => bench.helix.flow("g", { presence: { a: "x".repeat(5_000) } })).toThrow(expect.objectContaining({ reason: "invalid_params" }));
    expect(() => bench.helix.flow("g", { presence: [] as never })).toThrow(expect.objectContaining({ reason: "invalid_params" }));
    const flow = bench.helix.flow("g", { presence: {} });
    expect(() => { flow.presence.update({ a: "x".repeat(5_000) }); }).toThrow(expect.objectContaining({ reason: "invalid_params" }));
  });
});

describe("signals", () => {
  test("arrive with their sender", async () => {
    const bench = await Bench.joined();
    const heard: Signal[] = [];
    const forget = bench.flow.onSignal((signal) => { heard.push(signal); });
    tell(bench, "signal", { type: "cursor", data: { x: 1 }, client_id: "ann" });
    await bench.settle();
    forget();
    tell(bench, "signal", { type: "cursor", data: { x: 2 }, client_id: "ann" });
    await bench.settle();
    expect(heard).toEqual([{ type: "cursor", data: { x: 1 }, clientId: "ann" }]);
  });

  test("keep to the pace of the answers: of each type the newest goes", async () => {
    const bench = await Bench.joined();
    const told: unknown[] = [];
    bench.sim.answer = (_event, payload) => { told.push(payload); return ok; };
    for (let x = 1; x <= 50; x++) {
      bench.flow.signal("cursor", x);
      bench.flow.signal("typing", x);
    }
    await bench.settle();
    expect(told).toEqual([{ type: "cursor", data: 1 }, { type: "typing", data: 1 }, { type: "cursor", data: 50 }, { type: "typing", data: 50 }]);
  });

  test("that are refused for now are not said again, later ones are", async () => {
    const bench = await Bench.joined();
    const told: unknown[] = [];
    bench.sim.answer = (_event, payload) => { told.push(payload["data"]); return { status: "error", response: { reason: "rate_limited" } }; };
    bench.flow.signal("cursor", 1);
    await bench.settle();
    bench.flow.signal("cursor", 2);
    bench.flow.signal("cursor", 3);
    await bench.settle();
    expect(told).toEqual([1]);
    await bench.back();
    expect(told).toEqual([1, 3]);
  });

  test("without a server are forgotten", async () => {
    const bench = await Bench.joined();
    const told: unknown[] = [];
    bench.sim.answer = (_event, payload) => { told.push(payload["data"]); return undefined; };
    bench.flow.signal("cursor", 1);
    bench.flow.signal("cursor", 2);
    await bench.settle();
    bench.link.end(1012);
    bench.flow.signal("cursor", 3);
    await bench.back();
    bench.flow.signal("cursor", 4);
    await bench.settle();
    expect(told).toEqual([1, 4]);
  });

  test("of endless types are not remembered endlessly", async () => {
    const bench = await Bench.joined();
    let told = 0;
    bench.sim.answer = () => { told++; return ok; };
    for (let i = 0; i < 1_000; i++) bench.flow.signal(`type ${String(i)}`, i);
    await bench.settle();
    expect(told).toBe(64);
    bench.flow.signal("one more", 1);
    await bench.settle();
    expect(told).toBe(65);
  });

  test.each<[string, string, unknown]>([["no type", "", 1], ["a long type", "é".repeat(33), 1], ["much data", "t", "x".repeat(17_000)], ["no data", "t", undefined]])("are bounded: %s", async (_what, type, data) => {
    const bench = await Bench.joined();
    expect(() => { bench.flow.signal(type, data as never); }).toThrow(expect.objectContaining({ reason: "invalid_params" }));
  });
});
