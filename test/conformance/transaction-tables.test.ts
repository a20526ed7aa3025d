// SPDX-License-Identifier: MIT
// docs/transaction-tables.md says what the transaction layer runs: it is byte for byte what the tables give.
import { readFileSync } from 'node:fs'
import { transactionTablesPage } from '@tandem/sip/internal'
import { expect, test } from 'vitest'

test('the page of the transaction tables has not drifted (npm run generate writes it)', () => {
  const page = readFileSync(new URL('../../docs/transaction-tables.md', import.meta.url), 'utf8')
  expect(page).toBe(transactionTablesPage())
})
