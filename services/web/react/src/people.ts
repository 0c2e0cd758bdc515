// Who is in the flow, and what they show of themselves.
import type { XYPosition } from "@xyflow/react";
import type { Json, JsonObject, Person } from "@helix/client";

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

/** What a presence may hold, with some room. */
const MOST_META = 3_800; // bytes
const MOST_SELECTED = 100;

/** colorOf gives a colour that follows from an id: the same for everybody who sees this client. */
export function colorOf(id: string): string {
  let hash = 0;
  for (const char of id) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) >>> 0;
  return `hsl(${String(hash % 360)} 70% 42%)`;
}

/** presenceOf gives what the others are to see: the person, and what they are at. What does not fit is left out. */
export function presenceOf(user: User, selectedNodes: readonly string[], selectedEdges: readonly string[], editing: string | undefined): JsonObject {
  const meta = JSON.parse(JSON.stringify(user)) as Record<string, Json>;
  const size = () => new TextEncoder().encode(JSON.stringify(meta)).length;
  if (editing !== undefined) meta["editing"] = editing;
  for (let most = MOST_SELECTED; most > 0; most = Math.floor(most / 2)) {
    if (selectedNodes.length > 0) meta["nodes"] = selectedNodes.slice(0, most);
    if (selectedEdges.length > 0) meta["edges"] = selectedEdges.slice(0, most);
    if (size() <= MOST_META) return meta;
  }
  delete meta["nodes"];
  delete meta["edges"];
  return meta;
}

/** peerOf reads what a client shows, of whatever version it is. */
export function peerOf({ clientId, meta }: Person): Peer {
  const text = (name: string) => { const value = meta[name]; return typeof value === "string" && value !== "" ? value : undefined; };
  const texts = (name: string) => { const value = meta[name]; return Array.isArray(value) ? (value as readonly Json[]).filter((one) => typeof one === "string") : []; };
  const avatar = text("avatar"), userId = text("user_id"), editing = text("editing");
  return {
    clientId,
    name: text("user_name") ?? text("name") ?? "Somebody",
    color: text("color") ?? colorOf(clientId),
    ...(avatar !== undefined && { avatar }),
    ...(userId !== undefined && { userId }),
    selectedNodes: texts("nodes"),
    selectedEdges: texts("edges"),
    ...(editing !== undefined && { editing }),
    meta,
  };
}

/** peersOf gives the others and this client; who shows what they showed before is the same object. */
export function peersOf(people: readonly Person[], before: ReadonlyMap<string, Peer>): Map<string, Peer> {
  return new Map(people.map((person) => {
    const known = before.get(person.clientId);
    return [person.clientId, known && JSON.stringify(known.meta) === JSON.stringify(person.meta) ? known : peerOf(person)];
  }));
}
