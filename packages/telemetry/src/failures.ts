// SPDX-License-Identifier: MIT
//
// Which final status is a failure that is worth a trace, and how many of them a second: a flood of failures must not become a flood of
// spans. The bound is a bucket that holds one second.

export class FailureFilter {
  /** Failures that were not kept, because there were too many. */
  surplus = 0
  readonly #normal: ReadonlySet<number>
  readonly #perSecond: number
  #tokens: number
  #refilledMs = 0

  /** @param normal statuses from 400 that mean nothing is wrong */
  constructor(normal: readonly number[], perSecond: number) {
    this.#normal = new Set(normal)
    this.#perSecond = perSecond
    this.#tokens = perSecond
  }

  isFailure(status: number): boolean {
    return status >= 400 && !this.#normal.has(status)
  }

  /** Whether there is room for one more. */
  admits(nowMs: number): boolean {
    const grown = this.#tokens + ((nowMs - this.#refilledMs) / 1_000) * this.#perSecond
    this.#tokens = Math.min(this.#perSecond, grown)
    this.#refilledMs = nowMs
    if (this.#tokens < 1) {
      this.surplus += 1
      return false
    }
    this.#tokens -= 1
    return true
  }
}
