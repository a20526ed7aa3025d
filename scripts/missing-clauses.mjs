// SPDX-License-Identifier: MIT
//
// A help for people, not a check: counts the sentences with MUST, SHOULD, REQUIRED, SHALL or RECOMMENDED in the texts of
// the RFCs that the register has, and shows the sections with fewer rows than that.
// `node scripts/missing-clauses.mjs --rfc <folder of rfcNNNN.txt> [--sentences] [--only 3261-16]`
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from './bootstrap.mjs'
import { readRegister } from './conformance/register.mjs'
import { sentencesBySection } from './conformance/rfc-text.mjs'

const { values } = parseArgs({
  options: { rfc: { type: 'string' }, sentences: { type: 'boolean' }, only: { type: 'string', default: '' } },
})
if (values.rfc === undefined) {
  console.error('needs --rfc and a folder with the texts: rfc3261.txt and so on')
  process.exit(64)
}

const isWanted = (rfc, section) => `${rfc}-${section}.`.startsWith(values.only === '' ? '' : `${values.only}.`)

for (const { rfc, sections } of readRegister(ROOT).rfcs.values()) {
  const file = join(values.rfc, `rfc${rfc}.txt`)
  if (!existsSync(file)) {
    console.log(`RFC ${rfc}: no text at ${file}`)
    continue
  }
  const chapters = new Set(sections.map(({ section }) => section.split('.')[0]))
  const rowCounts = new Map(sections.map(({ section, rows }) => [section, rows.length]))
  for (const [section, sentences] of sentencesBySection(readFileSync(file, 'utf8'))) {
    const rows = rowCounts.get(section) ?? 0
    if (!chapters.has(section.split('.')[0]) || !isWanted(rfc, section) || rows >= sentences.length) continue
    console.log(`RFC ${rfc} §${section}: ${sentences.length} sentences, ${rows} rows`)
    if (values.sentences) for (const sentence of sentences) console.log(`    ${sentence}`)
  }
}
