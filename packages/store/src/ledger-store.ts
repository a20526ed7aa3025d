// SPDX-License-Identifier: MIT
// The copy of ledgers elsewhere (PostgreSQL): what is not copied yet is read, oldest first, and confirmed; entries that are copied
// are folded into the checkpoint, so that checkpoint and rest are the balance, always. Accounts with new entries are marked, so that
// nobody looks for them. What is confirmed must be what was read: a master that lost its newest entries may have others since.
// [STATE.md, Calls and money]

import type { DueAccount, LedgerEntry } from './account-store.ts'
import type { Eventual } from './result.ts'

/** Where the ledger of an account begins. */
export const LEDGER_START = '0-0'

/** What had to be folded before it was copied: it is copied as one sum. */
export interface FoldedEntries {
  /** Of the last of them. */
  readonly id: string
  readonly amount: bigint
  readonly count: number
  /** After the last of them. */
  readonly balance: bigint
}

/** Entries that are not copied yet. Nothing to copy: to is from. */
export interface LedgerBatch {
  readonly account: string
  readonly currency: string
  /** Id of the last entry that is copied, `LEDGER_START` for none. */
  readonly from: string
  /** Id of the last entry of this batch. */
  readonly to: string
  /** Older than all of `entries`. */
  readonly folded: FoldedEntries | undefined
  /** Oldest first. */
  readonly entries: readonly LedgerEntry[]
}

/** A batch that is copied, as it was read. */
export interface CopiedBatch {
  readonly account: string
  readonly from: string
  readonly to: string
  /** Id of `folded`, '' for none. */
  readonly folded: string
  /** Entries apart from what was folded. */
  readonly count: number
  /** Of what is copied these stay: the newest … */
  readonly keepEntries: number
  /** … and those that are younger. */
  readonly keepMs: number
}

/** What a lost ledger is made from. */
export interface RestoreRequest {
  readonly account: string
  readonly currency: string
  /** Of an account that has nothing: the sum of all entries up to `to`. Else it must be undefined. */
  readonly checkpoint: { readonly to: string; readonly amount: bigint; readonly count: number } | undefined
  /** Oldest first. One whose key the ledger has changes nothing. They count as copied where their ids can be kept. */
  readonly entries: readonly Pick<LedgerEntry, 'id' | 'key' | 'cause' | 'amount'>[]
  /** Top-ups of the checkpoint whose keys are to be known. */
  readonly keys: readonly { readonly key: string; readonly amount: bigint }[]
}

export interface RestoreOutcome {
  /** `notEmpty`: a checkpoint for an account that has something. `overflow`: the balance would leave its bounds. */
  readonly result: 'restored' | 'notEmpty' | 'currency' | 'overflow'
  readonly added: number
  readonly balance: bigint
}

export interface LedgerStore {
  /** The account has entries that may not be copied yet. */
  markLedger(account: string): Eventual<void>
  /** Marked accounts of one of `LEDGER_SHARDS` shards, claimed for leaseMs. */
  claimLedgers(shard: number, leaseMs: number, limit: number): Eventual<DueAccount[]>
  /** The claimed look is done. Look once more whether all is copied: what came during the look may not have marked. */
  lookedAtLedger(account: string, mark: number): Eventual<void>
  /** From now on the account keeps what is not copied, up to eight times `ledgerMaxLen`. */
  readUncopied(account: string, limit: number): Eventual<LedgerBatch>
  /** False: the ledger is not as it was read; nothing happened. */
  copied(batch: CopiedBatch): Eventual<boolean>
  restore(request: RestoreRequest): Eventual<RestoreOutcome>
}
