// SPDX-License-Identifier: MIT
import type { Store, StoreSettings } from '../store.ts'
export interface MemoryLimits {
  maxAors: number
  maxTransactions: number
  maxMints: number
  maxNonces: number
  maxCalls: number
  maxRecords: number
}
export interface MemoryStoreOptions {
  /** Milliseconds since 1970. */
  now: () => number
  limits?: Partial<MemoryLimits>
  settings?: Partial<StoreSettings>
}
export declare function createMemoryStore(options: MemoryStoreOptions): Store
