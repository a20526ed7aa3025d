// SPDX-License-Identifier: MIT
//
// Marks accounts that have holds, before they have them, so that due work finds what no call on record leads to any more. This node
// marks an account once in MARKED_MS; the mark stands for twice that, and due work takes none away before its time.
import type { AccountStore, Stored } from '@tandem/store'

const MARKED_MS = 10 * 60_000
/** When due work looks. */
export const MARK_MS = 2 * MARKED_MS
const MAX_MARKED = 200_000
const MARKED: Stored<void> = { state: 'stored', value: undefined }

export class AccountMarks {
  readonly #accounts: AccountStore
  readonly #now: () => number
  readonly #until = new Map<string, number>()

  constructor(accounts: AccountStore, now: () => number) {
    this.#accounts = accounts
    this.#now = now
  }

  /** Resolves at once for an account that has a mark. */
  async ensure(account: string): Promise<Stored<void>> {
    const now = this.#now()
    if ((this.#until.get(account) ?? 0) > now) return MARKED
    const marked = await this.#accounts.mark(account, MARK_MS)
    if (marked.state === 'stored') this.#note(account, now + MARKED_MS)
    return marked
  }

  has(account: string): boolean {
    return (this.#until.get(account) ?? 0) > this.#now()
  }

  #note(account: string, untilMs: number): void {
    if (this.#until.size >= MAX_MARKED) this.#until.clear()
    this.#until.set(account, untilMs)
  }
}
