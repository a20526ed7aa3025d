// SPDX-License-Identifier: MIT
// The short form of `npm run ops`, which takes minutes on a slow machine and so runs by hand (`TANDEM_OPS=1 npx vitest run test/ops`): every service and edge is replaced by a new process while calls go on. One bound is wider than in the long form,
// with its reason below. Not tested here: more and fewer edges, Redis' failover, certificates, keys, 100 calls a second: `npm run ops`
// (docs/operations/restarts.md).
import { redisAvailable, sippAvailable } from '@tandem/test-kit'
import { beforeEach, expect, it } from 'vitest'
import { type OpsOptions, ops } from './ops.ts'
import { report, wrongWith } from './report.ts'

/** One of so few calls is more than the promised 0.1 %. */
const SETUPS_FAILED_SHARE = 0.01
const SHORT: OpsOptions = {
  scenario: 'roll',
  seconds: 200,
  rate: 10,
  talkMs: 1_000,
  settleMs: 2_000,
  callees: 4,
  nodes: { edge: 2, location: 1, policy: 1, records: 1 },
  drainMs: 10_000,
  warmUpCalls: 0,
}

beforeEach((context) => {
  if (process.env.TANDEM_OPS !== '1') context.skip('it takes minutes: TANDEM_OPS=1 runs it')
  for (const program of [sippAvailable(), redisAvailable()]) if (!program.available) context.skip(program.reason)
})

const TITLE =
  'a new process for each: no established call is lost, each answered call has one record, 1 % of set-ups fail at most'

it(TITLE, { timeout: 300_000 }, async () => {
  const outcome = await ops(SHORT)
  const { figures, ends } = outcome
  const explanation = [...report(outcome), ...figures.cases.map(({ callId, what }) => `${callId}: ${what}`)].join('\n')
  expect(wrongWith(SHORT, outcome, SETUPS_FAILED_SHARE), explanation).toEqual([])
  expect(ends.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
})
