// SPDX-License-Identifier: MIT
//
// What can go wrong in the records service, by stable code. docs/records.md lists the same codes; a test compares them.

export interface RecordsError {
  readonly meaning: string
  readonly logLevel: 'info' | 'warn' | 'error'
}

export const RECORDS_ERRORS = {
  write_failed: {
    meaning: 'a sink could not be written; the batch is tried again',
    logLevel: 'error',
  },
  sink_lags: {
    meaning: 'a sink is behind; its records go to disk until it has caught up',
    logLevel: 'warn',
  },
  spool_failed: {
    meaning: 'spool or dead letters could not be written; records stay unacknowledged until they can',
    logLevel: 'error',
  },
  dead_letter: {
    meaning: 'records went to the dead-letter file: the sink will not have them unless they are handed in again',
    logLevel: 'error',
  },
  not_alone: {
    meaning: 'another process writes the same files; this one waits until they are free',
    logLevel: 'error',
  },
  queue_full: {
    meaning: 'a feed sent more than its window; the surplus is left to be delivered again',
    logLevel: 'warn',
  },
  ledger_refused: {
    meaning: 'a part of a ledger can not be stored by PostgreSQL; it stays in the store, and comes again',
    logLevel: 'error',
  },
  empty_item: { meaning: 'a feed item carried no record; it is acknowledged and counted', logLevel: 'error' },
} as const satisfies Record<string, RecordsError>

export type RecordsErrorCode = keyof typeof RECORDS_ERRORS
