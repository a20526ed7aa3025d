// SPDX-License-Identifier: MIT
//
// Membership as one edge sees it: its own lease, renewed while it lives, and the list of all edges, pushed by location.
// Invariant: losing location changes nothing here; the last list stays [DESIGN §3.9: unreachable is not dead].

import type { Caller, LocationMethods, location } from '@tandem/rpc'
import type { Logger } from '@tandem/service-kit'
import { canonicalHost } from '@tandem/sip'
import type { Facing } from '../listeners/facing.ts'
import { edgeHashOf } from './edge-hash.ts'

export interface MembershipOptions {
  readonly location: Caller<LocationMethods, location.Push>
  readonly self: () => location.Edge
  readonly facings: () => readonly Facing[]
  readonly leaseMs: number
  readonly timeoutMs: number
  readonly logger: Logger
}

export class Membership {
  readonly counts = { leases: 0, leaseFailures: 0, edgeLists: 0 }
  /** Told of each edge that a list does not name any more. */
  onGone: (edgeId: string) => void = () => undefined
  private readonly options: MembershipOptions
  private byHash = new Map<number, location.Edge>()
  /** By the hash of what they listen at over UDP; one of them where several share an address. */
  private byUdp = new Map<number, location.Edge>()
  /** What edges that are gone listened at over UDP. */
  private readonly goneUdp = new Map<string, string>()
  private ownAddresses = new Set<string>()
  private readonly internalAddresses = new Set<string>()
  /** Of the list of members. */
  revision = -1n
  private timer: NodeJS.Timeout | undefined
  private leased = false
  private onJoined: () => void = () => undefined
  private isFailing = false
  private hasLeft = false
  private isRepairing = false

  constructor(options: MembershipOptions) {
    this.options = options
    options.location.onPush((push) => {
      if (push.event?.$case === 'edges') this.adopt(push.event.value)
    })
  }

  /** Whether the cluster has known of this edge at least once. */
  get joined(): boolean {
    return this.leased
  }

  get size(): number {
    return this.byHash.size
  }

  /** Resolves when the cluster knows of this edge. */
  start(): Promise<void> {
    const joined = new Promise<void>((resolve) => {
      this.onJoined = resolve
    })
    this.refreshAddresses([])
    this.timer = setInterval(() => void this.renew(), Math.ceil(this.options.leaseMs / 3))
    this.options.location.onReadyChange((ready) => {
      if (!ready) return
      this.revision = -1n // another instance may count from the start
      void this.renew()
    })
    void this.renew()
    return joined
  }

  /** Gives the lease back, so that the others need not wait for its end. */
  async leave(): Promise<void> {
    clearInterval(this.timer)
    this.hasLeft = true
    const { location, self, timeoutMs } = this.options
    await location.invoke('leaveEdge', { edgeId: self().id }, Math.min(timeoutMs, 1000))
  }

  /** Tells the cluster at once, e.g. of a drain. */
  async renew(): Promise<void> {
    const { location, self, leaseMs, timeoutMs, logger } = this.options
    const result = await location.invoke('leaseEdge', { edge: self(), leaseMs }, timeoutMs)
    if (result.outcome === 'done') {
      if (!this.leased) logger.info({ edge: self().id }, 'edge joined the cluster')
      if (this.isFailing && this.leased) logger.info({ edge: self().id }, 'location takes the lease of this edge again')
      this.leased = true
      this.onJoined()
      this.isFailing = false
      this.counts.leases += 1
      if (result.value.edges !== undefined) this.adopt(result.value.edges)
      return
    }
    // That its store is away, location's side says itself.
    const isStoreAway = result.outcome === 'refused' && result.refusal.code === 'store_away'
    const level = isStoreAway ? 'info' : 'warn'
    if (!this.isFailing) logger[level]({ result }, 'location does not take the lease of this edge; trying again')
    this.isFailing = true
    this.counts.leaseFailures += 1
  }

  /** The living edge with this hash of its id. */
  find(edgeHash: number): location.Edge | undefined {
    return this.byHash.get(edgeHash)
  }

  /** A living edge that listens there over UDP: `udp:192.0.2.1:5060`, as its hash. */
  findByUdp(listenerHash: number): location.Edge | undefined {
    return this.byUdp.get(listenerHash)
  }

