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

  const REGISTER = { method: 'REGISTER', requestUri: 'sip:example.test', to: '<sip:alice@example.test>' }

  test('[RFC7616-3.4.5] a REGISTER is repeated by its phone through the other node, and by nobody else', async () => {
    const [one, two] = nodes()
    const asked = request(REGISTER)
    const credentials = [answerTo(await decideOn(one, asked), asked)]
    const register = { ...asked, transactionKey: `redis-register ${asked.callId}`, credentials }
    expect(outcomeOf(await decideOn(one, register))).toBe('admit')
    expect(outcomeOf(await decideOn(two, register))).toBe('admit')
    for (const other of [{ transactionKey: 'another' }, { callId: 'another' }, { cseq: 9 }, { fromTag: 'x' }]) {
      expect(JSON.stringify(await decideOn(two, { ...register, ...other }))).toContain('stale=true')
    }
    const source = { transport: 'udp', address: '198.51.100.66', port: 5060 }
    expect(JSON.stringify(await decideOn(two, { ...register, source }))).toContain('stale=true')
  })

  test('a nonce is one string, which does not grow beyond its window', async () => {
    const [one, two] = nodes()
    const asked = request({ method: 'MESSAGE' })
    const challenge = await decideOn(one, asked)
    const use = async (count: number, transactionKey = `${asked.callId} ${count}`) => {
      const nc = count.toString(16).padStart(8, '0')
      const credentials = [answerTo(challenge, asked, { nc })]
      return outcomeOf(await decideOn(count % 2 === 0 ? one : two, { ...asked, transactionKey, credentials }))
    }
    for (let count = 1; count <= 150; count++) expect(await use(count)).toBe('plan')
    expect(await use(150, 'replay')).toBe('challenge 407')
    expect(await use(86)).toBe('challenge 407') // below the window
    expect(await use(300)).toBe('plan')
    expect(await use(299)).toBe('plan') // late, and the first of its count
    const keys = (await redis.ask('KEYS', '*:nc:*')).split('\n').filter((key) => key !== '')
    const sizes = await Promise.all(keys.map(async (key) => Number(await redis.ask('STRLEN', key))))
    expect(Math.max(...sizes)).toBe(4 + 64 * 8)
  })

  describe.each(['killed', 'frozen'] as const)('the server is %s', (how) => {
    type Node = ReturnType<World['node']>

    async function without(
      replayWithoutStore: 'oneTime' | 'open',
      act: (one: Node, two: Node) => Promise<void>,
    ): Promise<void> {
      const server = await startRedis()
      const store = createRedisStore({ url: server.url, timeoutMs: 300 })
      try {
        await ready(store)
        const make = () => world.node({ store: store.policy, config: { replayWithoutStore } })
        const [one, two] = [make(), make()]
        if (how === 'killed') await server.kill()
        else server.pause()
        await act(one, two)
      } finally {
        if (how === 'frozen') server.resume()
        await store.close()
        await server.stop()
      }
    }

    test('oneTime: a nonce of a node is taken once by that node, and by no other', () =>
      without('oneTime', async (one, two) => {
        const asked = request({ method: 'MESSAGE' })
        const answer = (challenge: Awaited<ReturnType<typeof decideOn>>, node: Node, key: string) =>
          decideOn(node, {
            ...asked,
            transactionKey: `${asked.callId} ${key}`,
            credentials: [answerTo(challenge, asked)],
          })
        const stale = await answer(await decideOn(one, asked), one, '1')
        expect(JSON.stringify(stale)).toContain('stale=true')
        expect(JSON.stringify(await answer(stale, two, '2'))).toContain('stale=true')
        expect(outcomeOf(await answer(stale, one, '3'))).toBe('plan')
        expect(JSON.stringify(await answer(stale, one, '4'))).toContain('stale=true')
      }))

    test('open: a call within the cluster passes without a record, REGISTER does not', () =>
      without('open', async (one) => {
        const call = request()
        const credentials = [answerTo(await decideOn(one, call), call)]
        expect(outcomeOf(await decideOn(one, { ...call, credentials }))).toBe('plan')
        const asked = request(REGISTER)
        const refused = [answerTo(await decideOn(one, asked), asked)]
        await expect(decideOn(one, { ...asked, credentials: refused })).rejects.toThrow(/store_away|unknown/)
      }))
  })
})
