// Any document as React Flow's elements: for what is looked at only.
import { readDocument, sizeOf } from "../model/document.ts";
import type { BuilderEdge, BuilderNode } from "./types.ts";

export function elementsOf(raw: unknown): { readonly nodes: BuilderNode[]; readonly edges: BuilderEdge[] } {
  const document = readDocument(raw);
  const all = Object.entries(document.nodes).map(([id, node]) => {
    const { width, height } = sizeOf(node); // for the overview: nobody keeps what React Flow measures
    return { id, ...node, initialWidth: width, initialHeight: height, position: node.position ?? { x: 0, y: 0 }, data: node.data ?? {} };
  });
  return {
    // React Flow wants groups before what is in them.
    nodes: [...all.filter(({ parentId }) => parentId === undefined), ...all.filter(({ parentId }) => parentId !== undefined)],
    edges: Object.entries(document.edges).map(([id, edge]) => ({ id, ...edge })),
  };
}
