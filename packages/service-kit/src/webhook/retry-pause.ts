// SPDX-License-Identifier: MIT
//
// How long to wait after a failure: doubled from the shortest to the longest, the upper half at random so that many
// senders don't come back together, and never less than the other side asked for.

export interface RetrySettings {
  readonly retryMinMs: number
  readonly retryMaxMs: number
}

export class RetryPause {
  readonly #settings: RetrySettings
  readonly #random: () => number
  /** Failures in a row. */
  failures = 0

  constructor(settings: RetrySettings, random: () => number = Math.random) {
    this.#settings = settings
    this.#random = random
  }

  /** Counts a failure; the pause that follows it in ms. `retryAfterMs` is what the other side asked for, 0 for nothing. */
  next(retryAfterMs = 0): number {
    const { retryMinMs, retryMaxMs } = this.#settings
    const longest = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.failures, 30))
    this.failures++
    return Math.max(retryAfterMs, Math.round(longest / 2 + (this.#random() * longest) / 2))
  }

  reset(): void {
    this.failures = 0
  }
}
