// SPDX-License-Identifier: MIT
// Identities at the border of the trust domain, as edits of one message. Not tested here: who is trusted, which is policy's word.
import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { Edits, findHeaderByName, headerLineEnd, headerLineStart, SipMessage, scan } from '../message/index.ts'
import {
  editIdentity,
  editIdentityOfResponse,
  type IdentityFacts,
  privacyFailure,
  withholdsIdentity,
} from './identity-edits.ts'

const PAI = 'P-Asserted-Identity: "Ann" <sip:ann@example.test>'
const PPI = 'P-Preferred-Identity: <sip:ann@example.test>'
const INSIDE: IdentityFacts = { sourceTrusted: true, targetTrusted: true, tellsUntrusted: true }
const OUTBOUND: IdentityFacts = { ...INSIDE, targetTrusted: false }
const INBOUND: IdentityFacts = { ...INSIDE, sourceTrusted: false }

function messageOf(first: string, lines: readonly string[]): SipMessage {
  const fixed = ['From: <sip:a@example.test>;tag=1', 'To: <sip:b@example.test>', 'Call-ID: 1', 'CSeq: 1 INVITE', '\r\n']
  const text = [first, 'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1', ...lines, ...fixed].join('\r\n')
  const msg = new SipMessage()
  const buf = Buffer.from(text, 'latin1')
  expect(scan(msg, buf, 0, buf.length)).toBe(0)
  return msg
}

function request(...lines: string[]): SipMessage {
  return messageOf('INVITE sip:b@example.test SIP/2.0', lines)
}

/** Lines between Via and From after the edits. */
function linesOf(edits: Edits): string[] {
  const out = Buffer.alloc(20_000)
  const text = out.latin1Slice(0, edits.encodeInto(out, 0))
  const lines = text.split('\r\n')
  return lines.slice(2, lines.indexOf('From: <sip:a@example.test>;tag=1'))
}

function edited(msg: SipMessage, facts: IdentityFacts): string[] {
  const edits = new Edits()
  edits.reset(msg)
  if (msg.isRequest) editIdentity(msg, edits, facts)
  else editIdentityOfResponse(msg, edits, facts)
  return linesOf(edits)
}

