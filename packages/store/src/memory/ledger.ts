// SPDX-License-Identifier: MIT
// The ledger of one account in memory: entries whose sum, with that of the checkpoint before them, is the balance, always.
// scripts/account.ts and scripts/ledger.ts do the same in Redis.

import { LEDGER_FOLD, LEDGER_SLACK, LEDGER_UNCOPIED } from '../account-rules.ts'
import type { CopiedBatch, FoldedEntries, LedgerBatch, LedgerEntry } from '../account-store.ts'
import type { StoreSettings } from '../store.ts'

export const START = '0-0'

export class Ledger {
  readonly #settings: Pick<StoreSettings, 'ledgerMaxLen'>
  #entries: LedgerEntry[] = []
  #balance = 0n
  #checkpoint = { sum: 0n, count: 0, to: '' }
  /** Last entry that is copied; undefined where nobody copies. */
  #copiedTo: string | undefined
  /** Of the checkpoint: what is not copied. */
  #waiting = { sum: 0n, count: 0 }
  #newest = START

  constructor(settings: Pick<StoreSettings, 'ledgerMaxLen'>) {
    this.#settings = settings
  }

  get balance(): bigint {
    return this.#balance
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0 && this.#checkpoint.count === 0
  }

  newestFirst(limit: number): LedgerEntry[] {
    return limit > 0 ? this.#entries.slice(-limit).reverse() : []
  }

  audit() {
    const { sum, count, to } = this.#checkpoint
    const ledgerSum = this.#entries.reduce((all, { amount }) => all + amount, sum)
    const folded = { foldedEntries: count, foldedSum: sum, foldedTo: to, copiedTo: this.#copiedTo ?? '' }
    return { ledgerSum, entries: this.#entries.length, ...folded }
  }

  /** @param id of an entry that is restored, where it is later than all others */
  append(key: string, cause: string, amount: bigint, nowMs: number, id = this.#nextId(nowMs)): string {
    this.#balance += amount
    this.#newest = id
    this.#entries.push({ id, atMs: millisOf(id), key, cause, amount, balance: this.#balance })
    this.#fold()
    return id
  }

  /** Whether it is there, or was when it was folded. */
  has(id: string): boolean {
    if (id === '') return false
    const { to } = this.#checkpoint
    return (to !== '' && !isAfter(id, to)) || this.#entries.some((entry) => entry.id === id)
  }

  uncopied(limit: number): Pick<LedgerBatch, 'from' | 'to' | 'folded' | 'entries'> {
    this.#beginCopy()
    const from = this.#copiedTo ?? START
    const folded = this.#foldedBatch()
    const start = folded?.id ?? from
    const entries = this.#entries.filter(({ id }) => isAfter(id, start)).slice(0, limit)
    return { from, to: entries.at(-1)?.id ?? start, folded, entries }
  }

  copied({ from, to, folded, count, keepEntries, keepMs }: CopiedBatch, nowMs: number): boolean {
    if (this.#copiedTo !== from || (this.#foldedBatch()?.id ?? '') !== folded) return false
    const start = folded === '' ? from : folded
    const there = this.#entries.filter(({ id }) => isAfter(id, start) && !isAfter(id, to))
    if (there.length !== count || (there.at(-1)?.id ?? start) !== to) return false
    this.#copiedTo = to
    this.#waiting = { sum: 0n, count: 0 }
    const over = Math.min(this.#entries.length - keepEntries, LEDGER_FOLD)
    const isKept = ({ id }: LedgerEntry, index: number) =>
      index >= over || isAfter(id, to) || millisOf(id) > nowMs - keepMs
    const kept = this.#entries.findIndex(isKept)
    this.#toCheckpoint(kept < 0 ? this.#entries.length : kept)
    return true
  }

  /** @returns false where there is something already */
  beginAt({ to, amount, count }: { to: string; amount: bigint; count: number }): boolean {
    if (!this.isEmpty) return false
    this.#balance += amount
    this.#checkpoint = { sum: amount, count, to }
    this.#newest = to
    this.#copiedTo = to
    return true
  }

  /** As append, unless the key is there. An entry that comes right after the last one that is copied counts as copied. */
  restore({ id, key, cause, amount }: Pick<LedgerEntry, 'id' | 'key' | 'cause' | 'amount'>, nowMs: number): string {
    this.#copiedTo ??= START
    if (this.#entries.some((entry) => entry.key === key || entry.id === id)) return ''
    const isInOrder = this.#newest === this.#copiedTo && this.#waiting.count === 0
    const keepsId = isAfter(id, this.#newest)
    const added = this.append(key, cause, amount, nowMs, keepsId ? id : this.#nextId(nowMs))
    if (isInOrder && keepsId) this.#copiedTo = added
    return added
  }

  #beginCopy(): void {
    if (this.#copiedTo !== undefined || this.isEmpty) return
    this.#copiedTo = START
    // What was folded before anybody copied is copied as one sum.
    this.#waiting = { sum: this.#checkpoint.sum, count: this.#checkpoint.count }
  }

  #foldedBatch(): FoldedEntries | undefined {
    const { sum: amount, count } = this.#waiting
    const { to: id, sum: balance } = this.#checkpoint
    return count === 0 ? undefined : { id, amount, count, balance }
  }

  #nextId(nowMs: number): string {
    const ms = millisOf(this.#newest)
    return nowMs > ms ? `${nowMs}-0` : `${ms}-${sequenceOf(this.#newest) + 1}`
  }

  #fold(): void {
    const { ledgerMaxLen } = this.#settings
    const max = this.#copiedTo === undefined ? ledgerMaxLen : ledgerMaxLen * LEDGER_UNCOPIED
    const over = this.#entries.length - max
    if (over <= Math.ceil(ledgerMaxLen / LEDGER_SLACK)) return
    const copiedTo = this.#copiedTo
    if (copiedTo !== undefined) {
      for (const { id, amount } of this.#entries.slice(0, over)) {
        if (isAfter(id, copiedTo)) this.#waiting = { sum: this.#waiting.sum + amount, count: this.#waiting.count + 1 }
      }
    }
    this.#toCheckpoint(over)
  }

  #toCheckpoint(count: number): void {
    if (count === 0) return
    const old = this.#entries.slice(0, count)
    const sum = old.reduce((all, { amount }) => all + amount, this.#checkpoint.sum)
    this.#checkpoint = { sum, count: this.#checkpoint.count + count, to: old.at(-1)?.id ?? '' }
    this.#entries = this.#entries.slice(count)
  }
}

const millisOf = (id: string): number => Number(id.slice(0, id.indexOf('-')))
const sequenceOf = (id: string): number => Number(id.slice(id.indexOf('-') + 1))

export function isAfter(id: string, other: string): boolean {
  const difference = millisOf(id) - millisOf(other)
  return difference > 0 || (difference === 0 && sequenceOf(id) > sequenceOf(other))
}
