// SPDX-License-Identifier: MIT
// The short form of `npm run soak`: 20,000 calls, enough to find what one call leaves behind. Run as a program, for what a test runner
// keeps of its own would be measured too. Not tested here: what only grows over hours, which is the long form's.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { type SoakSample, trend } from './soak.ts'

const CALLS = 20_000

it(`${CALLS} calls leave nothing behind`, { timeout: 300_000 }, async () => {
  const args = ['--conditions=@tandem/source', join(import.meta.dirname, 'run.ts'), String(CALLS)]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  expect(stdout).toContain(`calls answered ${CALLS}, ended ${CALLS}, records taken ${CALLS}, left at the end 0,0,0,0`)
})

it('finds a trend where there is one', () => {
  const sample = (calls: number, heapBytes: number): SoakSample => ({
    calls,
    heapBytes,
    externalBytes: 0,
    residentBytes: 0,
    keptBytes: 0,
    serverTransactions: 0,
    clientTransactions: 0,
    mints: 0,
    finishedCalls: 0,
  })
  const leaking = [sample(1_000, 5_000_000), sample(2_000, 5_440_000), sample(3_000, 5_900_000)]
  expect(trend(leaking, ({ heapBytes }) => heapBytes)).toBeCloseTo(450)
  expect(trend(leaking, ({ externalBytes }) => externalBytes)).toBe(0)
})
