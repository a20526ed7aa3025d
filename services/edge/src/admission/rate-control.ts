// SPDX-License-Identifier: MIT
//
// The rate at which requests are let in, found by what they meet: raised step by step while their latency is below its target, cut by a
// factor above it. It is the control of Clearwater's Sprout (Welsh and Culler, "Adaptive Overload Control for Busy Internet Servers"), with
// three differences. There is no rate until the latency has been too long, and it begins at what was finished in a second, so that nothing is
// counted while there is no overload. Steps are small about the rate of the last cut and grow with the distance from it, so that the rate stays
// near what the cluster can do, and finds it soon after it has changed. And a latency that is falling is not cut again: a queue is emptying.
//
// Pure: the caller brings the mean latency of each period.

export interface RateSettings {
  /** Milliseconds. */
  readonly targetMs: number
  /** Requests a second: never below, never above. */
  readonly minRate: number
  readonly maxRate: number
}

export interface Period {
  /** Mean latency of what was answered in it; undefined when that was too little to tell. */
  readonly meanMs: number | undefined
  /** Answered a second. */
  readonly perSecond: number
  /** Something was refused for want of a token. */
  readonly isRefusing: boolean
}

const DECREASE_FACTOR = 1.2
/** Where a rate begins, of what was finished: what has gathered must go too. */
const FIRST_SHARE = 0.8
const MIN_STEP = 0.05
const MAX_STEP = 0.5
/** Of the last mean: below it the latency is falling. */
const FALLING = 0.9
/** A period. */
const BEST_DECAY = 0.9
/** Periods with too long a latency, after which there is a rate. */
const LONG_PERIODS = 2
/** Periods without a refusal, below the target, after which there is no rate any more. */
const CALM_PERIODS = 10

export class RateControl {
  readonly #settings: RateSettings
  #rate = Number.POSITIVE_INFINITY
  /** The rate that was too high. */
  #knee = 0
  #smoothedMs = 0
  #lastMs = 0
  #longPeriods = 0
  /** The most that was finished in a second, of the last second or two. */
  #bestPerSecond = 0
  #calmPeriods = 0

  constructor(settings: RateSettings) {
    this.#settings = settings
  }

  get isLimiting(): boolean {
    return this.#rate !== Number.POSITIVE_INFINITY
  }

  /** Requests a second; Infinity while nothing is limited. */
  get rate(): number {
    return this.#rate
  }

  /** Of the last periods, the latest counting half. */
  get smoothedMs(): number {
    return this.#smoothedMs
  }

  get isAtFloor(): boolean {
    return this.#rate <= this.#settings.minRate
  }

  /** At the end of each period. */
  adjust(period: Period): void {
    const { meanMs, perSecond } = period
    this.#bestPerSecond = Math.max(perSecond, this.#bestPerSecond * BEST_DECAY)
    if (this.isLimiting) this.#countCalm(period)
    if (meanMs === undefined) return
    this.#smoothedMs = this.#smoothedMs === 0 ? meanMs : (this.#smoothedMs + meanMs) / 2
    const isFalling = meanMs < this.#lastMs * FALLING
    this.#lastMs = meanMs
    const { targetMs } = this.#settings
    const isLong = meanMs > targetMs
    if (!this.isLimiting) this.#expect(isLong)
    else if (!isLong) this.#raise(1 - meanMs / targetMs)
    else if (!isFalling) this.#cut()
  }

  /** One period may be a pause of the machine; two are no chance. */
  #expect(isLong: boolean): void {
    this.#longPeriods = isLong ? this.#longPeriods + 1 : 0
    if (this.#longPeriods >= LONG_PERIODS) this.#begin(this.#bestPerSecond)
  }

  #begin(perSecond: number): void {
    this.#knee = this.#bounded(perSecond)
    this.#rate = this.#bounded(perSecond * FIRST_SHARE)
    this.#longPeriods = 0
    this.#calmPeriods = 0
  }

  #cut(): void {
    this.#knee = this.#rate
    this.#rate = this.#bounded(this.#rate / DECREASE_FACTOR)
  }

  /** @param headroom 0 to 1: how far below its target the latency is */
  #raise(headroom: number): void {
    const distance = Math.abs(this.#rate - this.#knee) / this.#knee
    const step = Math.min(MAX_STEP, Math.max(MIN_STEP, distance / 2))
    this.#rate = this.#bounded(this.#rate * (1 + step * headroom))
  }

  #countCalm({ meanMs, isRefusing }: Period): void {
    const isCalm = !isRefusing && (meanMs ?? 0) <= this.#settings.targetMs
    this.#calmPeriods = isCalm ? this.#calmPeriods + 1 : 0
    if (this.#calmPeriods < CALM_PERIODS) return
    this.#rate = Number.POSITIVE_INFINITY
    this.#smoothedMs = 0
  }

  #bounded(rate: number): number {
    return Math.min(this.#settings.maxRate, Math.max(this.#settings.minRate, rate))
  }
}
