// JSON Merge Patch (RFC 7396) as shared/document has it: apply, compose, and the patch between two
// documents. The vectors in shared/document/testdata are for both.
import { isObject, own, put, share, type Json, type JsonObject } from "./json.ts";

/** Patch is a JSON Merge Patch: objects merge, null deletes, arrays and scalars replace. */
export type Patch = JsonObject;

const nothing: JsonObject = Object.freeze({});

/** applyPatch gives the document with the patch merged in. Neither argument is changed; what the patch
 * leaves as it was is shared with the document, which itself is given back where nothing changes. */
export function applyPatch(document: JsonObject, patch: Patch): JsonObject {
  let changed: Record<string, Json> | undefined;
  for (const [name, value] of Object.entries(patch)) {
    const old = own(document, name);
    if (value === null) {
      if (old === undefined) continue;
      changed ??= { ...document };
      delete changed[name];
      continue;
    }
    const next = isObject(value) ? applyPatch(isObject(old) ? old : nothing, value) : share(old, value);
    if (next === old) continue;
    changed ??= { ...document };
    put(changed, name, next);
  }
  return changed ?? document;
}

/** diff gives the patch that makes one document of another; undefined where they are equal. (That a
 * member is null, no patch can say.) It costs little where the documents share their parts. */
export function diff(before: JsonObject, after: JsonObject): Patch | undefined {
  if (before === after) return undefined;
  let patch: Record<string, Json> | undefined;
  const note = (name: string, value: Json) => { put(patch ??= {}, name, value); };
  for (const name of Object.keys(before)) {
    if (!Object.hasOwn(after, name)) note(name, null);
  }
  for (const [name, value] of Object.entries(after)) {
    const old = own(before, name);
    if (isObject(old) && isObject(value)) {
      const inner = diff(old, value);
      if (inner) note(name, inner);
    } else if (share(old, value) !== old) {
      note(name, value);
    }
  }
  return patch;
}

/** What a run does to one member, whatever it was before: it is gone, it has this value, or it is an
 * object (made one if it was none) and these are its members' effects. */
type Effect =
  | { kind: "remove" }
  | { kind: "set"; value: Json }
  | { kind: "merge"; inner: Effects };

type Effects = Map<string, Effect>;

/**
 * Run is a run of patches, composed: at most two patches that have the effect of the run on every
 * document. Merge patches alone do not compose: `{a: 1}` and then `{a: {c: 2}}` replaces an `a` that one
 * patch would merge into. So where the run ends with an object in place of whatever was there, a first
 * patch deletes that; the second one has everything else.
 */
export class Run {
  readonly #effects: Effects = new Map();
  #length = 0;
  #only: Patch | undefined; // the patch, while there is one

  /** add adds a patch behind the others. */
  add(patch: Patch): void {
    this.#only = this.#length === 0 ? patch : undefined;
    this.#length++;
    addTo(this.#effects, patch);
  }

  /** The number of patches that were added. */
  get length(): number { return this.#length; }

  /** patches gives those that stand for the run, to be applied in turn: none of none, one of one, else one or two. */
  patches(): Patch[] {
    if (this.#length === 0) return [];
    if (this.#only) return [this.#only];
    const all = allOf(this.#effects);
    const first = replacedOf(this.#effects);
    return first ? [first, all] : [all];
  }
}

function addTo(effects: Effects, patch: Patch): void {
  for (const [name, value] of Object.entries(patch)) effects.set(name, follow(effects.get(name), value));
}

/** follow gives the effect of a patch's value behind another effect. */
function follow(before: Effect | undefined, value: Json): Effect {
  if (value === null) return { kind: "remove" };
  if (!isObject(value)) return { kind: "set", value };
  if (before?.kind === "remove") return { kind: "set", value: applyPatch(nothing, value) };
  if (before?.kind === "set") return { kind: "set", value: applyPatch(isObject(before.value) ? before.value : nothing, value) };
  const inner = before?.inner ?? new Map<string, Effect>();
  addTo(inner, value);
  return { kind: "merge", inner };
}

/** allOf gives the patch that has every effect, if what it replaces by an object is not there. */
function allOf(effects: Effects): Patch {
  const patch: Record<string, Json> = {};
  for (const [name, effect] of effects) {
    switch (effect.kind) {
      case "remove": put(patch, name, null); break;
      case "set": put(patch, name, effect.value); break;
      case "merge": put(patch, name, allOf(effect.inner)); break;
    }
  }
  return patch;
}

/** replacedOf gives the patch that deletes what is replaced by an object, if anything is. */
function replacedOf(effects: Effects): Patch | undefined {
  let patch: Record<string, Json> | undefined;
  for (const [name, effect] of effects) {
    const deletion = effect.kind === "merge" ? replacedOf(effect.inner) : effect.kind === "set" && isObject(effect.value) ? null : undefined;
    if (deletion !== undefined) put(patch ??= {}, name, deletion);
  }
  return patch;
}
