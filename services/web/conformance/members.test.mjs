// Members of a flow, on three edges, with the official client.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client, joined, newFlow, NEVER, Refused, VARIANTS } from "./client.mjs";
import { startCluster, until } from "./harness.mjs";

let cluster, edges;
before(async () => {
  cluster = await startCluster();
  edges = cluster.edges;
});
after(() => cluster?.stop());

const onAllEdges = (t, variant, flow, options) => Promise.all(edges.map((edge) => joined(t, variant, edge, flow, options)));
const status = async (flow) => (await fetch(`${edges[1].http}/api/flows/${flow}/status`)).json();
const refusal = (reason) => (error) => error instanceof Refused && error.reason === reason;

for (const variant of VARIANTS) {
  describe(variant.name, { concurrency: 4 }, () => {
    test("a join is answered with what the flow is, and all hear the count of the whole cluster", async (t) => {
      const flow = newFlow();
      const members = [];
      for (const [i, edge] of edges.entries()) {
        members.push(await joined(t, variant, edge, flow));
        assert.equal(members[i].joined.client_count, i + 1);
        await Promise.all(members.map((member) => member.untilCount(i + 1)));
      }
      const [first, ...others] = members.map((member) => member.joined);
      for (const other of others) {
        assert.equal(other.epoch, first.epoch);
        assert.deepEqual(other.session, first.session);
        assert.notEqual(other.client_id, first.client_id);
      }
      const { active, client_count: counted } = await status(flow);
      assert.deepEqual([active, counted], [true, 3]);
    });

    test("the answer to a join is the first that its channel hears", async (t) => {
      const flow = newFlow();
      const members = await onAllEdges(t, variant, flow);
      for (const member of members) assert.equal(member.received[0].event, "phx_reply");
    });

    test("changes reach every member on every edge in one order, the sender after its answer", async (t) => {
      const flow = newFlow();
      const members = await onAllEdges(t, variant, flow);
      const each = 40;
      await Promise.all(members.flatMap((member, who) =>
        Array.from({ length: each }, (_, i) => member.change({ [`from-${who}`]: i }))));
      const all = await Promise.all(members.map((member) => member.untilUpdates(3 * each)));
      for (const [who, updates] of all.entries()) {
        assert.deepEqual(updates.map(({ seq }) => seq), Array.from({ length: 3 * each }, (_, i) => i + 1));
        assert.deepEqual(updates, all[0]);
        assert.deepEqual(updates.filter((u) => `from-${who}` in u.changes).map((u) => u.changes[`from-${who}`]), Array.from({ length: each }, (_, i) => i));
        assert.ok(updates.filter((u) => `from-${who}` in u.changes).every((u) => u.client_id === members[who].joined.client_id));
      }
      for (const member of members) {
        const answered = new Set();
        for (const { event, payload } of member.received) {
          if (event === "phx_reply" && payload.response.seq) answered.add(payload.response.seq);
          if (event === "flow_update" && payload.client_id === member.joined.client_id) assert.ok(answered.has(payload.seq), `the update ${payload.seq} came before its answer`);
        }
        assert.equal(answered.size, each);
      }
    });

    test("a leave is told to the others at once, and the last one ends the session", async (t) => {
      const flow = newFlow();
      const members = await onAllEdges(t, variant, flow);
      await members[0].leave();
      await Promise.all(members.slice(1).map((member) => member.untilCount(2, 1_000)));
      await members[1].leave();
      await members[2].untilCount(1, 1_000);
      await members[2].leave();
      // The answer to a leave does not wait for Redis.
      await until("the session ended", async () => !(await status(flow)).active, 1_000);
      const again = await joined(t, variant, edges[0], flow);
      assert.equal(again.joined.client_count, 1);
    });

    test("an abrupt end is told to the others within a second", async (t) => {
      const flow = newFlow();
      const members = await onAllEdges(t, variant, flow, { reconnectAfterMs: NEVER });
      await Promise.all(members.map((member) => member.untilCount(3)));
      members[1].client.cut();
      await Promise.all([members[0], members[2]].map((member) => member.untilCount(2, 1_000)));
      assert.equal(members[0].events("client_left").length, 1);
    });

    test("fifty channels on one socket are fifty flows", async (t) => {
      const flows = Array.from({ length: 50 }, () => newFlow("fifty"));
      const [here, there] = [new Client(t, variant, edges[0]), new Client(t, variant, edges[1])];
      const channels = flows.map((flow) => [here.member(flow), there.member(flow)]);
      await Promise.all(channels.flat().map((member) => member.join()));
      await Promise.all(channels.map(([a], i) => a.change({ which: i })));
      for (const [i, pair] of channels.entries()) {
        for (const member of pair) {
          const updates = await member.untilUpdates(1);
          assert.deepEqual(updates.map(({ changes }) => changes), [{ which: i }]);
        }
      }
      await channels[7][0].leave();
      await channels[7][1].untilCount(1);
      await channels[8][0].change({ still: "here" });
      await channels[8][1].untilUpdates(2);
    });

    test("a socket has at most its limit of channels, and a freed place can be taken", async (t) => {
      const client = new Client(t, variant, edges[2], { rejoinAfterMs: NEVER });
      const members = Array.from({ length: 128 }, () => client.member(newFlow("limit")));
      await Promise.all(members.map((member) => member.join()));
      await assert.rejects(client.member(newFlow("limit")).join(), refusal("too many channels joined"));
      await members[5].leave();
      await client.member(newFlow("limit")).join();
      assert.deepEqual(await members[6].push("ping", {}), { status: "pong" });
    });

    for (const [how, close] of [
      ["the management channel", async (t, flow) => {
        const client = new Client(t, variant, edges[1]);
        return client.ask(await client.joinTopic("flow_management"), "flow_deleted", { flow_id: flow });
      }],
      ["HTTP", async (_, flow) => {
        const response = await fetch(`${edges[1].http}/api/flows/${flow}/session`, { method: "DELETE" });
        assert.equal(response.status, 200);
        return response.json();
      }],
    ]) {
      test(`a session that is closed by ${how} ends for all, and they stay away`, async (t) => {
        const flow = newFlow();
        const members = await onAllEdges(t, variant, flow);
        const answer = await close(t, flow);
        assert.deepEqual([answer.status, answer.clients_affected], ["session_closed", 3]);
        for (const member of members) {
          const deleted = await member.untilEvent("flow_deleted");
          assert.equal(deleted.flow_id, flow);
          await member.until("the channel closed", () => member.closed);
          assert.equal(member.channel.state, "closed");
          assert.equal(member.errors, 0);
        }
        const fresh = await joined(t, variant, edges[2], flow);
        assert.equal(fresh.joined.client_count, 1);
      });
    }

    test("two spellings of one id are one flow with two topics", async (t) => {
      const flow = newFlow();
      const [plain, spaced] = [await joined(t, variant, edges[0], flow), await joined(t, variant, edges[1], `  ${flow} `)];
      assert.equal(spaced.joined.client_count, 2);
      await plain.untilCount(2);
      assert.equal(spaced.events("client_joined")[0]?.flow_id ?? (await spaced.untilEvent("client_joined")).flow_id, flow);
      await plain.change({ a: 1 });
      await spaced.change({ b: 2 });
      for (const member of [plain, spaced]) {
        assert.deepEqual((await member.untilUpdates(2)).map(({ changes }) => changes), [{ a: 1 }, { b: 2 }]);
      }
      await spaced.leave();
      await plain.untilCount(1);
    });

    // Under vsn 1.0.0 the client itself takes the farewell of the first channel for one of the second;
    // what the server does there stands in frames.test.mjs.
    if (variant.serializer.vsn === "2.0.0") {
      test("two channels of one topic on one socket leave no ghost", async (t) => {
        const flow = newFlow();
        const watcher = await joined(t, variant, edges[0], flow);
        const client = new Client(t, variant, edges[1]);
        await client.member(flow).join();
        await watcher.untilCount(2);
        const second = client.member(flow);
        second.joined = await second.join();
        assert.equal(second.joined.client_count, 2);
        const third = await joined(t, variant, edges[2], flow);
        assert.equal(third.joined.client_count, 3);
        client.close();
        await watcher.untilCount(2);
      });
    }

    test("a change that comes by HTTP reaches the members like any other", async (t) => {
      const flow = newFlow("http/ü");
      const members = await onAllEdges(t, variant, flow);
      const response = await fetch(`${edges[0].http}/api/flows/${encodeURIComponent(flow)}/changes`, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ changes: { from: "outside" } }),
      });
      const { status: how, seq } = await response.json();
      assert.deepEqual([response.status, how, seq], [200, "broadcasted", 1]);
      for (const member of members) {
        assert.deepEqual((await member.untilUpdates(1)).map((u) => [u.seq, u.changes]), [[1, { from: "outside" }]]);
      }
    });

    test("a client that sends too much is slowed down, and what was taken reaches the others", async (t) => {
      const flow = newFlow();
      const [sender, other] = [await joined(t, variant, edges[0], flow), await joined(t, variant, edges[1], flow)];
      const outcomes = await Promise.allSettled(Array.from({ length: 600 }, (_, i) => sender.change({ i })));
      const taken = outcomes.flatMap(({ status: how }, i) => (how === "fulfilled" ? [i] : []));
      const reasons = new Set(outcomes.filter(({ reason }) => reason).map(({ reason }) => reason.reason));
      assert.deepEqual([...reasons], ["rate_limited"]);
      assert.ok(taken.length >= 200, `${taken.length} were taken`); // the burst
      const updates = await other.untilUpdates(taken.length);
      assert.deepEqual(updates.map(({ changes }) => changes.i), taken);
      assert.deepEqual(await sender.push("ping", {}), { status: "pong" });
    });

    test("what is refused is refused with its reason, and the channel lives on", async (t) => {
      const client = new Client(t, variant, edges[0], { rejoinAfterMs: NEVER });
      const member = client.member(newFlow());
      await member.join();
      await assert.rejects(member.push("no_such_event", {}), refusal("Unknown event"));
      await assert.rejects(member.push("flow_change", {}), refusal("Unknown event"));
      for (const changes of [null, 7, "text", []]) await assert.rejects(member.change(changes), refusal("invalid_changes"));
      const deep = JSON.parse(`${'{"a":'.repeat(500)}1${"}".repeat(500)}`);
      await assert.rejects(member.change(deep), refusal("changes_too_deep"));
      await assert.rejects(client.member(newFlow(), { client_id: 7 }).join(), refusal("invalid_params"));
      await assert.rejects(client.member("   ").join(), refusal("Invalid flow identifier"));
      await assert.rejects(client.member("x".repeat(256)).join(), refusal("Invalid flow identifier"));
      await assert.rejects(client.joinTopic("room:1"), refusal("unmatched topic"));
      const manager = await client.joinTopic("flow_management");
      for (const payload of [{}, { flow_id: 7 }, { flow_id: "  " }]) {
        await assert.rejects(client.ask(manager, "flow_deleted", payload), refusal("Invalid flow_id"));
      }
      assert.deepEqual(await member.change({ a: 1 }), { status: "broadcasted", seq: 1 });
      assert.equal(client.closes.length, 0);
    });
  });
}
