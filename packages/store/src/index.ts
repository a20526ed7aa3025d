// SPDX-License-Identifier: MIT
// The store: interfaces, plain types, and the two implementations.

export { MAX_BALANCE } from './account-rules.ts'
export type * from './account-store.ts'
export type { Ban, BanCause, BanChanges, BanKind, BanStore, BanTarget, BanTerms, Failure } from './ban-store.ts'
export type { ChangeFollower, Following } from './change-follower.ts'
export type { Billing, ChargedCall, ForwardBilling } from './charges.ts'
export { STORE_ERRORS, StoreConfigError, type StoreErrorInfo, type StoreReason } from './errors.ts'
export type * from './fraud-event-store.ts'
export type * from './fraud-store.ts'
export type { GroupMemberState, GroupStore, GroupView } from './group-store.ts'
export type { LocationStore } from './location-store.ts'
export { createMemoryStore, type MemoryLimits, type MemoryStoreOptions } from './memory/memory-store.ts'
export type { NonceUse, PolicyStore, RecordReader } from './policy-store.ts'
export { createRedisStore, type Durability, type RedisStoreOptions } from './redis/redis-store.ts'
export { parseStoreUrl, type StoreAddress } from './redis/url.ts'
export { RefusedWrites } from './refused-writes.ts'
export { chunksOf } from './resource-rules.ts'
export * from './resource-store.ts'
export { type Eventual, mapStored, type Stored, whenStored } from './result.ts'
export { createReference, SHARDS, shardOf, shardOfReference } from './shard.ts'
export {
  DEFAULT_SETTINGS,
  type OnScript,
  type Store,
  type StoreSettings,
  type StoreState,
  type StoreStatus,
} from './store.ts'
export { MAX_ATTEMPTS } from './trunk-rules.ts'
export type * from './trunk-store.ts'
export type * from './types.ts'
export { AGE_UNKNOWN } from './types.ts'
