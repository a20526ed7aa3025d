// SPDX-License-Identifier: MIT
// Failures and bans in Redis: arguments and replies of scripts/bans.ts.
import { createHash } from 'node:crypto'
import {
  type Ban,
  type BanCause,
  type BanChanges,
  type BanStore,
  type BanTarget,
  type BanTerms,
  type Failure,
  isBanName,
  parseTargetId,
  targetId,
} from '../ban-store.ts'
import { mapStored, notStored, type Stored } from '../result.ts'
import { shardOf } from '../shard.ts'
import { listOf, numberOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import {
  BAN,
  FORGET_FAILURES,
  IS_GOOD,
  LIFT,
  NOTE_GOOD,
  NOTE_SOURCE_FAILURE,
  NOTE_USER_FAILURE,
  READ_BANS,
} from './scripts/bans.ts'
import { tagOf } from './slot.ts'

const INVALID = notStored('invalid', 'a source or a user that is too long, or with a bar or a line end in it')
const LIST_TAG = 'bans'
const LIST_KEYS = ['ban', 'rev', 'gone'].map((part) => `{${LIST_TAG}}:${part}`)
const BUCKETS = 64

const digest = (text: string): Buffer => createHash('sha1').update(text).digest()
const short = (text: string): string => digest(text).toString('base64url', 0, 8)

/** Key of the failures of a user: beside his nonces, so that a success forgets them within its one script. */
export function userFailures(user: string): { tag: string; key: string } {
  const tag = tagOf('n', shardOf(user))
  return { tag, key: `{${tag}}:fail:${user}` }
}

function sourceFailures(source: string): { tag: string; key: string } {
  const tag = tagOf('b', shardOf(source))
  return { tag, key: `{${tag}}:fail:${source}` }
}

/** A note among those of its hash. */
function noteOf(mark: string): { tag: string; key: string; field: Buffer } {
  const hash = digest(mark)
  const tag = tagOf('b', shardOf(mark))
  return { tag, key: `{${tag}}:good:${(hash[0] as number) % BUCKETS}`, field: hash.subarray(1, 9) }
}

export class RedisBans implements BanStore {
  readonly #runner: Runner

  constructor(runner: Runner) {
    this.#runner = runner
  }

  async noteUserFailure({ user, source, attempt }: Failure, windowMs: number) {
    if (!isBanName(user) || !isBanName(source)) return INVALID
    const { tag, key } = userFailures(user)
    return this.#runner.run(NOTE_USER_FAILURE, tag, [key], [source, short(attempt), windowMs], (reply) => {
      const [pair, all] = listOf(reply)
      return { pair: numberOf(pair), user: numberOf(all) }
    })
  }

  async noteSourceFailure(
    { user, source, attempt }: Failure,
    windowMs: number,
    { perUser, keepMs }: { readonly perUser: number; readonly keepMs: number },
  ) {
    if (!isBanName(source)) return INVALID
    const { tag, key } = sourceFailures(source)
    const good = noteOf(source)
    const args = [short(user), short(attempt), windowMs, perUser, good.field, keepMs]
    return this.#runner.run(NOTE_SOURCE_FAILURE, tag, [key, good.key], args, numberOf)
  }

  noteGood(mark: string, keepMs: number): Promise<Stored<void>> {
    const { tag, key, field } = noteOf(mark)
    return this.#runner.run(NOTE_GOOD, tag, [key], [field, keepMs], () => undefined)
  }

  isGood(mark: string, keepMs: number): Promise<Stored<boolean>> {
    const { tag, key, field } = noteOf(mark)
    return this.#runner.run(IS_GOOD, tag, [key], [field, keepMs], (reply) => numberOf(reply) === 1)
  }

  async ban(target: BanTarget, { firstMs, maxMs, forgetMs, maxBans, exactMs }: BanTerms): Promise<Stored<Ban>> {
    if (!isBanName(target.user) || !isBanName(target.source)) return INVALID
    const args = [targetId(target), firstMs, maxMs, forgetMs, maxBans, exactMs ?? '']
    return this.#runner.run(BAN, LIST_TAG, LIST_KEYS, args, (reply) => {
      const [now, id, text] = listOf(reply)
      return readBan(textOf(id), textOf(text), numberOf(now))
    })
  }

  async lift(target: BanTarget): Promise<Stored<boolean>> {
    const forgotten = await this.#forget(target)
    if (forgotten.state !== 'stored') return forgotten
    return this.#runner.run(LIFT, LIST_TAG, LIST_KEYS, [targetId(target)], (reply) => numberOf(reply) === 1)
  }

  readBans(afterRevision: number, limit: number): Promise<Stored<BanChanges>> {
    return this.#runner.run(READ_BANS, LIST_TAG, LIST_KEYS, [afterRevision, limit], (reply) => {
      const [now, more, ...flat] = listOf(reply)
      const bans: Ban[] = []
      for (let i = 0; i + 1 < flat.length; i += 2) {
        bans.push(readBan(textOf(flat[i]), textOf(flat[i + 1]), numberOf(now)))
      }
      return { bans, hasMore: numberOf(more) === 1 }
    })
  }

  async #forget({ kind, source, user }: BanTarget): Promise<Stored<void>> {
    const { tag, key } = kind === 'source' ? sourceFailures(source) : userFailures(user)
    const which = kind === 'pair' ? source : ''
    return mapStored(await this.#runner.run(FORGET_FAILURES, tag, [key], [which], () => undefined), () => undefined)
  }
}

function readBan(id: string, text: string, nowMs: number): Ban {
  const [level, since, until, revision, cause] = text.split(' ')
  return {
    ...parseTargetId(id),
    level: Number(level),
    cause: cause as BanCause,
    sinceMs: Number(since),
    leftMs: Math.max(0, Number(until) - nowMs),
    revision: Number(revision),
  }
}