  /** The living edge with this id, or the one that was started in its place. */
  findSame(edgeId: string): location.Edge | undefined {
    const same = this.byHash.get(edgeHashOf(edgeId))
    if (same !== undefined) return same
    const name = edgeId.slice(0, edgeId.lastIndexOf('.'))
    for (const edge of this.byHash.values()) if (edge.name === name) return edge
    return undefined
  }

  /** Whether an edge that is gone had another UDP address than this one, as far as anybody remembers. */
  wasElsewhere(edgeId: string, ownUdp: string): boolean {
    const udp = this.goneUdp.get(edgeId)
    if (udp !== undefined) return udp !== ownUdp
    for (const edge of this.byHash.values()) if (udpOf(edge) !== ownUdp) return true
    return false
  }

  edges(): Iterable<location.Edge> {
    return this.byHash.values()
  }

  /** @param port -1 where a URI has none */
  isOwnAddress(host: string, port: number): boolean {
    const suffix = `:${port < 0 ? 5060 : port}`
    if (this.ownAddresses.has(host + suffix)) return true
    // A name in capitals, an IPv6 address written another way [RFC5954-4.2].
    return NOT_CANONICAL.test(host) && this.ownAddresses.has(canonicalHost(host) + suffix)
  }

  /** True for another edge's internal listener. */
  isInternalAddress(host: string, port: number): boolean {
    return this.internalAddresses.has(`${host}:${port}`)
  }

  private adopt(list: location.EdgeList): void {
    if (list.revision < this.revision) return
    this.revision = list.revision
    this.counts.edgeLists += 1
    const before = this.byHash
    this.byHash = new Map(list.edges.map((edge) => [edgeHashOf(edge.id), edge]))
    this.byUdp = new Map(list.edges.map((edge) => [edgeHashOf(udpOf(edge)), edge]))
    this.refreshAddresses(list.edges)
    this.repair()
    for (const [hash, edge] of before) {
      if (this.byHash.has(hash)) continue
      this.remember(edge)
      this.onGone(edge.id)
    }
  }

  /** Off the list, though this edge lives: its lease was revoked or ended. Asked for anew at once, then with the timer. */
  private repair(): void {
    const { id, name } = this.options.self()
    if (!this.leased || this.hasLeft || this.isRepairing || this.byHash.has(edgeHashOf(id))) return
    for (const edge of this.byHash.values()) if (edge.name === name) return // started anew in its place
    this.isRepairing = true
    this.options.logger.warn({ edge: id }, 'this edge is off the list of members; asking for its lease again')
    void this.renew().finally(() => {
      setTimeout(() => {
        this.isRepairing = false
      }, REPAIR_MS).unref()
    })
  }

  private remember(edge: location.Edge): void {
    if (this.goneUdp.size >= MAX_GONE) this.goneUdp.clear()
    this.goneUdp.set(edge.id, udpOf(edge))
  }

  private refreshAddresses(edges: readonly location.Edge[]): void {
    const own = new Set<string>()
    this.internalAddresses.clear()
    for (const facing of this.options.facings()) own.add(withoutTransport(facing.name))
    for (const edge of edges) {
      for (const listener of edge.listeners) own.add(withoutTransport(listener))
      this.internalAddresses.add(`${hostOf(edge.internalAddress)}:${edge.internalPort}`)
    }
    this.ownAddresses = own
  }
}

/** Between two leases that are asked for because a list lacks this edge. */
const REPAIR_MS = 500
/** Edges that are gone and still known, at most. */
const MAX_GONE = 1024

/** '' where it has no UDP. */
export function udpOf({ listeners }: location.Edge): string {
  return listeners.find((listener) => listener.startsWith('udp:')) ?? ''
}

const NOT_CANONICAL = /[A-Z[]/

/** An address as Via and URIs have it: IPv6 in brackets. */
function hostOf(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

/** "udp:192.0.2.1:5060" → "192.0.2.1:5060" */
function withoutTransport(listener: string): string {
  const place = listener.slice(listener.indexOf(':') + 1)
  const port = place.lastIndexOf(':')
  return canonicalHost(place.slice(0, port)) + place.slice(port)
}
