// What is built is what others import, and what they do not use does not come along.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Rolldown } from "vite";
import { expect, onTestFinished, test } from "vitest";
import * as source from "../src/index.ts";

const built = fileURLToPath(new URL("../dist/index.js", import.meta.url));

test("the built package has the public surface, and no more", async () => {
  expect(Object.keys(await import(built) as object).sort()).toEqual(Object.keys(source).sort());
});

test("who takes the session alone gets no components, and no React", async () => {
  const bundle = async (names: string) => {
    const entry = path.join(await mkdtemp(path.join(os.tmpdir(), "helix-react-")), "entry.js");
    onTestFinished(() => rm(path.dirname(entry), { recursive: true }));
    await writeFile(entry, `export { ${names} } from ${JSON.stringify(built)};`);
    const result = await build({
      configFile: false, logLevel: "silent",
      build: { write: false, minify: false, lib: { entry, formats: ["es"] }, rolldownOptions: { external: ["react", "react/jsx-runtime", "@xyflow/react"] } },
    }) as Rolldown.RolldownOutput[];
    return result.flatMap(({ output }) => output).map((chunk) => ("code" in chunk ? chunk.code : "")).join("");
  };
  const session = await bundle("createFlowSession");
  expect(session).toContain("helix:live");
  expect(session).not.toContain("helix-cursor");
  expect(session).not.toMatch(/from ["']react["']/);
  expect(await bundle("Cursors")).toContain("helix-cursor");
});
