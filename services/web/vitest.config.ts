import { defaultClientConditions } from "vite";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["@helix/source", ...defaultClientConditions] },
  test: { include: ["test/**/*.test.{ts,tsx}"], maxWorkers: 2 },
});
