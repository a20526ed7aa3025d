// SPDX-License-Identifier: MIT
// Contacts behind a NAT that lets in one edge only, where each edge has its own address: calls and requests in the dialog between two
// edges whose messages the test carries. Not tested here: NATs themselves (test/e2e/nat-edges.test.ts), who is behind one (nat.test.ts).
import type { location } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
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

const A = 'edge-0.test'
const B = 'edge-1.test'
const [A_ADDRESS, B_ADDRESS] = ['198.51.100.1', '198.51.100.2']
const NAT = '203.0.113.9'
const HOME = `udp ${NAT}:40000`
const OPEN = 'sip:bob@192.0.2.31'

let benches: EdgeBench[] = []
afterEach(() => {
  for (const bench of benches) bench.close()
  benches = []
})

const edges = (second: Partial<location.Edge> = {}) => {
  const open = (id: string, address: string): EdgeBench => new EdgeBench({ 'edge.bindAddress': address }, id)
  const [a, b] = [open(A, A_ADDRESS), open(B, B_ADDRESS)]
  benches.push(a, b)
  a.joined([{ ...edgeOf(B, B_ADDRESS), ...second }])
  b.joined([edgeOf(A, A_ADDRESS)])
  const [atB, atA] = [b.internalTcp.connect(A_ADDRESS, 5150), a.internalTcp.connect(B_ADDRESS, 5150)]
  const down = (word = 'INVITE'): void => b.tcpIn(a.last(word), atB, true)
  const up = (word: number | string): void => a.tcpIn(b.last(String(word)), atA, true)
  const answer = (word: string, status: number, headers: readonly string[] = []): void => {
    b.udpIn(responseTo(b.last(word), status, 'bob', headers), NAT, 40_000)
    up(status)
  }
  return { a, b, atA, atB, down, up, answer }
}

const atHome = (natEdge: string | undefined = B): location.Binding =>
  bindingOf('sip:bob@10.0.0.5', { address: NAT, port: 40_000, ...(natEdge === undefined ? {} : { natEdge }) })

/** alice calls bob at edge A. */
const call = (a: EdgeBench, bindings: readonly location.Binding[] = [atHome()], request = requestText()): void => {
  a.udpIn(request)
  a.plan([], { steps: [stepOf({ targets: [targetOf({ $case: 'aor', value: 'sip:bob@example.test' })] })] })
  a.location.take('locate').answer({ bindings: [...bindings], version: 1n })
  a.begin()
}

const routesOf = (text: string, reverse: boolean): string[] => {
  const values = valuesOf(text, 'Record-Route').map((value) => `Route: ${value}`)
  return reverse ? values.reverse() : values
}

