// SPDX-License-Identifier: MIT
//
// How many addresses-of-record are registered, for /metrics alone: counted in the store now and then, shard after shard. Every node counts the
// same: take the maximum over nodes, not the sum. While the store is away the number of the last round stays.
import type { Metrics } from '@tandem/service-kit'
import { type LocationStore, SHARDS } from '@tandem/store'

const EVERY_MS = 15_000

export class RegisteredCount {
  readonly #store: LocationStore
  readonly #now: (() => number) | undefined
  #count = 0
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined

  /** @param now of a store that knows at once */
  constructor(store: LocationStore, now?: () => number) {
    this.#store = store
    this.#now = now
  }

  get count(): number {
    return this.#now?.() ?? this.#count
  }

  /** @param metrics undefined: nobody wants to know, and nothing is counted */
  start(metrics: Metrics | undefined): void {
    if (metrics === undefined || this.#now !== undefined) return
    this.#timer ??= setInterval(() => void this.round(), EVERY_MS)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#round
  }

  /** One count; by itself once started. */
  round(): Promise<void> {
    this.#round ??= this.#countAll().finally(() => {
      this.#round = undefined
    })
    return this.#round
  }

  async #countAll(): Promise<void> {
    let count = 0
    for (let shard = 0; shard < SHARDS; shard++) {
      const counted = await this.#store.countAors(shard, '')
      if (counted.state !== 'stored') return
      count += counted.value
    }
    this.#count = count
  }
}

export function registerRegistered(metrics: Metrics, registered: RegisteredCount): void {
  metrics.gauge(
    'tandem_location_registered_aors',
    'Addresses-of-record with a binding, of the cluster, counted every 15 s: take the maximum over nodes.',
    () => registered.count,
  )
}
