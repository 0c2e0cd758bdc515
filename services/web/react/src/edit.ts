// What one step of a person did to the document, so that it can be taken back: pure values, no clock, no network.
//
// An edit is a tree of the places where it replaced a value: what was there, and what it left. When somebody else
// changes the document, the edit is rebased: it then says what it would have found, and left, had it been made at the
// same place in the order of all changes. So taking it back never takes back what others did. That place is known:
// the server gives every change its seq.
import { applyPatch, diff, type Json, type JsonObject, type Patch } from "@helix/client";

/** Place is where an edit replaced a value; undefined: there is, or was, none. */
export interface Place {
  readonly before: Json | undefined;
  readonly after: Json | undefined;
  /** Somebody who did not know yet that the edit had deleted the element wrote into it: what is left there is no element. */
  readonly remnant?: boolean;
}

/** Edit is the places under an object, by name. It never changes. */
export interface Edit { readonly [name: string]: Edit | Place }

type Writable = Record<string, Edit | Place>;

/** A place is told from what is under an object by a class, for names in documents may be anything. */
class PlaceAt implements Place {
  constructor(readonly before: Json | undefined, readonly after: Json | undefined, readonly remnant = false) {}
}

const isPlace = (entry: Edit | Place): entry is Place => entry instanceof PlaceAt;

const isObject = (value: Json | undefined): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

const own = (object: JsonObject, name: string): Json | undefined => (Object.hasOwn(object, name) ? object[name] : undefined);

const nothing: JsonObject = {};

/** The maps of elements: what is deleted in them is gone as a whole, and what is created there came as a whole. */
const elementMaps: ReadonlySet<string> = new Set(["nodes", "edges"]);

/** Where in the document a tree is: at its root, in a map of elements, or anywhere else. */
type Level = "root" | "elements" | "inside";

const below = (level: Level, name: string): Level => (level === "root" && elementMaps.has(name) ? "elements" : "inside");

/** put sets a name of an edit; "__proto__" is one like any other. */
function put<T>(target: Record<string, T>, name: string, value: T): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

export function equal(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, i) => equal(value as Json, b[i] as Json));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && equal(a[name], b[name]));
}

/** record gives the edit that made one document of another; undefined where they are equal. It costs little where they
 * share their parts. */
export function record(before: JsonObject, after: JsonObject): Edit | undefined { return recordIn(before, after, "root"); }

function recordIn(before: JsonObject, after: JsonObject, level: Level): Edit | undefined {
  if (before === after) return undefined;
  let edit: Writable | undefined;
  const names = Object.keys(after);
  for (const name of Object.keys(before)) if (!Object.hasOwn(after, name)) names.push(name);
  for (const name of names) {
    let was = own(before, name), is = own(after, name);
    if (was === is) continue;
    if (below(level, name) === "elements") { // elements count one by one, also where they are the first or the last
      was ??= nothing;
      is ??= nothing;
    }
    const entry = recordAt(was, is);
    if (entry) put(edit ??= {}, name, entry);
  }
  return edit;
}

function recordAt(before: Json | undefined, after: Json | undefined): Edit | Place | undefined {
  if (before === after) return undefined;
  if (isObject(before) && isObject(after)) return recordIn(before, after, "inside");
  return equal(before, after) ? undefined : new PlaceAt(before, after);
}

/** join gives the edit that has the effect of one and then of another, made right after it. */
export function join(first: Edit, second: Edit): Edit | undefined {
  const joined: Writable = {};
  for (const [name, entry] of Object.entries(first)) put(joined, name, entry);
  for (const [name, entry] of Object.entries(second)) {
    const one = Object.hasOwn(first, name) ? first[name] : undefined;
    const both = one === undefined ? entry : joinAt(one, entry);
    if (both === undefined) delete joined[name];
    else put(joined, name, both);
  }
  return Object.keys(joined).length > 0 ? joined : undefined;
}

