// SPDX-License-Identifier: MIT
//
// Trunks over two policy nodes and one real Redis server: attempts that begin at once can't overrun a bound, what one node learns of a host the other knows within
// two seconds, and a registration goes on when its node dies. Not tested here: what each outcome means (attempts.test.ts).
import { createRedisStore, createReference, type Store } from '@tandem/store'
import { type RunningRedis, redisAvailable, startRedis } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PolicyService } from '../options.ts'
import {
  beginAt,
  converse,
  endAt,
  FakeEdge,
  FakeRegistrar,
  HOST,
  statusOf,
  trunkDocument,
  trunkWorld,
} from './trunk-fixture.ts'

const redisServer = redisAvailable()
const CALLS = 50
const LIMIT = 10
const KNOWN_WITHIN_MS = 2_000

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
    const hosts = [{ host: '192.0.2.9', port: 5060 }]
    const registration = { registrar: 'sip:carrier.test', user: '4930' }
    const world = await trunkWorld(
      trunkDocument({ maxCalls: LIMIT, hosts }, 'capped'),
      trunkDocument({ callsPerSecond: LIMIT, hosts }, 'rated'),
      trunkDocument({ breaker: { failures: 3, openMs: 1_000 }, hosts }, 'failing'),
      trunkDocument({ registration, credentials: { username: 'acme', password: 'trunk-secret' } }, 'registered'),
    )
    nodes = stores.map(({ policy, accounts, fraud, trunks }) => world.node({ store: policy, accounts, fraud, trunks }))
    for (const node of nodes) node.trunks.start()
  }, 30_000)
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.trunks.stop()))
    await Promise.all(stores.map((store) => store.close()))
    await redis.stop()
  })

  const nodeOf = (i: number) => nodes[i % nodes.length] as PolicyService
  const beginAll = (trunk: string) =>
    Promise.all(
      Array.from({ length: CALLS }, async (_, i) => {
        const callRef = createReference()
        return { callRef, ...(await beginAt(nodeOf(i), { callRef, trunk })) }
      }),
    )

  test(`of ${CALLS} attempts at once exactly ${LIMIT} get a place; their ends make room`, async () => {
    const through = (await beginAll('capped')).filter(({ refused }) => !refused)
    expect(through).toHaveLength(LIMIT)
    for (const [i, { callRef }] of through.slice(0, 4).entries()) {
      await endAt(nodeOf(i + 1), { status: 486 }, { callRef, trunk: 'capped' })
    }
    expect((await beginAll('capped')).filter(({ refused }) => !refused)).toHaveLength(4)
    expect((await statusOf(nodeOf(0), 'capped')).calls).toBe(LIMIT)
  })

  test(`of ${CALLS} attempts in a second ${LIMIT} get through`, async () => {
    const all = await beginAll('rated')
    expect(all.filter(({ refused }) => !refused)).toHaveLength(LIMIT)
    expect(all.filter(({ code }) => code === 'trunk_rate')).toHaveLength(CALLS - LIMIT)
  })

  test(`a breaker that opens or closes by one node is known to the other within ${KNOWN_WITHIN_MS} ms`, async () => {
    const [one, other] = [nodeOf(0), nodeOf(1)]
    const hears = async (open: boolean) => {
      const startMs = performance.now()
      await expect
        .poll(() => other.trunks.board.facts('failing')?.openHosts.has(HOST), { timeout: 15_000, interval: 20 })
        .toBe(open)
      return performance.now() - startMs
    }
    for (let i = 0; i < 3; i++) await endAt(one, { status: 503 }, { trunk: 'failing' })
    const openedMs = await hears(true)
    expect(await beginAt(other, { trunk: 'failing' })).toEqual({ refused: true, code: 'trunk_open' })
    await expect.poll(async () => (await statusOf(one, 'failing')).hosts[0]?.breaker, { timeout: 15_000 }).toBe('half')
    await endAt(one, { status: 486 }, { trunk: 'failing' })
    const closedMs = await hears(false)
    expect(Math.max(openedMs, closedMs)).toBeLessThan(KNOWN_WITHIN_MS)
  }, 40_000)

  test('one node registers; another goes on where it dies', async () => {
    const registrar = new FakeRegistrar()
    const edges = nodes.map((node, i) => new FakeEdge(node, `edge-${i}.1`))
    const asked = () => edges.findIndex((edge) => edge.asked.length > 0)
    await expect.poll(asked, { timeout: 15_000 }).toBeGreaterThanOrEqual(0)
    const at = asked()
    await nodeOf(at).trunks.stop()
    const living = nodeOf(at + 1)
    const edge = edges[(at + 1) % 2] as FakeEdge
    edges[at]?.leave()
    // Its lease ends in 36 s: here it is over at once.
    await (stores[0] as Store).trunks.planWork('r|registered', 0)
    await expect.poll(() => edge.asked.length, { timeout: 15_000 }).toBe(1)
    await converse(living, edge, registrar)
    expect((await statusOf(living, 'registered')).registration).toMatchObject({ state: 'registered' })
    edge.leave()
  }, 40_000)
})
