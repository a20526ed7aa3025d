// SPDX-License-Identifier: MIT
//
// What can go wrong in the records service, by stable code. docs/records.md lists the same codes; a test compares them.

export interface RecordsError {
  readonly meaning: string
  readonly logLevel: 'info' | 'warn' | 'error'
}

export const RECORDS_ERRORS = {
  write_failed: {
    meaning: 'the file could not be opened, written or synced; the batch is tried again',
    logLevel: 'error',
  },
  queue_full: {
    meaning: 'a feed sent more than its window; the surplus is left to be delivered again',
    logLevel: 'warn',
  },
  empty_item: { meaning: 'a feed item carried no record; it is acknowledged and counted', logLevel: 'error' },
} as const satisfies Record<string, RecordsError>

export type RecordsErrorCode = keyof typeof RECORDS_ERRORS
