// SPDX-License-Identifier: MIT
// What becomes of a message before anybody is asked: sanity, bounds, CANCEL, ACK, and where the answers go.
// Does not test: calls (initial-request.test.ts), requests inside a dialog (in-dialog.test.ts), the hop between edges (hops.test.ts).
import { afterEach, describe, expect, test } from 'vitest'
import type { EdgeCounts } from './counts.ts'
import { ALICE, EDGE_ADDRESS, EdgeBench, requestText, valuesOf } from './testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

interface Row {
  name: string
  cite: string
  text: string
  answer: string | undefined
  count: keyof EdgeCounts
  header?: [name: string, value: string]
}

const ROWS: Row[] = [
  {
    name: 'MUST answer 416 to a scheme that nobody knows',
    cite: 'RFC3261-16.3.2, RFC3261-16.3b',
    text: requestText({ uri: 'nobodyKnows:x' }),
    answer: '416',
    count: 'refusedScheme',
  },
  {
    name: 'MUST NOT forward with Max-Forwards 0: 483',
    cite: 'RFC3261-16.3.3ab, RFC3261-16.3a',
    text: requestText({ headers: ['Max-Forwards: 0'] }),
    answer: '483',
    count: 'refusedMaxForwards',
  },
  {
    name: 'an OPTIONS with Max-Forwards 0 is for us',
    cite: 'RFC3261-16.3.3b',
    text: requestText({ method: 'OPTIONS', headers: ['Max-Forwards: 0'] }),
    answer: '200',
    count: 'optionsAnswered',
  },
  {
    name: 'MUST answer 420 to a Proxy-Require, and list what is not supported',
    cite: 'RFC3261-16.3.5ab',
    text: requestText({ headers: ['Proxy-Require: foo, bar', 'Proxy-Require: baz'] }),
    answer: '420',
    count: 'refusedExtension',
    header: ['Unsupported', 'foo, bar, baz'],
  },
  {
    name: 'a To tag without a Route of ours: 481',
    cite: 'RFC3261-12.2.2',
    text: requestText({ method: 'BYE', toTag: 'b' }),
    answer: '481',
    count: 'refusedNoDialog',
  },
  {
    name: 'a Route of ours with a token that does not verify: 403',
    cite: 'DESIGN-4',
    text: requestText({ method: 'BYE', toTag: 'b', headers: [`Route: <sip:AAAA@${EDGE_ADDRESS}:5060;lr>`] }),
    answer: '403',
    count: 'refusedForgedToken',
  },
  {
    name: 'the same without a To tag: 403',
    cite: 'DESIGN-4',
    text: requestText({ headers: [`Route: <sip:AAAA@${EDGE_ADDRESS};lr>`] }),
    answer: '403',
    count: 'refusedForgedToken',
  },
  {
    name: 'an ACK with a forged token is dropped',
    cite: 'DESIGN-4',
    text: requestText({ method: 'ACK', toTag: 'b', headers: [`Route: <sip:AAAA@${EDGE_ADDRESS};lr>`] }),
    answer: undefined,
    count: 'droppedForgedAck',
  },
  {
    name: 'MUST NOT answer an ACK that belongs to nothing',
    cite: 'RFC3261-17',
    text: requestText({ method: 'ACK', toTag: 'b' }),
    answer: undefined,
    count: 'droppedAck',
  },
  {
    name: 'a Route of another domain: 403, we are no open relay',
    cite: 'DESIGN-4',
    text: requestText({ headers: ['Route: <sip:elsewhere.test;lr>'] }),
    answer: '403',
    count: 'refusedRoute',
  },
  {
    name: 'a Route of the called domain that another follows: 403',
    cite: 'DESIGN-4',
    text: requestText({ headers: ['Route: <sip:example.test;lr>, <sip:elsewhere.test;lr>'] }),
    answer: '403',
    count: 'refusedRoute',
  },
  {
    name: 'a Route that has no host: 403',
    cite: 'RFC3261-16.4',
    text: requestText({ headers: ['Route: <tel:+1234>'] }),
    answer: '403',
    count: 'refusedRoute',
  },
  {
    name: 'CANCEL of nothing: 481',
    cite: 'RFC3261-9.2',
    text: requestText({ method: 'CANCEL' }),
    answer: '481',
    count: 'cancelsUnmatched',
  },
  {
    name: 'what can not be read is answered where it can be',
    cite: 'RFC3261-16.3.1ab',
    text: requestText().replace('CSeq: 1 INVITE', 'CSeq: 1 BYE'),
    answer: '400',
    count: 'refusedUnreadable',
  },
  { name: 'a keep-alive', cite: 'RFC5626-3.5.1', text: '\r\n\r\n', answer: undefined, count: 'keepAlives' },
  { name: 'noise', cite: 'DESIGN-3.5', text: 'hello', answer: undefined, count: 'droppedUnreadable' },
  {
    name: 'a response to nothing of ours',
    cite: 'RFC6026-7.3ab, RFC6026-6cd, RFC6026-8.2, RFC6026-8.9b',
    text: `SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP ${EDGE_ADDRESS};branch=z9hG4bKx\r\nVia: SIP/2.0/UDP 9.9.9.9;branch=z9hG4bKy\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n`,
    answer: undefined,
    count: 'droppedStrayResponse',
  },
]

