// SPDX-License-Identifier: MIT
// A clock that moves only when a test says so. Timers fire in the order of their time, then of their creation; a timer set by a timer
// that is due within the same advance fires in it too.

interface Timer {
  readonly id: number
  readonly at: number
  readonly run: () => void
}

export class FakeClock {
  #now: number
  #nextId = 1
  readonly #timers = new Map<number, Timer>()

  constructor(startMs = 1_000_000) {
    this.#now = startMs
  }

  /** Milliseconds; bound, so that it can be handed over as a function. */
  readonly now = (): number => this.#now

  readonly setTimeout = (run: () => void, ms: number): number => {
    const id = this.#nextId++
    this.#timers.set(id, { id, at: this.#now + Math.max(0, ms), run })
    return id
  }

  readonly clearTimeout = (id: number): void => {
    this.#timers.delete(id)
  }

  get pendingCount(): number {
    return this.#timers.size
  }

  /** The time of the next timer, Infinity where there is none. */
  nextDeadline(): number {
    return this.#earliest()?.at ?? Number.POSITIVE_INFINITY
  }

  /** Moves time on, firing what falls due on the way. Throws after maxFired timers: a timer that sets itself for now. */
  advance(ms: number, maxFired = 100_000): number {
    const target = this.#now + ms
    let fired = 0
    for (let timer = this.#earliest(); timer !== undefined && timer.at <= target; timer = this.#earliest()) {
      if (++fired > maxFired) throw new Error(`FakeClock: more than ${maxFired} timers fired in one advance`)
      this.#timers.delete(timer.id)
      this.#now = Math.max(this.#now, timer.at)
      timer.run()
    }
    this.#now = target
    return fired
  }

  #earliest(): Timer | undefined {
    let best: Timer | undefined
    for (const timer of this.#timers.values()) if (best === undefined || timer.at < best.at) best = timer
    return best
  }
}