function joinAt(first: Edit | Place, second: Edit | Place): Edit | Place | undefined {
  if (!isPlace(first) && !isPlace(second)) return join(first, second);
  const before = isPlace(first) ? first.before : backward(isPlace(second) ? second.before : undefined, first);
  const after = isPlace(second) ? second.after : forward(isPlace(first) ? first.after : undefined, second);
  return recordAt(before, after);
}

/** forward gives what an edit makes of a value that has what the edit found. */
function forward(value: Json | undefined, entry: Edit | Place): Json | undefined {
  if (isPlace(entry)) return entry.after;
  return through(value, entry, forward);
}

/** backward is forward, the other way. */
function backward(value: Json | undefined, entry: Edit | Place): Json | undefined {
  if (isPlace(entry)) return entry.before;
  return through(value, entry, backward);
}

function through(value: Json | undefined, edit: Edit, step: (value: Json | undefined, entry: Edit | Place) => Json | undefined): JsonObject {
  const made: Record<string, Json> = { ...(isObject(value) ? value : nothing) };
  for (const [name, entry] of Object.entries(edit)) {
    const next = step(own(made, name), entry);
    if (next === undefined) delete made[name];
    else put(made, name, next);
  }
  return made;
}

/** rebaseEarlier rebases an edit over a change that came after it: both what it found and what it left have that change
 * in them. Undefined: nothing of the edit is left. */
export function rebaseEarlier(edit: Edit, patch: Patch): Edit | undefined { return rebase(edit, patch, "root", earlier); }

/** rebaseLater rebases an edit over a change that came before it, though it was heard of later: it found that change.
 * `rest` is what of the change is not hidden by the edit, for the edits after this one. */
export function rebaseLater(edit: Edit, patch: Patch): { edit: Edit | undefined; rest: Patch } {
  return { edit: rebase(edit, patch, "root", later), rest: uncovered(edit, patch) };
}

type Rebase = (place: Place, value: Json, level: Level) => Edit | Place | undefined;

function rebase(edit: Edit, patch: Patch, level: Level, at: Rebase): Edit | undefined {
  let rebased: Writable | undefined;
  for (const [name, value] of Object.entries(patch)) {
    if (!Object.hasOwn(edit, name)) continue;
    const entry = edit[name];
    if (entry === undefined) continue;
    let next: Edit | Place | undefined;
    if (isPlace(entry)) next = at(entry, value, level);
    else if (isObject(value)) next = rebase(entry, value, below(level, name), at);
    else if (at === later && level === "inside") next = recordAt(value ?? undefined, forward(undefined, entry)); // the edit makes it anew
    else next = undefined; // what was edited is gone, or another thing
    if (next === entry) continue;
    rebased ??= { ...edit };
    if (next === undefined) delete rebased[name];
    else put(rebased, name, next);
  }
  if (!rebased) return edit;
  return Object.keys(rebased).length > 0 ? rebased : undefined;
}

/** applied gives what a merge patch's value makes of a value. */
function applied(before: Json | undefined, value: Json): Json | undefined {
  if (value === null) return undefined;
  return isObject(value) ? applyPatch(isObject(before) ? before : nothing, value) : value;
}

function earlier(place: Place, value: Json, level: Level): Edit | Place | undefined {
  if (level === "elements") {
    if (place.after === undefined && isObject(place.before)) {
      // Somebody wrote into what this edit had deleted, and did not know. It comes back with the element, if that does.
      if (isObject(value) && own(value, "type") === undefined) return new PlaceAt(applyPatch(place.before, value), undefined, true);
      if (value === null && place.remnant) return place; // whoever wrote it cleaned up
    }
    // Somebody edited what this edit had created: it is theirs too now, and stays.
    if (place.before === undefined) return undefined;
  }
  return recordAt(applied(place.before, value), applied(place.after, value));
}

