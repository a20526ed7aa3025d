// SPDX-License-Identifier: MIT
//
// Removes bindings that ran out, shard after shard, so that the store's memory and the change feed follow. Nothing depends
// on it being on time: reads leave out what ran out by store time. Several location nodes may sweep at once.
import { type LocationStore, SHARDS } from '@tandem/store'
import type { LocationCounts } from './counts.ts'

/** Bindings of one call to the store, at most: keeps a script short. */
const PER_CALL = 200
/** Calls for one shard in one round: a shard with a storm does not hold up the others. */
const CALLS_PER_SHARD = 20

export class ExpirySweep {
  readonly #store: LocationStore
  readonly #counts: LocationCounts
  readonly #intervalMs: number
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined

  constructor(store: LocationStore, counts: LocationCounts, intervalMs: number) {
    this.#store = store
    this.#counts = counts
    this.#intervalMs = intervalMs
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.round(), this.#intervalMs)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#round
  }

  /** One visit to every shard; a round that is under way is shared. Never rejects. */
  round(): Promise<void> {
    this.#round ??= this.#visitAll().finally(() => {
      this.#round = undefined
    })
    return this.#round
  }

  async #visitAll(): Promise<void> {
    for (let shard = 0; shard < SHARDS; shard++) if (!(await this.#visit(shard))) return
  }

  /** False where the rest of the round is to be left out: the store is away. */
  async #visit(shard: number): Promise<boolean> {
    for (let call = 0; call < CALLS_PER_SHARD; call++) {
      const result = await this.#store.expire(shard, PER_CALL)
      if (result.state !== 'stored') return false
      this.#counts.swept += result.value.expired
      if (!result.value.more) return true
    }
    return true
  }
}
