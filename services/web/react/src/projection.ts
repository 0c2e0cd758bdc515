// The document as React Flow takes it. What did not change is the same object, for React Flow renders what is not.
import type { Edge, Node, XYPosition } from "@xyflow/react";
import type { Json, JsonObject } from "@helix/client";
import { isWhole } from "./edit.ts";

/** LocalNode is what this browser alone knows of a node. */
export interface LocalNode {
  readonly selected?: boolean;
  readonly dragging?: boolean;
  readonly resizing?: boolean;
  readonly measured?: { readonly width?: number; readonly height?: number };
  /** While it is resized here. */
  readonly width?: number;
  readonly height?: number;
  /** Where it is while it is dragged here, or on its way to where somebody else has put it. */
  readonly position?: XYPosition;
}

export interface LocalEdge { readonly selected?: boolean }

const nothing: JsonObject = {};

const isObject = (value: Json | undefined): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

/** map gives a document's map of elements. */
export function map(document: JsonObject, name: "nodes" | "edges"): JsonObject {
  const value = Object.hasOwn(document, name) ? document[name] : undefined;
  return isObject(value) ? value : nothing;
}

/** element gives a record, where it is a whole element. */
export function element(document: JsonObject, name: "nodes" | "edges", id: string): JsonObject | undefined {
  const all = map(document, name);
  const record = Object.hasOwn(all, id) ? all[id] : undefined;
  return isWhole(record) ? record : undefined;
}

interface Made<T> {
  readonly record: JsonObject;
  readonly local: LocalNode | LocalEdge | undefined;
  readonly parent: string | undefined; // that is there
  readonly element: T;
}

type Make<T> = (id: string, record: JsonObject, local: LocalNode | LocalEdge | undefined, parent: string | undefined) => T;

/** List is the elements of one kind, each made once for what it is made of. */
class List<T> {
  list: T[] = [];
  readonly #make: Make<T>;
  #made = new Map<string, Made<T>>();
  #order: string[] = [];

