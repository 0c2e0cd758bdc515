// What React Flow tells of this person's hands: selecting, dragging, resizing, deleting. On the way they are this
// browser's alone (and shown to the others by signals); at the end they are one change.
import type { Edge, EdgeChange, Node, NodeChange, XYPosition } from "@xyflow/react";
import type { JsonObject, Patch } from "@helix/client";
import { edgeRecord, nodeRecord, rounded } from "./document.ts";
import { addition, removal, replaced } from "./graph.ts";
import { element, type Projection } from "./projection.ts";
import type { EditOptions } from "./session.ts";

/** GesturesHost is the session, as its gestures see it. */
export interface GesturesHost<N extends Node, E extends Edge> {
  readonly projection: Projection<N, E>;
  document(): JsonObject;
  edit(patch: Patch | undefined, options?: EditOptions): void;
  /** A name for edits that are one step because they come in one go, such as deleted nodes and then their edges. */
  readonly inOneGo: string;
  /** Nodes are dragged to here. */
  dragging(positions: ReadonlyMap<string, XYPosition>): void;
  dropped(): void;
  selectionChanged(): void;
  /** What is shown is another thing, though the document may be the same. */
  show(): void;
}

export class Gestures<N extends Node, E extends Edge> {
  readonly #host: GesturesHost<N, E>;
  /** Where dragged nodes are; they are told to the others all together. */
  readonly #dragged = new Map<string, XYPosition>();
  readonly #resized = new Set<string>();

