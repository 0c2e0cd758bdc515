import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster as start } from "../../../conformance/harness.mjs";
import type { Flow, Signal } from "../../src/index.ts";
import { connected, direct, LoadBalancer, newFlow, opened, until, Witness, type Edge } from "./edges.ts";

interface Cluster { readonly edges: Edge[]; readonly redis: { stop(): Promise<unknown>; start(): Promise<void> }; stop(): Promise<void> }
const startCluster = start as (env?: Record<string, string>) => Promise<Cluster>;

let cluster: Cluster;
beforeAll(async () => { cluster = await startCluster(); });
afterAll(() => cluster.stop());

const edgeA = () => cluster.edges[0]!;
const edgeB = () => cluster.edges[1]!;

const live = (flow: Flow) => until(flow, "live", () => flow.state.name === "live");

/** same waits until all flows are at one place, and expects one document there: the one that an edge tells over HTTP. */
async function same(edge: Edge, ...flows: Flow[]): Promise<void> {
  await Promise.all(flows.map(live));
  const newest = () => Math.max(...flows.map(({ position }) => position?.seq ?? -1));
  for (const flow of flows) await until(flow, "the newest change came", () => flow.position?.seq === newest());
  for (const flow of flows) {
    expect(flow.serverDocument).toEqual(flows[0]?.serverDocument);
    expect(flow.document).toEqual(flow.serverDocument);
  }
  const answer = await fetch(`${edge.http}/api/flows/${flows[0]!.id}`);
  expect(await answer.json()).toEqual(flows[0]!.document);
  expect({ epoch: answer.headers.get("helix-epoch"), seq: Number(answer.headers.get("helix-seq")) }).toEqual(flows[0]!.position);
}

test("two clients on two edges who edit the same things at once end with the same document, and so does who comes late", async () => {
  const id = newFlow();
  const witness = await Witness.of(edgeA(), id);
  const [ann, bob] = await Promise.all([opened(direct(edgeA()), id), opened(direct(edgeB()), id)]);
  const made: Promise<unknown>[] = [];
  for (let i = 0; i < 150; i++) {
    for (const [name, flow] of [["ann", ann], ["bob", bob]] as const) {
      made.push(flow.change({ marks: { [`${name}-${String(i)}`]: i }, shared: { last: name, [`k${String(i % 7)}`]: i % 3 === 0 ? null : { [name]: i } } }));
      expect(flow.document).toMatchObject({ shared: { last: name } });
    }
    if (i % 10 === 0) await Promise.race(made.slice(-2)); // let some come between
  }
  await Promise.all(made);
  await same(edgeA(), ann, bob);
  const late = await opened(direct(edgeB()), id);
  await same(edgeB(), ann, bob, late);
  for (let i = 0; i < 150; i++) {
    for (const name of ["ann", "bob"]) expect(witness.times(`${name}-${String(i)}`)).toBe(1);
  }
  expect(witness.inOrder).toBe(true);
});

test("who edits while its edge is killed comes back through another one: each change counts once", async () => {
  const own = await startCluster();
  try {
    const [first, second] = own.edges as [Edge, Edge];
    const id = newFlow();
    const witness = await Witness.of(second, id);
    const balancer = await LoadBalancer.start(first);
    const moved = await opened(connected(balancer.url), id);
    const stays = await opened(direct(second), id);
    const made: Promise<unknown>[] = [];
    let count = 0;
    const edit = () => { made.push(moved.change({ marks: { [String(count++)]: true }, last: count })); };
    for (let i = 0; i < 20; i++) edit();
    const died = first.kill();
    for (let i = 0; i < 20; i++) edit(); // some of them are on their way
    await died;
    await until(moved, "offline", () => moved.state.name === "offline");
    expect(moved.state).toMatchObject({ retryAt: expect.any(Number) as number });
    for (let i = 0; i < 20; i++) edit();
    void stays.change({ meanwhile: true });
    balancer.point(second);
    await Promise.all(made);
    expect(moved.document).toMatchObject({ last: count });
    await same(second, moved, stays);
    for (let i = 0; i < count; i++) expect(witness.times(String(i)), `change ${String(i)}`).toBe(1);
    expect(moved.document).toMatchObject({ meanwhile: true, last: count });
    expect(witness.inOrder).toBe(true);
  } finally {
    await own.stop();
  }
});

