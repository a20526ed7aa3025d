// SPDX-License-Identifier: MIT
//
// What the records service is built from and what it gives.
import type { RecordFeed } from '@tandem/rpc'
import type { HttpRoute, Logger, Metrics, RecordsConfig } from '@tandem/service-kit'
import type { RecordsCounts } from './counts.ts'

export interface RecordsTuning {
  /** Consumer group of this sink. */
  readonly group: string
  /** Name of this consumer within the group. */
  readonly consumer: string
  /** Lines of one write and one fsync, at most. */
  readonly maxBatchLines: number
  /** First pause after a failed write; doubled up to the longest. */
  readonly retryMinMs: number
  readonly retryMaxMs: number
  /** Lines whose keys are remembered exactly; older ones are looked up in the file. */
  readonly recentLines: number
  /** stop() first takes what the feeds still bring, until they have brought nothing for this long … */
  readonly quietMs: number
  /** … or this long has passed. */
  readonly lingerMs: number
  /** How long stop() then waits for what is queued to be written. */
  readonly stopMs: number
}

export const RECORDS_TUNING: RecordsTuning = {
  group: 'ndjson',
  consumer: 'records',
  maxBatchLines: 512,
  retryMinMs: 100,
  retryMaxMs: 5_000,
  recentLines: 65_536,
  // A few polls of the feed (policy's feedPollMs).
  quietMs: 150,
  lingerMs: 750,
  stopMs: 2_000,
}

export interface RecordsServiceOptions {
  /** One per policy source. */
  readonly feeds: readonly RecordFeed[]
  readonly config: Pick<RecordsConfig, 'file' | 'window'>
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly metrics?: Metrics
  readonly tuning?: Partial<RecordsTuning>
}

export interface RecordsService {
  readonly counts: Readonly<RecordsCounts>
  /** `/records?limit=N`: the last N lines as NDJSON. */
  readonly routes: Readonly<Record<string, HttpRoute>>
  /** Whether the file took the last batch. */
  ready(): boolean
  /** Opens and recovers the file, then consumes. A file that can't be opened is tried again; start does not wait for it. */
  start(): Promise<void>
  /** Opens the file anew under its name (SIGHUP, logrotate). */
  reopen(): void
  stop(): Promise<void>
}
