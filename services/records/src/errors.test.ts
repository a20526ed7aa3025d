// SPDX-License-Identifier: MIT
//
// The registry and its page hold the same rows, both ways; so do the table of fields and its page.
import { readFileSync } from 'node:fs'
import { records } from '@tandem/rpc'
import { expect, it } from 'vitest'
import { toLine } from './encode-line.ts'
import { RECORDS_ERRORS } from './errors.ts'

const SINKS_PAGE = readFileSync(new URL('../../../docs/sinks.md', import.meta.url), 'utf8')
const PAGE = readFileSync(new URL('../../../docs/records.md', import.meta.url), 'utf8')

function rowsOf(page: string): string[] {
  return page.split('\n').filter((line) => /^\| `[a-z]+(_[a-z]+)+` \| /.test(line))
}

it('docs/sinks.md lists every error and no other', () => {
  const errors = SINKS_PAGE.slice(SINKS_PAGE.indexOf('## Errors'))
  const rows = Object.entries(RECORDS_ERRORS).map(([code, { meaning }]) => `| \`${code}\` | ${meaning} |`)
  expect(rowsOf(errors).sort()).toEqual(rows.sort())
})

it('docs/records.md names every field of a line', () => {
  const line = toLine('1/1-0', records.CallRecord.fromPartial({}))
  for (const field of Object.keys(line)) expect(PAGE).toContain(`\`${field}\``)
})
