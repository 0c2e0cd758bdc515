// One flow, step by step: what a page sees, and what goes over the wire.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { FlowState } from "../src/index.ts";
import { Bench } from "./bench.ts";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); vi.restoreAllMocks(); });

const names = (states: readonly FlowState[]) => states.map(({ name }) => name);

describe("a change", () => {
  test("is in the document at once, and acknowledged with its seq", async () => {
    const bench = await Bench.joined({}, {}, { a: 1 });
    const receipt = bench.flow.change({ b: 2 });
    expect(bench.flow.document).toEqual({ a: 1, b: 2 });
    expect(bench.flow.serverDocument).toEqual({ a: 1 });
    await bench.settle();
    expect(await receipt).toEqual({ seq: 2 });
    expect(bench.flow.serverDocument).toEqual({ a: 1, b: 2 });
    expect(names(bench.states)).toEqual(["saving", "live"]);
  });

  test("may be made before the flow is joined", async () => {
    const bench = new Bench();
    bench.sim.change("other", { a: 1 }, 0);
    const receipt = bench.flow.change({ b: 2 });
    expect(bench.flow.document).toEqual({ b: 2 });
    await bench.settle();
    expect(await receipt).toEqual({ seq: 2 });
    await bench.flow.ready;
    expect(bench.flow.document).toEqual({ a: 1, b: 2 });
  });

  test("is told of once: its echo changes nothing, and the document stays the same object", async () => {
    const bench = await Bench.joined();
    void bench.flow.change({ a: { b: 1 } });
    const { document } = bench.flow;
    await bench.settle();
    expect(bench.flow.position?.seq).toBe(1);
    expect(bench.flow.document).toBe(document);
    expect(bench.changes).toEqual([{ document, patch: { a: { b: 1 } }, origin: "local" }]);
  });

  test("stays in the document whichever of its answer and its echo comes first", async () => {
    for (const echoFirst of [true, false]) {
      const bench = await Bench.joined({}, {}, { a: 0 });
      bench.sim.holdReply = () => echoFirst;
      void bench.flow.change({ a: 1 });
      bench.link.serve();
      bench.sim.change("other", { b: 1 }, 0);
      if (echoFirst) { bench.sim.tell(bench.member, "update"); bench.sim.tell(bench.member, "update"); }
      while (bench.link.deliver()) expect(bench.flow.document).toMatchObject({ a: 1 });
      await bench.settle();
      expect(bench.flow.document).toEqual({ a: 1, b: 1 });
      expect(bench.changes.map(({ patch, origin }) => ({ patch, origin }))).toEqual([{ patch: { a: 1 }, origin: "local" }, { patch: { b: 1 }, origin: "remote" }]);
    }
  });

  test("keeps what it was when it was made, whatever becomes of the object", async () => {
    const bench = await Bench.joined();
    const tags = ["a"];
    void bench.flow.change({ tags });
    tags.push("b");
    await bench.settle();
    expect(bench.flow.document).toEqual({ tags: ["a"] });
    expect(bench.carriedOut).toEqual([{ tags: ["a"] }]);
  });
});