function later(place: Place, value: Json): Edit | Place | undefined {
  const before = applied(place.before, value);
  const after = isObject(place.after) ? applyPatch(isObject(before) ? before : nothing, place.after) : place.after;
  // Also where both are the same: another change may still come to lie under this edit, which then hides it.
  return new PlaceAt(before, after);
}

/** covered gives what of a patch an edit hides that was made after it. */
export function covered(edit: Edit, patch: Patch): Patch {
  const hidden: Record<string, Json> = {};
  for (const [name, value] of Object.entries(patch)) {
    const entry = Object.hasOwn(edit, name) ? edit[name] : undefined;
    if (entry === undefined) continue;
    const inner = isPlace(entry)
      ? isObject(entry.after) && isObject(value) ? within(value, entry.after) : value
      : isObject(value) ? covered(entry, value) : value;
    if (!isObject(inner) || Object.keys(inner).length > 0 || !isObject(value) || Object.keys(value).length === 0) put(hidden, name, inner);
  }
  return hidden;
}

/** within gives what of a patch an object has too. */
function within(patch: Patch, object: JsonObject): Patch {
  const both: Record<string, Json> = {};
  for (const [name, value] of Object.entries(patch)) {
    const there = own(object, name);
    if (there !== undefined) put(both, name, isObject(there) && isObject(value) ? within(value, there) : value);
  }
  return both;
}

/** uncovered gives what of a patch shows where an edit was made after it. */
export function uncovered(edit: Edit, patch: Patch): Patch {
  const rest: Record<string, Json> = {};
  for (const [name, value] of Object.entries(patch)) {
    const entry = Object.hasOwn(edit, name) ? edit[name] : undefined;
    if (entry === undefined) put(rest, name, value);
    else if (!isPlace(entry)) { if (isObject(value)) put(rest, name, uncovered(entry, value)); }
    else if (isObject(entry.after) && isObject(value)) put(rest, name, without(value, entry.after));
  }
  return rest;
}

/** without gives a patch without what an object has. */
function without(patch: Patch, object: JsonObject): Patch {
  const rest: Record<string, Json> = {};
  for (const [name, value] of Object.entries(patch)) {
    const there = own(object, name);
    if (there === undefined) put(rest, name, value);
    else if (isObject(there) && isObject(value)) put(rest, name, without(value, there));
  }
  return rest;
}

/** newsOf gives what of a patch a document does not have already. */
export function newsOf(patch: Patch, document: JsonObject): Patch {
  const news: Record<string, Json> = {};
  for (const [name, value] of Object.entries(patch)) {
    const there = own(document, name);
    if (isObject(value) && isObject(there)) {
      const inner = newsOf(value, there);
      if (Object.keys(inner).length > 0) put(news, name, inner);
    }
    else if (value === null ? there !== undefined : !equal(value, there)) put(news, name, isObject(value) ? applyPatch(nothing, value) : value);
  }
  return news;
}

/** TakenBack is what taking an edit back means for a document. */
export interface TakenBack {
  readonly patch: Patch | undefined; // undefined: nothing
  /** Something of the edit stays, because others have a part in it now. */
  readonly kept: boolean;
}

