// SPDX-License-Identifier: MIT
//
// How much longer a message was on its way than others were, from the sender's monotonic clock in it: no two clocks need agree. The
// shortest way of the last minute or two is taken for none; clocks that drift apart by less than a thousandth then make less than a
// fifth of a second. What stood in a buffer of the network, or with a receiver that did not read, is told by this.

const WINDOW_MS = 60_000
/** Arithmetic modulo 2^32: the sender's clock is sent so. */
const difference = (a: number, b: number): number => (a - b) | 0

export class Transit {
  #beganMs = Number.NEGATIVE_INFINITY
  /** Receiver's clock less the sender's, the least of this window and of the one before it. */
  #least = 0
  #before = 0

  /** Milliseconds, never negative. @param nowMs of the receiver's monotonic clock */
  lateness(sentMs: number, nowMs: number): number {
    const way = (Math.floor(nowMs) - sentMs) | 0
    const isFirst = this.#beganMs === Number.NEGATIVE_INFINITY
    if (nowMs - this.#beganMs > WINDOW_MS) {
      this.#before = isFirst ? way : this.#least
      this.#least = way
      this.#beganMs = nowMs
    } else if (difference(way, this.#least) < 0) this.#least = way
    const least = difference(this.#before, this.#least) < 0 ? this.#before : this.#least
    return Math.max(0, difference(way, least))
  }
}
