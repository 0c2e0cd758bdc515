import { describe, expect, it } from "vitest";
import { align, distribute, freePlace, groupAround, snap } from "../src/model/arrange.ts";
import { readClip, writeClip } from "../src/model/clipboard.ts";
import { connectionProblem } from "../src/model/connect.ts";
import { GROUP, newId, placeOf, readDocument } from "../src/model/document.ts";
import { fileName, flowFile, parseFlow } from "../src/model/import.ts";
import { layout } from "../src/model/layout.ts";
import { pictureOf, svgOf } from "../src/model/picture.ts";
import { templates } from "../src/model/templates/index.ts";

describe("connections", () => {
  const edges = [{ source: "a", target: "b" }];
  const there = (id: string) => id !== "gone";
  it.each([
    ["a", "c", undefined],
    ["b", "a", undefined], // the other way is another connection
    ["a", "a", "self"],
    ["a", "b", "double"],
    ["a", "gone", "missing"],
    ["gone", "gone", "missing"],
  ])("from %s to %s: %s", (source, target, problem) => {
    expect(connectionProblem({ source, target }, edges, there)).toBe(problem);
  });
});

describe("documents", () => {
  it("are read from anything, and only what is a flow is taken", () => {
    for (const nothing of [null, 1, "x", [], {}, { nodes: 3, edges: "no" }]) expect(readDocument(nothing)).toEqual({ title: "", nodes: {}, edges: {} });
    expect(readDocument({
      title: 7,
      nodes: { a: { type: "agent", position: { x: 1, y: 2 }, data: { label: "A", extra: [1] }, onClick: "evil" }, b: { position: { x: "1", y: NaN }, parentId: "none" }, c: null },
      edges: { e: { source: "a", target: "b", label: "" }, lost: { source: "a", target: "z" }, odd: { source: 1 } },
    })).toEqual({
      title: "",
      nodes: { a: { type: "agent", position: { x: 1, y: 2 }, data: { label: "A", extra: [1] } }, b: { position: { x: 0, y: 0 }, data: {} } },
      edges: { e: { source: "a", target: "b" } },
    });
  });

  it("of plain clients have arrays, and labels beside the position", () => {
    expect(readDocument({ nodes: [{ id: "1", label: "One", position: { x: 5, y: 6 } }, "no"], edges: [] }).nodes).toEqual({ 1: { position: { x: 5, y: 6 }, data: { label: "One" } } });
  });

  it("keep parents that are groups, and no others", () => {
    const { nodes } = readDocument({ nodes: { g: { type: GROUP }, in: { parentId: "g" }, odd: { parentId: "in" }, self: { type: GROUP, parentId: "self" } } });
    expect([nodes["in"]?.parentId, nodes["odd"]?.parentId, nodes["self"]?.parentId]).toEqual(["g", undefined, undefined]);
  });

  it("place what is in groups where the groups are, and come to an end in circles", () => {
    const nodes = { g: { position: { x: 10, y: 20 }, parentId: "h" }, h: { position: { x: 100, y: 200 } }, n: { position: { x: 1, y: 2 }, parentId: "g" }, o: { position: { x: 1, y: 1 }, parentId: "p" }, p: { position: { x: 1, y: 1 }, parentId: "o" } };
    expect(placeOf("n", nodes)).toEqual({ x: 111, y: 222 });
    expect(placeOf("o", nodes)).toEqual({ x: 2, y: 2 });
  });

  it("give ids that differ", () => {
    expect(new Set(Array.from({ length: 1000 }, () => newId("n"))).size).toBe(1000);
  });
});

describe("files", () => {
  it("come back as they went", () => {
    for (const { document } of templates) expect(parseFlow(flowFile(document), "")).toEqual(document);
  });
  it.each([["", "not JSON"], ["{", "not JSON"], ["[]", "no flow"], ['"x"', "no flow"], ['{"edges":{}}', "no flow"], ["null", "no flow"]])("%s is refused", (json, why) => {
    expect(() => parseFlow(json, "x")).toThrow(why);
  });
  it("without a title are called as the file", () => { expect(parseFlow('{"nodes":{}}', "mine").title).toBe("mine"); });
  it.each([["Größe & Co. / 1", "größe-co-1.json"], ["", "flow.json"], ["…", "flow.json"], ["../../etc/passwd", "etc-passwd.json"]])("of %s are named %s", (title, name) => {
    expect(fileName(title, "json")).toBe(name);
  });
});

