// SPDX-License-Identifier: MIT
//
// How much may be asked a second time: a share of what is asked at all, so that retries never double the load on nodes that are
// in trouble because of it. Plain numbers, no timer.

/** A few retries are always there, so that a lone call can have one. */
const MOST_SAVED = 100
const AT_START = 10

export class RetryBudget {
  readonly #share: number
  #tokens = AT_START

  /** @param share retries for each first question, 0 to 1 */
  constructor(share: number) {
    this.#share = share
  }

  /** A question is asked for the first time. */
  earn(): void {
    if (this.#tokens < MOST_SAVED) this.#tokens += this.#share
  }

  /** Whether one may be asked again; takes it. */
  spend(): boolean {
    if (this.#share === 0 || this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
