// SPDX-License-Identifier: MIT
// Failures and bans in memory. Bounds: users and sources with failures, notes of successes, the list of bans (BanTerms.maxBans). Where a
// table is full what is oldest goes: a flood of guesses from everywhere costs memory of one size.
import {
  type Ban,
  type BanCause,
  type BanChanges,
  type BanStore,
  type BanTarget,
  type BanTerms,
  banLengthMs,
  type Failure,
  isBanName,
  LIFTED_KEEP_MS,
  MAX_FAILURES,
  MAX_LEVEL,
  parseTargetId,
  targetId,
} from '../ban-store.ts'
import { notStored, type Stored, stored } from '../result.ts'
import type { MemoryContext } from './context.ts'

interface Count {
  /** Attempt to its first part and time, oldest first. */
  readonly members: Map<string, { readonly part: string; readonly atMs: number }>
  endsMs: number
}

interface Entry {
  level: number
  cause: BanCause
  sinceMs: number
  untilMs: number
  goneMs: number
  revision: number
}

const INVALID = notStored('invalid', 'a source or a user that is too long, or with a bar or a line end in it')
const HOUR_MS = 3_600_000
const SWEEP = 3

/** Members of one key by the time they came; keys in the order in which they were last added to. */
class Counts {
  readonly #counts = new Map<string, Count>()
  readonly #limit: number
  dropped = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#counts.size
  }

  note(key: string, part: string, attempt: string, now: number, windowMs: number): readonly string[] {
    this.sweep(now, SWEEP)
    const count = this.#counts.get(key) ?? { members: new Map(), endsMs: 0 }
    const { members } = count
    for (const [id, { atMs }] of members) if (atMs <= now - windowMs) members.delete(id)
    const id = `${part}|${attempt}`
    if (!members.has(id)) members.set(id, { part, atMs: now })
    for (const oldest of members.keys()) {
      if (members.size <= MAX_FAILURES) break
      members.delete(oldest)
    }
    count.endsMs = now + windowMs
    this.#counts.delete(key)
    this.#counts.set(key, count)
    this.#bound()
    return Array.from(members.values(), (member) => member.part)
  }

  /** @param part '' for all */
  forget(key: string, part: string): void {
    const count = this.#counts.get(key)
    if (count === undefined) return
    for (const [id, member] of count.members) if (part === '' || member.part === part) count.members.delete(id)
    if (count.members.size === 0) this.#counts.delete(key)
  }

  sweep(now: number, limit: number): void {
    let left = limit
    for (const [key, { endsMs }] of this.#counts) {
      if (endsMs > now || left-- <= 0) return
      this.#counts.delete(key)
    }
  }

  #bound(): void {
    for (const key of this.#counts.keys()) {
      if (this.#counts.size <= this.#limit) return
      this.#counts.delete(key)
      this.dropped++
    }
  }
}

export class MemoryBans implements BanStore {
  readonly #context: MemoryContext
  readonly #users: Counts
  readonly #sources: Counts
  /** Mark to the hour of the last success, oldest first. */
  readonly #good = new Map<string, number>()
  readonly #bans = new Map<string, Entry>()
  #revision = 0

  constructor(context: MemoryContext) {
    this.#context = context
    this.#users = new Counts(context.limits.maxFailing)
    this.#sources = new Counts(context.limits.maxFailing)
  }

  noteUserFailure({ user, source, attempt }: Failure, windowMs: number) {
    if (!isBanName(user) || !isBanName(source)) return INVALID
    const all = this.#users.note(user, source, attempt, this.#context.now(), windowMs)
    return stored({ pair: all.filter((part) => part === source).length, user: all.length })
  }

