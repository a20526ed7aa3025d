// SPDX-License-Identifier: MIT
// Route, Record-Route and Via that contradict themselves or that somebody made up, messages out of nowhere, and requests that come
// back to us: each ends in an answer or a counted drop. Does not test: what can't be read at all (packages/sip).
import { afterEach, describe, expect, test } from 'vitest'
import type { EdgeCounts } from '../counts.ts'
import {
  ALICE,
  BOB,
  bindingOf,
  EDGE_ADDRESS,
  EdgeBench,
  requestText,
  responseTo,
  stepOf,
  targetOf,
  valuesOf,
} from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const UP = `udp ${ALICE}:5060`
const BOB_URI = `sip:bob@${BOB}`
const FORGED = `<sip:AQAAabcdefghijkl@${EDGE_ADDRESS}:5060;lr>`

/** A dialog between alice and bob; gives our Route value. */
const dialog = (): string => {
  bench = new EdgeBench()
  bench.udpIn(requestText())
  bench.plan([[BOB_URI]])
  bench.begin()
  bench.udpIn(responseTo(bench.last('INVITE'), 200, 'bob', [`Contact: <${BOB_URI}>`]), BOB)
  bench.take()
  return valuesOf(bench.last('INVITE'), 'Record-Route')[0] as string
}

const inDialog = (method: string, headers: string[]): string =>
  requestText({ method, uri: BOB_URI, toTag: 'bob', branch: 'z9hG4bK-in', cseq: method === 'ACK' ? 1 : 2, headers })

describe('a Route', () => {
  test('with our token and a forged one behind it: 403, an ACK is dropped', () => {
    const ours = dialog()
    bench.udpIn(inDialog('BYE', [`Route: ${ours}, ${FORGED}`]))
    bench.udpIn(inDialog('ACK', [`Route: ${ours}, ${FORGED}`]))
    expect(bench.take()).toEqual([`403 → ${UP}`])
    expect([bench.core.counts.refusedForgedToken, bench.core.counts.droppedForgedAck]).toEqual([1, 1])
  })

  test('with the token of another dialog behind ours: 403', () => {
    const ours = dialog()
    const other = ours.replace('sip:A', 'sip:B')
    bench.udpIn(inDialog('BYE', [`Route: ${ours}`, `Route: ${other}`]))
    expect(bench.take()).toEqual([`403 → ${UP}`])
  })

  test('a hundred of ours are popped, with whatever stands between them', () => {
    const ours = dialog()
    const headers = Array.from({ length: 100 }, (_, k) => [`Route: ${ours}`, `X-${k}: y`]).flat()
    bench.udpIn(inDialog('BYE', headers))
    expect(bench.take()).toEqual([`BYE → udp ${BOB}:5060`])
    expect(valuesOf(bench.last('BYE'), 'Route')).toEqual([])
    expect(valuesOf(bench.last('BYE'), 'X-99')).toEqual(['y'])
    expect(bench.core.counts.droppedByBug).toBe(0)
  })

  test('a hundred of others on an initial request: 403, and nobody is asked', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ headers: Array.from({ length: 100 }, (_, k) => `Route: <sip:p${k}.test;lr>`) }))
    expect(bench.take()).toEqual([`403 → ${UP}`])
    expect([bench.core.counts.refusedRoute, bench.policy.waiting()]).toEqual([1, []])
  })

  test('that is no URI: 403', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ headers: ['Route: <sip:>'] }))
    expect(bench.take()).toEqual([`403 → ${UP}`])
  })

  test('in the Request-URI, with our token but no Route behind it: 403, an ACK is dropped [RFC3261-16.4b]', () => {
    const uri = /<([^>]+)>/.exec(dialog())?.[1] as string
    bench.udpIn(requestText({ method: 'BYE', uri, toTag: 'bob', branch: 'z9hG4bK-x', cseq: 2 }))
    bench.udpIn(requestText({ method: 'ACK', uri, toTag: 'bob', branch: 'z9hG4bK-y' }))
    expect(bench.take()).toEqual([`403 → ${UP}`])
    expect([bench.core.counts.refusedForgedToken, bench.core.counts.droppedForgedAck]).toEqual([1, 1])
  })

  test('a strict router may send the ACK of the 2xx as well [RFC3261-16.4abc]', () => {
    const uri = /<([^>]+)>/.exec(dialog())?.[1] as string
    const ack = { method: 'ACK', uri, toTag: 'bob', branch: 'z9hG4bK-y', headers: [`Route: <${BOB_URI};line=1>`] }
    bench.udpIn(requestText(ack))
    expect(bench.last('ACK').split('\r\n')[0]).toBe(`ACK ${BOB_URI};line=1 SIP/2.0`)
    expect(bench.take()).toEqual([`ACK → udp ${BOB}:5060`])
  })

  test('through another edge of the cluster too, with the token alone [RFC3261-16.4abc]', () => {
    const uri = /<([^>]+)>/.exec(dialog())?.[1] as string
    const other = new EdgeBench({ 'edge.bindAddress': '198.51.100.9' }, 'edge-9.test')
    const bye = { method: 'BYE', uri, toTag: 'bob', branch: 'z9hG4bK-y', cseq: 2, headers: [`Route: <${BOB_URI}>`] }
    other.udpIn(requestText(bye))
    expect(other.take()).toEqual([`BYE → udp ${BOB}:5060`])
    other.close()
  })
})

