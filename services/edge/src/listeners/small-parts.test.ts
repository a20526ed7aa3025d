// SPDX-License-Identifier: MIT
// The parts of an edge that need no edge around them: texts of a listener, limits of a source, hashes of edges.
import type { Connection, UdpListener } from '@tandem/transport'
import { describe, expect, test } from 'vitest'
import { uriPlace } from '../initial/uri-place.ts'
import { edgeHashOf } from '../membership/edge-hash.ts'
import { Facing } from './facing.ts'
import { flowOf, StreamPeer, UdpPeer } from './peers.ts'
import { SourceLimiter } from './source-limiter.ts'

describe('a listener as the world sees it', () => {
  test.each([
    ['udp', '192.0.2.1', 'udp:192.0.2.1:5060', 'UDP 192.0.2.1:5060', '192.0.2.1:5060'],
    ['tcp', '192.0.2.1', 'tcp:192.0.2.1:5060', 'TCP 192.0.2.1:5060', '192.0.2.1:5060;transport=tcp'],
    ['udp', '2001:db8::1', 'udp:[2001:db8::1]:5060', 'UDP [2001:db8::1]:5060', '[2001:db8::1]:5060'],
  ] as const)('%s at %s', (transport, host, name, via, route) => {
    const facing = new Facing({ transport, host, port: 5060, edgeHash: 35, internal: false })
    expect(facing.name).toBe(name)
    expect(facing.via('z9hG4bKx')).toBe(`Via: SIP/2.0/${via};branch=z9hG4bKx;te=z\r\n`)
    expect(facing.route('token')).toBe(`<sip:token@${route};lr>`)
  })
})

describe('the way back to a peer', () => {
  test('UDP: its address, through any edge; a connection: this edge and the connection [RFC5626-5.1b]', () => {
    const facing = new Facing({ transport: 'udp', host: '192.0.2.1', port: 5060, edgeHash: 1, internal: false })
    const udp = new UdpPeer({} as UdpListener, facing, '198.51.100.7', 5062)
    const place = { address: '198.51.100.7', port: 5062 }
    expect(flowOf(udp, 'edge-0.a')).toEqual({ ...place, transport: 'udp', edgeId: '', flowId: 0 })
    const connection = { id: 9, transport: 'tcp', remoteAddress: place.address, remotePort: place.port } as Connection
    const expected = { ...place, transport: 'tcp', edgeId: 'edge-0.a', flowId: 9 }
    expect(flowOf(new StreamPeer(connection, facing), 'edge-0.a')).toEqual(expected)
  })
})

describe('limits of a source', () => {
  test('as many as the rate at once, then as they come back', () => {
    const limiter = new SourceLimiter(10)
    const taken = Array.from({ length: 15 }, () => limiter.allow('a', 1_000)).filter(Boolean).length
    expect(taken).toBe(10)
    expect([limiter.allow('a', 1_099), limiter.allow('a', 1_100), limiter.allow('a', 1_101)]).toEqual([
      false,
      true,
      false,
    ])
    expect(limiter.allow('b', 1_101)).toBe(true)
  })

  test('a long silence gives no more than one second of them', () => {
    const limiter = new SourceLimiter(2)
    limiter.allow('a', 0)
    const later = [1, 2, 3].map(() => limiter.allow('a', 100_000))
    expect(later).toEqual([true, true, false])
  })

  test('the table is bounded: the source first seen goes', () => {
    const limiter = new SourceLimiter(1, 3)
    for (const source of ['a', 'b', 'c', 'd', 'e']) expect(limiter.allow(source, 0)).toBe(true)
    expect(limiter.size).toBe(3)
    expect([limiter.allow('e', 0), limiter.allow('a', 0)]).toEqual([false, true])
  })
})

test('the hash of an edge id is the same everywhere (FNV-1a)', () => {
  expect(edgeHashOf('')).toBe(0x811c9dc5)
  expect(edgeHashOf('a')).toBe(0xe40c292c)
  expect(edgeHashOf('foobar')).toBe(0xbf9cf968)
  expect(edgeHashOf('foobar')).toBe(0xbf9cf968)
})

describe('where a URI points', () => {
  test.each([
    ['sip:bob@192.0.2.1', { host: '192.0.2.1', port: undefined, transport: undefined, isSecure: false }],
    ['sip:bob@192.0.2.1:5070;transport=tcp', { host: '192.0.2.1', port: 5070, transport: 'tcp', isSecure: false }],
    ['sips:bob@x.test;maddr=192.0.2.9', { host: '192.0.2.9', port: undefined, transport: undefined, isSecure: true }],
    ['tel:+1234', undefined],
    ['nonsense', undefined],
    [`sip:${'a'.repeat(5_000)}@x`, undefined],
  ])('%s [RFC3263-4]', (uri, expected) => {
    expect(uriPlace(uri)).toEqual(expected)
  })
})
