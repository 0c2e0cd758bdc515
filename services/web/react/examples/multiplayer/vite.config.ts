import react from "@vitejs/plugin-react";
import { defaultClientConditions, defineConfig } from "vite";

// The edge of `make run`. Through the page's own server, so that the page needs no leave to connect to another origin.
const edge = process.env["HELIX_EDGE"] ?? "http://localhost:4000";
const proxy = { "/socket": { target: edge, ws: true }, "/api": { target: edge } };

export default defineConfig({
  plugins: [react()],
  resolve: { conditions: ["@helix/source", ...defaultClientConditions] }, // the libraries as they stand here; npm's are built
  server: { proxy },
  preview: { proxy },
});
