// What Helix adds to the protocol, with the official client on three edges: the document, resuming,
// change ids, slow readers, presence and signals.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Presence as Presence18 } from "phoenix";
import { Presence as Presence17 } from "phoenix17";
import { Client, joined, newFlow, NEVER, Refused, VARIANTS } from "./client.mjs";
import { LEASE_TTL, startCluster, startEdge } from "./harness.mjs";
import { mergePatch } from "./merge-patch.mjs";

let cluster, edges;
before(async () => {
  cluster = await startCluster({ HELIX_CHANGE_RATE: "100000", HELIX_CHANGE_BURST: "100000" });
  edges = cluster.edges;
});
after(() => cluster?.stop());

const refusal = (reason) => (error) => error instanceof Refused && error.reason === reason;

/** Replica keeps the document of a member that joined with sync or resume, and checks every step. */
class Replica {
  constructor(member, document) {
    Object.assign(this, { member, catchups: 0, syncs: 0, updates: 0 });
    const { epoch, seq, snapshot, changes } = member.joined;
    this.document = changes ? changes.reduce((d, c) => mergePatch(d, c.changes), document) : snapshot.document;
    Object.assign(this, { epoch, seq });
    this.taken = 0;
  }

  /** take applies what came since the join's answer. */
  take() {
    const { received } = this.member;
    for (; this.taken < received.length; this.taken++) {
      const { event, payload: p } = received[this.taken];
      if (event === "flow_sync") {
        this.syncs++;
        Object.assign(this, { document: p.document, epoch: p.epoch, seq: p.seq });
      } else if (event === "flow_update" && p.seq > this.seq) {
        assert.deepEqual([p.epoch, p.seq], [this.epoch, this.seq + 1]);
        this.updates++;
        Object.assign(this, { document: mergePatch(this.document, p.changes), seq: p.seq });
      } else if (event === "flow_catchup") {
        assert.ok(p.epoch === this.epoch && p.from_seq <= this.seq && p.seq > this.seq, JSON.stringify({ ...p, patches: p.patches.length }));
        assert.ok(p.patches.length === 1 || p.patches.length === 2);
        this.catchups++;
        Object.assign(this, { document: p.patches.reduce(mergePatch, this.document), seq: p.seq });
      }
    }
    return this;
  }

  untilSeq(seq, ms) { return this.member.until(`seq ${seq}`, () => this.take().seq >= seq, ms); }
}

const sync = { params: { sync: true } };

