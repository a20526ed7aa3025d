// SPDX-License-Identifier: MIT
//
// A circuit breaker: after enough failures in a window it is open and nothing is asked for a while; then one question at a time
// is a probe, and enough good answers in a row close it. Plain numbers, no timer: the caller says what time it is.
// A question that is never settled does not hold the way of probes for ever: after another `openMs` the next one may go.

export interface BreakerSettings {
  /** Failures in the window, at least, before it opens. */
  readonly failures: number
  /** Of all answers in the window, the share of failures from which it opens; 0 to 1. */
  readonly ratio: number
  readonly windowMs: number
  /** From its opening to the first probe, and between probes that fail. */
  readonly openMs: number
  /** Good answers in a row that close it. */
  readonly probes: number
}

export const BREAKER_DEFAULTS: BreakerSettings = {
  failures: 20,
  ratio: 0.5,
  windowMs: 10_000,
  openMs: 2_000,
  probes: 1,
}

export type BreakerState = 'closed' | 'open' | 'half-open'

/** Two halves: what is older than the window counts for nothing, what is younger than half of it counts in full. */
interface Half {
  good: number
  bad: number
}

export class Breaker {
  /** How often it opened. */
  opened = 0
  readonly #settings: BreakerSettings
  #state: BreakerState = 'closed'
  #now: Half = { good: 0, bad: 0 }
  #before: Half = { good: 0, bad: 0 }
  #halfSinceMs = Number.NEGATIVE_INFINITY
  /** Open, or the last probe left: since then. */
  #sinceMs = 0
  #isProbing = false
  #goodProbes = 0

  constructor(settings: BreakerSettings) {
    this.#settings = settings
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whether a question may go now. One that goes while this is half-open is said by `asked`. */
  allows(nowMs: number): boolean {
    if (this.#state === 'closed') return true
    if (nowMs - this.#sinceMs >= this.#settings.openMs) return true
    return this.#state === 'half-open' && !this.#isProbing
  }

  /** A question goes. */
  asked(nowMs: number): void {
    if (this.#state === 'closed') return
    if (this.#state === 'open') this.#goodProbes = 0
    this.#state = 'half-open'
    this.#isProbing = true
    this.#sinceMs = nowMs
  }

  /** What became of a question. */
  settled(isGood: boolean, nowMs: number): void {
    if (this.#state === 'closed') this.#count(isGood, nowMs)
    else if (this.#state === 'half-open') this.#onProbe(isGood, nowMs)
  }

  #count(isGood: boolean, nowMs: number): void {
    this.#turn(nowMs)
    if (isGood) this.#now.good += 1
    else this.#now.bad += 1
    if (!isGood && this.#isTooMuch()) this.#open(nowMs)
  }

  #isTooMuch(): boolean {
    const { failures, ratio } = this.#settings
    const bad = this.#now.bad + this.#before.bad
    return bad >= failures && bad >= ratio * (bad + this.#now.good + this.#before.good)
  }

  #turn(nowMs: number): void {
    const ageMs = nowMs - this.#halfSinceMs
    const halfMs = this.#settings.windowMs / 2
    if (ageMs < halfMs) return
    this.#before = ageMs < 2 * halfMs ? this.#now : { good: 0, bad: 0 }
    this.#now = { good: 0, bad: 0 }
    this.#halfSinceMs = nowMs
  }

  #onProbe(isGood: boolean, nowMs: number): void {
    this.#isProbing = false
    if (!isGood) return this.#open(nowMs)
    this.#goodProbes += 1
    if (this.#goodProbes < this.#settings.probes) return
    this.#state = 'closed'
    this.#now = { good: 0, bad: 0 }
    this.#before = { good: 0, bad: 0 }
  }

  #open(nowMs: number): void {
    this.#state = 'open'
    this.#sinceMs = nowMs
    this.#isProbing = false
    this.opened += 1
  }
}
