// What people see of each other: presence, cursors, drags, views; and what they are told.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Json } from "@helix/client";
import { Others } from "../src/others.ts";
import { LiveOut } from "../src/live.ts";
import { colorOf, peerOf, presenceOf } from "../src/people.ts";
import { node, Stage, type Session } from "./stage.ts";

let stage: Stage;
beforeEach(() => {
  vi.useFakeTimers();
  stage = new Stage();
});
afterEach(async () => {
  await stage.stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** tell has the server say something to one person. */
function tell(session: Session, event: string, payload: Record<string, unknown>): void {
  const link = stage.sim.links[stage.sessions.indexOf(session)];
  link?.give([null, null, "flow:f", event, payload]);
}

const signal = (session: Session, clientId: string, data: Json) => { tell(session, "signal", { type: "helix:live", data, client_id: clientId }); };
const where = (session: Session, id = "a") => session.getState().nodes.find((one) => one.id === id)?.position;

describe("a drag", () => {
  test("is told at most 30 times a second, and is one change at its end", async () => {
    const ann = await stage.person();
    ann.addNodes([node("a"), node("b")], { undo: false });
    await stage.settle();
    const { length } = stage.sim.history;
    const said: { at: number; data: Json }[] = [];
    stage.sim.answer = (event, payload) => {
      if (event === "signal") said.push({ at: performance.now(), data: payload["data"] as Json });
      return { status: "ok", response: {} };
    };
    for (let i = 1; i <= 250; i++) { // a mouse says 250 times in two seconds
      ann.onNodesChange([
        { id: "a", type: "position", position: { x: i, y: i }, dragging: true },
        { id: "b", type: "position", position: { x: i, y: 2 * i }, dragging: true },
      ]);
      await vi.advanceTimersByTimeAsync(8);
      await stage.sim.settle();
    }
    expect(said.length).toBeGreaterThan(40);
    expect(said.length).toBeLessThanOrEqual(60);
    for (const { at: from } of said) expect(said.filter(({ at }) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(30);
    expect(stage.sim.history).toHaveLength(length);
    expect(ann.getState().nodes).toMatchObject([{ dragging: true, position: { x: 250, y: 250 } }, { position: { x: 250, y: 500 } }]);
    ann.onNodesChange([
      { id: "a", type: "position", position: { x: 250.123456, y: 250 }, dragging: false },
      { id: "b", type: "position", position: { x: 250, y: 500 }, dragging: false },
    ]);
    await stage.settle();
    expect(stage.sim.history.slice(length).map(({ changes }) => changes)).toEqual([{ nodes: { a: { position: { x: 250.12, y: 250 } }, b: { position: { x: 250, y: 500 } } } }]);
    expect(said.at(-1)?.data).toEqual({});
    ann.undo();
    expect(where(ann)).toEqual({ x: 0, y: 0 });
  });

  test("of somebody else moves the node gently, which then stays where it was dropped", async () => {
    const ann = await stage.person();
    ann.addNodes([node("a")]);
    await stage.settle();
    signal(ann, "bob", { d: { n: 1, p: { a: [100, 0] } } });
    await stage.settle();
    const seen: number[] = [];
    for (let i = 0; i < 20; i++) { await vi.advanceTimersByTimeAsync(50); seen.push(where(ann)?.x ?? -1); }
    expect(seen[0]).toBeGreaterThan(0);
    expect(seen[0]).toBeLessThan(100);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
    expect(seen.at(-1)).toBe(100);
    expect(ann.getState().document.nodes?.["a"]?.position).toEqual({ x: 0, y: 0 });
    stage.sim.change("bob", { nodes: { a: { position: { x: 110, y: 0 } } } }, 0);
    await stage.settle();
    signal(ann, "bob", { d: { n: 1, p: { a: [105, 0] } } }); // overtaken on the way
    signal(ann, "bob", {});
    await vi.advanceTimersByTimeAsync(10_000);
    await stage.settle();
    expect(where(ann)).toEqual({ x: 110, y: 0 });
  });

  test("of somebody who is heard no more goes back", async () => {
    const ann = await stage.person();
    ann.addNodes([node("a")]);
    await stage.settle();
    signal(ann, "bob", { d: { n: 1, p: { a: [100, 0] } } });
    await stage.settle();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(where(ann)?.x).toBe(100);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(where(ann)).toEqual({ x: 0, y: 0 });
  });

  test("of mine is moved by nobody else, and the last to drop it says where it is", async () => {
    const ann = await stage.person();
    ann.addNodes([node("a")]);
    await stage.settle();
    ann.onNodesChange([{ id: "a", type: "position", position: { x: 7, y: 7 }, dragging: true }]);
    signal(ann, "bob", { d: { n: 1, p: { a: [100, 0] } } });
    stage.sim.change("bob", { nodes: { a: { position: { x: 100, y: 0 } } } }, 0);
    await stage.settle();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(where(ann)).toEqual({ x: 7, y: 7 });
    ann.onNodesChange([{ id: "a", type: "position", position: { x: 8, y: 8 }, dragging: false }]);
    await stage.settle();
    expect(where(ann)).toEqual({ x: 8, y: 8 });
    expect(stage.sim.document).toMatchObject({ nodes: { a: { position: { x: 8, y: 8 } } } });
  });

  test.each(["garbage", null, [], { d: 1 }, { d: { n: "x", p: { a: ["NaN", 1] } }, c: [1], v: [1, 2, 3, 4, null] }].map((data) => ({ data })))("that is not of its form moves nothing: $data", async ({ data }) => {
    const ann = await stage.person();
    ann.addNodes([node("a")]);
    signal(ann, "bob", data);
    await stage.settle();
    expect(where(ann)).toEqual({ x: 0, y: 0 });
    expect(ann.getCursors().size).toBe(0);
  });
});

test("nothing that is this browser's alone goes on the wire", async () => {
  const ann = await stage.person();
  ann.addNodes([node("a", { selected: true, dragging: true, measured: { width: 5, height: 5 } })]);
  await stage.settle();
  const { length } = stage.sim.history;
  ann.onNodesChange([
    { id: "a", type: "select", selected: true },
    { id: "a", type: "dimensions", dimensions: { width: 150, height: 40 } },
  ]);
  await stage.settle();
  expect(stage.sim.history).toHaveLength(length);
  expect(stage.sim.document).toEqual({ nodes: { a: { type: "default", position: { x: 0, y: 0 }, data: {}, order: 1 } } });
  expect(ann.getState().nodes).toEqual([node("a", { type: "default", selected: true, measured: { width: 150, height: 40 } })]);
});

test("a node that is resized by hand is one change at its end: its size, and its place where that moved too", async () => {
  const ann = await stage.person();
  ann.addNodes([node("a")], { undo: false });
  await stage.settle();
  const { length } = stage.sim.history;
  for (const width of [110, 120]) {
    ann.onNodesChange([
      { id: "a", type: "position", position: { x: -width, y: 0 } },
      { id: "a", type: "dimensions", dimensions: { width, height: 50 }, resizing: true, setAttributes: true },
    ]);
  }
  await stage.settle();
  expect(stage.sim.history).toHaveLength(length);
  expect(ann.getState().nodes).toMatchObject([{ width: 120, height: 50, position: { x: -120, y: 0 }, resizing: true }]);
  ann.onNodesChange([{ id: "a", type: "dimensions", resizing: false }]);
  await stage.settle();
  expect(stage.sim.history.slice(length).map(({ changes }) => changes)).toEqual([{ nodes: { a: { width: 120, height: 50, position: { x: -120 } } } }]);
  ann.undo();
  expect(ann.getState().nodes[0]).not.toHaveProperty("width");
});

test("keys move the selection step by step, and it is one undo", async () => {
  const ann = await stage.person();
  ann.addNodes([node("a")], { undo: false });
  for (let i = 1; i <= 5; i++) ann.onNodesChange([{ id: "a", type: "position", position: { x: 5 * i, y: 0 }, dragging: false }]);
  expect(where(ann)).toEqual({ x: 25, y: 0 });
  ann.undo();
  expect(where(ann)).toEqual({ x: 0, y: 0 });
  expect(ann.getState().canUndo).toBe(false);
});

test("of a thousand nodes those that nobody touched stay the same objects", async () => {
  const ann = await stage.person();
  ann.addNodes(Array.from({ length: 1_000 }, (_, i) => node(`n${String(i)}`)));
  await stage.settle();
  const before = ann.getState();
  ann.onNodesChange([{ id: "n7", type: "position", position: { x: 1, y: 1 }, dragging: true }]);
  stage.sim.change("bob", { nodes: { n8: { data: { label: "8" } } }, title: "t" }, 0);
  await stage.settle();
  const after = ann.getState();
  expect(after.nodes.filter((one, i) => one !== before.nodes[i]).map(({ id }) => id)).toEqual(["n7", "n8"]);
  expect(after.edges).toBe(before.edges);
  expect(after.others).toBe(before.others);
  ann.onNodesChange([{ id: "n7", type: "select", selected: false }]);
  expect(ann.getState()).toBe(after);
});

describe("presence", () => {
  const bob = { metas: [{ phx_ref: "1", name: "Bob", color: "#123456", nodes: ["a"], editing: "b" }] };

  test("shows the others, what they have selected and edit, and me not among them", async () => {
    const ann = await stage.person({ user: { name: "Ann" } });
    expect(stage.sim.joins[0]).toMatchObject({ presence: { name: "Ann" } });
    tell(ann, "presence_state", { bob, [ann.client?.clientId ?? ""]: { metas: [{ phx_ref: "2", name: "Ann" }] } });
    await stage.settle();
    const { others, me } = ann.getState();
    expect(others).toMatchObject([{ clientId: "bob", name: "Bob", color: "#123456", selectedNodes: ["a"], selectedEdges: [], editing: "b" }]);
    expect(me).toMatchObject({ name: "Ann" });
    signal(ann, "bob", { c: [3, 4], v: [1, 2, 0.5, 800, 600] });
    const views: unknown[] = [];
    ann.onView("bob", (view) => { views.push(view); });
    await stage.settle();
    expect(ann.getCursors().get("bob")).toMatchObject({ x: 3, y: 4 });
    expect(views).toEqual([{ x: 1, y: 2, zoom: 0.5, width: 800, height: 600 }]);
    tell(ann, "presence_diff", { joins: {}, leaves: { bob } });
    await stage.settle();
    expect(ann.getState().others).toEqual([]);
    expect(ann.getCursors().size).toBe(0);
  });

  test("tells what I select and edit, soon, and once for many", async () => {
    const ann = await stage.person({ user: { name: "Ann" } });
    const told: unknown[] = [];
    stage.sim.answer = (event, payload) => {
      if (event === "presence_update") told.push(payload);
      return { status: "ok", response: {} };
    };
    ann.addNodes([node("a"), node("b")]);
    ann.onNodesChange([{ id: "a", type: "select", selected: true }]);
    ann.onNodesChange([{ id: "b", type: "select", selected: true }]);
    ann.setEditing("b");
    await stage.settle();
    expect(told).toEqual([{ name: "Ann", nodes: ["a", "b"], editing: "b" }]);
    ann.setUser({ color: "red" });
    ann.remove({ nodes: ["a"] });
    await stage.settle();
    expect(told.at(-1)).toEqual({ name: "Ann", color: "red", nodes: ["b"], editing: "b" });
  });

  test("fits into what a presence may hold, however much is selected", () => {
    const long = Array.from({ length: 1_000 }, (_, i) => `${"x".repeat(100)}${String(i)}`);
    const meta = presenceOf({ name: "Ann" }, long, long, "e");
    expect(JSON.stringify(meta).length).toBeLessThan(4_096);
    expect(peerOf({ clientId: "a", me: false, meta }).selectedNodes.length).toBeGreaterThan(5);
  });

  test("takes the name that the token says, and a colour that follows from the client's id", () => {
    expect(peerOf({ clientId: "a", me: false, meta: { name: "Eve", user_name: "Ann", user_id: "7" } })).toMatchObject({ name: "Ann", userId: "7", color: colorOf("a") });
    expect(peerOf({ clientId: "a", me: false, meta: { name: 7, nodes: [1, "a", null], color: {} } })).toMatchObject({ name: "Somebody", selectedNodes: ["a"] });
  });
});

describe("a deletion under my hands", () => {
  test.each<[string, (ann: Session) => void]>([
    ["dragging", (ann) => { ann.onNodesChange([{ id: "a", type: "position", position: { x: 1, y: 1 }, dragging: true }]); }],
    ["editing", (ann) => { ann.setEditing("a"); }],
    ["selected", (ann) => { ann.select({ nodes: ["a"] }); }],
  ])("is told, by whom, and harms nothing: %s", async (engaged, act) => {
    const ann = await stage.person({ user: { name: "Ann" } });
    ann.addNodes([node("a", { data: { label: "A" } }), node("b")]);
    await stage.settle();
    act(ann);
    tell(ann, "presence_state", { bob: { metas: [{ phx_ref: "1", name: "Bob" }] } });
    await stage.settle();
    stage.sim.change("bob", { nodes: { a: null } }, 0);
    await stage.settle();
    expect(stage.told(ann, "removedByOther")).toMatchObject([{ nodes: ["a"], edges: [], data: { label: "A" }, by: { clientId: "bob", peer: { name: "Bob" } }, engaged }]);
    ann.onNodesChange([{ id: "a", type: "position", position: { x: 2, y: 2 }, dragging: false }]);
    ann.setNodeData("a", { label: "late" });
    ann.setNode("a", { hidden: true });
    await stage.settle();
    expect(Object.keys(stage.sim.document["nodes"] as object)).toEqual(["b"]);
  });

  test("of what I am not at is none of my business", async () => {
    const ann = await stage.person();
    ann.addNodes([node("a"), node("b")]);
    ann.select({ nodes: ["b"] });
    await stage.settle();
    stage.sim.change("bob", { nodes: { a: null } }, 0);
    await stage.settle();
    expect(stage.told(ann, "removedByOther")).toEqual([]);
  });
});

test("who did what is told: for a history of what happened", async () => {
  const ann = await stage.person();
  ann.patch({ title: "mine" });
  await stage.settle();
  stage.sim.change("bob", { title: "theirs" }, 0);
  await stage.settle();
  expect(stage.told(ann, "changed")).toMatchObject([
    { origin: "local", patch: { title: "mine" } },
    { origin: "remote", patch: { title: "theirs" }, by: { clientId: "bob" } },
  ]);
});

test("what is heard of many who come and go is bounded", () => {
  const others = new Others({ peersChanged: () => undefined, cursorsChanged: () => undefined, viewChanged: () => undefined, dragged: () => undefined });
  for (let i = 0; i < 1_000; i++) {
    others.people([{ clientId: `c${String(i)}`, me: false, meta: { name: String(i) } }]);
    others.heard(`c${String(i)}`, { c: [1, 1] });
  }
  expect(others.peer("c998")?.name).toBe("998");
  expect(others.peer("c1")).toBeUndefined();
  expect(others.cursors.size).toBe(1);
});

test("a live signal stays below its bound, however many nodes are dragged", () => {
  const said: Json[] = [];
  const live = new LiveOut((data) => { said.push(data); });
  live.drag(new Map(Array.from({ length: 2_000 }, (_, i) => [`some-quite-long-id-${String(i)}`, { x: -12345.678, y: 98765.4321 }])));
  live.end();
  expect(JSON.stringify(said[0]).length).toBeLessThan(16 << 10);
});
