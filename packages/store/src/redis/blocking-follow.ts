// SPDX-License-Identifier: MIT
// Follows the change streams of one server by a connection of its own: one XREAD that names all 256 and waits. While nothing happens
// that is a handful of commands a second; when something does, it answers at once, and the next one leaves a little later, so that many
// changes are one answer.
// The connection is made anew whenever the store's own one is: behind Sentinel both lead to the master of then. What was stored between
// two connections is not told: that is a gap.

import { performance } from 'node:perf_hooks'
import type { Redis } from 'ioredis'
import type { ChangeFollower, Following } from '../change-follower.ts'
import type { Reply } from './batcher.ts'
import { backoffMs, type Connection } from './connection.ts'
import type { FeedCursors } from './feed-cursors.ts'

/** How long the server waits for a change: what is known is no older than this, and the server's idea of it (hz), when nothing happens. */
const BLOCK_MS = 100
/** Between an answer with changes and the next question. */
const PAUSE_MS = 15
/** A server that has not answered after this is given up. */
const SILENCE_MS = 1_000
/** What the server's clock may lack of ours in one wait. */
const CLOCK_MS = 2

export class BlockingFollow implements Following {
  toldUntilMs = Number.NEGATIVE_INFINITY
  readonly #connection: Connection
  readonly #cursors: FeedCursors
  readonly #follower: ChangeFollower
  readonly #unwatch: () => void
  #client: Redis | undefined
  #retry: NodeJS.Timeout | undefined
  #failures = 0

  constructor(connection: Connection, cursors: FeedCursors, follower: ChangeFollower) {
    this.#connection = connection
    this.#cursors = cursors
    this.#follower = follower
    this.#unwatch = connection.onStatus(() => this.#restart())
    this.#restart()
  }

  stop(): void {
    this.#unwatch()
    this.#close()
  }

  #close(): void {
    clearTimeout(this.#retry)
    this.#client?.disconnect()
    this.#client = undefined
  }

  #restart(): void {
    this.#close()
    if (this.#connection.status.state !== 'ready') return
    const client = (this.#connection.client as Redis).duplicate({ connectionName: 'tandem-changes' })
    this.#client = client
    client.on('error', () => undefined) // followed by a close
    client.on('close', () => this.#failed(client))
    client.on('ready', () => {
      this.#run(client).catch(() => this.#failed(client))
    })
  }

  #failed(client: Redis): void {
    if (client !== this.#client) return
    this.#close()
    this.#retry = setTimeout(() => this.#restart(), backoffMs(this.#failures++))
  }

  async #run(client: Redis): Promise<void> {
    const [role] = (await client.call('role')) as [string]
    if (role !== 'master' || !(await this.#cursors.moveToEnd())) throw new Error('no place to follow from')
    if (client !== this.#client) return
    this.#follower.onGap()
    this.#failures = 0
    while (client === this.#client) {
      const sentMs = performance.now()
      const reply = await this.#read(client)
      if (client !== this.#client) return
      if (reply === null) this.toldUntilMs = sentMs + BLOCK_MS - CLOCK_MS
      else await this.#tell(reply, sentMs)
    }
  }

  async #tell(reply: Reply, sentMs: number): Promise<void> {
    const aors = this.#cursors.take(reply)
    if (aors === undefined) this.#follower.onGap()
    else this.#follower.onChanges(aors)
    this.toldUntilMs = sentMs
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }

  async #read(client: Redis): Promise<Reply> {
    const { keys, limit } = this.#cursors
    const ids = keys.map((_, shard) => this.#cursors.idOf(shard))
    const silence = setTimeout(() => this.#failed(client), BLOCK_MS + SILENCE_MS)
    try {
      return (await client.callBuffer('xread', 'COUNT', limit, 'BLOCK', BLOCK_MS, 'STREAMS', ...keys, ...ids)) as Reply
    } finally {
      clearTimeout(silence)
    }
  }
}
