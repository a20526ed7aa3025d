// SPDX-License-Identifier: MIT
//
// Nonces for while the store is away: nobody can say then what other nodes have accepted, so each node accepts only what it gave out itself,
// and each of them once, at count 1. For all others they are stale. What is kept are the nonces that were used by somebody who had the
// right password, as long as they are fresh: a flood of requests without a password costs nothing. Where the table is full no more are taken.
const MAX_USED = 100_000

export class OneTimeNonces {
  readonly #used = new Map<string, { readonly by: string; readonly goneMs: number }>()
  readonly #keepMs: number
  readonly #limit: number

  constructor(keepMs: number, limit = MAX_USED) {
    this.#keepMs = keepMs
    this.#limit = limit
  }

  get size(): number {
    return this.#used.size
  }

  /** @param by names the request: a retransmission is no replay */
  use(nonceId: string, count: number, by: string, nowMs: number): 'fresh' | 'replay' {
    this.#sweep(nowMs)
    const used = this.#used.get(nonceId)
    if (used !== undefined) return used.by === by ? 'fresh' : 'replay'
    if (count > 1 || this.#used.size >= this.#limit) return 'replay'
    this.#used.set(nonceId, { by, goneMs: nowMs + this.#keepMs })
    return 'fresh'
  }

  /** All are kept equally long: the oldest come first. */
  #sweep(nowMs: number): void {
    for (const [id, { goneMs }] of this.#used) {
      if (goneMs > nowMs) return
      this.#used.delete(id)
    }
  }
}
