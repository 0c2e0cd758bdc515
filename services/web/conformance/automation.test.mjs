// The main job on real input: six people build one large automation on three edges, change by change,
// with both clients and both serializers, and at the end everyone has the same.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { joined, newFlow, VARIANTS } from "./client.mjs";
import { startCluster } from "./harness.mjs";
import { mergePatch } from "./merge-patch.mjs";
import { random, supportFlow } from "./support-flow.mjs";

const PEOPLE = 6;
const IN_FLIGHT = 8; // changes that one client has sent and not yet heard of

let cluster;
before(async () => { cluster = await startCluster(); });
after(() => cluster?.stop());

/** edits are what one person does: draws every PEOPLE-th node in three strokes and then its edges, and
 * between them pulls at the few things that all pull at. */
function edits(flow, who) {
  const r = random(100 + who);
  const list = [];
  const mine = (things) => Object.values(things).filter((_, i) => i % PEOPLE === who);
  for (const { id, ...node } of mine(flow.nodes)) {
    const { settings, ...data } = node.data;
    list.push({ nodes: { [id]: { id, ...node, position: { x: 0, y: 0 }, data: { ...data, label: `New ${node.type}`, enabled: false } } } });
    list.push({ nodes: { [id]: { position: { x: node.position.x / 2, y: 7 }, data: { settings: { draft: true, ...settings } } } } });
    list.push({ nodes: { [id]: { position: node.position, data: { label: data.label, enabled: data.enabled, settings: { draft: null } } } } });
    if (r.chance(0.2)) list.push(r.pick(contested(r, who)));
  }
  for (const edge of mine(flow.edges)) {
    list.push({ edges: { [edge.id]: edge } });
    if (r.chance(0.1)) list.push(r.pick(contested(r, who)));
  }
  return list;
}

const contested = (r, who) => [
  { meta: { name: `Support, as person ${who} calls it`, version: r.integer(2, 99) } },
  { meta: { tags: [`by-${who}`, "draft"], reviewers: { [`person-${who}`]: r.chance(0.5) ? "yes" : null } } },
  { nodes: { scratch: { id: "scratch", type: "input", position: { x: r.integer(0, 500), y: who }, data: { label: `Try ${who}` } } } },
  { nodes: { scratch: null }, edges: { "e-scratch": null } },
  { edges: { "e-scratch": { id: "e-scratch", source: "scratch", target: "triage", data: { by: who } } } },
];

/** finish undoes what was contested, so that the result is the whole flow and nothing else. */
const finish = ({ meta }) => ({ meta: { ...meta, reviewers: null }, nodes: { scratch: null }, edges: { "e-scratch": null } });

const fold = (changes) => changes.reduce((document, patch) => mergePatch(document, patch), {});

test("six clients on three edges build one automation change by change, and all have the same at the end", { timeout: 120_000 }, async (t) => {
  const flow = supportFlow();
  assert.ok(Object.keys(flow.nodes).length >= 150 && Object.keys(flow.edges).length >= 200);
  const id = newFlow("customer-support");
  const people = await Promise.all(Array.from({ length: PEOPLE }, (_, who) =>
    joined(t, VARIANTS[who % VARIANTS.length], cluster.edges[who % 3], id)));
  await Promise.all(people.map((person) => person.untilCount(PEOPLE)));

  const taken = new Map(); // seq: {changes, who}
  const send = async (who, changes) => {
    const { status, seq } = await people[who].change(changes);
    assert.equal(status, "broadcasted");
    assert.ok(!taken.has(seq), `two changes have seq ${seq}`);
    taken.set(seq, { changes, who });
    return seq;
  };
  await Promise.all(people.map(async (_, who) => {
    const seqs = [];
    const list = edits(flow, who);
    while (list.length > 0) seqs.push(...await Promise.all(list.splice(0, IN_FLIGHT).map((changes) => send(who, changes))));
    assert.deepEqual(seqs, seqs.toSorted((a, b) => a - b), `the changes of person ${who} kept their order`);
  }));
  const last = await send(0, finish(flow));

  const order = Array.from({ length: taken.size }, (_, i) => i + 1);
  assert.equal(last, taken.size, "the seqs have no gaps");
  for (const person of people) await person.untilUpdates(taken.size);
  for (const [i, person] of people.entries()) {
    const { updates } = person;
    assert.deepEqual(updates.map(({ seq }) => seq), order, `person ${i} got every change once, in order`);
    for (const { seq, changes, client_id: author, epoch, timestamp } of updates) {
      assert.deepEqual(changes, taken.get(seq).changes);
      assert.equal(author, people[taken.get(seq).who].joined.client_id);
      assert.equal(epoch, person.joined.epoch);
      assert.ok(Math.abs(timestamp - Date.now() / 1000) < 180);
    }
    assert.deepEqual(fold(updates.map(({ changes }) => changes)), flow, `person ${i} has the whole flow`);
  }
  t.diagnostic(`${taken.size} changes made ${Object.keys(flow.nodes).length} nodes and ${Object.keys(flow.edges).length} edges, the same at ${PEOPLE} clients`);
});

/** Plain is a front end of the original's kind: it knows two arrays, sends both whole, and takes both whole. */
class Plain {
  constructor(member) {
    this.member = member;
    this.nodes = [];
    this.edges = [];
    member.channel.on("flow_update", ({ changes }) => {
      this.nodes = changes.nodes;
      this.edges = changes.edges;
    });
  }

  edit(change) {
    change(this);
    return this.member.change({ nodes: this.nodes, edges: this.edges });
  }

  get drawing() { return { nodes: this.nodes, edges: this.edges }; }
}

for (const [i, variant] of VARIANTS.entries()) {
  test(`${variant.name}: clients that send whole arrays get whole arrays, and the last one wins`, async (t) => {
    const { nodes, edges } = supportFlow(30 + i);
    const [allNodes, allEdges] = [Object.values(nodes), Object.values(edges)];
    const id = newFlow("arrays");
    const plain = await Promise.all([0, 1, 2].map(async (n) =>
      new Plain(await joined(t, n === 0 ? variant : VARIANTS[(i + n) % VARIANTS.length], cluster.edges[n], id))));
    const all = (number) => Promise.all(plain.map(({ member }) => member.untilUpdates(number)));

    // In turn: each goes on from what the one before sent.
    for (let turn = 0; turn < 12; turn++) {
      await plain[turn % 3].edit((drawing) => {
        drawing.nodes = [...drawing.nodes, ...allNodes.slice(turn * 13, (turn + 1) * 13)];
        drawing.edges = [...drawing.edges, ...allEdges.slice(turn * 20, (turn + 1) * 20)];
      });
      await all(turn + 1);
    }
    for (const one of plain) assert.deepEqual(one.drawing, { nodes: allNodes.slice(0, 156), edges: allEdges.slice(0, 240) });

    // All at once: one of them is last, and everybody has exactly that.
    const receipts = await Promise.all(plain.map((one, who) => one.edit((drawing) => {
      drawing.nodes = drawing.nodes.map((node) => ({ ...node, data: { ...node.data, label: `${node.data.label}, by ${who}` } }));
    })));
    const winner = receipts.findIndex(({ seq }) => seq === 15);
    await all(15);
    for (const one of plain) {
      assert.equal(one.nodes.length, 156);
      assert.ok(one.nodes.every(({ data }) => data.label.endsWith(`, by ${winner}`)));
      assert.deepEqual(one.drawing, plain[0].drawing);
    }
  });
}
