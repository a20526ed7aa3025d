// SPDX-License-Identifier: MIT
//
// Two projects: `unit` (everything beside the code, conformance, fuzz) in parallel, then `e2e` one file at a time, because
// its suites start clusters and share the machine's ports.
import { defineConfig } from 'vitest/config'

const source = {
  resolve: { conditions: ['@tandem/source'] },
  ssr: { resolve: { conditions: ['@tandem/source'] } },
}

// On a machine that others use, a test of real processes may miss its time. In CI it gets a second run, and is listed as flaky.
const retry = process.env.CI ? 1 : 0

export default defineConfig({
  test: {
    projects: [
      {
        ...source,
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'services/*/src/**/*.test.ts',
            'cli/src/**/*.test.ts',
            'scripts/**/*.test.mjs',
            'test/**/*.test.ts',
          ],
          exclude: [
            'test/e2e/**',
            'test/chaos/any-edge.test.ts',
            'test/chaos/money/money.test.ts',
            'test/ops/**',
            'test/images/**',
            '**/node_modules/**',
          ],
          retry,
          testTimeout: 20_000,
          // Many tests wait for servers, timers and the store: as many workers as cores, where the default leaves one out.
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        ...source,
        test: {
          name: 'e2e',
          include: [
            'test/e2e/**/*.test.ts',
            'test/chaos/any-edge.test.ts',
            'test/chaos/money/money.test.ts',
            'test/ops/ops.test.ts',
            'test/images/**/*.test.ts',
          ],
          retry,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
