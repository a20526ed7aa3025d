// SPDX-License-Identifier: MIT
// What is kept between messages so that it is not made for each: peers of UDP sources, hops of contacts. Kept for the same, made anew
// for anything else.
import type { UdpListener } from '@tandem/transport'
import { afterEach, expect, test } from 'vitest'
import { Facing } from '../listeners/facing.ts'
import { UdpSource } from '../listeners/listeners.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { ALICE, EDGE_ADDRESS, EdgeBench, messageOf, requestText } from '../testing.ts'
import type { NextHop } from './hops.ts'

let bench: EdgeBench | undefined
afterEach(() => bench?.close())

const LISTENER = { transport: 'udp', send: () => undefined } as unknown as UdpListener
const NO_RPORT = 'Via: SIP/2.0/UDP 198.51.100.7:5070;branch=z9hG4bK-1'
const RPORT = `${NO_RPORT};rport`

test('one peer for all messages of a phone, another for any other place', () => {
  const facing = new Facing({ transport: 'udp', host: EDGE_ADDRESS, port: 5060, edgeHash: 1, internal: false })
  const peers: EdgePeer[] = []
  const source = new UdpSource(facing, (buf, start, end) => {
    peers.push(source.peer(messageOf(buf.latin1Slice(start, end))))
  })
  const from = (via: string, address: string, port: number, listener = LISTENER): EdgePeer => {
    const bytes = Buffer.from(requestText({ via }))
    source.onDatagram(bytes, 0, bytes.length, address, port, listener)
    return peers.at(-1) as EdgePeer
  }
  const first = from(NO_RPORT, ALICE, 6_000)
  expect(from(NO_RPORT, ALICE, 6_000)).toBe(first)
  expect([first.address, first.port]).toEqual([ALICE, 5070])
  const others = [
    from(RPORT, ALICE, 6_000),
    from(NO_RPORT, '192.0.2.77', 6_000),
    from(NO_RPORT, ALICE, 6_000 + 1024),
    from(NO_RPORT, ALICE, 6_000, { ...LISTENER }),
  ]
  expect(others.map(({ address, port }) => `${address}:${port}`)).toEqual([
    `${ALICE}:6000`,
    '192.0.2.77:5070',
    `${ALICE}:5070`,
    `${ALICE}:5070`,
  ])
  expect(new Set([first, ...others]).size).toBe(5)
})

test('one hop for a contact over UDP, another for the same place with another Request-URI; none over TCP is kept', () => {
  bench = new EdgeBench()
  const { hops } = bench.core
  const hopOf = (uri: string, keepUri: boolean): NextHop => {
    const found: (NextHop | undefined)[] = []
    hops.toUri(uri, keepUri, (hop) => found.push(hop))
    return found[0] as NextHop
  }
  const uri = 'sip:b@192.0.2.30:5070'
  const first = hopOf(uri, false)
  expect(hopOf(uri, false)).toBe(first)
  expect(first.uri).toBe(uri)
  expect(hopOf(uri, true).uri).toBe('')
  expect(hopOf('sip:c@192.0.2.30:5070', false).uri).toBe('sip:c@192.0.2.30:5070')
  const tcp = 'sip:b@192.0.2.31;transport=tcp'
  expect(hopOf(tcp, false)).not.toBe(hopOf(tcp, false))
})
