// SPDX-License-Identifier: MIT
// What scan() reads and what it refuses, each row with its clause. Not tested here: the torture corpora (test/conformance), speed
// (packages/sip/bench), millions of mutations (test/fuzz).
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { SCAN_ERROR, SCAN_ERRORS } from '../errors.ts'
import { TRANSPORT } from '../header/via.ts'
import { LIMITS } from '../limits.ts'
import { URI_SCHEME } from '../uri/uri-view.ts'
import { HEADER, HEADER_NAMES } from './header-ids.ts'
import { findHeader, findHeaderByName, headerId, headerValue, SipMessage } from './message.ts'
import { METHOD, METHOD_NAMES } from './method-ids.ts'
import { scan } from './scan.ts'

const base = {
  start: 'INVITE sip:bob@example.com:5062;x=y SIP/2.0',
  via: 'Via: SIP/2.0/UDP host.example.com:5070;branch=z9hG4bKabc;rport',
  from: 'From: "A ;, \\" <x>" <sip:alice@example.com;tag=no>;tag=f1',
  to: 'To: <sip:bob@example.com>',
  callId: 'Call-ID: c1@host',
  cseq: 'CSeq: 17 INVITE',
  maxForwards: 'Max-Forwards: 70',
}

/** A request with some lines changed ('' drops one), further lines and a body. */
function message(change: Partial<typeof base> = {}, more: string[] = [], body = ''): string {
  const lines = [...Object.values({ ...base, ...change }).filter((line) => line !== ''), ...more]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

function scanned(text: string, pad = ''): SipMessage {
  const buf = Buffer.from(pad + text, 'latin1')
  const msg = new SipMessage()
  scan(msg, buf, pad.length, buf.length)
  return msg
}

const at = (msg: SipMessage, start: number, end: number) => (start < 0 ? undefined : msg.text(start, end))

describe('scan: what it reads', () => {
  it('finds every eager field of a request, at any offset of the buffer', () => {
    const msg = scanned(
      message({}, ['Content-Length: 2', 'Route: <sip:p.example.com;lr>'], 'hi trailing'),
      'garbage before',
    )
    expect(SCAN_ERRORS[msg.error]?.name).toBe('none')
    expect(msg.isRequest).toBe(true)
    expect(msg.method).toBe(METHOD.INVITE)
    expect(at(msg, msg.uriStart, msg.uriEnd)).toBe('sip:bob@example.com:5062;x=y')
    expect([msg.uriScheme, msg.uriPort]).toEqual([URI_SCHEME.SIP, 5062])
    expect(at(msg, msg.uriUserStart, msg.uriUserEnd)).toBe('bob')
    expect(at(msg, msg.uriHostStart, msg.uriHostEnd)).toBe('example.com')
    expect(at(msg, msg.fromTagStart, msg.fromTagEnd)).toBe('f1')
    expect(at(msg, msg.fromUriStart, msg.fromUriEnd)).toBe('sip:alice@example.com;tag=no')
    expect(msg.toTagStart).toBe(-1)
    expect(at(msg, msg.callIdStart, msg.callIdEnd)).toBe('c1@host')
    expect([msg.cseq, msg.maxForwards, msg.contentLength]).toEqual([17, 70, 2])
    expect(at(msg, msg.bodyStart, msg.end)).toBe('hi')
    expect(findHeader(msg, HEADER.ROUTE)).toBe(7)
    expect(findHeader(msg, HEADER.CONTACT)).toBe(-1)
  })

  it('finds the top Via with its parameters, whatever follows the comma', () => {
    const msg = scanned(
      message({
        via: 'v: SIP / 2.0 / tcp [2001:db8::1] : 5070 ; branch = z9hG4bKq ;received=1.2.3.4;RPort=9 , SIP/2.0/UDP b',
      }),
    )
    expect(msg.error).toBe(0)
    expect([msg.viaTransport, msg.viaPort, msg.viaIndex]).toEqual([TRANSPORT.TCP, 5070, 0])
    expect(at(msg, msg.viaHostStart, msg.viaHostEnd)).toBe('[2001:db8::1]')
    expect(at(msg, msg.viaBranchStart, msg.viaBranchEnd)).toBe('z9hG4bKq')
    expect(at(msg, msg.viaRportStart, msg.viaRportEnd)).toBe('RPort=9')
    expect(msg.viaHasRportValue).toBe(true)
    expect(at(msg, msg.viaReceivedStart, msg.viaReceivedEnd)).toBe('received=1.2.3.4')
    expect(msg.text(msg.viaStart, msg.viaEnd).endsWith('RPort=9')).toBe(true)
  })

  it('reads a response: status, reason, the method of CSeq', () => {
    const msg = scanned(message({ start: 'sip/2.0 486 Busy \xd0\xbd here', maxForwards: 'Max-Forwards: 999' }))
    expect(msg.error).toBe(0)
    expect([msg.isRequest, msg.status, msg.method]).toEqual([false, 486, METHOD.INVITE])
    expect(at(msg, msg.reasonStart, msg.reasonEnd)).toBe('Busy \xd0\xbd here')
  })

  it('leaves nothing of the message before in a reused object', () => {
    const msg = scanned(message({}, ['Content-Length: 0', 'Contact: <sip:a@b>']))
    const ack = Buffer.from(message({ start: 'SIP/2.0 200 OK', via: 'Via: SIP/2.0/UDP h' }), 'latin1')
    expect(scan(msg, ack, 0, ack.length)).toBe(0)
    const fresh = new SipMessage()
    scan(fresh, ack, 0, ack.length)
    msg.headers.fill(0, msg.headerCount * 6)
    expect(msg).toEqual(fresh)
  })

  it('knows every header name in every case and compact form [RFC3261-7.3.3]', () => {
    for (let id = 1; id < HEADER_NAMES.length; id++) {
      const name = HEADER_NAMES[id] as string
      for (const text of [name, name.toUpperCase(), name.toLowerCase()]) {
        const msg = scanned(message({}, [`${text}: 1`]))
        expect(headerId(msg, msg.headerCount - 1), text).toBe(id)
      }
    }
    const compact = {
      v: 'Via',
      f: 'From',
      t: 'To',
      i: 'Call-ID',
      m: 'Contact',
      l: 'Content-Length',
      c: 'Content-Type',
      k: 'Supported',
    }
    for (const [letter, name] of Object.entries(compact)) {
      const msg = scanned(message({}, [`${letter.toUpperCase()}: 1`]))
      expect(HEADER_NAMES[headerId(msg, msg.headerCount - 1)]).toBe(name)
    }
  })

  it.each(['Vib', 'Froms', 'T0', 'CSe', '1', 'z', 'C%6Fntact', 'Via-', 'Max_Forwards'])(
    'takes %s for an unknown header',
    (name) => {
      const msg = scanned(message({}, [`${name}: x`]))
      expect([msg.error, headerId(msg, msg.headerCount - 1)]).toEqual([0, HEADER.OTHER])
      expect(findHeaderByName(msg, name.toUpperCase())).toBe(msg.headerCount - 1)
    },
  )

  it('knows each method by its exact name only [RFC3261-7.1]', () => {
    for (let id = 1; id < METHOD_NAMES.length; id++) {
      const name = METHOD_NAMES[id] as string
      expect(scanned(message({ start: `${name} sip:a@b SIP/2.0`, cseq: `CSeq: 1 ${name}` })).method).toBe(id)
      const lower = name.toLowerCase()
      expect(scanned(message({ start: `${lower} sip:a@b SIP/2.0`, cseq: `CSeq: 1 ${lower}` })).method).toBe(
        METHOD.OTHER,
      )
    }
  })
})

describe('scan: what it tolerates', () => {
  const rows: { cite: string; text: string }[] = [
    { cite: 'RFC3261-7.5 CRLF before the start line', text: `\r\n\r\n${message()}` },
    {
      cite: 'RFC3261-7.3.1 folds',
      text: message({ to: 'To :\r\n  sip:bob@example.com ;\r\n\ttag = t1', cseq: 'cseq: 0017\r\n  INVITE' }),
    },
    { cite: 'RFC4475-3.1.1.1 version in any case', text: message({ start: 'INVITE sip:a@b sip/2.0' }) },
    {
      cite: 'RFC4475-3.1.1.2 control characters in quoted pairs',
      text: message({ to: 'To: "\\\x00\\\x07" <sip:a@b>' }),
    },
    { cite: 'RFC4475-3.1.1.6 no space before <', text: message({ from: 'From: caller<sip:a@b>;tag=1' }) },
    { cite: 'RFC4475-3.3.1 no Max-Forwards', text: message({ maxForwards: '' }) },
    { cite: 'RFC4475-3.3.2 unknown scheme', text: message({ start: 'INVITE nobody:opaque SIP/2.0' }) },
    { cite: 'RFC3966-3 tel', text: message({ start: 'INVITE tel:+1-201-555-0123 SIP/2.0' }) },
    { cite: 'RFC3966-3 local tel', text: message({ start: 'INVITE tel:7042;phone-context=example.com SIP/2.0' }) },
    {
      cite: 'RFC4475-3.3.4 any scheme in From and To',
      text: message({ to: 'To: isbn:2983792873', from: 'From: <http://a.b>;tag=1' }),
    },
    { cite: 'RFC4475-3.4.1 no tag, no branch', text: message({ from: 'From: <sip:a@b>', via: 'Via: SIP/2.0/UDP h' }) },
    {
      cite: 'RFC5118-4.5a received with brackets',
      text: message({ via: 'Via: SIP/2.0/UDP h;received=[2001:db8::9];branch=z9hG4bK1' }),
    },
    {
      cite: 'RFC5118-4.5b received without',
      text: message({ via: 'Via: SIP/2.0/UDP h;received=2001:db8::9;branch=z9hG4bK1' }),
    },
    { cite: 'RFC5118-4.10 three colons', text: message({ start: 'INVITE sip:a@[2001:db8:::192.0.2.1] SIP/2.0' }) },
    {
      cite: 'RFC3261-16.3 broken headers that no proxy needs',
      text: message({}, ['Date: never', 'Contact: <<>>;;', 'Expires: -4', 'Empty:']),
    },
    { cite: 'RFC3261-20.14 no Content-Length in a datagram', text: message({}, [], 'body') },
    { cite: 'CSeq at the bound', text: message({ cseq: 'CSeq: 2147483647 INVITE' }) },
    { cite: 'a line at the bound', text: message({}, [`X: ${'y'.repeat(LIMITS.lineBytes - 3)}`]) },
    { cite: 'as many headers as allowed', text: message({}, new Array<string>(LIMITS.headerCount - 6).fill('X: y')) },
    { cite: 'a status line without the SP before an empty reason', text: message({ start: 'SIP/2.0 200' }) },
    { cite: 'a response with an empty reason [RFC4475-3.1.1.13]', text: message({ start: 'SIP/2.0 100 ' }) },
  ]
  it.each(rows)('$cite', ({ text }) => {
    const msg = scanned(text)
    expect(SCAN_ERRORS[msg.error]?.name).toBe('none')
  })
})

describe('scan: what it refuses', () => {
  const many = new Array<string>(10_000).fill('X: y')
  const rows: { cite: string; text: string; error: number; answerable?: boolean }[] = [
    { cite: 'keep-alive: CRLF', text: '\r\n\r\n', error: SCAN_ERROR.KEEP_ALIVE },
    { cite: 'keep-alive: four NULs', text: '\0\0\0\0', error: SCAN_ERROR.KEEP_ALIVE },
    { cite: 'empty datagram', text: '', error: SCAN_ERROR.KEEP_ALIVE },
    { cite: 'no empty line', text: message().slice(0, -2), error: SCAN_ERROR.INCOMPLETE, answerable: true },
    { cite: 'half a start line', text: 'INVITE sip:a@b SIP/2', error: SCAN_ERROR.BAD_START_LINE },
    { cite: 'not SIP', text: '\x16\x03\x01\x02\xff', error: SCAN_ERROR.BAD_START_LINE },
    { cite: 'HTTP', text: message({ start: 'GET / HTTP/1.1' }), error: SCAN_ERROR.BAD_REQUEST_URI, answerable: true },
    {
      cite: 'RFC4475-3.1.2.8 LWS in the Request-URI',
      text: message({ start: 'INVITE sip:a@b; lr SIP/2.0' }),
      error: SCAN_ERROR.BAD_START_LINE,
      answerable: true,
    },
    {
      cite: 'RFC4475-3.1.2.9 two SP',
      text: message({ start: 'INVITE  sip:a@b SIP/2.0' }),
      error: SCAN_ERROR.BAD_REQUEST_URI,
      answerable: true,
    },
    {
      cite: 'RFC4475-3.1.2.10 trailing SP',
      text: message({ start: 'INVITE sip:a@b SIP/2.0 ' }),
      error: SCAN_ERROR.BAD_START_LINE,
      answerable: true,
    },
    {
      cite: 'RFC4475-3.1.2.7 brackets',
      text: message({ start: 'INVITE <sip:a@b> SIP/2.0' }),
      error: SCAN_ERROR.BAD_REQUEST_URI,
      answerable: true,
    },
    {
      cite: 'RFC4475-3.1.2.11 headers in the Request-URI',
      text: message({ start: 'INVITE sip:a@b?Route=%3Csip:c%3E SIP/2.0' }),
      error: SCAN_ERROR.URI_HEADERS,
      answerable: true,
    },
    {
      cite: 'RFC5118-4.2 IPv6 without brackets',
      text: message({ start: 'INVITE sip:2001:db8::10 SIP/2.0' }),
      error: SCAN_ERROR.BAD_REQUEST_URI,
      answerable: true,
    },
    {
      cite: 'NUL in the request line',
      text: message({ start: 'INVITE sip:a\0@b SIP/2.0' }),
      error: SCAN_ERROR.BAD_REQUEST_URI,
      answerable: true,
    },
    {
      cite: 'no host',
      text: message({ start: 'INVITE sip:a@ SIP/2.0' }),
      error: SCAN_ERROR.BAD_REQUEST_URI,
      answerable: true,
    },
    {
      cite: 'two @',
      text: message({ start: 'INVITE sip:a@b@c SIP/2.0' }),
      error: SCAN_ERROR.BAD_REQUEST_URI,
      answerable: true,
    },
    {
      cite: 'port 0',
      text: message({ start: 'INVITE sip:a@b:0 SIP/2.0' }),
      error: SCAN_ERROR.BAD_REQUEST_URI,
      answerable: true,
    },
    {
      cite: 'tel without digits',
      text: message({ start: 'INVITE tel:+abc SIP/2.0' }),
      error: SCAN_ERROR.BAD_REQUEST_URI,
      answerable: true,
    },
    {
      cite: 'RFC4475-3.1.2.16 version',
      text: message({ start: 'INVITE sip:a@b SIP/7.0' }),
      error: SCAN_ERROR.BAD_VERSION,
      answerable: true,
    },
    { cite: 'response of another version', text: message({ start: 'SIP/3.0 200 OK' }), error: SCAN_ERROR.BAD_VERSION },
    { cite: 'RFC4475-3.1.2.19 status', text: message({ start: 'SIP/2.0 4294967301 x' }), error: SCAN_ERROR.BAD_STATUS },
    { cite: 'status 99', text: message({ start: 'SIP/2.0 099 x' }), error: SCAN_ERROR.BAD_STATUS },
    { cite: 'status 700', text: message({ start: 'SIP/2.0 700 x' }), error: SCAN_ERROR.BAD_STATUS },
    { cite: 'a line without colon', text: message({}, ['nonsense']), error: SCAN_ERROR.BAD_HEADER, answerable: true },
    {
      cite: 'a name with a blank',
      text: message({}, ['My Header: x']),
      error: SCAN_ERROR.BAD_HEADER,
      answerable: true,
    },
    {
      cite: 'a line that begins with a colon',
      text: message({}, [': x']),
      error: SCAN_ERROR.BAD_HEADER,
      answerable: true,
    },
    {
      cite: 'a fold before the first header',
      text: message({ via: ' folded', from: base.via }),
      error: SCAN_ERROR.BAD_HEADER,
      answerable: true,
    },
    { cite: 'NUL in a header', text: message({}, ['X: a\0b']), error: SCAN_ERROR.BAD_CHARACTER, answerable: true },
    { cite: 'LF alone', text: message({}, ['X: a\nInjected: b']), error: SCAN_ERROR.BAD_LINE_END },
    { cite: 'CR alone', text: message({}, ['X: a\rb']), error: SCAN_ERROR.BAD_LINE_END },
    {
      cite: 'a header of 60 KB',
      text: message({}, [`X: ${'y'.repeat(60_000)}`]),
      error: SCAN_ERROR.LINE_TOO_LONG,
      answerable: true,
    },
    {
      cite: 'a request line too long',
      text: message({ start: `INVITE sip:${'a'.repeat(9000)}@b SIP/2.0` }),
      error: SCAN_ERROR.LINE_TOO_LONG,
      answerable: true,
    },
    {
      cite: 'headers above the section bound',
      text: message({}, [...new Array<string>(250).fill(`X: ${'y'.repeat(300)}`)]),
      error: SCAN_ERROR.HEADERS_TOO_LARGE,
      answerable: true,
    },
    { cite: '10,000 headers', text: message({}, many), error: SCAN_ERROR.TOO_MANY_HEADERS, answerable: true },
    { cite: 'RFC3261-8.1.1 no To', text: message({ to: '' }), error: SCAN_ERROR.MISSING_HEADER, answerable: true },
    { cite: 'RFC3261-8.1.1 no Via', text: message({ via: '' }), error: SCAN_ERROR.MISSING_HEADER },
    {
      cite: 'RFC4475-3.3.8 two From',
      text: message({}, ['f: <sip:x@y>;tag=2']),
      error: SCAN_ERROR.DUPLICATE_HEADER,
      answerable: true,
    },
    {
      cite: 'RFC4475-3.3.9 two Content-Length',
      text: message({}, ['l: 0', 'Content-Length: 0']),
      error: SCAN_ERROR.DUPLICATE_HEADER,
      answerable: true,
    },
    {
      cite: 'RFC4475-3.1.2.1 empty Via parameters',
      text: message({ via: 'Via: SIP/2.0/UDP 192.0.2.15;;,;,,' }),
      error: SCAN_ERROR.BAD_VIA,
      answerable: true,
    },
    { cite: 'Via without transport', text: message({ via: 'Via: SIP/2.0 host' }), error: SCAN_ERROR.BAD_VIA },
    { cite: 'Via port 65536', text: message({ via: 'Via: SIP/2.0/UDP h:65536' }), error: SCAN_ERROR.BAD_VIA },
    {
      cite: 'two branches',
      text: message({ via: 'Via: SIP/2.0/UDP h;branch=z9hG4bK1;branch=z9hG4bK2' }),
      error: SCAN_ERROR.BAD_VIA,
      answerable: true,
    },
    {
      cite: 'RFC4475-3.1.2.6 open quote',
      text: message({ to: 'To: "Mr. J. User <sip:j.user@example.com>' }),
      error: SCAN_ERROR.BAD_TO,
      answerable: true,
    },
    {
      cite: 'RFC4475-3.1.2.14 blanks in brackets',
      text: message({ to: 'To: "W, T" < sip:a@b >' }),
      error: SCAN_ERROR.BAD_TO,
      answerable: true,
    },
    {
      cite: 'RFC4475-3.1.2.15 comma in a display name',
      text: message({ from: 'From: Bell, A <sip:a@b>;tag=1' }),
      error: SCAN_ERROR.BAD_FROM,
      answerable: true,
    },
    {
      cite: 'RFC8217-4 ? without brackets',
      text: message({ from: 'From: sip:a@b?x=y;tag=1' }),
      error: SCAN_ERROR.BAD_FROM,
      answerable: true,
    },
    {
      cite: 'an empty tag',
      text: message({ from: 'From: <sip:a@b>;tag=' }),
      error: SCAN_ERROR.BAD_FROM,
      answerable: true,
    },
    {
      cite: 'two tags',
      text: message({ from: 'From: <sip:a@b>;tag=1;tag=2' }),
      error: SCAN_ERROR.BAD_FROM,
      answerable: true,
    },
    {
      cite: 'Call-ID with a blank',
      text: message({ callId: 'Call-ID: a b' }),
      error: SCAN_ERROR.BAD_CALL_ID,
      answerable: true,
    },
    { cite: 'empty Call-ID', text: message({ callId: 'Call-ID:' }), error: SCAN_ERROR.BAD_CALL_ID, answerable: true },
    {
      cite: 'RFC3261-8.1.1.5 CSeq of 2^31',
      text: message({ cseq: 'CSeq: 2147483648 INVITE' }),
      error: SCAN_ERROR.BAD_CSEQ,
      answerable: true,
    },
    { cite: 'CSeq without method', text: message({ cseq: 'CSeq: 1' }), error: SCAN_ERROR.BAD_CSEQ, answerable: true },
    {
      cite: 'RFC4475-3.1.2.17 CSeq of another method',
      text: message({ cseq: 'CSeq: 1 OPTIONS' }),
      error: SCAN_ERROR.CSEQ_METHOD_MISMATCH,
      answerable: true,
    },
    {
      cite: 'RFC3261-20.22 Max-Forwards 256',
      text: message({ maxForwards: 'Max-Forwards: 256' }),
      error: SCAN_ERROR.BAD_MAX_FORWARDS,
      answerable: true,
    },
    {
      cite: 'RFC4475-3.1.2.3 negative Content-Length',
      text: message({}, ['l: -999']),
      error: SCAN_ERROR.BAD_CONTENT_LENGTH,
      answerable: true,
    },
    {
      cite: 'huge Content-Length',
      text: message({}, ['l: 99999999999999999999']),
      error: SCAN_ERROR.BAD_CONTENT_LENGTH,
      answerable: true,
    },
    {
      cite: 'RFC4475-3.1.2.2 body too short',
      text: message({}, ['l: 9999'], 'abc'),
      error: SCAN_ERROR.BODY_TRUNCATED,
      answerable: true,
    },
    {
      cite: 'a bad ACK, which is never answered',
      text: message({ start: 'ACK sip:a@b SIP/2.0' }),
      error: SCAN_ERROR.CSEQ_METHOD_MISMATCH,
    },
  ]
  it.each(rows)('$cite', ({ text, error, answerable = false }) => {
    const msg = scanned(text)
    expect(SCAN_ERRORS[msg.error]?.name).toBe(SCAN_ERRORS[error]?.name)
    expect(msg.answerable).toBe(answerable)
  })

  it('takes 65,507 bytes of anything in linear time', () => {
    for (const unit of ['\0', '\r\n', 'x', ':', 'X:\r\n ', '"', ',', '<', 'v: ;\r\n', ' ', '%', ';', '\r', '\n']) {
      const text = message({}, [unit.repeat(65_507 / unit.length - 200)])
      const buf = Buffer.from(text, 'latin1')
      const msg = new SipMessage()
      const before = process.cpuUsage()
      for (let k = 0; k < 10; k++) scan(msg, buf, 0, buf.length)
      expect(process.cpuUsage(before).user / 1000, JSON.stringify(unit)).toBeLessThan(500)
    }
  })

  it('never throws and keeps its offsets in bounds, whatever byte is changed or cut', () => {
    const text = message({}, ['Content-Length: 4', 'v: SIP/2.0/TCP b;branch=z9hG4bKx', 'X: \r\n folded'], 'body')
    const bytes = Buffer.from(text, 'latin1')
    const msg = new SipMessage()
    for (const byte of [0, 10, 13, 32, 34, 44, 58, 59, 60, 62, 92, 255]) {
      for (let k = 0; k < bytes.length; k++) {
        const copy = Buffer.from(bytes)
        copy[k] = byte
        scan(msg, copy, 0, copy.length)
        expect(msg.end).toBeLessThanOrEqual(copy.length)
        expect(msg.headers.subarray(0, msg.headerCount * 6).every((value) => value >= 0 && value <= copy.length)).toBe(
          true,
        )
      }
    }
    for (let k = 0; k < bytes.length; k++) expect(scan(msg, bytes, 0, k)).not.toBe(0)
  })
})

describe('clone', () => {
  it('owns its bytes and keeps every field, relative to 0', () => {
    const msg = scanned(message({}, ['Subject: one\r\n  two', 'Content-Length: 3'], 'abc'), 'xxxxx')
    const copy = msg.clone()
    msg.buf.fill(0x7a)
    const fresh = new SipMessage()
    scan(fresh, copy.buf, 0, copy.buf.length)
    fresh.headers = fresh.headers.slice(0, fresh.headerCount * 6)
    expect(copy).toEqual(fresh)
    expect(headerValue(copy, findHeader(copy, HEADER.SUBJECT))).toBe('one two')
  })

  it('can be scanned into again', () => {
    const copy = scanned(message()).clone()
    const other = Buffer.from(message({}, ['A: 1', 'B: 2', 'C: 3']), 'latin1')
    expect(scan(copy, other, 0, other.length)).toBe(0)
    expect(copy.headerCount).toBe(9)
  })
})
