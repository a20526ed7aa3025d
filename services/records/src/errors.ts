// SPDX-License-Identifier: MIT
//
// What can go wrong in the records service, by stable code. docs/records.md lists the same codes; a test compares them.

export interface RecordsError {
  readonly meaning: string
  /** What to do. */
  readonly todo: string
  readonly logLevel: 'info' | 'warn' | 'error'
}

export const RECORDS_ERRORS = {
  write_failed: {
    meaning: 'a sink could not be written; the batch is tried again',
    logLevel: 'error',
    todo: 'See the log line: disk, rights, PostgreSQL or the webhook. It is tried again.',
  },
  sink_lags: {
    meaning: 'a sink is behind; its records go to disk until it has caught up',
    logLevel: 'warn',
    todo: 'See what the sink waits for; it catches up by itself.',
  },
  spool_failed: {
    meaning: 'spool or dead letters could not be written; records stay unacknowledged until they can',
    logLevel: 'error',
    todo: 'Make room on the disk, or mend the rights of `records.spool`.',
  },
  dead_letter: {
    meaning: 'records went to the dead-letter file: the sink will not have them unless they are handed in again',
    logLevel: 'error',
    todo: 'Mend the cause, then hand in the dead-letter file again.',
  },
  not_alone: {
    meaning: 'another process writes the same files; this one waits until they are free',
    logLevel: 'error',
    todo: 'Give each process files of its own.',
  },
  queue_full: {
    meaning: 'a feed sent more than its window; the surplus is left to be delivered again',
    logLevel: 'warn',
    todo: 'Nothing: it comes again.',
  },
  ledger_refused: {
    meaning: 'a part of a ledger can not be stored by PostgreSQL; it stays in the store, and comes again',
    logLevel: 'error',
    todo: 'Look at the log of PostgreSQL; the ledger of the store is kept.',
  },
  empty_item: {
    meaning: 'a feed item carried no record; it is acknowledged and counted',
    logLevel: 'error',
    todo: 'Report it: a bug, or policy of another version.',
  },
} as const satisfies Record<string, RecordsError>

export type RecordsErrorCode = keyof typeof RECORDS_ERRORS
