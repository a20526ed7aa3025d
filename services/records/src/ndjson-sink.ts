// SPDX-License-Identifier: MIT
//
// From feeds to file: queue, batches, one fsync a batch, then the acknowledgement. One loop works at a time; it ends when
// the queue is empty and is started by whatever arrives. A failed batch stays at the head of the queue and is tried again
// after a pause, for ever: nothing is acknowledged that is not on disk, so nothing is lost; it is logged once per outage.
// Race: an item can be delivered again (lost acknowledgement, other policy node) while its first copy waits or is being
// written; the second copy finds its key among the written ones when its turn comes and is only acknowledged.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FeedConsumer, records } from '@tandem/rpc'
import type { Logger } from '@tandem/service-kit'
import type { RecordsCounts } from './counts.ts'
import { encodeLine, lineKey } from './encode-line.ts'
import { RECORDS_ERRORS } from './errors.ts'
import type { NdjsonFile } from './ndjson-file.ts'
import { WrittenKeys } from './written-keys.ts'

export interface Entry {
  readonly item: records.FeedItem
  readonly consumer: Pick<FeedConsumer, 'acknowledge'>
}

export interface SinkOptions {
  readonly file: NdjsonFile
  readonly counts: RecordsCounts
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  /** Items that may wait; the surplus is left to be delivered again. */
  readonly capacity: number
  readonly recentLines: number
  readonly maxBatchLines: number
  readonly retryMinMs: number
  readonly retryMaxMs: number
}

interface Batch {
  readonly fresh: readonly { id: string; cdrId: string }[]
  /** Ids of items without a record. */
  readonly empty: readonly string[]
  readonly lines: string
}

export class NdjsonSink {
  readonly #options: SinkOptions
  readonly #written: WrittenKeys
  #queue: Entry[] = []
  #loop: Promise<void> | undefined
  #rotationDue = false
  #stopping = false
  readonly #stopSleep = new AbortController()
  /** Failed attempts in a row; 0 while all is well. */
  #failures = 0

  constructor(options: SinkOptions) {
    this.#options = options
    this.#written = new WrittenKeys(options.recentLines)
  }

  get queuedCount(): number {
    return this.#queue.length
  }

  /** Whether the file is open and took the last batch. */
  get healthy(): boolean {
    return this.#failures === 0 && this.#options.file.isOpen
  }

  offer(items: readonly records.FeedItem[], consumer: Entry['consumer']): void {
    const { counts, capacity } = this.#options
    counts.received += items.length
    for (const item of items) {
      if (this.#queue.length < capacity) this.#queue.push({ item, consumer })
      else this.#onSurplus()
    }
    void this.work()
  }

  #onSurplus(): void {
    const { counts, logger, capacity } = this.#options
    if (counts.surplus++ === 0) logger.warn({ code: 'queue_full', capacity }, RECORDS_ERRORS.queue_full.meaning)
  }

  /** Looks for a moved file now, and opens its name anew. */
  reopen(): void {
    this.#options.file.wantReopen()
    this.#rotationDue = true
    void this.work()
  }

  /** Starts the loop if it does not run. Resolves when there is nothing left to do, or on stop. */
  work(): Promise<void> {
    if (!this.#hasWork()) return this.#loop ?? Promise.resolve()
    this.#loop ??= this.#run()
    return this.#loop
  }

  #hasWork(): boolean {
    return !this.#stopping && (this.#queue.length > 0 || this.#rotationDue || !this.#options.file.isOpen)
  }

  /** Finishes what is queued within `graceMs`, then closes the file. What is left is delivered again later. */
  async stop(graceMs: number): Promise<void> {
    const timer = setTimeout(() => this.#endLoop(), graceMs)
    if (this.#failures > 0) this.#endLoop()
    await this.work()
    clearTimeout(timer)
    this.#endLoop()
    await this.#options.file.close().catch((error: unknown) => this.#onFailure(error))
  }

  #endLoop(): void {
    this.#stopping = true
    this.#stopSleep.abort()
  }

  async #run(): Promise<void> {
    while (this.#hasWork()) {
      try {
        await this.#step()
        this.#onSuccess()
      } catch (error) {
        this.#onFailure(error)
        await this.#pause()
      }
    }
    // In the same turn as the last look at the queue: an item that comes later starts a new loop.
    this.#loop = undefined
  }

