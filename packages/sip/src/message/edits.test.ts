// SPDX-License-Identifier: MIT
// Splices: order, bounds, and that nothing else changes.
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { SIP_BUG } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { Edits } from './edits.ts'

const source = Buffer.from('..0123456789..', 'latin1')

function encoded(make: (edits: Edits) => void): string {
  const edits = new Edits()
  edits.resetRange(source, 2, 12)
  make(edits)
  const out = Buffer.alloc(200)
  const end = edits.encodeInto(out, 3)
  expect(end - 3).toBe(edits.size())
  return out.latin1Slice(3, end)
}

describe('Edits', () => {
  const long = 'L'.repeat(40)
  const rows: { name: string; make: (edits: Edits) => void; expected: string }[] = [
    { name: 'none', make: () => {}, expected: '0123456789' },
    {
      name: 'insert at both ends',
      make: (e) => {
        e.insert(2, '<')
        e.insert(12, '>')
      },
      expected: '<0123456789>',
    },
    {
      name: 'out of order',
      make: (e) => {
        e.replace(9, 11, 'B')
        e.replace(3, 5, 'A')
      },
      expected: '0A3456B9',
    },
    {
      name: 'inserts at one place keep their order',
      make: (e) => {
        e.insert(4, 'a')
        e.insert(4, 'b')
      },
      expected: '01ab23456789',
    },
    {
      name: 'insert before a replacement at its start',
      make: (e) => {
        e.replace(4, 6, 'R')
        e.insert(4, 'i')
      },
      expected: '01iR456789',
    },
    {
      name: 'adjacent',
      make: (e) => {
        e.remove(4, 6)
        e.replace(6, 8, 'X')
      },
      expected: '01X6789',
    },
    {
      name: 'bytes and a long text',
      make: (e) => {
        e.insert(4, Buffer.from('bytes'))
        e.insert(5, long)
      },
      expected: `01bytes2${long}3456789`,
    },
    { name: 'all removed', make: (e) => e.remove(2, 12), expected: '' },
  ]
  it.each(rows)('$name', ({ make, expected }) => {
    expect(encoded(make)).toBe(expected)
  })

  it.each([
    [
      'overlap',
      (e: Edits) => {
        e.replace(4, 8, 'a')
        e.remove(6, 9)
      },
      SIP_BUG.EDITS_OVERLAP,
    ],
    ['beyond the end', (e: Edits) => e.remove(10, 14), SIP_BUG.EDITS_OVERLAP],
    ['too large', (e: Edits) => e.insert(4, 'x'.repeat(500)), SIP_BUG.OUTPUT_FULL],
    [
      'too many',
      (e: Edits) => {
        for (let k = 0; k <= LIMITS.editCount; k++) e.insert(4, 'x')
      },
      SIP_BUG.TOO_MANY_EDITS,
    ],
  ])('refuses: %s', (_name, make, code) => {
    expect(() => encoded(make)).toThrowError(expect.objectContaining({ code }))
  })

  it('forgets its edits on reset', () => {
    const edits = new Edits()
    edits.resetRange(source, 2, 12)
    edits.insert(4, 'x')
    edits.resetRange(source, 2, 5)
    expect([edits.count, edits.size()]).toEqual([0, 3])
  })
})
