// SPDX-License-Identifier: MIT
// The door for siblings' tests and for programs that write documents.
export { transactionTablesPage } from './transaction/tables-page.ts'
