// SPDX-License-Identifier: MIT
//
// How late the event loop is: the mean over what was noted since somebody asked.

export class LagWatch {
  private sumMs = 0
  private count = 0
  private lastMs = -1

  /** A timer of `intervalMs` has come. */
  note(nowMs: number, intervalMs: number): void {
    if (this.lastMs >= 0) {
      this.sumMs += Math.max(0, nowMs - this.lastMs - intervalMs)
      this.count += 1
    }
    this.lastMs = nowMs
  }

  /** Milliseconds; begins anew. */
  take(): number {
    const mean = this.count === 0 ? 0 : this.sumMs / this.count
    this.sumMs = 0
    this.count = 0
    return mean
  }
}
