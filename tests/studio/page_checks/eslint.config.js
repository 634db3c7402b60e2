import js from "@eslint/js";

export default [
  js.configs.recommended,
  {
    files: ["colorize_jax/**/*.js"],
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "no-undef": "off", // the type check knows what a browser has
      "no-shadow": ["error", { builtinGlobals: false }],
      "no-var": "error",
      "prefer-const": ["error", { destructuring: "all" }],
      eqeqeq: "error",
      "max-len": ["error", 120],
      "max-lines-per-function": ["error", { max: 40, skipBlankLines: true, skipComments: true }],
      "no-restricted-syntax": [
        "error",
        { selector: "Program > VariableDeclaration[kind='let']", message: "What changes belongs to a state." },
        { selector: "Program > ExportNamedDeclaration > VariableDeclaration[kind='let']", message: "What changes belongs to a state." },
        { selector: "Identifier[name=/[cC]olour/]", message: "Identifiers have American spelling: color." },
      ],
    },
  },
];
