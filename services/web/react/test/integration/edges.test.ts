// The real thing: sessions on real edges and a real Redis, over the official client, with a load balancer between them that
// breaks. (The hooks add React to a session, and nothing else.)
import { createHmac, randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import WebSocket from "ws";
import { startCluster as start } from "../../../conformance/harness.mjs";
import { LoadBalancer, newFlow, type Edge } from "../../../client/test/integration/edges.ts";
import { createFlowSession } from "../../src/flow-session.ts";
import type { FlowEvent, FlowSession, FlowSessionOptions } from "../../src/index.ts";
import { node } from "../stage.ts";

interface Cluster { readonly edges: Edge[]; stop(): Promise<void> }
const startCluster = start as (env?: Record<string, string>) => Promise<Cluster>;

let cluster: Cluster;
beforeAll(async () => { cluster = await startCluster(); });
afterAll(() => cluster.stop());

/** until waits for something that a session tells of. */
function until(session: FlowSession, what: string, check: () => boolean, ms = 20_000): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (!check()) return;
      done();
      resolve();
    };
    const looking = setInterval(look, 20); // of cursors and events too
    const forget = session.subscribe(look);
    const timer = setTimeout(() => {
      done();
      reject(new Error(`not within ${String(ms)} ms: ${what}. The session is ${JSON.stringify(session.getState().status)} with ${JSON.stringify(session.getState().document)}`));
    }, ms);
    const done = () => { clearTimeout(timer); clearInterval(looking); forget(); };
    look();
  });
}

async function opened(url: string, flowId: string, name: string, more: Partial<FlowSessionOptions> = {}): Promise<FlowSession> {
  const session = createFlowSession({ url, flowId, user: { name }, transport: WebSocket, backoff: { firstMs: 50, mostMs: 500 }, timeoutMs: 5_000, store: false, ...more });
  onTestFinished(() => session.stop());
  session.start();
  await until(session, `${name} is live`, () => session.getState().status.name === "live");
  return session;
}

const direct = ({ ws }: Edge) => `${ws}/socket`;
const edge = (i: number): Edge => {
  const one = cluster.edges[i];
  if (!one) throw new Error("there is no such edge");
  return one;
};
const shown = (session: FlowSession, id = "a") => session.getState().nodes.find((one) => one.id === id);
const drag = (session: FlowSession, x: number, dragging = true) => { session.onNodesChange([{ id: "a", type: "position", position: { x, y: 2 * x }, dragging }]); };

