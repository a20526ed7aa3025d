// SPDX-License-Identifier: MIT
//
// Watching the changes of all bindings, for whoever keeps answers to Locate. The interface is the same in one process and over gRPC.
// What a follower is told is bounded in age, never assumed: a node says by its own clock how far its stream is complete, and
// the watcher puts that on its own clock by what came back of its own time. So a message that was late on the way, or lay
// unread while a process stood still, can't make old knowledge look new.
import type { WatchResponse } from './gen/tandem/location/v1/location.ts'

/** What location gives to those who watch it. */
export interface LocationChanges {
  /** Each response from now on, in order. Returns its end. */
  watch(deliver: (response: WatchResponse) => void): () => void
  /** A response without changes, of this moment. */
  now(): WatchResponse
}

/** Told of one stream after the other. */
export interface WatchFollower {
  /** What is known may be old: changes were missed, or the stream is another one, or gone. */
  onGap(): void
  /** Hashes of addresses-of-record that changed (aorHash). */
  onChanged(hashes: readonly number[]): void
  /** Whatever had been stored by then, in milliseconds of the watcher's clock, has been told. */
  onToldUntil(ms: number): void
}

/** A watch that can be begun once. */
export interface LocationWatch {
  start(follower: WatchFollower): void
  close(): void
}

/**
 * One stream, read in order. A time x of the node is not before `echo + (x - n)` of the watcher: its request left at `echo`, and the node
 * read it before n. The difference is what the request was on its way, so the bound is near where that was short.
 */
export class WatchReader {
  readonly #follower: WatchFollower
  /** Watcher's time less node's; undefined until the first echo. */
  #offsetMs: number | undefined

  constructor(follower: WatchFollower) {
    this.#follower = follower
  }

  read(response: WatchResponse): void {
    const { clockMs, echoMs, ageMs } = response
    const follower = this.#follower
    // A stream begins with its first echo: it tells nothing of what was before.
    const begins = echoMs !== undefined && this.#offsetMs === undefined
    if (response.gap || begins) follower.onGap()
    if (response.changed.length > 0) follower.onChanged(response.changed)
    if (echoMs !== undefined) this.#offsetMs = echoMs - clockMs
    if (this.#offsetMs !== undefined) follower.onToldUntil(this.#offsetMs + clockMs - ageMs)
  }
}

/** Where location runs in this process: one clock, and nothing on the way. */
export function createInProcessLocationWatch(changes: LocationChanges): LocationWatch {
  let end: (() => void) | undefined
  return {
    start(follower) {
      const reader = new WatchReader(follower)
      const read = (response: WatchResponse) => reader.read({ ...response, echoMs: response.clockMs })
      end = changes.watch(read)
      read(changes.now())
    },
    close() {
      end?.()
      end = undefined
    },
  }
}
