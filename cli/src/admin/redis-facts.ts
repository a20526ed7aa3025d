// SPDX-License-Identifier: MIT
//
// What a Redis says of itself, for `doctor`: version, eviction, persistence, replicas, clock. One connection, read only.
// Of a cluster the first node that answers speaks for all.
import type { ConnectionOptions } from 'node:tls'
import { parseStoreUrl, type StoreAddress } from '@tandem/store'
import { Redis } from 'ioredis'

export interface RedisFacts {
  readonly version: string
  readonly maxmemoryPolicy: string
  readonly appendOnly: boolean
  readonly savesSnapshots: boolean
  readonly replicas: number
  /** Store time less the time here, milliseconds; half a round trip exact. */
  readonly skewMs: number
}

const OPTIONS = {
  lazyConnect: true,
  connectTimeout: 2_000,
  commandTimeout: 2_000,
  maxRetriesPerRequest: 0,
  retryStrategy: () => null,
}

/** Where the URL says, with its credentials; TLS as the store itself speaks it. */
function connect(url: string, tls: ConnectionOptions): Redis {
  const address = parseStoreUrl(url)
  const shared = {
    ...OPTIONS,
    ...(address.username && { username: address.username }),
    ...(address.password && { password: address.password }),
    ...(address.tls && { tls }),
  }
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

async function read(redis: Redis): Promise<RedisFacts> {
  const before = Date.now()
  const [seconds, micros] = (await redis.time()) as [number | string, number | string]
  const here = (before + Date.now()) / 2
  const info = await redis.info()
  return {
    version: field(info, 'redis_version'),
    maxmemoryPolicy: field(info, 'maxmemory_policy'),
    appendOnly: field(info, 'aof_enabled') === '1',
    savesSnapshots: (await configValue(redis, 'save')) !== '',
    replicas: Number(field(info, 'connected_slaves')),
    skewMs: Math.round(Number(seconds) * 1_000 + Number(micros) / 1_000 - here),
  }
}

/** Rejects with the connection's error when the store does not answer. */
export async function redisFacts(url: string, tls: ConnectionOptions = {}): Promise<RedisFacts> {
  const redis = connect(url, tls)
  let lastError: unknown
  redis.on('error', (error) => {
    lastError = error
  })
  try {
    await redis.connect()
    return await read(redis)
  } catch (error) {
    throw lastError ?? error
  } finally {
    redis.disconnect()
  }
}
