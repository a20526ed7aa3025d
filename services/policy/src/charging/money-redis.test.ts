// SPDX-License-Identifier: MIT
//
// Money at random (money-play.ts) over Redis, whose clock the test steers. Each operation is a round trip, so it is as many interleavings as
// fit into BUDGET_MS; `TANDEM_MONEY_RUNS` and `TANDEM_MONEY_SEED` run others.

import { createRedisStore } from '@tandem/store'
import { createSteeredClock, redisAvailable, startRedis, steeredClockAvailable, waitUntil } from '@tandem/test-kit'
import { beforeEach, expect, test } from 'vitest'
import { START_MS } from '../policy-fixture.ts'
import { playMoney } from './money-play.ts'

const RUNS = Number(process.env.TANDEM_MONEY_RUNS ?? 300)
const BUDGET_MS = process.env.TANDEM_MONEY_RUNS === undefined ? 12_000 : Number.POSITIVE_INFINITY

beforeEach((context) => {
  for (const needed of [redisAvailable(), steeredClockAvailable()]) if (!needed.available) context.skip(needed.reason)
})

test('money: interleavings of calls, deaths and time leave every account exact, on Redis', {
  timeout: 120_000 + RUNS * 1_000,
}, async () => {
  const steered = createSteeredClock(START_MS)
  const redis = await startRedis({ env: steered.env })
  const store = createRedisStore({ url: redis.url })
  const clock = {
    get ms() {
      return steered.nowMs
    },
    set ms(at: number) {
      steered.advance(at - steered.nowMs)
    },
  }
  try {
    await waitUntil('the store', () => store.status.state === 'ready')
    const from = Number(process.env.TANDEM_MONEY_SEED ?? 1)
    const untilMs = performance.now() + BUDGET_MS
    let seed = from
    for (; seed < from + RUNS && performance.now() < untilMs; seed++) {
      await redis.ask('FLUSHALL')
      await playMoney(seed, store, clock)
    }
    console.info(`${seed - from} interleavings on Redis, from seed ${from} on`)
    expect(seed).toBeGreaterThan(from)
  } finally {
    await store.close()
    await redis.stop()
    steered.close()
  }
})
