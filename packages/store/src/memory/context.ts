// SPDX-License-Identifier: MIT
// What the tables of one memory store share: clock, settings, bounds.

import { notStored, type Stored } from '../result.ts'
import type { StoreSettings } from '../store.ts'

/** Entries of each table, at most; beyond it new ones are refused as `full` and counted. */
export interface MemoryLimits {
  maxAors: number
  maxWatches: number
  maxTransactions: number
  maxMints: number
  maxNonces: number
  maxCalls: number
  /** Users, and sources, with failures (ban-store.ts); beyond it the oldest are forgotten. */
  maxFailing: number
  /** Notes of successes; beyond it the oldest are forgotten. */
  maxGood: number
  maxAccounts: number
  /** Subjects that rules against fraud count. */
  maxFraudSlots: number
  maxTrunks: number
  maxGroups: number
  /** Finished records that no sink has acknowledged; beyond it the oldest are dropped and counted. */
  maxRecords: number
}

export const DEFAULT_LIMITS: MemoryLimits = {
  maxAors: 1_000_000,
  maxWatches: 200_000,
  maxTransactions: 500_000,
  maxMints: 500_000,
  maxNonces: 500_000,
  maxCalls: 1_000_000,
  maxFailing: 50_000,
  maxGood: 500_000,
  maxAccounts: 1_000_000,
  maxFraudSlots: 500_000,
  maxTrunks: 10_000,
  maxGroups: 100_000,
  maxRecords: 65_536,
}

/** Entries past their time that one operation releases, at most: more than it can add. */
export const SWEEP_PER_OPERATION = 3

export interface MemoryContext {
  readonly now: () => number
  readonly settings: StoreSettings
  readonly limits: MemoryLimits
}

export function full(table: string, limit: number): Stored<never> {
  return notStored('full', `the memory store holds ${limit} ${table}, its bound`)
}
