// SPDX-License-Identifier: MIT
//
// The feed of fraud events for the records service: reads the store's stream for one group and gives items out, at most
// `window` of them without acknowledgement. Whatever is lost on the way comes again: receivers tell repeats by the id.
import type { FeedConsumer, FeedStart, RecordFeed, records } from '@tandem/rpc'
import type { FraudEventReader, FraudEventStore } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { toFeedItem } from './event-wire.ts'

const POLL_MS = 250
const BATCH = 64
/** Acknowledgements that wait for the store, at most; beyond it the oldest are forgotten and delivered again. */
const MAX_UNSTORED_ACKS = 4_096

type OnItems = (items: records.FeedItem[]) => void
type OnBug = (error: unknown) => void
type Health = Pick<PolicyContext['health'], 'see'>

class EventConsumer implements FeedConsumer {
  readonly #reader: FraudEventReader
  readonly #health: Health
  readonly #window: number
  readonly #onItems: OnItems
  readonly #onBug: OnBug
  readonly #out = new Set<string>()
  #acknowledged: string[] = []
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(reader: FraudEventReader, health: Health, window: number, onItems: OnItems, onBug: OnBug) {
    this.#reader = reader
    this.#health = health
    this.#window = Math.max(1, window)
    this.#onItems = onItems
    this.#onBug = onBug
    this.#schedule(0)
  }

  acknowledge(ids: string[]): void {
    for (const id of ids) this.#out.delete(id)
    this.#acknowledged.push(...ids)
    const excess = this.#acknowledged.length - MAX_UNSTORED_ACKS
    if (excess > 0) this.#acknowledged.splice(0, excess)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#flush().catch(this.#onBug)
  }

  #schedule(delayMs: number): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => void this.#turn(), delayMs)
  }

  async #turn(): Promise<void> {
    let more = false
    try {
      more = await this.#work()
    } catch (error) {
      this.#onBug(error)
    }
    this.#schedule(more ? 0 : POLL_MS)
  }

  /** True when there may be more to read at once. */
  async #work(): Promise<boolean> {
    await this.#flush()
    const limit = Math.min(this.#window - this.#out.size, BATCH)
    if (limit <= 0) return false
    const read = await this.#reader.read(limit)
    if (!this.#health.see(read) || read.value.length === 0 || this.#closed) return false
    for (const { id } of read.value) this.#out.add(id)
    this.#onItems(read.value.map(toFeedItem))
    return read.value.length === limit
  }

  async #flush(): Promise<void> {
    if (this.#acknowledged.length === 0) return
    const ids = this.#acknowledged
    this.#acknowledged = []
    if (!this.#health.see(await this.#reader.acknowledge(ids))) this.#acknowledged = [...ids, ...this.#acknowledged]
  }
}

export class EventFeed implements RecordFeed {
  readonly #store: Pick<FraudEventStore, 'open'>
  readonly #health: Health
  readonly #onBug: OnBug
  readonly #consumers = new Set<EventConsumer>()

  constructor(store: Pick<FraudEventStore, 'open'>, health: Health, onBug: OnBug) {
    this.#store = store
    this.#health = health
    this.#onBug = onBug
  }

  consume({ group, consumer, window }: FeedStart, onItems: OnItems): FeedConsumer {
    const reader = this.#store.open(group, consumer)
    const one = new EventConsumer(reader, this.#health, window, onItems, this.#onBug)
    this.#consumers.add(one)
    return {
      acknowledge: (ids) => one.acknowledge(ids),
      close: () => {
        this.#consumers.delete(one)
        one.close()
      },
    }
  }

  stop(): void {
    for (const one of this.#consumers) one.close()
    this.#consumers.clear()
  }
}
