import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defaultClientConditions, defineConfig, type Plugin } from "vite";

/** The edge that the dev server sends /api and /socket to; scripts/dev says which. */
const edge = process.env["HELIX_EDGE"] ?? "http://127.0.0.1:4000";

/** compressed leaves a Brotli and a gzip form beside what gets smaller by it. The edge serves them as they are. */
function compressed(): Plugin {
  return {
    name: "helix:compressed",
    apply: "build",
    async writeBundle({ dir = "" }, bundle) {
      const files = Object.keys(bundle).filter((name) => /\.(js|css|html|svg|md)$/.test(name));
      await Promise.all(files.map(async (name) => {
        const file = path.join(dir, name);
        const content = await readFile(file);
        if (content.length < 1024) return; // would not save a packet
        await writeFile(`${file}.br`, await promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }));
        await writeFile(`${file}.gz`, await promisify(gzip)(content, { level: 9 }));
      }));
    },
  };
}

/** preloadedFont has the browser fetch the letters together with the script, not after the style sheet. */
function preloadedFont(): Plugin {
  return {
    name: "helix:preloaded-font",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler(_html, { bundle = {} }) {
        return Object.keys(bundle).filter((name) => name.endsWith(".woff2")).map((name) => ({
          tag: "link", attrs: { rel: "preload", href: `/${name}`, as: "font", type: "font/woff2", crossorigin: true }, injectTo: "head" as const,
        }));
      },
    },
  };
}

export default defineConfig({
  // Not this folder: to the dev server the package react would be the folder react/ of it.
  root: path.resolve(import.meta.dirname, "src"),
  publicDir: path.resolve(import.meta.dirname, "public"),
  plugins: [react(), preloadedFont(), compressed()],
  // The packages from their sources: the dev server reloads them, and a build cannot take an old one.
  resolve: { conditions: ["@helix/source", ...defaultClientConditions], dedupe: ["react", "react-dom", "@xyflow/react"] },
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // a data: URL is no file of ours, and the content policy says so
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.md" },
    emptyOutDir: true,
  },
  server: {
    port: 5173,
    proxy: {
      "/api/": { target: edge },
      "/socket/": { target: edge, ws: true },
    },
  },
});
