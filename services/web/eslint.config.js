import js from "@eslint/js";
import reactHooks from "eslint-plugin-react-hooks";
import globals from "globals";
import typescript from "typescript-eslint";

const typed = ["services/web/client/**/*.ts", "services/web/react/**/*.{ts,tsx}", "services/web/{src,test}/**/*.{ts,tsx}", "services/web/*.ts"];

export default [
  { ignores: ["**/node_modules/", "services/web/e2e/out/", "services/web/client/dist/", "services/web/react/**/dist/"] },
  js.configs.recommended,
  { files: ["services/web/**"], languageOptions: { globals: globals.node } },
  { files: ["services/web/e2e/**"], languageOptions: { globals: globals.browser } }, // what it runs inside the page
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
  ...[...typescript.configs.strictTypeChecked, ...typescript.configs.stylisticTypeChecked].map((config) => ({ ...config, files: typed })),
  {
    files: typed,
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Their TypeScript cousins know types.
      "consistent-return": "off",
      "no-shadow": "off",
      "no-unused-vars": "off",
      "require-await": "off",
      "@typescript-eslint/no-shadow": "error",
      "@typescript-eslint/no-unused-vars": ["error", { args: "all", argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/no-dynamic-delete": "off", // documents are maps by name
    },
  },
  { files: ["services/web/{react,src}/**/*.{ts,tsx}"], plugins: reactHooks.configs.flat.recommended.plugins, rules: reactHooks.configs.flat.recommended.rules },
  {
    files: ["services/web/src/**/*.{ts,tsx}"],
    rules: {
      "@typescript-eslint/no-shadow": ["error", { allow: ["KindNode", "GroupNode", "LabelledEdge", "FlowCard", "FlowPicture", "TemplateCard", "Connections"] }], // memo(function Name …): named for the tools of React
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/prefer-nullish-coalescing": ["error", { ignorePrimitives: { string: true, boolean: true } }], // an empty text is no text
      "@typescript-eslint/no-misused-spread": "off", // characters are counted, not letters
    },
  },
  { files: ["services/web/{client,react}/test/**", "services/web/test/**"], rules: { "@typescript-eslint/no-non-null-assertion": "off" } },
  {
    files: ["services/web/client/src/**"],
    rules: {
      "no-restricted-imports": ["error", { patterns: [{
        regex: "^(?!phoenix$|\\./)",
        message: "The client library stands on phoenix.js alone; hooks and components import it, not the other way round.",
      }] }],
    },
  },
  {
    files: ["services/web/react/src/**"],
    rules: {
      "no-restricted-imports": ["error", { patterns: [{
        regex: "^(?!react$|@xyflow/react$|@helix/client$|\\.\\.?/)",
        message: "This library stands on React, React Flow and the client library; the page imports it, not the other way round.",
      }] }],
    },
  },
];
