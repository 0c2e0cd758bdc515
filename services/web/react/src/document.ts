// The flow as Helix keeps it: nodes and edges are maps by id, so that patches meet field by field.
import type { Json, JsonObject } from "@helix/client";

/** FlowDocument is a flow's document. Members that this library does not know are kept as they are. */
export interface FlowDocument {
  readonly title?: string;
  readonly nodes?: { readonly [id: string]: NodeRecord };
  readonly edges?: { readonly [id: string]: EdgeRecord };
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