for (const variant of VARIANTS) {
  const Presence = variant.name.includes("1.8") ? Presence18 : Presence17;
  describe(variant.name, { concurrency: 4 }, () => {
    test("a late joiner gets the document, on every edge, and what follows begins there", async (t) => {
      const flow = newFlow();
      const ann = await joined(t, variant, edges[0], flow, sync);
      assert.deepEqual(ann.joined.snapshot, { seq: 0, document: {} });
      await ann.change({ nodes: { n1: { x: 1 } }, title: "T" });
      await ann.change({ nodes: { n1: null, n2: { x: 2 } } });
      const late = await Promise.all(edges.map(async (edge) => new Replica(await joined(t, variant, edge, flow, sync))));
      for (const replica of late) {
        assert.deepEqual([replica.seq, replica.document], [2, { title: "T", nodes: { n2: { x: 2 } } }]);
      }
      await ann.change({ title: null });
      for (const replica of late) {
        await replica.untilSeq(3);
        assert.deepEqual(replica.document, { nodes: { n2: { x: 2 } } });
      }
    });

    test("who was away resumes on another edge with what it missed; who knows too little gets the document", async (t) => {
      const flow = newFlow();
      const ann = await joined(t, variant, edges[0], flow, sync);
      const bob = new Replica(await joined(t, variant, edges[1], flow, sync));
      await ann.change({ a: 1 });
      await bob.untilSeq(1);
      await bob.member.leave();
      await ann.change({ a: 2 });
      await ann.change({ b: { c: 3 } });
      const back = await joined(t, variant, edges[2], flow, { params: { resume: { epoch: bob.epoch, seq: bob.seq } } });
      assert.deepEqual(back.joined.changes, [{ seq: 2, changes: { a: 2 } }, { seq: 3, changes: { b: { c: 3 } } }]);
      const again = new Replica(back, bob.document);
      assert.deepEqual([again.seq, again.document], [3, { a: 2, b: { c: 3 } }]);
      const stranger = await joined(t, variant, edges[2], flow, { params: { resume: { epoch: "of another time", seq: 2 } } });
      assert.deepEqual(stranger.joined.snapshot, { seq: 3, document: { a: 2, b: { c: 3 } } });
    });

    test("a change that is sent again, on another edge too, gets its first answer and has no second effect", async (t) => {
      const flow = newFlow();
      const params = { client_id: "ann", sync: true };
      const ann = await joined(t, variant, edges[0], flow, { params });
      const push = (member, change_id, changes) => member.push("flow_change", { changes, change_id });
      assert.equal((await push(ann, 1, { n: 1 })).seq, 1);
      assert.equal((await push(ann, 2, { n: 2 })).seq, 2);
      const elsewhere = await joined(t, variant, edges[1], flow, { params });
      assert.deepEqual(await push(elsewhere, 2, { n: 2 }), { status: "broadcasted", seq: 2 });
      assert.equal((await push(elsewhere, 3, { n: 3 })).seq, 3);
      assert.equal((await push(ann, 3, { n: 3 })).seq, 3);
      for (const bad of [0, -1, 1.5, "4", [4], 2 ** 53 + 2]) {
        await assert.rejects(push(ann, bad, { n: 4 }), refusal("invalid_params"), `change_id ${bad}`);
      }
      const late = await joined(t, variant, edges[2], flow, sync);
      assert.deepEqual(late.joined.snapshot, { seq: 3, document: { n: 3 } });
    });

    test("who joins with presence is seen by the others who do, on every edge", async (t) => {
      const flow = newFlow();
      const plain = await joined(t, variant, edges[0], flow);
      const who = ["ann", "bob", "eve"];
      const members = [];
      for (const [i, edge] of edges.entries()) {
        const member = new Client(t, variant, edge).member(flow, { client_id: who[i], presence: { name: who[i], phx_ref: "no" } });
        member.presence = new Presence(member.channel);
        member.left = [];
        member.presence.onLeave((id) => member.left.push(id));
        await member.join();
        members.push(member);
      }
      const names = (member) => member.presence.list((id, { metas }) => `${id}: ${metas.map(({ name }) => name)}`).sort();
      for (const member of members) await member.until("all three are seen", () => names(member).length === 3);
      assert.deepEqual(names(members[0]), ["ann: ann", "bob: bob", "eve: eve"]);
      await members[1].push("presence_update", { name: "Bob", selection: ["n1"] });
      for (const member of members) await member.until("bob's new name", () => names(member).includes("bob: Bob"));
      for (const bad of [[], "x", { long: "x".repeat(5000) }]) {
        await assert.rejects(members[1].push("presence_update", bad), refusal("invalid_params"));
      }
      await assert.rejects(plain.push("presence_update", {}), refusal("invalid_params"));
      members[2].client.close();
      for (const member of members.slice(0, 2)) {
        await member.until("eve is gone", () => names(member).length === 2 && member.left.includes("eve"));
      }
      assert.equal(plain.events("presence_state").length + plain.events("presence_diff").length, 0);
    });

    test("signals reach the others, on every edge, not their sender and not who joined plainly", async (t) => {
      const flow = newFlow();
      const plain = await joined(t, variant, edges[1], flow);
      const ann = await joined(t, variant, edges[0], flow, { params: { client_id: "ann", sync: true } });
      const others = await Promise.all(edges.map((edge) => joined(t, variant, edge, flow, { params: { presence: {} } })));
      assert.deepEqual(await ann.push("signal", { type: "cursor", data: { x: 1, y: 2.5 } }), {});
      for (const other of others) {
        assert.deepEqual(await other.untilEvent("signal"), { type: "cursor", data: { x: 1, y: 2.5 }, client_id: "ann" });
      }
      for (const bad of [{}, { type: "" }, { type: 7 }, { type: "x".repeat(65) }, { type: "big", data: "x".repeat(17_000) }]) {
        await assert.rejects(ann.push("signal", bad), refusal("invalid_params"));
      }
      await ann.change({ last: true });
      await plain.untilUpdates(1);
      assert.equal(ann.events("signal").length + plain.events("signal").length, 0);
    });
  });
}

