// SPDX-License-Identifier: MIT
//
// Where requests without a transaction went, for as long as their sender may repeat, cancel or acknowledge them. It spares a second
// decision, and it is what keeps a repetition from going elsewhere when bindings or DNS have changed (RFC 3261 section 16.11).
// A cache: what it has lost is decided anew, and comes out the same while nothing has changed.
//
// Invariant: bounded in number and in age; two generations, so that nothing is ever looked through.

import type { policy } from '@tandem/rpc'
import type { NextHop } from '../hops/hops.ts'
import type { BranchFacts } from '../initial/header-work.ts'

/** What a repetition needs to leave just as its original did. */
export interface StatelessWay {
  readonly hop: NextHop
  /** Undefined in a dialog. */
  readonly plan: policy.Plan | undefined
  readonly facts: BranchFacts
  readonly popRoutes: number
}

/** [RFC3261-17.1.1.2] Timer B: the sender has given up by then. */
const WAY_MS = 32_000

export class StatelessWays {
  private young = new Map<string, StatelessWay>()
  private old: Map<string, StatelessWay> = new Map()
  private turnedMs = 0
  private readonly maxWays: number

  constructor(maxWays: number) {
    this.maxWays = maxWays
  }

  /** False: nothing has passed without a transaction of late. One test on the way of every other request. */
  get isEmpty(): boolean {
    return this.young.size === 0 && this.old.size === 0
  }

  get size(): number {
    return this.young.size + this.old.size
  }

  /** @param key of the request's transaction, the INVITE's for its CANCEL and ACK */
  find(key: string, nowMs: number): StatelessWay | undefined {
    this.turn(nowMs)
    return this.young.get(key) ?? this.old.get(key)
  }

  add(key: string, way: StatelessWay, nowMs: number): void {
    this.turn(nowMs)
    if (this.young.size >= this.maxWays / 2) this.shift(nowMs)
    this.young.set(key, way)
  }

  private turn(nowMs: number): void {
    const ageMs = nowMs - this.turnedMs
    if (ageMs < WAY_MS) return
    this.shift(nowMs)
    if (ageMs >= 2 * WAY_MS) this.old = new Map()
  }

  private shift(nowMs: number): void {
    this.turnedMs = nowMs
    if (this.young.size === 0 && this.old.size === 0) return
    this.old = this.young
    this.young = new Map()
  }
}
