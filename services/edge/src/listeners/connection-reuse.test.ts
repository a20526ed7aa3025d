// SPDX-License-Identifier: MIT
// Who may have requests for its domains come over the connection that it opened, and to which port. Does not test: which requests
// then do (packages/transport, tls.test.ts).
import type { Connection, TlsTransport, TransportName } from '@tandem/transport'
import { expect, test } from 'vitest'
import { messageOf, requestText } from '../testing.ts'
import { noteAlias } from './connection-reuse.ts'
import { EdgeStreams } from './edge-streams.ts'
import { Facing } from './facing.ts'
import { StreamPeer } from './peers.ts'

const FACING = new Facing({ transport: 'tls', host: 'edge.test', port: 5061, edgeHash: 1, internal: false })

/** The ports that became aliases by a request with this Via. */
function ports(via: string, verifiedNames = ['carrier.test'], transport: TransportName = 'tls'): number[] {
  const noted: number[] = []
  const tls = { alias: (_connection: Connection, port: number) => noted.push(port) } as unknown as TlsTransport
  const streams = new EdgeStreams(undefined, undefined, { tls: { transport: tls, facing: FACING } })
  const peer = new StreamPeer({ transport, verifiedNames } as unknown as Connection, FACING)
  noteAlias(streams, messageOf(requestText({ via: `Via: SIP/2.0/TLS ${via}` })), peer)
  return noted
}

test.each([
  ['that of the sent-by', 'p.test:5071;branch=z9hG4bK-1;alias', [5071]],
  ['the default where it has none', 'p.test;branch=z9hG4bK-1;alias', [5061]],
  ['alias before the branch', 'p.test;alias;branch=z9hG4bK-1', [5061]],
  ['none without alias', 'p.test;branch=z9hG4bK-1', []],
] as const)('[RFC5923-8.2d] the port MUST be %s', (_what, via, expected) => {
  expect(ports(via)).toEqual(expected)
})

test('[RFC5923-9.2b] [RFC5923-8.2b] without a certificate alias MUST mean nothing', () => {
  expect(ports('p.test;branch=z9hG4bK-1;alias', [])).toEqual([])
})

test('[RFC5923-9.3a] nothing but TLS MUST be reused', () => {
  for (const transport of ['tcp', 'ws', 'wss'] as const) {
    expect(ports('p.test;branch=z9hG4bK-1;alias', ['carrier.test'], transport)).toEqual([])
  }
})
