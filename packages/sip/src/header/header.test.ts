// SPDX-License-Identifier: MIT
// The typed headers: name-addr, Contact, Route, CSeq, parameters, challenges and credentials.
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { LIMITS } from '../limits.ts'
import { HEADER } from '../message/header-ids.ts'
import { SipMessage } from '../message/message.ts'
import { scan } from '../message/scan.ts'
import { UriView } from '../uri/uri-view.ts'
import { encodeAuth, parseAuth, parseAuthInfo } from './auth.ts'
import { parseContacts, parseDeltaSeconds } from './contact.ts'
import { parseCSeq } from './cseq.ts'
import { encodeNameAddr, parseNameAddr } from './name-addr.ts'
import { findParam, ParamView } from './param-cursor.ts'
import { paramOf, parseParams, quote, unquote } from './params.ts'
import { isLooseRoute, parseRouteUri } from './route.ts'

describe('parseNameAddr', () => {
  const rows: { cite: string; text: string; display: string; uri: string; tag?: string }[] = [
    { cite: 'RFC3261-20.10 bracketed', text: '<sip:a@b;x=y>;tag=1', display: '', uri: 'sip:a@b;x=y', tag: '1' },
    { cite: 'tokens', text: 'A. B  C <sip:a@b>', display: 'A. B  C', uri: 'sip:a@b' },
    {
      cite: 'quoted pairs',
      text: '"J \\"R\\" \\\\" <sip:a@b> ; tag = 2',
      display: 'J "R" \\',
      uri: 'sip:a@b',
      tag: '2',
    },
    { cite: 'brackets in quotes', text: '"<sip:x@y>;tag=no" <sip:a@b>', display: '<sip:x@y>;tag=no', uri: 'sip:a@b' },
    {
      cite: 'RFC4475-3.3.12 bare: parameters are the header’s',
      text: 'sip:a@b;tag=3',
      display: '',
      uri: 'sip:a@b',
      tag: '3',
    },
    { cite: 'RFC4475-3.1.1.6', text: 'caller<sip:a@b>', display: 'caller', uri: 'sip:a@b' },
    { cite: 'folded display', text: '"two\r\n lines" <tel:+1>', display: 'two lines', uri: 'tel:+1' },
    { cite: 'UTF-8 bytes', text: 'J\xc3\xbcrgen <sip:a@b>', display: 'J\xc3\xbcrgen', uri: 'sip:a@b' },
  ]
  it.each(rows)('$cite', ({ text, display, uri, tag }) => {
    const value = parseNameAddr(text)
    expect([value?.display, value?.uri, paramOf(value?.params ?? [], 'tag')]).toEqual([display, uri, tag])
  })

  it.each([
    '',
    '<>',
    '<sip:a@b',
    '"open <sip:a@b>',
    'A, B <sip:a@b>',
    '"q" sip:a@b',
    '<sip:a b>',
    'sip:a@b?x=y',
    '<sip:a@b>;;x',
    '<sip:a@b> x',
    'A "B" <sip:a@b>',
  ])('refuses %j', (text) => {
    expect(parseNameAddr(text)).toBeUndefined()
  })

  it('writes what it reads', () => {
    for (const display of ['', 'Bob', 'a "quoted" \\ name']) {
      expect(parseNameAddr(encodeNameAddr(display, 'sip:a@b'))).toEqual({ display, uri: 'sip:a@b', params: [] })
    }
  })
})

function withContacts(lines: string[]): SipMessage {
  const text = [
    'REGISTER sip:b SIP/2.0',
    'Via: SIP/2.0/UDP h',
    'From: <sip:a@b>',
    'To: <sip:a@b>',
    'Call-ID: c',
    'CSeq: 1 REGISTER',
    ...lines,
  ]
  const buf = Buffer.from(`${text.join('\r\n')}\r\n\r\n`, 'latin1')
  const msg = new SipMessage()
  expect(scan(msg, buf, 0, buf.length)).toBe(0)
  return msg
}

describe('parseContacts', () => {
  it('reads all values with their parameters [RFC3261-20.10, RFC5626-4.1]', () => {
    const list = parseContacts(
      withContacts([
        'Contact: "A" <sip:a@h;transport=tcp>;q=0.7;expires=60;+sip.instance="<urn:uuid:1>";reg-id=2, sip:b@h;expires=0',
        'm: <tel:+1>;q=1.5;expires=-1',
      ]),
    )
    const seen = list?.contacts.map((c) => [c.uriText, c.qMilli, c.expiresS, c.instanceId, c.regId, c.display])
    expect(seen).toEqual([
      ['sip:a@h;transport=tcp', 700, 60, 'urn:uuid:1', 2, 'A'],
      ['sip:b@h', -1, 0, '', 0, ''],
      ['tel:+1', -1, -1, '', 0, ''],
    ])
    expect(list?.star).toBe(false)
  })

  it.each([
    ['none', [], false, 0],
    ['star [RFC3261-10.2.2]', ['Contact: *'], true, 0],
  ])('%s', (_name, lines, star, count) => {
    const list = parseContacts(withContacts(lines))
    expect([list?.star, list?.contacts.length]).toEqual([star, count])
  })

  it.each([
    ['star with company [RFC3261-10.2.2]', ['Contact: *, <sip:a@b>']],
    ['two stars', ['Contact: *', 'Contact: *']],
    ['RFC4475-3.1.2.13 ? without brackets', ['Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E']],
    ['RFC4475-3.1.2.1 empty parameters', ['Contact: "Joe" <sip:joe@example.org>;;;;']],
    ['an empty element', ['Contact: <sip:a@b>,,<sip:c@d>']],
    ['a URI that is none', ['Contact: <sip:a@b:99999>']],
    ['too many', new Array<string>(LIMITS.contactCount + 1).fill('Contact: <sip:a@b>')],
  ])('refuses: %s', (_name, lines) => {
    expect(parseContacts(withContacts(lines))).toBeUndefined()
  })

  it.each([
    ['0', 0],
    ['4294967295', 4294967295],
    ['4294967296', -1],
    ['', -1],
    ['x', -1],
    [' 1', -1],
    [undefined, -1],
  ])('delta-seconds %j', (text, value) => {
    expect(parseDeltaSeconds(text)).toBe(value)
  })
})

