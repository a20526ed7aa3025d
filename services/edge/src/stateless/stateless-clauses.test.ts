// SPDX-License-Identifier: MIT
// RFC 3261 §16.11 and RFC 3263 §4.4: a request whose plan says stateless. What is kept of it (nothing but its way), that all of one
// transaction leaves alike, and what becomes of its responses. Does not test: overload (receive.test.ts), who may ask for it.
import type { location, policy } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import {
  ALICE,
  BOB,
  bindingOf,
  EdgeBench,
  namesOf,
  requestText,
  responseTo,
  stepOf,
  targetOf,
  valuesOf,
} from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const UP = `udp ${ALICE}:5060`
const DOWN = `udp ${BOB}:5060`
const BOB_URI = `sip:bob@${BOB}`
const INVITE = requestText({ headers: ['X-Odd:  kept \t', 'Route: <sip:example.test;lr>'] })

const opened = (names: Record<string, string[]> = {}): EdgeBench => {
  bench = new EdgeBench({}, 'edge-0.test', namesOf(names))
  return bench
}

/** Decides what waits: to these URIs, without state. */
const decide = (uris: readonly string[] = [BOB_URI], extra: Partial<policy.Plan> = {}): void =>
  bench.plan([uris], { stateless: true, ...extra })

const forwarded = (text = INVITE): string => {
  opened()
  bench.udpIn(text)
  decide()
  return bench.sent.at(-1)?.text ?? ''
}

const branchOf = (text: string): string | undefined => /branch=([^;]+)/.exec(valuesOf(text, 'Via')[0] ?? '')?.[1]

/** An edge of the same cluster that knows nothing of what went before, and decides alike. */
const forwardedElsewhere = (text: string, uris: readonly string[] = [BOB_URI]): { text: string; to: string } => {
  const other = new EdgeBench()
  other.udpIn(text)
  other.plan([uris], { stateless: true })
  const sent = other.sent.at(-1)
  other.close()
  if (sent === undefined) throw new Error('nothing was sent')
  return sent
}

describe('a stateless request', () => {
  test('MUST NOT get a provisional response, leaves no transaction, and is not sent again [RFC3261-16.11a]', () => {
    forwarded()
    expect(bench.take()).toEqual([`INVITE → ${DOWN}`])
    expect([bench.core.layer.serverCount, bench.core.layer.clientCount]).toEqual([0, 0])
    bench.advance(40_000)
    expect(bench.take()).toEqual([])
  })

  test.each([
    ['416', requestText({ uri: 'nobodyKnows:x' })],
    ['483', requestText({ headers: ['Max-Forwards: 0'] })],
    ['420', requestText({ headers: ['Proxy-Require: x'] })],
  ])('MUST be checked as any other: %s [RFC3261-16.11b]', (status, text) => {
    opened()
    bench.udpIn(text)
    expect(bench.take()).toEqual([`${status} → ${UP}`])
  })

  test('MUST lose our Route, take its target, and change as 16.6 says [RFC3261-16.11ch]', () => {
    const sent = forwarded()
    expect(sent.split('\r\n')[0]).toBe(`INVITE ${BOB_URI} SIP/2.0`)
    expect(valuesOf(sent, 'Route')).toEqual([])
    expect(valuesOf(sent, 'Max-Forwards')).toEqual(['69'])
    expect(valuesOf(sent, 'Via')).toHaveLength(2)
    expect(valuesOf(sent, 'Record-Route')).toHaveLength(1)
    expect(sent).toContain('X-Odd:  kept \t\r\n')
  })

  test('MUST go to one place only, though there are several [RFC3261-16.11d]', () => {
    opened()
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    decide([BOB_URI, 'sip:carol@192.0.2.31'])
    expect(bench.take()).toEqual([`MESSAGE → ${DOWN}`])
  })
})

