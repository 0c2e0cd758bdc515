// What is copied is text, so that it goes through the system's clipboard: to other flows, other windows, and editors.
import { readDocument, type FlowEdge, type FlowNode } from "./document.ts";

export interface Clip {
  readonly nodes: Readonly<Record<string, FlowNode>>;
  readonly edges: Readonly<Record<string, FlowEdge>>;
}

const MARK = "helix/clip";

export function writeClip({ nodes, edges }: Clip): string {
  return JSON.stringify({ type: MARK, nodes, edges });
}

/** readClip reads what was copied; undefined where it is something else. A whole flow's file can be pasted too. */
export function readClip(value: string): Clip | undefined {
  if (!value.trimStart().startsWith("{")) return undefined;
  try {
    const raw = JSON.parse(value) as { type?: unknown; nodes?: unknown };
    if (raw.type !== MARK && typeof raw.nodes !== "object") return undefined;
    const { nodes, edges } = readDocument(raw);
    return Object.keys(nodes).length > 0 ? { nodes, edges } : undefined;
  } catch {
    return undefined;
  }
}
