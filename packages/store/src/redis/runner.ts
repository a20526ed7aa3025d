// SPDX-License-Identifier: MIT
// What the Redis tables run their scripts through: one call, a result, and the reply read into a value.

import { type Stored, stored } from '../result.ts'
import { SHARDS } from '../shard.ts'
import type { StoreSettings } from '../store.ts'
import type { Argument, Batcher, Reply } from './batcher.ts'
import type { Script } from './scripts/script.ts'

export class Runner {
  readonly settings: StoreSettings
  readonly #batcher: Batcher

  constructor(batcher: Batcher, settings: StoreSettings) {
    this.#batcher = batcher
    this.settings = settings
  }

  run<T>(
    script: Script,
    tag: string,
    keys: readonly string[],
    args: readonly Argument[],
    read: (reply: Reply) => T,
  ): Promise<Stored<T>> {
    return this.#batcher.run(script, tag, keys, args, read)
  }

  /** The same on all shards in one turn; the first that is not stored stands for all. */
  async everyShard<T>(run: (shard: number) => Promise<Stored<T>>): Promise<Stored<T[]>> {
    const results = await Promise.all(Array.from({ length: SHARDS }, (_, shard) => run(shard)))
    const values: T[] = []
    for (const result of results) {
      if (result.state !== 'stored') return result
      values.push(result.value)
    }
    return stored(values)
  }
}
