// From the document's nodes and edges to those that React Flow draws: with types that it knows, and names that are read out.
import { connectionProblem } from "../model/connect.ts";
import { GROUP, isPlain, kindOf } from "../model/document.ts";
import { kindName, nameOf } from "../editor/names.ts";
import type { BuilderEdge, BuilderNode } from "../editor/types.ts";
import { text } from "../text.ts";

const drawnNodes = new WeakMap<BuilderNode, BuilderNode>();

/** decorate gives the same object for the same node, so that what did not change is not drawn anew. */
export function decorate(nodes: readonly BuilderNode[]): BuilderNode[] {
  return nodes.map((node) => {
    let drawn = drawnNodes.get(node);
    if (!drawn) {
      const known = kindOf(node) ?? (node.type === GROUP ? GROUP : "other");
      drawn = {
        ...node,
        type: known,
        data: isPlain(node.data) ? node.data : {},
        ariaLabel: text.editor.nodeLabel(nameOf({ ...node, data: isPlain(node.data) ? node.data : {} }), kindName(node)),
        ...(known === GROUP && { zIndex: -1 }),
      };
      drawnNodes.set(node, drawn);
    }
    return drawn;
  });
}

const drawnEdges = new WeakMap<BuilderEdge, BuilderEdge>();

/** decorateEdges leaves out what has no ends, or ends on a group. */
export function decorateEdges(edges: readonly BuilderEdge[], nodes: readonly BuilderNode[]): BuilderEdge[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const name = (id: string) => { const node = byId.get(id); return node ? nameOf(node) : ""; };
  const isConnectable = (id: string) => { const node = byId.get(id); return node !== undefined && node.type !== GROUP; };
  const out: BuilderEdge[] = [];
  for (const edge of edges) {
    if (connectionProblem(edge, [], isConnectable)) continue;
    const ariaLabel = text.editor.edgeFrom(name(edge.source), name(edge.target));
    let drawn = drawnEdges.get(edge);
    if (drawn?.ariaLabel !== ariaLabel) {
      const { sourceHandle: _source, targetHandle: _target, ...rest } = edge; // our nodes have one handle a side
      drawn = { ...rest, type: "labelled", ariaLabel };
      drawnEdges.set(edge, drawn);
    }
    out.push(drawn);
  }
  return out;
}
