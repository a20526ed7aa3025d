// SPDX-License-Identifier: MIT
// History-Info of one request through its branches and responses, as header values. Not tested here: when the stateful proxy asks
// for them (stateful-history.test.ts), and who is trusted.
import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { Edits, SipMessage, scan } from '../message/index.ts'
import { editIdentity } from './identity-edits.ts'
import { type HistoryMode, type HistoryTarget, openHistory, type RequestHistory } from './request-history.ts'

function messageOf(first: string, lines: readonly string[]): SipMessage {
  const fixed = ['From: <sip:a@example.test>;tag=1', 'To: <sip:b@example.test>', 'Call-ID: 1', 'CSeq: 1 INVITE', '\r\n']
  const text = [first, 'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1', ...lines, ...fixed].join('\r\n')
  const msg = new SipMessage()
  const buf = Buffer.from(text, 'latin1')
  expect(scan(msg, buf, 0, buf.length)).toBe(0)
  return msg
}

function invite(uri: string, ...lines: string[]): SipMessage {
  return messageOf(`INVITE ${uri} SIP/2.0`, lines)
}

function response(status: number, ...lines: string[]): SipMessage {
  return messageOf(`SIP/2.0 ${status} Reason`, lines)
}

const ASKED = 'Supported: 100rel, histinfo'

/** A history under test, with short ways to say what happens. */
class Track {
  readonly request: SipMessage
  readonly history: RequestHistory

  constructor(request: SipMessage, mode: HistoryMode = 'onRequest') {
    this.request = request
    const history = openHistory(request, mode, 'edge.test')
    if (history === undefined) throw new Error('no history')
    this.history = history
  }

  /** Sends a branch; its History-Info values. */
  branch(branchId: string, uri: string, target: Partial<HistoryTarget> = {}): string[] {
    return valuesOf(this.send(branchId, uri, target), 'History-Info')
  }

  send(branchId: string, uri: string, target: Partial<HistoryTarget> = {}): string {
    const edits = new Edits()
    edits.reset(this.request)
    const facts = { branchId, uri, aor: '', mappedFrom: '', redirected: undefined, trusted: true, ...target }
    const done = this.history.edit(this.request, edits, facts)
    editIdentity(this.request, edits, { sourceTrusted: true, targetTrusted: facts.trusted, tellsUntrusted: true }, done)
    const out = Buffer.alloc(60_000)
    return out.latin1Slice(0, edits.encodeInto(out, 0))
  }

  fails(branchId: string, status: number, ...lines: string[]): void {
    this.history.onResponse(branchId, status, response(status, ...lines))
  }

  up(msg?: SipMessage, trusted = true): string[] {
    return valuesOf(this.history.lines(msg, trusted), 'History-Info')
  }
}

function valuesOf(text: string, name: string): string[] {
  return text
    .split('\r\n')
    .filter((line) => line.startsWith(`${name}: `))
    .map((line) => line.slice(name.length + 2))
}

const CALLED = '<sip:bob@biloxi.example.com;p=x>;index=1'

describe('when a history is kept', () => {
  test.each<[HistoryMode, string[], boolean, boolean | undefined]>([
    ['onRequest', [], false, undefined],
    ['onRequest', [ASKED], true, true],
    ['onRequest', ['k: histinfo'], true, true],
    ['onRequest', ['History-Info: <sip:bob@x>;index=1'], true, true],
    ['always', [], true, false],
    ['off', [ASKED], false, undefined],
    ['onRequest', ['History-Info: nonsense'], false, undefined],
    ['always', Array.from({ length: 41 }, (_, k) => `History-Info: <sip:b@x>;index=1.${k}`), false, undefined],
  ])('[RFC7044-9.4b] %s with %j: %s, told upstream: %s', (mode, lines, isKept, answersUp) => {
    const history = openHistory(invite('sip:bob@x', ...lines), mode, 'edge.test')
    expect([history !== undefined, history?.answersUp]).toEqual([isKept, answersUp])
  })
})

