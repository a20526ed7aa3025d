// SPDX-License-Identifier: MIT
// Numbers that both stores keep accounts by.

/** A balance and what is held stay within ± this: 2^53 - 1. */
export const MAX_BALANCE = 9_007_199_254_740_991n

/** Spend of the last hour: buckets of five minutes, the one that has begun and the twelve before it. */
export const MINUTES_BUCKET_MS = 300_000
export const MINUTES_BUCKETS = 12
/** Spend of the last day: buckets of an hour, the one that has begun and the 24 before it. */
export const HOUR_BUCKET_MS = 3_600_000
export const HOUR_BUCKETS = 24

/** A ledger that is an eighth above its bound is folded down to it. */
export const LEDGER_SLACK = 8
/** One that is copied keeps so many times its bound, as long as they are not copied yet. */
export const LEDGER_UNCOPIED = 8
/** Shards of the accounts whose ledger is to be copied. */
export const LEDGER_SHARDS = 16
/** Copied entries that one confirmation folds, at most. */
export const LEDGER_FOLD = 1_000

/** What may stand in `{a:<account>}`. */
const ACCOUNT = /^[A-Za-z0-9._-]{1,128}$/

export const isAccountName = (account: string): boolean => ACCOUNT.test(account)

export const isAmount = (amount: bigint): boolean => amount <= MAX_BALANCE && amount >= -MAX_BALANCE
