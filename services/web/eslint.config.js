import js from "@eslint/js";
import globals from "globals";

export default [
  // Paths are from the repository's root: `npm run lint` runs there, to see the edge's page too.
  { ignores: ["**/node_modules/", "**/vendor/", "services/web/e2e/out/"] },
  js.configs.recommended,
  { files: ["services/web/**"], languageOptions: { globals: globals.node } },
  { files: ["services/web/e2e/**"], languageOptions: { globals: globals.browser } }, // what it runs inside the page
  { files: ["services/edge/internal/api/page/*.js"], languageOptions: { globals: globals.browser } },
  {
    languageOptions: { ecmaVersion: 2024, sourceType: "module" },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      "consistent-return": "error",
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "no-shadow": "error",
      "no-throw-literal": "error",
      "no-unused-vars": ["error", { args: "all", argsIgnorePattern: "^_" }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "require-await": "error",
    },
  },
];
