// Auto-layout by dagre, which comes when it is first asked for.
import type { Point } from "./document.ts";
import type { Placed } from "./arrange.ts";
import type { Ends } from "./connect.ts";

const gaps = { rank: 96, node: 40 } as const;

/**
 * layout gives a place to every box, from left to right along the edges; the whole stays where its upper left corner was. Edges
 * whose ends are not among the boxes do not count.
 */
export async function layout(boxes: readonly Placed[], edges: readonly Ends[]): Promise<Map<string, Point>> {
  if (boxes.length === 0) return new Map();
  const { default: dagre } = await import("@dagrejs/dagre");
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", ranksep: gaps.rank, nodesep: gaps.node });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(boxes.map(({ id }) => id));
  for (const { id, width, height } of boxes) graph.setNode(id, { width, height });
  for (const { source, target } of edges) if (known.has(source) && known.has(target) && source !== target) graph.setEdge(source, target);
  dagre.layout(graph);
  const corners = new Map(boxes.map(({ id, width, height }) => {
    const { x, y } = graph.node(id) as Point; // its middle
    return [id, { x: x - width / 2, y: y - height / 2 }];
  }));
  const dx = Math.min(...boxes.map(({ x }) => x)) - Math.min(...[...corners.values()].map(({ x }) => x));
  const dy = Math.min(...boxes.map(({ y }) => y)) - Math.min(...[...corners.values()].map(({ y }) => y));
  return new Map([...corners].map(([id, { x, y }]) => [id, { x: Math.round(x + dx), y: Math.round(y + dy) }]));
}
