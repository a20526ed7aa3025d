// SPDX-License-Identifier: MIT
// The short form of `npm run chaos:money`: everything is killed for a minute at 50 calls a second, in small processes. It takes two to eight
// minutes, most of them waiting for leases, so it runs by hand: `TANDEM_CHAOS_MONEY=1 npx vitest run test/chaos/money/money.test.ts`.
import { redisAvailable, sippAvailable } from '@tandem/test-kit'
import { beforeEach, expect, it } from 'vitest'
import { DEFAULTS, money } from './money.ts'
import { report, verdictOf } from './report.ts'

const SHORT = { ...DEFAULTS, seconds: 60, rate: 50, isSmall: true }

beforeEach((context) => {
  if (process.env.TANDEM_CHAOS_MONEY !== '1') context.skip('it takes minutes: TANDEM_CHAOS_MONEY=1 runs it')
  for (const program of [sippAvailable(), redisAvailable()]) if (!program.available) context.skip(program.reason)
})

it('everything dies for a minute: each account is exact to the micro-unit, each answered call is charged once', {
  timeout: 900_000,
}, async () => {
  const outcome = await money(SHORT)
  const explanation = report(outcome).join('\n')
  expect(verdictOf(outcome), explanation).toEqual([])
  expect(outcome.figures.attempted).toBe(SHORT.seconds * SHORT.rate)
  expect(outcome.figures.answered, explanation).toBeGreaterThan(1_000)
  expect(
    outcome.kills.some(({ name }) => name === 'redis'),
    explanation,
  ).toBe(true)
})
