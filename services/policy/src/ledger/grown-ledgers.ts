// SPDX-License-Identifier: MIT
//
// Accounts whose ledger has grown at this node, until the store has them marked for the copy. What is lost here (a node that
// dies, a store that is away while the set is full) is found by the feed's round over all accounts.
import type { AccountStore } from '@tandem/store'

const FLUSH_MS = 250
const MAX_GROWN = 100_000

export class GrownLedgers {
  readonly #accounts: Pick<AccountStore, 'markLedger'>
  readonly #onBug: (error: unknown) => void
  readonly #grown = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  constructor(accounts: Pick<AccountStore, 'markLedger'>, onBug: (error: unknown) => void) {
    this.#accounts = accounts
    this.#onBug = onBug
  }

  note(account: string): void {
    if (this.#grown.size < MAX_GROWN) this.#grown.add(account)
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush().catch(this.#onBug), FLUSH_MS).unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.flush()
  }

  /** Marks what has grown; what the store does not take waits for the next time. */
  async flush(): Promise<void> {
    const all = [...this.#grown]
    this.#grown.clear()
    await Promise.all(
      all.map(async (account) => {
        const marked = await this.#accounts.markLedger(account)
        if (marked.state !== 'stored') this.note(account)
      }),
    )
  }
}
