// SPDX-License-Identifier: MIT
//
// CONFORMANCE.md: a summary per RFC, then each section's clauses with the code and the tests that name them. Files are
// linked without line numbers, which would drift with every edit.
import { ROOT } from '../bootstrap.mjs'
import { join } from './join.mjs'
import { readRefs } from './refs.mjs'
import { readRegister } from './register.mjs'

const HEAD = `# Conformance

What the RFCs ask of a proxy, registrar or redirect server: clause → code → test. Written by \`npm run generate\` from the
[register](test/conformance/clauses) of clauses and from the ids that code and test titles name; CI fails when a clause has
no test. [How it is kept](CONTRIBUTING.md#conformance).

An id is an RFC, a section, the number of a step where the section has numbered steps, and a letter where one step asks for
several things. Every clause is done and tested, or *not applicable* with its reason. A *deviation* is on purpose; the code
says why.
`

const escaped = (text) => text.replace(/[\\`*_[\]<>|]/g, (sign) => `\\${sign}`)
const nameOf = (file) => file.slice(file.lastIndexOf('/') + 1)
const unique = (lines) => [...new Set(lines)]

const codeCell = (refs) =>
  unique(
    refs.map((ref) => `[${nameOf(ref.file)}](${ref.file})${ref.deviation === undefined ? '' : ' (deviation)'}`),
  ).join('<br>')

/** One line a file: its titles follow the link. */
function testCell(refs) {
  const files = Map.groupBy(refs, ({ file }) => file)
  const line = ([file, found]) => {
    const titles = unique(found.map(({ title }) => escaped(title))).filter((title) => title !== '')
    return `[${nameOf(file)}](${file})${titles.length > 0 ? `: ${titles.join('; ')}` : ''}`
  }
  return [...files].map(line).join('<br>')
}

function rowLine({ id, level, role, text, status, reason, code, tests }) {
  const proof =
    status === 'notApplicable' ? `*not applicable*: ${escaped(reason ?? '')}` : testCell(tests) || '**none**'
  return `| ${id} | ${level} | ${role} | ${escaped(text)} | ${codeCell(code)} | ${proof} |`
}

const sectionLines = ({ section, title, rows }) => [
  `### §${section} ${title}`,
  '',
  '| clause | level | role | what | code | tests |',
  '|---|---|---|---|---|---|',
  ...rows.map(rowLine),
  '',
]

function summaryLine({ rfc, title, sections }) {
  const rows = sections.flatMap((section) => section.rows)
  const applicable = rows.filter(({ status }) => status === 'done')
  const tested = applicable.filter(({ tests }) => tests.length > 0).length
  const deviating = applicable.filter(isDeviation).length
  const numbers = [rows.length, tested, deviating, rows.length - applicable.length, applicable.length - tested]
  return `| [RFC ${rfc}](#rfc-${rfc}) | ${title} | ${numbers.join(' | ')} |`
}

const isDeviation = ({ code }) => code.some(({ deviation }) => deviation !== undefined)

/** What is done in another way than the RFC says, in one place. */
function deviationLines(rfcs) {
  const rows = rfcs.flatMap(({ sections }) => sections.flatMap((section) => section.rows)).filter(isDeviation)
  if (rows.length === 0) return []
  const why = (ref) => `[${nameOf(ref.file)}](${ref.file}): ${escaped(ref.deviation)}`
  const line = ({ id, level, text, code }) =>
    `| ${id} | ${level} | ${escaped(text)} | ${code
      .filter((ref) => ref.deviation !== undefined)
      .map(why)
      .join('<br>')} |`
  return ['## Deviations', '', '| clause | level | what | why |', '|---|---|---|---|', ...rows.map(line), '']
}

function otherLines(other) {
  const byId = Map.groupBy(other, ({ id }) => id)
  const line = ([id, refs]) => `| ${id} | ${unique(refs.map(({ file }) => `[${nameOf(file)}](${file})`)).join(', ')} |`
  return ['## Clauses named outside the register', '', '| clause | where |', '|---|---|', ...[...byId].map(line), '']
}

export function renderPage({ rfcs, other }) {
  const lines = [
    '| RFC | title | clauses | tested | of them deviating | not applicable | without a test |',
    '|---|---|---|---|---|---|---|',
    ...rfcs.map(summaryLine),
    '',
    ...deviationLines(rfcs),
    ...rfcs.flatMap(({ rfc, sections }) => [
      `## RFC ${rfc}`,
      '',
      ...sections.filter(({ rows }) => rows.length > 0).flatMap(sectionLines),
    ]),
    ...(other.length > 0 ? otherLines(other) : []),
  ]
  return `${HEAD}\n${lines.join('\n')}`
}

/** Register and references of a checkout, joined. */
export const conformance = (root = ROOT) => join(readRegister(root), readRefs(root))
