// SPDX-License-Identifier: MIT
// Watch over gRPC, with location nodes on a real Redis and an edge's cache before them: two nodes of which one dies, a stream that is
// cut, Redis frozen, killed and read too slowly; what it costs Redis when nothing happens.
// Not tested here: any order of events (cache-property.test.ts), calls (test/e2e/cache-coherence.test.ts), Cluster and failovers of the
// feed (the store's contract).
import { connect, createServer, type Socket } from 'node:net'
import { LocationCache } from '@tandem/edge/internal'
import {
  createLocationWatch,
  createRpcServer,
  createStreamCaller,
  locationService,
  serveLocation,
  serveLocationWatch,
} from '@tandem/rpc'
import type { StoreSettings } from '@tandem/store'
import { type RunningRedis, redisAvailable, startRedis, waitUntil } from '@tandem/test-kit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { locationOn, openStore, register } from './support/redis.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Tests of Watch are skipped: ${server.reason}`)

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const cleanups: (() => unknown)[] = []
let redis: RunningRedis
beforeEach(async () => {
  if (!server.available) return
  redis = await startRedis()
  cleanups.push(() => redis.stop())
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function openNode(settings: Partial<StoreSettings> = {}) {
  const store = await openStore({ url: redis.url, settings })
  const service = locationOn(store)
  const rpc = createRpcServer({ onBug: (error) => expect.unreachable(String(error)) })
  serveLocation(rpc, { ...service.handlers, ...service.unary }, { pushes: service.pushes, ...service.hooks })
  serveLocationWatch(rpc, service.changes)
  const port = await rpc.listen('127.0.0.1', 0)
  const die = async () => {
    await rpc.close(0)
    await service.stop()
    await store.close()
  }
  cleanups.push(die)
  return { service, port, place: `127.0.0.1:${port}`, die }
}

/** @param places of location nodes, the first one watched first; @param asked who answers Locate */
async function openEdge(places: readonly string[], asked = places) {
  const caller = createStreamCaller(locationService, asked, { peer: 'edge-0.a' })
  const watch = createLocationWatch(places, { peer: 'edge-0.a', random: () => 0 })
  const cache = new LocationCache({
    maxEntries: 1_000,
    maxBytes: 1_000_000,
    maxAgeMs: 600_000,
    now: () => performance.now(),
    isMember: () => true,
    ask: (aor, onResult) => caller.call('locate', { aor }, 2_000, onResult),
  })
  watch.start(cache)
  cleanups.push(
    () => watch.close(),
    () => caller.close(),
  )
  await isOn(cache)
  await waitUntil('a stream', () => caller.ready)
  return cache
}

const isOn = (cache: LocationCache) => waitUntil('the cache to be on', () => cache.isFresh, 10_000)
const isOff = (cache: LocationCache) => waitUntil('the cache to be off', () => !cache.isFresh, 3_000)
const aorOf = (user: number): string => `sip:user-${user}@example.test`

/** CSeq of its binding, as a call would find it; -1 where location does not say. */
function located(cache: LocationCache, user: number): Promise<number> {
  return new Promise((resolve) =>
    cache.locate(aorOf(user), (result) =>
      resolve(result.outcome === 'done' ? (result.value.bindings[0]?.cseq ?? 0) : -1),
    ),
  )
}

/** Whether a look-up is answered without location. */
async function isKept(cache: LocationCache, user: number): Promise<boolean> {
  const { hits } = cache.counts
  await located(cache, user)
  return cache.counts.hits > hits
}

describe.skipIf(!server.available)('an edge that watches', () => {
  it('forgets what changes through any node, and nothing else', async () => {
    const nodes = [await openNode(), await openNode()] as const
    const cache = await openEdge(nodes.map(({ place }) => place))
    for (const user of [1, 2]) expect((await register(nodes[0].service, user, 1)).outcome).toBe('done')
    await sleep(100)
    expect([await located(cache, 1), await located(cache, 2)]).toEqual([1, 1])
    expect([await isKept(cache, 1), await isKept(cache, 2)]).toEqual([true, true])
    const { flushes } = cache.counts
    await register(nodes[1].service, 1, 2)
    await waitUntil('the change to be told', () => cache.size === 1)
    expect([await isKept(cache, 2), await located(cache, 1)]).toEqual([true, 2])
    expect(cache.counts.flushes).toBe(flushes)
  })

  it('whose node dies has another within a heartbeat, and has forgotten everything', async () => {
    const nodes = [await openNode(), await openNode()] as const
    const cache = await openEdge(nodes.map(({ place }) => place))
    await register(nodes[1].service, 1, 1)
    await sleep(100)
    await located(cache, 1)
    const { flushes } = cache.counts
    const diedMs = performance.now()
    await nodes[0].die()
    await waitUntil('another node', () => cache.counts.flushes >= flushes + 2 && cache.isFresh, 2_000)
    expect(performance.now() - diedMs).toBeLessThan(1_000)
    expect(await located(cache, 1)).toBe(1)
    await register(nodes[1].service, 1, 2)
    await sleep(100)
    expect(await located(cache, 1)).toBe(2)
  })

  it('whose node is silent goes to another after 600 ms', async () => {
    const [near, far] = [await openNode(), await openNode()]
    const relay = await openRelay(near.port)
    const cache = await openEdge([relay.place, far.place], [far.place])
    relay.freeze()
    const frozenMs = performance.now()
    await isOff(cache)
    expect(performance.now() - frozenMs).toBeLessThan(950)
    await isOn(cache)
    expect(performance.now() - frozenMs).toBeLessThan(3_000)
    await register(far.service, 1, 1)
    await sleep(50)
    expect(await located(cache, 1)).toBe(1)
  })

  it('whose stream is cut: off at once, and on again with nothing kept', async () => {
    const node = await openNode()
    const relay = await openRelay(node.port)
    const cache = await openEdge([relay.place])
    await register(node.service, 1, 1)
    await sleep(50)
    await located(cache, 1)
    relay.cut()
    await isOff(cache)
    await register(node.service, 1, 2)
    await isOn(cache)
    expect(await isKept(cache, 1)).toBe(false)
    expect(await located(cache, 1)).toBe(2)
  })

  it('while Redis is frozen: off within 900 ms, though the node lives; then on, with nothing kept', async () => {
    const node = await openNode()
    const cache = await openEdge([node.place])
    await register(node.service, 1, 1)
    await sleep(100)
    await located(cache, 1)
    redis.pause()
    const frozenMs = performance.now()
    await isOff(cache)
    expect(performance.now() - frozenMs).toBeLessThan(1_000)
    await sleep(2_000)
    redis.resume()
    await isOn(cache)
    expect(await located(cache, 1)).toBe(1)
  })

  it('while Redis is killed, and started without what it had', async () => {
    const node = await openNode()
    const cache = await openEdge([node.place])
    await register(node.service, 1, 1)
    await sleep(100)
    expect([await located(cache, 1), await isKept(cache, 1)]).toEqual([1, true])
    await redis.kill()
    await isOff(cache)
    await redis.start()
    await isOn(cache)
    expect(await located(cache, 1)).toBe(0)
  })

  it('of a feed that is trimmed faster than it is read: everything is forgotten', async () => {
    const node = await openNode({ changesMaxLen: 2 })
    const cache = await openEdge([node.place])
    await register(node.service, 1, 1)
    await sleep(100)
    await located(cache, 1)
    const { flushes } = cache.counts
    await Promise.all(Array.from({ length: 40 }, (_, cseq) => register(node.service, 2, cseq + 1)))
    await waitUntil('the gap to be told', () => cache.counts.flushes > flushes)
    expect(await isKept(cache, 1)).toBe(false)
  })

  it('of an idle cluster costs Redis some ten commands a second for each location node', async () => {
    const NODES = 4
    const nodes = await Promise.all(Array.from({ length: NODES }, () => openNode()))
    const caches = await Promise.all(nodes.map(({ place }) => openEdge([place])))
    await sleep(500)
    const SECONDS = 4
    const before = await commandCount()
    await sleep(SECONDS * 1_000)
    const perSecond = ((await commandCount()) - before) / SECONDS / NODES
    console.info(`${perSecond.toFixed(1)} commands a second in Redis for each idle location node`)
    expect(perSecond).toBeLessThan(12)
    expect(perSecond).toBeGreaterThan(2)
    expect(caches.every((cache) => cache.isFresh)).toBe(true)
  })

  it('one reading of Redis tells of many changes', async () => {
    const node = await openNode()
    await openEdge([node.place])
    const reads = async () =>
      Number(/cmdstat_xread:calls=(\d+)/.exec(await redis.ask('INFO', 'commandstats'))?.[1] ?? 0)
    const before = await reads()
    const beganMs = performance.now()
    for (let round = 1; round <= 20; round++)
      await Promise.all(Array.from({ length: 100 }, (_, user) => register(node.service, user, round)))
    const ms = performance.now() - beganMs
    expect((await reads()) - before).toBeLessThan(ms / 10 + 10)
  })
})

async function commandCount(): Promise<number> {
  return Number(/total_commands_processed:(\d+)/.exec(await redis.ask('INFO', 'stats'))?.[1])
}

/** A way to a node that can be cut, and frozen: it takes, and gives nothing. */
async function openRelay(port: number) {
  const pairs = new Set<[Socket, Socket]>()
  const relay = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    const pair: [Socket, Socket] = [near, far]
    pairs.add(pair)
    near.pipe(far).pipe(near)
    for (const socket of pair)
      socket
        .on('error', () => undefined)
        .on('close', () => {
          for (const end of pair) end.destroy()
          pairs.delete(pair)
        })
  })
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const pair of pairs) for (const end of pair) end.destroy()
  }
  const freeze = () => {
    for (const [near, far] of pairs) {
      far.unpipe(near)
      far.pause()
    }
    relay.removeAllListeners('connection')
  }
  cleanups.push(() => {
    cut()
    relay.close()
  })
  return { place: `127.0.0.1:${(relay.address() as { port: number }).port}`, cut, freeze }
}
