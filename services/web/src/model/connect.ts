// Which connections may be made.
export interface Ends { readonly source: string; readonly target: string }

export type ConnectionProblem = "self" | "double" | "missing";

/** connectionProblem says why two nodes may not be connected; undefined: they may. */
export function connectionProblem({ source, target }: Ends, edges: readonly Ends[], isConnectable: (id: string) => boolean): ConnectionProblem | undefined {
  if (!isConnectable(source) || !isConnectable(target)) return "missing";
  if (source === target) return "self";
  return edges.some((edge) => edge.source === source && edge.target === target) ? "double" : undefined;
}
