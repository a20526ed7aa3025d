// SPDX-License-Identifier: MIT
//
// What a Redis says of itself, for `doctor`: name and version, eviction, memory, persistence, replicas, clock. Read only. Of a Cluster every
// master is asked, and what is worst stands for all.
import type { ConnectionOptions } from 'node:tls'
import { parseStoreUrl, type StoreAddress } from '@tandem/store'
import { Cluster, Redis } from 'ioredis'

export interface RedisFacts {
  /** `Redis 7.0.15`, `Valkey 8.1.1` */
  readonly name: string
  /** Of the Redis that it is, or that it is like. */
  readonly version: string
  readonly maxmemoryPolicy: string
  readonly usedBytes: number
  /** 0: no bound. */
  readonly maxBytes: number
  readonly appendOnly: boolean
  readonly savesSnapshots: boolean
  readonly replicas: number
  /** -1 where it is not told. */
  readonly minReplicasToWrite: number
  /** Store time less the time here, milliseconds; half a round trip exact. */
  readonly skewMs: number
  /** Of a Cluster; 1 otherwise. */
  readonly masters: number
  /** Of a Cluster: whether every slot is served. */
  readonly isWhole: boolean
}

const OPTIONS = {
  lazyConnect: true,
  connectTimeout: 2_000,
  commandTimeout: 2_000,
  maxRetriesPerRequest: 0,
  retryStrategy: () => null,
}

function sharedOptions(address: StoreAddress, tls: ConnectionOptions) {
  return {
    ...OPTIONS,
    ...(address.username && { username: address.username }),
    ...(address.password && { password: address.password }),
    ...(address.tls && { tls }),
  }
}

/** Where the URL says, with its credentials; TLS as the store itself speaks it. */
function connect(address: StoreAddress, tls: ConnectionOptions): Redis | Cluster {
  const shared = sharedOptions(address, tls)
  if (address.kind === 'cluster')
    // One whose state is not ok is to be told of, not waited for.
    return new Cluster(address.addresses, {
      redisOptions: shared,
      lazyConnect: true,
      enableReadyCheck: false,
      clusterRetryStrategy: () => null,
    })
  if (address.kind === 'sentinel') return new Redis({ ...shared, ...sentinelOptions(address, tls) })
  return new Redis({ ...shared, ...address.addresses[0], db: address.db })
}

function sentinelOptions(
  { addresses, masterName, sentinelPassword, tls: isTls }: StoreAddress,
  tls: ConnectionOptions,
) {
  return {
    sentinels: addresses,
    name: masterName,
    ...(sentinelPassword && { sentinelPassword }),
    ...(isTls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
  }
}

function field(info: string, name: string): string {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
}

/** CONFIG is often forbidden on managed servers: empty then. */
async function configValue(redis: Redis, name: string): Promise<string> {
  try {
    const answer = (await redis.config('GET', name)) as readonly string[]
    return answer[1] ?? ''
  } catch {
    return ''
  }
}

function nameOf(info: string): string {
  const valkey = field(info, 'valkey_version')
  return valkey === '' ? `Redis ${field(info, 'redis_version')}` : `Valkey ${valkey}`
}

async function read(redis: Redis): Promise<RedisFacts> {
  const before = Date.now()
  const [seconds, micros] = (await redis.time()) as [number | string, number | string]
  const here = (before + Date.now()) / 2
  const info = await redis.info()
  const minReplicas = await configValue(redis, 'min-replicas-to-write')
  return {
    name: nameOf(info),
    version: field(info, 'redis_version'),
    maxmemoryPolicy: field(info, 'maxmemory_policy'),
    usedBytes: Number(field(info, 'used_memory')),
    maxBytes: Number(field(info, 'maxmemory')),
    appendOnly: field(info, 'aof_enabled') === '1',
    savesSnapshots: (await configValue(redis, 'save')) !== '',
    replicas: [...info.matchAll(/^slave\d+:.*state=online/gm)].length,
    minReplicasToWrite: minReplicas === '' ? -1 : Number(minReplicas),
    skewMs: Math.round(Number(seconds) * 1_000 + Number(micros) / 1_000 - here),
    masters: 1,
    isWhole: true,
  }
}

async function readCluster(cluster: Cluster): Promise<RedisFacts> {
  const masters = cluster.nodes('master')
  const all = await Promise.all(masters.map(read))
  const [first, ...others] = all
  if (first === undefined) throw new Error('no master of the cluster answers')
  const states = await Promise.all(masters.map((node) => node.cluster('INFO')))
  const isWhole = states.every((state) => state.includes('cluster_state:ok'))
  return { ...others.reduce(worse, first), masters: all.length, isWhole }
}

function worse(a: RedisFacts, b: RedisFacts): RedisFacts {
  const fuller = a.usedBytes * b.maxBytes >= b.usedBytes * a.maxBytes ? a : b
  return {
    ...a,
    maxmemoryPolicy: a.maxmemoryPolicy === 'noeviction' ? b.maxmemoryPolicy : a.maxmemoryPolicy,
    usedBytes: fuller.usedBytes,
    maxBytes: fuller.maxBytes,
    appendOnly: a.appendOnly && b.appendOnly,
    savesSnapshots: a.savesSnapshots && b.savesSnapshots,
    replicas: Math.min(a.replicas, b.replicas),
    minReplicasToWrite: Math.min(a.minReplicasToWrite, b.minReplicasToWrite),
    skewMs: Math.abs(a.skewMs) >= Math.abs(b.skewMs) ? a.skewMs : b.skewMs,
  }
}

/** Rejects with the connection's error when the store does not answer. */
export async function redisFacts(url: string, tls: ConnectionOptions = {}): Promise<RedisFacts> {
  const redis = connect(parseStoreUrl(url), tls)
  let lastError: unknown
  redis.on('error', (error) => {
    lastError = error
  })
  try {
    await redis.connect()
    return await (redis instanceof Cluster ? readCluster(redis) : read(redis))
  } catch (error) {
    throw lastError ?? error
  } finally {
    redis.disconnect()
  }
}