/** same waits until all have acknowledged everything and see one document: that which an edge tells over HTTP. */
async function same({ http }: Edge, ...sessions: FlowSession[]): Promise<Record<string, unknown>> {
  for (const session of sessions) await until(session, "live", () => session.getState().status.name === "live");
  const fetched = async () => await (await fetch(`${http}/api/flows/${sessions[0]?.flowId ?? ""}`)).json() as Record<string, unknown>;
  const deadline = Date.now() + 20_000;
  for (;;) {
    const document = await fetched();
    const all = sessions.map((session) => session.getState().document);
    try {
      for (const one of all) expect(one).toEqual(document);
      return document;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
  }
}

test("on two edges one drags a node while the other renames it: the drag is seen on its way, both hold, and each takes back only their own", async () => {
  const id = newFlow();
  const [ann, bob] = await Promise.all([opened(direct(edge(0)), id, "Ann"), opened(direct(edge(1)), id, "Bob")]);
  await Promise.all([until(ann, "Bob is there", () => ann.getState().others.length === 1), until(bob, "Ann is there", () => bob.getState().others.length === 1)]);
  ann.addNodes([node("a", { data: { label: "A" } })], { undo: false });
  await until(bob, "the node came", () => shown(bob) !== undefined);
  ann.select({ nodes: ["a"] });
  for (let x = 1; x <= 40; x++) {
    drag(ann, x);
    if (x === 20) bob.setNodeData("a", { label: "B" });
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
  await until(bob, "it moves before the drop", () => (shown(bob)?.position.x ?? 0) > 20);
  expect(bob.getState().document.nodes?.["a"]?.position).toEqual({ x: 0, y: 0 });
  await until(ann, "Bob's name came", () => shown(ann)?.data["label"] === "B");
  expect(shown(ann)).toMatchObject({ dragging: true, position: { x: 40, y: 80 } });
  drag(ann, 40, false);
  const document = await same(edge(2), ann, bob);
  expect(document).toMatchObject({ nodes: { a: { position: { x: 40, y: 80 }, data: { label: "B" } } } });
  await until(bob, "Ann's selection is seen", () => bob.getState().others[0]?.selectedNodes.join() === "a");

  expect(bob.undo()).toBe(true);
  expect(await same(edge(0), ann, bob)).toMatchObject({ nodes: { a: { position: { x: 40, y: 80 }, data: { label: "A" } } } });
  expect(ann.undo()).toBe(true);
  expect(await same(edge(0), ann, bob)).toMatchObject({ nodes: { a: { position: { x: 0, y: 0 }, data: { label: "A" } } } });
  bob.redo();
  expect(await same(edge(0), ann, bob)).toMatchObject({ nodes: { a: { position: { x: 0, y: 0 }, data: { label: "B" } } } });
});

test("who is offline goes on, sees what others did when they return, and each edit counts once; undo reaches back over it", async () => {
  const id = newFlow();
  const balancer = await LoadBalancer.start(edge(0));
  const [ann, bob] = await Promise.all([opened(balancer.url, id, "Ann"), opened(direct(edge(1)), id, "Bob")]);
  ann.addNodes([node("a", { data: { label: "A" } }), node("b", { data: { label: "B" } })], { undo: false });
  await until(bob, "the nodes came", () => shown(bob, "b") !== undefined);
  balancer.down = true;
  balancer.cut();
  await until(ann, "offline", () => ann.getState().status.name === "offline");
  ann.setNodeData("a", { label: "Ann's" });
  drag(ann, 5);
  drag(ann, 6, false);
  ann.addNodes([node("c", { data: { label: "made offline" } })]);
  ann.onConnect({ source: "a", target: "c", sourceHandle: null, targetHandle: null });
  bob.setNodeData("a", { label: "Bob's", cost: 3 });
  bob.remove({ nodes: ["b"] });
  await until(ann, "something waits", () => (ann.getState().status as { waiting?: boolean }).waiting === true);
  const before = bob.client?.position?.seq ?? 0;
  balancer.down = false;
  const document = await same(edge(2), ann, bob);
  expect(document).toMatchObject({ nodes: { a: { data: { label: "Ann's", cost: 3 }, position: { x: 6, y: 12 } }, c: { data: { label: "made offline" } } }, edges: { "a>c": { source: "a" } } });
  expect(Object.keys(document["nodes"] as object).sort()).toEqual(["a", "c"]);
  expect((bob.client?.position?.seq ?? 0) - before).toBeLessThanOrEqual(4); // Bob's two may count here, and Ann's in one or two
  while (ann.getState().canUndo) ann.undo();
  expect(await same(edge(2), ann, bob)).toMatchObject({ nodes: { a: { data: { label: "Bob's", cost: 3 }, position: { x: 0, y: 0 } } } });
  expect(Object.keys(bob.getState().document.nodes ?? {})).toEqual(["a"]);
});

test("an edge that is killed in the middle of a drag loses nothing of it", async () => {
  const own = await startCluster();
  try {
    const [first, second] = own.edges as [Edge, Edge];
    const id = newFlow();
    const balancer = await LoadBalancer.start(first);
    const [ann, bob] = await Promise.all([opened(balancer.url, id, "Ann"), opened(direct(second), id, "Bob")]);
    ann.addNodes([node("a", { data: { label: "A" } })], { undo: false });
    await until(bob, "the node came", () => shown(bob) !== undefined);
    for (let x = 1; x <= 10; x++) drag(ann, x);
    await until(bob, "the drag is seen", () => (shown(bob)?.position.x ?? 0) > 0);
    const died = first.kill();
    for (let x = 11; x <= 20; x++) drag(ann, x);
    await died;
    await until(ann, "offline", () => ann.getState().status.name === "offline");
    expect(shown(ann)).toMatchObject({ dragging: true, position: { x: 20, y: 40 } });
    drag(ann, 30);
    bob.setNodeData("a", { label: "meanwhile" });
    balancer.point(second);
    drag(ann, 40, false);
    expect(await same(second, ann, bob)).toMatchObject({ nodes: { a: { position: { x: 40, y: 80 }, data: { label: "meanwhile" } } } });
    await until(bob, "it is where it was dropped", () => shown(bob)?.position.x === 40);
    await until(bob, "the ghost is gone, and Ann is back", () => bob.getState().others.length === 1);
    ann.undo();
    expect(await same(second, ann, bob)).toMatchObject({ nodes: { a: { position: { x: 0, y: 0 }, data: { label: "meanwhile" } } } });
  } finally {
    await own.stop();
  }
});

test("cursors and views cross edges, and the deletion of what somebody drags is told to them, by whom", async () => {
  const id = newFlow();
  const [ann, bob] = await Promise.all([opened(direct(edge(0)), id, "Ann"), opened(direct(edge(1)), id, "Bob")]);
  const told: FlowEvent[] = [];
  ann.onEvent((event) => { if (event.type === "removedByOther") told.push(event); });
  ann.addNodes([node("a", { data: { label: "A" } })]);
  ann.setView({ x: 1, y: 2, zoom: 1.5, width: 800, height: 600 });
  ann.setCursor({ x: 10, y: 20 });
  const views: unknown[] = [];
  await until(bob, "the cursor is seen", () => bob.getCursors().get(ann.client?.clientId ?? "")?.x === 10);
  bob.onView(ann.client?.clientId ?? "", (view) => { views.push(view); });
  expect(views).toEqual([{ x: 1, y: 2, zoom: 1.5, width: 800, height: 600 }]);
  await until(bob, "the node came", () => shown(bob) !== undefined);
  await until(ann, "Bob is there", () => ann.getState().others.length === 1);
  drag(ann, 3);
  bob.remove({ nodes: ["a"] });
  await until(ann, "it is told", () => told.length > 0);
  expect(told).toMatchObject([{ nodes: ["a"], data: { label: "A" }, engaged: "dragging", by: { clientId: bob.client?.clientId, peer: { name: "Bob" } } }]);
  drag(ann, 4, false);
  expect(await same(edge(2), ann, bob)).toMatchObject({ nodes: {} });
});

test("a flow that is deleted, and one whose session is closed, each say so, and may be reopened", async () => {
  const id = newFlow();
  const ann = await opened(direct(edge(0)), id, "Ann");
  ann.patch({ title: "T" });
  await same(edge(1), ann);
  await fetch(`${edge(1).http}/api/flows/${id}/session`, { method: "DELETE" });
  await until(ann, "the session is closed", () => ann.getState().status.name === "refused" && (ann.getState().status as { cause: string }).cause === "session_closed");
  ann.reopen();
  expect(await same(edge(1), ann)).toEqual({ title: "T" });
  await fetch(`${edge(1).http}/api/flows/${id}`, { method: "DELETE" });
  await until(ann, "it is removed", () => ann.getState().status.name === "refused");
  expect(ann.getState().status).toMatchObject({ cause: "removed", next: "reopen" });
  ann.reopen();
  await until(ann, "live again", () => ann.getState().status.name === "live");
  expect(ann.getState()).toMatchObject({ document: {}, nodes: [], editable: true });
});

test("a full flow is waited for", async () => {
  const own = await startCluster({ HELIX_SESSION_MAX_CLIENTS: "1" });
  try {
    const id = newFlow();
    const ann = await opened(direct(own.edges[0]!), id, "Ann");
    const bob = createFlowSession({ url: direct(own.edges[1]!), flowId: id, user: { name: "Bob" }, transport: WebSocket, backoff: { firstMs: 50, mostMs: 200 }, store: false });
    onTestFinished(() => bob.stop());
    bob.start();
    await until(bob, "full", () => (bob.getState().status as { cause?: string }).cause === "full");
    expect(bob.getState().status).toMatchObject({ name: "offline", next: "wait" });
    await ann.stop();
    await until(bob, "there is room", () => bob.getState().status.name === "live");
  } finally {
    await own.stop();
  }
});

test("tokens: none, a bad one, one that may look only, and one that ends while its person is at work", async () => {
  const secret = randomBytes(32).toString("hex");
  const own = await startCluster({ HELIX_AUTH_MODE: "jwt", HELIX_AUTH_SECRET: secret, HELIX_AUTH_LEEWAY: "0s" });
  try {
    const url = direct(own.edges[0]!);
    const id = newFlow();
    const text = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const token = (may: string[], seconds: number) => {
      const body = `${text({ alg: "HS256", typ: "JWT" })}.${text({ sub: "ann", name: "Ann", exp: Math.floor(Date.now() / 1000) + seconds, helix: { rights: [{ flows: "*", may }] } })}`;
      return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
    };
    const cause = (session: FlowSession) => (session.getState().status as { cause?: string }).cause;
    const begun = (given: FlowSessionOptions["token"]) => {
      const session = createFlowSession({ url, flowId: id, user: { name: "?" }, transport: WebSocket, backoff: { firstMs: 50, mostMs: 200 }, store: false, ...(given !== undefined && { token: given }) });
      onTestFinished(() => session.stop());
      session.start();
      return session;
    };
    const none = begun(undefined), bad = begun("x.y.z"), old = begun(token(["read"], -10)), looks = begun(token(["read"], 600)), works = begun(token(["read", "write"], 600));
    let count = 0;
    const ends = begun(() => { count++; return token(["read", "write"], 2); });
    await until(none, "it needs a token", () => cause(none) === "token_missing");
    await until(bad, "it is not taken", () => cause(bad) === "token_invalid");
    await until(old, "it has expired", () => cause(old) === "token_expired");
    for (const session of [none, bad, old]) expect(session.getState().status).toMatchObject({ name: "refused", next: "sign_in" });
    await until(looks, "it may look only", () => looks.getState().status.name === "read_only");
    await until(works, "live", () => works.getState().status.name === "live");
    works.patch({ title: "T" });
    await until(looks, "it sees the title", () => looks.getState().document.title === "T");
    looks.patch({ title: "mine" });
    expect(looks.getState().document.title).toBe("T");
    for (let i = 0; count < 3; i++) { // it ends twice meanwhile
      ends.patch({ [`n${String(i)}`]: i });
      await new Promise((resolve) => { setTimeout(resolve, 100); });
    }
    await until(ends, "live again", () => ends.getState().status.name === "live");
    await until(works, "all came", () => JSON.stringify(Object.keys(works.getState().document).sort()) === JSON.stringify(Object.keys(ends.getState().document).sort()));
    none.setOptions({ url, flowId: id, token: token(["read"], 600) });
    await until(none, "let in with a token", () => none.getState().status.name === "read_only");
    await until(works, "the name is the token's", () => works.getState().others.every(({ name }) => name === "Ann"));
  } finally {
    await own.stop();
  }
});
