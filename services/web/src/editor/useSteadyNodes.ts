import { useState } from "react";
import type { BuilderNode } from "./types.ts";

/** useSteadyNodes gives the same nodes while nothing but places and selections change: for what lists them by name. */
export function useSteadyNodes(nodes: readonly BuilderNode[]): readonly BuilderNode[] {
  const [steady, setSteady] = useState(nodes);
  if (steady === nodes || alike(steady, nodes)) return steady;
  setSteady(nodes);
  return nodes;
}

function alike(a: readonly BuilderNode[], b: readonly BuilderNode[]): boolean {
  return a.length === b.length && a.every((node, i) => {
    const other = b[i];
    return node.id === other?.id && node.type === other.type && node.data === other.data;
  });
}
