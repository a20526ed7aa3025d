// SPDX-License-Identifier: MIT
//
// Dependencies point one way (DESIGN §8): sip ← transport ← edge; services import packages, never each other; a package is
// entered by its doors only. Type-only imports count too.
const LIBRARY = '^packages/([^/]+)/src/'

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Cycles of types alone are erased and allowed.',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'not-found',
      severity: 'error',
      // A bench with a package of its own is installed by itself.
      from: { pathNot: '^packages/[^/]+/bench/' },
      to: { couldNotResolve: true },
    },
    {
      name: 'sip-is-pure',
      severity: 'error',
      comment: 'packages/sip imports nothing but node:buffer and node:crypto.',
      from: { path: '^packages/sip/src/', pathNot: '\\.test\\.ts$' },
      to: { pathNot: ['^packages/sip/src/', '^(node:)?(buffer|crypto)$'] },
    },
    {
      name: 'packages-import-no-service',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: '^(services|cli)/' },
    },
    {
      name: 'services-do-not-meet',
      severity: 'error',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^(services/(?!$1/)|cli/)' },
    },
    {
      name: 'transport-knows-only-sip-and-the-addon',
      severity: 'error',
      from: { path: '^packages/transport/src/', pathNot: '(\\.test|-contract)\\.ts$' },
      to: { path: '^packages/(?!transport/|sip/|udp-batch/)' },
    },
    {
      name: 'doors-of-packages',
      severity: 'error',
      comment:
        "Nobody imports another package's src but through index.ts, tests and test-kit also through internal.ts.",
      from: { path: LIBRARY },
      to: { path: '^packages/(?!$1/)[^/]+/src/', pathNot: '^packages/[^/]+/src/(index|internal)\\.ts$' },
    },
    {
      name: 'doors-of-packages-from-outside',
      severity: 'error',
      from: { path: '^(services|cli|test)/' },
      to: { path: '^packages/[^/]+/src/', pathNot: '^packages/[^/]+/src/(index|internal)\\.ts$' },
    },
    {
      name: 'doors-of-services',
      severity: 'error',
      from: { path: '^cli/' },
      to: { path: '^services/[^/]+/src/', pathNot: '^services/[^/]+/src/index\\.ts$' },
    },
    {
      name: 'doors-of-services-for-tests',
      severity: 'error',
      from: { path: '^test/' },
      to: { path: '^services/[^/]+/src/', pathNot: '^services/[^/]+/src/(index|internal)\\.ts$' },
    },
    {
      name: 'internal-is-for-tests',
      severity: 'error',
      from: { path: '^(packages|services|cli)/', pathNot: '(\\.test\\.ts$|^packages/test-kit/|/bench/)' },
      to: { path: '^packages/[^/]+/src/internal\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(/dist/|^packages/rpc/src/gen/)' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.check.json' },
    enhancedResolveOptions: {
      conditionNames: ['@tandem/source', 'import', 'node', 'default', 'types'],
      exportsFields: ['exports'],
      extensions: ['.ts', '.mjs', '.js', '.json'],
    },
  },
}
