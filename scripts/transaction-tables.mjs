// SPDX-License-Identifier: MIT
//
// Writes docs/transaction-tables.md from the tables of the transaction layer.
// Run: node --conditions=@tandem/source scripts/transaction-tables.mjs
import { writeFileSync } from 'node:fs'
import { transactionTablesPage } from '@tandem/sip/internal'

writeFileSync(new URL('../docs/transaction-tables.md', import.meta.url), transactionTablesPage())