describe('P-Asserted-Identity', () => {
  test.each<[string, IdentityFacts, string[], string[]]>([
    ['[RFC3325-5de] of a trusted source stays toward a trusted target', INSIDE, [PAI], [PAI]],
    ['[RFC3325-5b] of an untrusted source goes', INBOUND, [PAI, 'X: 1'], ['X: 1']],
    ['[RFC3325-5c] with a tel URI of an untrusted source goes too', INBOUND, [`${PAI}, <tel:+15550100>`], []],
    [
      '[RFC3325-5e] of a trusted source stays with Privacy toward a trusted target',
      INSIDE,
      [PAI, 'Privacy: id'],
      [PAI, 'Privacy: id'],
    ],
    [
      '[RFC3325-4] [RFC3325-5d] [RFC3325-7a] with Privacy: id never reaches an untrusted target',
      OUTBOUND,
      [PAI, 'Privacy: id'],
      [],
    ],
    ['[RFC3325-7a] all values go with id', OUTBOUND, [PAI, 'Privacy: id', 'P-Asserted-Identity: tel:+15550100'], []],
    [
      '[RFC3325-7b] [RFC3323-4.2a] [RFC3323-5bc] with Privacy: none stays, and the header too',
      OUTBOUND,
      [PAI, 'Privacy: none'],
      [PAI, 'Privacy: none'],
    ],
    ['[RFC3325-7c] without Privacy stays by default', OUTBOUND, [PAI], [PAI]],
    ['[RFC3325-7c] without Privacy goes where the setting says so', { ...OUTBOUND, tellsUntrusted: false }, [PAI], []],
    [
      '[RFC3325-7b] none wins over the setting',
      { ...OUTBOUND, tellsUntrusted: false },
      [PAI, 'Privacy: none'],
      [PAI, 'Privacy: none'],
    ],
    ['[RFC3325-6a] P-Preferred-Identity never goes on', INSIDE, [PPI, 'X: 1'], ['X: 1']],
    ['[RFC3325-6a] P-Preferred-Identity of an untrusted source never goes on', INBOUND, [PPI], []],
  ])('%s', (_title, facts, lines, left) => {
    expect(edited(request(...lines), facts)).toEqual(left)
  })

  test.each<[string, string[], string[]]>([
    ['one sip and one tel', ['<sip:a@x>, <tel:+1>'], ['<sip:a@x>, <tel:+1>']],
    ['a second sip', ['<sip:a@x>, <sip:b@x>'], ['<sip:a@x>']],
    ['a sips behind a sip', ['<sip:a@x>', '<sips:a@x>'], ['<sip:a@x>']],
    ['another scheme', ['<mailto:a@x>, tel:+1'], ['tel:+1']],
    [
      'a display name with a colon',
      ['"sip: <you>" <sip:a@x>', 'tel:+1', 'tel:+2'],
      ['"sip: <you>" <sip:a@x>', 'tel:+1'],
    ],
  ])('[RFC5876-4.5] values that are to be ignored are not forwarded: %s', (_title, values, left) => {
    const name = (value: string): string => `P-Asserted-Identity: ${value}`
    expect(edited(request(...values.map(name)), INSIDE)).toEqual(left.map(name))
  })

  test.each<[string, IdentityFacts, string[]]>([
    ['of an untrusted UAS goes', INBOUND, ['X: 1']],
    ['of a trusted one stays', INSIDE, [PAI, 'X: 1']],
  ])('[RFC3325-5b] in a response %s', (_title, facts, left) => {
    expect(edited(messageOf('SIP/2.0 200 OK', [PAI, 'X: 1']), facts)).toEqual(left)
  })

  test('[RFC3325-7a] in a response with Privacy: id goes to no untrusted caller', () => {
    expect(edited(messageOf('SIP/2.0 200 OK', [PAI, 'Privacy: id']), OUTBOUND)).toEqual(['Privacy: id'])
  })

  test('[RFC3325-5b] a hundred and twenty lines of it between others are taken out', () => {
    const lines = Array.from({ length: 120 }, (_, k) => [PAI, `X-${k}: 1`]).flat()
    expect(edited(request(...lines), INBOUND)).toEqual(lines.filter((line) => line !== PAI))
  })

  test('a line that the plan has taken out is left alone', () => {
    const msg = request(PAI, 'Privacy: id')
    const edits = new Edits()
    edits.reset(msg)
    const line = findHeaderByName(msg, 'P-Asserted-Identity')
    edits.remove(headerLineStart(msg, line), headerLineEnd(msg, line))
    editIdentity(msg, edits, OUTBOUND)
    expect(linesOf(edits)).toEqual([])
  })

  test('a request without any of the headers gets no edit', () => {
    const edits = new Edits()
    const msg = request('X: 1')
    edits.reset(msg)
    editIdentity(msg, edits, { sourceTrusted: false, targetTrusted: false, tellsUntrusted: false })
    expect(edits.count).toBe(0)
  })

  test.each<[string, IdentityFacts, boolean]>([
    ['Privacy: id', OUTBOUND, true],
    ['Privacy: id', INSIDE, false],
    ['Privacy: user', OUTBOUND, true],
    ['Privacy: session', OUTBOUND, false],
    ['Privacy: none', OUTBOUND, false],
    ['X: 1', { ...OUTBOUND, tellsUntrusted: false }, true],
  ])('[RFC3325-7ab] with %j an identity that the plan adds is withheld: %o %s', (line, facts, isWithheld) => {
    expect(withholdsIdentity(request(line), facts)).toBe(isWithheld)
  })
})

describe('Privacy', () => {
  test('[RFC3323-5.3] user: informational headers go, the value stays for who can do the rest', () => {
    const gone = [
      'Subject: s',
      'Call-Info: <http://x>',
      'Organization: o',
      'User-Agent: u',
      'Reply-To: <sip:a@b>',
      'In-Reply-To: 9',
    ]
    expect(edited(request(...gone, 's: compact', 'X: 1', 'Privacy: user;id'), OUTBOUND)).toEqual([
      'X: 1',
      'Privacy: user',
    ])
    expect(edited(request(...gone, 'Privacy: user'), INSIDE)).toEqual([...gone, 'Privacy: user'])
  })

  test('[RFC3323-5af] a value that is seen to goes, others stay', () => {
    expect(edited(request('Privacy: header; id ;session'), OUTBOUND)).toEqual(['Privacy: header;session'])
  })

  test('[RFC3323-5gh] with the last value, critical not counted, the header goes and its option tag', () => {
    expect(edited(request('Privacy: id;critical', 'Proxy-Require: privacy'), OUTBOUND)).toEqual([])
    expect(edited(request('Privacy: id', 'Proxy-Require: x, privacy'), OUTBOUND)).toEqual(['Proxy-Require: x'])
  })

  test.each([
    ['header;critical', 'Privacy Failure (header)'],
    ['session;header;critical', 'Privacy Failure (header, session)'],
    ['user;critical', 'Privacy Failure (user)'],
    ['quantum;critical', 'Privacy Failure (other)'],
    ['id;critical', ''],
    ['history;id;critical', ''],
    ['header', ''],
    ['none', ''],
  ])('[RFC3323-5cde] critical that can not be given: %s → %j', (value, phrase) => {
    expect(privacyFailure(request(`Privacy: ${value}`), true)).toBe(phrase)
  })

  test('[RFC3323-5d] history is critical where History-Info is not handled', () => {
    expect(privacyFailure(request('Privacy: history;critical'), false)).toBe('Privacy Failure (history)')
  })
})
