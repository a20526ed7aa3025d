// SPDX-License-Identifier: MIT
//
// The table against the code that refuses: the status of each refusal stands in it. Reads the sources, for a status is an argument there.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { EdgeCounts } from './counts.ts'
import { reasonOf } from './log/call-log.ts'
import { EDGE_REFUSALS } from './refusals.ts'

const SOURCES = globSync('**/*.ts', { cwd: import.meta.dirname, exclude: ['**/*.test.ts'] })
const CALL = /(?:refuseAs\(\s*[\w.]+,\s*|refusedAs\()'(refused\w+)',[^)]*?\b(\d{3})\b/g

const calls = SOURCES.flatMap((file) =>
  [...readFileSync(join(import.meta.dirname, file), 'utf8').matchAll(CALL)].map(([, count, status]) => ({
    reason: reasonOf(count as Parameters<typeof reasonOf>[0]),
    status: Number(status),
  })),
)

it('has each count of refusals', () => {
  const counts = Object.keys(new EdgeCounts()).filter((name) => name.startsWith('refused'))
  const reasons = counts.map((name) => reasonOf(name as Parameters<typeof reasonOf>[0]))
  expect(EDGE_REFUSALS.map(({ reason }) => reason).sort()).toEqual(reasons.sort())
})

it('has the statuses that are sent', () => {
  expect(calls.length).toBeGreaterThan(12)
  for (const { reason, status } of calls) {
    expect({ reason, statuses: EDGE_REFUSALS.find((one) => one.reason === reason)?.statuses }).toEqual({
      reason,
      statuses: expect.arrayContaining([status]),
    })
  }
})

it('says 481 where the sources say 481', () => {
  expect(calls).toContainEqual({ reason: 'no_dialog', status: 481 })
})
