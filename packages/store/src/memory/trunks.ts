// SPDX-License-Identifier: MIT
// Trunks in memory. Bounds: trunks, hosts and remembered ends of each, pieces of work, registrations, nonces.

import { notStored, type Stored, stored } from '../result.ts'
import {
  areWork,
  type HostRecord,
  healthOf,
  isHost,
  isPlace,
  isRef,
  isTrunk,
  MAX_HOSTS,
  MAX_OVER,
  MAX_STATE_CHARS,
  MAX_STATES,
  NEWS_KEEP_MS,
  newHost,
  noteHealth,
  noteProbe,
  OVER_MS,
  QUALITY_BUCKETS,
  qualityBucketMs,
  TRUNK_KEEP_MS,
  WORK_KEEP_MS,
} from '../trunk-rules.ts'
import type {
  AttemptBegin,
  AttemptBegun,
  AttemptEnd,
  AttemptNoted,
  AttemptRefusal,
  ProbeNote,
  TrunkNews,
  TrunkQuality,
  TrunkState,
  TrunkStore,
  TrunkView,
} from '../trunk-store.ts'
import { full, type MemoryContext } from './context.ts'

type Sums = { -readonly [K in keyof TrunkQuality]: number }

const noSums = (): Sums => ({ seized: 0, answered: 0, effective: 0, ended: 0, talkMs: 0, rang: 0, pddMs: 0 })

interface Trunk {
  /** Reference to attempt to when its lease is over. */
  readonly places: Map<string, Map<number, number>>
  calls: number
  /** Begins of the last second, oldest first. */
  rate: number[]
  /** What has ended, oldest first: when that is forgotten. */
  readonly over: Map<string, number>
  readonly hosts: Map<string, HostRecord>
  /** By the number of the bucket, oldest first. */
  readonly buckets: Map<number, Sums>
  touchedMs: number
}

const INVALID = notStored('invalid', 'a trunk, host, reference, attempt or state that can not be kept')
const SECOND_MS = 1_000
const MAX_NONCES = 100_000

export class MemoryTrunks implements TrunkStore {
  readonly #context: MemoryContext
  readonly #trunks = new Map<string, Trunk>()
  /** Trunk to its revision, in the order of revisions. */
  readonly #news = new Map<string, number>()
  #revision = 0
  readonly #work = new Map<string, number>()
  readonly #states = new Map<string, TrunkState>()
  readonly #nonces = new Map<string, { count: number; endsMs: number }>()

  constructor(context: MemoryContext) {
    this.#context = context
  }

