// SPDX-License-Identifier: MIT
// A full transaction table: 503, or without a transaction where that is set and nothing has to be on record; what of a dialog that a
// stateless plan began; how long a way is remembered. Does not test: stateless plans themselves (stateless-clauses.test.ts).
import type { policy } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, BOB, EdgeBench, requestText, responseTo, stepOf, targetOf, valuesOf } from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const UP = `udp ${ALICE}:5060`
const DOWN = `udp ${BOB}:5060`
const BOB_URI = `sip:bob@${BOB}`
const LIMIT = 100

/** An edge whose table is full of requests that wait for policy. @param callRef of a dialog that was there before */
const full = (whenOverloaded: string, callRef?: string): string[] => {
  bench = new EdgeBench({ 'edge.limits.maxTransactions': LIMIT, 'edge.whenOverloaded': whenOverloaded })
  let routes: string[] = []
  if (callRef !== undefined) {
    bench.udpIn(requestText())
    bench.plan([[BOB_URI]], {}, callRef)
    bench.begin()
    bench.udpIn(responseTo(bench.last('INVITE'), 200, 'bob', [`Contact: <${BOB_URI}>`]), BOB)
    if (callRef !== '') bench.policy.take('report').answer({})
    routes = valuesOf(bench.last('INVITE'), 'Record-Route').map((value) => `Route: ${value}`)
  }
  for (let k = bench.core.layer.serverCount; k < LIMIT; k += 1) {
    bench.udpIn(requestText({ method: 'OPTIONS', branch: `z9hG4bK-fill-${k}`, callId: `fill-${k}` }))
  }
  expect(bench.core.layer.hasServerRoom).toBe(false)
  bench.policy.items.length = 0
  bench.take()
  return routes
}

const planOf = (extra: Partial<policy.Plan> = {}): policy.Plan => ({
  steps: [stepOf({ targets: [targetOf({ $case: 'uri', value: BOB_URI })] })],
  edits: [],
  maxDurationS: 0,
  accounting: false,
  stateless: false,
  maxRecursions: 0,
  sourceTrusted: false,
  ...extra,
})

describe('a full table', () => {
  test('refuses by default, and asks nobody', () => {
    full('refuse')
    bench.udpIn(requestText())
    expect(bench.take()).toEqual([`503 → ${UP}`])
    expect([bench.core.counts.refusedOverload, bench.policy.waiting()]).toEqual([1, []])
  })

  test('passes what leaves no record, when so set [RFC3261-16.11a]', () => {
    full('stateless')
    bench.udpIn(requestText())
    bench.decide({ $case: 'plan', value: planOf() })
    expect(bench.take()).toEqual([`INVITE → ${DOWN}`])
    bench.udpIn(responseTo(bench.last('INVITE'), 200), BOB)
    expect(bench.take()).toEqual([`200 → ${UP}`])
    expect([bench.core.counts.statelessRequests, bench.core.layer.clientCount]).toEqual([1, 0])
  })

  test('answers what ends in an answer', () => {
    full('stateless')
    bench.udpIn(requestText({ branch: 'z9hG4bK-1' }))
    bench.decide({ $case: 'challenge', value: { status: 407, values: ['Digest realm="x"'] } })
    bench.udpIn(requestText({ branch: 'z9hG4bK-2' }))
    bench.decide({ $case: 'reject', value: { status: 404, reason: '', retryAfterS: 0, code: '' } })
    expect(bench.take()).toEqual([`407 → ${UP}`, `404 → ${UP}`])
    expect(valuesOf(bench.last('407'), 'Proxy-Authenticate')).toEqual(['Digest realm="x"'])
  })

  test.each([
    { name: 'a call on record', verdict: { $case: 'plan', value: planOf({ accounting: true }) }, callRef: 'ref' },
    { name: 'a registration', verdict: { $case: 'admit', value: {} }, callRef: '' },
  ])('refuses $name, with nothing left open', ({ verdict, callRef }) => {
    full('stateless')
    bench.udpIn(requestText())
    bench.decide(verdict as policy.DecideResponse['verdict'], callRef)
    expect(bench.take()).toEqual([`503 → ${UP}`])
    const reports = callRef === '' ? [] : ['report']
    expect(bench.policy.waiting()).toEqual(reports)
  })

  test('policy that says nothing: 503', () => {
    full('stateless')
    bench.udpIn(requestText())
    bench.policy.take('decide').end({ outcome: 'unknown', detail: 'away' })
    expect(bench.take()).toEqual([`503 → ${UP}`])
  })
})

