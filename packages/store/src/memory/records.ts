// SPDX-License-Identifier: MIT
// Finished records in memory: one bounded log, read by one group per sink, at least once; removed behind all groups.
// The log is in order of finishing, so each shard's part of it is too.

import type { RecordReader } from '../policy-store.ts'
import { type Stored, stored } from '../result.ts'
import type { CallRecord, RecordItem, RecordLag } from '../types.ts'
import type { MemoryContext } from './context.ts'

interface Delivery {
  readonly item: RecordItem
  readonly position: number
  consumer: string
  atMs: number
}

interface Group {
  /** Position of the next record that was not delivered yet. */
  next: number
  /** By item id, in the order of delivery. */
  readonly pending: Map<string, Delivery>
}

export class MemoryRecords {
  readonly #context: MemoryContext
  readonly #groups = new Map<string, Group>()
  #log: RecordItem[] = []
  /** Position of the log's first record. */
  #base = 0
  #sequence = 0
  #lastMs = 0
  #dropped = 0

  constructor(context: MemoryContext) {
    this.#context = context
  }

  append(shard: number, record: CallRecord): void {
    const now = Math.floor(this.#context.now())
    this.#sequence = now > this.#lastMs ? 0 : this.#sequence + 1
    this.#lastMs = Math.max(now, this.#lastMs)
    this.#log.push({ id: `${shard}/${this.#lastMs}-${this.#sequence}`, record })
    // Dropped in blocks, so that a full log costs no copy for each record.
    const over = this.#log.length - this.#context.limits.maxRecords
    if (over > this.#context.limits.maxRecords >> 3) this.#drop(over)
  }

  open(name: string, consumer: string): RecordReader {
    const group = this.#group(name)
    const again = [...group.pending.values()].filter((delivery) => delivery.consumer === consumer)
    return {
      read: (limit) => stored(this.#read(group, consumer, again, limit)),
      acknowledge: (ids) => this.#acknowledge(group, ids),
    }
  }

  lag(name: string): Stored<RecordLag> {
    const group = this.#groups.get(name)
    if (group === undefined) return stored({ waiting: this.#log.length, pending: 0 })
    const waiting = this.#base + this.#log.length - Math.max(group.next, this.#base)
    return stored({ waiting, pending: group.pending.size })
  }

  dropGroup(name: string): Stored<void> {
    this.#groups.delete(name)
    this.#trim()
    return stored(undefined)
  }

  counts(): Record<string, number> {
    return { recordCount: this.#log.length, recordsDropped: this.#dropped }
  }

  #group(name: string): Group {
    const found = this.#groups.get(name)
    if (found !== undefined) return found
    const group: Group = { next: this.#base, pending: new Map() }
    this.#groups.set(name, group)
    return group
  }

  #read(group: Group, consumer: string, again: Delivery[], limit: number): RecordItem[] {
    const now = this.#context.now()
    const items: RecordItem[] = []
    while (items.length < limit && again.length > 0) give(again.shift() as Delivery, group, consumer, now, items)
    const idleMs = this.#context.settings.redeliverMs
    for (const delivery of group.pending.values()) {
      if (items.length >= limit || now - delivery.atMs < idleMs) break
      if (delivery.consumer !== consumer) give(delivery, group, consumer, now, items)
    }
    this.#readNew(group, consumer, now, limit, items)
    return items
  }

  #readNew(group: Group, consumer: string, now: number, limit: number, items: RecordItem[]): void {
    group.next = Math.max(group.next, this.#base)
    while (items.length < limit) {
      const item = this.#log[group.next - this.#base]
      if (item === undefined) return
      group.pending.set(item.id, { item, position: group.next, consumer, atMs: now })
      group.next++
      items.push(item)
    }
  }

  #acknowledge(group: Group, ids: readonly string[]): Stored<void> {
    for (const id of ids) group.pending.delete(id)
    this.#trim()
    return stored(undefined)
  }

  #trim(): void {
    if (this.#groups.size === 0) return
    let keep = this.#base + this.#log.length
    for (const group of this.#groups.values()) {
      keep = Math.min(keep, group.next)
      for (const { position } of group.pending.values()) {
        keep = Math.min(keep, position)
        break
      }
    }
    if (keep - this.#base >= 64 || keep - this.#base === this.#log.length) this.#cut(keep - this.#base)
  }

  #drop(count: number): void {
    this.#dropped += count
    this.#cut(count)
  }

  #cut(count: number): void {
    if (count <= 0) return
    this.#log = this.#log.slice(count)
    this.#base += count
  }
}

function give(delivery: Delivery, group: Group, consumer: string, now: number, items: RecordItem[]): void {
  if (!group.pending.has(delivery.item.id)) return
  delivery.consumer = consumer
  delivery.atMs = now
  items.push(delivery.item)
}
