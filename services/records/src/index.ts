// SPDX-License-Identifier: MIT
//
// @tandem/records: finished call records into their sinks, each once (docs/records.md).
export type { RecordsCounts } from './counts.ts'
export type { RecordLine } from './encode-line.ts'
export { RECORDS_ERRORS, type RecordsError, type RecordsErrorCode } from './errors.ts'
export { RECORDS_TUNING, type RecordsService, type RecordsServiceOptions, type RecordsTuning } from './options.ts'
export { createRecordsService } from './service.ts'
