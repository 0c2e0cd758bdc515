import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { edge, node, Stage } from "./stage.ts";

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

describe("two people", () => {
  test("see each other's nodes and edges, as React Flow takes them", async () => {
    const ann = await stage.person(), bob = await stage.person();
    ann.transact(() => {
      ann.addNodes([node("a", { data: { label: "A" }, position: { x: 1, y: 2 } }), node("b", { type: "skill", selected: true, measured: { width: 1, height: 1 } })]);
      ann.addEdges([edge("a", "b", { label: "then" })]);
    });
    await stage.settle();
    expect(stage.sim.history).toHaveLength(1);
    expect(stage.sim.document).toEqual({
      nodes: { a: { type: "default", position: { x: 1, y: 2 }, data: { label: "A" }, order: 1 }, b: { type: "skill", position: { x: 0, y: 0 }, data: {}, order: 2 } },
      edges: { "a-b": { type: "default", source: "a", target: "b", label: "then", order: 1 } },
    });
    expect(bob.getState().nodes).toEqual([node("a", { type: "default", data: { label: "A" }, position: { x: 1, y: 2 } }), node("b", { type: "skill" })]);
    expect(bob.getState().edges).toEqual([{ id: "a-b", type: "default", source: "a", target: "b", label: "then" }]);
    expect(ann.getState().nodes[1]?.selected).toBe(true);
  });

  test("drag and rename the same node at once: both hold", async () => {
    const ann = await stage.person(), bob = await stage.person();
    ann.addNodes([node("a", { data: { label: "A" } })]);
    await stage.settle();
    ann.onNodesChange([{ id: "a", type: "position", position: { x: 50, y: 50 }, dragging: true }]);
    ann.onNodesChange([{ id: "a", type: "position", position: { x: 100, y: 70 }, dragging: false }]);
    bob.setNodeData("a", { label: "B" });
    await stage.settle();
    await vi.advanceTimersByTimeAsync(2_000);
    for (const { getState } of [ann, bob]) expect(getState().nodes).toEqual([node("a", { type: "default", data: { label: "B" }, position: { x: 100, y: 70 } })]);
    expect(stage.sim.history).toHaveLength(3);
  });
});
