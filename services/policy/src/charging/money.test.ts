// SPDX-License-Identifier: MIT
//
// Money at random (money-play.ts) over the memory store, 300 interleavings; `npm run chaos:money -- --interleavings 100000` runs as many as that.
// Not tested here: processes that are killed (test/chaos/money).
import { createMemoryStore } from '@tandem/store'
import { test } from 'vitest'
import { START_MS } from '../policy-fixture.ts'
import { playMoney } from './money-play.ts'

const RUNS = Number(process.env.TANDEM_MONEY_RUNS ?? 300)

test(`money: ${RUNS} interleavings of calls, deaths and time leave every account exact`, {
  timeout: 60_000 + RUNS * 60,
}, async () => {
  const from = Number(process.env.TANDEM_MONEY_SEED ?? 1)
  for (let seed = from; seed < from + RUNS; seed++) {
    const clock = { ms: START_MS }
    await playMoney(seed, createMemoryStore({ now: () => clock.ms }), clock)
  }
})
