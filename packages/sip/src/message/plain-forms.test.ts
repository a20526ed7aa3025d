// SPDX-License-Identifier: MIT
// The short ways of scan() against the long ones: what plain-fields.ts and plain-start-line.ts take means the same to scan-fields.ts and
// scan-start-line.ts, and what they don't take leaves the message as it was. Over usual values and hundreds of mutations of each.
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { SCAN_ERROR } from '../errors.ts'
import { HEADER } from './header-ids.ts'
import { SipMessage } from './message.ts'
import { takePlainField } from './plain-fields.ts'
import { plainStartLine } from './plain-start-line.ts'
import { takeField } from './scan-fields.ts'
import { scanStartLine } from './scan-start-line.ts'
import { resetMessage } from './scan-state.ts'
import { SCRATCH } from './scratch.ts'

const VALUES: readonly { readonly id: number; readonly values: readonly string[] }[] = [
  {
    id: HEADER.VIA,
    values: [
      'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1-0',
      'SIP/2.0/TCP host.example.com;rport;branch=z9hG4bKabc;te=1x;alias',
      'SIP/2.0/TLS a-b.c:5061;BRANCH=z9hG4bK;RPort;keep;x=',
      'SIP/2.0/UDP h;received=1.2.3.4;rport=5;branch=z;maddr=1.1.1.1',
      'SIP / 2.0 / UDP [2001:db8::1]:5060 ; branch = "q"',
      'SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2',
      'SIP/2.0/SCTP a;branch=1;branch=2',
    ],
  },
  {
    id: HEADER.FROM,
    values: [
      '"Alice" <sip:alice@127.0.0.1>;tag=12SIPpTag001',
      'sipp <sip:bob@example.com:5060;transport=udp>;a=b;tag=x;c',
      '<sips:bob@example.com>',
      'sip:bob@example.com;tag=9',
      '"a \\" b" <tel:+1-201>;Tag=q;tag=r',
      '"A B"<sip:x@y>;tag="q"',
    ],
  },
  {
    id: HEADER.TO,
    values: ['<sip:bob@example.com>;tag=b', '"b" <sip:b@c>', 'Bob <sip:b@c>;tag=', '<mailto:x>;tag=1;;'],
  },
  { id: HEADER.CALL_ID, values: ['1-1234@127.0.0.1', 'a b', 'x'] },
  { id: HEADER.CSEQ, values: ['1 INVITE', '2147483647 BYE', '2147483648 BYE', '7  ACK', '00012 X-y', '9'] },
  { id: HEADER.MAX_FORWARDS, values: ['70', '0', '255', '256', '7 0', ''] },
  { id: HEADER.CONTENT_LENGTH, values: ['0', '142', '4294967296', '-1', '1 2', ''] },
]

const START_LINES = [
  'INVITE sip:bob@127.0.0.1:5060 SIP/2.0',
  'BYE sip:127.0.0.1:5070;transport=UDP SIP/2.0',
  'ACK sip:AbC-_x@h;lr SIP/2.0',
  'OPTIONS sips:bob:pw@host?subject=x SIP/2.0',
  'MESSAGE tel:+1201 SIP/2.0',
  'INVITE sip:b@[2001:db8::1]:5060;x SIP/2.0',
  'INFO  sip:b@c sip/2.0',
  'SIP/2.0 200 OK',
  'SIP/2.0 486 Busy Here',
  'SIP/2.0 100 ',
  'SIP/2.0 700 x',
  'sip/2.0 180 Ringing',
]

/** The value itself, then with one byte replaced, dropped or put in: at every place, by what the grammars care about. */
function* mutations(text: string): Generator<string> {
  yield text
  for (let at = 0; at <= text.length; at += 1) {
    yield text.slice(0, at) + text.slice(at + 1)
    yield text.slice(0, at)
    for (const c of ' \t";:,<>@?=\\[]/%a0\x00\x7f\xe9\r\n') {
      yield text.slice(0, at) + c + text.slice(at)
      yield text.slice(0, at) + c + text.slice(at + 1)
    }
  }
}

/** Bytes of an older message lie behind the four zeros, as in scan(). */
function load(text: string): Buffer {
  const buf = Buffer.from(`//${text}`, 'latin1')
  SCRATCH.fill(0x41, 0, 512)
  SCRATCH.set(buf.subarray(2))
  SCRATCH.fill(0, text.length, text.length + 4)
  return buf
}

const OFFSET = 2

/** All that was found, the header table aside, as text: it is compared some ten thousand times. */
function fieldsOf(msg: SipMessage): string {
  return JSON.stringify({ ...msg, headers: 0, buf: 0 })
}

const [SHORT, LONG, UNTOUCHED] = [new SipMessage(), new SipMessage(), new SipMessage()]

function fresh(buf: Buffer, isRequest: boolean, msg = SHORT): SipMessage {
  resetMessage(msg, buf, OFFSET, buf.length)
  msg.isRequest = isRequest
  return msg
}

describe('the short ways of scan()', () => {
  it.each(VALUES)('header $id: the same as the long way, or nothing', ({ id, values }) => {
    let taken = 0
    for (const value of values.flatMap((one) => [...mutations(one)])) {
      const buf = load(`${value}\r\nX: y\r\n`)
      if (value !== value.trim()) continue // scan() has cut blanks off
      const [short, long, untouched] = [fresh(buf, true), fresh(buf, true, LONG), fresh(buf, true, UNTOUCHED)]
      const isTaken = takePlainField(short, id, 3, OFFSET, 0, value.length)
      if (isTaken) takeField(long, buf, id, 3, OFFSET, OFFSET + value.length)
      expect(fieldsOf(short), JSON.stringify(value)).toBe(fieldsOf(isTaken ? long : untouched))
      if (isTaken) expect(long.error, JSON.stringify(value)).toBe(SCAN_ERROR.NONE)
      taken += isTaken ? 1 : 0
    }
    expect(taken).toBeGreaterThan(2)
  })

  it('a start line: the same as the long way, or nothing', () => {
    let taken = 0
    for (const line of START_LINES.flatMap((one) => [...mutations(one)])) {
      for (const text of [`${line}\r\nVia: x\r\n`, line]) {
        const buf = load(text)
        const [short, long, untouched] = [fresh(buf, false), fresh(buf, false, LONG), fresh(buf, false, UNTOUCHED)]
        const end = plainStartLine(short, OFFSET)
        if (end >= 0) expect(scanStartLine(long, buf, OFFSET, buf.length), JSON.stringify(text)).toBe(OFFSET + end)
        expect(fieldsOf(short), JSON.stringify(text)).toBe(fieldsOf(end >= 0 ? long : untouched))
        if (end >= 0) expect(long.error, JSON.stringify(text)).toBe(SCAN_ERROR.NONE)
        taken += end >= 0 ? 1 : 0
      }
    }
    expect(taken).toBeGreaterThan(500)
  })

  it('takes what phones send: no field of a plain call goes the long way', () => {
    for (const { id, values } of VALUES) {
      const value = values[0] as string
      expect(takePlainField(fresh(load(`${value}\r\n`), true), id, 0, OFFSET, 0, value.length), value).toBe(true)
    }
    for (const line of START_LINES.slice(0, 3)) {
      expect(plainStartLine(fresh(load(`${line}\r\n`), false), OFFSET), line).toBe(line.length + 2)
    }
  })
})