describe("whatever the client", { concurrency: 4 }, () => {
  const variant = VARIANTS[0];

  test("a slow reader is caught up by composed patches, and ends with the same document", async (t) => {
    const flow = newFlow();
    const ann = await joined(t, variant, edges[0], flow, sync);
    const slow = new Replica(await joined(t, variant, edges[0], flow, sync));
    const plain = await joined(t, variant, edges[0], flow, { reconnectAfterMs: NEVER });
    const text = "x".repeat(8_000);
    slow.member.client.socket.conn.pause();
    plain.client.socket.conn.pause();
    const changes = 3_000; // 24 MB: more than all buffers between
    const waiting = [];
    for (let i = 0; i < changes; i++) {
      waiting.push(ann.change({ [`n${i % 40}`]: { i, text } }));
      if (waiting.length === 100) await Promise.all(waiting.splice(0));
    }
    await Promise.all(waiting);
    slow.member.client.socket.conn.resume();
    plain.client.socket.conn.resume();
    await slow.untilSeq(changes, 30_000);
    assert.ok(slow.catchups + slow.syncs > 0 && slow.updates < changes, `${slow.updates} updates, ${slow.catchups} catch-ups`);
    const fresh = await joined(t, variant, edges[1], flow, sync);
    assert.deepEqual(slow.document, fresh.joined.snapshot.document);
    await plain.until("a plain reader is closed instead", () => plain.client.closes.includes(1013), 30_000);
  });

  test("of changes that come too fast, those behind the first refused one wait for it", async (t) => {
    const strict = await startEdge(cluster.redis, "strict", { HELIX_CHANGE_RATE: "50", HELIX_CHANGE_BURST: "5" });
    t.after(() => strict.kill());
    const flow = newFlow();
    const ann = await joined(t, variant, strict, flow, { params: { client_id: "ann", sync: true } });
    const all = 60;
    let next = 1, refusals = 0;
    while (next <= all) { // go back to the first that was refused
      const from = next;
      const answers = await Promise.allSettled(Array.from({ length: all - from + 1 }, (_, i) =>
        ann.push("flow_change", { change_id: from + i, changes: { [`n${from + i}`]: 1, last: from + i } })));
      const accepted = answers.findIndex(({ status }) => status === "rejected");
      for (const { status, reason } of answers.slice(accepted < 0 ? all : accepted)) {
        assert.equal(status, "rejected", "one behind it was carried out");
        assert.equal(reason.reason, "rate_limited");
        refusals++;
      }
      next = accepted < 0 ? all + 1 : from + accepted;
    }
    assert.ok(refusals > 0);
    const { seq, document } = (await joined(t, variant, edges[0], flow, sync)).joined.snapshot;
    assert.deepEqual([seq, document.last, Object.keys(document).length], [all, all, all + 1]);
  });

  test("the ghosts of a killed edge leave the presence within one lease", async (t) => {
    const doomed = await startEdge(cluster.redis, "doomed");
    t.after(() => doomed.kill());
    const flow = newFlow();
    const ann = new Client(t, variant, edges[0]).member(flow, { client_id: "ann", presence: {} });
    const presence = new Presence18(ann.channel); // before the join: the state comes soon behind its answer
    await ann.join();
    await joined(t, variant, doomed, flow, { params: { client_id: "ghost", presence: {} }, reconnectAfterMs: NEVER });
    await ann.until("both are seen", () => presence.list().length === 2);
    await doomed.kill();
    await ann.until("the ghost is gone", () => presence.list().length === 1 && ann.count === 1, LEASE_TTL + 1_000);
  });
});
