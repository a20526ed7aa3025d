// SPDX-License-Identifier: MIT
// Follows the change streams of a Cluster: each master is asked for all streams that it serves, by one script (scripts/follow.ts), every
// few milliseconds. No waiting command does for streams of several slots.
// Slots that move, masters that change and errors end the run: the next one begins at the streams' ends, with a gap.

import { performance } from 'node:perf_hooks'
import type { ChangeFollower, Following } from '../change-follower.ts'
import type { Argument, Reply } from './batcher.ts'
import { backoffMs, type Connection } from './connection.ts'
import type { FeedCursors } from './feed-cursors.ts'
import type { Runner } from './runner.ts'
import { FOLLOW_CHANGES } from './scripts/follow.ts'

/** Between two questions. */
const PAUSE_MS = 20

interface Lane {
  readonly name: string
  readonly shards: readonly number[]
}

export class PollingFollow implements Following {
  toldUntilMs = Number.NEGATIVE_INFINITY
  readonly #connection: Connection
  readonly #runner: Runner
  readonly #cursors: FeedCursors
  readonly #follower: ChangeFollower
  #isOn = true

  constructor(connection: Connection, runner: Runner, cursors: FeedCursors, follower: ChangeFollower) {
    this.#connection = connection
    this.#runner = runner
    this.#cursors = cursors
    this.#follower = follower
    void this.#follow()
  }

  stop(): void {
    this.#isOn = false
  }

  async #follow(): Promise<void> {
    for (let failures = 0; this.#isOn; failures++) {
      const lanes = this.#lanes()
      if (await this.#cursors.moveToEnd()) {
        if (this.#isOn) this.#follower.onGap()
        failures = 0
        while (this.#isOn && (await this.#round(lanes))) await pause(PAUSE_MS)
      }
      await pause(backoffMs(failures))
    }
  }

  /** False: begin anew. */
  async #round(lanes: readonly Lane[]): Promise<boolean> {
    const sentMs = performance.now()
    if (!this.#isSame(lanes)) return false
    const replies = await Promise.all(lanes.map((lane) => this.#ask(lane)))
    if (!this.#isOn || !replies.every((reply) => reply !== undefined)) return false
    const changed = replies.map((reply) => this.#cursors.take(reply))
    const known = changed.filter((aors) => aors !== undefined).flat()
    if (known.length > 0) this.#follower.onChanges(known)
    if (changed.includes(undefined)) this.#follower.onGap()
    this.toldUntilMs = sentMs
    return true
  }

  async #ask({ shards }: Lane): Promise<Reply | undefined> {
    const { tags, keys, limit } = this.#cursors
    const [first = 0] = shards
    const args: Argument[] = [limit]
    for (const shard of shards) args.push(tags[shard] ?? '', this.#cursors.idOf(shard))
    const result = await this.#runner.run(
      FOLLOW_CHANGES,
      tags[first] ?? '',
      [keys[first] ?? ''],
      args,
      (reply) => reply,
    )
    return result.state === 'stored' ? result.value : undefined
  }

  #lanes(): Lane[] {
    const byName = new Map<string, number[]>()
    for (const [shard, tag] of this.#cursors.tags.entries()) {
      const name = this.#connection.laneOf(tag)
      const known = byName.get(name)
      if (known === undefined) byName.set(name, [shard])
      else known.push(shard)
    }
    return [...byName].map(([name, shards]) => ({ name, shards }))
  }

  /** Whether each stream is where it was. */
  #isSame(lanes: readonly Lane[]): boolean {
    const { tags } = this.#cursors
    return lanes.every(({ name, shards }) =>
      shards.every((shard) => this.#connection.laneOf(tags[shard] ?? '') === name),
    )
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
