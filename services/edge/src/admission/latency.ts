// SPDX-License-Identifier: MIT
//
// How long requests wait for their answer: the mean of a period for each kind. Two additions on the path of a request.

export interface PeriodLatency {
  /** undefined: too few to tell. */
  readonly meanMs: number | undefined
  /** Answered a second. */
  readonly perSecond: number
}

/** Fewer are chance. */
const MIN_SAMPLES = 5

export class Latency {
  #sumMs = 0
  #count = 0

  note(ms: number): void {
    this.#sumMs += ms
    this.#count += 1
  }

  /** The period that ends, and the begin of the next one. @param periodMs its length */
  take(periodMs: number): PeriodLatency {
    const meanMs = this.#count < MIN_SAMPLES ? undefined : this.#sumMs / this.#count
    const perSecond = (this.#count * 1000) / periodMs
    this.#sumMs = 0
    this.#count = 0
    return { meanMs, perSecond }
  }
}
