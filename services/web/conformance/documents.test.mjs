// Documents over HTTP while people are in the flow: what is put reaches them as any change does, on
// every edge, and of two who replace the same document one is told that it was too late.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, joined, newFlow, NEVER, VARIANTS } from "./client.mjs";
import { startCluster } from "./harness.mjs";
import { mergePatch } from "./merge-patch.mjs";
import { supportFlow } from "./support-flow.mjs";

let cluster;
before(async () => { cluster = await startCluster(); });
after(() => cluster?.stop());

/** http asks edge number n for a flow; body is sent as JSON. */
async function http(n, method, flow, { body, headers = {}, path = `/api/flows/${encodeURIComponent(flow)}` } = {}) {
  const response = await fetch(cluster.edges[n].http + path, {
    method,
    headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    etag: response.headers.get("etag"),
    type: response.headers.get("content-type"),
    header: (name) => response.headers.get(name),
    json: text === "" ? undefined : JSON.parse(text),
  };
}

const fold = (updates) => updates.reduce((document, { changes }) => mergePatch(document, changes), {});

test("a document that is put reaches every member as one update, and is read as it was put", async (t) => {
  const id = newFlow("größe/1");
  const members = await Promise.all(VARIANTS.map((variant, i) => joined(t, variant, cluster.edges[i % 3], id)));
  const first = supportFlow(20);
  const created = await http(0, "PUT", id, { body: first });
  assert.equal(created.status, 201);
  assert.deepEqual(created.json, { status: "created", seq: 1, epoch: members[0].joined.epoch });
  assert.equal(created.etag, `"${members[0].joined.epoch}-1"`);
  assert.equal(created.header("location"), `/api/flows/${encodeURIComponent(id)}`);

  await members[1].change({ nodes: { extra: { label: "from a member" } } });
  const second = structuredClone(first);
  const [gone, moved] = Object.keys(first.nodes);
  delete second.nodes[gone];
  second.nodes[moved].position = { x: -1, y: 2.5 };
  second.title = "Put";
  const replaced = await http(1, "PUT", id, { body: second });
  assert.equal(replaced.status, 200);
  assert.equal(replaced.json.seq, 3);
  for (const member of members) {
    const updates = await member.untilUpdates(3);
    assert.deepEqual(updates.map(({ seq }) => seq), [1, 2, 3]);
    assert.deepEqual(updates[2].changes, { nodes: { [gone]: null, [moved]: { position: { x: -1, y: 2.5 } }, extra: null }, title: "Put" });
    assert.deepEqual(fold(updates), second);
  }

  const same = await http(2, "PUT", id, { body: second });
  assert.deepEqual(same.json, { status: "unchanged", seq: 3, epoch: replaced.json.epoch });
  for (const n of [0, 1, 2]) {
    const read = await http(n, "GET", id);
    assert.equal(read.status, 200);
    assert.equal(read.etag, replaced.etag);
    assert.equal(read.header("helix-seq"), "3");
    assert.ok(Math.abs(Date.parse(read.header("last-modified")) - Date.now()) < 60_000);
    assert.deepEqual(read.json, second);
    assert.equal((await http(n, "GET", id, { headers: { "if-none-match": read.etag } })).status, 304);
    const head = await http(n, "HEAD", id);
    assert.deepEqual([head.status, head.etag, head.json], [200, replaced.etag, undefined]);
  }
  const late = await joined(t, VARIANTS[0], cluster.edges[2], id, { params: { sync: true } });
  assert.deepEqual(late.joined.snapshot, { seq: 3, document: second });
  for (const member of members) assert.equal(member.updates.length, 3, "nothing changed, so nothing was told");
});

test("of writers who replace the same document exactly one wins, and a lost one can go on from what is there", async (t) => {
  const id = newFlow("race");
  const reader = await joined(t, VARIANTS[0], cluster.edges[0], id);
  const creates = await Promise.all(Array.from({ length: 6 }, (_, writer) =>
    http(writer % 3, "PUT", id, { body: { by: writer }, headers: { "if-none-match": "*" } })));
  assert.deepEqual(creates.map(({ status }) => status).toSorted(), [201, 412, 412, 412, 412, 412]);
  let { etag } = creates.find(({ status }) => status === 201);
  for (let round = 2; round < 6; round++) {
    const race = await Promise.all([0, 1, 2].map((writer) =>
      http(writer, "PUT", id, { body: { round, by: writer }, headers: { "if-match": etag } })));
    assert.deepEqual(race.map(({ status }) => status).toSorted(), [200, 412, 412]);
    for (const { status, type, json } of race) {
      if (status === 412) assert.deepEqual([type, json.code], ["application/problem+json", "precondition_failed"]);
    }
    etag = race.find(({ status }) => status === 200).etag;
    const winner = race.findIndex(({ status }) => status === 200);
    assert.deepEqual((await http(0, "GET", id)).json, { round, by: winner });
    assert.deepEqual(fold(await reader.untilUpdates(round)), { round, by: winner });
  }
});

test("a deleted flow says so to its members, is gone, and begins anew", async (t) => {
  const id = newFlow("deleted");
  const members = await Promise.all(VARIANTS.map((variant, i) => joined(t, variant, cluster.edges[i % 3], id)));
  const following = await joined(t, VARIANTS[0], cluster.edges[1], id, { params: { sync: true } });
  const { json: { seq, epoch }, etag } = await http(0, "PUT", id, { body: { nodes: { n1: {} } } });
  await Promise.all([...members, following].map((member) => member.untilUpdates(1)));
  assert.equal((await http(1, "DELETE", id, { headers: { "if-match": `"${epoch}-${seq + 1}"` } })).status, 412);
  assert.equal((await http(1, "DELETE", id, { headers: { "if-match": etag } })).status, 204);
  for (const member of [...members, following]) {
    assert.equal((await member.untilEvent("flow_deleted")).flow_id, id);
    await member.untilEvent("phx_close");
    assert.equal(member.errors, 0);
  }
  for (const [method, n] of [["GET", 0], ["DELETE", 1], ["GET", 2]]) {
    const { status, json } = await http(n, method, id);
    assert.deepEqual([status, json.code], [404, "no_document"]);
  }

  for (const [n, edge] of cluster.edges.entries()) {
    const client = new Client(t, VARIANTS[0], edge, { reconnectAfterMs: NEVER, rejoinAfterMs: NEVER });
    const again = client.member(id, { resume: { epoch, seq } });
    const answer = await again.join();
    assert.notEqual(answer.epoch, epoch);
    assert.deepEqual(answer.snapshot, { seq: 0, document: {} }, `on edge ${n}`);
    assert.equal(answer.changes, undefined);
    assert.equal(answer.client_count, n + 1);
  }
  const anew = await http(2, "PUT", id, { body: { title: "Again" }, headers: { "if-none-match": "*" } });
  assert.equal(anew.status, 201);
  assert.equal(anew.json.seq, 1);
});

test("the list has every flow once, newest change first, with what it holds and who is in it", { timeout: 60_000 }, async (t) => {
  const name = newFlow("list");
  const ids = Array.from({ length: 25 }, (_, i) => `${name}/${i}`);
  for (const [i, id] of ids.entries()) {
    const body = { title: `Flow ${i}`, nodes: Object.fromEntries(Array.from({ length: i }, (_, n) => [`n${n}`, {}])), edges: [1, 2] };
    assert.equal((await http(i % 3, "PUT", id, { body })).status, 201);
  }
  const member = await joined(t, VARIANTS[0], cluster.edges[2], ids[0]);
  await member.change({ title: "Changed" });
  const listed = [];
  for (let cursor, pages = 0; cursor !== null; pages++) {
    assert.ok(pages < 100, "it ends");
    const query = new URLSearchParams({ limit: 7, ...(cursor && { cursor }) });
    const { status, json } = await http(pages % 3, "GET", "", { path: `/api/flows?${query}` });
    assert.equal(status, 200);
    listed.push(...json.flows.filter(({ flow_id: id }) => id.startsWith(`${name}/`)));
    cursor = json.next_cursor;
  }
  assert.deepEqual(listed.map(({ flow_id: id }) => id), [ids[0], ...ids.slice(1).toReversed()]);
  for (const flow of listed.slice(1)) {
    const i = ids.indexOf(flow.flow_id);
    const { created_at: created, updated_at: updated, epoch, ...rest } = flow;
    assert.deepEqual(rest, { flow_id: ids[i], title: `Flow ${i}`, nodes: i, edges: 2, up_to_date: true, seq: 1, active: false, client_count: 0 });
    assert.equal(created, updated);
    assert.ok(epoch);
  }
  const [{ active, client_count: count, seq, created_at: created, updated_at: updated }] = listed;
  assert.deepEqual({ active, count, seq }, { active: true, count: 1, seq: 2 });
  assert.ok(Date.parse(created) < Date.parse(updated));
});