describe("the clipboard", () => {
  it("takes nodes and edges from one flow to another", () => {
    const clip = { nodes: { a: { type: "api", position: { x: 1, y: 1 }, data: { label: "A" } }, b: { position: { x: 2, y: 2 }, data: {} } }, edges: { e: { source: "a", target: "b", label: "Yes" } } };
    expect(readClip(writeClip(clip))).toEqual(clip);
  });
  it("takes a whole flow's file", () => { expect(Object.keys(readClip(flowFile(templates[0]!.document))?.nodes ?? {})).toHaveLength(10); });
  it.each(["", "hello", "{", "{}", "[1]", '{"nodes":{}}', '{"type":"helix/clip"}'])("leaves %s alone", (text) => { expect(readClip(text)).toBeUndefined(); });
});

describe("arranging", () => {
  const boxes = [{ id: "a", x: 0, y: 0, width: 10, height: 10 }, { id: "b", x: 50, y: 5, width: 20, height: 10 }, { id: "c", x: 100, y: 30, width: 10, height: 20 }];
  it.each([
    ["left", [0, 0, 0], "x"], ["right", [100, 90, 100], "x"], ["center", [50, 45, 50], "x"],
    ["top", [0, 0, 0], "y"], ["bottom", [40, 40, 30], "y"], ["middle", [20, 20, 15], "y"],
  ] as const)("aligns %s", (to, want, axis) => {
    const places = align(boxes, to);
    expect(boxes.map(({ id }) => places.get(id)?.[axis])).toEqual(want);
    for (const { id, ...box } of boxes) expect(places.get(id)?.[axis === "x" ? "y" : "x"]).toBe(box[axis === "x" ? "y" : "x"]);
  });
  it("distributes so that all gaps are the same, and the outer ones stay", () => {
    const places = distribute([boxes[2]!, boxes[0]!, boxes[1]!], "horizontal");
    expect([places.get("a")?.x, places.get("b")?.x, places.get("c")?.x]).toEqual([0, 45, 100]);
    expect(distribute(boxes.slice(0, 2), "vertical").get("b")).toEqual({ x: 50, y: 5 });
  });
  it("puts a group around boxes, and points on the grid", () => {
    const around = groupAround(boxes);
    for (const { x, y, width, height } of boxes) expect(around.x < x && around.y < y && around.x + around.width > x + width && around.y + around.height > y + height).toBe(true);
    expect(snap({ x: 23, y: -9 }, 16)).toEqual({ x: 16, y: -16 });
  });
  it("finds a free place for what is added again and again", () => {
    const placed: { x: number; y: number; width: number; height: number }[] = [];
    for (let i = 0; i < 20; i++) placed.push({ ...freePlace({ x: 0, y: 0, width: 10, height: 10 }, placed, 16), width: 10, height: 10 });
    expect(new Set(placed.map(({ x, y }) => `${String(x)} ${String(y)}`)).size).toBe(20);
  });
});

describe("the layout", () => {
  it("goes from left to right without overlaps, and begins where the flow began", async () => {
    const { nodes, edges } = pictureOf(templates[0]!.document);
    const boxes = nodes.map(({ id, x, y, width, height }) => ({ id, x: x + 500, y: y - 300, width, height }));
    const ends = Object.values(templates[0]!.document.edges ?? {});
    const places = await layout(boxes, [...ends, { source: "x", target: "y" }, { source: "ticket", target: "ticket" }]);
    expect(edges).toHaveLength(ends.length);
    for (const { source, target } of ends) expect(places.get(source)!.x).toBeLessThan(places.get(target)!.x);
    expect(Math.min(...[...places.values()].map(({ x }) => x))).toBe(500);
    const laid = boxes.map((box) => ({ ...box, ...places.get(box.id)! }));
    laid.forEach((a, i) => { for (const b of laid.slice(i + 1)) expect(Math.abs(a.x - b.x) >= a.width || Math.abs(a.y - b.y) >= a.height).toBe(true); });
  });
  it("of nothing is nothing", async () => { expect((await layout([], [])).size).toBe(0); });
});

describe("pictures", () => {
  it("have every node and edge, groups below", () => {
    const incident = templates.find(({ id }) => id === "incident-response")!;
    const { nodes, edges } = pictureOf(incident.document);
    expect([nodes.length, edges.length]).toEqual([30, 31]);
    expect(nodes.slice(0, 4).every(({ kind }) => kind === GROUP)).toBe(true);
  });
  it("are SVG files in which text stays text", () => {
    const svg = svgOf({ title: 'A & <b>"', nodes: { n: { type: "agent", data: { label: "<script>alert(1)</script>\u0000" }, position: { x: 0, y: 0 } } } });
    expect(svg).toContain("<title>A &#38; &#60;b&#62;&#34;</title>");
    expect(svg).not.toContain("<script");
    expect(svg).not.toContain("\u0000");
    expect(svg).not.toMatch(/href|url\(http/);
  });
  it("of nothing are small and whole", () => { expect(svgOf({}, "dark")).toMatch(/^<svg [\s\S]*<\/svg>$/); });
});
