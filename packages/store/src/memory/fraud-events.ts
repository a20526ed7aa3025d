// SPDX-License-Identifier: MIT
// Fraud events in memory: one bounded log, oldest out first, read by any number of groups.

import type { FraudEventItem, FraudEventLag, FraudEventReader, FraudEventStore } from '../fraud-event-store.ts'
import { eventOf, eventText } from '../fraud-event-text.ts'
import { type Stored, stored } from '../result.ts'
import type { FraudEvent } from '../types.ts'
import type { MemoryContext } from './context.ts'

interface Delivery {
  readonly entry: Entry
  consumer: string
  atMs: number
}

interface Entry extends FraudEventItem {
  readonly position: number
  readonly atMs: number
}

interface Group {
  /** Position of the next event that was not delivered yet. */
  next: number
  /** By id, in the order of delivery. */
  readonly pending: Map<string, Delivery>
}

export class MemoryFraudEvents implements FraudEventStore {
  readonly #context: MemoryContext
  readonly #groups = new Map<string, Group>()
  #log: Entry[] = []
  /** Of the events in the log. */
  readonly #ids = new Set<string>()
  #position = 0
  #lastMs = 0
  #sequence = 0

  constructor(context: MemoryContext) {
    this.#context = context
  }

  append(event: FraudEvent): Stored<boolean> {
    if (this.#ids.has(event.id)) return stored(false)
    const now = Math.floor(this.#context.now())
    this.#sequence = now > this.#lastMs ? 0 : this.#sequence + 1
    this.#lastMs = Math.max(now, this.#lastMs)
    const id = `${this.#lastMs}-${this.#sequence}`
    this.#log.push({ id, event: eventOf(eventText(event)), position: this.#position++, atMs: this.#lastMs })
    this.#ids.add(event.id)
    const { fraudEventsMaxLen } = this.#context.settings
    // Dropped in blocks, so that a full log costs no copy for each event.
    if (this.#log.length > fraudEventsMaxLen + (fraudEventsMaxLen >> 3))
      this.#drop(this.#log.length - fraudEventsMaxLen)
    return stored(true)
  }

  after(after: string, limit: number): Stored<FraudEventItem[]> {
    const later = after === '' ? this.#log : this.#log.filter((entry) => isLater(entry.id, after))
    return stored(later.slice(0, limit).map(itemOf))
  }

  newest(before: string, sinceMs: number, limit: number): Stored<FraudEventItem[]> {
    const oldest = this.#context.now() - sinceMs
    const items: FraudEventItem[] = []
    for (let i = this.#log.length - 1; i >= 0 && items.length < limit; i--) {
      const entry = this.#log[i] as Entry
      if (entry.atMs < oldest) break
      if (before === '' || isLater(before, entry.id)) items.push(itemOf(entry))
    }
    return stored(items)
  }

  open(name: string, consumer: string): FraudEventReader {
    const group = this.#groups.get(name) ?? { next: 0, pending: new Map() }
    this.#groups.set(name, group)
    const again = [...group.pending.values()].filter((delivery) => delivery.consumer === consumer)
    return {
      read: (limit) => stored(this.#read(group, consumer, again, limit)),
      acknowledge: (ids) => {
        for (const id of ids) group.pending.delete(id)
        return stored(undefined)
      },
    }
  }

  lag(name: string): Stored<FraudEventLag> {
    const group = this.#groups.get(name)
    if (group === undefined) return stored({ waiting: this.#log.length, pending: 0 })
    const oldest = this.#position - this.#log.length
    return stored({ waiting: this.#position - Math.max(group.next, oldest), pending: group.pending.size })
  }

  dropGroup(name: string): Stored<void> {
    this.#groups.delete(name)
    return stored(undefined)
  }

  counts(): Record<string, number> {
    return { fraudEventCount: this.#log.length }
  }

  #read(group: Group, consumer: string, again: Delivery[], limit: number): FraudEventItem[] {
    const now = this.#context.now()
    const items: FraudEventItem[] = []
    const give = (delivery: Delivery) => {
      if (!group.pending.has(delivery.entry.id)) return
      delivery.consumer = consumer
      delivery.atMs = now
      items.push(itemOf(delivery.entry))
    }
    while (items.length < limit && again.length > 0) give(again.shift() as Delivery)
    for (const delivery of group.pending.values()) {
      if (items.length >= limit || now - delivery.atMs < this.#context.settings.redeliverMs) break
      if (delivery.consumer !== consumer) give(delivery)
    }
    this.#readNew(group, consumer, now, limit, items)
    return items
  }

  #readNew(group: Group, consumer: string, now: number, limit: number, items: FraudEventItem[]): void {
    const oldest = this.#position - this.#log.length
    group.next = Math.max(group.next, oldest)
    while (items.length < limit) {
      const entry = this.#log[group.next - oldest]
      if (entry === undefined) return
      group.pending.set(entry.id, { entry, consumer, atMs: now })
      group.next++
      items.push(itemOf(entry))
    }
  }

  /** What is gone is nobody's any more. */
  #drop(count: number): void {
    for (const entry of this.#log.slice(0, count)) {
      this.#ids.delete(entry.event.id)
      for (const group of this.#groups.values()) group.pending.delete(entry.id)
    }
    this.#log = this.#log.slice(count)
  }
}

const itemOf = ({ id, event }: Entry): FraudEventItem => ({ id, event })

/** Of two stream ids. */
function isLater(a: string, b: string): boolean {
  const [aMs = 0, aSequence = 0] = a.split('-').map(Number)
  const [bMs = 0, bSequence = 0] = b.split('-').map(Number)
  return aMs > bMs || (aMs === bMs && aSequence > bSequence)
}
