// SPDX-License-Identifier: MIT
// Next hops of bindings, URIs and token sides, and the hop between two edges with its responses.
// Does not test: RFC 3263 itself (packages/transport).
import type { location } from '@tandem/rpc'
import { NO_SIDE, type TokenSide, TRANSPORT } from '@tandem/sip'
import { afterEach, describe, expect, test } from 'vitest'
import { requestUriOf } from '../initial/request-uri-of.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { edgeHashOf } from '../membership/edge-hash.ts'
import {
  ALICE,
  bindingOf,
  EdgeBench,
  edgeOf,
  messageOf,
  requestText,
  responseTo,
  stepOf,
  targetOf,
  valuesOf,
} from '../testing.ts'
import type { NextHop } from './hops.ts'

const A = 'edge-0.test'
const B = 'edge-1.test'
const B_ADDRESS = '198.51.100.2'
const NAMED = 'nowhere.test'

let benches: EdgeBench[] = []
afterEach(() => {
  for (const bench of benches) bench.close()
  benches = []
})

const edge = (id = A, address?: string): EdgeBench => {
  const bench = new EdgeBench(address === undefined ? {} : { 'edge.bindAddress': address }, id)
  benches.push(bench)
  return bench
}

const shown = (hop: NextHop | undefined): string =>
  hop === undefined ? 'none' : `${hop.peer.transport} ${hop.peer.address}:${hop.peer.port} ${hop.side.kind}`

describe('the hop of a binding', () => {
  interface Row {
    name: string
    uri: string
    flow?: Partial<location.Flow>
    expected: string
  }
  const ROWS: Row[] = [
    {
      name: 'UDP: where the contact says',
      uri: 'sip:b@192.0.2.30:5070',
      flow: {},
      expected: 'udp 192.0.2.30:5070 none',
    },
    {
      name: 'behind NAT: where its REGISTER came from, and pinned there',
      uri: 'sip:b@10.0.0.5:5070',
      flow: { address: '203.0.113.5', port: 33_000 },
      expected: 'udp 203.0.113.5:33000 address',
    },
    {
      name: 'a contact that names nothing',
      uri: 'sip:b@x.invalid',
      flow: { address: '203.0.113.5', port: 33_000 },
      expected: 'udp 203.0.113.5:33000 address',
    },
    { name: 'without a flow: the URI', uri: 'sip:b@192.0.2.30;transport=tcp', expected: 'tcp 192.0.2.30:5060 flow' },
    { name: 'no SIP URI', uri: 'tel:+1', expected: 'none' },
    { name: 'a transport that we have not', uri: 'sips:b@192.0.2.30', expected: 'none' },
    {
      name: 'the flow of an edge that nobody knows',
      uri: 'sip:b@10.0.0.5',
      flow: { edgeId: 'edge-9.x', flowId: 1 },
      expected: 'none',
    },
  ]

  test.each(ROWS)('$name', ({ uri, flow, expected }) => {
    let found: NextHop | undefined
    edge().core.hops.toBinding(bindingOf(uri, flow), messageOf(requestText()), (hop) => {
      found = hop
    })
    expect(shown(found)).toBe(expected)
  })

  const flowBinding = (edgeId: string, flowId: number) =>
    bindingOf('sip:b@192.0.2.30:9;transport=tcp', { transport: 'tcp', edgeId, flowId })
  const hopOf = (bench: EdgeBench, binding: location.Binding): NextHop | undefined => {
    let found: NextHop | undefined
    bench.core.hops.toBinding(binding, messageOf(requestText()), (hop) => {
      found = hop
    })
    return found
  }

  test('a flow of this edge: its connection [RFC5626-5.3] [RFC5626-7d]', () => {
    const bench = edge()
    const connection = bench.tcp.connect('192.0.2.30', 40_000)
    const hop = hopOf(bench, flowBinding(A, connection.id))
    expect(shown(hop)).toBe('tcp 192.0.2.30:40000 flow')
    expect(hop?.route).toBe('')
  })

  test('a flow of this edge that is gone: the contact itself', () => {
    const bench = edge()
    bench.tcp.connect('192.0.2.30', 40_000).close()
    expect(shown(hopOf(bench, flowBinding(A, 1)))).toBe('tcp 192.0.2.30:9 flow')
  })

  test('a flow of another edge: its internal listener, with the flow in a Route, and its own listener to the far side', () => {
    const bench = edge()
    bench.joined([edgeOf(B, B_ADDRESS)])
    const hop = hopOf(bench, flowBinding(B, 7))
    expect(shown(hop)).toBe(`tcp ${B_ADDRESS}:5150 flow`)
    expect(hop?.side).toEqual({ kind: 'flow', edgeHash: edgeHashOf(B), flowId: 7 })
    expect(hop?.route).toMatch(new RegExp(`^Route: <sip:[\\w.-]+@${B_ADDRESS}:5150;transport=tcp;lr>\r\n$`))
    expect(hop?.facing.name).toBe(`tcp:${B_ADDRESS}:5060`)
  })

  test('a name that DNS does not know: none, later', async () => {
    const found = new Promise((resolve) => {
      edge().core.hops.toBinding(bindingOf(`sip:b@${NAMED}`), messageOf(requestText()), resolve)
    })
    expect(await found).toBeUndefined()
  })
})

