// SPDX-License-Identifier: MIT
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

/** Where the request came from: given as long as the request is at hand. */
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

/** RFC 3261 §18.2.2 and RFC 3581 §4. For streams it is the place to connect to once the request's connection is gone. */
export function responseTarget(via: ViaTarget, source?: PacketSource): ResponseTarget {
  throw new Error(`surface only ${via} ${source}`)
}