describe('a call to a phone whose NAT lets in another edge', () => {
  test('goes over that edge, with no decision there, and its responses come back over it', () => {
    const { a, b, down, answer } = edges()
    call(a)
    expect(a.take().slice(1)).toEqual(['INVITE → tcp 1001'])
    down()
    expect(b.take()).toEqual([`INVITE → ${HOME}`])
    const invite = b.last('INVITE')
    expect([invite.split(' ')[1], valuesOf(invite, 'Route'), b.policy.waiting()]).toEqual(['sip:bob@10.0.0.5', [], []])
    const hosts = valuesOf(invite, 'Record-Route').map((value) => /@([^:]+):/.exec(value)?.[1])
    expect(hosts).toEqual([B_ADDRESS, A_ADDRESS])
    expect(valuesOf(invite, 'Via')[0]).toContain(`SIP/2.0/UDP ${B_ADDRESS}:5060`)
    answer('INVITE', 180)
    answer('INVITE', 200)
    expect(a.take()).toEqual([`180 → udp ${ALICE}:5060`, `200 → udp ${ALICE}:5060`])
    expect([b.core.layer.serverCount, b.core.layer.clientCount, b.core.counts.internalHops]).toEqual([0, 0, 1])
  })

  test('is repeated as over UDP, in the very bytes', () => {
    const { a, b, down } = edges()
    call(a)
    down()
    const first = b.last('INVITE')
    a.take()
    a.advance(500)
    expect(a.take()).toEqual(['INVITE → tcp 1001'])
    down()
    expect(b.take()).toEqual([`INVITE → ${HOME}`, `INVITE → ${HOME}`])
    expect(b.last('INVITE')).toBe(first)
  })

  test('CANCEL and the ACK of a failure go the same way with the same branch [RFC3261-16.10c] [RFC3261-16.6.8g]', () => {
    const { a, b, down, answer } = edges()
    call(a)
    down()
    answer('INVITE', 180)
    a.udpIn(requestText({ method: 'CANCEL' }))
    down('CANCEL')
    answer('INVITE', 487)
    down('ACK')
    expect(b.take().filter((word) => word.endsWith(HOME))).toEqual(
      ['INVITE', 'CANCEL', 'ACK'].map((w) => `${w} → ${HOME}`),
    )
    const branches = ['INVITE', 'CANCEL', 'ACK'].map((word) => /branch=([^;]+)/.exec(b.last(word))?.[1])
    expect(new Set(branches).size).toBe(1)
  })

  test('without Content-Length it gets one: the hop is a stream', () => {
    const { a } = edges()
    call(a, [atHome()], requestText().replace('Content-Length: 0\r\n', ''))
    expect(a.last('INVITE')).toMatch(/Content-Length: 0/)
  })

  test('that edge was started again in its place: over the new one', () => {
    const { a } = edges({ id: 'edge-1.later', incarnation: 'later' })
    call(a)
    expect(a.take().slice(1)).toEqual(['INVITE → tcp 1001'])
  })

  test('all edges share one address: from here', () => {
    const { a } = edges({ listeners: [`udp:${A_ADDRESS}:5060`] })
    call(a)
    expect(a.take().slice(1)).toEqual([`INVITE → ${HOME}`])
  })
})

describe('requests in the dialog', () => {
  /** alice, behind a NAT that lets in edge A, talks to bob, behind one that lets in edge B. */
  const talk = () => {
    const world = edges()
    const via = 'Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-a1;rport'
    world.a.udpIn(requestText({ via }), ALICE, 6_000)
    const { a, b, down, answer } = world
    a.plan([], { steps: [stepOf({ targets: [targetOf({ $case: 'aor', value: 'sip:bob@example.test' })] })] })
    a.location.take('locate').answer({ bindings: [atHome()], version: 1n })
    a.begin()
    down()
    answer('INVITE', 200, ['Contact: <sip:bob@10.0.0.5>'])
    const ok = a.last('200')
    const invite = b.last('INVITE')
    a.take()
    b.take()
    const dialog = { toTag: 'bob', uri: 'sip:bob@10.0.0.5', via, headers: routesOf(ok, true) }
    const back = {
      uri: 'sip:alice@10.0.0.1',
      via: 'Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK-b1;rport',
      fromTag: 'bob',
      toTag: 'alice',
      headers: routesOf(invite, false),
    }
    return { ...world, dialog, back }
  }

  test.each(['ACK', 'BYE', 'INVITE'])('%s of the caller, at her edge: over that of the callee', (method) => {
    const { a, b, down, dialog } = talk()
    a.udpIn(requestText({ ...dialog, method, cseq: 2, via: dialog.via.replace('-a1', '-a2') }), ALICE, 6_000)
    expect(a.take().filter((word) => !word.startsWith('100'))).toEqual([`${method} → tcp 1001`])
    down(method)
    expect(b.take()).toEqual([`${method} → ${HOME}`])
  })

  test('BYE of the callee, at his edge: over that of the caller, and its 200 back', () => {
    const { a, b, atA, atB, back } = talk()
    b.udpIn(requestText({ ...back, method: 'BYE', cseq: 7 }), NAT, 40_000)
    expect(b.take()).toEqual(['BYE → tcp 1001'])
    a.tcpIn(b.last('BYE'), atA, true)
    expect(a.take()).toEqual([`BYE → udp ${ALICE}:6000`])
    a.udpIn(responseTo(a.last('BYE'), 200), ALICE, 6_000)
    expect(a.take()).toEqual(['200 → tcp 1001'])
    b.tcpIn(a.last('200'), atB, true)
    expect(b.take()).toEqual([`200 → ${HOME}`])
  })

  test('BYE while no connection to that edge opens: from here', () => {
    const { a, atA, dialog } = talk()
    a.udpIn(requestText({ ...dialog, method: 'BYE', cseq: 2 }), ALICE, 6_000)
    a.take()
    for (const client of a.peerOf(atA).clients) a.core.layer.transportError(client)
    expect(a.take()).toEqual([`BYE → ${HOME}`])
  })

  test('BYE when that edge is gone: from here', () => {
    const { a, dialog } = talk()
    a.joined([], 2n)
    a.udpIn(requestText({ ...dialog, method: 'BYE', cseq: 2 }), ALICE, 6_000)
    expect(a.take()).toEqual([`BYE → ${HOME}`])
  })

  test('a request that comes to an edge with another address than its token names is not handed on: 430', () => {
    const { b, atB, a } = edges()
    call(a)
    const [c] = [new EdgeBench({ 'edge.bindAddress': '198.51.100.3' }, 'edge-2.test')]
    benches.push(c)
    c.joined([edgeOf(A, A_ADDRESS), edgeOf(B, B_ADDRESS)])
    c.tcpIn(a.last('INVITE'), c.internalTcp.connect(A_ADDRESS, 5150), true)
    expect(c.take()).toEqual(['430 → tcp 1001'])
    expect([b.take(), atB.isOpen, c.core.counts.flowFailures]).toEqual([[], true, 1])
  })
})

