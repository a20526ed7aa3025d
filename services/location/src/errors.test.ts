// SPDX-License-Identifier: MIT
//
// The registry and its page hold the same rows, both ways.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { LOCATION_ERRORS } from './errors.ts'

const PAGE = readFileSync(new URL('../../../docs/location.md', import.meta.url), 'utf8')

function rowsOf(page: string): string[] {
  return page.split('\n').filter((line) => /^\| `[a-z]+(_[a-z]+)+` \| /.test(line))
}

it('docs/location.md lists every refusal and no other', () => {
  const rows = Object.entries(LOCATION_ERRORS).map(
    ([code, { sipStatus, meaning }]) => `| \`${code}\` | ${sipStatus} | ${meaning} |`,
  )
  expect(rowsOf(PAGE).sort()).toEqual(rows.sort())
})