describe('entries of branches', () => {
  test('[RFC7044-9.1bcfg] [RFC7044-9.2bc] [RFC7044-10.3abcd] the first entry is written for the hop before, with index 1', () => {
    const track = new Track(invite('sip:bob@biloxi.example.com;p=x', ASKED))
    expect(track.branch('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@biloxi.example.com' })).toEqual([
      CALLED,
      '<sip:bob@192.0.2.3>;index=1.1;rc=1',
    ])
  })

  test('[RFC7044-7abd] [RFC7044-10.3g] the figure of section 5.1: forked in parallel, each branch knows its own entry only', () => {
    const track = new Track(
      invite(
        'sip:bob@biloxi.example.com;p=x',
        `History-Info: ${CALLED}`,
        'History-Info: <sip:bob@biloxi.example.com;p=x>;np=1;index=1.1',
      ),
    )
    const came = [CALLED, '<sip:bob@biloxi.example.com;p=x>;np=1;index=1.1']
    const aor = 'sip:bob@biloxi.example.com'
    expect(track.branch('b1', 'sip:bob@192.0.2.3', { aor })).toEqual([
      ...came,
      '<sip:bob@192.0.2.3>;index=1.1.1;rc=1.1',
    ])
    expect(track.branch('b2', 'sip:bob@192.0.2.7', { aor })).toEqual([
      ...came,
      '<sip:bob@192.0.2.7>;index=1.1.2;rc=1.1',
    ])
    track.history.onResponse('b1', 200, response(200))
    expect(track.up()).toEqual([
      CALLED,
      '<sip:bob@biloxi.example.com;p=x>;index=1.1;np=1',
      '<sip:bob@192.0.2.3>;index=1.1.1;rc=1.1',
    ])
  })

  test('[RFC7044-10.3d] [RFC7044-10.4a] np: the target is not changed', () => {
    const track = new Track(invite('sip:+1555@gw.test', 'History-Info: <sip:+1555@gw.test>;index=1.2'))
    expect(track.branch('b1', 'sip:+1555@gw.test')).toEqual([
      '<sip:+1555@gw.test>;index=1.2',
      '<sip:+1555@gw.test>;index=1.2.1;np=1.2',
    ])
  })

  test('[RFC7044-7c] [RFC7044-9.2af] [RFC7044-9.3ab] [RFC7044-10.2a] [RFC7044-10.3eg] serial forks are numbered on, and know how those before them ended', () => {
    const track = new Track(invite('sip:bob@x', ASKED))
    track.branch('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@x' })
    track.fails('b1', 486)
    track.branch('b2', 'sip:bob@192.0.2.4', { aor: 'sip:bob@x' })
    track.history.onResponse('b2', 408, undefined)
    expect(track.branch('b3', 'sip:bob@192.0.2.5', { aor: 'sip:bob@x' })).toEqual([
      '<sip:bob@x>;index=1',
      '<sip:bob@192.0.2.3?Reason=SIP%3Bcause%3D486>;index=1.1;rc=1',
      '<sip:bob@192.0.2.4?Reason=SIP%3Bcause%3D408>;index=1.2;rc=1',
      '<sip:bob@192.0.2.5>;index=1.3;rc=1',
    ])
  })

  test('[RFC7044-10.3a] [RFC3263-4.3] another way to the same target is the same entry', () => {
    const track = new Track(invite('sip:bob@x', ASKED))
    track.branch('b1', 'sip:bob@gw.test')
    track.history.onResponse('b1', 503, undefined)
    expect(track.branch('b2', 'sip:bob@gw.test')).toEqual(['<sip:bob@x>;index=1', '<sip:bob@gw.test>;index=1.1;rc=1'])
    track.fails('b2', 486)
    expect(track.branch('b3', 'sip:bob@gw.test').at(-1)).toBe('<sip:bob@gw.test>;index=1.2;rc=1')
  })

  test('[RFC7044-7e] [RFC7044-9.2g] [RFC7044-10.3de] [RFC7044-10.4a] mapped to another user and then to his contacts: an entry for each', () => {
    const track = new Track(invite('sip:sales@x', ASKED))
    const carol = { aor: 'sip:carol@x', mappedFrom: 'sip:sales@x' }
    expect(track.branch('b1', 'sip:carol@192.0.2.3', carol)).toEqual([
      '<sip:sales@x>;index=1',
      '<sip:carol@x>;index=1.1;mp=1',
      '<sip:carol@192.0.2.3>;index=1.2;rc=1.1',
    ])
    track.fails('b1', 480)
    expect(track.branch('b2', 'sip:carol@192.0.2.4', carol).slice(1)).toEqual([
      '<sip:carol@x>;index=1.1;mp=1',
      '<sip:carol@192.0.2.3?Reason=SIP%3Bcause%3D480>;index=1.2;rc=1.1',
      '<sip:carol@192.0.2.4>;index=1.3;rc=1.1',
    ])
    track.fails('b2', 486)
    const next = track.branch('b3', 'sip:dave@192.0.2.5', { aor: 'sip:dave@x', mappedFrom: 'sip:carol@x' })
    expect(next.slice(-2)).toEqual(['<sip:dave@x>;index=1.4;mp=1.1', '<sip:dave@192.0.2.5>;index=1.5;rc=1.4'])
  })

  test('[RFC7044-10.4a] mp: forwarded to a URI elsewhere, which is another user', () => {
    const track = new Track(invite('sip:bob@x', ASKED))
    expect(track.branch('b1', 'sip:+1555@gw.test', { mappedFrom: 'sip:bob@x' }).at(-1)).toBe(
      '<sip:+1555@gw.test>;index=1.1;mp=1',
    )
  })

  test.each([
    ['mp=1.1', ';mp=1.1'],
    ['', ''],
  ])('[RFC7044-10.3f] [RFC7044-10.4b] a 3xx is followed to a Contact with %j', (redirected, param) => {
    const track = new Track(invite('sip:bob@x', ASKED))
    track.branch('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@x' })
    track.fails('b1', 302)
    expect(track.branch('b2', 'sip:carol@y', { redirected }).slice(1)).toEqual([
      '<sip:bob@192.0.2.3?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1',
      `<sip:carol@y>;index=1.2${param}`,
    ])
  })

  test('[RFC7044-9.1b] [RFC7044-10.3h] a gap is told by a zero', () => {
    const track = new Track(invite('sip:bob@x', 'History-Info: <sip:other@y>;index=1.1.2'))
    expect(track.branch('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@x' })).toEqual([
      '<sip:other@y>;index=1.1.2',
      '<sip:bob@x>;index=1.1.2.0',
      '<sip:bob@192.0.2.3>;index=1.1.2.0.1;rc=1.1.2.0',
    ])
  })

  test('[RFC7044-9.1b] the last entry is the Request-URI by the rules of comparison, its headers aside', () => {
    const track = new Track(
      invite('sip:bob@X.test', 'History-Info: <sip:%62ob@x.test?Reason=SIP%3Bcause%3D302>;index=1.1'),
    )
    expect(track.branch('b1', 'sip:b@192.0.2.3', { aor: 'sip:bob@x.test' }).at(-1)).toBe(
      '<sip:b@192.0.2.3>;index=1.1.1;rc=1.1',
    )
  })

  test('[RFC7044-9.1d] [RFC3261-19.1.6] a tel URI is written as a SIP URI', () => {
    const track = new Track(invite('tel:+1-555-0100', ASKED))
    expect(track.branch('b1', 'sip:+15550100@gw.test')[0]).toBe('<sip:+1-555-0100@edge.test;user=phone>;index=1')
  })

  test('[RFC7044-7a] [RFC7044-9.1a] [RFC7044-9.2a] [RFC7044-16.1a] entries that came stay byte for byte, the new ones follow the last', () => {
    const came = 'History-Info:  <sip:a@x> ;index=1 ,\r\n <sip:bob@x>;index=1.1;x="a,b"'
    const track = new Track(invite('sip:bob@x', 'X-Before: 1', came, 'X-After: 1'))
    const text = track.send('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@x' })
    expect(text).toContain(
      `X-Before: 1\r\n${came}\r\nHistory-Info: <sip:bob@192.0.2.3>;index=1.1.1;rc=1.1\r\nX-After: 1\r\n`,
    )
  })

  test('[RFC7044-16.1b] entries of RFC 4244, without rc, mp and np, pass and count as any others', () => {
    const came = ['<sip:ann@y>;index=1', '<sip:bob@x?Reason=SIP%3Bcause%3D302>;index=1.1']
    const track = new Track(invite('sip:bob@x', ...came.map((entry) => `History-Info: ${entry}`)))
    const last = '<sip:bob@192.0.2.3>;index=1.1.1;rc=1.1'
    expect(track.branch('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@x' })).toEqual([...came, last])
  })

  test('a branch beyond the bound is sent with what came', () => {
    const track = new Track(invite('sip:bob@x', ASKED))
    for (let k = 0; k < 45; k += 1) track.branch(`b${k}`, `sip:bob@192.0.2.${k}`, { aor: 'sip:bob@x' })
    expect(track.branch('last', 'sip:bob@192.0.2.99')).toEqual([])
  })

  test('a target that is longer than any URI of a phone is not written down', () => {
    const track = new Track(invite('sip:bob@x', ASKED))
    expect(track.branch('b1', `sip:bob@192.0.2.1;x=${'y'.repeat(600)}`)).toEqual([])
  })
})

