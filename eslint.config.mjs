// SPDX-License-Identifier: MIT
//
// Only what needs types (promises), and the purity of the SIP core. Everything else is Biome's.
import tseslint from 'typescript-eslint'

const IMPURE = [
  'Date',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'process',
  'performance',
  'fetch',
  'crypto',
]

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', 'packages/rpc/src/gen/**', '.cache/**', '**/*.mjs'] },
  {
    files: ['**/*.ts'],
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { project: './tsconfig.check.json', tsconfigRootDir: import.meta.dirname },
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
    },
  },
  {
    // DESIGN §3.10: no sockets, no clock, no randomness, no environment.
    files: ['packages/sip/src/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-globals': ['error', ...IMPURE],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random' },
        { object: 'globalThis', property: 'process' },
      ],
    },
  },
)
