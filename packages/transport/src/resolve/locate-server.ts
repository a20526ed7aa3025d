// SPDX-License-Identifier: MIT
// Where a request goes: RFC 3263 §4 (and §5 for a response whose connection is gone), over an injected resolver with a bounded cache.
// Steps: numeric host; port given: A/AAAA; transport given: SRV of it; else NAPTR, else SRV of each of our transports; then A/AAAA.
// A failed NAPTR question counts as no NAPTR records (many resolvers refuse it); a failed SRV question is a failure, since going to the
// domain's A record instead could reach the wrong host. Endpoints of less preferred transports follow, for failover by the user.
// Left out: NAPTR flags other than "s"; the choice of TCP for large requests, which the user makes by giving `transport`.

import { defaultPort } from '../default-port.ts'
import type { TransportErrorCode } from '../errors.ts'
import { numericHost } from '../numeric-host.ts'
import type { Endpoint, TransportName } from '../types.ts'
import { DnsCache, type DnsCounters } from './dns-cache.ts'
import type { DnsResolver, SrvRecord } from './resolver.ts'
import { choicesOfNaptr, defaultTransport, isSecureTransport, srvName, transportOfParam } from './select-transport.ts'
import { orderSrv } from './srv-order.ts'

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
  /** Address families in order of preference; [4] where absent. */
  readonly families?: readonly (4 | 6)[]
  /** Of one DNS question; 2 s where absent. A target needs three in a row at most. */
  readonly lookupTimeoutMs?: number
  /** 10,000 where absent. */
  readonly maxCacheEntries?: number
  /** Questions under way at a time, 1,000 where absent. */
  readonly maxInFlight?: number
  /** 5 s where absent. */
  readonly negativeTtlMs?: number
  /** Life of SRV and NAPTR answers, whose TTL node does not tell; 60 s where absent. */
  readonly serviceTtlMs?: number
  /** 1 h where absent. */
  readonly maxTtlMs?: number
}

/** Endpoints of one target; what comes after is not tried. */
const MAX_ENDPOINTS = 16
const MAX_SRV_TARGETS = 8
const HOST_NAME = /^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?$/

type Services = {
  readonly state: 'records' | 'none' | 'refused' | 'failed'
  readonly endpoints: readonly Endpoint[]
  readonly detail: string
}

export class ServerLocator {
  readonly #options: LocatorOptions
  readonly #families: readonly (4 | 6)[]
  readonly #cache: DnsCache

