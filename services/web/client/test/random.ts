// Chance that can be repeated: everything comes from a seed, which a failing test tells.
import type { Json, JsonObject } from "../src/index.ts";

/** Random gives a random number from 0 to 1, like Math.random. */
export type Random = () => number;

/** seeded is mulberry32. */
export function seeded(seed: number): Random {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function integer(random: Random, below: number): number { return Math.floor(random() * below); }

export function pick<T>(random: Random, from: readonly T[]): T {
  const one = from[integer(random, from.length)];
  if (one === undefined) throw new Error("nothing to pick from");
  return one;
}

const names = ["a", "b", "c", "", "__proto__", "constructor", "7"];

/** value gives a JSON value over few names, so that patches meet. Nulls only where they may stand. */
export function value(random: Random, depth: number, nulls: boolean): Json {
  const kinds = depth > 0 ? 9 : 5;
  switch (integer(random, kinds)) {
    case 0: return nulls ? null : 0;
    case 1: return integer(random, 3);
    case 2: return pick(random, ["", "x", "é"]);
    case 3: return pick(random, [true, false]);
    case 4: return [null, integer(random, 2), { a: null }].slice(0, integer(random, 4));
    default: return object(random, depth - 1, nulls);
  }
}

export function object(random: Random, depth: number, nulls: boolean): JsonObject {
  const entries = Array.from({ length: integer(random, 4) }, () => [pick(random, names), value(random, depth, nulls)] as const);
  return Object.fromEntries<Json>(entries); // makes "__proto__" a member, as JSON.parse does
}
