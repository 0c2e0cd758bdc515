import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { applyPatch, diff, Run, type Json, type JsonObject, type Patch } from "../src/index.ts";
import { isObject, shareObject } from "../src/json.ts";
import { integer, object, seeded } from "./random.ts";

interface Vector {
  readonly name: string;
  readonly document: Json;
  readonly patch: Json;
  readonly patches: readonly Patch[];
  readonly expect?: JsonObject;
  readonly refused?: "document" | "patch";
  readonly most: number;
}

/** The same files as shared/document/vectors_test.go reads. */
function vectors(name: string): Vector[] {
  const file = new URL(`../../../../shared/document/testdata/${name}`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { vectors: Vector[] }).vectors;
}

/** text is JSON by which two values are equal when they mean the same: the order of names carries none. */
function text(value: Json): string {
  return JSON.stringify(value, (_name, inner: Json) => (isObject(inner)
    ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
    : inner));
}

function freeze<T extends Json>(value: T): T {
  if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}

const inTurn = (document: JsonObject, patches: readonly Patch[]) => patches.reduce(applyPatch, document);

describe("apply.json", () => {
  test.each(vectors("apply.json"))("$name", (v) => {
    if (v.refused) { // documents and patches are objects, by their types; Flow.change refuses others
      expect(isObject(v.refused === "document" ? v.document : v.patch)).toBe(false);
      return;
    }
    const document = freeze(v.document as JsonObject);
    const result = applyPatch(document, freeze(v.patch as Patch));
    expect(text(result)).toBe(text(v.expect!));
    expect(({} as Record<string, unknown>)["polluted"], "Object.prototype is as it was").toBeUndefined();
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
  });
});

describe("compose.json", () => {
  test.each(vectors("compose.json"))("$name", (v) => {
    const run = new Run();
    for (const patch of v.patches) run.add(freeze(patch));
    const composed = run.patches();
    expect(composed.length).toBeLessThanOrEqual(v.most);
    expect(run.length).toBe(v.patches.length);
    const document = freeze(v.document as JsonObject);
    for (let had = 0; had <= v.patches.length; had++) {
      const result = inTurn(inTurn(document, v.patches.slice(0, had)), composed);
      expect(text(result), `on what has ${String(had)} patches: ${JSON.stringify(composed)}`).toBe(text(v.expect!));
    }
  });
});

test("any run composes to at most two patches, whatever of the run a document has", () => {
  for (let seed = 1; seed <= 1_500; seed++) {
    const random = seeded(seed);
    const patches = Array.from({ length: 1 + integer(random, 6) }, () => freeze(object(random, 3, true)));
    const run = new Run();
    for (const patch of patches) run.add(patch);
    const composed = run.patches();
    expect(composed.length).toBeLessThanOrEqual(2);
    for (let i = 0; i < 6; i++) {
      const start = freeze(object(random, 4, false));
      const had = integer(random, patches.length + 1);
      const want = inTurn(start, patches);
      const got = inTurn(inTurn(start, patches.slice(0, had)), composed);
      if (text(got) !== text(want)) expect.fail(`seed ${String(seed)}: ${JSON.stringify({ start, patches, had, composed, got, want })}`);
    }
  }
});

test("one patch is enough where no object replaces what was there", () => {
  const run = new Run();
  for (const patch of [{ a: { b: 1, c: null } }, { a: { b: null, d: { e: 1 } } }, { x: [1] }, { x: 2, y: null }]) run.add(patch);
  expect(run.patches()).toEqual([{ a: { b: null, c: null, d: { e: 1 } }, x: 2, y: null }]);
});

test("diff gives the patch from any document to any other", () => {
  for (let seed = 1; seed <= 3_000; seed++) {
    const random = seeded(seed);
    const [before, after] = [freeze(object(random, 3, false)), freeze(object(random, 3, false))];
    const patch = diff(before, after);
    const got = text(applyPatch(before, patch ?? {}));
    const fine = got === text(after) && (patch === undefined) === (text(before) === text(after));
    if (!fine) expect.fail(`seed ${String(seed)}: ${JSON.stringify({ before, after, patch, got })}`);
  }
});

describe("what does not change is the same object", () => {
  const document = freeze({ nodes: { n1: { position: { x: 1 }, tags: ["a"] }, n2: { position: { x: 2 } } }, edges: { e1: {} } });

  test("apply shares all that the patch leaves alone", () => {
    const result = applyPatch(document, { nodes: { n1: { position: { x: 9 } } } }) as typeof document;
    expect(result).not.toBe(document);
    expect(result.nodes.n1.tags).toBe(document.nodes.n1.tags);
    expect(result.nodes.n2).toBe(document.nodes.n2);
    expect(result.edges).toBe(document.edges);
  });

  test.each<[string, Patch]>([
    ["values that are there already", { nodes: { n1: { position: { x: 1 }, tags: ["a"] } } }],
    ["deletions of what is not there", { nodes: { n3: null }, zones: null }],
    ["empty objects", { nodes: { n1: {} }, edges: {} }],
  ])("apply gives the document itself back: %s", (_name, patch) => {
    expect(applyPatch(document, patch)).toBe(document);
  });

  test("share makes an equal document of the old one's parts", () => {
    const copy = JSON.parse(JSON.stringify(document)) as typeof document;
    expect(shareObject(document, copy)).toBe(document);
    const shared = shareObject(document, applyPatch(copy, { edges: { e2: {} } })) as typeof document;
    expect(shared.nodes).toBe(document.nodes);
    expect(shared.edges).not.toBe(document.edges);
    expect(shared.edges.e1).toBe(document.edges.e1);
  });
});
