// SPDX-License-Identifier: MIT
// Tells once that a store refuses writes (out of memory, read-only, too few replicas), and once that it takes them again: when it has
// refused none for a while, because reads and what needs no room succeed all the time.
import type { Stored } from './result.ts'

const QUIET_MS = 5_000

export class RefusedWrites {
  #isRefusing = false
  #lastMs = 0

  /** What is to be said now, if anything. @param nowMs any clock that never goes back */
  see(result: Stored<unknown>, nowMs: number): 'begins' | 'ends' | undefined {
    if (result.state === 'notStored' && result.reason === 'refused') {
      this.#lastMs = nowMs
      if (this.#isRefusing) return undefined
      this.#isRefusing = true
      return 'begins'
    }
    if (!this.#isRefusing || result.state !== 'stored' || nowMs - this.#lastMs < QUIET_MS) return undefined
    this.#isRefusing = false
    return 'ends'
  }
}