/** takeBack gives what takes an edit back in the document of now, where only what the edit left may be touched. */
export function takeBack(document: JsonObject, edit: Edit): TakenBack {
  let kept = false;
  const keep = <T>(value: T): T => { kept = true; return value; };

  const back = (value: Json | undefined, entry: Edit | Place, level: Level): Json | undefined => {
    if (isPlace(entry)) return level === "elements" ? backElement(value, entry) : backPlace(value, entry.before, entry.after);
    if (!isObject(value) || (level === "elements" && !isWhole(value))) return keep(value);
    return inside(value, entry, "inside");
  };

  const inside = (value: JsonObject, entry: Edit, level: Level): JsonObject => {
    const made: Record<string, Json> = { ...value };
    for (const [name, inner] of Object.entries(entry)) {
      const next = level === "root" && elementMaps.has(name) && !isPlace(inner)
        ? elements(own(value, name), inner)
        : back(own(value, name), inner, level);
      if (next === undefined) delete made[name];
      else put(made, name, next);
    }
    return made;
  };

  const elements = (value: Json | undefined, entry: Edit): JsonObject => inside(isObject(value) ? value : nothing, entry, "elements");

  const backElement = (value: Json | undefined, { before, after }: Place): Json | undefined => {
    if (equal(value, after)) return before;
    if (after === undefined && isObject(before) && isObject(value) && !isWhole(value)) return applyPatch(before, value);
    return keep(value);
  };

  const backPlace = (value: Json | undefined, before: Json | undefined, after: Json | undefined): Json | undefined => {
    if (equal(value, after)) return before;
    const objects = isObject(value) && (before === undefined || isObject(before)) && (after === undefined || isObject(after));
    if (!objects) return keep(value);
    const made: Record<string, Json> = { ...value };
    for (const name of new Set([...Object.keys(before ?? nothing), ...Object.keys(after ?? nothing)])) {
      const next = backPlace(own(value, name), own((before ?? nothing), name), own((after ?? nothing), name));
      if (next === undefined) delete made[name];
      else put(made, name, next);
    }
    return before === undefined && Object.keys(made).length === 0 ? undefined : made;
  };

  const desired = settleElements(document, inside(document, edit, "root"), () => { kept = true; });
  return { patch: diff(document, desired), kept };
}

/** isWhole tells an element from what a late write leaves of a deleted one. */
export function isWhole(value: Json | undefined): value is JsonObject {
  if (!isObject(value)) return false;
  const type = own(value, "type");
  if (typeof own(value, "source") === "string" && typeof own(value, "target") === "string") return true;
  const position = own(value, "position");
  const placed = isObject(position) && typeof position["x"] === "number" && typeof position["y"] === "number";
  return placed && (typeof type === "string" || isObject(own(value, "data")));
}

/** settleElements keeps the graph whole: a node that an edge of others ends at, or that holds nodes of others, stays; an
 * edge comes back only where both its nodes are. */
function settleElements(now: JsonObject, desired: JsonObject, keep: () => void): JsonObject {
  const nodesNow = own(now, "nodes"), edgesNow = own(now, "edges");
  const nodes = own(desired, "nodes"), edges = own(desired, "edges");
  if (!isObject(nodes) && !isObject(edges)) return desired;
  const settledNodes: Record<string, Json> = { ...(isObject(nodes) ? nodes : nothing) };
  const settledEdges: Record<string, Json> = { ...(isObject(edges) ? edges : nothing) };
  const bringBack = (id: Json | undefined): void => {
    if (typeof id !== "string" || Object.hasOwn(settledNodes, id) || !isObject(nodesNow)) return;
    const node = own(nodesNow, id);
    if (!isWhole(node)) return;
    put(settledNodes, id, node);
    keep();
    bringBack(own(node, "parentId"));
  };
  const has = (id: Json | undefined) => typeof id === "string" && isWhole(own(settledNodes, id));
  if (isObject(nodesNow)) {
    for (const edge of Object.values(settledEdges)) {
      if (!isObject(edge)) continue;
      const { source, target } = edge;
      const attached = (end: Json | undefined) => has(end) || (typeof end === "string" && isWhole(own(nodesNow, end)));
      if (attached(source) && attached(target)) { bringBack(source); bringBack(target); }
    }
    for (const node of Object.values(settledNodes)) if (isObject(node)) bringBack(own(node, "parentId"));
  }
  for (const [id, edge] of Object.entries(settledEdges)) {
    const isNew = !isObject(edgesNow) || !Object.hasOwn(edgesNow, id);
    if (isNew && isObject(edge) && !(has(edge["source"]) && has(edge["target"]))) {
      delete settledEdges[id];
      keep();
    }
  }
  return {
    ...desired,
    ...(isObject(nodes) && { nodes: settledNodes }),
    ...(isObject(edges) && { edges: settledEdges }),
  };
}
