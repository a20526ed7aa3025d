// SPDX-License-Identifier: MIT
//
// A part of a ledger as an item of the feed. Its id says what it holds: account, after, to, what was folded, how many entries.
import type { records } from '@tandem/rpc'
import type { CopiedBatch, FoldedEntries, LedgerBatch, LedgerEntry } from '@tandem/store'

const STREAM_ID = /^\d{1,15}-\d{1,15}$/

export function idOf({ account, from, to, folded, entries }: LedgerBatch): string {
  return [account, from, to, folded?.id ?? '', entries.length].join('/')
}

/** undefined: no id of ours. */
export function parseId(id: string): Omit<CopiedBatch, 'keepEntries' | 'keepMs'> | undefined {
  const [account = '', from = '', to = '', folded = '', count = ''] = id.split('/')
  if (!STREAM_ID.test(from) || !STREAM_ID.test(to) || !/^\d{1,6}$/.test(count)) return undefined
  return { account, from, to, folded, count: Number(count) }
}

const toEntry = ({ id, atMs, key, cause, amount, balance }: LedgerEntry): records.LedgerEntry => ({
  id,
  unixMs: BigInt(atMs),
  key,
  cause,
  amount,
  balance,
})

function toFolded({ id, amount, balance }: FoldedEntries, from: string): records.LedgerEntry {
  const unixMs = BigInt(id.slice(0, id.indexOf('-')))
  return { id, unixMs, key: `folded/${from}`, cause: 'folded', amount, balance }
}

export function toItem(id: string, { account, currency, from, folded, entries }: LedgerBatch): records.FeedItem {
  const ledger: records.LedgerBatch = { account, currency, after: from, entries: entries.map(toEntry) }
  if (folded !== undefined) ledger.folded = toFolded(folded, from)
  return { id, record: undefined, ledger }
}
