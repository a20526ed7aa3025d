// SPDX-License-Identifier: MIT
// The Redis store on a real server: the contract, then what only a server can show: going away and coming back, batches,
// durability, size and names of keys. Not tested: TLS (no certificate authority here), Sentinel (see sentinel.test.ts).
import { type RunningRedis, redisAvailable, startRedis, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contact, description, update, value } from '../contract/world.ts'
import { runStoreContract } from '../internal.ts'
import { createReference, SHARDS } from '../shard.ts'
import type { Store, StoreState } from '../store.ts'
import { createRedisStore } from './redis-store.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Redis tests are skipped: ${server.reason}`)

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

function stateOf(store: Store, wanted: StoreState, timeoutMs = 10_000): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${store.status.state}: ${store.status.detail}`)), timeoutMs)
    const look = () => {
      if (store.status.state !== wanted) return
      clearTimeout(timer)
      off()
      resolve()
    }
    const off = store.onStatus(look)
    look()
  })
}

const register = async (store: Store, aor: string, cseq = 1) =>
  store.location.register(update(aor, cseq, [contact('sip:a@192.0.2.1')]))

describe.skipIf(!server.available)('on redis-server', () => {
  let redis: RunningRedis
  beforeAll(async () => {
    redis = await startRedis()
  }, 30_000)
  afterAll(() => redis.stop())

  runStoreContract('redis-server', async (settings) => {
    const store = createRedisStore({ url: redis.url, settings })
    await stateOf(store, 'ready')
    return { store, advance: sleep, close: () => store.close() }
  })

  it('keeps every key in the layout: a hash tag of its shard, and nothing else', async () => {
    const keys = (await redis.ask('KEYS', '*')).split('\n').filter((key) => key !== '')
    const layout = [
      /^\{l\d{1,3}\}:(loc|changes|exp|watch:.+|due|on:.+:[0-9a-f])$/s,
      /^\{t\d{1,3}\}:(tx:.+|owned:.+|mint:.+)$/s,
      /^\{c\d{1,3}\}:(call:.+|due|beat|cdr|over:\d+)$/s,
      /^\{n\d{1,3}\}:(nc|fail):.+$/s,
      /^\{b\d{1,3}\}:(fail:.+|good:\d{1,2})$/s,
      /^\{bans\}:(ban|rev|gone)$/,
      /^\{h\d{1,3}\}:(due|beat|copy)$/s,
      /^\{a:[A-Za-z0-9._-]+\}:(acc|holds|exp|done|dexp|spend|keys|kexp|ledger)$/s,
      /^\{(a:[A-Za-z0-9._-]+|f:[A-Za-z]+:[^{}]+)\}:f(:[A-Za-z0-9._-]+)?$/s,
      /^\{fraud\}:(seen|events)$/,
      /^\{e\}:edges$/,
      /^\{k:[A-Za-z0-9._-]+\}:(p|r|o|h|q|n:[\w-]+)$/,
      /^\{trunks\}:(news|due|states)$/,
      /^\{g:[^{}\s]+\}:(turn|in|idle)$/,
      /^\{res\}:(head|log|docs|chunk:[A-Za-z0-9]+:\d+)$/,
      /^\{([ltcnbe]\d{0,3}|bans|res)\}:mark$/,
    ]
    expect(keys.length).toBeGreaterThan(100)
    expect(keys.filter((key) => !layout.some((shape) => shape.test(key)))).toEqual([])
  })

  it('removes records behind all groups', async () => {
    const store = createRedisStore({ url: redis.url })
    await stateOf(store, 'ready')
    await redis.ask('FLUSHALL')
    const refs = Array.from({ length: 50 }, () => createReference())
    const readers = ['a', 'b'].map((group) => store.policy.openRecords(group, 'c'))
    for (const reader of readers) expect(await value(reader.read(1))).toEqual([])
    const report = { call: description('x'), ageMs: 0, status: 486, cause: 'rejected', reason: '' }
    await Promise.all(refs.map(async (ref) => store.policy.failed(ref, report)))
    for (const reader of readers) {
      const ids: string[] = []
      for (let tries = 0; tries < 20 && ids.length < 50; tries++) {
        for (const item of await value(reader.read(100))) ids.push(item.id)
      }
      expect(ids).toHaveLength(50)
      await value(reader.acknowledge(ids))
    }
    const shards = new Set(refs.map((ref) => Number.parseInt(ref.slice(0, 2), 16)))
    const lengths = await Promise.all([...shards].map((shard) => redis.ask('XLEN', `{c${shard}}:cdr`)))
    expect(lengths.every((length) => length === '0')).toBe(true)
    await store.close()
  })

  it('sends what one turn asks for as one batch', async () => {
    const store = createRedisStore({ url: redis.url })
    await stateOf(store, 'ready')
    const results = await Promise.all(Array.from({ length: 500 }, (_, i) => register(store, `sip:batch-${i}@h`)))
    expect(results.every((result) => result.state === 'stored')).toBe(true)
    expect(store.counts()).toMatchObject({ redisScripts: 500, redisBatches: 1, redisInFlightCount: 0 })
    await store.close()
  })

  it('loads a script again where the server lost it', async () => {
    const store = createRedisStore({ url: redis.url })
    await stateOf(store, 'ready')
    await redis.ask('SCRIPT', 'FLUSH')
    expect(await value(register(store, 'sip:noscript@h'))).toMatchObject({ result: 'ok' })
    await store.close()
  })

  it('holds an address-of-record with one contact in 600 bytes', async () => {
    const store = createRedisStore({ url: redis.url })
    await stateOf(store, 'ready')
    await redis.ask('FLUSHALL')
    const used = async () => Number(/used_memory:(\d+)/.exec(await redis.ask('INFO', 'memory'))?.[1])
    const fill = async (from: number, count: number) => {
      const flow = { transport: 'udp', address: '198.51.100.23', port: 40_213, edgeId: '', flowId: 0 }
      const all = Array.from({ length: count }, async (_, i) => {
        const user = `1555${String(from + i).padStart(7, '0')}`
        const uri = `sip:${user}@198.51.100.23:40213`
        const instanceId = '<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>'
        const phone = { callId: `${from + i}-1a2b3c4d5e6f@192.168.1.23`, userAgent: 'Yealink SIP-T46S 66.85.0.5' }
        const asked = contact(uri, { expiresS: 3600, flow, instanceId })
        return store.location.register(update(`sip:${user}@pbx.example.test`, 1, [asked], phone))
      })
      for (const result of await Promise.all(all)) expect(result.state).toBe('stored')
    }
    const [before, size] = [await used(), 10_000]
    for (let from = 0; from < size; from += 500) await fill(from, 500)
    // The change feed is bounded per shard and does not grow with the bindings.
    for (let shard = 0; shard < SHARDS; shard++) await redis.ask('DEL', `{l${shard}}:changes`)
    const each = ((await used()) - before) / size
    console.info(`one AoR with one contact: ${Math.round(each)} bytes in Redis`)
    expect(each).toBeLessThan(600)
    await store.close()
  }, 60_000)

  it('says that no replica confirmed, when durability asks for one', async () => {
    const store = createRedisStore({ url: redis.url, durability: 'replica', timeoutMs: 600 })
    await stateOf(store, 'ready')
    const result = await register(store, 'sip:replica@h')
    expect(result).toMatchObject({ state: 'unknown', detail: expect.stringContaining('0 of 1 replicas') })
    expect(await value(store.location.locate('sip:replica@h'))).toMatchObject({ bindings: [{ cseq: 1 }] })
    await store.close()
  })

  it('confirms nothing to a repeat through another node while the replica lacks the write', async () => {
    const replica = await startRedis({ config: [`replicaof 127.0.0.1 ${redis.port}`] })
    await waitUntil('the replica to be online', async () => {
      return (await redis.ask('INFO', 'replication')).includes('state=online')
    })
    const nodes = [1, 2].map(() => createRedisStore({ url: redis.url, durability: 'replica', timeoutMs: 600 }))
    for (const node of nodes) await stateOf(node, 'ready')
    replica.pause()
    for (const node of nodes) expect(await register(node, 'sip:repeated@h')).toMatchObject({ state: 'unknown' })
    replica.resume()
    for (const node of nodes) expect(await register(node, 'sip:repeated@h')).toMatchObject({ state: 'stored' })
    await Promise.all(nodes.map((node) => node.close()))
    await replica.stop()
  }, 30_000)

  it('says what fsync needs: a server that has it, and an append-only file; and syncs where both are there', async () => {
    const store = createRedisStore({ url: redis.url, durability: 'fsync' })
    const version = /redis_version:(\d+)\.(\d+)/.exec(await redis.ask('INFO', 'server'))
    const isOld = Number(version?.[1]) * 100 + Number(version?.[2]) < 702
    await stateOf(store, 'unusable')
    const result = await register(store, 'sip:fsync@h')
    const detail = expect.stringContaining(isOld ? 'Redis 7.2' : 'appendonly yes')
    expect(result).toMatchObject({ state: 'notStored', reason: 'unsupported', detail })
    await store.close()
    if (isOld) return
    const synced = await startRedis({ config: ['appendonly yes', 'appendfsync everysec'] })
    const other = createRedisStore({ url: synced.url, durability: 'fsync' })
    await stateOf(other, 'ready')
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => register(other, `sip:fsync-${i}@h`)))
    expect(results.filter(({ state }) => state !== 'stored')).toEqual([])
    await other.close()
    await synced.stop()
  })
})

describe.skipIf(!server.available)('when the server goes away', () => {
  let redis: RunningRedis
  beforeAll(async () => {
    redis = await startRedis({ config: ['appendonly yes', 'appendfsync always'] })
  }, 30_000)
  afterAll(() => redis.stop())

  it('fails fast at the start, goes on trying, tells each change once, and becomes ready', async () => {
    await redis.kill()
    const store = createRedisStore({ url: redis.url })
    const states: StoreState[] = []
    store.onStatus((status) => states.push(status.state))
    await stateOf(store, 'away')
    const before = performance.now()
    const refused = await register(store, 'sip:early@h')
    expect(refused).toMatchObject({
      state: 'notStored',
      reason: 'away',
      detail: expect.stringContaining('ECONNREFUSED'),
    })
    expect(performance.now() - before).toBeLessThan(50)
    await sleep(300)
    await redis.start()
    await stateOf(store, 'ready')
    expect(states).toEqual(['away', 'ready'])
    expect(await register(store, 'sip:early@h')).toMatchObject({ state: 'stored' })
    await store.close()
    expect(await register(store, 'sip:late@h')).toMatchObject({ state: 'notStored', reason: 'closed' })
  }, 30_000)

  it('recovers by itself from a crash, with what was acknowledged', async () => {
    const store = createRedisStore({ url: redis.url })
    await stateOf(store, 'ready')
    await value(register(store, 'sip:crash@h'))
    await redis.kill()
    await stateOf(store, 'away')
    expect(await register(store, 'sip:crash@h', 2)).toMatchObject({ state: 'notStored', reason: 'away' })
    await redis.start()
    await stateOf(store, 'ready')
    expect(await value(store.location.locate('sip:crash@h'))).toMatchObject({ bindings: [{ cseq: 1 }] })
    expect(await register(store, 'sip:crash@h', 2)).toMatchObject({ state: 'stored' })
    await store.close()
  }, 30_000)

  it('ends what a silent server took as unknown, then fails fast, and repeats harmlessly', async () => {
    const store = createRedisStore({ url: redis.url, timeoutMs: 400 })
    await stateOf(store, 'ready')
    redis.pause()
    const results = await Promise.all([register(store, 'sip:silent@h'), store.location.locate('sip:silent@h')])
    expect(results.map((result) => result.state)).toEqual(['unknown', 'unknown'])
    await stateOf(store, 'away')
    expect(await register(store, 'sip:silent@h')).toMatchObject({ state: 'notStored', reason: 'away' })
    redis.resume()
    await stateOf(store, 'ready')
    expect(await register(store, 'sip:silent@h')).toMatchObject({ state: 'stored', value: { result: 'ok' } })
    expect(await value(store.location.locate('sip:silent@h'))).toMatchObject({ bindings: [{ cseq: 1 }] })
    await store.close()
  }, 30_000)

  it('refuses beyond its bound of operations on their way', async () => {
    const store = createRedisStore({ url: redis.url, maxInFlight: 3 })
    await stateOf(store, 'ready')
    const results = await Promise.all(Array.from({ length: 5 }, (_, i) => register(store, `sip:bound-${i}@h`)))
    expect(results.map((result) => result.state)).toEqual(['stored', 'stored', 'stored', 'notStored', 'notStored'])
    expect(results[4]).toMatchObject({ reason: 'full' })
    await store.close()
  })

  it('says when the server refuses writes, and stores when it takes them again', async () => {
    const store = createRedisStore({ url: redis.url })
    await stateOf(store, 'ready')
    await redis.ask('CONFIG', 'SET', 'min-replicas-to-write', '1')
    expect(await register(store, 'sip:refused@h')).toMatchObject({ state: 'notStored', reason: 'refused' })
    await redis.ask('CONFIG', 'SET', 'min-replicas-to-write', '0')
    expect(await register(store, 'sip:refused@h')).toMatchObject({ state: 'stored' })
    await store.close()
  })
})
