// SPDX-License-Identifier: MIT
//
// The feed of finished records: reads the store's streams for one sink and gives items out, at most `window` of them
// without acknowledgement. An acknowledgement that can't be stored is kept and repeated; one that is lost is a second
// delivery, which the sink finds by its id. [STATE.md, Records]
// Race: close while a read is under way. Its items are not delivered; they stay unacknowledged and go to the next consumer.
import type { FeedConsumer, FeedStart, RecordFeed, records } from '@tandem/rpc'
import type { RecordReader } from '@tandem/store'
import type { PolicyContext } from '../context.ts'

/** Acknowledgements that wait for the store, at most; beyond it the oldest are forgotten and delivered again. */
const MAX_UNSTORED_ACKS = 65_536
/** Sinks whose backlog is told. */
const MAX_GROUPS = 64

class FeedReader implements FeedConsumer {
  readonly #context: PolicyContext
  readonly #reader: RecordReader
  readonly #window: number
  readonly #onItems: (items: records.FeedItem[]) => void
  readonly #onBug: (error: unknown) => void
  readonly #out = new Set<string>()
  #acknowledged: string[] = []
  #timer: NodeJS.Timeout | undefined
  #busy = false
  #closed = false

  constructor(
    context: PolicyContext,
    start: FeedStart,
    onItems: (items: records.FeedItem[]) => void,
    onBug: (error: unknown) => void,
  ) {
    this.#context = context
    this.#reader = context.store.openRecords(start.group, start.consumer)
    this.#window = Math.max(start.window, 1)
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
    this.#timer = setTimeout(() => this.#turn(), delayMs)
  }

  #turn(): void {
    if (this.#busy) return
    this.#busy = true
    void this.#work()
      .catch((error: unknown) => {
        this.#onBug(error)
        return false
      })
      .then((more) => {
        this.#busy = false
        this.#schedule(more ? 0 : this.#context.tuning.feedPollMs)
      })
  }

  /** True when there may be more to read at once. */
  async #work(): Promise<boolean> {
    await this.#flush()
    const { health, tuning, counts } = this.#context
    const limit = Math.min(this.#window - this.#out.size, tuning.feedBatch)
    if (limit <= 0) return false
    const read = await this.#reader.read(limit)
    if (!health.see(read) || read.value.length === 0 || this.#closed) return false
    for (const { id } of read.value) this.#out.add(id)
    counts.recordsDelivered += read.value.length
    this.#onItems(read.value)
    return read.value.length === limit
  }

  async #flush(): Promise<void> {
    if (this.#acknowledged.length === 0) return
    const ids = this.#acknowledged
    this.#acknowledged = []
    const result = await this.#reader.acknowledge(ids)
    if (this.#context.health.see(result)) this.#context.counts.recordsAcknowledged += ids.length
    else this.#acknowledged = [...ids, ...this.#acknowledged]
  }
}

export class RecordFeedServer implements RecordFeed {
  readonly #context: PolicyContext
  readonly #onBug: (error: unknown) => void
  readonly #consumers = new Set<FeedReader>()
  readonly #groups = new Set<string>()

  constructor(context: PolicyContext, onBug: (error: unknown) => void) {
    this.#context = context
    this.#onBug = onBug
  }

  /** Of those who consume now, or did. */
  get groups(): ReadonlySet<string> {
    return this.#groups
  }

  consume(start: FeedStart, onItems: (items: records.FeedItem[]) => void): FeedConsumer {
    if (this.#groups.size < MAX_GROUPS) this.#groups.add(start.group)
    const reader = new FeedReader(this.#context, start, onItems, this.#onBug)
    this.#consumers.add(reader)
    return {
      acknowledge: (ids) => reader.acknowledge(ids),
      close: () => {
        this.#consumers.delete(reader)
        reader.close()
      },
    }
  }

  stop(): void {
    for (const reader of this.#consumers) reader.close()
    this.#consumers.clear()
  }
}
