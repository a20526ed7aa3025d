// SPDX-License-Identifier: MIT
// What ICMP errors do to requests over UDP, and what forged ones don't. Not tested here: where they come from
// (packages/transport/src/udp-batch.test.ts), a kernel's own (test/nat/closed-port.test.ts).
import { policy } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, BOB, bindingOf, EdgeBench, requestText, responseTo, stepOf, targetOf, valuesOf } from '../testing.ts'

const OTHER = '192.0.2.31'
const UP = `udp ${ALICE}:5060`
const { SERIAL } = policy.Step_Forking
let bench: EdgeBench
afterEach(() => bench.close())

/** An error about a place; it quotes what was sent there last, as far as `bytes`. */
const icmp = (address: string, bytes = 500, text = quoted(address), port = 5060): void => {
  const buf = Buffer.from(text.slice(0, bytes), 'latin1')
  bench.core.unreachables.receive(bench.core, address, port, buf, 0, buf.length)
}
const quoted = (address: string): string => bench.sent.findLast(({ to }) => to === `udp ${address}:5060`)?.text ?? ''

/** An INVITE for bob, who is bound at these places. */
const invite = (hosts: readonly string[]): void => {
  bench = new EdgeBench()
  bench.udpIn(requestText({ headers: ['Supported: x'] }))
  const target = targetOf({ $case: 'aor', value: 'sip:bob@example.test' })
  bench.plan([], { steps: [stepOf({ targets: [target], forking: SERIAL })] })
  const bindings = hosts.map((host, k) => ({ ...bindingOf(`sip:bob@${host}`), qMilli: 1000 - k }))
  bench.location.take('locate').answer({ bindings, version: 1n })
  bench.begin()
  bench.take()
}
/** The directory takes the next branch. */
const held = (): void => bench.location.take('updateCall').answer({ held: true })

describe('an INVITE to a phone that is gone', () => {
  test('[RFC3261-18.4a] [RFC3261-16.9] [RFC3261-17.1.4ab] goes to the next binding at once', () => {
    invite([BOB, OTHER])
    icmp(BOB)
    held()
    expect(bench.take()).toEqual([`INVITE → udp ${OTHER}:5060`])
    expect(bench.core.counts.unreachable).toBe(1)
  })

  test('[RFC3261-16.9] is 480 to the caller where there is no other', () => {
    invite([BOB])
    icmp(BOB)
    expect(bench.take()).toEqual([`480 → ${UP}`])
  })

  test('to a URI it is a 503, which goes up as 500', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    bench.plan([[`sip:bob@${BOB}`]])
    bench.begin()
    bench.take()
    icmp(BOB)
    expect(bench.take()).toEqual([`500 → ${UP}`])
  })

  test('whose own headers stand before our Via is found all the same', () => {
    invite([BOB])
    const [line = '', ...rest] = quoted(BOB).split('\r\n')
    icmp(BOB, 500, [line, 'Subject: Via: SIP/2.0/UDP x;branch=y;', ...rest].join('\r\n'))
    expect(bench.take()).toEqual([`480 → ${UP}`])
  })
})

describe('what is left alone', () => {
  test('a request that has been answered, if by 100 only', () => {
    invite([BOB])
    const text = quoted(BOB)
    bench.udpIn(responseTo(text, 100), BOB)
    icmp(BOB, 500, text)
    for (let k = 0; k < 4; k += 1) {
      bench.advance(500)
      icmp(BOB, 0)
    }
    expect([bench.take(), bench.core.counts.unreachable]).toEqual([[], 0])
  })

  test('a quote of our branch about another place, and one of a branch that is not ours', () => {
    invite([BOB])
    icmp(OTHER, 500, quoted(BOB))
    icmp(BOB, 500, quoted(BOB).replace(/branch=z9hG4bK/, 'branch=z9hG4bKx'))
    expect(bench.take()).toEqual([])
  })

  test('an exception is logged, and nobody else’s', () => {
    bench = new EdgeBench()
    expect(() => icmp(BOB, 500, 'INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z;\r\n')).not.toThrow()
  })
})

describe('an error that quotes too little to prove anything', () => {
  test('counts when another comes after the request was repeated', () => {
    invite([BOB])
    icmp(BOB, 8)
    expect(bench.take()).toEqual([])
    bench.advance(500)
    expect(bench.take()).toEqual([`INVITE → udp ${BOB}:5060`])
    icmp(BOB, 0)
    expect(bench.take()).toEqual([`480 → ${UP}`])
  })

  test('a flood before and during set-up does nothing to a phone that answers', () => {
    bench = new EdgeBench()
    for (let k = 0; k < 20; k += 1) {
      bench.advance(50)
      icmp(BOB, 0)
    }
    bench.close()
    invite([BOB])
    for (let k = 0; k < 6; k += 1) {
      icmp(BOB, 0)
      bench.advance(50)
    }
    bench.udpIn(responseTo(quoted(BOB), 180), BOB)
    for (let k = 0; k < 40; k += 1) {
      bench.advance(50)
      icmp(BOB, 0)
    }
    expect(bench.take()).toEqual([`180 → ${UP}`])
  })
})

test('[RFC3261-16.9] a BYE to a phone that is gone: 480, and the call has ended', () => {
  bench = new EdgeBench()
  bench.udpIn(requestText())
  bench.plan([[`sip:bob@${BOB}`]], {}, 'ref1')
  bench.begin()
  const invited = bench.last('INVITE')
  bench.udpIn(responseTo(invited, 200, 'bob', [`Contact: <sip:bob@${BOB}>`]), BOB)
  bench.policy.take('report').answer({ stored: true })
  const routes = valuesOf(invited, 'Record-Route').map((value) => `Route: ${value}`)
  const bye = { method: 'BYE', uri: `sip:bob@${BOB}`, toTag: 'bob', branch: 'z9hG4bK-a2', cseq: 2, headers: routes }
  bench.udpIn(requestText(bye))
  bench.take()
  icmp(BOB)
  const report = bench.policy.take<{ event: unknown }>('report')
  expect(report.request.event).toMatchObject({ $case: 'ended', value: { status: 408 } })
  report.answer({ stored: true })
  expect(bench.take()).toEqual([`480 → ${UP}`])
})

test('a ping that nobody takes counts as one without an answer', () => {
  bench = new EdgeBench({ 'edge.natPing.method': 'options' }, 'edge-0.test')
  const binding = bindingOf('sip:bob@10.0.0.5', { address: BOB, natEdge: 'edge-0.test' })
  bench.core.natPings.sync(bench.core, 'sip:bob@x', [{ ...binding, expiresS: 600 }])
  bench.advance(26_000)
  icmp(BOB)
  expect(bench.core.counts.natPingsUnanswered).toBe(1)
})
