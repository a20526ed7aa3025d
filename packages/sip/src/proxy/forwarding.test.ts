// SPDX-License-Identifier: MIT
// The bytes of forwarded requests and responses: what changes, where it stands, and that nothing else changes.
// Does not test: how edits are applied (message/edits.test.ts).
import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { Edits } from '../message/index.ts'
import { editForwardedRequest, type ForwardEdits, needsReceived } from './forward-request.ts'
import { encodeForwardedResponse, hasNextVia } from './forward-response.ts'
import { messageOf, requestText, responseTo } from './testing.ts'

const VIA = 'Via: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK-ours\r\n'
const RECORD_ROUTE = 'Record-Route: <sip:token@198.51.100.1:5060;lr>\r\n'
const NOTHING: ForwardEdits = {
  uri: '',
  via: VIA,
  recordRoute: '',
  route: '',
  added: '',
  popRoutes: 0,
  strict: false,
  maxBreadth: 0,
  sourceAddress: '192.0.2.1',
  sourcePort: 6_000,
  stream: false,
}

const forwarded = (text: string, change: Partial<ForwardEdits> = {}): string => {
  const edits = new Edits()
  const out = Buffer.alloc(4_096)
  editForwardedRequest(messageOf(text), edits, { ...NOTHING, ...change })
  return out.latin1Slice(0, edits.encodeInto(out, 0))
}

const INVITE = requestText({
  headers: ['X-Odd:  kept \t', 'v: SIP/2.0/UDP 10.9.9.9;branch=z9hG4bK-0'],
  body: 'v=0\r\n',
})

interface Row {
  name: string
  cite: string
  text?: string
  change?: Partial<ForwardEdits>
  replace: [from: string, to: string][]
}

const TOP = 'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-up-1'
const START = 'INVITE sip:bob@example.test SIP/2.0\r\n'
const withVia = (via: string): string => requestText({ via, headers: ['Max-Forwards: 1'] })
const withRoutes = (...lines: string[]): string => requestText({ headers: ['Max-Forwards: 1', ...lines] })
const HOP: [string, string] = ['Max-Forwards: 1', 'Max-Forwards: 0']

const ROWS: Row[] = [
  {
    name: 'MUST add Max-Forwards 70 where there is none, and our Via above the others; all else stays',
    cite: 'RFC3261-16.6.3bc, RFC3261-16.6.1abcde, RFC3261-16.6.8a, RFC5393-4.2.1a, RFC3261-16.3.1c',
    text: INVITE,
    replace: [[START, `${START}Max-Forwards: 70\r\n${VIA}`]],
  },
  {
    name: 'MUST take one off Max-Forwards',
    cite: 'RFC3261-16.6.3a',
    text: requestText({ headers: ['Max-Forwards: 70'] }),
    replace: [
      [START, START + VIA],
      ['Max-Forwards: 70', 'Max-Forwards: 69'],
    ],
  },
  {
    name: 'MUST replace the Request-URI by the target',
    cite: 'RFC3261-16.6.2a',
    text: requestText({ headers: ['Max-Forwards: 1'] }),
    change: { uri: 'sip:bob@203.0.113.1' },
    replace: [[START, `INVITE sip:bob@203.0.113.1 SIP/2.0\r\n${VIA}`], HOP],
  },
  {
    name: 'MUST put our Record-Route before any other',
    cite: 'RFC3261-16.6.4a',
    text: withRoutes('Record-Route: <sip:p1;lr>'),
    change: { recordRoute: RECORD_ROUTE },
    replace: [[START, START + VIA + RECORD_ROUTE], HOP],
  },
  {
    name: 'MUST put our Record-Route before one that stands above the Via',
    cite: 'RFC3261-16.6.4a',
    text: requestText({ via: `Record-Route: <sip:p1;lr>\r\n${TOP}`, headers: ['Max-Forwards: 1'] }),
    change: { recordRoute: RECORD_ROUTE },
    replace: [[TOP, VIA + TOP], HOP, ['Record-Route: <sip:p1', `${RECORD_ROUTE}Record-Route: <sip:p1`]],
  },
  {
    name: 'MUST remove a Route line of which all values are ours',
    cite: 'RFC3261-16.4f',
    text: withRoutes('Route: <sip:a;lr>, <sip:b;lr>', 'Route: <sip:c;lr>'),
    change: { popRoutes: 2 },
    replace: [[START, START + VIA], HOP, ['Route: <sip:a;lr>, <sip:b;lr>\r\n', '']],
  },
  {
    name: 'MUST remove our values from a line that keeps others',
    cite: 'RFC3261-16.4f',
    text: withRoutes('Route: <sip:a;lr>, <sip:b;lr> , <sip:c;lr>'),
    change: { popRoutes: 2 },
    replace: [[START, START + VIA], HOP, ['<sip:a;lr>, <sip:b;lr> , ', '']],
  },
  {
    name: 'removes values across lines',
    cite: 'RFC3261-16.4f',
    text: withRoutes('Route: <sip:a;lr>', 'Route: <sip:b;lr>, <sip:c;lr>'),
    change: { popRoutes: 2 },
    replace: [[START, START + VIA], HOP, ['Route: <sip:a;lr>\r\nRoute: <sip:b;lr>, ', 'Route: ']],
  },
  {
    name: 'a Route of ours stands above those that stay',
    cite: 'RFC3261-16.6.6bc',
    text: withRoutes('Route: <sip:c;lr>'),
    change: { route: 'Route: <sip:t@e;lr>\r\n', added: 'P-Asserted-Identity: <sip:a@b>\r\n' },
    replace: [[START, `${START}Route: <sip:t@e;lr>\r\nP-Asserted-Identity: <sip:a@b>\r\n${VIA}`], HOP],
  },
  {
    name: 'MUST add received where the sent-by is another address',
    cite: 'RFC3261-18.2.1def',
    text: withVia('Via: SIP/2.0/UDP pc.example.test;branch=z9hG4bK-1'),
    replace: [[START, START + VIA], HOP, ['z9hG4bK-1', 'z9hG4bK-1;received=192.0.2.1']],
  },
  {
    name: 'MUST set received and rport where rport is asked for, though the address is the same',
    cite: 'RFC3581-4ab',
    text: withVia('Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK-1'),
    replace: [
      [START, START + VIA],
      HOP,
      [';rport;branch=z9hG4bK-1', ';rport=6000;branch=z9hG4bK-1;received=192.0.2.1'],
    ],
  },
  {
    name: 'rport as the last parameter',
    cite: 'RFC3581-4a',
    text: withVia('Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1;rport'),
    replace: [[START, START + VIA], HOP, [';rport', ';rport=6000;received=192.0.2.1']],
  },
  {
    name: 'never believes a received that the sender wrote itself',
    cite: 'RFC3261-18.2.1f',
    text: withVia('Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1;received=9.9.9.9;rport=9'),
    replace: [[START, START + VIA], HOP, [';received=9.9.9.9;rport=9', ';received=192.0.2.1;rport=6000']],
  },
  {
    name: 'stamps the first value of a joined Via line only',
    cite: 'RFC3261-18.2.1e',
    text: withVia('Via: SIP/2.0/UDP a.test;branch=z9hG4bK-1, SIP/2.0/UDP b.test;branch=z9hG4bK-2'),
    replace: [[START, START + VIA], HOP, ['z9hG4bK-1,', 'z9hG4bK-1;received=192.0.2.1,']],
  },
  {
    name: 'MUST have a Content-Length toward a stream',
    cite: 'RFC3261-18.3d, RFC3261-16.6.9',
    text: withRoutes().replace('Content-Length: 0\r\n', ''),
    change: { stream: true },
    replace: [[START, START + VIA], HOP, ['\r\n\r\n', '\r\nContent-Length: 0\r\n\r\n']],
  },
]

