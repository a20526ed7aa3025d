// SPDX-License-Identifier: MIT
import type { ConnectionOptions } from 'node:tls'
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
export declare function createRedisStore(options: RedisStoreOptions): Store
