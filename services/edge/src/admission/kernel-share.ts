// SPDX-License-Identifier: MIT
//
// The last line: the share of REGISTERs that the kernel drops before the edge reads them, whoever they are from. Raised only while messages
// wait although few refusals are answered any more, and most of what is read is dropped; given back slowly once they do not wait.

/** Dropped here for each that is let in: below, reading them is not what takes the time. */
const MIN_DROPS = 1
const MOST = 0.95
const FIRST = 0.4
const RETURN_FACTOR = 1.05

export class KernelShare {
  #share = 0

  /** 0 to 1. */
  get value(): number {
    return this.#share
  }

  /**
   * At the end of each period.
   * @param dropped after they were read, a second
   * @returns true when there was something to be spared
   */
  adjust(isWaiting: boolean, dropped: number, admitted: number): boolean {
    if (!isWaiting) {
      this.#share = Math.max(0, 1 - (1 - this.#share) * RETURN_FACTOR)
      return false
    }
    if (dropped < admitted * MIN_DROPS || this.#share >= MOST) return false
    this.#share = Math.min(MOST, Math.max(FIRST, this.#share + (1 - this.#share) / 3))
    return true
  }

  stop(): void {
    this.#share = 0
  }
}