describe('a forwarded request', () => {
  test.each(ROWS)('$name [$cite]', ({ text = requestText(), change = {}, replace }) => {
    let expected = text
    for (const [from, to] of replace) {
      expect(expected).toContain(from)
      expected = expected.replace(from, to)
    }
    expect(forwarded(text, change)).toBe(expected)
  })

  test.each([
    ['192.0.2.1', 'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1', false],
    ['192.0.2.1', 'Via: SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK-1', true],
    ['192.0.2.1', 'Via: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK-1', true],
    ['192.0.2.11', 'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1', true],
    ['2001:db8::1', 'Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK-1', false],
    ['2001:db8::2', 'Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK-1', true],
  ])('from %s with %s: needs received %s [RFC3261-18.2.1de] [RFC3581-4b]', (address, via, expected) => {
    expect(needsReceived(messageOf(withVia(via)), address)).toBe(expected)
  })
})

describe('a forwarded response', () => {
  const response = (via: string): string => responseTo(requestText({ via }), 200)
  const second = 'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-2'
  const ours = 'SIP/2.0/UDP 198.51.100.1;branch=z9hG4bK-1'

  test.each([
    ['a line of its own', `Via: ${ours}\r\nVia: ${second}`, `Via: ${second}`],
    ['the first of a joined line', `Via: ${ours}, ${second}`, `Via: ${second}`],
    ['no blank behind the comma', `Via: ${ours},${second}`, `Via: ${second}`],
    ['the comma far off', `Via: ${ours}  ,  ${second}`, `Via: ${second}`],
  ])('MUST lose its topmost Via, and nothing else: %s [RFC3261-16.7.3] [RFC3261-16.7.9ab]', (_name, via, expected) => {
    const text = response(via)
    const out = Buffer.alloc(2_048, 0x21)
    const end = encodeForwardedResponse(messageOf(text), out, 7)
    expect(out.latin1Slice(7, end)).toBe(text.replace(via, expected))
  })

  test('MUST NOT go on without another Via [RFC3261-16.7.3]', () => {
    const msg = messageOf(response(`Via: ${ours}`))
    expect(hasNextVia(msg)).toBe(false)
    expect(encodeForwardedResponse(msg, Buffer.alloc(2_048), 0)).toBe(-1)
  })
})
