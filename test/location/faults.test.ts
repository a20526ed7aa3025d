// SPDX-License-Identifier: MIT
// What befalls a single Redis under load: it is killed and comes back, it answers two seconds late, its memory is full. What was
// acknowledged stays, what was not is refused with 503 and Retry-After, repeats do no harm, and service comes back by itself.
// Not tested here: the loss of a master (failover.test.ts), moved slots (faults-slot.test.ts), clocks (faults-clock.test.ts).
import type { LocationService } from '@tandem/location'
import type { Result } from '@tandem/rpc'
import {
  createSteeredClock,
  type RunningRedis,
  redisAvailable,
  startRedis,
  steeredClockAvailable,
  waitUntil,
} from '@tandem/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import { startDelayProxy } from './support/delay-proxy.ts'
import { RegisterLoad } from './support/load.ts'
import { locate, locationOn, openStore, register } from './support/redis.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Fault tests are skipped: ${server.reason}`)
const steered = steeredClockAvailable()

const USERS = 200
/** Where memory runs out: what expires has to free more than the feed takes that tells of it. */
const REGISTERED = 4_000
const AT_ONCE = 200
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function openRedis(options: Parameters<typeof startRedis>[0] = {}): Promise<RunningRedis> {
  const redis = await startRedis(options)
  cleanups.push(() => redis.stop())
  return redis
}

async function services(url: string, log: string[] = []): Promise<LocationService[]> {
  const stores = await Promise.all([1, 2].map(() => openStore({ url })))
  cleanups.push(() => Promise.all(stores.map((store) => store.close())))
  return stores.map((store) => locationOn(store, log))
}

/** Until everybody has been acknowledged twice more: once may have been under way. */
async function untilServed(load: RegisterLoad, timeoutMs = 15_000): Promise<void> {
  const before = [...load.acknowledged]
  const isServed = () => load.acknowledged.every((cseq, user) => cseq > (before[user] ?? 0) + 1)
  await waitUntil('all to be served', isServed, timeoutMs)
}

async function killAndRestart(redis: RunningRedis, load: RegisterLoad): Promise<void> {
  await untilServed(load)
  await redis.kill()
  await waitUntil('a REGISTER to fail', () => load.refused + load.unknown > 0, 5_000)
  await sleep(500)
  await redis.start()
  await untilServed(load)
}

describe.skipIf(!server.available)('Redis is killed and restarted under load', () => {
  it.each(['always', 'everysec'])('with an append-only file, fsync %s: nothing acknowledged is lost', async (fsync) => {
    const redis = await openRedis({ config: ['appendonly yes', `appendfsync ${fsync}`] })
    const nodes = await services(redis.url)
    const load = new RegisterLoad(nodes, USERS, { looksUp: true })
    await killAndRestart(redis, load)
    await load.stop()
    expect(await load.lost(nodes[0] as LocationService)).toEqual([])
    expect(load).toMatchObject({ bad: [], wrong: [] })
    console.info(`${load.done} acknowledged, ${load.refused} refused, ${load.unknown} unknown in ${load.awayMs} ms`)
    expect(load.awayMs).toBeLessThan(5_000)
  })

  it('without one: all bindings are gone, and everybody is served again by his next REGISTER', async () => {
    const redis = await openRedis()
    const nodes = await services(redis.url)
    const load = new RegisterLoad(nodes, USERS)
    await killAndRestart(redis, load)
    await load.stop()
    expect(await load.lost(nodes[0] as LocationService)).toEqual([])
    expect(load.bad).toEqual([])
    await redis.kill()
    await redis.start()
    await waitUntil('the store', async () => (await locate(nodes[0] as LocationService, 0)).outcome === 'done')
    expect(await locate(nodes[0] as LocationService, 0)).toMatchObject({ value: { bindings: [] } })
  })
})

describe.skipIf(!server.available)('Redis answers two seconds late', () => {
  it('answers in time that nobody knows, then that the store is away; repeats with the same CSeq tear nothing', async () => {
    const redis = await openRedis({ config: ['appendonly yes'] })
    const proxy = await startDelayProxy(redis.port)
    cleanups.push(() => proxy.close())
    const nodes = await services(`redis://127.0.0.1:${proxy.port}`)
    const load = new RegisterLoad(nodes, USERS, { looksUp: true })
    await untilServed(load)
    proxy.delayMs = 2_000
    await waitUntil('a REGISTER to fail', () => load.unknown + load.refused > 0, 5_000)
    const late = await timed(() => register(nodes[0] as LocationService, 999, 1))
    const found = await timed(() => locate(nodes[1] as LocationService, 999))
    for (const { ms, result } of [late, found]) {
      expect(ms).toBeLessThan(1_500)
      expect(result.outcome).not.toBe('done')
    }
    await sleep(4_000)
    proxy.delayMs = 0
    await untilServed(load)
    await load.stop()
    expect(await load.lost(nodes[0] as LocationService)).toEqual([])
    expect(load).toMatchObject({ bad: [], wrong: [] })
    console.info(`${load.done} acknowledged, ${load.refused} refused, ${load.unknown} unknown`)
  }, 40_000)
})

