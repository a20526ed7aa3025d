// SPDX-License-Identifier: MIT
// Identity, Diversion and History-Info of branches as an edge sends them, by the facts of a plan. Not tested here: the edits
// themselves (packages/sip/src/proxy), who is trusted (policy), whether responses are edited (stateful-headers.test.ts).
import { policy } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { BOB, bindingOf, EdgeBench, requestText, responseTo, stepOf, targetOf, valuesOf } from '../testing.ts'

const PAI = 'P-Asserted-Identity'
const OWN = '<sip:alice@example.test>'
const AOR = 'sip:bob@example.test'
const ADD_OWN: policy.HeaderEdit = { operation: policy.HeaderEdit_Operation.ADD, name: PAI, value: OWN }
const REMOVE: policy.HeaderEdit = { operation: policy.HeaderEdit_Operation.REMOVE, name: PAI, value: '' }

let bench: EdgeBench
afterEach(() => bench.close())

function open(settings: Readonly<Record<string, unknown>> = {}): void {
  bench = new EdgeBench(settings)
}

function uri(value: string, extra: Partial<policy.Target> = {}): policy.Target {
  return targetOf({ $case: 'uri', value }, extra)
}

/** A MESSAGE with these headers, planned to these targets, one step each; the last copy that left. */
function send(
  headers: readonly string[],
  targets: readonly policy.Target[],
  extra: Partial<policy.Plan> = {},
  method = 'MESSAGE',
) {
  bench.udpIn(requestText({ method, headers }))
  bench.plan([], { steps: targets.map((target) => ({ ...stepOf({}), targets: [target] })), ...extra })
  if (method === 'INVITE' && bench.location.waiting().includes('beginCall')) bench.begin()
  return bench.sent.at(-1)?.text ?? ''
}

const ELSEWHERE = `sip:bob@${BOB}`

describe('asserted identity', () => {
  test.each<[string, readonly string[], boolean, boolean, string[]]>([
    ['[RFC3325-5b] of an untrusted source is replaced by the plan', [`${PAI}: <sip:eve@x>`], false, true, [OWN]],
    ['[RFC3325-7a] that the plan adds is withheld with Privacy: id', ['Privacy: id'], false, false, []],
    ['[RFC3325-7a] that the plan adds reaches who is trusted with Privacy: id', ['Privacy: id'], false, true, [OWN]],
    ['[RFC3325-7b] that the plan adds is told with Privacy: none', ['Privacy: none'], false, false, [OWN]],
    ['[RFC3325-7c] that the plan adds is told without Privacy', [], false, false, [OWN]],
  ])('%s', (_title, headers, sourceTrusted, trusted, left) => {
    open()
    const text = send(headers, [uri(ELSEWHERE, { trusted })], { sourceTrusted, edits: [REMOVE, ADD_OWN] })
    expect(valuesOf(text, PAI)).toEqual(left)
  })

  test('[RFC3325-7c] the setting keeps it from whoever is not trusted', () => {
    open({ 'edge.identityToUntrusted': 'remove' })
    expect(valuesOf(send([], [uri(ELSEWHERE)], { edits: [ADD_OWN] }), PAI)).toEqual([])
  })

  test('[RFC3325-5e] a trusted source is believed, [RFC3325-6a] its preference goes all the same', () => {
    open()
    const headers = [`${PAI}: <sip:ann@x>`, 'P-Preferred-Identity: <sip:ann@x>']
    const text = send(headers, [uri(ELSEWHERE, { trusted: true })], { sourceTrusted: true })
    expect([valuesOf(text, PAI), valuesOf(text, 'P-Preferred-Identity')]).toEqual([['<sip:ann@x>'], []])
  })

  test('[RFC3325-5e] [RFC5876-4.2] inside the dialog the token says who is trusted', () => {
    open()
    const invite = send([], [uri(ELSEWHERE, { trusted: true })], { sourceTrusted: true }, 'INVITE')
    bench.udpIn(responseTo(invite, 200), BOB)
    const routes = valuesOf(invite, 'Record-Route').map((value) => `Route: ${value}`)
    const inside = {
      method: 'UPDATE',
      uri: ELSEWHERE,
      toTag: 'bob',
      cseq: 2,
      branch: 'z9hG4bK-u',
      headers: [...routes, `${PAI}: ${OWN}`],
    }
    bench.udpIn(requestText(inside))
    expect(valuesOf(bench.last('UPDATE'), PAI)).toEqual([OWN])
  })

  test('[RFC3325-5b] inside a dialog of untrusted sides nobody asserts anything', () => {
    open()
    const invite = send([], [uri(ELSEWHERE)], {}, 'INVITE')
    bench.udpIn(responseTo(invite, 200), BOB)
    const routes = valuesOf(invite, 'Record-Route').map((value) => `Route: ${value}`)
    const inside = {
      method: 'UPDATE',
      uri: ELSEWHERE,
      toTag: 'bob',
      cseq: 2,
      branch: 'z9hG4bK-u',
      headers: [...routes, `${PAI}: ${OWN}`],
    }
    bench.udpIn(requestText(inside))
    expect(valuesOf(bench.last('UPDATE'), PAI)).toEqual([])
  })
})

