// SPDX-License-Identifier: MIT
// Fraud events in Redis: one stream in a slot of its own, `{fraud}:events`, bounded by length. Events are few beside calls
// (a rule is silent about one subject for a while), so one slot carries them all.
// An unknown read may have delivered: pending entries are read again, what is in flight is not given twice.

import type { FraudEventItem, FraudEventLag, FraudEventReader, FraudEventStore } from '../fraud-event-store.ts'
import { eventOf, eventText } from '../fraud-event-text.ts'
import { mapStored, type Stored, stored } from '../result.ts'
import type { FraudEvent } from '../types.ts'
import type { Reply } from './batcher.ts'
import { listOf, numberOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import {
  ACKNOWLEDGE_EVENTS,
  APPEND_EVENT,
  DROP_EVENT_GROUP,
  EVENT_LAG,
  EVENTS_AFTER,
  NEWEST_EVENTS,
} from './scripts/fraud-events.ts'
import { READ_RECORDS } from './scripts/records.ts'

const TAG = 'fraud'
const STREAM = '{fraud}:events'
const SEEN = '{fraud}:seen'
/** Events that one look brings, at most. */
const READ_LIMIT = 64

export class RedisFraudEvents implements FraudEventStore {
  readonly #runner: Runner

  constructor(runner: Runner) {
    this.#runner = runner
  }

  append(event: FraudEvent): Promise<Stored<boolean>> {
    const args = [event.id, eventText(event), this.#runner.settings.fraudEventsMaxLen]
    return this.#runner.run(APPEND_EVENT, TAG, [STREAM, SEEN], args, (reply) => numberOf(reply) === 1)
  }

  after(after: string, limit: number): Promise<Stored<FraudEventItem[]>> {
    return this.#runner.run(EVENTS_AFTER, TAG, [STREAM], [after, limit], (reply) => itemsOf(listOf(reply)))
  }

  newest(before: string, sinceMs: number, limit: number): Promise<Stored<FraudEventItem[]>> {
    const args = [before, Math.ceil(sinceMs), limit]
    return this.#runner.run(NEWEST_EVENTS, TAG, [STREAM], args, (reply) => itemsOf(listOf(reply)))
  }

  open(group: string, consumer: string): FraudEventReader {
    return new Reader(this.#runner, group, consumer)
  }

  lag(group: string): Promise<Stored<FraudEventLag>> {
    return this.#runner.run(EVENT_LAG, TAG, [STREAM], [group], (reply) => {
      const [waiting, pending] = listOf(reply)
      return { waiting: numberOf(waiting), pending: numberOf(pending) }
    })
  }

  async dropGroup(group: string): Promise<Stored<void>> {
    const dropped = await this.#runner.run(DROP_EVENT_GROUP, TAG, [STREAM], [group], numberOf)
    return mapStored(dropped, () => undefined)
  }
}

class Reader implements FraudEventReader {
  readonly #runner: Runner
  readonly #group: string
  readonly #consumer: string
  /** Pending id after which is to be read again; '' for new ones only. */
  #pending = '0'
  readonly #inFlight = new Set<string>()
  #claimedMs = Number.NEGATIVE_INFINITY

  constructor(runner: Runner, group: string, consumer: string) {
    this.#runner = runner
    this.#group = group
    this.#consumer = consumer
  }

  async read(limit: number): Promise<Stored<FraudEventItem[]>> {
    const { redeliverMs } = this.#runner.settings
    const count = Math.min(limit, READ_LIMIT)
    const claims = performance.now() - this.#claimedMs >= redeliverMs / 2
    if (claims) this.#claimedMs = performance.now()
    const args = [this.#group, this.#consumer, count, this.#pending, claims ? redeliverMs : '']
    const result = await this.#runner.run(READ_RECORDS, TAG, [STREAM], args, (reply) => this.#take(listOf(reply)))
    if (result.state === 'unknown') this.#pending = '0'
    return result
  }

  async acknowledge(ids: readonly string[]): Promise<Stored<void>> {
    if (ids.length === 0) return stored(undefined)
    const result = await this.#runner.run(ACKNOWLEDGE_EVENTS, TAG, [STREAM], [this.#group, ...ids], numberOf)
    if (result.state === 'stored') for (const id of ids) this.#inFlight.delete(id)
    return mapStored(result, () => undefined)
  }

  #take([lastPending, ...flat]: Reply[]): FraudEventItem[] {
    this.#pending = textOf(lastPending)
    const items = itemsOf(flat).filter(({ id }) => !this.#inFlight.has(id))
    for (const { id } of items) this.#inFlight.add(id)
    return items
  }
}

/** Id and {'e', text} each. */
function itemsOf(flat: Reply[]): FraudEventItem[] {
  const items: FraudEventItem[] = []
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const [, text] = listOf(flat[i + 1])
    items.push({ id: textOf(flat[i]), event: eventOf(textOf(text)) })
  }
  return items
}
