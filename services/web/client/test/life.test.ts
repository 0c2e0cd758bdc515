// A flow's and a connection's life: joining, coming back, being refused, the end.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { hintOf } from "../src/hint.ts";
import { HelixError, type ConnectionState } from "../src/index.ts";
import { Bench } from "./bench.ts";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); vi.restoreAllMocks(); });

describe("the connection", () => {
  test("tells when it tries again, and waits longer from time to time", async () => {
    const bench = new Bench({}, { backoff: { firstMs: 1_000, mostMs: 8_000 } });
    const states: ConnectionState[] = [];
    bench.helix.onState((state) => { states.push(state); });
    const waits: number[] = [];
    for (let i = 0; i < 6; i++) {
      bench.link.end(1006);
      const { state } = bench.helix;
      if (state.name !== "offline") throw new Error(`${state.name} after the connection broke`);
      expect(bench.flow.state).toEqual({ name: "offline", retryAt: state.retryAt });
      waits.push(state.retryAt - Date.now());
      const { length } = bench.sim.links;
      await bench.pass(state.retryAt - Date.now() - 1);
      expect(bench.sim.links).toHaveLength(length);
      await bench.pass(1);
      expect(bench.sim.links).toHaveLength(length + 1);
      expect(bench.flow.state).toEqual({ name: "joining" });
    }
    waits.forEach((wait, i) => {
      const longest = Math.min(1_000 * 2 ** i, 8_000);
      expect(wait).toBeGreaterThanOrEqual(longest / 2);
      expect(wait).toBeLessThanOrEqual(longest);
    });
    await bench.settle();
    expect(bench.flow.state).toEqual({ name: "live" });
    expect(states.at(-1)).toEqual({ name: "open" });
  });

  test.each([1001, 1002, 1006, 1011, 1012, 1013, 1000])("comes back after close code %i", async (code) => {
    const bench = await Bench.joined();
    bench.link.end(code);
    expect(bench.flow.state.name).toBe("offline");
    await bench.back();
    expect(bench.flow.state).toEqual({ name: "live" });
  });

  test("comes back at once, within the time that the edge asks for, when it is moved; then as usual", async () => {
    const bench = await Bench.joined({}, { backoff: { firstMs: 5_000 } });
    const wait = () => {
      const { state } = bench.helix;
      return state.name === "offline" ? state.retryAt - Date.now() : NaN;
    };
    bench.link.end(1012, "the server restarts; come back within 100 ms");
    expect(wait()).toBeLessThanOrEqual(100);
    await bench.back();
    expect(bench.flow.state).toEqual({ name: "live" });
    bench.link.end(1012, "the server restarts; come back");
    expect(wait()).toBeGreaterThanOrEqual(2_500);
  });

  test.each([
    [1012, "the server restarts; come back within 250 ms", 250],
    [1012, "the server restarts; come back within 0 ms", 0],
    [1012, "the server restarts; come back", undefined],
    [1012, "within 12345678 ms", undefined],
    [1012, "within -1 ms", undefined],
    [1013, "too slow; come back within 250 ms", undefined],
    [1006, "", undefined],
  ])("reads the hint of %i %j as %j", (code, reason, want) => {
    expect(hintOf(code, reason)).toBe(want);
  });

  test("stays away after 1008 where the token is one string, keeps its changes, and comes back when it is told to", async () => {
    const bench = await Bench.joined({}, { token: "old" });
    expect(bench.link.url).toContain("token=old");
    bench.link.end(1008, "the token has expired; come back with a fresh one");
    const receipt = bench.flow.change({ a: 1 });
    await bench.pass(3_600_000);
    expect(bench.sim.links).toHaveLength(1);
    expect(bench.helix.state).toEqual({ name: "refused", code: 1008, sentence: "the token has expired; come back with a fresh one" });
    expect(bench.flow.state).toEqual({ name: "refused", reason: "unauthorized", sentence: "the token has expired; come back with a fresh one" });
    bench.helix.reconnect();
    await bench.settle();
    expect(await receipt).toEqual({ seq: 1 });
  });

  test("comes back by itself after 1008 where the token is a function, with the newest token, and loses nothing", async () => {
    let token = "old";
    const bench = await Bench.joined({}, { token: () => token });
    bench.link.end(1008, "the token has expired; come back with a fresh one");
    const receipt = bench.flow.change({ a: 1 });
    expect(bench.helix.state).toMatchObject({ name: "offline", reason: "token_expired" });
    expect(bench.flow.state).toMatchObject({ name: "offline", reason: "token_expired", retryAt: (bench.helix.state as { retryAt: number }).retryAt });
    token = "new";
    await bench.back();
    expect(bench.link.url).toContain("token=new");
    expect(await receipt).toEqual({ seq: 1 });
    expect(bench.flow.state).toEqual({ name: "live" });
  });

  test("gives up the largest change that has no answer after 1009, for it would end every connection", async () => {
    const bench = await Bench.joined();
    const other = bench.helix.flow("g", { clientId: "me" });
    await bench.settle();
    const large = bench.flow.change({ a: "x".repeat(1_000) });
    const small = other.change({ b: 1 });
    const judged = expect(large).rejects.toMatchObject({ reason: "changes_too_large" });
    bench.link.lose();
    bench.link.end(1009);
    await judged;
    expect(bench.flow.document).toEqual({});
    await bench.back();
    expect(await small).toEqual({ seq: 1 });
    expect(bench.flow.state).toEqual({ name: "live" });
  });

  test("tries at once when it is told to", async () => {
    const bench = await Bench.joined();
    bench.link.end(1006);
    bench.helix.reconnect();
    expect(bench.sim.links).toHaveLength(2);
    await bench.settle();
    expect(bench.flow.state).toEqual({ name: "live" });
    await bench.pass(60_000);
    expect(bench.sim.links).toHaveLength(2);
  });

  test("closes with everything on it", async () => {
    const bench = await Bench.joined();
    const closed = bench.helix.close();
    expect(bench.flow.state).toEqual({ name: "closed" });
    await bench.settle();
    await closed;
    expect(bench.helix.state).toEqual({ name: "closed" });
    expect(bench.link.up).toBe(false);
    expect(() => bench.helix.flow("g")).toThrow(/closed/);
    await bench.pass(3_600_000);
    expect(bench.sim.links).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a join", () => {
  test.each(["unauthorized", "Invalid flow identifier", "invalid_params", "some new reason"])("that is refused for good ends the flow: %s", async (reason) => {
    const bench = new Bench();
    bench.sim.refuseJoin = () => reason;
    const receipt = bench.flow.change({ a: 1 });
    const judged = Promise.all([
      expect(receipt).rejects.toMatchObject({ reason }),
      expect(bench.flow.ready).rejects.toBeInstanceOf(HelixError),
    ]);
    await bench.back();
    await judged;
    expect(bench.flow.state).toMatchObject({ name: "refused", reason });
    expect(bench.flow.document).toEqual({});
    await expect(bench.flow.change({ b: 1 })).rejects.toMatchObject({ reason });
    await bench.pass(3_600_000);
    expect(bench.sim.joins).toHaveLength(1);
  });

  test.each(["unavailable", "max_clients_reached"])("that is refused for now is tried again: %s", async (reason) => {
    const bench = new Bench();
    bench.sim.refuseJoin = () => reason;
    await bench.settle();
    expect(bench.flow.state).toMatchObject({ name: "offline", reason });
    expect((bench.flow.state as { retryAt: number }).retryAt).toBeGreaterThan(Date.now());
    bench.sim.refuseJoin = () => undefined;
    await bench.back();
    expect(bench.flow.state).toEqual({ name: "live" });
  });

  test("that gets no answer is tried again", async () => {
    const bench = new Bench();
    await bench.pass(0);
    bench.link.open();
    bench.link.lose();
    await bench.pass(10_000);
    expect(bench.flow.state).toMatchObject({ name: "offline", reason: "timeout" });
    await bench.back();
    expect(bench.flow.state).toEqual({ name: "live" });
  });

  test("trims the flow's id, and one connection has a flow once", async () => {
    const bench = await Bench.joined();
    expect(() => bench.helix.flow("  f ")).toThrow(/open on this connection already/);
    const left = bench.flow.leave();
    const again = bench.helix.flow(" f ");
    await bench.settle();
    await left;
    expect(again.state).toEqual({ name: "live" });
    expect(bench.link.members.size).toBe(1);
  });
});

describe("the end", () => {
  test("of a flow that is deleted: changes are refused, and nobody joins again", async () => {
    const bench = await Bench.joined({}, {}, { a: 0 });
    const told: string[] = [];
    bench.flow.onRefused(({ reason }) => { told.push(reason); });
    const receipt = bench.flow.change({ a: 1 });
    const judged = expect(receipt).rejects.toMatchObject({ reason: "deleted" });
    const { joinRef } = bench.member;
    bench.link.lose();
    bench.link.give([null, null, "flow:f", "flow_deleted", { flow_id: "f", timestamp: 0 }]);
    bench.link.give([joinRef, joinRef, "flow:f", "phx_close", {}]);
    await bench.settle();
    await judged;
    expect(bench.flow.state).toEqual({ name: "deleted" });
    expect(bench.flow.document).toEqual({ a: 0 });
    expect(told).toEqual(["deleted"]);
    await expect(bench.flow.change({})).rejects.toMatchObject({ reason: "deleted" });
    await bench.pass(3_600_000);
    expect(bench.sim.joins).toHaveLength(1);
  });

  test("of an idle session is none for the client: it joins the next one", async () => {
    const bench = await Bench.joined();
    const { joinRef } = bench.member;
    bench.link.members.clear();
    bench.link.give([joinRef, joinRef, "flow:f", "phx_close", {}]);
    await bench.settle();
    expect(bench.flow.state.name).toBe("offline");
    await bench.back();
    expect(bench.flow.state).toEqual({ name: "live" });
    const receipt = bench.flow.change({ a: 1 });
    await bench.settle();
    expect(await receipt).toEqual({ seq: 1 });
  });

  test("of a server's channel that the client does not know of: it joins again, and sends again", async () => {
    const bench = await Bench.joined();
    bench.link.members.clear();
    const receipt = bench.flow.change({ a: 1 });
    await bench.back();
    expect(await receipt).toEqual({ seq: 1 });
    expect(bench.sim.joins).toHaveLength(2);
  });

  test("that the client chooses gives up what is not acknowledged", async () => {
    const bench = await Bench.joined();
    const receipt = bench.flow.change({ a: 1 });
    const judged = expect(receipt).rejects.toMatchObject({ reason: "left" });
    const left = bench.flow.leave();
    await bench.settle();
    await Promise.all([judged, left]);
    expect(bench.flow.state).toEqual({ name: "closed" });
    expect(bench.link.members.size).toBe(0);
    await expect(bench.flow.change({})).rejects.toMatchObject({ reason: "left" });
  });

  test("of one event comes before the next begins: a listener that makes a change is not heard too early", async () => {
    const bench = await Bench.joined();
    const heard: unknown[] = [];
    bench.flow.onChange(({ patch }) => { if ("a" in patch) void bench.flow.change({ b: 1 }); });
    bench.flow.onChange(({ patch, origin }) => { heard.push([origin, patch]); });
    bench.sim.change("other", { a: 1 }, 0);
    await bench.settle();
    expect(heard).toEqual([["remote", { a: 1 }], ["local", { b: 1 }]]);
    expect(bench.sim.document).toEqual({ a: 1, b: 1 });
  });

  test("of a listener hinders no other, and its error is not swallowed", async () => {
    const bench = await Bench.joined();
    const thrown: unknown[] = [];
    vi.spyOn(globalThis, "queueMicrotask").mockImplementation((task) => { try { task(); } catch (error) { thrown.push(error); } });
    const heard: unknown[] = [];
    const first = bench.flow.onChange(() => { throw new Error("mine"); });
    bench.flow.onChange(({ patch }) => { heard.push(patch); });
    void bench.flow.change({ a: 1 });
    first();
    void bench.flow.change({ a: 2 });
    expect(heard).toEqual([{ a: 1 }, { a: 2 }]);
    expect(thrown).toEqual([new Error("mine")]);
  });
});