describe("changes made while one is under way", () => {
  test("are composed into one, and answered together", async () => {
    const bench = await Bench.joined();
    const first = bench.flow.change({ x: 0 });
    const others = [1, 2, 3].map((x) => bench.flow.change({ x, [`k${String(x)}`]: x }));
    await bench.settle();
    expect(await first).toEqual({ seq: 1 });
    expect(await Promise.all(others)).toEqual([{ seq: 2 }, { seq: 2 }, { seq: 2 }]);
    expect(bench.carriedOut).toEqual([{ x: 0 }, { x: 3, k1: 1, k2: 2, k3: 3 }]);
    const [[id], [next]] = bench.received as [[number, string], [number, string]];
    expect(next).toBe(id + 1);
  });

  test("are two changes where one patch cannot say it, and answered with the second", async () => {
    const bench = await Bench.joined({}, {}, { n: { old: 1 } });
    void bench.flow.change({ busy: 1 });
    const gone = bench.flow.change({ n: null });
    const again = bench.flow.change({ n: { fresh: 1 } });
    await bench.settle();
    expect(await Promise.all([gone, again])).toEqual([{ seq: 4 }, { seq: 4 }]);
    expect(bench.carriedOut.slice(1)).toEqual([{ busy: 1 }, { n: null }, { n: { fresh: 1 } }]);
    expect(bench.sim.document).toEqual({ n: { fresh: 1 }, busy: 1 });
  });

  test("do not make a change larger than it should be: they become several", async () => {
    const bench = await Bench.joined();
    void bench.flow.change({ first: 1 });
    const piece = "x".repeat(20_000);
    const all = Array.from({ length: 60 }, (_, i) => bench.flow.change({ [`k${String(i)}`]: piece }));
    await bench.settle();
    await Promise.all(all);
    const sizes = bench.received.map(([, text]) => text.length);
    expect(sizes.length).toBeGreaterThan(4);
    expect(Math.max(...sizes)).toBeLessThan(300_000);
    expect(Object.keys(bench.sim.document)).toHaveLength(61);
  });

  test("cost no more than what they come to: a long drag is one small change", async () => {
    const bench = await Bench.joined();
    void bench.flow.change({ first: 1 });
    for (let i = 0; i < 20_000; i++) void bench.flow.change({ nodes: { n1: { position: { x: i, y: -i } } } });
    await bench.settle();
    expect(bench.received).toHaveLength(2);
    expect(bench.carriedOut[1]).toEqual({ nodes: { n1: { position: { x: 19_999, y: -19_999 } } } });
  });
});

describe("after a lost answer", () => {
  test("the same change goes again under the same id, before anything else, and counts once", async () => {
    const bench = await Bench.joined({}, {}, { a: 0 });
    const receipt = bench.flow.change({ a: 1 });
    bench.link.serve(); // carried out
    bench.link.end(1006); // and never answered
    void bench.flow.change({ b: 1 });
    await bench.back();
    expect(await receipt).toEqual({ seq: 2 });
    const [first, again, next] = bench.received;
    expect(again).toEqual(first);
    expect(next?.[1]).toBe('{"b":1}');
    expect(bench.carriedOut).toEqual([{ a: 0 }, { a: 1 }, { b: 1 }]);
    expect(bench.sim.joins).toEqual([
      { client_id: "me", sync: true },
      { client_id: "me", sync: true, resume: { epoch: "epoch-1", seq: 1 } },
    ]);
    expect(bench.flow.document).toEqual({ a: 1, b: 1 });
  });

  test("on a connection that lives, it goes again too", async () => {
    const bench = await Bench.joined();
    const receipt = bench.flow.change({ a: 1 });
    bench.link.lose();
    await bench.pass(10_000);
    expect(bench.flow.state).toMatchObject({ name: "saving", reason: "timeout" });
    await bench.back();
    expect(await receipt).toEqual({ seq: 1 });
    expect(bench.sim.links).toHaveLength(1);
    expect(bench.carriedOut).toEqual([{ a: 1 }]);
  });

  test("what was composed behind it is not sent under its id", async () => {
    const bench = await Bench.joined();
    void bench.flow.change({ a: 1 });
    void bench.flow.change({ a: 2 });
    bench.link.lose();
    bench.link.end(1012);
    void bench.flow.change({ a: 3 });
    await bench.back();
    expect(bench.received.map(([, text]) => text)).toEqual(['{"a":1}', '{"a":3}']);
  });
});

