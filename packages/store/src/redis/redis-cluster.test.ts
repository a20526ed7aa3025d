// SPDX-License-Identifier: MIT
// The Redis store on a real cluster of three masters and three replicas: the contract, batches per node, replicas that
// confirm, and a master that dies. Not tested: resharding under load.
import { type RunningRedisCluster, redisAvailable, startRedisCluster } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contact, update, value } from '../contract/world.ts'
import { runStoreContract } from '../internal.ts'
import type { Stored } from '../result.ts'
import type { Store } from '../store.ts'
import type { RegisterOutcome } from '../types.ts'
import { createRedisStore, type RedisStoreOptions } from './redis-store.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Redis Cluster tests are skipped: ${server.reason}`)

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

async function open(options: RedisStoreOptions): Promise<Store> {
  const store = createRedisStore(options)
  for (let tries = 0; tries < 200 && store.status.state !== 'ready'; tries++) await sleep(50)
  expect(store.status.state).toBe('ready')
  return store
}

describe.skipIf(!server.available)('on a Redis Cluster of six', () => {
  let cluster: RunningRedisCluster
  beforeAll(async () => {
    cluster = await startRedisCluster()
  }, 60_000)
  afterAll(() => cluster.stop())

  runStoreContract('Redis Cluster', async (settings) => {
    const store = await open({ url: cluster.url, settings })
    return { store, advance: sleep, close: () => store.close() }
  })

  const registerAll = (store: Store, name: string, count: number): Promise<Stored<RegisterOutcome>[]> => {
    const asked = Array.from({ length: count }, (_, i) => update(`sip:${name}-${i}@h`, 1, [contact('sip:a@h')]))
    return Promise.all(asked.map(async (one) => store.location.register(one)))
  }

  it('sends what one turn asks for as one batch per master', async () => {
    const store = await open({ url: cluster.url })
    const results = await registerAll(store, 'batch', 600)
    expect(results.filter((result) => result.state !== 'stored')).toEqual([])
    expect(store.counts()).toMatchObject({ redisScripts: 600, redisBatches: 3 })
    await store.close()
  })

  it('waits for a replica when durability asks for it', async () => {
    const store = await open({ url: cluster.url, durability: 'replica' })
    const results = await registerAll(store, 'replica', 60)
    expect(results.filter((result) => result.state !== 'stored')).toEqual([])
    const tooMany = await open({ url: cluster.url, durability: 'replica', replicas: 2, timeoutMs: 400 })
    expect((await registerAll(tooMany, 'replicas', 1))[0]).toMatchObject({ state: 'unknown' })
    await Promise.all([store.close(), tooMany.close()])
  })

  it('serves again after a master died, and repeats lose nothing', async () => {
    const store = await open({ url: cluster.url, durability: 'replica', timeoutMs: 1_000 })
    const before = await registerAll(store, 'failover', 60)
    expect(before.every((result) => result.state === 'stored')).toBe(true)
    await cluster.nodes[0]?.kill()
    let results: Stored<RegisterOutcome>[] = []
    for (let tries = 0; tries < 100; tries++) {
      results = await registerAll(store, 'during', 60)
      const isBack = results.filter((result) => result.state === 'notStored').length === 0
      if (isBack && tries > 0 && results.every((result) => result.state === 'stored' || confirms(result))) break
      await sleep(100)
    }
    expect(results.filter((result) => result.state !== 'stored' && !confirms(result))).toEqual([])
    const found = await Promise.all(
      before.map(async (_, i) => (await value(store.location.locate(`sip:failover-${i}@h`))).bindings.length),
    )
    expect(found.every((count) => count === 1)).toBe(true)
    expect(store.counts()).toMatchObject({ redisMoved: 1 })
    await store.close()
  }, 60_000)
})

/** The new master has no replica left: written, not confirmed. */
function confirms(result: Stored<RegisterOutcome>): boolean {
  return result.state === 'unknown' && result.detail.includes('0 of 1 replicas')
}