async function timed<T>(act: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const startMs = performance.now()
  const result = await act()
  return { ms: performance.now() - startMs, result }
}

describe.skipIf(!server.available || !steered.available)('Redis has no memory left (noeviction)', () => {
  it('refuses newcomers and calls with 503 and Retry-After; lookups, refreshes, removals, leases, expiry go on; recovers', async () => {
    const clock = createSteeredClock(1_700_000_000_000)
    cleanups.push(() => clock.close())
    const redis = await openRedis({ env: clock.env })
    const log: string[] = []
    const nodes = await services(redis.url, log)
    const [node, other] = nodes as [LocationService, LocationService]
    for (let first = 0; first < REGISTERED; first += AT_ONCE) {
      const some = await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => register(node, first + i, 1)))
      expect(some.filter(({ outcome }) => outcome !== 'done')).toEqual([])
    }

    await redis.ask('CONFIG', 'SET', 'maxmemory', String((await usedBytes(redis)) + 300_000))
    const refused = await untilRefused(other)
    expect(refused).toMatchObject({ outcome: 'refused', refusal: { code: 'store_refused', sipStatus: 503 } })
    expect(refused.outcome === 'refused' && refused.refusal.retryAfterS).toBeGreaterThan(0)
    expect(log).toEqual(['the store refuses writes: new registrations and calls get 503, lookups go on'])
    expect(other.counts.storeRefused).toBeGreaterThan(0)
    expect(await begin(node)).toMatchObject({ outcome: 'refused', refusal: { code: 'store_refused', sipStatus: 503 } })

    expect(await locate(other, 7)).toMatchObject({ value: { bindings: [{ cseq: 1 }] } })
    expect(await register(node, 7, 2)).toMatchObject({ outcome: 'done', value: { bindings: [{ cseq: 2 }] } })
    expect(await locate(other, 7)).toMatchObject({ value: { bindings: [{ cseq: 2 }] } })
    expect(await kick(node, 8)).toMatchObject({ outcome: 'done', value: { removed: 1 } })
    expect(await locate(other, 8)).toMatchObject({ value: { bindings: [] } })
    expect(await lease(node)).toMatchObject({ outcome: 'done' })
    expect(await digests(redis.url)).toMatchObject([{ value: 'fresh' }, { value: 'fresh' }, { value: 'replay' }])
    expect(other.ready()).toBe(true)

    clock.advance(4_000_000)
    await node.sweep()
    expect(node.counts.swept).toBeGreaterThanOrEqual(REGISTERED - 1)
    expect(await register(other, 5_000, 1)).toMatchObject({ outcome: 'done' })
  }, 40_000)
})

async function usedBytes(redis: RunningRedis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.ask('INFO', 'memory'))?.[1])
}

async function untilRefused(node: LocationService): Promise<Result<unknown>> {
  for (let user = 10_000; user < 40_000; user++) {
    const result = await register(node, user, 1)
    if (result.outcome !== 'done') return result
  }
  throw new Error('nobody was refused')
}

const CONTEXT = { msLeft: 2_000, peer: 'edge-0.a' }

function begin(node: LocationService) {
  const call = { transactionKey: 'k', owner: 'edge-0.a', invite: Buffer.alloc(900), upstream: undefined, callRef: 'r' }
  const more = { plan: Buffer.alloc(0), step: 0, branches: [], leaseMs: 60_000 }
  return node.handlers.beginCall({ ...call, ...more }, CONTEXT)
}

function kick(node: LocationService, user: number) {
  return node.unary.kick({ aor: `sip:user-${user}@example.test`, contact: '' }, CONTEXT)
}

/** A phone refreshes with a nonce that is new, with it again, and somebody repeats it. */
async function digests(url: string): Promise<unknown[]> {
  const store = await openStore({ url })
  cleanups.push(() => store.close())
  const use = (count: number, key: string) =>
    store.policy.useNonce({ nonceId: 'nonce', count, transactionKey: key, ttlMs: 60_000, user: 'u', source: 's' })
  return [await use(1, 'a'), await use(2, 'b'), await use(2, 'c')]
}

function lease(node: LocationService) {
  const place = { internalAddress: '127.0.0.1', internalPort: 5150, listeners: [], draining: false, version: '' }
  return node.handlers.leaseEdge(
    { edge: { id: 'edge-0.a', name: 'edge-0', incarnation: 'a', ...place }, leaseMs: 5_000 },
    CONTEXT,
  )
}
