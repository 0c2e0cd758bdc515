// JSON values, never changed in place: whoever holds one may compare it by identity.

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

export interface JsonObject { readonly [name: string]: Json }

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** own gives a member that the object itself has. What it inherits ("constructor", "__proto__") is none of its members. */
export function own(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** put sets a member of an object that nobody else holds yet. "__proto__" is a name like any other:
 * assigning it would change the object's prototype. */
export function put(object: Record<string, Json>, name: string, value: Json): void {
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    object[name] = value;
  }
}

/** share gives a value that equals after, made of the parts of before wherever they are equal; before itself where all of it is. */
export function share(before: Json | undefined, after: Json): Json {
  if (before === after) return after;
  if (Array.isArray(before) && Array.isArray(after)) return shareArray(before as readonly Json[], after as readonly Json[]);
  if (isObject(before) && isObject(after)) return shareObject(before, after);
  return after;
}

function shareArray(before: readonly Json[], after: readonly Json[]): readonly Json[] {
  const shared = after.map((value, i) => share(before[i], value));
  return before.length === shared.length && shared.every((value, i) => value === before[i]) ? before : shared;
}

export function shareObject(before: JsonObject, after: JsonObject): JsonObject {
  if (before === after) return after;
  const names = Object.keys(after);
  const shared: Record<string, Json> = {};
  let same = names.length === Object.keys(before).length;
  for (const name of names) {
    const old = own(before, name);
    const value = share(old, after[name] as Json);
    if (value !== old) same = false;
    put(shared, name, value);
  }
  return same ? before : shared;
}

/** clean gives a copy of what JSON makes of a value, and its text's length in bytes. */
export function clean(value: unknown): { value: Json | undefined; bytes: number } {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) return { value: undefined, bytes: 0 };
  return { value: JSON.parse(text) as Json, bytes: utf8Length(text) };
}

const encoder = new TextEncoder();

export function utf8Length(text: string): number { return encoder.encode(text).length; }

/** depth counts how deep objects and arrays nest; a scalar has depth 0. */
export function depth(value: Json): number {
  if (typeof value !== "object" || value === null) return 0;
  let deepest = 0;
  for (const inner of Array.isArray(value) ? value as readonly Json[] : Object.values(value)) deepest = Math.max(deepest, depth(inner));
  return deepest + 1;
}
