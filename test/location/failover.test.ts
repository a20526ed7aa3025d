// SPDX-License-Identifier: MIT
// The master dies under load, durability `replica`: no REGISTER that was acknowledged is lost, and REGISTERs are refused, each
// with 503 and Retry-After, no longer than the failover takes. On real servers behind three sentinels, and on a real Cluster.
// Not tested: a machine that dies with what its kernel has not sent (docs/store.md says what then holds).
import type { LocationService } from '@tandem/location'
import {
  freePort,
  type RunningRedis,
  redisAvailable,
  startRedis,
  startRedisCluster,
  startSentinels,
  waitUntil,
} from '@tandem/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import { RegisterLoad } from './support/load.ts'
import { locationOn, openStore } from './support/redis.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Failover tests are skipped: ${server.reason}`)

const USERS = 200
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function services(url: string): Promise<LocationService[]> {
  const stores = await Promise.all([1, 2].map(() => openStore({ url, durability: 'replica' })))
  cleanups.push(() => Promise.all(stores.map((store) => store.close())))
  return stores.map((store) => locationOn(store))
}

/** Loads, lets the master die, waits until all are served again, and compares. */
async function survives(nodes: LocationService[], kill: () => Promise<void>): Promise<RegisterLoad> {
  const load = new RegisterLoad(nodes, USERS)
  await sleep(800)
  await kill()
  await waitUntil('a REGISTER to fail', () => load.refused + load.unknown > 0, 5_000)
  const before = [...load.acknowledged]
  await waitUntil(
    'all to be served again',
    () => load.acknowledged.every((cseq, user) => cseq > (before[user] ?? 0) + 1),
    15_000,
  )
  await load.stop()
  expect(await load.lost(nodes[0] as LocationService)).toEqual([])
  expect(load.bad).toEqual([])
  console.info(`${load.done} acknowledged, ${load.refused} refused, ${load.unknown} unknown in ${load.awayMs} ms`)
  return load
}

describe.skipIf(!server.available)('the master dies under load: nothing acknowledged is lost', () => {
  it('behind Sentinel', async () => {
    const config = ['repl-diskless-sync-delay 0', 'min-replicas-to-write 1']
    const master = await startRedis({ config })
    const replicas = await Promise.all(
      [1, 2].map(() => startRedis({ config: [...config, `replicaof 127.0.0.1 ${master.port}`] })),
    )
    cleanups.push(() => Promise.all([master, ...replicas].map((node) => node.stop())))
    await waitUntil('both replicas', async () => (await onlineReplicas(master)) === 2)
    const sentinels = await startSentinels({
      count: 3,
      masterPort: master.port,
      folder: master.folder,
      replicas: 2,
    })
    cleanups.push(() => sentinels.stop())
    const load = await survives(await services(`redis-sentinel://${sentinels.places}/main`), () => master.kill())
    expect(load.awayMs).toBeLessThan(6_000)
  }, 60_000)

  it('of a Cluster, where the master has two replicas', async () => {
    const cluster = await startRedisCluster()
    cleanups.push(() => cluster.stop())
    const [first] = cluster.nodes
    if (first === undefined) throw new Error('a cluster without nodes')
    const second = await secondReplica(first)
    cleanups.push(() => second.stop())
    const load = await survives(await services(cluster.url), () => first.kill())
    expect(load.awayMs).toBeLessThan(8_000)
  }, 60_000)
})

async function secondReplica(master: RunningRedis): Promise<RunningRedis> {
  const busPort = await freePort()
  const own = ['cluster-enabled yes', 'cluster-config-file nodes.conf', 'cluster-node-timeout 1000']
  const replica = await startRedis({ config: [...own, `cluster-port ${busPort}`, 'repl-diskless-sync-delay 0'] })
  await master.ask('CLUSTER', 'MEET', '127.0.0.1', String(replica.port), String(busPort))
  const id = await master.ask('CLUSTER', 'MYID')
  await waitUntil('the new node to know the master', async () => (await replica.ask('CLUSTER', 'NODES')).includes(id))
  await waitUntil('the second replica', () => saysOk(replica, 'CLUSTER', 'REPLICATE', id))
  await waitUntil('both replicas', async () => (await onlineReplicas(master)) === 2)
  return replica
}

function saysOk(node: RunningRedis, ...words: string[]): Promise<boolean> {
  return node.ask(...words).then(
    () => true,
    () => false,
  )
}

async function onlineReplicas(master: RunningRedis): Promise<number> {
  return [...(await master.ask('INFO', 'replication')).matchAll(/state=online/g)].length
}