describe("a refused change", () => {
  test.each(["unavailable", "rate_limited"])("goes again later where the reason is transient: %s", async (reason) => {
    const bench = await Bench.joined();
    let refusals = 2;
    bench.sim.refuse = () => (refusals-- > 0 ? reason : undefined);
    const receipt = bench.flow.change({ a: 1 });
    await bench.settle();
    expect(bench.flow.state).toMatchObject({ name: "saving", reason });
    expect((bench.flow.state as { retryAt: number }).retryAt).toBeGreaterThan(Date.now());
    expect(bench.flow.document).toEqual({ a: 1 });
    await bench.back();
    expect(await receipt).toEqual({ seq: 1 });
    expect(bench.received).toEqual([bench.received[0], bench.received[0], bench.received[0]]);
    expect(bench.flow.state).toEqual({ name: "live" });
  });

  test("is taken back where the reason is final; the next ones go on", async () => {
    const bench = await Bench.joined({}, {}, { a: 0 });
    bench.sim.refuse = (_client, changes) => ("bad" in changes ? "document_too_large" : undefined);
    const told: string[] = [];
    bench.flow.onRefused(({ reason }) => { told.push(reason); });
    const bad = bench.flow.change({ a: 1, bad: true });
    const good = bench.flow.change({ c: 1 });
    const judged = expect(bad).rejects.toMatchObject({ name: "HelixError", reason: "document_too_large", sentence: "no: document_too_large" });
    await bench.settle();
    await judged;
    expect(await good).toEqual({ seq: 2 });
    expect(bench.flow.document).toEqual({ a: 0, c: 1 });
    expect(bench.changes.map(({ patch, origin }) => [origin, patch])).toEqual([
      ["local", { a: 1, bad: true }], ["local", { c: 1 }], ["refused", { a: 0, bad: null }],
    ]);
    expect(told).toEqual(["document_too_large"]);
  });

  test.each<[string, string, unknown]>([
    ["invalid_changes", "an array", []],
    ["invalid_changes", "nothing", undefined],
    ["changes_too_large", "more than a frame holds", { a: "x".repeat(1 << 20) }],
    ["changes_too_deep", "nested too deeply", JSON.parse(`{"a":${"[".repeat(128)}${"]".repeat(128)}}`)],
  ])("never leaves the client where that is sure: %s, %s", async (reason, _what, patch) => {
    const bench = await Bench.joined();
    await expect(bench.flow.change(patch as never)).rejects.toMatchObject({ reason });
    expect(bench.flow.document).toEqual({});
    await bench.settle();
    expect(bench.received).toEqual([]);
  });

  test("is one too many where too much waits", async () => {
    const bench = await Bench.joined();
    bench.link.end(1006);
    const piece = "x".repeat(900_000);
    const all = Array.from({ length: 12 }, (_, i) => bench.flow.change({ [`k${String(i)}`]: piece }));
    await expect(all.at(-1)).rejects.toMatchObject({ reason: "too_many_pending" });
    await bench.back();
    expect(await all[0]).toEqual({ seq: 1 });
    expect(Object.keys(bench.sim.document).length).toBe(9);
    expect(bench.flow.document).toEqual(bench.sim.document);
  });
});