  constructor(make: Make<T>) { this.#make = make; }

  get(id: string): T | undefined { return this.#made.get(id)?.element; }

  update(records: JsonObject, locals: ReadonlyMap<string, LocalNode | LocalEdge>, isThere: (record: JsonObject) => boolean): void {
    const made = new Map<string, Made<T>>();
    let reordered = false;
    for (const [id, record] of Object.entries(records)) {
      if (!isWhole(record) || !isThere(record)) continue;
      const before = this.#made.get(id);
      const local = locals.get(id);
      const parent = parentOf(id, record, records);
      if (before?.record === record && before.local === local && before.parent === parent) { made.set(id, before); continue; }
      reordered ||= before?.parent !== parent || before?.record["order"] !== record["order"];
      made.set(id, { record, local, parent, element: this.#make(id, record, local, parent) });
    }
    if (reordered || made.size !== this.#made.size || this.#order.some((id) => !made.has(id))) this.#order = ordered(made);
    const before = this.list;
    this.#made = made;
    const list = this.#order.flatMap((id) => made.get(id)?.element ?? []);
    if (list.length !== before.length || list.some((one, i) => one !== before[i])) this.list = list;
  }
}

/** parentOf gives the node that a node is in, where that is there. Two people at once may put two nodes into each other:
 * then neither is in the other. */
function parentOf(id: string, record: JsonObject, records: JsonObject): string | undefined {
  const above = (of: JsonObject): string | undefined => {
    const { parentId } = of;
    return typeof parentId === "string" && Object.hasOwn(records, parentId) && isWhole(records[parentId]) ? parentId : undefined;
  };
  const parent = above(record);
  const seen = new Set([id]);
  for (let at = parent; at !== undefined; at = above(records[at] as JsonObject)) {
    if (seen.has(at)) return undefined;
    seen.add(at);
  }
  return parent;
}

/** ordered gives the ids from below to above, each parent before its children, as React Flow wants it. */
function ordered(made: ReadonlyMap<string, Made<unknown>>): string[] {
  const place = (id: string) => { const order = made.get(id)?.record["order"]; return typeof order === "number" ? order : 0; };
  const ids = [...made.keys()].sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
  const done = new Set<string>();
  const visit = (id: string) => {
    if (done.has(id)) return;
    const parent = made.get(id)?.parent;
    if (parent !== undefined) visit(parent);
    done.add(id);
  };
  for (const id of ids) visit(id);
  return [...done];
}

/** Projection makes nodes and edges of the document and of what this browser adds. */
export class Projection<N extends Node, E extends Edge> {
  readonly localNodes = new Map<string, LocalNode>();
  readonly localEdges = new Map<string, LocalEdge>();
  readonly #nodes = new List((id, record, local, parent) => toNode(id, record, local, parent) as N);
  readonly #edges = new List((id, record, local) => toEdge(id, record, local) as E);

  get nodes(): N[] { return this.#nodes.list; }
  get edges(): E[] { return this.#edges.list; }

  node(id: string): N | undefined { return this.#nodes.get(id); }
  edge(id: string): E | undefined { return this.#edges.get(id); }

  /** local changes what is known of a node here; undefined takes a field away. True: it did change. */
  local(id: string, fields: { readonly [F in keyof LocalNode]?: LocalNode[F] | undefined }): boolean {
    const before: LocalNode = this.localNodes.get(id) ?? {};
    const changed = (Object.entries(fields) as [keyof LocalNode, unknown][]).some(([name, value]) => !same(before[name], value));
    if (!changed) return false;
    const next = Object.fromEntries(Object.entries({ ...before, ...fields }).filter(([, value]) => value !== undefined && value !== false)) as LocalNode;
    if (Object.keys(next).length === 0) this.localNodes.delete(id);
    else this.localNodes.set(id, next);
    return true;
  }

  localEdge(id: string, selected: boolean): boolean {
    if (this.localEdges.has(id) === selected) return false;
    if (selected) this.localEdges.set(id, { selected });
    else this.localEdges.delete(id);
    return true;
  }

  /** forget drops what is known of elements that are gone. True: something of it was selected. */
  forget(document: JsonObject): boolean {
    let selected = false;
    for (const [id, local] of this.localNodes) {
      if (element(document, "nodes", id)) continue;
      this.localNodes.delete(id);
      selected ||= local.selected === true;
    }
    for (const id of this.localEdges.keys()) {
      if (element(document, "edges", id)) continue;
      this.localEdges.delete(id);
      selected = true;
    }
    return selected;
  }

  /** update makes the lists anew where the document or what is known here is another. */
  update(document: JsonObject): void {
    const nodes = map(document, "nodes");
    const there = (id: Json | undefined) => typeof id === "string" && Object.hasOwn(nodes, id) && isWhole(nodes[id]);
    this.#nodes.update(nodes, this.localNodes, () => true);
    // An edge that was drawn while its node was deleted waits unseen for the node to come back.
    this.#edges.update(map(document, "edges"), this.localEdges, ({ source, target }) => there(source) && there(target));
  }
}

function same(a: unknown, b: unknown): boolean {
  if (a === b || ((a === undefined || a === false) && (b === undefined || b === false))) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => (a as Record<string, unknown>)[name] === (b as Record<string, unknown>)[name]);
}

function toNode(id: string, record: JsonObject, local: LocalNode | undefined, parent: string | undefined): Node {
  const { order: _order, parentId: _parentId, extent, ...fields } = record;
  const inParent = extent === "parent" && parent === undefined;
  return { ...fields, ...(extent !== undefined && !inParent && { extent }), id, data: isObject(record["data"]) ? record["data"] : nothing, ...(parent !== undefined && { parentId: parent }), ...local } as unknown as Node;
}

function toEdge(id: string, record: JsonObject, local: LocalEdge | undefined): Edge {
  const { order: _order, ...fields } = record;
  return { ...fields, id, ...local } as unknown as Edge;
}
