// SPDX-License-Identifier: MIT
//
// When a batch may leave at once and when it waits for company. A message costs many times an item (bench/items.ts), so on
// average no more than one leaves a window; a few that were not used are saved up, so that at low load the calls of one set-up,
// each made when the one before is answered, never wait.

const SAVED_MAX = 8

export class Pace {
  readonly #windowMs: number
  #saved = SAVED_MAX
  #countedMs: number

  constructor(windowMs: number, nowMs: number) {
    this.#windowMs = windowMs
    this.#countedMs = nowMs
  }

  /** Whether one more message is within the pace. */
  allows(nowMs: number): boolean {
    if (this.#windowMs === 0) return true
    this.#saved = Math.min(SAVED_MAX, this.#saved + (nowMs - this.#countedMs) / this.#windowMs)
    this.#countedMs = nowMs
    return this.#saved >= 1
  }

  /** A message left. */
  spend(): void {
    this.#saved = Math.max(0, this.#saved - 1)
  }
}