describe('a dialog under a full table', () => {
  const inDialog = (method: string, routes: string[]): string =>
    requestText({ method, uri: BOB_URI, toTag: 'bob', branch: 'z9hG4bK-in', cseq: 2, headers: routes })

  test('goes on without transactions, again for each repetition [RFC3261-16.11fi]', () => {
    const routes = full('stateless', '')
    bench.udpIn(inDialog('INFO', routes))
    bench.udpIn(inDialog('INFO', routes))
    expect(bench.take()).toEqual([`INFO → ${DOWN}`, `INFO → ${DOWN}`])
    const [first, second] = bench.sent.slice(-2)
    expect(second?.text).toBe(first?.text)
  })

  test('a BYE on record waits for room: what it ends must be certain', () => {
    const routes = full('stateless', 'ref')
    bench.udpIn(inDialog('INFO', routes))
    bench.udpIn(inDialog('BYE', routes))
    expect(bench.take()).toEqual([`INFO → ${DOWN}`, `503 → ${UP}`])
  })

  test('refused by default', () => {
    const routes = full('refuse', '')
    bench.udpIn(inDialog('INFO', routes))
    expect(bench.take()).toEqual([`503 → ${UP}`])
  })
})

describe('a dialog that a stateless plan began', () => {
  test('stays without transactions: the token says so [RFC3261-16.11hm]', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    bench.plan([[BOB_URI]], { stateless: true })
    bench.udpIn(responseTo(bench.last('INVITE'), 200, 'bob', [`Contact: <${BOB_URI}>`]), BOB)
    const headers = valuesOf(bench.last('INVITE'), 'Record-Route').map((value) => `Route: ${value}`)
    bench.take()
    bench.udpIn(requestText({ method: 'BYE', uri: BOB_URI, toTag: 'bob', branch: 'z9hG4bK-b', cseq: 2, headers }))
    bench.udpIn(responseTo(bench.last('BYE'), 200), BOB)
    expect(bench.take()).toEqual([`BYE → ${DOWN}`, `200 → ${UP}`])
    expect([bench.core.layer.serverCount, bench.core.layer.clientCount]).toEqual([0, 0])
  })
})

describe('what is remembered of a way', () => {
  const passed = (): void => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    bench.plan([[BOB_URI]], { stateless: true })
    bench.take()
  }

  test('serves a repetition without another decision', () => {
    passed()
    bench.udpIn(requestText())
    expect([bench.take(), bench.policy.waiting()]).toEqual([[`INVITE → ${DOWN}`], []])
  })

  test('is forgotten in time, and decided anew', () => {
    passed()
    bench.advance(70_000)
    bench.udpIn(requestText())
    expect([bench.take(), bench.policy.waiting()]).toEqual([[], ['decide']])
  })

  test('a CANCEL whose INVITE passed elsewhere asks as its INVITE did [RFC3261-16.10d]', () => {
    passed()
    const cancel = requestText({ method: 'CANCEL', branch: 'z9hG4bK-other', callId: 'other' })
    bench.udpIn(cancel)
    const { request } = { request: bench.policy.items[0]?.request as policy.DecideRequest }
    expect(request).toMatchObject({ method: 'INVITE', callId: 'other' })
    bench.plan([[BOB_URI]], { stateless: true })
    expect(bench.take()).toEqual([`CANCEL → ${DOWN}`])
  })

  test('a CANCEL of nothing that is stateless: 481, never a challenge', () => {
    passed()
    bench.udpIn(requestText({ method: 'CANCEL', branch: 'z9hG4bK-other', callId: 'other' }))
    bench.decide({ $case: 'challenge', value: { status: 407, values: ['Digest realm="x"'] } })
    expect(bench.take()).toEqual([`481 → ${UP}`])
  })
})
