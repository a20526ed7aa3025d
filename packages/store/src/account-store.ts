// SPDX-License-Identifier: MIT
// Accounts as the store keeps them: balance, holds with leases, spend of the last hour and day, and the ledger whose sum is
// the balance, always. What bounds an account (credit, calls at once, caps) is declared elsewhere and comes with each
// request. Amounts are micro-units as bigint, |amount| < 2^53. [STATE.md, Calls and money]
//
// A hold is made before a call rings, grows with each renewal and ends once: settled by its call, settled for all of it when
// the lease of an answered call lapses, released when that of an unanswered one does. Whatever is repeated has no effect.

import type { FraudBegun, FraudCheck } from './fraud-store.ts'
import type { LedgerStore } from './ledger-store.ts'
import type { Eventual } from './result.ts'

export type * from './ledger-store.ts'

/** Bounds of an account; undefined where there is none. */
export interface AccountTerms {
  readonly currency: string
  /** How far the balance goes below zero. */
  readonly creditLimit: bigint | undefined
  readonly maxCalls: number | undefined
  readonly callsPerSecond: number | undefined
  readonly spendPerHour: bigint | undefined
  readonly spendPerDay: bigint | undefined
}

export interface HoldRequest {
  readonly account: string
  /** Call reference. */
  readonly ref: string
  /** 0 before the call rings, 1 with its answer, then one more with each renewal. */
  readonly sequence: number
  /** All that is granted to the call from now on, what it had before included. */
  readonly amount: bigint
  /** When its lease lapses, what was granted is settled; else it is released. */
  readonly answered: boolean
  /** A hold that is not there is made; false: refused as `gone`. */
  readonly create: boolean
  readonly leaseMs: number
  readonly terms: AccountTerms
  /** Counters of this account: looked at and counted in the same step as the hold. Only with sequence 0. */
  readonly fraud?: readonly FraudCheck[]
}

/** `settled`: the call is over for this account. `gone`: no hold to renew. `blocked`: for a time. `fraud`: see there. */
export type HoldRefusal =
  | 'credit'
  | 'calls'
  | 'rate'
  | 'spendHour'
  | 'spendDay'
  | 'currency'
  | 'settled'
  | 'gone'
  | 'blocked'
  | 'fraud'

/** `repeated`: this sequence or a later one was there; sequence and amount are the hold's. */
export interface HeldOutcome {
  readonly result: 'held' | 'repeated'
  readonly sequence: number
  readonly amount: bigint
  readonly nowMs: number
  /** Of the checks of a request that had some. */
  readonly fraud?: FraudBegun
}

export type HoldOutcome =
  | HeldOutcome
  | {
      readonly result: 'refused'
      readonly why: HoldRefusal
      /** What could be granted on top of the hold. */
      readonly available: bigint
      /** Of the hold as it stands; -1 and 0n without one. */
      readonly sequence: number
      readonly amount: bigint
      readonly nowMs: number
      /** With `fraud`. */
      readonly fraud?: FraudBegun
    }

export interface SettleRequest {
  readonly account: string
  readonly ref: string
  /** Exact price of the call. No more than was granted is taken. */
  readonly price: bigint
}

export interface SettleOutcome {
  /** What was taken, now or by an earlier try. */
  readonly applied: bigint
  readonly repeated: boolean
  /** Id of the ledger entry, '' where nothing was taken. */
  readonly entry: string
}

/** The second look at a settlement, some time after it. */
export interface VerifyRequest {
  readonly account: string
  readonly ref: string
  /** As settle returned them. */
  readonly applied: bigint
  readonly entry: string
}

export interface TopUp {
  readonly account: string
  /** The same key again changes nothing. */
  readonly key: string
  readonly amount: bigint
  readonly currency: string
  /** For the ledger, e.g. `topup`. */
  readonly cause: string
}

export interface TopUpOutcome {
  /** `conflict`: the key was used with another amount. `overflow`: the balance would leave its bounds. */
  readonly result: 'applied' | 'repeated' | 'conflict' | 'currency' | 'overflow'
  readonly balance: bigint
}

export interface LedgerEntry {
  /** Orders the entries of one account. */
  readonly id: string
  readonly atMs: number
  /** Idempotency key: `<reference>/1` for a charge, `<reference>/2` for its correction, that of a top-up. */
  readonly key: string
  /** `call`, `lapsed` (the call was lost, what was granted is taken), `correction`, `topup`, … */
  readonly cause: string
  readonly amount: bigint
  /** After this entry. */
  readonly balance: bigint
}

export interface AccountState {
  readonly account: string
  readonly currency: string
  readonly balance: bigint
  /** Sum of the holds. */
  readonly held: bigint
  readonly holds: number
  /** Calls whose lease holds. */
  readonly calls: number
  readonly spentHour: bigint
  readonly spentDay: bigint
  /** Store time; 0 for not at all. It may have passed. */
  readonly blockedUntilMs: number
  /** Name of what blocked it. */
  readonly blockedBy: string
  /** Store time of this look. */
  readonly nowMs: number
  /** Newest first. */
  readonly ledger: readonly LedgerEntry[]
}

/** For `tandem doctor`: pairs that are equal, always. */
export interface AccountAudit {
  readonly balance: bigint
  readonly ledgerSum: bigint
  readonly held: bigint
  readonly holdsSum: bigint
  readonly entries: number
  /** The checkpoint: entries that were folded into one sum, oldest first. `ledgerSum` has it in. */
  readonly foldedEntries: number
  readonly foldedSum: bigint
  /** Id of the last of them, '' for none. */
  readonly foldedTo: string
  /** Id of the last entry that is copied elsewhere, '' where nothing is copied. */
  readonly copiedTo: string
}

export interface SweepOutcome {
  readonly settled: number
  readonly released: number
  /** Holds that are left. */
  readonly left: number
}

export interface DueAccount {
  readonly account: string
  /** Give it to looked. */
  readonly mark: number
}

export interface AccountStore extends LedgerStore {
  hold(request: HoldRequest): Eventual<HoldOutcome>
  settle(request: SettleRequest): Eventual<SettleOutcome>
  /** Applies a settlement again that was acknowledged and then lost with its master. True: it had been lost. */
  verify(request: VerifyRequest): Eventual<boolean>
  topUp(request: TopUp): Eventual<TopUpOutcome>
  /** No call begins in this time; of two blocks the later end stays. @returns until when, store time */
  block(account: string, forMs: number, by: string): Eventual<number>
  /** @returns whether it was blocked */
  unblock(account: string): Eventual<boolean>
  /** @param ledger entries at most */
  read(account: string, ledger: number): Eventual<AccountState>
  audit(account: string): Eventual<AccountAudit>

  /** An account that has or will have holds until then: due work looks at it in `dueInMs` at the latest, and again until that is over. */
  mark(account: string, dueInMs: number): Eventual<void>
  /** Marked accounts of a shard whose time has come, claimed for leaseMs; as `claimDue`, it waits a lease after silence. */
  claimAccounts(shard: number, leaseMs: number, limit: number): Eventual<DueAccount[]>
  /** Ends holds whose lease has lapsed. */
  sweep(account: string, limit: number): Eventual<SweepOutcome>
  /** The claimed look is done. The next one is in `againInMs`; 0: when what it was marked for is over, or never where it is. */
  looked(account: string, mark: number, againInMs: number): Eventual<void>
}
