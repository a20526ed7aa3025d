// SPDX-License-Identifier: MIT
//
// Whether what is kept may be used: by how far the watch has told all changes, and when it said so last.
// Invariant: what is used holds nothing that was changed more than BOUND_MS ago, because by then it has been told of, or this is over.

/** Nothing said for so long: two heartbeats are missing. */
const SILENCE_MS = 600
/** Changes may be untold for so long: below the second for which an old contact may be rung. */
const BOUND_MS = 900

export class Freshness {
  private toldUntilMs = Number.NEGATIVE_INFINITY
  private endsMs = Number.NEGATIVE_INFINITY
  private countedMs: number
  private offMs = 0

  constructor(nowMs: number) {
    this.countedMs = nowMs
  }

  isFresh(nowMs: number): boolean {
    return nowMs <= this.endsMs
  }

  /** @param untilMs a lower bound: of several the highest holds */
  told(untilMs: number, nowMs: number): void {
    this.count(nowMs)
    this.toldUntilMs = Math.max(this.toldUntilMs, untilMs)
    this.endsMs = Math.min(this.toldUntilMs + BOUND_MS, nowMs + SILENCE_MS)
  }

  /** Over until told again. */
  end(nowMs: number): void {
    this.count(nowMs)
    this.toldUntilMs = Number.NEGATIVE_INFINITY
    this.endsMs = Number.NEGATIVE_INFINITY
  }

  /** Time in which nothing could be used. */
  totalOffMs(nowMs: number): number {
    this.count(nowMs)
    return this.offMs
  }

  private count(nowMs: number): void {
    this.offMs += Math.max(0, nowMs - Math.max(this.countedMs, this.endsMs))
    this.countedMs = nowMs
  }
}