describe('asserted identity in a response without a transaction', () => {
  test('[RFC3325-5b] of a stateless plan goes: nobody knows who answered', () => {
    open()
    const sent = send([], [uri(ELSEWHERE, { trusted: true })], { stateless: true })
    bench.udpIn(responseTo(sent, 200, 'bob', [`${PAI}: ${OWN}`, 'X-After: 1']), BOB)
    const up = bench.last('200')
    expect([valuesOf(up, PAI), valuesOf(up, 'X-After')]).toEqual([[], ['1']])
  })
})

describe('privacy', () => {
  test('[RFC3323-5cde] critical that can not be given: 500 that names it, and nothing is sent on', () => {
    open()
    const text = send(['Privacy: header;session;critical'], [uri(ELSEWHERE)], {}, 'INVITE')
    expect(text.split('\r\n')[0]).toBe('SIP/2.0 500 Privacy Failure (header, session)')
    expect(bench.take().filter((line) => line.startsWith('INVITE'))).toEqual([])
  })

  test('[RFC3323-5a] within the trust domain another service may give it', () => {
    open()
    const text = send(['Privacy: header;critical'], [uri(ELSEWHERE, { trusted: true })])
    expect(valuesOf(text, 'Privacy')).toEqual(['header;critical'])
  })

  test('[RFC3323-5fgh] what was given goes out of Privacy, and privacy out of Proxy-Require', () => {
    open()
    const text = send(['Privacy: id;critical', 'Proxy-Require: privacy'], [uri(ELSEWHERE)])
    expect([valuesOf(text, 'Privacy'), valuesOf(text, 'Proxy-Require')]).toEqual([[], []])
  })

  test('[RFC3261-16.3.5] another option tag beside privacy is refused, by its name alone', () => {
    open()
    bench.udpIn(requestText({ headers: ['Proxy-Require: privacy, x'] }))
    expect(valuesOf(bench.last('420'), 'Unsupported')).toEqual(['x'])
  })
})

const RETARGET = { from: AOR, reason: 'user-busy' }

describe('Diversion', () => {
  test('[RFC5806-4] another user is called: who was called stands above earlier diversions', () => {
    open()
    const text = send(['Diversion: <sip:first@x>;reason=unconditional'], [uri(ELSEWHERE, { retarget: RETARGET })])
    expect(valuesOf(text, 'Diversion')).toEqual([
      `<${AOR}>;reason=user-busy;counter=1`,
      '<sip:first@x>;reason=unconditional',
    ])
  })

  test.each<[string, Record<string, unknown>, Partial<policy.Target>]>([
    ['the user himself', {}, {}],
    ['off', { 'edge.diversion': 'off' }, { retarget: RETARGET }],
  ])('[RFC5806-4] none: %s', (_title, settings, target) => {
    open(settings)
    expect(valuesOf(send([], [uri(ELSEWHERE, target)]), 'Diversion')).toEqual([])
  })
})

const ASKS = 'Supported: histinfo'
const CALLED = `<${AOR}>;index=1`

