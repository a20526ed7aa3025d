// SPDX-License-Identifier: MIT
import type { TransportErrorCode } from '../errors.ts'
import type { Endpoint, TransportName } from '../types.ts'
import type { DnsResolver } from './resolver.ts'

/** What of a URI decides where a request goes. */
export interface LocateTarget {
  /** Host name or numeric address, IPv6 with or without brackets; maddr in its place where the URI has one. */
  readonly host: string
  readonly port?: number | undefined
  /** The transport parameter as written. */
  readonly transport?: string | undefined
  /** sips. */
  readonly isSecure?: boolean
}

export type LocateResult =
  | { readonly found: true; readonly endpoints: readonly Endpoint[] }
  | { readonly found: false; readonly error: TransportErrorCode; readonly detail: string }

export interface LocatorOptions {
  readonly resolver: DnsResolver
  /** Those that we can send with, best first. */
  readonly transports: readonly TransportName[]
  /** [0, 1). */
  readonly random: () => number
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly families?: readonly (4 | 6)[]
  readonly lookupTimeoutMs?: number
  readonly maxCacheEntries?: number
  readonly negativeTtlMs?: number
  /** Life of SRV and NAPTR answers, whose TTL node does not tell. */
  readonly serviceTtlMs?: number
  readonly maxTtlMs?: number
}

/** RFC 3263 §4 over an injected resolver, with a bounded cache. */
export class ServerLocator {
  constructor(options: LocatorOptions) {
    throw new Error(`surface only ${options}`)
  }
  /** A numeric host is answered at once, without a promise; never rejects. Endpoints are in the order to be tried. */
  locate(target: LocateTarget): LocateResult | Promise<LocateResult> {
    throw new Error(`surface only ${target}`)
  }
}
