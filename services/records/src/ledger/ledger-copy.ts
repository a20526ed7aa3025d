// SPDX-License-Identifier: MIT
//
// The copy of all ledgers: takes parts of ledgers from the feed, stores what has come in one transaction, and acknowledges it then.
// Nothing is spooled: what PostgreSQL has not acknowledged stays in the store, which folds only what is acknowledged. A part whose
// data can't be stored is left there too, and said. [STATE.md, Calls and money]
import { setTimeout as sleep } from 'node:timers/promises'
import type { FeedConsumer, RecordFeed, records } from '@tandem/rpc'
import type { Logger, Metrics } from '@tandem/service-kit'
import { RECORDS_ERRORS } from '../errors.ts'
import { describeError, isDataError, type PostgresConnection } from '../sinks/postgres/connection.ts'
import { type FoldedRow, type LedgerRow, storeEntries } from './ledger-table.ts'

/** Parts of one transaction. */
const BATCH_PARTS = 32

const HELP = {
  received: 'Parts of ledgers received from the feed, repeats included.',
  entries: 'Ledger entries that PostgreSQL has taken, repeats included.',
  failures: 'Writes of ledger entries that failed and were tried again.',
  refused: 'Parts of ledgers that PostgreSQL can not store: they stay in the store.',
} as const

export type LedgerCopyCounts = { -readonly [K in keyof typeof HELP]: number }

export interface LedgerCopyOptions {
  readonly feeds: readonly RecordFeed[]
  readonly consumer: string
  readonly connection: PostgresConnection
  readonly table: string
  /** Parts out at once, of each feed. */
  readonly window: number
  readonly retryMinMs: number
  readonly retryMaxMs: number
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly metrics?: Metrics | undefined
}

interface Part {
  readonly item: records.FeedItem
  readonly source: FeedConsumer
}

export class LedgerCopy {
  readonly counts: LedgerCopyCounts = { received: 0, entries: 0, failures: 0, refused: 0 }
  readonly #options: LedgerCopyOptions
  readonly #consumers: FeedConsumer[] = []
  readonly #stopping = new AbortController()
  readonly #queue: Part[] = []
  #work: Promise<void> | undefined
  #isFailing = false

  constructor(options: LedgerCopyOptions) {
    this.#options = options
    const { metrics } = options
    metrics?.counters('tandem_records_ledger', this.counts, HELP)
    metrics?.gauge(
      'tandem_records_ledger_queued_parts',
      'Parts of ledgers that wait for PostgreSQL.',
      () => this.#queue.length,
    )
    metrics?.gauge('tandem_records_ledger_failing', '1 while the last write of ledger entries failed.', () => {
      return this.#isFailing ? 1 : 0
    })
  }

  async start(): Promise<void> {
    const { feeds, consumer, window } = this.#options
    for (const feed of feeds) {
      const one: FeedConsumer = feed.consume({ group: 'ledger', consumer, window }, (items) => {
        for (const item of items) this.#take({ item, source: one })
      })
      this.#consumers.push(one)
    }
  }

  /** What is not stored yet comes again. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#work
    for (const consumer of this.#consumers.splice(0)) consumer.close()
    this.#options.connection.close()
  }

  /** The queue is bounded by the windows of the feeds. */
  #take(part: Part): void {
    if (this.#stopping.signal.aborted) return
    this.counts.received++
    this.#queue.push(part)
    this.#begin()
  }

  #begin(): void {
    this.#work ??= this.#drain()
      .catch((error: unknown) => this.#options.logger.error({ err: error }, 'a bug in the copy of ledgers'))
      .finally(() => this.#rest())
  }

  /** What came at the last moment begins again. */
  #rest(): void {
    this.#work = undefined
    if (this.#queue.length > 0 && !this.#stopping.signal.aborted) this.#begin()
  }

  async #drain(): Promise<void> {
    for (let attempt = 0; this.#queue.length > 0 && !this.#stopping.signal.aborted; ) {
      const parts = this.#queue.slice(0, BATCH_PARTS)
      if (await this.#write(parts)) {
        this.#queue.splice(0, parts.length)
        attempt = 0
      } else await this.#pause(attempt++)
    }
  }

  async #pause(attempt: number): Promise<void> {
    const { retryMinMs, retryMaxMs } = this.#options
    const upTo = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(attempt, 20))
    const { signal } = this.#stopping
    await sleep(upTo * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined)
  }

  /** False: to be tried again. */
  async #write(parts: readonly Part[]): Promise<boolean> {
    try {
      await this.#store(parts)
    } catch (error) {
      if (!isDataError(error)) return this.#failed(error)
      if (parts.length > 1) return this.#eachAlone(parts)
      return this.#refuse(parts, error)
    }
    if (this.#isFailing) this.#options.logger.info('ledgers are copied again')
    this.#isFailing = false
    for (const { item, source } of parts) source.acknowledge([item.id])
    return true
  }

  async #store(parts: readonly Part[]): Promise<void> {
    const { connection, table } = this.#options
    const batches = parts.flatMap(({ item }) => (item.ledger === undefined ? [] : [item.ledger]))
    const rows = batches.flatMap((batch) => batch.entries.map((entry) => rowOf(batch, entry)))
    const folded = batches.flatMap((batch) => foldedOf(batch))
    const { signal } = this.#stopping
    await connection.run((session) => storeEntries(session, table, rows, folded), signal)
    this.counts.entries += rows.length + folded.length
  }

  async #eachAlone(parts: readonly Part[]): Promise<boolean> {
    for (const part of parts) if (!(await this.#write([part]))) return false
    return true
  }

  #failed(error: unknown): false {
    this.counts.failures++
    if (!this.#isFailing && !this.#stopping.signal.aborted)
      this.#options.logger.error(
        { code: 'write_failed', sink: 'ledger', reason: describeError(error) },
        RECORDS_ERRORS.write_failed.meaning,
      )
    this.#isFailing = true
    return false
  }

  /** It is not acknowledged: its lease ends, and it comes again. */
  #refuse([part]: readonly Part[], error: unknown): true {
    this.counts.refused++
    const account = part?.item.ledger?.account
    this.#options.logger.error(
      { code: 'ledger_refused', account, reason: describeError(error) },
      RECORDS_ERRORS.ledger_refused.meaning,
    )
    return true
  }
}

function rowOf({ account, currency }: records.LedgerBatch, entry: records.LedgerEntry): LedgerRow {
  const { id, key, cause, amount, balance } = entry
  return { account, currency, id, key, cause, amount: String(amount), balance: String(balance) }
}

function foldedOf(batch: records.LedgerBatch): FoldedRow[] {
  return batch.folded === undefined ? [] : [{ ...rowOf(batch, batch.folded), after: batch.after }]
}
