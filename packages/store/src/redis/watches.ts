// SPDX-License-Identifier: MIT
// Watches in Redis: arguments and replies of scripts/watches.ts.

import type { Stored } from '../result.ts'
import { shardOf } from '../shard.ts'
import type { DueWatches, Watch, WatchWrite } from '../types.ts'
import { readWatched } from './bindings.ts'
import { bytesOf, listOf, numberOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import { CLAIM_WATCHES, READ_WATCH, WRITE_WATCH } from './scripts/watches.ts'
import { tagOf } from './slot.ts'

export class RedisWatches {
  readonly #runner: Runner

  constructor(runner: Runner) {
    this.#runner = runner
  }

  read(aor: string): Promise<Stored<Watch>> {
    const tag = tagOf('l', shardOf(aor))
    const keys = [`{${tag}}:loc`, `{${tag}}:watch:${aor}`]
    return this.#runner.run(READ_WATCH, tag, keys, [aor], (reply) => {
      const [now, packed, revision, state] = listOf(reply)
      const nowMs = numberOf(now)
      return { nowMs, ...readWatched(bytesOf(packed), nowMs), revision: numberOf(revision), state: textOf(state) }
    })
  }

  write({ aor, revision, state, dueInMs, keepMs }: WatchWrite): Promise<Stored<{ written: boolean }>> {
    const tag = tagOf('l', shardOf(aor))
    const keys = [`{${tag}}:watch:${aor}`, `{${tag}}:due`]
    const args = [aor, revision, state, Math.ceil(dueInMs), Math.ceil(keepMs)]
    return this.#runner.run(WRITE_WATCH, tag, keys, args, (reply) => ({ written: numberOf(reply) === 1 }))
  }

  claim(shard: number, leaseMs: number, limit: number): Promise<Stored<DueWatches>> {
    const tag = tagOf('l', shard)
    const args = [`{${tag}}:watch:`, leaseMs, limit]
    return this.#runner.run(CLAIM_WATCHES, tag, [`{${tag}}:due`], args, (reply) => {
      const [aors, more, next] = listOf(reply)
      const nextInMs = numberOf(next)
      return {
        aors: listOf(aors).map(textOf),
        more: numberOf(more) === 1,
        nextInMs: nextInMs < 0 ? undefined : nextInMs,
      }
    })
  }
}