  beginAttempt({ trunk, ref, attempt, maxCalls, callsPerSecond, leaseMs }: AttemptBegin): Stored<AttemptBegun> {
    if (!isTrunk(trunk) || !isPlace(ref, attempt)) return INVALID
    const nowMs = this.#now()
    const at = this.#at(trunk, nowMs)
    if (at === undefined) return full('trunks', this.#context.limits.maxTrunks)
    const answer = (refused: AttemptRefusal) => stored({ refused, calls: at.calls })
    if (at.places.get(ref)?.has(attempt) === true) return answer('')
    if (isOver(at, `${ref}/${attempt}`, nowMs) || isOver(at, ref, nowMs)) return answer('over')
    if (maxCalls !== undefined && at.calls >= maxCalls) return answer('calls')
    if (callsPerSecond !== undefined) {
      at.rate = at.rate.filter((ms) => ms > nowMs - SECOND_MS)
      if (at.rate.length >= callsPerSecond) return answer('rate')
      at.rate.push(nowMs)
    }
    const attempts = at.places.get(ref) ?? new Map<number, number>()
    at.places.set(ref, attempts.set(attempt, nowMs + leaseMs))
    at.calls++
    return answer('')
  }

  endAttempt(end: AttemptEnd): Stored<AttemptNoted> {
    const { trunk, host, ref, attempt } = end
    if (!isTrunk(trunk) || !isPlace(ref, attempt) || !isHost(host)) return INVALID
    const nowMs = this.#now()
    const at = this.#at(trunk, nowMs)
    if (at === undefined) return full('trunks', this.#context.limits.maxTrunks)
    if (!end.keeps) free(at, ref, attempt)
    const isFirst = !isOver(at, `${ref}/${attempt}`, nowMs)
    if (!isFirst) return stored({ isFirst, changed: false, calls: at.calls })
    noteOver(at, `${ref}/${attempt}`, nowMs)
    countAttempt(at, end, nowMs)
    // Of a host that never failed there is nothing to keep.
    const isTold = end.health === 'bad' || (end.health === 'good' && at.hosts.has(host))
    const changed = isTold && noteHealth(hostOf(at, host), end.health, end.breaker, nowMs)
    return stored({ isFirst, changed, calls: at.calls })
  }

  endCall(trunk: string, ref: string, talkMs: number | undefined, windowMs: number): Stored<boolean> {
    if (!isTrunk(trunk) || !isRef(ref)) return INVALID
    const nowMs = this.#now()
    const at = this.#at(trunk, nowMs)
    if (at === undefined) return full('trunks', this.#context.limits.maxTrunks)
    at.calls -= at.places.get(ref)?.size ?? 0
    at.places.delete(ref)
    if (isOver(at, ref, nowMs)) return stored(false)
    noteOver(at, ref, nowMs)
    if (talkMs !== undefined) {
      const sums = sumsAt(at, windowMs, nowMs)
      sums.ended++
      sums.talkMs += Math.round(talkMs)
    }
    return stored(true)
  }

  noteProbe({ trunk, host, breaker, ...probe }: ProbeNote): Stored<boolean> {
    if (!isTrunk(trunk) || !isHost(host)) return INVALID
    const nowMs = this.#now()
    const at = this.#at(trunk, nowMs)
    if (at === undefined) return full('trunks', this.#context.limits.maxTrunks)
    return stored(noteProbe(hostOf(at, host), probe, breaker, nowMs))
  }

  claimTrial(trunk: string, host: string, leaseMs: number): Stored<boolean> {
    const nowMs = this.#now()
    const known = this.#trunks.get(trunk)?.hosts.get(host)
    if (known === undefined || known.openUntilMs === 0) return stored(false)
    if (known.openUntilMs > nowMs || known.trialUntilMs > nowMs) return stored(false)
    known.trialUntilMs = nowMs + leaseMs
    return stored(true)
  }

  lookAt(trunk: string, windowMs: number, leaseMs: number, limit: number): Stored<TrunkView> {
    const nowMs = this.#now()
    const at = this.#trunks.get(trunk)
    if (at === undefined) return stored({ calls: 0, hosts: [], quality: noSums(), due: [] })
    const due: string[] = []
    for (const [ref, attempts] of at.places) {
      if (due.length >= limit) break
      if (takeDue(attempts, nowMs, leaseMs)) due.push(ref)
    }
    const hosts = [...at.hosts].map(([name, host]) => healthOf(name, host, nowMs))
    return stored({ calls: at.calls, hosts, quality: qualityOf(at, windowMs, nowMs), due })
  }

  tell(trunk: string): Stored<void> {
    if (!isTrunk(trunk)) return INVALID
    this.#revision = Math.max(this.#now(), this.#revision + 1)
    this.#news.delete(trunk)
    this.#news.set(trunk, this.#revision)
    return stored(undefined)
  }

  readNews(after: number): Stored<TrunkNews> {
    const oldest = this.#now() - NEWS_KEEP_MS
    const trunks: string[] = []
    let last = after
    for (const [trunk, revision] of this.#news) {
      if (revision <= oldest) this.#news.delete(trunk)
      else if (revision > after) {
        trunks.push(trunk)
        last = revision
      }
    }
    return stored({ revision: last, trunks })
  }

  claimWork(keys: readonly string[], leaseMs: number): Stored<string[]> {
    if (!areWork(keys)) return INVALID
    const nowMs = this.#now()
    this.#forgetWork(nowMs)
    const due = keys.filter((key) => (this.#work.get(key) ?? 0) <= nowMs)
    for (const key of due) this.#work.set(key, nowMs + leaseMs)
    return stored(due)
  }

  planWork(key: string, inMs: number): Stored<void> {
    if (!areWork([key])) return INVALID
    this.#work.set(key, this.#now() + Math.round(inMs))
    return stored(undefined)
  }

  readState(trunk: string): Stored<TrunkState> {
    return stored(this.#states.get(trunk) ?? { version: 0, text: '' })
  }

  writeState(trunk: string, version: number, text: string): Stored<boolean> {
    if (!isTrunk(trunk) || text.length > MAX_STATE_CHARS) return INVALID
    if ((this.#states.get(trunk)?.version ?? 0) !== version) return stored(false)
    if (text === '') this.#states.delete(trunk)
    else if (version === 0 && this.#states.size >= MAX_STATES) return full('registrations', MAX_STATES)
    else this.#states.set(trunk, { version: version + 1, text })
    return stored(true)
  }

  listStates(): Stored<string[]> {
    return stored([...this.#states.keys()].sort())
  }

  countNonce(trunk: string, nonceId: string, keepMs: number): Stored<number> {
    const nowMs = this.#now()
    const key = `${trunk} ${nonceId}`
    const known = this.#nonces.get(key)
    const count = known !== undefined && known.endsMs > nowMs ? known.count + 1 : 1
    this.#nonces.delete(key)
    this.#nonces.set(key, { count, endsMs: nowMs + keepMs })
    for (const oldest of this.#nonces.keys()) {
      if (this.#nonces.size <= MAX_NONCES) break
      this.#nonces.delete(oldest)
    }
    return stored(count)
  }

  tick(): void {
    const nowMs = this.#now()
    for (const [name, { touchedMs }] of this.#trunks) {
      if (touchedMs <= nowMs - TRUNK_KEEP_MS) this.#trunks.delete(name)
    }
    for (const { over } of this.#trunks.values()) forgetOver(over, nowMs)
    for (const [key, { endsMs }] of this.#nonces) if (endsMs <= nowMs) this.#nonces.delete(key)
    this.#forgetWork(nowMs)
  }

  counts(): Record<string, number> {
    let places = 0
    for (const { calls } of this.#trunks.values()) places += calls
    return { trunkPlaceCount: places, trunkNonceCount: this.#nonces.size, trunkStateCount: this.#states.size }
  }

  #now(): number {
    return Math.floor(this.#context.now())
  }

  #at(name: string, nowMs: number): Trunk | undefined {
    const known = this.#trunks.get(name)
    if (known !== undefined) {
      known.touchedMs = nowMs
      return known
    }
    if (this.#trunks.size >= this.#context.limits.maxTrunks) return undefined
    const made: Trunk = {
      places: new Map(),
      calls: 0,
      rate: [],
      over: new Map(),
      hosts: new Map(),
      buckets: new Map(),
      touchedMs: nowMs,
    }
    this.#trunks.set(name, made)
    return made
  }

  #forgetWork(nowMs: number): void {
    for (const [key, dueMs] of this.#work) if (dueMs <= nowMs - WORK_KEEP_MS) this.#work.delete(key)
  }
}

function free(at: Trunk, ref: string, attempt: number): void {
  const attempts = at.places.get(ref)
  if (attempts?.delete(attempt) !== true) return
  at.calls--
  if (attempts.size === 0) at.places.delete(ref)
}

/** Begins the next lease of those whose lease is over. @returns whether there were any */
function takeDue(attempts: Map<number, number>, nowMs: number, leaseMs: number): boolean {
  let isDue = false
  for (const [attempt, leaseEndMs] of attempts) {
    if (leaseEndMs > nowMs) continue
    attempts.set(attempt, nowMs + leaseMs)
    isDue = true
  }
  return isDue
}

const isOver = (at: Trunk, key: string, nowMs: number): boolean => (at.over.get(key) ?? 0) > nowMs

function forgetOver(over: Map<string, number>, nowMs: number): void {
  for (const [key, untilMs] of over) {
    if (untilMs > nowMs && over.size <= MAX_OVER) return
    over.delete(key)
  }
}

function noteOver(at: Trunk, key: string, nowMs: number): void {
  at.over.delete(key)
  at.over.set(key, nowMs + OVER_MS)
  forgetOver(at.over, nowMs)
}

function hostOf(at: Trunk, name: string): HostRecord {
  const known = at.hosts.get(name)
  if (known !== undefined) return known
  for (const oldest of at.hosts.keys()) {
    if (at.hosts.size < MAX_HOSTS) break
    at.hosts.delete(oldest)
  }
  const made = newHost()
  at.hosts.set(name, made)
  return made
}

function sumsAt(at: Trunk, windowMs: number, nowMs: number): Sums {
  const bucket = Math.floor(nowMs / qualityBucketMs(windowMs))
  for (const number of at.buckets.keys()) {
    if (number < bucket - QUALITY_BUCKETS || number > bucket) at.buckets.delete(number)
  }
  const sums = at.buckets.get(bucket) ?? noSums()
  at.buckets.set(bucket, sums)
  return sums
}

function countAttempt(at: Trunk, end: AttemptEnd, nowMs: number): void {
  const sums = sumsAt(at, end.windowMs, nowMs)
  if (end.seized) sums.seized++
  if (end.seized && end.answered) sums.answered++
  if (end.seized && end.effective) sums.effective++
  if (end.pddMs === undefined) return
  sums.rang++
  sums.pddMs += Math.round(end.pddMs)
}

function qualityOf(at: Trunk, windowMs: number, nowMs: number): TrunkQuality {
  const total = noSums()
  const first = Math.floor(nowMs / qualityBucketMs(windowMs)) - QUALITY_BUCKETS
  for (const [bucket, sums] of at.buckets) {
    if (bucket < first) continue
    for (const name of Object.keys(total) as (keyof Sums)[]) total[name] += sums[name]
  }
  return total
}
