// SPDX-License-Identifier: MIT
//
// Counts of the records service: plain integers, read at scrape.
import type { Metrics } from '@tandem/service-kit'

export interface RecordsCounts {
  received: number
  written: number
  /** Delivered again after they had been written. */
  duplicates: number
  batches: number
  writeFailures: number
  /** Torn last lines cut. */
  tornLines: number
  reopens: number
  /** Items beyond the window, left to be delivered again. */
  surplus: number
  /** Items without a record. */
  empty: number
}

const HELP: Readonly<Record<keyof RecordsCounts, string>> = {
  received: 'Feed items received, repeats included.',
  written: 'Lines written and synced.',
  duplicates: 'Feed items that were in the file already.',
  batches: 'Writes with one fsync each.',
  writeFailures: 'Attempts to open, write or sync the file that failed.',
  tornLines: 'Unfinished lines that were cut from the end of the file.',
  reopens: 'Times that the file was opened anew because it was moved or on SIGHUP.',
  surplus: 'Feed items beyond the window, left to be delivered again.',
  empty: 'Feed items that carried no record.',
}

export function createCounts(): RecordsCounts {
  return {
    received: 0,
    written: 0,
    duplicates: 0,
    batches: 0,
    writeFailures: 0,
    tornLines: 0,
    reopens: 0,
    surplus: 0,
    empty: 0,
  }
}

export function registerCounts(metrics: Metrics, counts: RecordsCounts): void {
  metrics.counters('tandem_records', counts, HELP)
}
