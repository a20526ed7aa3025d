// SPDX-License-Identifier: MIT
// Slots of a real Cluster are moved while REGISTERs and lookups go on: MOVED, ASK, TRYAGAIN. What is moved as tools move it is not felt;
// what is moved slowly is refused for a moment; a move that nobody ends stops nothing. Nothing acknowledged is lost.
// Not tested: slots moved by Redis 8's own CLUSTER MIGRATION.
import type { LocationService } from '@tandem/location'
import {
  freePort,
  type RunningRedis,
  type RunningRedisCluster,
  redisAvailable,
  startRedis,
  startRedisCluster,
  waitUntil,
} from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RegisterLoad } from './support/load.ts'
import { locationOn, openStore } from './support/redis.ts'
import { closeMove, moveKeys, moveSlot, openMove, type SlotMove, slotOf } from './support/slots.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Tests of moved slots are skipped: ${server.reason}`)

const USERS = 200
const FIRST_MASTER_END = 5_461
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

describe.skipIf(!server.available)('a slot is moved under load', () => {
  let cluster: RunningRedisCluster
  let nodes: LocationService[]
  const cleanups: (() => unknown)[] = []
  beforeAll(async () => {
    cluster = await startRedisCluster()
    cleanups.push(() => cluster.stop())
    const stores = await Promise.all([1, 2].map(() => openStore({ url: cluster.url })))
    cleanups.push(() => Promise.all(stores.map((store) => store.close())))
    nodes = stores.map((store) => locationOn(store))
  }, 60_000)
  afterAll(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
  })

  /** Slots of shards of bindings that the first master serves. */
  let shard = 0
  let loads = 0
  const moved = new Set<number>()

  async function movesTo(to: RunningRedis, count: number): Promise<SlotMove[]> {
    const masters = cluster.nodes.slice(0, 3)
    const from = nodeAt(0)
    const own: SlotMove[] = []
    for (; own.length < count; shard++) {
      const slot = await slotOf(from, `{l${shard}}:loc`)
      if (slot < FIRST_MASTER_END && !moved.has(slot))
        own.push({ slot, from, to, masters: [...new Set([...masters, to])] })
      moved.add(slot)
    }
    return own
  }

  function nodeAt(index: number): RunningRedis {
    const node = cluster.nodes[index]
    if (node === undefined) throw new Error('a cluster without nodes')
    return node
  }

  async function underLoad(act: () => Promise<void>): Promise<RegisterLoad> {
    const load = new RegisterLoad(nodes, USERS, { looksUp: true, firstUser: USERS * loads++ })
    await sleep(300)
    await act()
    await sleep(300)
    await load.stop()
    expect(await load.lost(nodes[0] as LocationService)).toEqual([])
    console.info(`${load.done} acknowledged, ${load.refused} refused, ${load.unknown} unknown; ${load.lookups} lookups`)
    return load
  }

  it('moves forty slots as tools do: no REGISTER and no lookup fails', async () => {
    const moves = await movesTo(nodeAt(1), 40)
    const load = await underLoad(async () => {
      for (const move of moves) await moveSlot(move)
    })
    expect(load).toMatchObject({ refused: 0, unknown: 0, lookupsFailed: 0, bad: [], wrong: [] })
  }, 60_000)

  it('a move that is begun and left alone stops nothing', async () => {
    const moves = await movesTo(nodeAt(1), 10)
    const load = await underLoad(async () => {
      for (const move of moves) await openMove(move)
      await sleep(1_500)
    })
    expect(load).toMatchObject({ refused: 0, unknown: 0, lookupsFailed: 0, bad: [], wrong: [] })
    for (const move of moves) {
      while ((await moveKeys(move, 10)) > 0);
      await closeMove(move)
    }
  }, 60_000)

  it('keys that are on both sides for long are refused with 503 and Retry-After, and nothing is torn', async () => {
    const moves = await movesTo(nodeAt(1), 10)
    const load = await underLoad(async () => {
      for (const move of moves) await openMove(move)
      for (let key = 0; key < 2; key++) {
        for (const move of moves) await moveKeys(move, 1)
        await sleep(1_500)
      }
      for (const move of moves) {
        while ((await moveKeys(move, 10)) > 0);
        await closeMove(move)
      }
    })
    expect(load.refused).toBeGreaterThan(0)
    expect(load).toMatchObject({ bad: [], wrong: [] })
  }, 60_000)

  it('moves to a master that joined a moment ago and has no slot yet', async () => {
    const joined = await joinMaster(cluster)
    cleanups.push(() => joined.stop())
    const moves = await movesTo(joined, 5)
    const load = await underLoad(async () => {
      for (const move of moves) {
        await openMove(move)
        while ((await moveKeys(move, 10)) > 0);
      }
      await sleep(700)
      for (const move of moves) await closeMove(move)
    })
    expect(load).toMatchObject({ refused: 0, unknown: 0, lookupsFailed: 0, bad: [], wrong: [] })
  }, 60_000)
})

async function joinMaster(cluster: RunningRedisCluster): Promise<RunningRedis> {
  const busPort = await freePort()
  const own = ['cluster-enabled yes', 'cluster-config-file nodes.conf', 'cluster-node-timeout 1000']
  const node = await startRedis({ config: [...own, `cluster-port ${busPort}`] })
  await cluster.nodes[0]?.ask('CLUSTER', 'MEET', '127.0.0.1', String(node.port), String(busPort))
  await waitUntil('the masters to know the new one', () => knows(cluster, node.port))
  const isOk = async () => (await node.ask('CLUSTER', 'INFO')).includes('cluster_state:ok')
  await waitUntil('the new one to be in service', isOk)
  return node
}

async function knows(cluster: RunningRedisCluster, port: number): Promise<boolean> {
  const lists = await Promise.all(cluster.nodes.slice(0, 3).map((node) => node.ask('CLUSTER', 'NODES')))
  return lists.every((list) => new RegExp(`127\\.0\\.0\\.1:${port}@\\d+ master .*connected`).test(list))
}