describe('the hop of a token side', () => {
  interface Row {
    name: string
    side: TokenSide
    expected: string
  }
  const ROWS: Row[] = [
    { name: 'none', side: NO_SIDE, expected: 'none' },
    {
      name: 'an address',
      side: { kind: 'address', transport: TRANSPORT.UDP, address: '203.0.113.5', port: 33_000 },
      expected: 'udp 203.0.113.5:33000 address',
    },
    {
      name: 'a flow here',
      side: { kind: 'flow', edgeHash: edgeHashOf(A), flowId: 1 },
      expected: 'tcp 192.0.2.30:40000 flow',
    },
    { name: 'a flow that is gone', side: { kind: 'flow', edgeHash: edgeHashOf(A), flowId: 99 }, expected: 'none' },
    {
      name: 'a flow elsewhere',
      side: { kind: 'flow', edgeHash: edgeHashOf(B), flowId: 7 },
      expected: `tcp ${B_ADDRESS}:5150 flow`,
    },
    { name: 'a flow of nobody', side: { kind: 'flow', edgeHash: 1, flowId: 7 }, expected: 'none' },
    { name: 'a trunk: not yet', side: { kind: 'trunk', id: 1 }, expected: 'none' },
  ]
  test.each(ROWS)('$name', ({ side, expected }) => {
    const bench = edge()
    bench.joined([edgeOf(B, B_ADDRESS)])
    bench.tcp.connect('192.0.2.30', 40_000)
    expect(shown(bench.core.hops.toSide(side, messageOf(requestText())))).toBe(expected)
  })
})

describe('how requests come back to a caller', () => {
  test.each([
    ['over UDP from where it says', ALICE, { kind: 'none' }],
    [
      'over UDP through a NAT, with the listener that it knows',
      '10.0.0.1',
      {
        kind: 'address',
        transport: TRANSPORT.UDP,
        address: ALICE,
        port: 5060,
        listenerHash: edgeHashOf('udp:198.51.100.1:5060'),
      },
    ],
  ])('%s', (_name, host, expected) => {
    const bench = edge()
    const via = `Via: SIP/2.0/UDP ${host};branch=z9hG4bK-1;rport`
    bench.udpIn(requestText({ via }))
    const request = messageOf(requestText({ via }))
    const peer = bench.core.layer.findServer(request)?.peer as EdgePeer
    expect(bench.core.hops.sideOf(peer, request)).toEqual(expected)
  })

  test('over a stream: by its flow', () => {
    const bench = edge()
    const peer = bench.peerOf(bench.tcp.connect('192.0.2.30', 40_000))
    expect(bench.core.hops.sideOf(peer, messageOf(requestText()))).toEqual({
      kind: 'flow',
      edgeHash: edgeHashOf(A),
      flowId: 1,
    })
  })
})

