// The flow as Helix keeps it: nodes and edges are maps by id, so that patches meet field by field.
import type { Json, JsonObject } from "@helix/client";

/** FlowDocument is a flow's document. Members that this library does not know are kept as they are. */
export interface FlowDocument {
  readonly title?: string;
  readonly nodes?: Readonly<Record<string, NodeRecord>>;
  readonly edges?: Readonly<Record<string, EdgeRecord>>;
  readonly [name: string]: unknown;
}

/**
 * NodeRecord is what is kept of a node: React Flow's own fields without the id (it is the name in the map) and
 * without what is this browser's alone (`localNodeFields`). `order` is its place among the others, from below to above.
 */
export interface NodeRecord {
  readonly type?: string;
  readonly position?: { readonly x: number; readonly y: number };
  readonly data?: JsonObject;
  readonly parentId?: string;
  readonly width?: number;
  readonly height?: number;
  readonly order?: number;
  readonly [name: string]: Json | undefined;
}

/** EdgeRecord is what is kept of an edge. */
export interface EdgeRecord {
  readonly type?: string;
  readonly source?: string;
  readonly target?: string;
  readonly sourceHandle?: string;
  readonly targetHandle?: string;
  readonly label?: string;
  readonly data?: JsonObject;
  readonly order?: number;
  readonly [name: string]: Json | undefined;
}

/** What of a node never goes on the wire: it belongs to this browser, or React Flow makes it anew. */
export const localNodeFields: ReadonlySet<string> = new Set(["id", "selected", "dragging", "resizing", "measured", "internals", "positionAbsolute"]);

/** The same of an edge. */
export const localEdgeFields: ReadonlySet<string> = new Set(["id", "selected"]);

/** nodeRecord gives what is kept of a node. */
export function nodeRecord(node: object): NodeRecord { return { ...kept(node, localNodeFields) }; }

/** edgeRecord gives what is kept of an edge. */
export function edgeRecord(edge: object): EdgeRecord { return { ...kept(edge, localEdgeFields) }; }

/** kept gives an element's fields as JSON, without those that are local. A type is always kept: it tells an element from
 * what a late edit leaves of a deleted one. */
function kept(element: object, local: ReadonlySet<string>): JsonObject {
  const fields = Object.fromEntries(Object.entries(element).filter(([name, value]) => !local.has(name) && value !== null));
  const record = JSON.parse(JSON.stringify(fields)) as JsonObject;
  return { ...record, type: typeof record["type"] === "string" ? record["type"] : "default" };
}

/** rounded gives a position as it is kept: in hundredths, for what a drag under a zoom gives has fifteen digits. */
export function rounded({ x, y }: { readonly x: number; readonly y: number }): { x: number; y: number } {
  return { x: Math.round(x * 100) / 100, y: Math.round(y * 100) / 100 };
}

/** newId gives an id that nobody else makes; getRandomValues is there on pages without TLS too. */
export function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(9))].map((byte) => byte.toString(36).padStart(2, "0")).join("");
}

/** edgeId gives the id of a connection: the same for two people who draw it at once, so that there is one. */
export function edgeId({ source, target, sourceHandle, targetHandle }: {
  readonly source: string; readonly target: string; readonly sourceHandle?: string | null | undefined; readonly targetHandle?: string | null | undefined;
}): string {
  return `${source}${sourceHandle ? `:${sourceHandle}` : ""}>${target}${targetHandle ? `:${targetHandle}` : ""}`;
}
