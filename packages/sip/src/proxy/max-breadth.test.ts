// SPDX-License-Identifier: MIT
// Max-Breadth of a request: what it brings, whatever stands there, and the single one of its copy.
// Does not test: how it is divided among branches (services/edge).
import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { Edits } from '../message/index.ts'
import { editForwardedRequest } from './forward-request.ts'
import { readMaxBreadth } from './max-breadth.ts'
import { messageOf, requestText } from './testing.ts'

const copyOf = (headers: string[], maxBreadth: number): string[] => {
  const edits = new Edits()
  const out = Buffer.alloc(4_096)
  editForwardedRequest(messageOf(requestText({ headers })), edits, {
    uri: '',
    via: 'Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKx\r\n',
    recordRoute: '',
    route: '',
    added: '',
    popRoutes: 0,
    strict: false,
    maxBreadth,
    sourceAddress: '192.0.2.1',
    sourcePort: 5060,
    stream: false,
  })
  const lines = out.latin1Slice(0, edits.encodeInto(out, 0)).split('\r\n')
  return lines.filter((line) => /^max-breadth/i.test(line))
}

describe('what a request brings', () => {
  test.each([
    { headers: [], expected: 60 },
    { headers: ['Max-Breadth: 5'], expected: 5 },
    { headers: ['max-breadth:  007 '], expected: 7 },
    { headers: ['Max-Breadth: 61'], expected: 60 },
    { headers: ['Max-Breadth: 99999999999999999999'], expected: 60 },
    { headers: ['Max-Breadth: 0'], expected: 0 },
    { headers: ['Max-Breadth: -1'], expected: 60 },
    { headers: ['Max-Breadth: 5;x=y'], expected: 60 },
    { headers: ['Max-Breadth: five'], expected: 60 },
    { headers: ['Max-Breadth:'], expected: 60 },
    { headers: ['Max-Breadth: 5, 6'], expected: 60 },
    { headers: ['Max-Breadth: 5', 'Max-Breadth: 1'], expected: 60 },
  ])('$headers: $expected [RFC5393-5.3.3cde]', ({ headers, expected }) => {
    expect(readMaxBreadth(messageOf(requestText({ headers })))).toBe(expected)
  })
})

describe('what its copy has', () => {
  test.each([
    { headers: [], value: 60, expected: ['Max-Breadth: 60'] },
    { headers: [], value: 3, expected: ['Max-Breadth: 3'] },
    { headers: ['max-breadth:  30 '], value: 30, expected: ['max-breadth:  30 '] },
    { headers: ['Max-Breadth: 61'], value: 60, expected: ['Max-Breadth: 60'] },
    { headers: ['Max-Breadth: junk'], value: 60, expected: ['Max-Breadth: 60'] },
    { headers: ['Max-Breadth: 5', 'X: y', 'Max-Breadth: 6', 'Max-Breadth: 7'], value: 2, expected: ['Max-Breadth: 2'] },
    { headers: ['Max-Breadth: 5'], value: 0, expected: ['Max-Breadth: 5'] },
  ])('$headers with $value → $expected [RFC5393-5.3.3aeg]', ({ headers, value, expected }) => {
    expect(copyOf(headers, value)).toEqual(expected)
  })
})