describe('the hop between edges', () => {
  /** alice at edge A calls bob, whose flow edge B holds. */
  const twoEdges = () => {
    const [a, b] = [edge(A), edge(B, B_ADDRESS)]
    a.joined([edgeOf(B, B_ADDRESS)])
    b.joined([edgeOf(A, '198.51.100.1')])
    const phone = b.tcp.connect('192.0.2.30', 40_000)
    a.udpIn(requestText())
    const steps = [stepOf({ targets: [targetOf({ $case: 'aor', value: 'b' })] })]
    a.plan([], { steps })
    const binding = bindingOf('sip:bob@192.0.2.30:9;transport=tls', { transport: 'tcp', edgeId: B, flowId: phone.id })
    a.location.take('locate').answer({ bindings: [binding], version: 1n })
    a.begin()
    const link = b.internalTcp.connect('198.51.100.1', 50_000)
    const down = (word = 'INVITE'): void => b.tcpIn(a.last(word), link, true)
    const up = (status: number): void => {
      b.tcpIn(responseTo(b.last('INVITE'), status), phone)
      a.tcpIn(b.last(String(status)), a.internalTcp.connect(B_ADDRESS, 5150), true)
    }
    return { a, b, phone, down, up }
  }

  test('needs no decision, adds no Record-Route and leaves no transaction; the response finds its way by the Vias', () => {
    const { a, b, down, up } = twoEdges()
    expect(a.take()).toEqual([`100 → udp ${ALICE}:5060`, 'INVITE → tcp 1001'])
    down()
    expect(b.take()).toEqual(['INVITE → tcp 1'])
    const invite = b.last('INVITE')
    expect(valuesOf(invite, 'Via')).toHaveLength(3)
    expect(valuesOf(invite, 'Route')).toEqual([])
    expect(valuesOf(invite, 'Record-Route')).toEqual(valuesOf(a.last('INVITE'), 'Record-Route'))
    expect(b.policy.waiting()).toEqual([])
    expect([b.core.layer.serverCount, b.core.layer.clientCount]).toEqual([0, 0])
    up(180)
    up(200)
    expect(a.take()).toEqual([`180 → udp ${ALICE}:5060`, `200 → udp ${ALICE}:5060`])
    expect(b.core.counts.statelessResponses).toBe(2)
  })

  test('CANCEL and the ACK of a failure go the same way with the same branch [RFC3261-16.10c] [RFC3261-16.6.8g]', () => {
    const { a, b, down, up } = twoEdges()
    down()
    up(180)
    a.udpIn(requestText({ method: 'CANCEL' }))
    down('CANCEL')
    up(487)
    down('ACK')
    expect(b.take().filter((word) => word.endsWith('tcp 1'))).toEqual([
      'INVITE → tcp 1',
      'CANCEL → tcp 1',
      'ACK → tcp 1',
    ])
    const branches = ['INVITE', 'CANCEL', 'ACK'].map((word) => /branch=([^;]+)/.exec(b.last(word))?.[1])
    expect(new Set(branches).size).toBe(1)
    expect(a.take().at(-1)).toBe(`487 → udp ${ALICE}:5060`)
  })

  test('the flow is gone: 430, which the caller gets as 480 [RFC5626-5.3.1b]', () => {
    const { a, b, phone, down } = twoEdges()
    phone.close()
    down()
    expect(b.take()).toEqual(['430 → tcp 1001'])
    a.tcpIn(b.last('430'), a.internalTcp.connect(B_ADDRESS, 5150), true)
    expect(a.take().at(-1)).toBe(`480 → udp ${ALICE}:5060`)
    expect(b.core.counts.flowFailures).toBe(1)
  })

  test('without a token of the cluster: 403; at the end of its hops: 483', () => {
    const { a, b } = twoEdges()
    const link = b.internalTcp.connect('198.51.100.1', 50_000)
    const invite = a.last('INVITE')
    b.tcpIn(invite.replace(/Route: <sip:[\w.-]+@/, 'Route: <sip:AAAA@'), link, true)
    b.tcpIn(invite.replace('Max-Forwards: 69', 'Max-Forwards: 0'), link, true)
    expect(b.take()).toEqual(['403 → tcp 1001', '483 → tcp 1001'])
    b.tcpIn(invite.replace('call-1', 'call-2'), link, true)
    expect(b.take()).toEqual(['403 → tcp 1001'])
    expect(b.core.counts.refusedForgedToken).toBe(2)
  })

  test('a 2xx whose branch proves nothing goes nowhere: we are no reflector', () => {
    const { b, down, phone } = twoEdges()
    down()
    b.take()
    b.tcpIn(responseTo(b.last('INVITE'), 200).replace('z9hG4bK', 'z9hG4bKx'), phone)
    b.tcpIn(responseTo(b.last('INVITE'), 200).replace('Call-ID: call-1', 'Call-ID: call-9'), phone)
    expect(b.take()).toEqual([])
    expect(b.core.counts.droppedStrayResponse).toBe(2)
  })
})

