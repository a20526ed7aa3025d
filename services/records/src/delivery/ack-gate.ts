// SPDX-License-Identifier: MIT
//
// Holds back the first acknowledgements of a process until the feed has met every sink. A sink's group begins with the
// oldest record that is kept when it reads for the first time, and a record is removed when all groups that there are have
// acknowledged it: a quick sink must not remove what a new one beside it was never shown. The first look of each goes
// through the whole feed, so a moment after the first delivery is enough.

export class AckGate {
  readonly #holdMs: number
  #held: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined
  #isOpen: boolean

  constructor(holdMs: number) {
    this.#holdMs = holdMs
    this.#isOpen = holdMs === 0
  }

  /** Something was delivered. */
  onItems(): void {
    if (this.#isOpen || this.#timer !== undefined) return
    this.#timer = setTimeout(() => this.open(), this.#holdMs)
    this.#timer.unref()
  }

  pass(acknowledge: () => void): void {
    if (this.#isOpen) acknowledge()
    else this.#held.push(acknowledge)
  }

  /** For good. What is held is bounded by the windows of the sinks. */
  open(): void {
    clearTimeout(this.#timer)
    this.#isOpen = true
    for (const acknowledge of this.#held.splice(0)) acknowledge()
  }
}
