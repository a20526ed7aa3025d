// SPDX-License-Identifier: MIT
// The values of Privacy and of History-Info. Not tested here: what a proxy makes of them (proxy/identity-edits, proxy/request-history).
import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { SipMessage, scan } from '../message/index.ts'
import {
  compareHistoryIndexes,
  encodeHistoryEntry,
  historyParamOf,
  isPrivateEntry,
  PRIVACY,
  parseHistoryEntry,
  parseNameAddr,
  privacyNames,
  privacyOf,
  requestDisposition,
  uriHeader,
} from './index.ts'

function withHeaders(...lines: string[]): SipMessage {
  const text = [
    'MESSAGE sip:b@example.test SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1',
    ...lines,
    'From: <sip:a@example.test>;tag=1',
    'To: <sip:b@example.test>',
    'Call-ID: 1',
    'CSeq: 1 MESSAGE',
    '\r\n',
  ].join('\r\n')
  const msg = new SipMessage()
  const buf = Buffer.from(text, 'latin1')
  expect(scan(msg, buf, 0, buf.length)).toBe(0)
  return msg
}

describe('Privacy', () => {
  test.each<[string, string[], number]>([
    ['none', ['none'], PRIVACY.NONE],
    ['several, any case, spaces', ['Header ; ID;critical'], PRIVACY.HEADER | PRIVACY.ID | PRIVACY.CRITICAL],
    ['two headers', ['session', 'history'], PRIVACY.SESSION | PRIVACY.HISTORY],
    ['commas of the field', ['id, user'], PRIVACY.ID | PRIVACY.USER],
    ['a token of later times', ['id;quantum'], PRIVACY.ID | PRIVACY.OTHER],
    ['empty', [''], 0],
  ])('[RFC3323-4.2] values: %s', (_title, values, bits) => {
    expect(privacyOf(withHeaders(...values.map((value) => `Privacy: ${value}`)))).toBe(bits)
  })

  test('[RFC3323-4.2] no header asks for nothing', () => {
    expect(privacyOf(withHeaders())).toBe(0)
  })

  test('[RFC3323-5e] names for the reason phrase', () => {
    expect(privacyNames(PRIVACY.SESSION | PRIVACY.HEADER | PRIVACY.OTHER)).toEqual(['header', 'session', 'other'])
  })
})

describe('History-Info', () => {
  test.each([
    '<sip:UserA@ims.example.com>;index=1;foo=bar',
    '<sip:UserA@ims.example.com?Reason=SIP%3Bcause%3D302>;index=1.1',
    '<sip:UserB@example.com?Privacy=history&Reason=SIP%3Bcause%3D486>;index=1.2;mp=1.1',
    '<sip:45432@192.168.0.3>;index=1.3;rc=1.2',
    '"Bob, \\"the\\" B" <sip:bob@example.com;p=x>;index=1.1.2.0.1;np=1',
  ])('[RFC7044-5] %s is read and written as it was', (text) => {
    const entry = parseHistoryEntry(text)
    expect(entry && encodeHistoryEntry(entry)).toBe(text)
  })

  test('[RFC7044-5] the URI comes without its headers', () => {
    expect(parseHistoryEntry('<sip:b@x?Privacy=history>;rc=1 ; index = 1.1')).toEqual({
      display: '',
      uri: 'sip:b@x',
      headers: 'Privacy=history',
      index: '1.1',
      params: ';rc=1',
    })
  })

  test.each([
    'sip:a@b?Reason=SIP;index=1',
    '<sip:a@b>',
    '<sip:a@b>;index=1.',
    '<sip:a@b>;index=01',
    '<sip:a@b;index=1',
    '',
  ])('[RFC7044-5] %j is no entry', (text) => expect(parseHistoryEntry(text)).toBeUndefined())

  test('[RFC7044-9.3b] indexes sort in the preorder of the tree', () => {
    const sorted = ['1', '1.1', '1.2', '1.2.1', '1.2.2', '1.3', '1.10', '2']
    expect([...sorted].reverse().sort(compareHistoryIndexes)).toEqual(sorted)
  })

  test.each([
    [';rc=1.2', 'rc=1.2'],
    [';q=0.1;mp=1', 'mp=1'],
    [';np=1', ''],
    [';rc=x', ''],
    ['', ''],
  ])('[RFC7044-10.4b] a Contact with %j was found by %j', (params, found) => {
    expect(historyParamOf(parseNameAddr(`<sip:c@192.0.2.9>${params}`)?.params ?? [])).toBe(found)
  })

  test.each([
    ['Privacy=history', true],
    ['Reason=SIP%3Bcause%3D486&privacy=header%3Bhistory', true],
    ['Privacy=none', false],
    ['X-Privacy=history', false],
    ['', false],
  ])('[RFC7044-10.1.1] an entry with %j is private: %s', (headers, isPrivate) => {
    expect(isPrivateEntry({ display: '', uri: 'sip:a@b', headers, index: '1', params: '' })).toBe(isPrivate)
  })

  test('[RFC7044-10.2b] [RFC3261-19.1.1] a Reason is escaped for its place in the URI', () => {
    expect(uriHeader('Reason', 'Q.850;cause=17;text="user busy"')).toBe(
      'Reason=Q.850%3Bcause%3D17%3Btext%3D%22user%20busy%22',
    )
  })
})

describe('Request-Disposition', () => {
  const NOTHING = { way: undefined, fork: undefined, order: undefined, cancel: undefined, recurse: undefined }

  test.each<[string, string[], object]>([
    ['none', [], {}],
    [
      'the example',
      ['Request-Disposition: proxy, recurse, parallel'],
      { way: 'proxy', recurse: true, order: 'parallel' },
    ],
    ['compact, any case', ['d: NO-FORK,No-Cancel'], { fork: false, cancel: false }],
    [
      'two headers',
      ['Request-Disposition: redirect', 'Request-Disposition: sequential'],
      { way: 'redirect', order: 'sequential' },
    ],
    [
      'two of one kind: the first',
      ['Request-Disposition: no-recurse, recurse, fork, no-fork'],
      { recurse: false, fork: true },
    ],
    ['what nobody knows', ['Request-Disposition: queue, teleport, cancel'], { cancel: true }],
  ])('[RFC3841-9.1] %s', (_title, lines, found) => {
    expect(requestDisposition(withHeaders(...lines))).toEqual({ ...NOTHING, ...found })
  })
})

describe('name-addr', () => {
  test.each(['sip:a@b?Subject=x', 'sip:a@b,c', 'sip:a@b;x=1?y=2'])(
    '[RFC8217-4] %j needs angle brackets: the bare form is refused or loses nothing to its URI',
    (text) => {
      const bare = parseNameAddr(text)
      expect(bare === undefined || !/[?,;]/.test(bare.uri)).toBe(true)
      expect(parseNameAddr(`<${text}>`)?.uri).toBe(text)
    },
  )

  test('[RFC8217-3b] [RFC8217-4] a semicolon behind a bare URI begins the parameters of the header', () => {
    expect(parseNameAddr('sip:a@b;tag=1')).toEqual({
      display: '',
      uri: 'sip:a@b',
      params: [{ name: 'tag', value: '1', flag: false }],
    })
  })
})