test('a Record-Route of ours in a request says nothing: it passes below our own', () => {
  bench = new EdgeBench()
  bench.udpIn(requestText({ headers: [`Record-Route: ${FORGED}`] }))
  bench.plan([[BOB_URI]])
  bench.begin()
  const values = valuesOf(bench.last('INVITE'), 'Record-Route')
  expect([values.length, values[1]]).toEqual([2, FORGED])
})

describe('a response', () => {
  const stray = (change: (response: string) => string, count: keyof EdgeCounts): void => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    bench.plan([[BOB_URI]])
    const sent = bench.last('MESSAGE')
    bench.take()
    bench.udpIn(change(responseTo(sent, 200)), BOB)
    expect([bench.take(), bench.core.counts[count]]).toEqual([[], 1])
  }

  test('without Via is dropped', () => {
    stray((text) => text.replace(/^Via:.*\r\n/gm, ''), 'droppedUnreadable')
  })

  test('whose first Via is another’s is dropped [RFC3261-18.1.2a]', () => {
    stray((text) => text.replace(/^(Via: SIP\/2.0\/UDP )[^;]+/m, '$1203.0.113.9:5060'), 'droppedStrayResponse')
  })

  test('with nobody’s branch is dropped: we are no reflector', () => {
    stray((text) => text.replace(/branch=[^;\r]+/, 'branch=z9hG4bKnobody'), 'droppedStrayResponse')
  })

  test('with both Vias in one header goes where the second says [RFC3261-16.7.3]', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    bench.plan([[BOB_URI]])
    const response = responseTo(bench.last('MESSAGE'), 200).replace(/(Via: [^\r]+)\r\nVia: /, '$1 , ')
    expect(valuesOf(response, 'Via')).toHaveLength(1)
    bench.take()
    bench.udpIn(response, BOB)
    expect(bench.take()).toEqual([`200 → ${UP}`])
    expect(valuesOf(bench.last('200'), 'Via')).toEqual([`SIP/2.0/UDP ${ALICE}:5060;branch=z9hG4bK-a1`])
  })
})

describe('out of nowhere', () => {
  test('CANCEL: 481; ACK: dropped; both counted', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'CANCEL' }))
    bench.udpIn(requestText({ method: 'ACK', branch: 'z9hG4bK-q', toTag: 'x' }))
    expect(bench.take()).toEqual([`481 → ${UP}`])
    expect([bench.core.counts.cancelsUnmatched, bench.core.counts.droppedAck]).toEqual([1, 1])
  })
})

describe('a binding that is one of our own listeners', () => {
  const toOurselves = (contact: string): string => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    bench.plan([], { steps: [stepOf({ targets: [targetOf({ $case: 'aor', value: 'sip:bob@example.test' })] })] })
    bench.location.take('locate').answer({ bindings: [bindingOf(contact)], version: 1n })
    return bench.last('MESSAGE')
  }

  test('with the address-of-record as URI is a loop when it comes back: 482 [RFC5393-4.2.2d]', () => {
    const sent = toOurselves(`sip:bob@example.test;maddr=${EDGE_ADDRESS}`)
    bench.take()
    bench.udpIn(sent, EDGE_ADDRESS)
    // Our maddr is stripped, and what is left is what came the first time.
    expect(bench.take()).toEqual([`482 → udp ${EDGE_ADDRESS}:5060`])
    expect(bench.core.counts.refusedLoop).toBe(1)
  })

  test('with another URI is a spiral, and policy says that nobody is there', () => {
    const sent = toOurselves(`sip:bob@${EDGE_ADDRESS}`)
    bench.take()
    bench.udpIn(sent, EDGE_ADDRESS)
    expect(bench.policy.items[0]?.request).toMatchObject({ requestUri: `sip:bob@${EDGE_ADDRESS}` })
    expect(bench.core.counts.refusedLoop).toBe(0)
  })
})
