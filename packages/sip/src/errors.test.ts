// SPDX-License-Identifier: MIT
// The registry against itself and against docs/sip-errors.md, both ways.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FRAMING_ERROR, FRAMING_ERROR_NAMES, SCAN_ERROR, SCAN_ERRORS, SIP_BUG } from './errors.ts'

const page = readFileSync(join(import.meta.dirname, '../../../docs/sip-errors.md'), 'utf8')
const documented = [...page.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1])

describe('error registry', () => {
  it('has an entry at each code, named as the code is', () => {
    for (const [name, code] of Object.entries(SCAN_ERROR)) expect(SCAN_ERRORS[code]?.name).toBe(name.toLowerCase())
    for (const [name, code] of Object.entries(FRAMING_ERROR)) expect(FRAMING_ERROR_NAMES[code]).toBe(name.toLowerCase())
    expect(SCAN_ERRORS).toHaveLength(Object.keys(SCAN_ERROR).length)
  })

  it('is documented, and nothing else is', () => {
    const known = [
      ...SCAN_ERRORS.slice(1).map((info) => info.name),
      ...FRAMING_ERROR_NAMES.slice(1),
      ...Object.values(SIP_BUG),
    ]
    expect(documented.sort()).toEqual(known.sort())
  })

  it('is documented with the status that is sent', () => {
    for (const { name, status } of SCAN_ERRORS.slice(1)) {
      expect(page).toMatch(new RegExp(`^\\| \`${name}\` \\| ${status === 0 ? 'dropped' : status} \\|`, 'm'))
    }
  })
})
