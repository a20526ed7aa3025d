// SPDX-License-Identifier: MIT
// Where a follower stands in the 256 change streams, and what a reading of several of them says.
// No entry is missed as long as fewer than a stream keeps are new: a stream is trimmed to no fewer than `changesMaxLen`.

import { SHARDS } from '../shard.ts'
import type { Reply } from './batcher.ts'
import { listOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import { READ_CHANGES } from './scripts/bindings.ts'
import { tagOf } from './slot.ts'

const AOR_FIELD = 3

export class FeedCursors {
  readonly tags = Array.from({ length: SHARDS }, (_, shard) => tagOf('l', shard))
  readonly keys = this.tags.map((tag) => `{${tag}}:changes`)
  readonly #runner: Runner
  readonly #shardOfKey = new Map(this.keys.map((key, shard) => [key, shard]))
  #ids: string[] = []

  constructor(runner: Runner) {
    this.#runner = runner
  }

  /** Entries of one stream that one reading takes, at most; as many mean that some may have been trimmed unread. */
  get limit(): number {
    return this.#runner.settings.changesMaxLen
  }

  idOf(shard: number): string {
    return this.#ids[shard] ?? '0-0'
  }

  /** From here on. False: the store did not tell where that is. */
  async moveToEnd(): Promise<boolean> {
    const args = ['', 1, this.limit]
    const last = await this.#runner.everyShard((shard) => {
      const [tag, key] = [this.tags[shard] ?? '', this.keys[shard] ?? '']
      return this.#runner.run(READ_CHANGES, tag, [key], args, (reply) => textOf(listOf(reply)[0]))
    })
    if (last.state !== 'stored') return false
    this.#ids = last.value
    return true
  }

  /** Moves past what was read. Undefined: changes may have been trimmed unread. @param reply as of XREAD */
  take(reply: Reply): string[] | undefined {
    const aors = new Set<string>()
    let isWhole = true
    for (const stream of listOf(reply)) {
      const [key, list] = listOf(stream)
      const entries = listOf(list)
      const shard = this.#shardOfKey.get(textOf(key))
      if (shard === undefined || entries.length >= this.limit) isWhole = false
      for (const entry of entries) aors.add(textOf(listOf(listOf(entry)[1])[AOR_FIELD]))
      if (shard !== undefined) this.#ids[shard] = textOf(listOf(entries.at(-1))[0])
    }
    return isWhole ? [...aors] : undefined
  }
}
