// SPDX-License-Identifier: MIT
// What RFC 3261 §16.1 to 16.6 ask of an edge as a whole: unknown methods and fields pass, merged requests pass, targets and
// Record-Route have the form they must have. Does not test: Route and maddr, stateless forwarding, plans.
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, BOB, EDGE_ADDRESS, EdgeBench, requestText, responseTo, valuesOf } from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const UP = `udp ${ALICE}:5060`
const DOWN = `udp ${BOB}:5060`
const BOB_URI = `sip:bob@${BOB}`

const invited = (text = requestText()): void => {
  bench = new EdgeBench()
  bench.udpIn(text)
  bench.plan([[BOB_URI]])
  bench.begin()
}

describe('a new request', () => {
  test('MUST be handed to who decides, and 100 goes back at once when it is taken [RFC3261-16.2a] [RFC3261-17.2.1c]', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    expect(bench.policy.waiting()).toEqual(['decide'])
    bench.plan([[BOB_URI]])
    bench.begin()
    expect(bench.take()).toEqual([`100 → ${UP}`, `INVITE → ${DOWN}`])
  })

  test('its 100 SHOULD NOT have a To tag [RFC3261-17.2.1b]', () => {
    invited()
    expect(valuesOf(bench.last('100'), 'To')).toEqual(['<sip:bob@example.test>'])
  })

  test('MUST pass with a method and fields that nobody knows, all the way and back [RFC3261-16.2c] [RFC3261-16.3.1d]', () => {
    bench = new EdgeBench()
    const odd = ['X-Unknown: a;b="c"', 'Date: not a date', 'Require: foo']
    bench.udpIn(requestText({ method: 'FROBNICATE', headers: odd }))
    bench.plan([[BOB_URI]])
    expect(bench.take()).toEqual([`FROBNICATE → ${DOWN}`])
    const sent = bench.last('FROBNICATE')
    for (const line of odd) expect(sent).toContain(`${line}\r\n`)
    bench.udpIn(responseTo(sent, 200), BOB)
    expect(bench.take()).toEqual([`200 → ${UP}`])
  })

  test('MUST NOT fail because it came by another way too [RFC3261-16.3c]', () => {
    bench = new EdgeBench()
    for (const branch of ['z9hG4bK-one', 'z9hG4bK-two']) {
      bench.udpIn(requestText({ method: 'MESSAGE', branch }))
      bench.plan([[BOB_URI]])
    }
    expect(bench.take()).toEqual([`MESSAGE → ${DOWN}`, `MESSAGE → ${DOWN}`])
  })

  test('MUST show its credentials, and goes nowhere without [RFC3261-16.3.6]', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    bench.decide({ $case: 'challenge', value: { status: 407, values: ['Digest realm="x"'] } })
    expect(bench.take()).toEqual([`407 → ${UP}`])
    const credentials = 'Digest username="alice", realm="x", nonce="n", uri="sip:x", response="r"'
    bench.udpIn(requestText({ branch: 'z9hG4bK-2', headers: [`Proxy-Authorization: ${credentials}`] }))
    expect(bench.policy.items[0]?.request).toMatchObject({ credentials: [{ proxy: true, value: credentials }] })
    bench.plan([[BOB_URI]])
    bench.begin()
    expect(bench.take()).toEqual([`100 → ${UP}`, `INVITE → ${DOWN}`])
  })

  test('that is answered here MUST be answered as by a UAS [RFC3261-16.1a] [RFC3261-16.3b]', () => {
    bench = new EdgeBench()
    const text = requestText({ headers: ['Max-Forwards: 0', 'Timestamp: 54'] })
    bench.udpIn(text)
    const sent = bench.last('483')
    for (const name of ['From', 'Call-ID', 'CSeq', 'Via']) expect(valuesOf(sent, name)).toEqual(valuesOf(text, name))
    expect(valuesOf(sent, 'To')[0]).toMatch(/^<sip:bob@example\.test>;tag=.+/)
  })

  test('that is answered here SHOULD be answered as soon as that is decided [RFC3261-17.1]', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'OPTIONS' }))
    bench.decide({ $case: 'answer', value: { status: 200 } })
    expect(bench.take()).toEqual([`200 → ${UP}`])
  })

  test('to several places MUST be handled with state: a repetition is absorbed [RFC3261-16.1b]', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    bench.plan([[BOB_URI, 'sip:bob@192.0.2.31']])
    expect(bench.take()).toHaveLength(2)
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    expect(bench.take()).toEqual([])
    expect([bench.core.layer.serverCount, bench.core.layer.clientCount]).toEqual([1, 2])
  })

  test('from a datagram to a stream MUST be handled with state, answered again from here [RFC3261-16.1c]', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    bench.plan([[`${BOB_URI};transport=tcp`]])
    expect(bench.take()).toEqual(['MESSAGE → tcp 1'])
    const connection = bench.tcp.find(1)
    if (connection === undefined) throw new Error('no connection')
    bench.tcpIn(responseTo(bench.last('MESSAGE'), 200), connection)
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    expect(bench.take()).toEqual([`200 → ${UP}`, `200 → ${UP}`])
  })
})

describe('the Request-URI', () => {
  test.each([
    [`${BOB_URI}?Subject=hi&Priority=urgent`, BOB_URI],
    [`${BOB_URI};method=INVITE`, BOB_URI],
    [`${BOB_URI};user=phone;method=BYE?Route=%3Csip:x%3E`, `${BOB_URI};user=phone`],
  ])('MUST NOT have what a Request-URI may not have: %s [RFC3261-16.6.2b]', (target, expected) => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    bench.plan([[target]])
    expect(bench.last('MESSAGE').split('\r\n')[0]).toBe(`MESSAGE ${expected} SIP/2.0`)
  })
})

describe('our Record-Route', () => {
  const routes = (): string[] => valuesOf(bench.last('INVITE'), 'Record-Route')

  test('MUST be a SIP URI with lr that leads to us, without a transport over UDP [RFC3261-16.6.4cdef]', () => {
    invited()
    expect(routes()).toHaveLength(1)
    expect(routes()[0]).toMatch(new RegExp(`^<sip:[\\w.-]+@${EDGE_ADDRESS}:5060;lr>$`))
  })

  test('SHOULD have a transport only on the side that is known to use it [RFC3261-16.6.4e]', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    bench.plan([[`${BOB_URI};transport=tcp`]])
    bench.begin()
    expect(routes().map((value) => /;transport=tcp/.test(value))).toEqual([true, false])
  })

  test('leads a request of the dialog back to us, whoever sends it [RFC3261-16.6.4f]', () => {
    invited()
    bench.udpIn(responseTo(bench.last('INVITE'), 200, 'bob', [`Contact: <${BOB_URI}>`]), BOB)
    bench.take()
    const route = `Route: ${routes()[0]}`
    bench.udpIn(
      requestText({ method: 'BYE', uri: BOB_URI, branch: 'z9hG4bK-bye', toTag: 'bob', cseq: 2, headers: [route] }),
    )
    expect(bench.take()).toEqual([`BYE → ${DOWN}`])
  })
})

describe('Timer C', () => {
  test('MUST be more than three minutes, unless it is set otherwise [RFC3261-16.6.11b] [RFC3261-16.7.2b]', () => {
    bench = new EdgeBench()
    expect(bench.core.config.timers.timerCMs).toBeGreaterThan(180_000)
  })
})