  async #step(): Promise<void> {
    const { file, counts } = this.#options
    if (!file.isOpen) await this.#open()
    if (this.#rotationDue) {
      await file.followRotation()
      this.#rotationDue = false
    }
    if (this.#queue.length > 0) await this.#writeBatch()
    counts.reopens = file.reopens
  }

  async #open(): Promise<void> {
    const { file, counts, logger } = this.#options
    this.#written.clear()
    const { cutBytes } = await file.open((id, cdrId) => this.#written.add(id, cdrId))
    if (cutBytes === 0) return
    counts.tornLines++
    logger.info({ file: file.path, cutBytes }, 'cut an unfinished last line; its record is delivered again')
  }

  async #writeBatch(): Promise<void> {
    const { file, counts, maxBatchLines } = this.#options
    const entries = this.#queue.slice(0, maxBatchLines)
    const batch = this.#compose(entries, await this.#lookUp(entries))
    if (batch.fresh.length > 0) {
      await file.append(batch.lines)
      counts.batches++
      counts.written += batch.fresh.length
      for (const { id, cdrId } of batch.fresh) this.#written.add(id, cdrId)
    }
    this.#queue.splice(0, entries.length)
    for (const id of batch.empty) this.#onEmpty(id)
    counts.duplicates += entries.length - batch.fresh.length - batch.empty.length
    acknowledge(entries)
  }

  /** Keys of the batch that memory can't tell about and the file has. */
  async #lookUp(entries: readonly Entry[]): Promise<ReadonlySet<string>> {
    const unsure = new Set<string>()
    for (const { item } of entries) {
      if (item.record && this.#written.presence(item.id, item.record.cdrId) === 'unsure')
        unsure.add(lineKey(item.id, item.record.cdrId))
    }
    const found = new Set<string>()
    if (unsure.size === 0) return found
    await this.#options.file.search(
      (id, cdrId) => unsure.has(lineKey(id, cdrId)),
      (id, cdrId) => found.add(lineKey(id, cdrId)),
    )
    return found
  }

  #compose(entries: readonly Entry[], inFile: ReadonlySet<string>): Batch {
    const keys = new Set(inFile)
    const fresh: { id: string; cdrId: string }[] = []
    const empty: string[] = []
    let lines = ''
    for (const { item } of entries) {
      const { id, record } = item
      if (!record) {
        empty.push(id)
        continue
      }
      const key = lineKey(id, record.cdrId)
      if (keys.has(key) || this.#written.presence(id, record.cdrId) === 'written') continue
      keys.add(key)
      fresh.push({ id, cdrId: record.cdrId })
      lines += encodeLine(id, record)
    }
    return { fresh, empty, lines }
  }

  #onEmpty(id: string): void {
    this.#options.counts.empty++
    this.#options.logger.error({ code: 'empty_item', id }, RECORDS_ERRORS.empty_item.meaning)
  }

  #onSuccess(): void {
    if (this.#failures > 0)
      this.#options.logger.info({ file: this.#options.file.path, failures: this.#failures }, 'writing records again')
    this.#failures = 0
  }

  #onFailure(error: unknown): void {
    const { counts, logger, file } = this.#options
    counts.writeFailures++
    if (this.#failures++ > 0) return
    logger.error({ code: 'write_failed', file: file.path, err: error }, RECORDS_ERRORS.write_failed.meaning)
  }

  async #pause(): Promise<void> {
    const { retryMinMs, retryMaxMs } = this.#options
    const pauseMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.#failures - 1, 20))
    try {
      await sleep(pauseMs, undefined, { signal: this.#stopSleep.signal })
    } catch {
      // Aborted by stop(): the loop looks at #stopping next.
    }
  }
}

function acknowledge(entries: readonly Entry[]): void {
  const byConsumer = new Map<Entry['consumer'], string[]>()
  for (const { item, consumer } of entries) {
    const ids = byConsumer.get(consumer)
    if (ids) ids.push(item.id)
    else byConsumer.set(consumer, [item.id])
  }
  for (const [consumer, ids] of byConsumer) consumer.acknowledge(ids)
}
