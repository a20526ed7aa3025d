// SPDX-License-Identifier: MIT
// Where a response goes: RFC 3261 §18.2.2 with RFC 3581 §4. Pure: the user sends, and over a stream it tries the request's own connection
// first; what comes out here is the place to connect to when that one is gone.
// Left out: the ttl of a multicast maddr. Whether a maddr that points elsewhere is obeyed at all is the user's policy (`ignoreMaddr`).
import { defaultPort } from './default-port.ts'
import { numericHost } from './numeric-host.ts'
import type { TransportName } from './types.ts'

/** What of a top Via decides where the response goes. Absent numbers are -1, absent texts undefined. */
export interface ViaTarget {
  readonly transport: TransportName
  readonly host: string
  readonly port: number
  readonly maddr?: string | undefined
  readonly received?: string | undefined
  /** -1: no rport parameter; 0: rport without a value. */
  readonly rport: number
}

/** Where the request came from: given as long as the request is at hand, whatever its Via says by then. */
export interface PacketSource {
  readonly address: string
  readonly port: number
}

export interface ResponseTarget {
  readonly transport: TransportName
  /** A numeric address, or a host name that has to be located by RFC 3263 §5 (isNumeric is false then). */
  readonly host: string
  /** -1: none given, so that SRV is asked where host is a name. */
  readonly port: number
  readonly isNumeric: boolean
}

/** The target of the response to a request with this top Via. */
export function responseTarget(
  via: ViaTarget,
  source?: PacketSource,
  options?: { ignoreMaddr?: boolean },
): ResponseTarget {
  const received = source?.address ?? via.received
  if (via.transport !== 'udp') return place(via.transport, received ?? via.host, via.port)
  // [RFC3261-18.2.2] maddr comes before received
  if (via.maddr !== undefined && options?.ignoreMaddr !== true) return place('udp', via.maddr, via.port)
  // [RFC3581-4] both received and rport: back to where it came from
  if (received !== undefined) return place('udp', received, receivedPort(via, source))
  return place('udp', via.host, via.port)
}

function receivedPort(via: ViaTarget, source: PacketSource | undefined): number {
  if (via.rport < 0) return via.port
  if (source !== undefined) return source.port
  return via.rport > 0 ? via.rport : via.port
}

function place(transport: TransportName, host: string, port: number): ResponseTarget {
  const address = numericHost(host)
  if (address === undefined) return { transport, host, port, isNumeric: false }
  return { transport, host: address, port: port < 0 ? defaultPort(transport) : port, isNumeric: true }
}