test("a change whose answer is lost on the way counts once, though it is sent again through another edge", async () => {
  const id = newFlow();
  const witness = await Witness.of(edgeB(), id);
  const balancer = await LoadBalancer.start(edgeA());
  const writer = await opened(connected(balancer.url), id);
  let losses = 0;
  writer.onState(({ name }) => { if (name === "joining") losses++; });
  const reader = await opened(direct(edgeB()), id);
  for (let i = 0; i < 10; i++) {
    await live(writer);
    balancer.point(i % 2 === 0 ? edgeB() : edgeA()); // for the connection after this one
    balancer.loseNextAnswer();
    const receipt = writer.change({ marks: { [String(i)]: true } });
    await until(reader, "the change is carried out", () => reader.document["marks"] !== undefined && Object.hasOwn(reader.document["marks"] as object, String(i)));
    expect(writer.document["marks"]).toHaveProperty(String(i));
    const after = reader.change({ marks: { [String(i)]: "newer" } }); // which the change, sent again, must not undo
    await Promise.all([receipt, after]);
  }
  expect(losses).toBeGreaterThanOrEqual(10);
  await same(edgeB(), writer, reader);
  for (let i = 0; i < 10; i++) {
    expect(witness.times(String(i))).toBe(2); // it, and the newer one
    expect((writer.document["marks"] as Record<string, unknown>)[String(i)]).toBe("newer");
  }
});

test("who was away gets what it missed, in one piece, and its own changes meanwhile are not lost", async () => {
  const id = newFlow();
  const balancer = await LoadBalancer.start(edgeA());
  const away = await opened(connected(balancer.url), id);
  const stays = await opened(direct(edgeB()), id);
  await stays.change({ nodes: { n1: { label: "before" } } });
  await until(away, "the change came", () => away.position?.seq === 1);
  const resumed: unknown[] = [];
  away.onChange(({ origin, patch }) => { if (origin === "resumed") resumed.push(patch); });
  balancer.down = true;
  balancer.cut();
  await until(away, "offline", () => away.state.name === "offline");
  for (let x = 0; x < 50; x++) await stays.change({ nodes: { n1: { x } } });
  const mine = away.change({ nodes: { n1: { y: 1 } } });
  balancer.down = false;
  await mine;
  await same(edgeA(), away, stays);
  expect(resumed).toEqual([{ nodes: { n1: { x: 49 } } }]);
  expect(away.document).toEqual({ nodes: { n1: { label: "before", x: 49, y: 1 } } });
});

test("a document that is replaced over HTTP is a change like any other", async () => {
  const id = newFlow();
  const flow = await opened(direct(edgeA()), id);
  await flow.change({ nodes: { n1: { x: 1 }, n2: {} }, title: "old" });
  const { document } = flow;
  const answer = await fetch(`${edgeB().http}/api/flows/${id}`, { method: "PUT", headers: { "content-type": "application/json" }, body: '{"nodes":{"n2":{},"n3":{}},"title":"new"}' });
  expect(answer.status).toBe(200);
  await until(flow, "the new document came", () => flow.document["title"] === "new");
  await same(edgeA(), flow);
  expect(flow.document).toEqual({ nodes: { n2: {}, n3: {} }, title: "new" });
  expect(document).toMatchObject({ title: "old" });
});

test("a flow that is deleted over HTTP is deleted under its members, and one of that name begins anew", async () => {
  const id = newFlow();
  const helix = direct(edgeA());
  const flow = await opened(helix, id);
  await flow.change({ a: 1 });
  expect((await fetch(`${edgeB().http}/api/flows/${id}`, { method: "DELETE" })).status).toBe(204);
  await until(flow, "deleted", () => flow.state.name === "deleted");
  const anew = await opened(helix, id, { clientId: flow.clientId });
  expect(anew.document).toEqual({});
  await anew.change({ b: 1 });
  await same(edgeB(), anew);
});

test("a flow whose session is closed is deleted for its members", async () => {
  const id = newFlow();
  const flow = await opened(direct(edgeA()), id);
  await flow.change({ a: 1 });
  const answer = await fetch(`${edgeB().http}/api/flows/${id}/session`, { method: "DELETE" });
  expect(answer.status).toBe(200);
  await until(flow, "deleted", () => flow.state.name === "deleted");
  await expect(flow.change({ a: 2 })).rejects.toMatchObject({ reason: "deleted" });
});

test("a session that ends because nobody does anything is no end for its clients: both come back, and see each other's changes", async () => {
  const own = await startCluster({ HELIX_SESSION_INACTIVITY_TIMEOUT: "1s" });
  try {
    const id = newFlow();
    const [ann, bob] = await Promise.all([opened(direct(own.edges[0]!), id), opened(direct(own.edges[1]!), id)]);
    await ann.change({ before: 1 });
    await Promise.all([ann, bob].map((flow) => until(flow, "the session ended", () => flow.state.name === "offline")));
    await Promise.all([ann, bob].map(live));
    await ann.change({ after: 1 });
    await until(bob, "the change came", () => bob.document["after"] === 1);
    expect(bob.document).toEqual({ before: 1, after: 1 });
  } finally {
    await own.stop();
  }
});