describe('what ends at once', () => {
  test.each(ROWS)('$name [$cite]', ({ text, answer, count, header }) => {
    bench = new EdgeBench()
    const before = bench.core.counts[count]
    bench.udpIn(text)
    if (header !== undefined) expect(valuesOf(bench.sent[0]?.text ?? '', header[0])).toEqual([header[1]])
    expect(bench.take()).toEqual(answer === undefined ? [] : [`${answer} → udp ${ALICE}:5060`])
    expect(bench.core.counts[count]).toBe(before + 1)
    expect(bench.core.counts.droppedByBug).toBe(0)
    expect(bench.core.layer.serverCount).toBe(0)
  })

  test('MUST answer 482 to a request that comes back as it left [RFC5393-4.2.2abcd] [RFC5393-4.1ab]', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE', uri: 'sip:bob@192.0.2.30' }))
    bench.plan([['sip:bob@192.0.2.30']])
    const left = bench.last('MESSAGE')
    bench.take()
    bench.udpIn(left, '192.0.2.30')
    expect(bench.take()).toEqual(['482 → udp 192.0.2.30:5060'])
    expect(bench.core.counts.refusedLoop).toBe(1)
  })

  test('finds its Via below those of others too, joined or not [RFC5393-4.2.2b]', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE', uri: 'sip:bob@192.0.2.30' }))
    bench.plan([['sip:bob@192.0.2.30']])
    const left = bench.last('MESSAGE')
    bench.take()
    const other = 'SIP/2.0/UDP 192.0.2.30:5060;branch=z9hG4bK-other'
    for (const above of [`Via: ${other}\r\nVia:`, `Via: ${other}, SIP/2.0/UDP x.test;branch=1;a="b,c",`]) {
      bench.udpIn(left.replace('Via:', above).replace('z9hG4bK-other', `z9hG4bK-${above.length}`), '192.0.2.30')
    }
    expect(bench.take()).toEqual(Array(2).fill('482 → udp 192.0.2.30:5060'))
  })

  test('a spiral is no loop [RFC5393-4.2.2d]', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    bench.plan([['sip:bob@192.0.2.30']])
    bench.udpIn(bench.last('MESSAGE').replace('sip:bob@192.0.2.30', 'sip:carol@example.test'), '192.0.2.30')
    expect(bench.policy.waiting()).toEqual(['decide'])
    expect(bench.core.counts.refusedLoop).toBe(0)
  })
})

describe('an outbound proxy [RFC3261-16.4f]', () => {
  test.each([`<sip:${EDGE_ADDRESS};lr>`, `<sip:${EDGE_ADDRESS}:5060;lr>`, '<sip:Example.test;lr>'])(
    'a Route %s is popped, and the request is initial',
    (route) => {
      bench = new EdgeBench()
      bench.udpIn(requestText({ method: 'MESSAGE', headers: [`Route: ${route}`] }))
      bench.plan([['sip:bob@192.0.2.30']])
      expect(valuesOf(bench.last('MESSAGE'), 'Route')).toEqual([])
    },
  )
})

