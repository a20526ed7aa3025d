// SPDX-License-Identifier: MIT
// The registry against itself; docs/reference/errors.md is generated from it.
import { describe, expect, it } from 'vitest'
import {
  FRAMING_ERROR,
  FRAMING_ERROR_MEANINGS,
  FRAMING_ERROR_NAMES,
  SCAN_ERROR,
  SCAN_ERRORS,
  SIP_BUG,
  SIP_BUG_MEANINGS,
} from './errors.ts'

describe('error registry', () => {
  it('has an entry at each code, named as the code is', () => {
    for (const [name, code] of Object.entries(SCAN_ERROR)) expect(SCAN_ERRORS[code]?.name).toBe(name.toLowerCase())
    for (const [name, code] of Object.entries(FRAMING_ERROR)) expect(FRAMING_ERROR_NAMES[code]).toBe(name.toLowerCase())
    expect(SCAN_ERRORS).toHaveLength(Object.keys(SCAN_ERROR).length)
  })

  it('says what each means, once', () => {
    expect(FRAMING_ERROR_MEANINGS).toHaveLength(FRAMING_ERROR_NAMES.length)
    expect(Object.keys(SIP_BUG_MEANINGS)).toEqual(Object.values(SIP_BUG))
    const all = [...SCAN_ERRORS.map(({ meaning }) => meaning), ...Object.values(SIP_BUG_MEANINGS)]
    expect(new Set(all).size).toBe(all.length)
    expect(all.filter((meaning) => !meaning.endsWith('.'))).toEqual([])
  })

  it('answers with a 4xx or 5xx that has a reason, or not at all', () => {
    for (const { status, reason } of SCAN_ERRORS) expect(status === 0).toBe(reason === '')
    expect(SCAN_ERRORS.filter(({ status }) => status !== 0 && (status < 400 || status > 599))).toEqual([])
  })
})
