// SPDX-License-Identifier: MIT
// Following the changes of all bindings of the cluster as they happen, for caches. What is told is bounded in age: a follower knows
// at any time up to which moment it has been told everything, and nothing is promised beyond.

export interface ChangeFollower {
  /** Addresses-of-record whose bindings changed, each once. */
  onChanges(aors: readonly string[]): void
  /** Changes may have been missed, now or before: at the beginning, and whenever the feed had to be taken up anew. */
  onGap(): void
}

export interface Following {
  /**
   * Whatever was stored by this moment (monotonic milliseconds of this process) has been told. Infinity: changes are told as they are
   * made. It stands still while the store does not answer.
   */
  readonly toldUntilMs: number
  stop(): void
}
