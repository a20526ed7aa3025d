// SPDX-License-Identifier: MIT
// Watches of addresses-of-record: one opaque state each, written by compare-and-set, and when it is due. A change of the
// bindings moves the revision, so that a write made from older bindings fails, and makes the watch due at once.

import { type Stored, stored } from '../result.ts'
import { SHARDS, shardOf } from '../shard.ts'
import type { DueWatches, Watch, WatchWrite } from '../types.ts'
import { full, type MemoryContext } from './context.ts'
import { Deadlines, type Timed } from './deadlines.ts'

interface Entry extends Timed {
  readonly aor: string
  readonly due: Deadlines<Entry>
  revision: number
  state: string
  untilMs: number
}

export class MemoryWatches {
  readonly #context: MemoryContext
  readonly #entries = new Map<string, Entry>()
  readonly #shards: Deadlines<Entry>[] = Array.from({ length: SHARDS }, () => new Deadlines<Entry>())
  #refused = 0

  constructor(context: MemoryContext) {
    this.#context = context
  }

  has(aor: string, nowMs: number): boolean {
    return this.#live(aor, nowMs) !== undefined
  }

  /** The bindings of this AoR have changed. */
  changed(aor: string, nowMs: number): void {
    const entry = this.#entries.get(aor)
    if (entry === undefined) return
    entry.revision++
    if (entry.deadlineMs <= nowMs) return
    entry.deadlineMs = nowMs
    entry.due.set(entry)
  }

  read(aor: string, nowMs: number): Pick<Watch, 'revision' | 'state'> {
    const entry = this.#live(aor, nowMs)
    return { revision: entry?.revision ?? 0, state: entry?.state ?? '' }
  }

  write({ aor, revision, state, dueInMs, keepMs }: WatchWrite): Stored<{ written: boolean }> {
    const now = this.#context.now()
    const entry = this.#live(aor, now)
    if ((entry?.revision ?? 0) !== revision) return stored({ written: false })
    if (state === '') {
      if (entry !== undefined) this.#forget(entry)
      return stored({ written: true })
    }
    const kept = entry ?? this.#create(aor, now)
    if (kept === undefined) return full('watches', this.#context.limits.maxWatches)
    kept.revision++
    kept.state = state
    kept.untilMs = now + keepMs
    kept.deadlineMs = now + dueInMs
    kept.due.set(kept)
    return stored({ written: true })
  }

  claim(shard: number, leaseMs: number, limit: number): Stored<DueWatches> {
    const now = this.#context.now()
    const due = this.#shards[shard & (SHARDS - 1)] as Deadlines<Entry>
    const aors: string[] = []
    while (aors.length < limit) {
      const entry = due.take(now)
      if (entry === undefined) break
      if (entry.untilMs <= now) {
        this.#forget(entry)
        continue
      }
      aors.push(entry.aor)
      entry.deadlineMs = now + leaseMs
      due.set(entry)
    }
    const next = due.peek()?.deadlineMs
    return stored({ aors, more: next !== undefined && next <= now, nextInMs: next && Math.max(0, next - now) })
  }

  counts(): Record<string, number> {
    return { watchCount: this.#entries.size, watchesRefused: this.#refused }
  }

  #live(aor: string, nowMs: number): Entry | undefined {
    const entry = this.#entries.get(aor)
    if (entry === undefined || entry.untilMs > nowMs) return entry
    this.#forget(entry)
    return undefined
  }

  #create(aor: string, nowMs: number): Entry | undefined {
    if (this.#entries.size >= this.#context.limits.maxWatches) {
      this.#refused++
      return undefined
    }
    const due = this.#shards[shardOf(aor)] as Deadlines<Entry>
    // From the clock: a watch that ended and began anew has none of its old revisions.
    const entry = { aor, due, revision: Math.floor(nowMs), state: '', untilMs: 0, deadlineMs: 0, heapIndex: -1 }
    this.#entries.set(aor, entry)
    return entry
  }

  #forget(entry: Entry): void {
    entry.due.remove(entry)
    this.#entries.delete(entry.aor)
  }
}