describe('what responses tell', () => {
  test('[RFC7044-10.2ab] the status, and the Reasons of the response that are of other protocols', () => {
    const track = new Track(invite('sip:bob@x', ASKED))
    track.branch('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@x' })
    track.fails('b1', 486, 'Reason: Q.850;cause=17;text="busy", SIP;cause=600')
    expect(track.up().at(-1)).toBe(
      '<sip:bob@192.0.2.3?Reason=SIP%3Bcause%3D486&Reason=Q.850%3Bcause%3D17%3Btext%3D%22busy%22>;index=1.1;rc=1',
    )
  })

  test('[RFC7044-9.3bc] entries of places beyond are taken, in their order, once', () => {
    const track = new Track(invite('sip:bob@x', ASKED))
    track.branch('b1', 'sip:bob@y', { mappedFrom: 'sip:bob@x' })
    track.branch('b2', 'sip:bob@z', { mappedFrom: 'sip:bob@x' })
    const beyond = ['<sip:bob@x>;index=1', '<sip:bob@y>;index=1.1;mp=1', '<sip:bob@192.0.2.9>;index=1.1.1;rc=1.1']
    const line = `History-Info: ${beyond.join(', ')}`
    track.fails('b2', 480)
    track.history.onResponse('b1', 180, response(180, line))
    track.history.onResponse('b1', 200, response(200, line))
    expect(track.up()).toEqual([...beyond, '<sip:bob@z?Reason=SIP%3Bcause%3D480>;index=1.2;mp=1'])
  })

  test('[RFC7044-9.3c] nothing is taken that is not below our own entry', () => {
    const track = new Track(invite('sip:bob@x', ASKED))
    track.branch('b1', 'sip:bob@y', { mappedFrom: 'sip:bob@x' })
    track.history.onResponse('b1', 200, response(200, 'History-Info: <sip:forged@x>;index=0, <sip:forged@x>;index=2'))
    expect(track.up()).toEqual(['<sip:bob@x>;index=1', '<sip:bob@y>;index=1.1;mp=1'])
  })

  test('[RFC7044-9.4a] a branch without any response is not told of; 100 is none', () => {
    const track = new Track(invite('sip:bob@x', ASKED))
    track.branch('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@x' })
    track.history.onResponse('b1', 100, response(100))
    expect(track.up()).toEqual(['<sip:bob@x>;index=1'])
  })

  test('[RFC7044-9.4b] who did not ask gets nothing', () => {
    const track = new Track(invite('sip:bob@x'), 'always')
    expect(track.branch('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@x' })).toHaveLength(2)
    expect(track.up()).toEqual([])
  })

  test('[RFC7044-8c] a Contact of a redirect says what it was found for', () => {
    expect(new Track(invite('sip:bob@x', ASKED)).history.contactParam).toBe(';rc=1')
  })
})

