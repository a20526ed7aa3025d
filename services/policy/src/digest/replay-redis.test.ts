// SPDX-License-Identifier: MIT
//
// The rules that hold between nodes, on a real Redis server: one digest, one reference, one record for the cluster.
// The store's own contract suite covers the rest.

import { createRedisStore, type Store } from '@tandem/store'
import { type RunningRedis, redisAvailable, startRedis } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { answerTo, createWorld, decideOn, outcomeOf, recordsOf, request, type World } from '../policy-fixture.ts'

const redisServer = redisAvailable()

describe.skipIf(!redisServer.available)('two policy nodes over Redis (skipped where there is no redis-server)', () => {
  let redis: RunningRedis
  let stores: readonly [Store, Store]
  let world: World

  const ready = (store: Store) =>
    new Promise<void>((resolve) => {
      if (store.status.state === 'ready') resolve()
      store.onStatus(({ state }) => {
        if (state === 'ready') resolve()
      })
    })

  beforeAll(async () => {
    redis = await startRedis()
    stores = [createRedisStore({ url: redis.url }), createRedisStore({ url: redis.url })]
    await Promise.all(stores.map(ready))
    world = await createWorld()
  })
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await redis.stop()
  })

  const nodes = () => [world.node({ store: stores[0].policy }), world.node({ store: stores[1].policy })] as const

  test('an INVITE through two edges is one call; its digest in another transaction is a replay', async () => {
    const [one, two] = nodes()
    const asked = request()
    const credentials = [answerTo(await decideOn(one, asked), asked)]
    const invite = { ...asked, transactionKey: 'redis-invite', credentials }
    const [first, second] = await Promise.all([decideOn(one, invite), decideOn(two, { ...invite, edgeId: 'edge-1.1' })])
    expect(first).toEqual(second)
    expect(first.callRef).not.toBe('')
    expect(outcomeOf(await decideOn(two, { ...invite, transactionKey: 'redis-replay' }))).toBe('challenge 407')
    expect(two.counts.replayedNonces).toBe(1)
  })

  test('a call that one node rejects for a proven caller leaves one record, seen by the other', async () => {
    const [one, two] = nodes()
    const asked = request({ requestUri: 'sip:nobody@example.test' })
    const credentials = [answerTo(await decideOn(one, asked), asked)]
    const invite = { ...asked, transactionKey: 'redis-rejected', credentials }
    const [first, second] = [await decideOn(one, invite), await decideOn(two, invite)]
    expect(second).toEqual(first)
    expect(await recordsOf(stores[1].policy)).toMatchObject([
      { cdrId: first.callRef, outcome: 'rejected', finalStatus: 404 },
    ])
  })
})