describe('Route', () => {
  it.each([
    ['<sip:p.example.com;lr>', true, true],
    ['"n" <sips:p:5061;maddr=x;LR=on>;hp', true, true],
    ['<sip:p.example.com>', true, false],
    ['<sip:p;lrx>', true, false],
    ['sip:p;lr', false, false],
    ['<tel:+1>', false, false],
    ['<sip:>', false, false],
  ])('%s [RFC3261-20.34]', (text, ok, loose) => {
    const buf = Buffer.from(text, 'latin1')
    const view = new UriView()
    expect(parseRouteUri(buf, 0, buf.length, view)).toBe(ok)
    if (ok) expect(isLooseRoute(buf, view)).toBe(loose)
  })
})

describe('parameters', () => {
  it('undoes quotes, keeps flags, refuses what is no parameter', () => {
    const text = ';A=b; c ;d="x\\"y" ; e='
    const buf = Buffer.from(text, 'latin1')
    expect(parseParams(buf, 0, buf.length)).toEqual([
      { name: 'a', value: 'b', flag: false },
      { name: 'c', value: '', flag: true },
      { name: 'd', value: 'x"y', flag: false },
      { name: 'e', value: '', flag: false },
    ])
    const view = new ParamView()
    expect(findParam(buf, 0, buf.length, 'D', view) && text.slice(view.start, view.end)).toBe('"x\\"y"')
    expect(findParam(buf, 0, buf.length, 'zz', view)).toBe(false)
    for (const bad of [';', ';;a', ';a=b c', ';a="', 'a=b'])
      expect(parseParams(Buffer.from(bad), 0, bad.length), bad).toBeUndefined()
    const many = ';a=b'.repeat(LIMITS.paramCount + 1)
    expect(parseParams(Buffer.from(many), 0, many.length)).toBeUndefined()
  })

  it('quotes and unquotes', () => {
    for (const text of ['', 'plain', '"', 'back\\slash']) expect(unquote(quote(text))).toBe(text)
    expect(unquote('bare')).toBe('bare')
  })
})

describe('CSeq', () => {
  it.each([
    ['1 INVITE', { number: 1, method: 'INVITE' }],
    ['0009\r\n  X-y', { number: 9, method: 'X-y' }],
    ['2147483648 ACK', undefined],
    ['INVITE', undefined],
    ['1INVITE', undefined],
  ])('%j [RFC3261-20.16]', (text, expected) => {
    expect(parseCSeq(text)).toEqual(expected)
  })
})

describe('challenges and credentials [RFC7616-3]', () => {
  it('reads schemes, tokens, quoted strings, blanks and folds', () => {
    const auth = parseAuth('Digest username="Al\\"ice", realm="a, b",\r\n  NC=00000001 , qop=auth,uri="sip:b"')
    expect(auth?.scheme).toBe('digest')
    expect([...(auth?.params ?? [])]).toEqual([
      ['username', 'Al"ice'],
      ['realm', 'a, b'],
      ['nc', '00000001'],
      ['qop', 'auth'],
      ['uri', 'sip:b'],
    ])
    expect(parseAuth('NoOneKnows')?.params.size).toBe(0)
    expect(parseAuthInfo('nextnonce="n", qop=auth')?.get('nextnonce')).toBe('n')
  })

  it.each(['', '"x"', 'Digest realm', 'Digest realm="open', 'Digest a=b c=d', 'Digest a=1, a=2', 'Digest a="b"c'])(
    'refuses %j',
    (text) => {
      expect(parseAuth(text)).toBeUndefined()
    },
  )

  it('writes what it reads, with qop quoted in challenges only', () => {
    const challenge = encodeAuth(
      'Digest',
      [
        ['realm', 'r "x"'],
        ['qop', 'auth'],
        ['algorithm', 'SHA-256'],
        ['stale', 'true'],
      ],
      true,
    )
    expect(challenge).toBe('Digest realm="r \\"x\\"", qop="auth", algorithm=SHA-256, stale=true')
    expect(parseAuth(challenge)?.params.get('realm')).toBe('r "x"')
    expect(
      encodeAuth(
        'Digest',
        [
          ['qop', 'auth'],
          ['nc', '00000001'],
        ],
        false,
      ),
    ).toBe('Digest qop=auth, nc=00000001')
  })

  it('takes linear time on open quotes and backslashes', () => {
    const before = process.cpuUsage()
    for (const unit of ['\\', '"', '\\"', ',', '=', ' ', 'a=b,'])
      parseAuth(`Digest a="${unit.repeat(8000 / unit.length)}`)
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(500)
  })

  it('is reached through the message', () => {
    const msg = withContacts(['Authorization: Digest realm="r"'])
    expect(msg.has(HEADER.AUTHORIZATION)).toBe(true)
  })
})
