// SPDX-License-Identifier: MIT
// The door for siblings' tests and for programs that write documents.
export { FRAMING_ERROR_MEANINGS, FRAMING_ERROR_NAMES, SCAN_ERRORS, SIP_BUG_MEANINGS } from './errors.ts'
export { transactionTablesPage } from './transaction/tables-page.ts'
