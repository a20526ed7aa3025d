// SPDX-License-Identifier: MIT
//
// What the records service is built from and what it gives.
import type { RecordFeed } from '@tandem/rpc'
import type { HttpRoute, KeyRing, Logger, Metrics, RecordsConfig } from '@tandem/service-kit'
import type { Attributes, Tracing } from '@tandem/telemetry'
import type { CallLines } from './call-lines.ts'
import type { SinkCounts } from './delivery/sink-counts.ts'

export interface RecordsTuning {
  /** Records of one write and one fsync of a file, at most. */
  readonly maxBatchLines: number
  /** Records whose keys are remembered exactly, by files, spools and dead letters each. */
  readonly recentLines: number
  /** Of a file of the spool. */
  readonly spoolSegmentBytes: number
  /** Between two looks whether a file that another process writes is free. */
  readonly acquireMs: number
  /** Of several sinks: how long after the first delivery nothing is acknowledged yet (delivery/ack-gate.ts). */
  readonly firstAckMs: number
  /** stop() first takes what the feeds still bring, until they have brought nothing for this long … */
  readonly quietMs: number
  /** … or this long has passed. */
  readonly lingerMs: number
  /** How long stop() then waits for what is queued to be written. */
  readonly stopMs: number
}

export const RECORDS_TUNING: RecordsTuning = {
  maxBatchLines: 512,
  recentLines: 65_536,
  spoolSegmentBytes: 16_777_216,
  acquireMs: 1_000,
  // More than the longest pause of the store's readers between two looks at all shards.
  firstAckMs: 3_000,
  // A few polls of the feed (policy's feedPollMs).
  quietMs: 150,
  lingerMs: 750,
  stopMs: 2_000,
}

export type RecordsServiceConfig = Pick<
  RecordsConfig,
  'file' | 'window' | 'node' | 'sinks' | 'retiredSinks' | 'spoolFolder' | 'deadLetterMaxBytes' | 'deadLetterFiles'
>

export interface RecordsServiceOptions {
  /** One per policy source. */
  readonly feeds: readonly RecordFeed[]
  readonly config: RecordsServiceConfig
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly metrics?: Metrics
  /** Absent: no line is written of calls. */
  readonly callLines?: CallLines | undefined
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing | undefined
  /** Of every span, such as the cluster. */
  readonly traceAttributes?: Attributes
  readonly tuning?: Partial<RecordsTuning>
}

export interface RecordsService {
  /** By the sinks' names. */
  readonly counts: Readonly<Record<string, Readonly<SinkCounts>>>
  /** `/records?since=…&account=…&limit=N`: finished records as NDJSON (docs/sinks.md). */
  readonly routes: Readonly<Record<string, HttpRoute>>
  /** Whether the records of every sink get somewhere: files into their files, the others at least into their spool. */
  ready(): boolean
  /** Opens what earlier processes left, then consumes. What can't be opened is tried again; start does not wait for it. */
  start(): Promise<void>
  /** Its first key names people in log lines. */
  useKeyRing(ring: KeyRing): void
  /** Opens files anew under their names (SIGHUP, logrotate). */
  reopen(): void
  stop(): Promise<void>
}