  noteSourceFailure(
    { user, source, attempt }: Failure,
    windowMs: number,
    { perUser, keepMs }: { readonly perUser: number; readonly keepMs: number },
  ) {
    if (!isBanName(source)) return INVALID
    const all = this.#sources.note(source, user, attempt, this.#context.now(), windowMs)
    if (!this.#isGood(source, keepMs)) return stored(all.length)
    const of = new Map<string, number>()
    for (const part of all) of.set(part, (of.get(part) ?? 0) + 1)
    let sum = 0
    for (const count of of.values()) sum += Math.min(count, perUser)
    return stored(sum)
  }

  noteGood(mark: string): Stored<void> {
    this.#good.delete(mark)
    this.#good.set(mark, Math.floor(this.#context.now() / HOUR_MS))
    for (const oldest of this.#good.keys()) {
      if (this.#good.size <= this.#context.limits.maxGood) break
      this.#good.delete(oldest)
    }
    return stored(undefined)
  }

  isGood(mark: string, keepMs: number): Stored<boolean> {
    return stored(this.#isGood(mark, keepMs))
  }

  ban(target: BanTarget, terms: BanTerms): Stored<Ban> {
    if (!isBanName(target.user) || !isBanName(target.source)) return INVALID
    const now = this.#context.now()
    this.#sweep(now)
    const id = targetId(target)
    const held = this.#bans.get(id)
    if (held !== undefined && held.untilMs > now && terms.exactMs === undefined) return stored(banOf(id, held, now))
    if (held === undefined) this.#makeRoom(terms.maxBans)
    const level = held === undefined || held.cause === 'lifted' ? 0 : Math.min(held.level + 1, MAX_LEVEL)
    const untilMs = now + banLengthMs(level, terms)
    const cause = terms.exactMs === undefined ? 'failures' : 'admin'
    const entry = { level, cause, sinceMs: now, untilMs, goneMs: untilMs + terms.forgetMs } as const
    return stored(banOf(id, this.#put(id, entry, now), now))
  }

  lift(target: BanTarget): Stored<boolean> {
    const { kind, source, user } = target
    if (kind === 'source') this.#sources.forget(source, '')
    else this.#users.forget(user, kind === 'pair' ? source : '')
    const now = this.#context.now()
    const id = targetId(target)
    const held = this.#bans.get(id)
    if (held === undefined || held.untilMs <= now) return stored(false)
    this.#put(id, { ...held, level: 0, cause: 'lifted', untilMs: now, goneMs: now + LIFTED_KEEP_MS }, now)
    return stored(true)
  }

  readBans(afterRevision: number, limit: number): Stored<BanChanges> {
    const now = this.#context.now()
    this.#sweep(now)
    const later: Ban[] = []
    for (const [id, entry] of this.#bans) if (entry.revision > afterRevision) later.push(banOf(id, entry, now))
    later.sort((a, b) => a.revision - b.revision)
    return stored({ bans: later.slice(0, limit), hasMore: later.length > limit })
  }

  /** A success of the user from there. */
  forgive(user: string, source: string): void {
    if (this.#users.size > 0) this.#users.forget(user, source)
  }

  tick(): void {
    const now = this.#context.now()
    this.#users.sweep(now, 50_000)
    this.#sources.sweep(now, 50_000)
    this.#sweep(now)
  }

  counts(): Record<string, number> {
    return {
      failingUserCount: this.#users.size,
      failingSourceCount: this.#sources.size,
      goodMarkCount: this.#good.size,
      banCount: this.#bans.size,
      failuresDropped: this.#users.dropped + this.#sources.dropped,
    }
  }

  #isGood(mark: string, keepMs: number): boolean {
    const hour = this.#good.get(mark)
    return hour !== undefined && (hour + 1) * HOUR_MS + keepMs >= this.#context.now()
  }

  /** In the order of revisions. */
  #put(id: string, entry: Omit<Entry, 'revision'>, now: number): Entry {
    this.#revision = Math.max(now, this.#revision + 1)
    const made = { ...entry, revision: this.#revision }
    this.#bans.delete(id)
    this.#bans.set(id, made)
    return made
  }

  #sweep(now: number): void {
    for (const [id, { goneMs }] of this.#bans) if (goneMs <= now) this.#bans.delete(id)
  }

  #makeRoom(maxBans: number): void {
    if (this.#bans.size < maxBans) return
    const byEnd = [...this.#bans].sort(([, a], [, b]) => a.goneMs - b.goneMs)
    for (const [id] of byEnd.slice(0, this.#bans.size + 1 - maxBans)) this.#bans.delete(id)
  }
}

function banOf(id: string, { level, cause, sinceMs, untilMs, revision }: Entry, now: number): Ban {
  return { ...parseTargetId(id), level, cause, sinceMs, leftMs: Math.max(0, untilMs - now), revision }
}
