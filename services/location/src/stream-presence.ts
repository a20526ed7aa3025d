// SPDX-License-Identifier: MIT
//
// Which edges have a stream open here, told to the store, and the end of a lease before its time when the last stream of an edge closes
// [DESIGN §4]. No node knows what the others hold; the store does: each node says its own streams when one opens and with every reading of
// the list. 300 ms after the last one here has closed, it asks the store to revoke the lease, which happens where nobody else holds one.
// Races: an edge that dies closes all its streams at once: each node takes its own away and asks, and the last one to ask finds none. A
// stream that opens again here, or a lease that the edge renews elsewhere (by a stream that its node has told of), contradicts. A node that
// dies asks for nothing, and its streams end in the store when it is silent; what it held up till then is asked again with each reading.
// A node that stops closes its streams itself and revokes nobody. An edge revoked in error finds itself missing in the list that is pushed, and
// renews at once.
import type { EdgeList, LocationStore, NodeStream, Stored } from '@tandem/store'
import type { LocationCounts } from './counts.ts'
import type { LocationTuning } from './options.ts'

export interface StreamPresenceOptions {
  readonly store: LocationStore
  /** Of this start of this node. */
  readonly node: string
  readonly counts: LocationCounts
  readonly tuning: Pick<LocationTuning, 'revokeAfterMs'>
  /** A list that came with an answer. */
  readonly onList: (list: EdgeList) => void
}

interface Held {
  count: number
  opened: number
}

interface Closed {
  readonly opened: number
  /** Undefined once it was over. */
  timer: NodeJS.Timeout | undefined
}

/** Peers whose end is asked for again and again because somebody else holds a stream of them. */
const MAX_CLOSED = 4_096

export class StreamPresence {
  readonly #options: StreamPresenceOptions
  readonly #held = new Map<string, Held>()
  readonly #closed = new Map<string, Closed>()
  #ordinal = 0
  #hasTold = false
  #telling: Promise<unknown> | undefined
  #tellAgain = false
  #isStopped = false

  constructor(options: StreamPresenceOptions) {
    this.#options = options
  }

  opened(peer: string): void {
    const held = this.#held.get(peer) ?? { count: 0, opened: 0 }
    held.count++
    held.opened = ++this.#ordinal
    this.#held.set(peer, held)
    this.#forget(peer)
    this.#tell()
  }

  /** @param isOurs this node ended it */
  closed(peer: string, isOurs: boolean): void {
    const held = this.#held.get(peer)
    if (held === undefined) return
    if (--held.count > 0) return
    this.#held.delete(peer)
    if (isOurs || this.#isStopped) return
    this.#forget(peer)
    if (this.#closed.size >= MAX_CLOSED) return
    const timer = setTimeout(() => void this.#revoke(peer), this.#options.tuning.revokeAfterMs)
    timer.unref()
    this.#closed.set(peer, { opened: held.opened, timer })
  }

  /** Reads the list of edges, and says what this node holds. */
  async read(): Promise<Stored<EdgeList>> {
    const { store, node } = this.#options
    const isQuiet = this.#held.size === 0 && !this.#hasTold
    const result = await (isQuiet ? store.listEdges() : store.holdStreams({ node, streams: this.#streams() }))
    if (result.state === 'stored') this.#hasTold = this.#held.size > 0
    for (const [peer, { timer }] of this.#closed) if (timer === undefined) void this.#revoke(peer)
    return result
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const peer of [...this.#closed.keys()]) this.#forget(peer)
    await this.#telling
    if (this.#hasTold) await this.#options.store.holdStreams({ node: this.#options.node, streams: [] })
  }

  #streams(): NodeStream[] {
    return [...this.#held].map(([peer, { opened }]) => ({ peer, opened }))
  }

  #forget(peer: string): void {
    clearTimeout(this.#closed.get(peer)?.timer)
    this.#closed.delete(peer)
  }

  /** Before anything that this turn brings on the stream: what is written first is stored first. One at a time. */
  #tell(): void {
    if (this.#isStopped) return
    if (this.#telling !== undefined) {
      this.#tellAgain = true
      return
    }
    this.#hasTold = true
    const { store, node, onList } = this.#options
    this.#telling = Promise.resolve(store.holdStreams({ node, streams: this.#streams() })).then((result) => {
      this.#telling = undefined
      if (result.state === 'stored') onList(result.value)
      if (!this.#tellAgain) return
      this.#tellAgain = false
      this.#tell()
    })
  }

  /** What the store does not answer is asked with the next reading. */
  async #revoke(peer: string): Promise<void> {
    const closed = this.#closed.get(peer)
    if (closed === undefined) return
    closed.timer = undefined
    const { store, node, counts, onList } = this.#options
    const result = await store.revokeEdge(node, { peer, opened: closed.opened })
    if (result.state !== 'stored' || this.#closed.get(peer) !== closed) return
    const { revoked, list } = result.value
    if (revoked) counts.revoked++
    if (revoked || !list.edges.some(({ id, name }) => id === peer || name === peer)) this.#closed.delete(peer)
    onList(list)
  }
}
