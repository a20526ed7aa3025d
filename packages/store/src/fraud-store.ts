// SPDX-License-Identifier: MIT
// Counters of rules against fraud. All counters of one subject (an account, an address, a prefix, …) lie in one slot and are looked at and
// counted in one step, so that calls that come at once can't overrun a threshold. A counter is a set of calls with leases, or sums in
// sub-buckets of its window that are forgotten one by one: nothing has to be taken back for it to be right again.
// Which rule a counter is of, and what becomes of a finding, is not the store's business.

import type { Eventual } from './result.ts'

/**
 * `calls`: calls that began in the window. `live`: calls whose lease holds. `sequence`: calls in a row with the same member. `distinct`:
 * members of the window, exact up to MAX_DISTINCT, then it stays. `countries`: distinct members of calls whose lease holds.
 * `talk`, `spend`: sums of what ended in the window. `short`: percent of calls that ended in the window and were short. `fresh`: the price, where the
 * member was not there in the window.
 */
export type FraudKind = 'calls' | 'live' | 'sequence' | 'distinct' | 'countries' | 'talk' | 'spend' | 'short' | 'fresh'

/** Whose counters: an account's lie in the account's own slot. */
export interface FraudSlot {
  readonly scope: string
  readonly subject: string
}

export interface FraudCounter {
  /** Letters, digits and `._-`; unique within its slot. A new window wants a new name. */
  readonly counter: string
  readonly kind: FraudKind
  /** 0 for kinds without one. */
  readonly windowMs: number
  /** Number, country or prefix, for the kinds that have members; else ''. Without space. */
  readonly member: string
}

/** A level is reached when the value, this call counted, is above it. Without levels the counter counts and finds nothing. */
export interface FraudCheck extends FraudCounter {
  readonly warning: bigint | undefined
  readonly critical: bigint | undefined
  /** The call does not begin at this level. */
  readonly warningStops: boolean
  readonly criticalStops: boolean
  /** `fresh`: price. `spend`: on top of the sum. `short`: calls below which there is no ratio. */
  readonly amount: bigint
}

export interface FraudFinding {
  /** Of the check. */
  readonly index: number
  readonly level: 'warning' | 'critical'
  readonly value: bigint
}

export interface FraudBegun {
  /** Some level stopped the call: nothing was counted. */
  readonly stopped: boolean
  readonly findings: readonly FraudFinding[]
  /** For cancel: one text for each check; empty where nothing was counted. */
  readonly undo: readonly string[]
  readonly nowMs: number
}

export interface FraudBegin {
  readonly slot: FraudSlot
  readonly ref: string
  /** Of the members of `live` and `countries`. */
  readonly leaseMs: number
  readonly checks: readonly FraudCheck[]
}

export interface FraudCancel {
  readonly slot: FraudSlot
  readonly ref: string
  readonly counters: readonly FraudCounter[]
  /** As begin returned them. */
  readonly undo: readonly string[]
  readonly begunMs: number
}

export interface FraudRenewal {
  readonly slot: FraudSlot
  readonly ref: string
  readonly leaseMs: number
  readonly counters: readonly FraudCounter[]
}

export interface FraudEnd {
  readonly slot: FraudSlot
  readonly ref: string
  readonly counters: readonly FraudCounter[]
  readonly talkMs: number
  readonly price: bigint
  /** For `short` counters, one for each counter: short, not short, not counted. */
  readonly short: readonly (boolean | undefined)[]
}

export interface FraudStore {
  /** Checks and counts in one step. Those of an account go with its hold instead. The same reference again finds and counts nothing. */
  begin(request: FraudBegin): Eventual<FraudBegun>
  /** A call that was counted did not begin after all. Within a minute, once; later or again it changes nothing. */
  cancel(request: FraudCancel): Eventual<void>
  /** Renews the leases of a call that goes on. @returns the value of each counter; 0 for kinds that say nothing of a call that runs */
  renew(request: FraudRenewal): Eventual<bigint[]>
  /** Ends leases and adds talk and price. False: that was done before. */
  end(request: FraudEnd): Eventual<boolean>
  /** Calls of a `live` counter, those first whose lease ends first. */
  live(slot: FraudSlot, counter: string, limit: number): Eventual<string[]>
}