describe("what comes from the server", () => {
  test("tells whose doing it is", async () => {
    const bench = await Bench.joined();
    bench.sim.change("other", { a: 1 }, 0);
    await bench.settle();
    bench.link.end(1012);
    bench.sim.change("other", { b: 1 }, 0);
    bench.sim.change("other", { c: 1 }, 0);
    await bench.back();
    bench.sim.change("other", { d: 1 }, 0);
    bench.sim.change("other", { e: 1 }, 0);
    bench.sim.tell(bench.member, "catchup");
    await bench.settle();
    bench.sim.restore();
    bench.sim.document = { new: 1 };
    await bench.settle();
    expect(bench.changes.map(({ patch, origin }) => [origin, patch])).toEqual([
      ["remote", { a: 1 }], ["resumed", { b: 1, c: 1 }], ["resumed", { d: 1, e: 1 }],
      ["resumed", { a: null, b: null, c: null, d: null, e: null, new: 1 }],
    ]);
  });

  test("has no second effect: an old update, an old catch-up, and one that begins before the client's position", async () => {
    const bench = await Bench.joined();
    for (const a of [1, 2, 3]) bench.sim.change("other", { a, [`k${String(a)}`]: a }, 0);
    await bench.settle();
    bench.link.give([null, null, "flow:f", "flow_update", { changes: { a: 1 }, seq: 1, epoch: "epoch-1", client_id: "other" }]);
    bench.link.give([null, null, "flow:f", "flow_catchup", { patches: [{ a: 2 }], from_seq: 0, seq: 2, epoch: "epoch-1" }]);
    while (bench.link.deliver()) expect(bench.flow.position?.seq).toBe(3);
    expect(bench.flow.document).toEqual({ a: 3, k1: 1, k2: 2, k3: 3 });
    bench.sim.change("other", { k4: 4 }, 0);
    bench.sim.tell(bench.member, "catchup", { overlap: 3 });
    await bench.settle();
    expect(bench.flow.document).toEqual({ a: 3, k1: 1, k2: 2, k3: 3, k4: 4 });
    expect(bench.sim.joins).toHaveLength(1);
  });

  test.each<[string, string, object]>([
    ["an update that skips one", "flow_update", { changes: { lost: 1 }, seq: 3, epoch: "epoch-1", client_id: "other" }],
    ["an update of an unknown epoch", "flow_update", { changes: { lost: 1 }, seq: 2, epoch: "epoch-9", client_id: "other" }],
    ["a catch-up that begins too late", "flow_catchup", { patches: [{ lost: 1 }], from_seq: 2, seq: 3, epoch: "epoch-1" }],
  ])("is never guessed: %s has the client join again from where it is", async (_what, event, payload) => {
    const bench = await Bench.joined({}, {}, { a: 1 });
    bench.link.give([null, null, "flow:f", event, { ...payload }]);
    await bench.settle();
    expect(bench.sim.joins.at(-1)).toEqual({ client_id: "me", sync: true, resume: { epoch: "epoch-1", seq: 1 } });
    expect(bench.sim.joins).toHaveLength(2);
    expect(bench.sim.links).toHaveLength(1);
    expect(bench.flow.document).toEqual({ a: 1 });
    expect(bench.flow.state).toEqual({ name: "live" });
  });

  test("between a channel's failure and the next join belongs to neither", async () => {
    const bench = await Bench.joined();
    const { link, member } = bench;
    link.crash(member);
    link.give([null, null, "flow:f", "flow_update", { changes: { early: 1 }, seq: 1, epoch: "epoch-1", client_id: "other" }]);
    while (link.deliver()) { /* nothing but these two */ }
    expect(bench.flow.document).toEqual({});
    expect(bench.flow.state).toMatchObject({ name: "offline" });
    await bench.back();
    expect(bench.flow.position).toEqual({ epoch: "epoch-1", seq: 0 });
    expect(bench.flow.state).toEqual({ name: "live" });
  });

  test("under a new epoch has the client ask again for an answer that is on its way: it counts in the old one", async () => {
    const bench = await Bench.joined();
    for (let i = 0; i < 5; i++) bench.sim.change("other", { i }, 0);
    await bench.settle();
    bench.sim.holdReply = () => true;
    const receipt = bench.flow.change({ mine: 1 });
    bench.link.serve(); // seq 6 of the old epoch
    bench.sim.restore();
    bench.sim.tell(bench.member, "sync");
    bench.link.deliver();
    bench.sim.holdReply = () => false;
    await bench.settle();
    expect(await receipt).toEqual({ seq: 0 });
    expect(bench.received).toHaveLength(2);
    expect(bench.received[1]).toEqual(bench.received[0]);
    bench.sim.change("other", { mine: 2 }, 0);
    await bench.settle();
    expect(bench.flow.document).toMatchObject({ mine: 2 });
  });
});
