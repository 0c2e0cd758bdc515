// The document of a transaction: patched many times, seen by nobody until it is done. So what was copied once is changed in
// place, and a layout of a thousand nodes costs a thousand nodes, not a million.
import type { Json, JsonObject, Patch } from "@helix/client";

const isObject = (value: Json | undefined): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

export class Draft {
  #document: JsonObject;
  readonly #copies = new Set<object>();

  constructor(document: JsonObject) { this.#document = document; }

  get document(): JsonObject { return this.#document; }

  /** apply merges a patch in. */
  apply(patch: Patch): void { this.#document = this.#merge(this.#document, patch); }

  #merge(into: JsonObject, patch: Patch): JsonObject {
    const target = this.#copy(into);
    for (const [name, value] of Object.entries(patch)) {
      if (value === null) { delete target[name]; continue; }
      const old = Object.hasOwn(target, name) ? target[name] : undefined;
      const next = isObject(value) ? this.#merge(isObject(old) ? old : {}, value) : value;
      Object.defineProperty(target, name, { value: next, enumerable: true, configurable: true, writable: true });
    }
    return target;
  }

  #copy(object: JsonObject): Record<string, Json> {
    if (this.#copies.has(object)) return object;
    const copy = { ...object };
    this.#copies.add(copy);
    return copy;
  }
}
