// SPDX-License-Identifier: MIT
//
// All that policy does for the copy of ledgers, as one part of the service: accounts that say when they have grown, their marks in
// the store, and the feed. Without a copy there is none of it, and accounts are the store's own.
import type { RecordFeed } from '@tandem/rpc'
import type { AccountStore } from '@tandem/store'
import { GrownLedgers } from './grown-ledgers.ts'
import { LedgerFeed, type LedgerFeedOptions } from './ledger-feed.ts'
import { notingAccounts } from './noting-accounts.ts'

/** Younger entries stay in the store: the second look at a charge wants its entry. */
const KEEP_MS = 600_000

export interface LedgerCopySettings {
  /** Of what is copied these stay in the store: the newest. */
  readonly keepEntries: number
}

export interface LedgerCopy {
  readonly accounts: AccountStore
  readonly feed: RecordFeed
  start(): void
  stop(): Promise<void>
}

type Parts = Omit<LedgerFeedOptions, 'accounts' | 'keepEntries' | 'keepMs' | 'now'> & {
  readonly accounts: AccountStore
  readonly verifyAfterMs: number
}

export function createLedgerCopy({ keepEntries }: LedgerCopySettings, { verifyAfterMs, ...parts }: Parts): LedgerCopy {
  const grown = new GrownLedgers(parts.accounts, parts.onBug)
  const keepMs = KEEP_MS + verifyAfterMs
  const feed = new LedgerFeed({ ...parts, keepEntries, keepMs, now: () => performance.now() })
  return {
    accounts: notingAccounts(parts.accounts, (account) => grown.note(account)),
    feed,
    start: () => grown.start(),
    stop: async () => {
      await grown.stop()
      feed.stop()
    },
  }
}
