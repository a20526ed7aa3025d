// SPDX-License-Identifier: MIT
//
// One rate with its bucket: lets requests in by priority while their latency is too long, and all of them while it is not.
import { type Period, RateControl, type RateSettings } from './rate-control.ts'
import { type BucketSettings, TokenBucket } from './token-bucket.ts'

/** Share of the bucket that each priority leaves to those before it. */
export const KEEP = { refresh: 0, call: 0.25, newcomer: 0.5 } as const

export class Governor {
  readonly #control: RateControl
  readonly #bucket: TokenBucket
  #refused = 0

  constructor(rate: RateSettings, bucket: BucketSettings) {
    this.#control = new RateControl(rate)
    this.#bucket = new TokenBucket(bucket)
  }

  get isLimiting(): boolean {
    return this.#control.isLimiting
  }

  get isAtFloor(): boolean {
    return this.isLimiting && this.#control.isAtFloor
  }

  get rate(): number {
    return this.#control.rate
  }

  get smoothedMs(): number {
    return this.#control.smoothedMs
  }

  get tokens(): number {
    return this.isLimiting ? this.#bucket.tokens : 0
  }

  refill(nowMs: number): void {
    if (this.isLimiting) this.#bucket.refill(nowMs)
  }

  /** Whether there is room for this priority; nothing is taken. */
  has(keep: number): boolean {
    return !this.isLimiting || this.#bucket.has(keep)
  }

  get hasReserved(): boolean {
    return this.isLimiting && this.#bucket.hasReserved
  }

  take(fromReserved = false): void {
    if (this.isLimiting) this.#bucket.take(fromReserved)
  }

  /** A request found no room. */
  noteRefused(): void {
    this.#refused += 1
  }

  adjust(period: Omit<Period, 'isRefusing'>, nowMs: number): void {
    const wasLimiting = this.isLimiting
    this.#control.adjust({ ...period, isRefusing: this.#refused > 0 })
    this.#refused = 0
    if (!this.isLimiting) return
    if (wasLimiting) this.#bucket.setRate(this.rate)
    else this.#bucket.start(this.rate, nowMs)
  }
}