describe('privacy of entries', () => {
  const ANONYMOUS = '<sip:anonymous@anonymous.invalid'

  test('[RFC7044-5] [RFC7044-9.1e] [RFC7044-9.2e] [RFC7044-10.1.2abde] [RFC3323-4.1.1.3] history: toward an untrusted target all entries of our domain are anonymous, and the value goes', () => {
    const track = new Track(
      invite(
        'sip:bob@x',
        'Privacy: history',
        'History-Info: <sip:ann@y>;index=1, <sip:sales@x>;index=1.1;mp=1, <sip:bob@x>;index=1.2;mp=1.1',
      ),
    )
    const text = track.send('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@x', trusted: false })
    expect(valuesOf(text, 'History-Info')).toEqual([
      `<sip:ann@y>;index=1, ${ANONYMOUS}>;index=1.1;mp=1, ${ANONYMOUS}>;index=1.2;mp=1.1`,
      `${ANONYMOUS}>;index=1.2.1;rc=1.2`,
    ])
    expect(text).not.toContain('Privacy')
  })

  test('[RFC7044-10.1.2a] toward a trusted target nothing is hidden', () => {
    const track = new Track(
      invite('sip:bob@x', 'Privacy: history', 'History-Info: <sip:bob@x?Privacy=history>;index=1'),
    )
    const text = track.send('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@x' })
    expect(valuesOf(text, 'History-Info')).toEqual([
      '<sip:bob@x?Privacy=history>;index=1',
      '<sip:bob@192.0.2.3>;index=1.1;rc=1',
    ])
    expect(text).toContain('Privacy: history\r\n')
  })

  test('[RFC7044-10.1.2a] header hides entries too, and stays for who can do the rest', () => {
    const track = new Track(invite('sip:bob@x', ASKED, 'Privacy: header'))
    const text = track.send('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@x', trusted: false })
    expect(valuesOf(text, 'History-Info')).toEqual([`${ANONYMOUS}>;index=1`, `${ANONYMOUS}>;index=1.1;rc=1`])
    expect(text).toContain('Privacy: header\r\n')
  })

  test('[RFC7044-10.1.2d] [RFC3323-5f] several values are taken out of one header', () => {
    const track = new Track(invite('sip:bob@x', ASKED, 'Privacy: id;history;session'))
    expect(valuesOf(track.send('b1', 'sip:bob@192.0.2.3', { trusted: false }), 'Privacy')).toEqual(['session'])
  })

  test('[RFC7044-10.1.2cf] an entry of ours that asks for privacy itself loses its URI and its Privacy, with none in the message too', () => {
    const track = new Track(
      invite(
        'sip:bob@x',
        'Privacy: none',
        'History-Info: <sip:sales@x?Privacy=history&Reason=SIP%3Bcause%3D486>;index=1, <sip:bob@x>;index=1.1',
      ),
    )
    const text = track.send('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@x', trusted: false })
    expect(valuesOf(text, 'History-Info')).toEqual([
      `${ANONYMOUS}?Reason=SIP%3Bcause%3D486>;index=1, <sip:bob@x>;index=1.1`,
      '<sip:bob@192.0.2.3>;index=1.1.1;rc=1.1',
    ])
    expect(text).toContain('Privacy: none\r\n')
  })

  test('[RFC7044-10.1.2a] the Privacy of a response hides entries from an untrusted caller', () => {
    const track = new Track(invite('sip:bob@x', ASKED))
    track.branch('b1', 'sip:bob@192.0.2.3', { aor: 'sip:bob@x' })
    const ok = response(200, 'Privacy: history')
    track.history.onResponse('b1', 200, ok)
    expect(track.up(ok, false)).toEqual([`${ANONYMOUS}>;index=1`, `${ANONYMOUS}>;index=1.1;rc=1`])
    expect(track.up(ok, true)).toEqual(['<sip:bob@x>;index=1', '<sip:bob@192.0.2.3>;index=1.1;rc=1'])
  })

  test('[RFC7044-10.1.1] a UAS hides its own entry', () => {
    const track = new Track(invite('sip:bob@x', ASKED))
    track.branch('b1', 'sip:bob@x', {})
    const ok = response(
      200,
      'History-Info: <sip:bob@x>;index=1, <sip:bob@x>;index=1.1, <sip:vm@x?Privacy=history>;index=1.1.1',
    )
    track.history.onResponse('b1', 200, ok)
    expect(track.up(ok, false).at(-1)).toBe(`${ANONYMOUS}>;index=1.1.1`)
  })
})
