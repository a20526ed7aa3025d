// SPDX-License-Identifier: MIT
//
// Pages that are generated from code. `npm run generate` writes them; with `--check` it only says which have drifted.
// Runs from sources: node --conditions=@tandem/source.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { configurationPage } from '@tandem/service-kit/internal'
import { transactionTablesPage } from '@tandem/sip/internal'
import { ROOT } from './bootstrap.mjs'

const PAGES = { 'configuration.md': configurationPage, 'transaction-tables.md': transactionTablesPage }

const pathOf = (name) => join(ROOT, 'docs', name)
const hasDrifted = ([name, page]) => !existsSync(pathOf(name)) || readFileSync(pathOf(name), 'utf8') !== page()

const drifted = Object.entries(PAGES).filter(hasDrifted)
const isCheck = process.argv.includes('--check')
for (const [name, page] of drifted) {
  if (isCheck) console.error(`docs/${name} is not what the code says: run npm run generate`)
  else writeFileSync(pathOf(name), page())
}
process.exitCode = isCheck && drifted.length > 0 ? 1 : 0
