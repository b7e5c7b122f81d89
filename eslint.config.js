import { builtinModules } from 'node:module';
import path from 'node:path';
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/**
 * Which folder of `src/` may import which. A folder may always import itself. `*` is everything.
 * A new folder has to be added here: an unknown one is an error, so that nobody gets around the picture by accident.
 */
const stage = ['engine', 'core', 'log', 'store', 'avro', 'telemetry'];
const ARROWS = {
  cli: '*',
  dev: '*',
  core: [],
  topology: ['core', 'telemetry'],
  graph: ['topology', 'telemetry'],
  testing: ['core', 'topology', 'telemetry'],
  processor: stage,
  ingest: stage,
  items: stage,
  senders: stage,
  engine: ['log', 'store', 'avro', 'telemetry'],
  log: ['telemetry'],
  store: ['telemetry'],
  // The codecs are of what the core says and the log carries.
  avro: ['core', 'log', 'telemetry'],
  telemetry: [],
};
/** Packages that live behind one port. */
const ONLY_IN = { kafkajs: 'log/kafka', 'rocksdb-native': 'store/rocks' };
/** All that the pure core may take from outside: hashing, for ids. */
const CORE_MODULES = ['node:crypto'];

const src = path.join(import.meta.dirname, 'src') + path.sep;

/** Resolves the import before it judges it, so that `../log/x.ts`, `../../src/log/x.ts` and `import()` are the same thing. */
const arrows = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    if (!context.filename.startsWith(src)) return {};
    const here = path.relative(src, context.filename).split(path.sep);
    const from = here[0];

    function judge(node, specifier) {
      if (typeof specifier !== 'string') return;
      if (specifier.startsWith('.')) {
        const target = path.resolve(path.dirname(context.filename), specifier);
        if (!target.startsWith(src)) return context.report({ node, message: `${specifier} is outside of src/` });
        if (here.length === 1) return; // the package's root file
        const to = path.relative(src, target).split(path.sep)[0];
        const allowed = ARROWS[from];
        if (allowed === undefined) return context.report({ node, message: `src/${from} is not in the arrows of eslint.config.js` });
        if (allowed !== '*' && to !== from && !allowed.includes(to))
          context.report({ node, message: `${from} must not import ${to} (allowed: ${allowed.join(', ') || 'nothing'})` });
        return;
      }
      const builtin = builtinModules.includes(specifier.replace(/^node:/, ''));
      if (from === 'core' && !CORE_MODULES.includes(specifier))
        return context.report({ node, message: `core is pure: it may import ${CORE_MODULES.join(', ')}, not ${specifier}` });
      if (builtin) return;
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      const home = ONLY_IN[name];
      if (home !== undefined && !here.slice(0, -1).join('/').startsWith(home))
        context.report({ node, message: `${name} is only imported by src/${home}: use the port` });
    }

    return {
      ImportDeclaration: (node) => judge(node, node.source.value),
      ExportNamedDeclaration: (node) => judge(node, node.source?.value),
      ExportAllDeclaration: (node) => judge(node, node.source.value),
      ImportExpression: (node) => judge(node, node.source.value),
      TSImportType: (node) => judge(node, node.source.value),
    };
  },
};

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { lull: { rules: { arrows } } },
    rules: {
      'lull/arrows': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Numbers in messages are what these messages are about; objects in them are not.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // A twin or a handler often has nothing to await, and still has to answer with a promise.
      '@typescript-eslint/require-await': 'off',
      // `noUncheckedIndexedAccess` makes an assertion behind a length check the shortest honest form.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      eqeqeq: 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'ClassDeclaration[superClass]:not([superClass.name=/Error$/])', message: 'No inheritance beyond Error.' },
        { selector: 'ExportDefaultDeclaration', message: 'No default exports.' },
      ],
    },
  },
  {
    // Time is a record: the core gets `now`, and draws nothing.
    files: ['src/core/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...[
          'setTimeout',
          'setInterval',
          'setImmediate',
          'queueMicrotask',
          'process',
          'performance',
          'fetch',
          'console',
          'globalThis',
          'crypto',
        ].map((name) => ({ name, message: 'The core has no clock, no randomness, no environment and no I/O.' })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'The core is given its time.' },
        { object: 'Math', property: 'random', message: 'The core draws nothing.' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'ClassDeclaration[superClass]:not([superClass.name=/Error$/])', message: 'No inheritance beyond Error.' },
        { selector: 'ExportDefaultDeclaration', message: 'No default exports.' },
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'The core is given its time.' },
        { selector: "CallExpression[callee.name='Date']", message: 'The core is given its time.' },
        {
          selector: "ImportDeclaration[source.value='node:crypto'] ImportSpecifier:not([imported.name=/^createHash$|^Hash$/])",
          message: 'Of node:crypto the core takes createHash only.',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
    },
  },
  { files: ['*.config.ts'], rules: { 'no-restricted-syntax': 'off' } },
  { files: ['*.js'], languageOptions: { globals: { console: 'readonly', process: 'readonly' } } },
);
