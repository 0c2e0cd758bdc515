// Who is in the flow, and what they show of themselves.
import type { XYPosition } from "@xyflow/react";
import type { JsonObject } from "@helix/client";

/** User is what this person shows of themselves. With tokens, the server adds the token's `user_id` and `user_name`. */
export interface User {
  readonly name: string;
  /** Any CSS colour; by itself one that follows from the client id. */
  readonly color?: string;
  /** The address of a picture. */
  readonly avatar?: string;
  /** Anything else that others should see; all of it together may have 4 KiB as JSON. */
  readonly [name: string]: unknown;
}

/** Peer is one client in the flow: a person's browser tab. The same object until something about it changes. */
export interface Peer {
  readonly clientId: string;
  readonly name: string;
  readonly color: string;
  readonly avatar?: string;
  /** Of the token, where the server asks for one. */
  readonly userId?: string;
  /** The ids of the nodes and edges that they have selected; at most 100 are told. */
  readonly selectedNodes: readonly string[];
  readonly selectedEdges: readonly string[];
  /** What they are editing: a node's or edge's id, as they gave it to `setEditing`. */
  readonly editing?: string;
  /** Everything that they show. */
  readonly meta: JsonObject;
}

/** Cursor is where a peer points, in flow coordinates. */
export interface Cursor extends XYPosition {
  readonly clientId: string;
  /** When it came, in milliseconds since 1970. */
  readonly at: number;
}

/** View is what part of the flow a peer looks at: its middle in flow coordinates, the zoom, and the pane's size in pixels. */
export interface View {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
  readonly width: number;
  readonly height: number;
}
