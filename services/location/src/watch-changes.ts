// SPDX-License-Identifier: MIT
//
// location.Watch: what changed anywhere in the cluster, to every edge that keeps answers to Locate. The store is followed while somebody
// watches, by one reader for all of them; a batch of changes is one response to all. Every 250 ms there is a response in any case:
// it says how old the knowledge is, which grows while the store does not answer.
// Bounds: nothing is kept; a watcher that does not read is the server's to drop.
import { aorHash, type LocationChanges, type location } from '@tandem/rpc'
import type { Following, LocationStore } from '@tandem/store'

const HEARTBEAT_MS = 250
const AGE_MAX_MS = 0xffffffff

export interface WatchCounts {
  /** Batches of changes told. */
  batches: number
  /** Addresses-of-record in them. */
  changes: number
  gaps: number
}

export interface ChangeHubOptions {
  readonly store: Pick<LocationStore, 'followChanges'>
  /** Monotonic milliseconds, those of the store's `toldUntilMs`. */
  readonly now: () => number
}

/** Addresses-of-record that are told one by one; with more, whoever watches forgets everything. */
const MAX_NOTED = 10_000

export class ChangeHub implements LocationChanges {
  readonly counts: WatchCounts = { batches: 0, changes: 0, gaps: 0 }
  readonly #options: ChangeHubOptions
  readonly #watchers = new Set<(response: location.WatchResponse) => void>()
  #following: Following | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #saidMs = 0

  constructor(options: ChangeHubOptions) {
    this.#options = options
  }

  get watcherCount(): number {
    return this.#watchers.size
  }

  watch(deliver: (response: location.WatchResponse) => void): () => void {
    this.#watchers.add(deliver)
    if (this.#following === undefined) this.#start()
    return () => {
      this.#watchers.delete(deliver)
      if (this.#watchers.size === 0) this.stop()
    }
  }

  now(): location.WatchResponse {
    const clockMs = this.#options.now()
    const untilMs = this.#following?.toldUntilMs ?? Number.NEGATIVE_INFINITY
    const ageMs = Math.ceil(Math.min(AGE_MAX_MS, Math.max(0, clockMs - untilMs)))
    return { clockMs, ageMs, changed: [], gap: false, echoMs: undefined }
  }

  /** The store is followed no more; whoever still watches hears nothing. */
  stop(): void {
    clearInterval(this.#heartbeat)
    this.#heartbeat = undefined
    this.#following?.stop()
    this.#following = undefined
  }

  /** Something that is no binding changed what is located. */
  note(aors: readonly string[]): void {
    if (aors.length > MAX_NOTED) this.#missed()
    else if (aors.length > 0) this.#changed(aors)
  }

  /** What a heartbeat is, for tests that own the clock. */
  beat(): void {
    if (this.#options.now() - this.#saidMs >= HEARTBEAT_MS / 2) this.#tell(this.now())
  }

  #start(): void {
    this.#following = this.#options.store.followChanges({
      onChanges: (aors) => this.#changed(aors),
      onGap: () => this.#missed(),
    })
    this.#heartbeat = setInterval(() => this.beat(), HEARTBEAT_MS)
    this.#heartbeat.unref()
  }

  #changed(aors: readonly string[]): void {
    this.counts.batches++
    this.counts.changes += aors.length
    this.#tell({ ...this.now(), changed: aors.map(aorHash) })
  }

  #missed(): void {
    this.counts.gaps++
    this.#tell({ ...this.now(), gap: true })
  }

  #tell(response: location.WatchResponse): void {
    this.#saidMs = response.clockMs
    for (const deliver of this.#watchers) deliver(response)
  }
}
