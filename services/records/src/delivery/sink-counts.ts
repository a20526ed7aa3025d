// SPDX-License-Identifier: MIT
//
// Counts of one sink: plain integers, read at scrape, with the sink's name as their label.
import { type Metrics, snakeCase } from '@tandem/service-kit'

export interface SinkCounts {
  received: number
  written: number
  /** Delivered again after they had been written. */
  duplicates: number
  batches: number
  writeFailures: number
  /** Torn last lines cut. */
  tornLines: number
  reopens: number
  rotations: number
  /** Items beyond the window, left to be delivered again. */
  surplus: number
  /** Items without a record. */
  empty: number
  /** Times that spooling began. */
  spoolings: number
  spooled: number
  spoolFailures: number
  deadLetters: number
}

const HELP: Readonly<Record<keyof SinkCounts, string>> = {
  received: 'Feed items received, repeats included.',
  written: 'Records that the sink has taken.',
  duplicates: 'Records that came again and were in the sink already.',
  batches: 'Writes to the sink.',
  writeFailures: 'Writes to the sink that failed and were tried again.',
  tornLines: 'Unfinished lines that were cut from the end of the file.',
  reopens: 'Times that the file was opened anew because it was moved or on SIGHUP.',
  rotations: 'Times that a new file was begun for size or time.',
  surplus: 'Feed items beyond the window, left to be delivered again.',
  empty: 'Feed items that carried no record.',
  spoolings: 'Times that the sink fell behind and spooling began.',
  spooled: 'Records that went to the spool on disk.',
  spoolFailures: 'Failed writes or reads of the spool or of the dead letters.',
  deadLetters: 'Records that went to the dead-letter file.',
}

export function createSinkCounts(): SinkCounts {
  const counts = {} as Record<keyof SinkCounts, number>
  for (const key of Object.keys(HELP) as (keyof SinkCounts)[]) counts[key] = 0
  return counts
}

/** What is asked of a sink at scrape. */
export interface Measured {
  readonly name: string
  readonly counts: SinkCounts
  readonly lagMs: number
  readonly queuedCount: number
  readonly spooledBytes: number
  readonly isFailing: boolean
}

/** `tandem_records_…` with the label `sink`. What waits in the cluster for a sink is policy's to tell: tandem_policy_records_waiting. */
export function registerSinks(metrics: Metrics, sinks: readonly Measured[]): void {
  for (const key of Object.keys(HELP) as (keyof SinkCounts)[]) {
    const name = `tandem_records_${snakeCase(key)}_total`
    metrics.labelledCounter(name, HELP[key], 'sink', () => sinks.map((sink) => [sink.name, sink.counts[key]]))
  }
  const gauge = (name: string, help: string, read: (sink: Measured) => number) =>
    metrics.labelledGauge(`tandem_records_${name}`, help, 'sink', () => sinks.map((sink) => [sink.name, read(sink)]))
  gauge('queued_records', 'Records waiting in memory to be written.', (sink) => sink.queuedCount)
  gauge('lag_seconds', 'Age of the oldest record that waits for the sink.', (sink) => sink.lagMs / 1_000)
  gauge('spooled_bytes', 'Bytes on disk that wait for the sink.', (sink) => sink.spooledBytes)
  gauge('failing', '1 while the last write to the sink failed.', (sink) => (sink.isFailing ? 1 : 0))
}
