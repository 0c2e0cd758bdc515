import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["@helix/source"] },
  ssr: { resolve: { conditions: ["@helix/source"] } },
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    testTimeout: 60_000, // the tests wait for events, each with a deadline of its own
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
