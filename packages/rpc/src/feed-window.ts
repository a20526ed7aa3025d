// SPDX-License-Identifier: MIT
//
// Holds a consumer's window: at most `window` items are out without an acknowledgement, what comes beyond waits in order.
// An item that is offered again while it is out or waiting (the feed lost patience) is not passed on twice.
// Delivery is never inside `consume`: the first items come in a microtask.
import type { FeedItem } from './gen/tandem/records/v1/records.ts'
import type { FeedConsumer, FeedStart, RecordFeed } from './record-feed.ts'

export class FeedWindow implements FeedConsumer {
  readonly #source: FeedConsumer
  readonly #deliver: (items: FeedItem[]) => void
  readonly #window: number
  readonly #out = new Set<string>()
  readonly #waiting = new Map<string, FeedItem>()
  #scheduled = false
  #closed = false

  constructor(feed: RecordFeed, start: FeedStart, deliver: (items: FeedItem[]) => void) {
    this.#deliver = deliver
    this.#window = start.window
    this.#source = feed.consume(start, (items) => this.#offer(items))
  }

  acknowledge(ids: string[]): void {
    if (this.#closed) return
    for (const id of ids) this.#out.delete(id)
    this.#source.acknowledge(ids)
    this.#schedule()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#source.close()
  }

  #offer(items: FeedItem[]): void {
    for (const item of items) if (!this.#out.has(item.id)) this.#waiting.set(item.id, item)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed || this.#waiting.size === 0) return
    this.#scheduled = true
    queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    this.#scheduled = false
    if (this.#closed) return
    const items: FeedItem[] = []
    for (const [id, item] of this.#waiting) {
      if (this.#out.size >= this.#window) break
      this.#waiting.delete(id)
      this.#out.add(id)
      items.push(item)
    }
    if (items.length > 0) this.#deliver(items)
  }
}
