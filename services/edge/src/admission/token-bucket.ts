// SPDX-License-Identifier: MIT
//
// Tokens that come at a rate, for requests of several priorities: a lower one finds room only while a share of the bucket is full, so that
// what is left is kept for the higher ones. The thresholds are those of RFC 7415 section 3.5.2, with a bucket that empties instead
// of one that fills. Beside it a part of the rate may be set apart, for those whom a higher priority would keep out for ever.

export interface BucketSettings {
  /** Seconds of the rate that the bucket holds: how much may come at once after a pause. */
  readonly burstS: number
  /** Share of the rate that is set apart, 0 to 1. */
  readonly reservedShare: number
}

/** However slow the rate, each priority has some tokens between itself and the next. */
const MIN_DEPTH = 16

export class TokenBucket {
  readonly #settings: BucketSettings
  #rate = 0
  #depth = MIN_DEPTH
  #tokens = MIN_DEPTH
  #reserved = 0
  #atMs = 0

  constructor(settings: BucketSettings) {
    this.#settings = settings
  }

  /** A second. */
  get rate(): number {
    return this.#rate
  }

  get tokens(): number {
    return this.#tokens
  }

  /** Half full, for a rate that begins. */
  start(rate: number, nowMs: number): void {
    this.#atMs = nowMs
    this.setRate(rate)
    this.#tokens = this.#depth / 2
    this.#reserved = this.#depth * this.#settings.reservedShare
  }

  setRate(rate: number): void {
    this.#rate = rate
    this.#depth = Math.max(MIN_DEPTH, rate * this.#settings.burstS)
    this.#tokens = Math.min(this.#tokens, this.#depth)
  }

  /** @param nowMs monotonic */
  refill(nowMs: number): void {
    const seconds = Math.max(0, nowMs - this.#atMs) / 1000
    this.#atMs = nowMs
    const came = seconds * this.#rate
    const { reservedShare } = this.#settings
    this.#tokens = Math.min(this.#depth, this.#tokens + came)
    this.#reserved = Math.min(this.#depth * reservedShare, this.#reserved + came * reservedShare)
  }

  /** Whether a token is there above this share of the bucket. @param keep 0 to 1: what is left to others */
  has(keep: number): boolean {
    return this.#tokens >= 1 + keep * this.#depth
  }

  get hasReserved(): boolean {
    return this.#reserved >= 1
  }

  /** Of the whole: a token that was set apart counts here too, so that the rate holds; the debt is bounded by what is set apart. */
  take(fromReserved = false): void {
    this.#tokens = Math.max(-this.#depth, this.#tokens - 1)
    if (fromReserved) this.#reserved -= 1
  }
}
