// The others: who they are, where they point, what they drag, what they look at.
import type { XYPosition } from "@xyflow/react";
import type { Json, Person } from "@helix/client";
import { decode } from "./live.ts";
import { peerOf, peersOf, type Cursor, type Peer, type View } from "./people.ts";

/** A drag that nothing is heard of for so long is over. */
const DRAG_MS = 4_000;
/** After a drop the change comes, which says where the node is; if it does not come, the node goes back. */
const DROP_MS = 1_500;
/** So many of those who have left are remembered, to name the author of a change that comes later. */
const MOST_LEFT = 200;

interface Drag { readonly clientId: string; readonly number: number; to: XYPosition; until: number }

/** OthersHost is what happens with what is heard. */
export interface OthersHost {
  /** The list of peers is another one. */
  peersChanged(): void;
  cursorsChanged(): void;
  viewChanged(clientId: string): void;
  /** A node is dragged to here by somebody; undefined: no longer. */
  dragged(id: string, to: XYPosition | undefined): void;
}

export class Others {
  readonly #host: OthersHost;
  readonly #now: () => number;
  #peers = new Map<string, Peer>();
  readonly #left = new Map<string, Peer>();
  #list: readonly Peer[] = [];
  #me: Peer | undefined;
  #cursors: ReadonlyMap<string, Cursor> = new Map();
  readonly #views = new Map<string, View>();
  readonly #drags = new Map<string, Drag>(); // by node
  readonly #done = new Map<string, number>(); // by client: the drag whose change has come
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(host: OthersHost, now: () => number = Date.now) {
    this.#host = host;
    this.#now = now;
  }

  /** Everybody but this client. The same list until somebody comes, goes or shows something else. */
  get list(): readonly Peer[] { return this.#list; }
  get me(): Peer | undefined { return this.#me; }
  get cursors(): ReadonlyMap<string, Cursor> { return this.#cursors; }

  view(clientId: string): View | undefined { return this.#views.get(clientId); }

  /** peer gives who a client is, or was. */
  peer(clientId: string): Peer | undefined { return this.#peers.get(clientId) ?? this.#left.get(clientId); }

  /** dragging gives where somebody holds a node. */
  dragging(id: string): XYPosition | undefined { return this.#drags.get(id)?.to; }

  /** people takes who is there now. True: somebody is new. */
  people(people: readonly Person[]): boolean {
    const before = this.#peers;
    this.#peers = peersOf(people, before);
    const peers = people.map((person) => ({ mine: person.me, peer: this.#peers.get(person.clientId) ?? peerOf(person) }));
    const others = peers.filter(({ mine }) => !mine).map(({ peer }) => peer);
    const me = peers.find(({ mine }) => mine)?.peer;
    for (const [clientId, peer] of before) if (!this.#peers.has(clientId)) this.#gone(peer);
    if (me !== this.#me || others.length !== this.#list.length || others.some((peer, i) => peer !== this.#list[i])) {
      this.#me = me;
      this.#list = others;
      this.#host.peersChanged();
    }
    return others.some(({ clientId }) => !before.has(clientId));
  }

  /** heard takes a live signal. */
  heard(clientId: string, data: Json): void {
    const { cursor, drag, view } = decode(data);
    const shown = this.#cursors.get(clientId);
    if (cursor ? cursor.x !== shown?.x || cursor.y !== shown.y : shown) {
      const cursors = new Map(this.#cursors);
      if (cursor) cursors.set(clientId, { ...cursor, clientId, at: this.#now() });
      else cursors.delete(clientId);
      this.#cursors = cursors;
      this.#host.cursorsChanged();
    }
    if (view) {
      this.#views.set(clientId, view);
      this.#host.viewChanged(clientId);
    }
    this.#drag(clientId, drag);
  }

  /** moved: a change has come that says where a node is, and who says it. */
  moved(id: string, clientId: string | undefined): void {
    const drag = this.#drags.get(id);
    if (!drag || (clientId !== undefined && clientId !== drag.clientId)) return;
    this.#done.set(drag.clientId, drag.number);
    this.#drags.delete(id);
  }

  /** clear forgets everybody: the flow is left, or not joined now. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const id of [...this.#drags.keys()]) this.#drop(id);
    this.#done.clear();
    this.#views.clear();
    this.#cursors = new Map();
    this.#host.cursorsChanged();
    this.people([]);
  }

  #drag(clientId: string, drag: { readonly number: number; readonly positions: ReadonlyMap<string, XYPosition> } | undefined): void {
    if (drag && this.#done.get(clientId) === drag.number) return; // a signal that was overtaken by its change
    for (const [id, to] of drag?.positions ?? []) {
      const held = this.#drags.get(id);
      if (held && held.clientId !== clientId) continue; // whoever took it first
      this.#drags.set(id, { clientId, number: drag?.number ?? 0, to, until: this.#now() + DRAG_MS });
      this.#host.dragged(id, to);
    }
    for (const [id, held] of this.#drags) {
      if (held.clientId === clientId && !drag?.positions.has(id)) held.until = Math.min(held.until, this.#now() + DROP_MS);
    }
    this.#watch();
  }

  #watch(): void {
    if (this.#timer !== undefined || this.#drags.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const now = this.#now();
      for (const [id, { until }] of this.#drags) if (until <= now) this.#drop(id);
      this.#watch();
    }, DROP_MS / 3);
  }

  #drop(id: string): void {
    this.#drags.delete(id);
    this.#host.dragged(id, undefined);
  }

  #gone(peer: Peer): void {
    const { clientId } = peer;
    this.#left.delete(clientId);
    this.#left.set(clientId, peer);
    for (const oldest of this.#left.keys()) {
      if (this.#left.size <= MOST_LEFT) break;
      this.#left.delete(oldest);
    }
    this.#done.delete(clientId);
    this.#views.delete(clientId);
    if (this.#cursors.has(clientId)) {
      const cursors = new Map(this.#cursors);
      cursors.delete(clientId);
      this.#cursors = cursors;
      this.#host.cursorsChanged();
    }
    for (const [id, drag] of this.#drags) if (drag.clientId === clientId) this.#drop(id);
  }
}
