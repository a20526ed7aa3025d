// SPDX-License-Identifier: MIT
// The Record-Route of a request that is on TLS on one side, on both, or on none. Does not test: the token, other changes of
// listener (branches.test.ts), the text of one listener (response-retry.test.ts).
import { describe, expect, test } from 'vitest'
import type { NextHop } from '../hops/hops.ts'
import { Facing, pairWithSecure } from '../listeners/facing.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { messageOf, requestText } from '../testing.ts'
import { recordRouteLines } from './record-route.ts'

const PORT = { udp: 5060, tcp: 5060, tls: 5061, ws: 5066, wss: 5067 } as const
type Side = keyof typeof PORT

const sides = Object.keys(PORT) as Side[]
const facings = sides.map(
  (transport) => new Facing({ transport, host: 'edge.test', port: PORT[transport], edgeHash: 1, internal: false }),
)
pairWithSecure(facings)
const facing = (transport: Side): Facing => facings[sides.indexOf(transport)] as Facing

/** The values from the top, as the next hop reads them. */
function recorded(from: Side, to: Side, uri: string, target = ''): string[] {
  const hop = { facing: facing(to), route: '', uri: target } as NextHop
  const lines = recordRouteLines('T', messageOf(requestText({ uri })), hop, { facing: facing(from) } as EdgePeer)
  return lines.split('\r\n').flatMap((line) => line.replace(/^Record-Route: /, '') || [])
}

const OVER_UDP = '<sip:T@edge.test:5060;lr>'
const OVER_TLS = '<sips:T@edge.test:5061;lr>'
const OVER_WSS = '<sips:T@edge.test:5067;transport=ws;lr>'

describe('TLS on one side', () => {
  test.each([
    ['tls', 'udp', [OVER_UDP, OVER_TLS]],
    ['udp', 'tls', [OVER_TLS, OVER_UDP]],
    ['wss', 'udp', [OVER_UDP, OVER_WSS]],
  ] as const)(
    'from %s to %s MUST lead to each side by its own transport [RFC5658-6.2b] [RFC3261-16.6.4i]',
    (from, to, values) => {
      expect(recorded(from, to, 'sip:bob@example.test')).toEqual(values)
    },
  )

  test('a sip target of a sips request is recorded with sip toward it, sips toward the caller', () => {
    expect(recorded('tls', 'udp', 'sips:bob@example.test', 'sip:bob@192.0.2.1')).toEqual([OVER_UDP, OVER_TLS])
  })
})

test('TLS on both sides is one sips value, where one listener is on both', () => {
  expect(recorded('tls', 'tls', 'sip:bob@example.test')).toEqual([OVER_TLS])
  expect(recorded('wss', 'tls', 'sips:bob@example.test')).toEqual([OVER_TLS, OVER_WSS])
})

describe('a sips request that came without TLS', () => {
  const SIPS = 'sips:bob@example.test'

  test.each([
    ['udp', 'tls', [OVER_TLS]],
    ['tcp', 'tls', [OVER_TLS]],
    ['ws', 'tls', [OVER_TLS, OVER_WSS]],
    ['udp', 'wss', [OVER_WSS, OVER_TLS]],
    ['ws', 'wss', [OVER_WSS]],
  ] as const)(
    'from %s to %s MUST be recorded with sips URIs, each of a port that has TLS [RFC3261-16.6.4gh] [RFC5658-6.2b]',
    (from, to, values) => {
      expect(recorded(from, to, SIPS)).toEqual(values)
      expect(recorded(from, to, SIPS, 'sips:bob@192.0.2.1')).toEqual(values)
    },
  )

  test('is recorded over WSS where that is all that has TLS', () => {
    const [udp, wss] = [facing('udp'), facing('wss')]
    pairWithSecure([udp, wss])
    expect(udp.secure).toBe(wss)
    pairWithSecure([udp])
    expect(udp.secure).toBe(udp)
    pairWithSecure(facings)
  })
})
