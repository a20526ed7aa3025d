// SPDX-License-Identifier: MIT
// Finished records in Redis: 256 streams, one consumer group per sink. A reader looks at once at shards that this process
// has just written, and at all of them every `SWEEP_MS`, up to `LONGEST_SWEEP_MS` while nothing is found: 256 scripts each time are what an
// idle cluster asks of Redis most. What a crash left unacknowledged comes first.
// An unknown read may have delivered: its shard's pending entries are read again, what is in flight is not given twice.

import { performance } from 'node:perf_hooks'
import { recordOf } from '../call-record.ts'
import type { RecordReader } from '../policy-store.ts'
import { mapStored, type Stored, stored } from '../result.ts'
import { SHARDS } from '../shard.ts'
import type { RecordItem, RecordLag } from '../types.ts'
import type { Reply } from './batcher.ts'
import { callOf } from './packed-call.ts'
import { bytesOf, listOf, numberOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import { ACKNOWLEDGE, DROP_GROUP, READ_RECORDS, RECORD_LAG } from './scripts/records.ts'
import { tagOf } from './slot.ts'

const SWEEP_MS = 500
const LONGEST_SWEEP_MS = 2_000
/** Records that one look at one shard brings, at most. */
const SHARD_LIMIT = 64

export class RedisRecords {
  readonly #runner: Runner
  readonly #readers = new Set<WeakRef<Reader>>()

  constructor(runner: Runner) {
    this.#runner = runner
  }

  open(group: string, consumer: string): RecordReader {
    const reader = new Reader(this.#runner, group, consumer)
    this.#readers.add(new WeakRef(reader))
    return reader
  }

  wake(shard: number): void {
    for (const held of this.#readers) {
      const reader = held.deref()
      if (reader === undefined) this.#readers.delete(held)
      else reader.wake(shard)
    }
  }

  async lag(group: string): Promise<Stored<RecordLag>> {
    const lags = await this.#runner.everyShard((shard) => this.#onShard(shard, RECORD_LAG, group, readLag))
    return mapStored(lags, (all) => ({
      waiting: all.reduce((sum, lag) => sum + lag.waiting, 0),
      pending: all.reduce((sum, lag) => sum + lag.pending, 0),
    }))
  }

  async dropGroup(group: string): Promise<Stored<void>> {
    const dropped = await this.#runner.everyShard((shard) => this.#onShard(shard, DROP_GROUP, group, numberOf))
    return mapStored(dropped, () => undefined)
  }

  #onShard<T>(shard: number, script: typeof DROP_GROUP, group: string, read: (reply: Reply) => T): Promise<Stored<T>> {
    const tag = tagOf('c', shard)
    return this.#runner.run(script, tag, [`{${tag}}:cdr`], [group], read)
  }
}

class Reader implements RecordReader {
  readonly #runner: Runner
  readonly #group: string
  readonly #consumer: string
  /** Shard to the pending id after which it is to be read again. */
  readonly #pending = new Map<number, string>()
  readonly #awake = new Set<number>()
  readonly #inFlight = new Set<string>()
  #ready: RecordItem[] = []
  #sweptMs = Number.NEGATIVE_INFINITY
  #sweepMs = SWEEP_MS
  /** Records since the start. */
  #taken = 0
  #claimedMs = Number.NEGATIVE_INFINITY

  constructor(runner: Runner, group: string, consumer: string) {
    this.#runner = runner
    this.#group = group
    this.#consumer = consumer
    for (let shard = 0; shard < SHARDS; shard++) this.#pending.set(shard, '0')
  }

  wake(shard: number): void {
    this.#awake.add(shard)
  }

  async read(limit: number): Promise<Stored<RecordItem[]>> {
    if (this.#ready.length === 0) {
      const trouble = await this.#fetch(Math.min(limit, SHARD_LIMIT))
      if (trouble !== undefined && this.#ready.length === 0) return trouble
    }
    return stored(this.#ready.splice(0, limit))
  }

  async acknowledge(ids: readonly string[]): Promise<Stored<void>> {
    const byShard = new Map<string, string[]>()
    for (const id of ids) {
      const slash = id.indexOf('/')
      const shard = id.slice(0, slash)
      byShard.set(shard, [...(byShard.get(shard) ?? []), id.slice(slash + 1)])
    }
    const all = await Promise.all(Array.from(byShard, ([shard, held]) => this.#acknowledge(Number(shard), held)))
    return all.find((result) => result.state !== 'stored') ?? stored(undefined)
  }

  async #acknowledge(shard: number, ids: readonly string[]): Promise<Stored<void>> {
    const tag = tagOf('c', shard)
    const result = await this.#runner.run(ACKNOWLEDGE, tag, [`{${tag}}:cdr`], [this.#group, ...ids], numberOf)
    if (result.state === 'stored') for (const id of ids) this.#inFlight.delete(`${shard}/${id}`)
    return mapStored(result, () => undefined)
  }

  /** Looks where something may be. Returns the first trouble. */
  async #fetch(count: number): Promise<Stored<never> | undefined> {
    const now = performance.now()
    const isSweep = now - this.#sweptMs >= this.#sweepMs
    const shards = isSweep ? Array.from({ length: SHARDS }, (_, shard) => shard) : [...this.#awake]
    if (isSweep) this.#sweptMs = now
    const claims = isSweep && now - this.#claimedMs >= this.#runner.settings.redeliverMs / 2
    if (claims) this.#claimedMs = now
    this.#awake.clear()
    const before = this.#taken
    const results = await Promise.all(shards.map((shard) => this.#fetchShard(shard, count, claims)))
    if (isSweep) this.#sweepMs = this.#taken > before ? SWEEP_MS : Math.min(2 * this.#sweepMs, LONGEST_SWEEP_MS)
    return results.find((result) => result !== undefined)
  }

  async #fetchShard(shard: number, count: number, claims: boolean): Promise<Stored<never> | undefined> {
    const tag = tagOf('c', shard)
    const { redeliverMs } = this.#runner.settings
    const after = this.#pending.get(shard) ?? ''
    const args = [this.#group, this.#consumer, count, after, claims ? redeliverMs : '']
    const read = (reply: Reply) => this.#take(shard, listOf(reply), count)
    const result = await this.#runner.run(READ_RECORDS, tag, [`{${tag}}:cdr`], args, read)
    if (result.state === 'stored') return undefined
    this.#awake.add(shard)
    if (result.state === 'unknown') this.#pending.set(shard, '0')
    return result
  }

  #take(shard: number, [lastPending, ...flat]: Reply[], count: number): void {
    const more = textOf(lastPending)
    if (more === '') this.#pending.delete(shard)
    else this.#pending.set(shard, more)
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const id = `${shard}/${textOf(flat[i])}`
      if (this.#inFlight.has(id)) continue
      this.#inFlight.add(id)
      this.#taken++
      this.#ready.push({ id, record: readRecord(listOf(flat[i + 1])) })
    }
    if (more !== '' || flat.length >= 2 * count) this.#awake.add(shard)
  }
}

/** {'r', packed call, 'k', reference}. */
function readRecord(fields: Reply[]): RecordItem['record'] {
  return recordOf(callOf(textOf(fields[3]), bytesOf(fields[1])))
}

function readLag(reply: Reply): RecordLag {
  const [waiting, pending] = listOf(reply)
  return { waiting: numberOf(waiting), pending: numberOf(pending) }
}
