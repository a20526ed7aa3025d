// SPDX-License-Identifier: MIT
//
// `edge.limits`: what an edge takes at most, of one source, of one connection and in all.
import { z } from 'zod'
import { durationMs } from './values.ts'

export const limits = z
  .strictObject({
    maxTransactions: z
      .int()
      .min(100)
      .default(500_000)
      .describe('Transactions held at once; beyond it new requests get 503.'),
    maxPendingRequests: z
      .int()
      .min(10)
      .default(20_000)
      .describe('Requests that wait for policy or location; beyond it 503.'),
    maxTargets: z
      .int()
      .min(1)
      .max(128)
      .default(32)
      .describe('Branches of one request over its whole life: targets, failovers and followed redirects.'),
    maxConnections: z.int().min(1).default(50_000).describe('TCP, TLS and WebSocket connections held at once.'),
    maxConnectionsPerAddress: z
      .int()
      .min(1)
      .default(1_000)
      .describe('Such connections from one IPv4 address or IPv6 /64.'),
    connectionIdleMs: durationMs(1_000)
      .default(1_800_000)
      .describe('A connection without traffic for this long is closed.'),
    maxQueuedBytes: z
      .int()
      .min(65_536)
      .default(1_048_576)
      .describe('Bytes that wait to be written to one connection; a reader that is slower loses it.'),
    partialMessageMs: durationMs(100).default(16_000).describe('Time in which a message that has begun must be whole.'),
    handshakeMs: durationMs(100)
      .default(10_000)
      .describe('Time from an accepted connection to SIP: PROXY header, TLS and WebSocket together.'),
    maxHandshakes: z
      .int()
      .min(1)
      .default(1_000)
      .describe('Connections that are on this way at once; beyond it refused.'),
    maxHandshakesPerAddress: z
      .int()
      .min(1)
      .default(250)
      .describe('The same from one IPv4 address or IPv6 /64, so that one source does not keep all others out.'),
    handshakesPerSecond: z
      .int()
      .min(1)
      .default(250)
      .describe('TLS handshakes begun in a second; others wait, so that those who are connected need not.'),
    maxRequestsPerSource: z
      .int()
      .min(0)
      .default(0)
      .describe('Initial requests a second from one source address; 0 for no limit.'),
  })
  .prefault({})