describe('where answers go', () => {
  interface Place {
    name: string
    via: string
    port: number
    to: string
    stamped: string
  }
  const VIA = 'Via: SIP/2.0/UDP'
  const PLACES: Place[] = [
    {
      name: 'to the port of the Via [RFC3261-18.2.2fh]',
      via: `${VIA} ${ALICE}:5070;branch=z9hG4bK-1`,
      port: 6000,
      to: `${ALICE}:5070`,
      stamped: '',
    },
    {
      name: 'to 5060 where it has none [RFC3261-18.2.2f]',
      via: `${VIA} ${ALICE};branch=z9hG4bK-1`,
      port: 6000,
      to: `${ALICE}:5060`,
      stamped: '',
    },
    {
      name: 'MUST add received where the host is another, and go to it [RFC3261-18.2.1ef] [RFC3261-18.2.2f]',
      via: `${VIA} 10.0.0.1:5070;branch=z9hG4bK-1`,
      port: 6000,
      to: `${ALICE}:5070`,
      stamped: `;received=${ALICE}`,
    },
    {
      name: 'MUST go to the source port where rport is asked for [RFC3581-4abc]',
      via: `${VIA} 10.0.0.1:5070;branch=z9hG4bK-1;rport`,
      port: 6000,
      to: `${ALICE}:6000`,
      stamped: `=6000;received=${ALICE}`,
    },
  ]

  test.each(PLACES)('$name', ({ via, port, to, stamped }) => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'BYE', toTag: 'x', via }), ALICE, port)
    expect(valuesOf(bench.last('481'), 'Via')).toEqual([via.slice(5) + stamped])
    expect(bench.take()).toEqual([`481 → udp ${to}`])
  })

  test('the same answer to a repetition, To tag included [RFC3261-8.2.7]', () => {
    bench = new EdgeBench()
    const bye = requestText({ method: 'SUBSCRIBE', headers: ['Proxy-Require: x'] })
    bench.udpIn(bye)
    bench.udpIn(bye)
    expect(bench.sent[0]?.text).toBe(bench.sent[1]?.text)
    expect(valuesOf(bench.last('420'), 'To')[0]).toMatch(/;tag=\w+$/)
  })
})

describe('bounds', () => {
  test('more requests that wait than the bound: 503 with Retry-After, counted', () => {
    bench = new EdgeBench({ 'edge.limits.maxPendingRequests': 10 })
    for (let k = 0; k < 12; k += 1) bench.udpIn(requestText({ branch: `z9hG4bK-${k}`, callId: `c${k}` }))
    expect(bench.take()).toEqual(Array(2).fill(`503 → udp ${ALICE}:5060`))
    expect(bench.core.counts.refusedOverload).toBe(2)
    bench.decide({ $case: 'reject', value: { status: 404, reason: '', retryAfterS: 0, code: '' } })
    bench.take()
    bench.udpIn(requestText({ branch: 'z9hG4bK-later', callId: 'later' }))
    expect(bench.take()).toEqual([])
  })

  test('more than a source may send: 503, counted; other sources and dialogs are not concerned', () => {
    bench = new EdgeBench({ 'edge.limits.maxRequestsPerSource': 2 })
    for (let k = 0; k < 3; k += 1) bench.udpIn(requestText({ branch: `z9hG4bK-${k}` }))
    expect(valuesOf(bench.last('503'), 'Retry-After')).toEqual(['3'])
    expect(bench.take()).toEqual([`503 → udp ${ALICE}:5060`])
    expect(bench.core.counts.refusedRate).toBe(1)
    bench.udpIn(requestText({ branch: 'z9hG4bK-other' }), '192.0.2.99')
    bench.udpIn(requestText({ branch: 'z9hG4bK-0' })) // a repetition
    expect(bench.take()).toEqual([])
    bench.nowMs += 500
    bench.udpIn(requestText({ branch: 'z9hG4bK-later' }))
    expect(bench.take()).toEqual([])
  })

  test('while it drains: 503 to what is initial', () => {
    bench = new EdgeBench()
    bench.receiver.draining = true
    bench.udpIn(requestText())
    expect(bench.take()).toEqual([`503 → udp ${ALICE}:5060`])
    expect(bench.core.counts.refusedDraining).toBe(1)
    bench.udpIn(requestText({ uri: 'sip:112@example.com', branch: 'z9hG4bK-112' })) // an emergency is taken while anybody can
    expect([bench.take(), bench.policy.waiting()]).toEqual([[], ['decide']])
  })

  test('an exception of ours loses one message and is counted', () => {
    bench = new EdgeBench()
    bench.policy.call = () => {
      throw new Error('bug')
    }
    bench.udpIn(requestText())
    expect(bench.core.counts.droppedByBug).toBe(1)
  })
})
