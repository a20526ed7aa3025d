// SPDX-License-Identifier: MIT
//
// Rules against fraud over two policy nodes and one real Redis server: calls that come at once can't overrun a level, in the account's own step and in a
// slot before it. Not tested here: what each measure means (fraud.test.ts), memory against Redis (the store's agreement).
import { createRedisStore, type Store } from '@tandem/store'
import { type RunningRedis, redisAvailable, startRedis } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { documentsWith, inviteOf } from '../charging/charging-fixture.ts'
import type { PolicyService } from '../options.ts'
import { createWorld, decideOn, outcomeOf, reportTo } from '../policy-fixture.ts'
import { ruleOf } from './fraud-fixture.ts'

const redisServer = redisAvailable()
const HOUR = 3_600_000
const CALLS = 50
const LIMIT = 10

const rules = [
  ruleOf('account', {
    select: { accounts: ['acme'] },
    measures: { callsPerWindow: { windowMs: HOUR, critical: { above: LIMIT, action: 'reject' } } },
  }),
  ruleOf('source', {
    scope: 'source',
    select: { accounts: ['other'] },
    measures: { concurrentCalls: { critical: { above: LIMIT, action: 'reject' } } },
  }),
]

const ready = (store: Store) =>
  new Promise<void>((resolve) => {
    if (store.status.state === 'ready') resolve()
    store.onStatus(({ state }) => {
      if (state === 'ready') resolve()
    })
  })

describe.skipIf(!redisServer.available)('two policy nodes over Redis (skipped where there is no redis-server)', () => {
  let redis: RunningRedis
  let stores: readonly Store[]
  let nodes: readonly PolicyService[]

  beforeAll(async () => {
    redis = await startRedis()
    stores = [createRedisStore({ url: redis.url }), createRedisStore({ url: redis.url })]
    await Promise.all(stores.map(ready))
    const world = await createWorld([...documentsWith({ acme: {}, other: {} }), ...rules])
    nodes = stores.map(({ policy, accounts, fraud }) => world.node({ store: policy, accounts, fraud }))
  }, 30_000)
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await redis.stop()
  })

  const nodeOf = (i: number) => nodes[i % nodes.length] as PolicyService
  const atOnce = (caller: string) =>
    Promise.all(
      Array.from({ length: CALLS }, async (_, i) => {
        const asked = inviteOf(caller)
        return { callId: asked.callId, decision: await decideOn(nodeOf(i), asked) }
      }),
    )

  test(`of ${CALLS} calls at once exactly ${LIMIT} are let through by the account's step`, async () => {
    const outcomes = (await atOnce('acme')).map(({ decision }) => outcomeOf(decision))
    expect(outcomes.filter((outcome) => outcome === 'plan')).toHaveLength(LIMIT)
    expect(outcomes.filter((outcome) => outcome === 'reject 403 fraud')).toHaveLength(CALLS - LIMIT)
  })

  test(`of ${CALLS} calls at once exactly ${LIMIT} are let through by a slot of their own; their ends make room`, async () => {
    const through = (await atOnce('other')).filter(({ decision }) => outcomeOf(decision) === 'plan')
    expect(through).toHaveLength(LIMIT)
    for (const [i, { callId, decision }] of through.slice(0, 3).entries()) {
      const { callRef, charge } = decision
      const call = { ...CALL, callId, account: 'other', charge }
      const value = { status: 487, cause: 'cancelled', reason: '' }
      const report = { callRef, call, event: { $case: 'failed' as const, value }, ageMs: 0 }
      await reportTo(nodeOf(i), report)
    }
    const slot = { scope: 'source', subject: '192.0.2.1' }
    await expect
      .poll(
        async () => {
          const live = await (stores[0] as Store).fraud.live(slot, 'source.live', 100)
          return live.state === 'stored' ? live.value.length : live.detail
        },
        { timeout: 10_000 },
      )
      .toBe(LIMIT - 3)
    const again = (await atOnce('other')).map(({ decision }) => outcomeOf(decision))
    expect(again.filter((outcome) => outcome === 'plan')).toHaveLength(3)
  })
})

const CALL = {
  fromTag: 'a1',
  fromUri: 'sip:other@pay.test',
  toUri: 'sip:bob@pay.test',
  requestUri: 'sip:bob@pay.test',
  source: undefined,
  identity: '',
  edgeId: 'edge-0.1',
  userAgent: '',
  setupAgeMs: 0xffffffff,
  ringAgeMs: 0xffffffff,
  attempts: [],
}
