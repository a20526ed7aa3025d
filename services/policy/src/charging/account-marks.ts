// SPDX-License-Identifier: MIT
//
// Marks accounts that have holds, before they have them, so that due work finds what no call on record leads to any more. This node
// marks an account once in `marked`, the longest that a call is in set-up; the mark stands for twice that, and due work takes none away before its
// time. An account that is marked all the time is looked at all the time.
import type { AccountStore, Stored } from '@tandem/store'

const MAX_MARKED = 200_000
const MARKED: Stored<void> = { state: 'stored', value: undefined }

export class AccountMarks {
  readonly #accounts: AccountStore
  readonly #markedMs: number
  readonly #now: () => number
  readonly #until = new Map<string, number>()

  /** @param markedMs lease of the hold of a call in set-up */
  constructor(accounts: AccountStore, markedMs: number, now: () => number) {
    this.#accounts = accounts
    this.#markedMs = markedMs
    this.#now = now
  }

  /** How long a mark stands. */
  get markMs(): number {
    return 2 * this.#markedMs
  }

  /** Resolves at once for an account that has a mark. */
  async ensure(account: string): Promise<Stored<void>> {
    const now = this.#now()
    if ((this.#until.get(account) ?? 0) > now) return MARKED
    const marked = await this.#accounts.mark(account, this.markMs)
    if (marked.state === 'stored') this.#note(account, now + this.#markedMs)
    return marked
  }

  has(account: string): boolean {
    return (this.#until.get(account) ?? 0) > this.#now()
  }

  /** Accounts that have a mark, `limit` of them at most. */
  active(limit: number): string[] {
    const now = this.#now()
    const found: string[] = []
    for (const [account, untilMs] of this.#until) {
      if (untilMs > now) found.push(account)
      if (found.length >= limit) break
    }
    return found
  }

  #note(account: string, untilMs: number): void {
    if (this.#until.size >= MAX_MARKED) this.#until.clear()
    this.#until.set(account, untilMs)
  }
}
