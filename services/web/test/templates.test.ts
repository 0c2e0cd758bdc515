import { describe, expect, it } from "vitest";
import { connectionProblem } from "../src/model/connect.ts";
import { GROUP, grid, readDocument, sizeOf, placeOf } from "../src/model/document.ts";
import { isKind, kindInfo, kinds } from "../src/model/kinds.ts";
import { fields, templates } from "../src/model/templates/index.ts";

describe("templates", () => {
  it("are at least twelve, of at least ten fields, with ids and titles of their own", () => {
    expect(templates.length).toBeGreaterThanOrEqual(12);
    expect(fields.length).toBeGreaterThanOrEqual(10);
    expect(new Set(templates.map(({ id }) => id)).size).toBe(templates.length);
    expect(new Set(templates.map(({ title }) => title)).size).toBe(templates.length);
  });

  it("use all ten kinds of node, and one has thirty nodes", () => {
    const used = new Set(templates.flatMap(({ document }) => Object.values(document.nodes ?? {}).map(({ type }) => type)));
    for (const kind of kinds) expect(used).toContain(kind);
    expect(templates.some(({ document }) => Object.keys(document.nodes ?? {}).length === 30)).toBe(true);
  });

  it.each(templates.map((one) => [one.id, one] as const))("%s is a whole, valid flow", (_, { document, about }) => {
    expect(about.length).toBeGreaterThan(20);
    const nodes = document.nodes ?? {};
    const edges = Object.values(document.edges ?? {});
    // Reading it takes nothing away, so every end and every parent is there.
    expect(readDocument(document)).toEqual(document);
    for (const node of Object.values(nodes)) {
      expect(isKind(node.type) || node.type === GROUP).toBe(true);
      expect(node.data?.label).toBeTruthy();
      if (isKind(node.type)) {
        const known = new Set(kindInfo[node.type].fields.map(({ name }) => name));
        for (const [name, value] of Object.entries(node.data?.settings ?? {})) {
          expect(known, `${node.data?.label ?? ""}: ${name}`).toContain(name);
          const field = kindInfo[node.type].fields.find((one) => one.name === name);
          if (field?.type === "choice") expect(field.options).toContain(value);
          if (field?.type === "number") expect(value).toBeTypeOf("number");
        }
      }
    }
    edges.forEach((edge, i) => {
      expect(connectionProblem(edge, edges.slice(0, i), (id) => nodes[id] !== undefined && nodes[id].type !== GROUP), `${edge.source} to ${edge.target}`).toBeUndefined();
    });
    // Every node has to do with another one.
    for (const [id, node] of Object.entries(nodes)) {
      if (node.type !== GROUP) expect(edges.some(({ source, target }) => source === id || target === id), id).toBe(true);
    }
  });

  it.each(templates.map((one) => [one.id, one] as const))("%s is easy to read: nothing overlaps, and edges lead to the right", (_, { document }) => {
    const nodes = document.nodes ?? {};
    const boxes = Object.entries(nodes).filter(([, { type }]) => type !== GROUP).map(([id, node]) => ({ id, ...placeOf(id, nodes), ...sizeOf(node) }));
    boxes.forEach((a, i) => {
      for (const b of boxes.slice(i + 1)) {
        const apart = a.x + a.width + grid <= b.x || b.x + b.width + grid <= a.x || a.y + a.height + grid <= b.y || b.y + b.height + grid <= a.y;
        expect(apart, `${a.id} and ${b.id}`).toBe(true);
      }
    });
    const at = new Map(boxes.map((box) => [box.id, box]));
    const upright = Object.values(document.edges ?? {}).filter(({ source, target }) => Math.abs((at.get(source)?.x ?? 0) - (at.get(target)?.x ?? 0)) < 100);
    expect(upright.map(({ source, target }) => `${source} to ${target}`)).toEqual([]);
  });
});