describe('the edge that a NAT lets in is gone', () => {
  test('its phone is tried from here, where the user has no other', () => {
    const { a } = edges()
    a.joined([], 2n)
    call(a)
    expect(a.take().slice(1)).toEqual([`INVITE → ${HOME}`])
    expect(a.core.counts.natEdgesGone).toBe(1)
  })

  test('where he has another, that one alone is tried [RFC5626-5.3.1b]', () => {
    const { a } = edges()
    a.joined([], 2n)
    call(a, [atHome(), bindingOf(OPEN)])
    expect(a.take().slice(1)).toEqual(['INVITE → udp 192.0.2.31:5060'])
  })

  test('unknown from before this edge began, among edges of several addresses: the same', () => {
    const { a } = edges()
    call(a, [atHome('edge-7.old'), bindingOf(OPEN)])
    expect(a.take().slice(1)).toEqual(['INVITE → udp 192.0.2.31:5060'])
  })

  test('that had the address of all: its phone is one like others', () => {
    const { a } = edges({ listeners: [`udp:${A_ADDRESS}:5060`] })
    a.joined([], 2n)
    call(a, [atHome(), bindingOf(OPEN)])
    expect(a.take().slice(1)).toEqual([`INVITE → ${HOME}`, 'INVITE → udp 192.0.2.31:5060'])
  })

  test('while its lease still runs: no connection, and 480 to the caller at once', () => {
    const { a, atA } = edges()
    call(a)
    a.take()
    for (const client of a.peerOf(atA).clients) a.core.layer.transportError(client)
    expect(a.take()).toEqual([`480 → udp ${ALICE}:5060`])
  })
})

test('an adopter takes the same way, as the directory has it', () => {
  const { a } = edges()
  const flow = { transport: 'udp', address: NAT, port: 40_000, edgeId: '', flowId: 0, natEdge: B }
  const hop = a.core.hops.toStored(flow, 'sip:bob@10.0.0.5', messageOf(requestText()))
  expect([hop?.peer.transport, hop?.peer.address, hop?.facing.name]).toEqual(['udp', NAT, `udp:${B_ADDRESS}:5060`])
})
