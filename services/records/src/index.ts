// SPDX-License-Identifier: MIT
//
// @tandem/records: finished call records into their sinks, each once (docs/records.md).
export { createCallLines } from './call-lines.ts'
export type { SinkCounts } from './delivery/sink-counts.ts'
export { csvLine } from './encode-csv.ts'
export { RECORDS_ERRORS, type RecordsError, type RecordsErrorCode } from './errors.ts'
export { type FraudWebhookParts, fraudWebhookFrom } from './fraud/create-fraud-webhook.ts'
export { type FraudEventLine, toFraudLine } from './fraud/event-body.ts'
export type { FraudWebhook, FraudWebhookCounts } from './fraud/fraud-webhook.ts'
export { type LedgerCopyParts, ledgerCopyFrom } from './ledger/create-ledger-copy.ts'
export type { LedgerCopy, LedgerCopyCounts } from './ledger/ledger-copy.ts'
export { type CopiedEntry, type CopiedLedger, LedgerCopyReader, readLedgerCopy } from './ledger/read-copy.ts'
export { RECORDS_TUNING, type RecordsService, type RecordsServiceOptions, type RecordsTuning } from './options.ts'
export {
  type FieldKind,
  type FieldValue,
  RECORD_FIELDS,
  type RecordField,
  type RecordFieldName,
  type RecordLine,
} from './record-fields.ts'
export { createRecordsService } from './service.ts'
