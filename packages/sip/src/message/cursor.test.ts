// SPDX-License-Identifier: MIT
// Comma-separated values over repeated headers.
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { eachHeaderValue, hasToken, ValueCursor } from './cursor.ts'
import { HEADER } from './header-ids.ts'
import { SipMessage } from './message.ts'
import { scan } from './scan.ts'

function withHeaders(lines: string[]): SipMessage {
  const text = [
    'OPTIONS sip:a@b SIP/2.0',
    'Via: SIP/2.0/UDP h',
    'From: <sip:a@b>',
    'To: <sip:a@b>',
    'Call-ID: c',
    'CSeq: 1 OPTIONS',
    ...lines,
  ]
  const buf = Buffer.from(`${text.join('\r\n')}\r\n\r\n`, 'latin1')
  const msg = new SipMessage()
  expect(scan(msg, buf, 0, buf.length)).toBe(0)
  return msg
}

function values(cursor: ValueCursor, msg: SipMessage): string[] {
  const found: string[] = []
  while (cursor.next()) found.push(msg.text(cursor.start, cursor.end))
  return found
}

describe('ValueCursor [RFC3261-7.3.1]', () => {
  const rows: { name: string; lines: string[]; expected: string[] }[] = [
    { name: 'absent', lines: [], expected: [] },
    { name: 'one', lines: ['Route: <sip:a;lr>'], expected: ['<sip:a;lr>'] },
    {
      name: 'joined and repeated',
      lines: ['Route: <sip:a> , <sip:b>', 'X: y', 'route:<sip:c>'],
      expected: ['<sip:a>', '<sip:b>', '<sip:c>'],
    },
    {
      name: 'commas in quotes and brackets',
      lines: ['Route: "a, \\", b" <sip:a,b@c;x=,>,<sip:d>'],
      expected: ['"a, \\", b" <sip:a,b@c;x=,>', '<sip:d>'],
    },
    {
      name: 'folded',
      lines: ['Route: <sip:a>,\r\n <sip:b>\r\n\t, <sip:c>'],
      expected: ['<sip:a>', '<sip:b>', '<sip:c>'],
    },
    { name: 'empty header', lines: ['Route:', 'Route: <sip:a>'], expected: ['<sip:a>'] },
    { name: 'empty elements are seen', lines: ['Route: <sip:a>,,<sip:b>,'], expected: ['<sip:a>', '', '<sip:b>', ''] },
    { name: 'open quote', lines: ['Route: "a, <sip:b>, <sip:c>'], expected: ['"a, <sip:b>, <sip:c>'] },
    { name: 'open bracket', lines: ['Route: <sip:a, <sip:c'], expected: ['<sip:a, <sip:c'] },
  ]
  it.each(rows)('$name', ({ lines, expected }) => {
    const msg = withHeaders(lines)
    expect(values(eachHeaderValue(msg, HEADER.ROUTE), msg)).toEqual(expected)
  })

  it('stays ended, and walks one header only when told so', () => {
    const msg = withHeaders(['Route: <sip:a>, <sip:b>', 'Route: <sip:c>'])
    const cursor = new ValueCursor()
    expect(values(cursor.resetToHeader(msg, 5), msg)).toEqual(['<sip:a>', '<sip:b>'])
    expect(cursor.next()).toBe(false)
    expect(values(cursor.resetToHeader(msg, 6), msg)).toEqual(['<sip:c>'])
    expect(new ValueCursor().next()).toBe(false)
  })

  it('finds option tags in any case', () => {
    const msg = withHeaders(['k: 100rel, Path', 'Supported: outbound'])
    expect(['path', 'OUTBOUND', '100rel', 'timer'].map((tag) => hasToken(msg, HEADER.SUPPORTED, tag))).toEqual([
      true,
      true,
      true,
      false,
    ])
  })
})