describe('History-Info', () => {
  test('[RFC7044-9.2bg] a contact of the user who was called: rc', () => {
    open()
    send([ASKS], [targetOf({ $case: 'aor', value: AOR })])
    bench.location.take('locate').answer({ bindings: [bindingOf(`sip:bob@${BOB}:5062`)] })
    expect(valuesOf(bench.last('MESSAGE'), 'History-Info')).toEqual([CALLED, `<sip:bob@${BOB}:5062>;index=1.1;rc=1`])
  })

  test('[RFC7044-7e] a member of a hunt group: mp, then rc; with the failure of the one before', () => {
    open()
    const member = (name: string): policy.Target =>
      targetOf({ $case: 'aor', value: `sip:${name}@example.test` }, { retarget: { from: AOR, reason: 'unknown' } })
    send([ASKS], [member('carol'), member('dave')])
    bench.location.take('locate').answer({ bindings: [bindingOf(`sip:carol@${BOB}`)] })
    bench.udpIn(responseTo(bench.last('MESSAGE'), 486), BOB)
    bench.location.take('locate').answer({ bindings: [bindingOf(`sip:dave@${BOB}`)] })
    expect(valuesOf(bench.last('MESSAGE'), 'History-Info')).toEqual([
      CALLED,
      '<sip:carol@example.test>;index=1.1;mp=1',
      `<sip:carol@${BOB}?Reason=SIP%3Bcause%3D486>;index=1.2;rc=1.1`,
      '<sip:dave@example.test>;index=1.3;mp=1',
      `<sip:dave@${BOB}>;index=1.4;rc=1.3`,
    ])
    bench.udpIn(responseTo(bench.last('MESSAGE'), 200), BOB)
    expect(valuesOf(bench.last('200'), 'History-Info').at(-1)).toBe(`<sip:dave@${BOB}>;index=1.4;rc=1.3`)
  })

  test('[RFC7044-10.3f] [RFC7044-10.4b] a followed 3xx', () => {
    open()
    send([ASKS], [uri(ELSEWHERE, { retarget: RETARGET })], { maxRecursions: 1 })
    const contact = `Contact: <sip:carol@${BOB}:5070>;mp=1.1`
    bench.udpIn(responseTo(bench.last('MESSAGE'), 302, 'bob', [contact]), BOB)
    expect(valuesOf(bench.last('MESSAGE'), 'History-Info').at(-1)).toBe(`<sip:carol@${BOB}:5070>;index=1.2;mp=1.1`)
  })

  test('[RFC7044-8ab] a redirect carries the entries, and its Contacts what they were found for', () => {
    open()
    bench.udpIn(requestText({ headers: [ASKS] }))
    bench.decide({ $case: 'redirect', value: { status: 302, contacts: [], aor: AOR } })
    bench.location.take('locate').answer({ bindings: [bindingOf(ELSEWHERE)] })
    const text = bench.last('302')
    expect(valuesOf(text, 'History-Info')).toEqual([CALLED])
    expect(valuesOf(text, 'Contact')[0]).toMatch(/;rc=1$/)
  })

  test('[RFC7044-9.4a] a refusal carries the entries that came', () => {
    open()
    const came = `History-Info: <${AOR}>;index=1.1`
    bench.udpIn(requestText({ headers: [came] }))
    bench.decide({ $case: 'reject', value: { status: 404, reason: '', retryAfterS: 0, code: 'unknown_user' } })
    expect(valuesOf(bench.last('404'), 'History-Info')).toEqual([`<${AOR}>;index=1.1`])
  })

  test.each([
    ['nobody asked', {}, [] as string[]],
    ['off', { 'edge.historyInfo': 'off' }, [ASKS]],
  ])('[RFC7044-9.4b] none: %s', (_title, settings, headers) => {
    open(settings)
    expect(valuesOf(send(headers, [uri(ELSEWHERE)]), 'History-Info')).toEqual([])
  })
})

describe('what is written and what is not', () => {
  test('[RFC8217-3a] every URI that the edge writes into a header has its brackets', () => {
    open()
    const headers = [ASKS]
    const text = send(headers, [uri(`sip:bob@${BOB};x=1`, { retarget: RETARGET })], { edits: [ADD_OWN] }, 'INVITE')
    for (const name of ['Record-Route', 'Diversion', 'History-Info', PAI]) {
      const values = valuesOf(text, name)
      expect(values.length, name).toBeGreaterThan(0)
      for (const value of values) expect(value, name).toMatch(/^<sip:[^>]+>/)
    }
  })

  test('[RFC3841-7.2a] toward a foreign domain preferences only pass: nobody is left out by them', () => {
    open()
    const preferences = ['Accept-Contact: *;video;require;explicit', 'Reject-Contact: *;audio']
    const text = send(preferences, [uri(ELSEWHERE)])
    expect([valuesOf(text, 'Accept-Contact'), valuesOf(text, 'Reject-Contact')]).toEqual([
      ['*;video;require;explicit'],
      ['*;audio'],
    ])
  })

  test('[RFC4028-8a] a stateless plan asks for no session timer', () => {
    open()
    const text = send(['Supported: timer'], [uri(ELSEWHERE)], { stateless: true }, 'INVITE')
    expect(text.startsWith('INVITE ')).toBe(true)
    expect(text).not.toMatch(/\r\n(Session-Expires|x|Min-SE) *:/i)
  })

  test('a plain request gets no header of these', () => {
    open()
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    bench.plan([[ELSEWHERE]])
    expect(bench.last('MESSAGE')).not.toMatch(/History-Info|Diversion|Privacy|P-Asserted/)
    expect(bench.sent.at(-1)?.to).toBe(`udp ${BOB}:5060`)
  })
})
