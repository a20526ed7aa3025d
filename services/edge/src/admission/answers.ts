// SPDX-License-Identifier: MIT
//
// How many refusals a second are answered while there is too much. A refusal takes about a tenth of the time of what it refuses; when most
// of what comes is refused, that is more than there is to spare. Begins at half of the rate that is let in, is halved while messages wait at the
// edge, and grows again while they do not.
import { TokenBucket } from './token-bucket.ts'

/** Of the rate that is let in: at most; where fewer spare next to nothing; at least. */
const MOST_SHARE = 1
const SPARING_SHARE = 0.3
const LEAST_SHARE = 0.1
const DECREASE_FACTOR = 2
const INCREASE_FACTOR = 1.1

export class Answers {
  readonly #bucket = new TokenBucket({ burstS: 0.1, reservedShare: 0 })
  #rate = 0

  /** A second; 0 while there is no limit. */
  get rate(): number {
    return this.#rate
  }

  has(nowMs: number): boolean {
    this.#bucket.refill(nowMs)
    return this.#rate === 0 || this.#bucket.has(0)
  }

  take(nowMs: number): boolean {
    if (!this.has(nowMs)) return false
    this.#bucket.take()
    return true
  }

  /** At the end of each period. @param admitted a second @returns true when there was something to be spared */
  adjust(isWaiting: boolean, admitted: number, nowMs: number): boolean {
    if (this.#rate === 0) {
      this.#rate = admitted / 2
      this.#bucket.start(this.#rate, nowMs)
      return false
    }
    const canSpare = isWaiting && this.#rate > admitted * SPARING_SHARE
    const rate = isWaiting ? this.#rate / DECREASE_FACTOR : this.#rate * INCREASE_FACTOR
    this.#rate = Math.min(admitted * MOST_SHARE, Math.max(admitted * LEAST_SHARE, rate))
    this.#bucket.setRate(this.#rate)
    return canSpare
  }

  /** There is no limit any more. */
  stop(): void {
    this.#rate = 0
  }
}
