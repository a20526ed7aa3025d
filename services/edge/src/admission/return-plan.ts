// SPDX-License-Identifier: MIT
//
// When those who are refused are to come back (Retry-After). Every second that was promised to somebody is written down, so that it is
// known how many will come: divided by the rate at which requests are let in, that is how long they will take. Each is told a time by chance
// in 0.7 to 1.4 times that, which spreads the returns evenly: at any time about as many come as are let in. Who was told a second
// is forgotten once it is over. So the times grow with the backlog and shrink with it, whoever obeys or does not.
//
// Two lines, because those of the first priority need not wait for the second; who waits in the second waits for both.
// A second is one slot of a ring: the table has one size, whatever comes.

export interface ReturnSettings {
  /** Seconds: nobody is told less, or more. */
  readonly minS: number
  readonly maxS: number
  /** Seconds that are added by chance however small the backlog. */
  readonly spreadS: number
}

const SOONEST = 0.7
const LATEST = 1.4

/** What was promised, second by second. */
class Promised {
  readonly #slots: Float64Array
  #second = 0
  total = 0

  constructor(seconds: number) {
    this.#slots = new Float64Array(seconds)
  }

  /** Forgets what is over. */
  advance(second: number): void {
    const slots = this.#slots
    const passed = Math.min(second - this.#second, slots.length)
    for (let k = 0; k < passed; k++) {
      const at = (this.#second + k) % slots.length
      this.total -= slots[at] as number
      slots[at] = 0
    }
    if (second > this.#second) this.#second = second
    if (this.total < 0.5) this.total = 0
  }

  add(second: number, weight: number): void {
    const at = second % this.#slots.length
    this.#slots[at] = (this.#slots[at] as number) + weight
    this.total += weight
  }
}

export class ReturnPlan {
  readonly #settings: ReturnSettings
  readonly #random: () => number
  readonly #first: Promised
  readonly #second: Promised

  /** @param random [0, 1) */
  constructor(settings: ReturnSettings, random: () => number) {
    this.#settings = settings
    this.#random = random
    this.#first = new Promised(settings.maxS + 2)
    this.#second = new Promised(settings.maxS + 2)
  }

  /** Requests that were told to come back and whose time has not come. */
  backlog(nowMs: number): number {
    this.#advance(nowMs)
    return this.#first.total + this.#second.total
  }

  /**
   * Whole seconds for one who is refused.
   * @param isFirst of the first priority
   * @param weight requests that it will make until it is done
   * @param perSecond requests that are let in a second
   * @param maxS at most, for one who had better not wait so long
   */
  secondsFor(isFirst: boolean, weight: number, perSecond: number, nowMs: number, maxS = this.#settings.maxS): number {
    this.#advance(nowMs)
    const line = isFirst ? this.#first : this.#second
    const ahead = this.#first.total + (isFirst ? 0 : this.#second.total)
    const seconds = this.#spread(ahead / perSecond, Math.min(maxS, this.#settings.maxS))
    line.add(Math.floor(nowMs / 1000) + seconds, weight)
    return seconds
  }

  #spread(waitS: number, maxS: number): number {
    const { minS, spreadS } = this.#settings
    const latest = Math.min(maxS, minS + spreadS + LATEST * waitS)
    const soonest = Math.min(minS + SOONEST * waitS, (minS + latest) / 2)
    return Math.max(1, Math.round(soonest + this.#random() * (latest - soonest)))
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000)
    this.#first.advance(second)
    this.#second.advance(second)
  }
}