describe('a response that matches no transaction', () => {
  test('goes to the edge that sent the request, which knows its transaction [DESIGN-4]', () => {
    const [a, b] = [edge(A), edge(B, B_ADDRESS)]
    a.joined([edgeOf(B, B_ADDRESS)])
    b.joined([edgeOf(A, '198.51.100.1')])
    a.udpIn(requestText({ method: 'MESSAGE' }))
    a.plan([['sip:bob@192.0.2.30']])
    a.take()
    b.udpIn(responseTo(a.last('MESSAGE'), 200), '192.0.2.30')
    expect(b.take()).toEqual(['RELAY → tcp 1001'])
    expect(b.core.counts.relayedResponses).toBe(1)
    a.tcpIn(b.last('RELAY'), a.internalTcp.connect(B_ADDRESS, 5150), true)
    expect(a.take()).toEqual([`200 → udp ${ALICE}:5060`, '200 → tcp 1001'])
  })

  const late = (method: string, status: number): EdgeBench => {
    const bench = edge()
    bench.udpIn(requestText({ method, via: 'Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK-1;rport' }), ALICE, 6_000)
    bench.plan([['sip:bob@192.0.2.30']])
    if (method === 'INVITE') bench.begin()
    const response = responseTo(bench.last(method), status)
    bench.take()
    bench.advance(70_000)
    bench.take()
    bench.udpIn(response, '192.0.2.30')
    return bench
  }

  test('goes up by its Via, to received and rport, if its branch proves itself [RFC3261-18.2.2f] [RFC3581-4c]', () => {
    expect(late('MESSAGE', 200).take()).toEqual([`200 → udp ${ALICE}:6000`])
  })

  test('MUST NOT be an initial 2xx, for nothing would have recorded it [DESIGN-4]', () => {
    const bench = late('INVITE', 200)
    expect(bench.take()).toEqual([])
    expect(bench.core.counts.droppedStrayResponse).toBe(1)
  })
})

test.each([
  ['sip:bob@h;transport=tcp', 'sip:bob@h;transport=tcp'],
  ['sip:bob@h?Subject=x', 'sip:bob@h'],
  ['sip:bob@h;METHOD=INVITE;lr?Route=%3Csip:x%3E', 'sip:bob@h;lr'],
  ['sip:bob;method=x@h;method=MESSAGE', 'sip:bob;method=x@h'],
])('%s as a Request-URI is %s [RFC3261-16.6.2] [RFC3261-19.1.1]', (uri, expected) => {
  expect(requestUriOf(uri)).toBe(expected)
})
