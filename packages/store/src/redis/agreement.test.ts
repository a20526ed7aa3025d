// SPDX-License-Identifier: MIT
// Memory and Redis agree on random operations: registers, refreshes, removals, kicks, expiry, watches, the directory of calls, membership,
// references and nonces, counters of rules against fraud. The clock of a real server stands still and moves with the clock of memory, so that leases and times to live end
// in both at one millisecond. TANDEM_AGREEMENT_OPERATIONS=100000 for the whole, TANDEM_AGREEMENT_SEED to go a way again.
// Not tested here: calls on record and finished records.
import {
  createRandom,
  createSteeredClock,
  type RunningRedis,
  redisAvailable,
  type SteeredClock,
  startRedis,
  steeredClockAvailable,
  waitUntil,
} from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { agree } from '../contract/agreement/agree.ts'
import { createMemoryStore } from '../memory/memory-store.ts'
import { createRedisStore } from './redis-store.ts'

const missing = [redisAvailable(), steeredClockAvailable()].find(({ available }) => !available)
if (missing?.available === false) console.warn(`Memory and Redis are not compared: ${missing.reason}`)

const OPERATIONS = Number(process.env.TANDEM_AGREEMENT_OPERATIONS ?? 4_000)
const SEED = Number(process.env.TANDEM_AGREEMENT_SEED ?? Math.floor(Math.random() * 2 ** 31))
const SETTINGS = { changesMaxLen: 100_000, edgeKeepMs: 10_000, edgeFreezeMs: 4_000 }

describe.skipIf(missing !== undefined)('memory and Redis', () => {
  let clock: SteeredClock
  let redis: RunningRedis
  beforeAll(async () => {
    clock = createSteeredClock(1_700_000_000_000)
    redis = await startRedis({ env: clock.env })
  }, 60_000)
  afterAll(async () => {
    await redis.stop()
    clock.close()
  })

  it(`MUST agree on ${OPERATIONS} random operations, seed ${SEED}`, async () => {
    const memory = createMemoryStore({ now: () => clock.nowMs, settings: SETTINGS })
    const server = createRedisStore({ url: redis.url, settings: SETTINGS })
    await waitUntil('the store', () => server.status.state === 'ready')
    const startMs = performance.now()
    await expect(agree({ memory, server }, clock, createRandom(SEED), OPERATIONS)).resolves.toBeUndefined()
    const tookS = ((performance.now() - startMs) / 1_000).toFixed(1)
    console.info(`memory and Redis agree on ${OPERATIONS} random operations, seed ${SEED}, ${tookS} s`)
    await server.close()
  }, 600_000)
})