  constructor(host: GesturesHost<N, E>) { this.#host = host; }

  isDragged(id: string): boolean { return this.#dragged.has(id); }
  /** Whether this person holds a node, so that nobody else's hand may move it here. */
  holds(id: string): boolean { return this.#dragged.has(id) || this.#resized.has(id); }

  /** letGo forgets a node that is gone. */
  letGo(id: string): void {
    this.#resized.delete(id);
    if (this.#dragged.delete(id) && this.#dragged.size === 0) this.#host.dropped();
  }

  readonly nodes = (changes: readonly NodeChange<N>[]): void => {
    const { projection } = this.#host;
    const resizing = new Set(changes.flatMap((change) => (change.type === "dimensions" && change.resizing === true ? [change.id] : [])));
    const placed = new Map<string, XYPosition>(); // by keys or by the app, at once
    const dropped = new Map<string, XYPosition>();
    const sized: Record<string, JsonObject> = {};
    const removed: string[] = [];
    const added: N[] = [];
    const other: Record<string, JsonObject> = {};
    let selection = false, dragging = false;
    const there = (id: string) => element(this.#host.document(), "nodes", id);

    for (const change of changes) {
      if (change.type === "add") { added.push(change.item); continue; }
      const { id } = change;
      if (!there(id)) continue;
      switch (change.type) {
        case "position": {
          const held = this.#dragged.get(id);
          if (change.dragging === true) {
            const position = change.position ?? held ?? projection.node(id)?.position;
            if (!position) break;
            dragging = true;
            this.#dragged.set(id, position);
            projection.local(id, { position, dragging: true });
          } else if (held) {
            dropped.set(id, change.position ?? held);
          } else if (change.position && (resizing.has(id) || this.#resized.has(id))) {
            projection.local(id, { position: change.position });
          } else if (change.position) {
            placed.set(id, change.position);
          }
          break;
        }
        case "dimensions": {
          const { dimensions, setAttributes } = change;
          if (dimensions) projection.local(id, { measured: dimensions });
          const set = {
            ...(dimensions && (setAttributes === true || setAttributes === "width") && { width: dimensions.width }),
            ...(dimensions && (setAttributes === true || setAttributes === "height") && { height: dimensions.height }),
          };
          if (change.resizing === true || (Object.keys(set).length > 0 && this.#dragged.size > 0)) { // a parent that grows with a drag
            this.#resized.add(id);
            projection.local(id, { ...set, ...(change.resizing === true && { resizing: true }) });
          } else if (change.resizing === false) {
            projection.local(id, set);
            const size = this.#size(id);
            if (Object.keys(size).length > 0) sized[id] = size;
          } else if (Object.keys(set).length > 0) {
            sized[id] = set;
          }
          break;
        }
        case "select": selection = projection.local(id, { selected: change.selected }) || selection; break;
        case "remove": removed.push(id); break;
        case "replace": {
          const shown = projection.node(id);
          if (shown) {
            const patch = replaced(shown, change.item, nodeRecord);
            if (patch) other[id] = patch;
            selection = projection.local(id, { selected: change.item.selected }) || selection;
          }
          break;
        }
      }
    }

    if (added.length > 0) this.#host.edit(addition(this.#host.document(), added, []), { merge: this.#host.inOneGo });
    if (removed.length > 0) this.#host.edit(removal(this.#host.document(), removed, []), { merge: this.#host.inOneGo });
    if (dropped.size > 0 || placed.size > 0 || Object.keys(sized).length > 0 || Object.keys(other).length > 0) {
      if (dropped.size > 0) for (const id of this.#resized) if (there(id)) sized[id] = this.#size(id);
      this.#commit(dropped, placed, sized, other);
    }
    if (dragging) this.#host.dragging(this.#dragged);
    if (selection) this.#host.selectionChanged();
    this.#host.show();
  };

  readonly edges = (changes: readonly EdgeChange<E>[]): void => {
    const { projection } = this.#host;
    const removed: string[] = [];
    const added: E[] = [];
    const other: Record<string, JsonObject> = {};
    let selection = false;
    for (const change of changes) {
      switch (change.type) {
        case "add": added.push(change.item); break;
        case "remove": removed.push(change.id); break;
        case "select": if (element(this.#host.document(), "edges", change.id)) selection = projection.localEdge(change.id, change.selected) || selection; break;
        case "replace": {
          const shown = projection.edge(change.id);
          const patch = shown && replaced(shown, change.item, edgeRecord);
          if (patch) other[change.id] = patch;
          break;
        }
      }
    }
    if (added.length > 0) this.#host.edit(addition(this.#host.document(), [], added), { merge: this.#host.inOneGo });
    if (removed.length > 0) this.#host.edit(removal(this.#host.document(), [], removed), { merge: this.#host.inOneGo });
    if (Object.keys(other).length > 0) this.#host.edit({ edges: other }, { merge: this.#host.inOneGo });
    if (selection) this.#host.selectionChanged();
    this.#host.show();
  };

  /** commit makes the end of a gesture one change. */
  #commit(dropped: ReadonlyMap<string, XYPosition>, placed: ReadonlyMap<string, XYPosition>, sized: Readonly<Record<string, JsonObject>>, other: Readonly<Record<string, JsonObject>>): void {
    const { projection } = this.#host;
    const nodes: Record<string, JsonObject> = {};
    const put = (id: string, fields: JsonObject) => { nodes[id] = { ...nodes[id], ...fields }; };
    for (const [id, position] of [...placed, ...dropped]) put(id, { position: rounded(position) });
    for (const [id, size] of Object.entries(sized)) put(id, size);
    for (const [id, patch] of Object.entries(other)) put(id, patch);
    const byKeys = placed.size > 0 && dropped.size === 0;
    for (const id of dropped.keys()) {
      this.#dragged.delete(id);
      projection.local(id, { position: undefined, dragging: undefined });
    }
    for (const id of Object.keys(sized)) {
      this.#resized.delete(id);
      projection.local(id, { position: undefined, width: undefined, height: undefined, resizing: undefined });
    }
    this.#host.edit({ nodes }, { merge: byKeys ? `move ${[...placed.keys()].join(" ")}` : this.#host.inOneGo });
    if (dropped.size > 0 && this.#dragged.size === 0) this.#host.dropped();
  }

  /** size gives what a resized node is kept with. */
  #size(id: string): JsonObject {
    const { width, height, position } = this.#host.projection.localNodes.get(id) ?? {};
    return {
      ...(width !== undefined && { width: Math.round(width * 100) / 100 }),
      ...(height !== undefined && { height: Math.round(height * 100) / 100 }),
      ...(position && !this.#dragged.has(id) && { position: rounded(position) }),
    };
  }
}
