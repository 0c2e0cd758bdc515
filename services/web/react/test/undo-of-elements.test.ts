// What undo and redo mean for whole nodes and edges, for steps, and for what happens at the same moment.
import { applyPatch, type JsonObject } from "@helix/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { integer, pick, seeded } from "../../client/test/random.ts";
import { edge, node, Stage, type Session } from "./stage.ts";

let stage: Stage;
let ann: Session, bob: Session;
beforeEach(async () => {
  vi.useFakeTimers();
  stage = new Stage();
  [ann, bob] = [await stage.person(), await stage.person()];
});
afterEach(async () => {
  await stage.stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const ids = (session: Session) => session.getState().nodes.map(({ id }) => id);
const edges = (session: Session) => session.getState().edges.map(({ id }) => id);
const data = (session: Session, id: string) => session.getState().nodes.find((one) => one.id === id)?.data;

async function given(...names: string[]): Promise<void> {
  bob.addNodes(names.map((id) => node(id, { data: { label: id } })), { undo: false });
  await stage.settle();
}

describe("a node that I made", () => {
  test("goes with my undo, and comes back with my redo", async () => {
    ann.addNodes([node("a", { data: { label: "A" } })]);
    await stage.settle();
    expect(ann.undo()).toBe(true);
    await stage.settle();
    expect(ids(bob)).toEqual([]);
    expect(ann.redo()).toBe(true);
    await stage.settle();
    expect(data(bob, "a")).toEqual({ label: "A" });
    expect(ann.getState()).toMatchObject({ canUndo: true, canRedo: false });
  });

  test.each<[string, () => void]>([
    ["edited", () => { bob.setNodeData("a", { label: "B" }); }],
    ["connected", () => { bob.addEdges([edge("a", "x")]); }],
    ["put a node into", () => { bob.setNode("x", { parentId: "a" }); }],
  ])("stays where somebody else has %s it meanwhile", async (_what, act) => {
    await given("x");
    ann.addNodes([node("a", { data: { label: "A" } })]);
    await stage.settle();
    act();
    await stage.settle();
    const before = stage.sim.document;
    const was = ann.getState().canUndo;
    expect(ann.undo()).toBe(false);
    await stage.settle();
    expect(stage.sim.document).toEqual(before);
    expect(stage.told(ann, "undoKept")).toHaveLength(was ? 1 : 0); // where there seemed to be something to undo
  });

  test("stays deleted where somebody else has deleted it", async () => {
    ann.addNodes([node("a")]);
    await stage.settle();
    bob.remove({ nodes: ["a"] });
    await stage.settle();
    ann.undo();
    ann.redo();
    await stage.settle();
    expect(ids(bob)).toEqual([]);
  });
});

describe("a node that I deleted", () => {
  beforeEach(async () => {
    await given("a", "b", "c");
    bob.transact(() => { bob.addEdges([edge("a", "b"), edge("b", "c")]); bob.setNode("c", { parentId: "b" }); }, { undo: false });
    await stage.settle();
  });

  test("goes with its edges and what is in it, as one change and one step, and comes back with them", async () => {
    const before = stage.sim.document;
    ann.remove({ nodes: ["b"] });
    await stage.settle();
    expect(stage.sim.history.at(-1)?.changes).toEqual({ nodes: { b: null, c: null }, edges: { "a-b": null, "b-c": null } });
    ann.undo();
    await stage.settle();
    expect(stage.sim.document).toEqual(before);
  });

  test("goes as one step as React Flow tells of it too: edges first, then nodes", async () => {
    const before = stage.sim.document;
    const [, b] = ann.getState().nodes;
    ann.onEdgesChange([{ type: "remove", id: "a-b" }, { type: "remove", id: "b-c" }]);
    ann.onNodesChange([{ type: "remove", id: "b" }]);
    if (b) ann.onDelete({ nodes: [b], edges: [] });
    await stage.settle();
    expect(stage.sim.history.at(-1)?.changes).toEqual({ edges: { "a-b": null, "b-c": null }, nodes: { b: null, c: null } });
    ann.undo();
    await stage.settle();
    expect(stage.sim.document).toEqual(before);
    expect(ann.getState().canUndo).toBe(false);
  });

  test("comes back with what somebody else did to it who did not know yet; that they were late is no trouble to anybody", async () => {
    bob.client?.hold(); // Bob's edit is on its way for long
    bob.setNodeData("b", { label: "late" });
    ann.remove({ nodes: ["b"] });
    for (let i = 0; i < 3; i++) await vi.advanceTimersByTimeAsync(0);
    stage.sim.change(bob.client?.clientId ?? "", { nodes: { b: { data: { label: "late" } } } }, 0); // behind her deletion
    await stage.settle();
    expect(ids(ann)).not.toContain("b");
    ann.undo();
    await stage.settle();
    expect(data(ann, "b")).toEqual({ label: "late" });
  });

  test("comes back without the edge whose other end is gone", async () => {
    ann.remove({ nodes: ["b"] });
    await stage.settle();
    bob.remove({ nodes: ["a"] });
    await stage.settle();
    ann.undo();
    await stage.settle();
    expect(ids(bob)).toEqual(["b", "c"]);
    expect(edges(bob)).toEqual(["b-c"]);
  });
});

test("a late edit of a deleted node leaves nothing behind, for its author cleans up", async () => {
  await given("a");
  bob.setNodeData("a", { label: "late" });
  stage.sim.change("somebody", { nodes: { a: null } }, 0); // before it
  await stage.settle();
  expect(ids(bob)).toEqual([]);
  expect(stage.sim.document).toEqual({ nodes: {} });
});

test("what somebody else changes in the moment of my undo stays theirs", async () => {
  await given("a");
  ann.setNodeData("a", { label: "mine" });
  await stage.settle();
  ann.undo(); // on its way, and behind this:
  stage.sim.change("bob", { nodes: { a: { data: { label: "theirs" } } } }, 0);
  await stage.settle();
  expect(stage.sim.document).toMatchObject({ nodes: { a: { data: { label: "theirs" } } } });
});

test("what I changed while somebody else's change was on its way goes back to theirs", async () => {
  await given("a");
  ann.setNodeData("a", { label: "mine" });
  stage.sim.change("bob", { nodes: { a: { data: { label: "theirs" } } } }, 0);
  await stage.settle();
  expect(data(ann, "a")).toEqual({ label: "mine" });
  ann.undo();
  await stage.settle();
  expect(data(bob, "a")).toEqual({ label: "theirs" });
});

test("what I changed offline goes back to what somebody else made of it meanwhile", async () => {
  await given("a");
  const link = stage.sim.links[0];
  link?.end(1006);
  ann.setNodeData("a", { label: "mine" });
  ann.setNode("a", { position: { x: 9, y: 9 } });
  bob.setNodeData("a", { label: "theirs", more: 1 });
  for (let i = 0; i < 10; i++) { await vi.advanceTimersByTimeAsync(1_000); await stage.settle(); }
  expect(ann.getState().status).toEqual({ name: "live" });
  expect(data(bob, "a")).toEqual({ label: "mine", more: 1 });
  while (ann.getState().canUndo) ann.undo();
  await stage.settle();
  await vi.advanceTimersByTimeAsync(1_000); // it goes there gently
  expect(bob.getState().nodes).toMatchObject([{ data: { label: "theirs", more: 1 }, position: { x: 0, y: 0 } }]);
});

test("a change that is refused is no step", async () => {
  await given("a");
  stage.sim.refuse = () => "document_too_large";
  ann.setNodeData("a", { label: "much" });
  expect(ann.getState().canUndo).toBe(true);
  await stage.settle();
  expect(data(ann, "a")).toEqual({ label: "a" });
  expect(ann.getState().canUndo).toBe(false);
  expect(stage.told(ann, "refused")).toEqual([{ type: "refused", cause: "flow_too_large", sentence: "no: document_too_large" }]);
});

describe("steps", () => {
  test("keystrokes in one field are one; after a pause, or in another field, another one", async () => {
    await given("a");
    for (const label of ["h", "he", "hey"]) ann.setNodeData("a", { label }, { merge: "label a" });
    await vi.advanceTimersByTimeAsync(1_500);
    ann.setNodeData("a", { label: "hey you" }, { merge: "label a" });
    ann.setNodeData("a", { note: "!" }, { merge: "note a" });
    const labels: unknown[] = [];
    while (ann.undo()) labels.push(data(ann, "a"));
    expect(labels).toEqual([{ label: "hey you" }, { label: "hey" }, { label: "a" }]);
  });

  test("a transaction is one, and one change on the wire", async () => {
    await given("a", "b");
    const { length } = stage.sim.history;
    ann.transact(() => {
      ann.setNodeData("a", { label: "1" });
      ann.setNodeData("b", { label: "2" });
      ann.remove({ nodes: ["b"] });
      ann.paste({ nodes: [node("a", { data: { label: "copy" } })], edges: [] });
    });
    await stage.settle();
    expect(stage.sim.history).toHaveLength(length + 1);
    ann.undo();
    await stage.settle();
    expect(stage.sim.document).toMatchObject({ nodes: { a: { data: { label: "a" } }, b: { data: { label: "b" } } } });
    expect(ids(bob)).toEqual(["a", "b"]);
  });

  test("are bounded: the oldest are forgotten", async () => {
    const cem = await stage.person({ undoDepth: 3 });
    for (let n = 1; n <= 5; n++) cem.patch({ title: String(n) });
    while (cem.undo()) /* all */;
    expect(cem.getState().document.title).toBe("2");
  });

  test("that are undone and not made again are gone with the next edit", () => {
    ann.patch({ title: "one" });
    ann.undo();
    ann.patch({ title: "two" });
    expect(ann.getState().canRedo).toBe(false);
    expect(ann.redo()).toBe(false);
  });
});

/** seen is a document without the edges that nobody sees, for a node of theirs is gone. */
function seen(document: JsonObject): JsonObject {
  const { nodes = {}, edges: drawn = {} } = document as { nodes?: JsonObject; edges?: Record<string, { source: string; target: string }> };
  return { ...document, edges: Object.fromEntries(Object.entries(drawn).filter(([, { source, target }]) => Object.hasOwn(nodes, source) && Object.hasOwn(nodes, target))) };
}

test("whatever people build and tear down at once: undo and then redo is the same flow, everybody has it, and no edge ends nowhere", { timeout: 120_000 }, async () => {
  const many = Number(process.env["SEEDS"] ?? 60);
  for (let seed = 1; seed <= many; seed++) {
    const random = seeded(seed);
    await stage.stop();
    stage = new Stage();
    const people = [await stage.person(), await stage.person(), await stage.person()];
    let count = 0;
    try {
      for (let i = 0; i < 40; i++) {
        const person = pick(random, people);
        const there = person.getState().nodes.map(({ id }) => id);
        const one = () => (there.length > 0 ? pick(random, there) : "none");
        switch (integer(random, 9)) {
          case 0: case 1: person.addNodes([node(`n${String(++count)}`, { data: { label: "new" } })]); break;
          case 2: person.remove({ nodes: [one()] }); break;
          case 3: person.onConnect({ source: one(), target: one(), sourceHandle: null, targetHandle: null }); break;
          case 4: person.setNodeData(one(), { label: String(i) }); break;
          case 5: person.setNode(one(), { parentId: one() }); break;
          case 6: person.undo(); break;
          case 7: person.redo(); break;
          default: if (random() < 0.5) await stage.settle(); else { pick(random, stage.sim.links).serve(); await vi.advanceTimersByTimeAsync(0); }
        }
      }
      await stage.settle();
      await stage.settle();
      for (const person of people) {
        const before = seen(stage.sim.document);
        const kept = () => stage.told(person, "undoKept").length;
        const { length } = stage.told(person, "undoKept");
        if (person.undo() && person.getState().canRedo) person.redo();
        await stage.settle();
        if (kept() === length) expect(seen(stage.sim.document)).toEqual(before); // else others have a part in it, and were told
        const { nodes, edges: drawn } = person.getState();
        const known = new Set(nodes.map(({ id }) => id));
        for (const { source, target } of drawn) expect(known.has(source) && known.has(target)).toBe(true);
        expect(person.getState().document).toEqual(stage.sim.document);
        nodes.forEach(({ parentId }, i) => { if (parentId !== undefined) expect(nodes.findIndex(({ id }) => id === parentId)).toBeLessThan(i); });
      }
      const folded = stage.sim.history.reduce<JsonObject>((document, { changes }) => applyPatch(document, changes), {});
      expect(folded).toEqual(stage.sim.document);
    } catch (error) {
      throw new Error(`seed ${String(seed)}`, { cause: error });
    }
  }
});
