// What is built is what others import.
import { expect, test } from "vitest";
import * as source from "../src/index.ts";

test("the built package has the public surface, and no more", async () => {
  const name = "@helix/client"; // not resolved before it is built
  const built = await import(name) as Record<string, unknown>;
  expect(Object.keys(built).sort()).toEqual(Object.keys(source).sort());
});
