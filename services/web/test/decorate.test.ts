import { describe, expect, it } from "vitest";
import { decorate, decorateEdges } from "../src/canvas/decorate.ts";
import type { BuilderNode } from "../src/editor/types.ts";

const node = (id: string, rest: Partial<BuilderNode> = {}): BuilderNode => ({ id, position: { x: 0, y: 0 }, data: { label: id }, ...rest });

describe("what is drawn", () => {
  it("is the same object for the same node and edge, so that what did not change is not drawn anew", () => {
    const nodes = [node("a", { type: "agent" }), node("b")];
    const edges = [{ id: "e", source: "a", target: "b" }];
    expect(decorate(nodes)[0]).toBe(decorate([...nodes])[0]);
    expect(decorateEdges(edges, nodes)[0]).toBe(decorateEdges([...edges], [...nodes])[0]);
  });

  it("has types that are known, and names that are read out, whatever another client wrote", () => {
    const odd = { id: "x", type: "dragon", position: { x: 0, y: 0 }, data: null } as unknown as BuilderNode;
    const [agent, unknown] = decorate([node("a", { type: "agent", data: { label: "Think" } }), odd]);
    expect([agent?.type, agent?.ariaLabel]).toEqual(["agent", "Think, Agent"]);
    expect([unknown?.type, unknown?.ariaLabel, unknown?.data]).toEqual(["other", "Node, Node", {}]);
  });

  it("names an edge by its ends as they are called now, and leaves out what has none, or ends on a group", () => {
    const edges = [{ id: "e", source: "a", target: "b" }, { id: "lost", source: "a", target: "z" }, { id: "g", source: "a", target: "g" }, { id: "self", source: "a", target: "a" }];
    const before = decorateEdges(edges, [node("a"), node("b"), node("g", { type: "group" })]);
    expect(before.map(({ id, ariaLabel }) => [id, ariaLabel])).toEqual([["e", "Connection from a to b"]]);
    const after = decorateEdges(edges, [node("a", { data: { label: "Ask" } }), node("b")]);
    expect(after[0]?.ariaLabel).toBe("Connection from Ask to b");
  });
});