  constructor(options: LocatorOptions) {
    this.#options = options
    this.#families = options.families ?? [4]
    this.#cache = new DnsCache({
      resolver: options.resolver,
      now: options.now,
      lookupTimeoutMs: options.lookupTimeoutMs ?? 2_000,
      maxEntries: options.maxCacheEntries ?? 10_000,
      maxInFlight: options.maxInFlight ?? 1_000,
      negativeTtlMs: options.negativeTtlMs ?? 5_000,
      serviceTtlMs: options.serviceTtlMs ?? 60_000,
      maxTtlMs: options.maxTtlMs ?? 3_600_000,
    })
  }

  get counters(): Readonly<DnsCounters> {
    return this.#cache.counters
  }

  get cacheSize(): number {
    return this.#cache.size
  }

  /**
   * A numeric host is answered at once, without a promise; never throws, never rejects. Endpoints are in the order to be tried, 1 to 16.
   *
   * @param share [0, 1), in place of chance: equal records are then in an order that hangs on it alone [RFC3263-4.4]
   */
  locate(target: LocateTarget, share?: number): LocateResult | Promise<LocateResult> {
    const isSecure = target.isSecure === true
    const asked = target.transport === undefined ? undefined : transportOfParam(target.transport, isSecure)
    if (target.transport !== undefined && asked === undefined) return unsupported(target)
    const address = numericHost(target.host)
    const settled =
      asked ?? (address !== undefined || target.port !== undefined ? defaultTransport(isSecure) : undefined)
    if (settled !== undefined && !this.#options.transports.includes(settled)) return unsupported(target)
    if (address !== undefined) return atAddress(settled ?? defaultTransport(isSecure), address, target.port)
    const name = target.host.toLowerCase().replace(/\.$/, '')
    if (!HOST_NAME.test(name)) return { found: false, error: 'hostNotFound', detail: `${target.host} is no host name` }
    if (settled === undefined) return this.#locateAny(name, isSecure, share)
    if (target.port !== undefined) return this.#locateHost(name, settled, target.port, share)
    return this.#locateTransport(name, settled, share)
  }

  // [RFC3263-4.1] no transport, no port: NAPTR, then SRV of each transport that we have
  async #locateAny(name: string, isSecure: boolean, share?: number): Promise<LocateResult> {
    const usable = this.#options.transports.filter((transport) => !isSecure || isSecureTransport(transport))
    const naptr = await this.#cache.naptr(name)
    const chosen = naptr.ok ? choicesOfNaptr(naptr.records, usable, isSecure) : []
    const choices =
      chosen.length > 0 ? chosen : usable.map((transport) => ({ transport, srvName: srvName(transport, name) }))
    const services = await Promise.all(choices.map((choice) => this.#services(choice.srvName, choice.transport, share)))
    const endpoints = services.flatMap((service) => service.endpoints)
    if (endpoints.length > 0) return found(endpoints)
    const bad = services.find((service) => service.state !== 'none')
    if (bad !== undefined) return failureOf(bad)
    const transport = defaultTransport(isSecure)
    if (!usable.includes(transport)) return unsupported({ host: name })
    return this.#locateHost(name, transport, defaultPort(transport), share)
  }

  // [RFC3263-4.2] the transport is known, the port is not: its SRV, then A or AAAA at the default port
  async #locateTransport(name: string, transport: TransportName, share?: number): Promise<LocateResult> {
    const service = await this.#services(srvName(transport, name), transport, share)
    if (service.endpoints.length > 0) return found(service.endpoints)
    if (service.state !== 'none') return failureOf(service)
    return this.#locateHost(name, transport, defaultPort(transport), share)
  }

  async #services(name: string, transport: TransportName, share?: number): Promise<Services> {
    const answer = await this.#cache.srv(name)
    if (!answer.ok) return { state: 'failed', endpoints: [], detail: answer.detail }
    if (answer.records.length === 0) return { state: 'none', endpoints: [], detail: `no SRV ${name}` }
    // RFC 2782: a target of "." says that the service is decidedly not there.
    const offered = answer.records.filter((record) => record.name !== '' && record.name !== '.')
    if (offered.length === 0) return { state: 'refused', endpoints: [], detail: `SRV ${name} refuses the service` }
    const ordered = share === undefined ? orderSrv(offered, this.#options.random) : orderByShare(offered, share)
    return this.#targets(ordered.slice(0, MAX_SRV_TARGETS), transport, share)
  }

  async #targets(records: readonly SrvRecord[], transport: TransportName, share?: number): Promise<Services> {
    const located = await Promise.all(
      records.map((record) => this.#locateHost(record.name.toLowerCase(), transport, record.port, share)),
    )
    const endpoints = located.flatMap((result) => (result.found ? result.endpoints : []))
    const bad = located.find((result) => !result.found)
    const detail = bad?.found === false ? bad.detail : ''
    const hasFailed = located.some((result) => !result.found && result.error === 'dnsFailed')
    return { state: endpoints.length > 0 ? 'records' : hasFailed ? 'failed' : 'refused', endpoints, detail }
  }

  async #locateHost(name: string, transport: TransportName, port: number, share?: number): Promise<LocateResult> {
    const answers = await Promise.all(this.#families.map((family) => this.#cache.addresses(name, family)))
    const records = answers.flatMap((answer) => (answer.ok ? answer.records : []))
    const sorted = share === undefined ? records : [...records].sort((a, b) => textOrder(a.address, b.address))
    if (records.length > 0) return found(sorted.map((record) => ({ transport, address: record.address, port })))
    const failed = answers.find((answer) => !answer.ok)
    if (failed?.ok === false) return { found: false, error: 'dnsFailed', detail: failed.detail }
    return { found: false, error: 'hostNotFound', detail: `${name} has no address` }
  }
}

/** [RFC3263-4.4] Sorted by text first, since equal records come in any order. */
function orderByShare(records: readonly SrvRecord[], share: number): SrvRecord[] {
  const sorted = [...records].sort((a, b) => textOrder(a.name, b.name) || a.port - b.port)
  return orderSrv(sorted, () => share)
}

function textOrder(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function found(endpoints: readonly Endpoint[]): LocateResult {
  return { found: true, endpoints: endpoints.slice(0, MAX_ENDPOINTS) }
}

function failureOf(service: Services): LocateResult {
  return { found: false, error: service.state === 'failed' ? 'dnsFailed' : 'hostNotFound', detail: service.detail }
}

// [RFC3263-4.2] a numeric host: that address, at the port given or the transport's own
function atAddress(transport: TransportName, address: string, port: number | undefined): LocateResult {
  return { found: true, endpoints: [{ transport, address, port: port ?? defaultPort(transport) }] }
}

function unsupported(target: LocateTarget): LocateResult {
  const wanted = target.transport ?? (target.isSecure === true ? 'TLS' : 'UDP')
  return { found: false, error: 'transportUnsupported', detail: `${target.host}: no transport for ${wanted}` }
}
