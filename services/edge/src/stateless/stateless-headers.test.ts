// SPDX-License-Identifier: MIT
// Identity, privacy, Diversion and History-Info of what passes without a transaction: as for what has one (header-work.test.ts), but
// for responses, which nobody remembers. And how large its copy may become (RFC 3261 section 18.1.1).
import { policy } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { BOB, bindingOf, EdgeBench, requestText, responseTo, stepOf, targetOf, valuesOf } from '../testing.ts'

const PAI = 'P-Asserted-Identity'
const ANN = '<sip:ann@x>'
const AOR = 'sip:bob@example.test'
const BOB_URI = `sip:bob@${BOB}`
const DOWN = `udp ${BOB}:5060`
const RETARGET = { from: AOR, reason: 'user-busy' }

let bench: EdgeBench
afterEach(() => bench.close())

/** An INVITE with these headers, by a stateless plan to this target. */
function pass(headers: readonly string[], target: Partial<policy.Target> = {}, extra: Partial<policy.Plan> = {}) {
  bench = new EdgeBench()
  bench.udpIn(requestText({ headers }))
  decide(target, extra)
  return bench.sent.at(-1)?.text ?? ''
}

function decide(target: Partial<policy.Target> = {}, extra: Partial<policy.Plan> = {}): void {
  const targets = [targetOf({ $case: 'uri', value: BOB_URI }, target)]
  bench.plan([], { steps: [stepOf({ targets })], stateless: true, ...extra })
}

describe('a stateless plan', () => {
  test.each<[string, boolean, string[]]>([
    ['[RFC3325-5b] who is not trusted asserts nothing', false, []],
    ['[RFC3325-5e] who is trusted is believed', true, [ANN]],
  ])('%s', (_title, sourceTrusted, left) => {
    expect(valuesOf(pass([`${PAI}: ${ANN}`], { trusted: true }, { sourceTrusted }), PAI)).toEqual(left)
  })

  test('[RFC3323-5cde] critical privacy that can not be given: 500 that names it, and nothing is sent on', () => {
    const text = pass(['Privacy: header;session;critical'])
    expect(text.split('\r\n')[0]).toBe('SIP/2.0 500 Privacy Failure (header, session)')
    expect(bench.take().filter((line) => line.startsWith('INVITE'))).toEqual([])
  })

  test('[RFC3323-5a] within the trust domain another service may give it', () => {
    expect(valuesOf(pass(['Privacy: header;critical'], { trusted: true }), 'Privacy')).toEqual(['header;critical'])
  })

  test('[RFC5806-4] another user is called: Diversion, in a repetition too, and not in its ACK and CANCEL', () => {
    const sent = pass([], { retarget: RETARGET })
    expect(valuesOf(sent, 'Diversion')).toEqual([`<${AOR}>;reason=user-busy;counter=1`])
    bench.udpIn(requestText())
    expect(bench.last('INVITE')).toBe(sent)
    for (const method of ['ACK', 'CANCEL']) {
      bench.udpIn(requestText({ method }))
      expect(valuesOf(bench.last(method), 'Diversion'), method).toEqual([])
    }
  })

  test('[RFC7044-9.2bg] History-Info where it is asked for, the same in a repetition', () => {
    const headers = ['Supported: histinfo']
    const sent = pass(headers)
    expect(valuesOf(sent, 'History-Info')).toEqual([`<${AOR}>;index=1`, `<${BOB_URI}>;index=1.1;rc=1`])
    bench.udpIn(requestText({ headers }))
    expect(bench.last('INVITE')).toBe(sent)
  })
})

describe('a dialog that a stateless plan began', () => {
  test.each<[string, boolean, string[]]>([
    ['[RFC3325-5b] of untrusted sides: nobody asserts anything in it', false, []],
    ['[RFC3325-5e] [RFC5876-4.2] of trusted sides: its token says so', true, [ANN]],
  ])('%s', (_title, trusted, left) => {
    const invite = pass([], { trusted }, { sourceTrusted: trusted })
    bench.udpIn(responseTo(invite, 200), BOB)
    const headers = [...valuesOf(invite, 'Record-Route').map((value) => `Route: ${value}`), `${PAI}: ${ANN}`]
    bench.udpIn(requestText({ method: 'UPDATE', uri: BOB_URI, toTag: 'bob', cseq: 2, branch: 'z9hG4bK-u', headers }))
    expect(valuesOf(bench.last('UPDATE'), PAI)).toEqual(left)
  })
})

/** A header that brings the copy of a plain INVITE near to 1,300 bytes. */
const filler = (bytes: number): string => `X-Large: ${'x'.repeat(bytes)}`

describe('the size that decides between UDP and TCP [RFC3261-18.1.1]', () => {
  const LONG: policy.HeaderEdit = {
    operation: policy.HeaderEdit_Operation.ADD,
    name: 'X-Plan',
    value: 'y'.repeat(500),
  }
  const HISTORY = ['Supported: histinfo', `History-Info: <sip:${'a'.repeat(300)}@h>;index=1`]

  const cases: [string, string[], Partial<policy.Target>, Partial<policy.Plan>][] = [
    ['the lines that a plan adds', [filler(500)], {}, { edits: [LONG] }],
    ['Diversion', [filler(500)], { retarget: { from: `sip:${'b'.repeat(500)}@h`, reason: 'unknown' } }, {}],
    ['History-Info', [filler(540), ...HISTORY], {}, {}],
  ]
  test.each(cases.flatMap((row) => [true, false].map((stateless) => ({ row, stateless }))))(
    'counts $row.0, stateless: $stateless',
    ({ row: [, headers, target, extra], stateless }) => {
      bench = new EdgeBench()
      bench.udpIn(requestText({ method: 'MESSAGE', headers }))
      decide(target, { stateless, ...extra })
      expect(bench.sent.at(-1)?.text.length).toBeGreaterThan(1300)
      expect(bench.take()).toEqual(['MESSAGE → tcp 1'])
    },
  )

  test.each([true, false])(
    'a copy of 1,300 bytes and no more never leaves over TCP where it is plain, stateless: %s',
    (stateless) => {
      bench = new EdgeBench()
      bench.udpIn(requestText({ method: 'MESSAGE', headers: [filler(800)] }))
      decide({}, { stateless })
      expect(bench.take()).toEqual([`MESSAGE → ${DOWN}`])
    },
  )

  test('no copy above 1,300 bytes leaves over UDP, whatever is in it', () => {
    for (let bytes = 500; bytes < 1300; bytes += 7) {
      bench = new EdgeBench({ 'edge.historyInfo': 'always' })
      bench.udpIn(requestText({ headers: [filler(bytes)] }))
      const targets = [targetOf({ $case: 'aor', value: AOR }, { retarget: RETARGET })]
      bench.plan([], { steps: [stepOf({ targets })] })
      bench.location.take('locate').answer({ bindings: [bindingOf(`${BOB_URI};x=${'z'.repeat(20)}`)] })
      bench.begin()
      const sent = bench.sent.find(({ text }) => text.startsWith('INVITE'))
      expect(sent?.to === 'tcp 1' || (sent?.text.length ?? 0) <= 1300, `${bytes}: ${sent?.text.length}`).toBe(true)
      bench.close()
    }
  })
})
