// SPDX-License-Identifier: MIT
import type { ConnectionOptions } from 'node:tls'
import { StoreConfigError } from '../errors.ts'
import type { Store, StoreSettings } from '../store.ts'
export type Durability = 'async' | 'replica' | 'fsync'
export interface RedisStoreOptions {
  /** redis://, rediss://, redis-sentinel://host,host/name, redis-cluster://host,host; `?tls=true` for the latter two. */
  url: string
  durability?: Durability
  /** Replicas that must have a write when durability is `replica`. */
  replicas?: number
  /** A batch without an answer after this ends as unknown. */
  timeoutMs?: number
  tls?: ConnectionOptions
  settings?: Partial<StoreSettings>
}
export function createRedisStore(options: RedisStoreOptions): Store {
  throw new StoreConfigError(`${options.url.split(':')[0]}: is not built in yet`)
}