describe('a repetition of it', () => {
  test('MUST leave byte for byte as the first, to the same place [RFC3261-16.11fijlm] [RFC3263-4.4a]', () => {
    const first = forwarded()
    bench.udpIn(INVITE)
    expect(bench.take()).toEqual([`INVITE → ${DOWN}`, `INVITE → ${DOWN}`])
    expect(bench.sent.at(-1)?.text).toBe(first)
    expect(bench.policy.waiting()).toEqual([])
  })

  test('MUST leave so from any edge, for nothing but the request and the configuration counts [RFC3261-16.11ejn]', () => {
    const first = forwarded()
    expect(branchOf(forwardedElsewhere(INVITE).text)).toBe(branchOf(first))
    const another = forwardedElsewhere(INVITE.replace('z9hG4bK-a1', 'z9hG4bK-a2'))
    expect(branchOf(another.text)).not.toBe(branchOf(first))
  })

  test('MUST have the same one of several bindings chosen for it [RFC3261-16.11e]', () => {
    const bindings = ['192.0.2.71', '192.0.2.72', '192.0.2.73'].map((host) => bindingOf(`sip:b@${host}`))
    const chosen = (order: typeof bindings): string | undefined => {
      const edge = new EdgeBench()
      edge.udpIn(requestText({ method: 'MESSAGE' }))
      const steps = [stepOf({ targets: [targetOf({ $case: 'aor', value: 'sip:b@example.test' })] })]
      edge.plan([], { stateless: true, steps })
      edge.location.take('locate').answer({ bindings: order, version: 1n })
      edge.close()
      return edge.sent.at(-1)?.to
    }
    const [first, ...others] = bindings as [location.Binding, ...location.Binding[]]
    expect(chosen(bindings)).toBeDefined()
    expect(chosen([...others, first])).toBe(chosen(bindings))
    expect(chosen([...bindings].reverse())).toBe(chosen(bindings))
  })

  test.each([
    ['the branch', 'z9hG4bK-a1', 'z9hG4bK-a2'],
    ['the branch, of a sender without the cookie', 'branch=z9hG4bK-a1', 'branch=1'],
    ['the Call-ID', 'call-1', 'call-2'],
    ['the CSeq', 'CSeq: 1 ', 'CSeq: 2 '],
    ['the From tag', 'tag=alice', 'tag=alice2'],
    ['the Request-URI', 'sip:bob@example.test SIP', 'sip:b@example.test SIP'],
  ])('another request has another branch: by %s [RFC3261-16.11k]', (_name, from, to) => {
    expect(branchOf(forwarded(INVITE.replace(from, to)))).not.toBe(branchOf(forwardedElsewhere(INVITE).text))
  })

  test('SHOULD have the branch of the first also from a sender without the cookie [RFC3261-16.11ik]', () => {
    const legacy = INVITE.replace('branch=z9hG4bK-a1', 'branch=1')
    expect(branchOf(forwarded(legacy))).toBe(branchOf(forwardedElsewhere(legacy).text))
  })
})

describe('what belongs to it', () => {
  const later = (method: string, extra: Parameters<typeof requestText>[0] = {}): string =>
    requestText({ method, headers: ['Route: <sip:example.test;lr>'], ...extra })

  test('CANCEL and the ACK of a failure MUST go the same way, with the same branch [RFC3261-16.11go] [RFC3263-4.4a]', () => {
    const first = forwarded()
    bench.udpIn(later('CANCEL'))
    bench.udpIn(later('ACK', { toTag: 'busy' }))
    expect(bench.take()).toEqual(['INVITE', 'CANCEL', 'ACK'].map((method) => `${method} → ${DOWN}`))
    for (const word of ['CANCEL', 'ACK']) expect(branchOf(bench.last(word))).toBe(branchOf(first))
  })

  test('a CANCEL MUST be forwarded, not answered here [RFC3261-16.10d] [RFC3261-16.11o]', () => {
    forwarded()
    bench.take()
    bench.udpIn(later('CANCEL'))
    expect(bench.take()).toEqual([`CANCEL → ${DOWN}`])
    expect(bench.last('CANCEL').split('\r\n')[0]).toBe(`CANCEL ${BOB_URI} SIP/2.0`)
  })

  test('no CANCEL of our own follows it, whatever happens [RFC3261-16.1d]', () => {
    const sent = forwarded()
    bench.udpIn(responseTo(sent, 180), BOB)
    bench.advance(300_000)
    expect(bench.take().filter((word) => word.startsWith('CANCEL'))).toEqual([])
  })
})

describe('its responses', () => {
  const BODY = 'v=0\r\n'
  const response = (request: string, status: number): string =>
    responseTo(request, status, 'bob', ['X-Odd:  kept \t', 'Date: no date']).replace(
      'Content-Length: 0\r\n\r\n',
      `Content-Length: ${BODY.length}\r\n\r\n${BODY}`,
    )

  test.each([100, 180, 200, 486])('a %i MUST go up without our Via and with all else [RFC3261-16.11pqrs]', (status) => {
    const text = response(forwarded(), status)
    bench.take()
    bench.udpIn(text, BOB)
    expect(bench.take()).toEqual([`${status} → ${UP}`])
    expect(bench.sent.at(-1)?.text).toBe(text.replace(/Via: .*\r\n/, ''))
  })

  test('MUST be dropped when their first Via is not ours [RFC3261-16.11pt]', () => {
    const text = response(forwarded(), 200)
    bench.take()
    bench.udpIn(text.replace(/branch=z9hG4bK/, 'branch=z9hG4bKother'), BOB)
    bench.udpIn(text.replace(/UDP 198\.51\.100\.1:5060/, 'UDP evil.test:5060'), BOB)
    expect(bench.take()).toEqual([])
    expect(bench.core.counts.droppedStrayResponse).toBe(2)
  })
})

describe('several servers of one host', () => {
  const HOSTS = { 'pbx.test': ['192.0.2.41', '192.0.2.42', '192.0.2.43'] }
  const settle = async (): Promise<void> => {
    for (let k = 0; k < 5; k += 1) await new Promise((resolve) => setImmediate(resolve))
  }

  test('MUST be chosen by the request, not by chance: a repetition goes to the same [RFC3263-4.4ab]', async () => {
    opened(HOSTS)
    for (let k = 0; k < 3; k += 1) {
      bench.udpIn(requestText({ method: 'MESSAGE' }))
      if (bench.policy.waiting().length > 0) decide(['sip:bob@pbx.test:5060'])
      await settle()
    }
    const places = new Set(bench.take().filter((word) => word.startsWith('MESSAGE')))
    expect(places.size).toBe(1)
  })
})