test("changes may be as large as the library lets them, until the document is full: then that one alone is refused", async () => {
  const id = newFlow();
  const [ann, bob] = await Promise.all([opened(direct(edgeA()), id), opened(direct(edgeB()), id)]);
  const text = "x".repeat((1 << 20) - (4 << 10) - '{"k0":""}'.length);
  await expect(ann.change({ large: text })).rejects.toMatchObject({ reason: "changes_too_large" });
  for (let i = 0; i < 8; i++) await ann.change({ [`k${String(i)}`]: text });
  await expect(ann.change({ k8: text })).rejects.toMatchObject({ reason: "document_too_large" });
  expect(ann.document).not.toHaveProperty("k8");
  await ann.change({ small: true, k0: null });
  await until(bob, "the last change came", () => bob.document["small"] === true);
  await same(edgeB(), ann, bob);
  expect(Object.keys(bob.document)).toHaveLength(8);
});

test("what the server refuses for good is taken back, in the server's words", async () => {
  const flow = direct(edgeA()).flow("x".repeat(256));
  await expect(flow.ready).rejects.toMatchObject({ reason: "Invalid flow identifier" });
  expect(flow.state).toMatchObject({ name: "refused", sentence: "a flow id has 1 to 255 bytes after trimming and no control characters" });
});

test("while Redis is away changes wait, and when it is back each counts once", async () => {
  const own = await startCluster();
  try {
    const [first, second] = own.edges as [Edge, Edge];
    const id = newFlow();
    const writer = await opened(direct(first), id);
    const reader = await opened(direct(second), id);
    await writer.change({ n: 0 });
    await own.redis.stop();
    const made = [1, 2, 3].map((n) => writer.change({ n, [`k${String(n)}`]: n }));
    await until(writer, "the change is put off", () => writer.state.name === "saving" && writer.state.reason === "unavailable");
    expect(writer.document).toEqual({ n: 3, k1: 1, k2: 2, k3: 3 });
    await own.redis.start();
    await Promise.all(made);
    await until(reader, "the changes came", () => reader.document["n"] === 3);
    await same(first, writer, reader);
    expect(reader.position?.seq).toBe(3); // the first one, the one that was under way, and the others composed
  } finally {
    await own.stop();
  }
});

test("people see each other across edges: who comes, what they show, and who goes", async () => {
  const id = newFlow();
  const balancer = await LoadBalancer.start(edgeA());
  const ann = await opened(connected(balancer.url), id, { presence: { name: "Ann" } });
  const helix = direct(edgeB());
  const bob = await opened(helix, id, { presence: { name: "Bob" } });
  await opened(direct(edgeB()), id); // who takes no part is not shown
  const shown = (flow: Flow) => flow.presence.list().map(({ meta }) => meta["name"] as string).sort().join();
  await Promise.all([ann, bob].map((flow) => until(flow, "both are there", () => shown(flow) === "Ann,Bob")));
  expect(ann.presence.list().filter(({ me }) => me).map(({ clientId }) => clientId)).toEqual([ann.clientId]);
  for (let x = 0; x <= 300; x++) bob.presence.update({ name: "Bob", x });
  await until(ann, "Bob's newest is seen", () => ann.presence.list().some(({ meta }) => meta["x"] === 300));

  balancer.cut();
  ann.presence.update({ name: "Anna" }); // told by the join that follows, or right after it
  await until(bob, "Anna is back", () => shown(bob) === "Anna,Bob");
  await until(ann, "and sees Bob", () => shown(ann) === "Anna,Bob");
  await bob.leave();
  await until(ann, "Bob is gone", () => shown(ann) === "Anna");
});

test("signals arrive across edges, not at their sender, and the newest of each type at last", async () => {
  const id = newFlow();
  const ann = await opened(direct(edgeA()), id);
  const bob = await opened(direct(edgeB()), id);
  const heard: Signal[] = [];
  bob.onSignal((signal) => { heard.push(signal); });
  ann.onSignal(() => { throw new Error("a sender hears its own signal"); });
  for (let x = 0; x <= 200; x++) ann.signal("cursor", { x });
  ann.signal("typing", true);
  const last = (type: string) => heard.findLast((signal) => signal.type === type);
  await until(bob, "the newest of both came", () => (last("cursor")?.data as { x: number } | undefined)?.x === 200 && last("typing") !== undefined);
  expect(last("typing")).toEqual({ type: "typing", data: true, clientId: ann.clientId });
  expect(bob.document).toEqual({});
});
