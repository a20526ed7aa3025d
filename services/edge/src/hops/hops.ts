// SPDX-License-Identifier: MIT
//
// Next hops: from a binding, a URI or a side of a token to the peer that bytes are sent to.
//
// A contact on a connection is reached through the edge that holds it: this one directly, another one through its internal
// listener with the flow in a Route. A UDP contact is reached where it says, or where its REGISTER came from when it
// names an address of some private network that is not the one we saw (nat.ts).

import type { location } from '@tandem/rpc'
import { type KeyRing, NO_SIDE, type SipMessage, type TokenSide } from '@tandem/sip'
import {
  defaultPort,
  type Endpoint,
  type LocateResult,
  type LocateTarget,
  numericHost,
  type ResponseTarget,
  type ServerLocator,
  type TcpTransport,
  type TransportName,
  type UdpListener,
} from '@tandem/transport'
import { asCalled, isSips, requestUriOf } from '../initial/request-uri-of.ts'
import { uriPlace } from '../initial/uri-place.ts'
import { EdgeStreams } from '../listeners/edge-streams.ts'
import type { Facing } from '../listeners/facing.ts'
import { isMulticast } from '../listeners/multicast.ts'
import { OtherFacings } from '../listeners/other-facings.ts'
import { type EdgePeer, StreamPeer, streamPeer, UdpPeer } from '../listeners/peers.ts'
import type { MoreStreams } from '../listeners/stream-listeners.ts'
import { Streamless } from '../listeners/streamless.ts'
import { edgeHashOf } from '../membership/edge-hash.ts'
import type { Membership } from '../membership/membership.ts'
import { isBehindNat } from '../nat/nat.ts'
import { internalRoute, NatHops } from '../nat/nat-hops.ts'
import { isBehindNatInDialog } from '../nat/nat-in-dialog.ts'
import { EndpointHop, LostPeer, type NextHop, NO_HOPS, PathHop, Rest, ShiftedHop, StrictHop } from './hop-kinds.ts'
import { pathWay } from './path-way.ts'
import { ResponseRetry } from './response-retry.ts'

export type { NextHop } from './hop-kinds.ts'

export interface HopsOptions {
  readonly udp: ReadonlyMap<4 | 6, { readonly listener: UdpListener; readonly facing: Facing }>
  readonly tcp: TcpTransport | undefined
  readonly tcpFacing: Facing | undefined
  readonly internalTcp: TcpTransport | undefined
  readonly internalFacing: Facing
  readonly moreStreams?: MoreStreams | undefined
  /** Of the facings of other edges, see facing.ts. */
  readonly namesTls?: boolean
  readonly locator: ServerLocator
  readonly membership: Membership
  readonly ring: KeyRing
  readonly edgeId: string
  readonly edgeHash: number
  /** Monotonic milliseconds. */
  now(): number
  /** Told of an exception out of what waited for DNS. */
  readonly onBug: (error: unknown) => void
}

/** [RFC3261-18.1.1] The largest request that goes over UDP while nobody knows the path's MTU. */
const MAX_DATAGRAM_BYTES = 1300

/** What IPv4 leaves of a datagram. */
const MAX_UDP_PAYLOAD_BYTES = 65_507

/** Whether a request of this size can't be sent there at all: 513. */
export function tooLargeFor(hop: NextHop, sizeBytes: number): boolean {
  return sizeBytes > MAX_UDP_PAYLOAD_BYTES && !hop.peer.reliable
}

/** URIs kept at once. */
const MAX_PLACES = 20_000

interface Place {
  readonly target: LocateTarget
  /** Of a numeric host; a name is looked up each time, the locator has the cache. */
  readonly endpoints: readonly Endpoint[] | undefined
  /** The hop that was made last, where it is one of UDP and nothing stands behind it: it has no state. */
  hop: NextHop | undefined
}

export class Hops {
  private readonly options: HopsOptions
  private readonly facings: OtherFacings
  private readonly places = new Map<string, Place>()
  private readonly streamless = new Streamless()
  readonly streams: EdgeStreams
  /** Ways to contacts that a NAT hides. */
  readonly nat: NatHops
  private readonly retry: ResponseRetry

  constructor(options: HopsOptions) {
    this.options = options
    this.facings = new OtherFacings(options.namesTls === true)
    this.streams = new EdgeStreams(options.tcp, options.tcpFacing, options.moreStreams)
    this.nat = new NatHops({
      ...options,
      facings: this.facings,
      direct: (address, port, uri) => this.toEndpoint({ transport: 'udp', address, port }, uri, true),
    })
    this.retry = new ResponseRetry(this, options.locator, options.onBug)
  }

  /** What became of questions to DNS. */
  get dnsCounts(): ServerLocator['counters'] {
    return this.options.locator.counters
  }

  /** A response that its connection did not take, by its Via [RFC3261-18.2.2]. False: it is none, or there is no way. */
  resend(buf: Buffer, start: number, end: number, peer: EdgePeer): boolean {
    return this.retry.resend(buf, start, end, peer)
  }

  /** A connection has ended; what waited for it goes another way. @param isRefused it never opened */
  onLost(peer: EdgePeer, isRefused: boolean): void {
    // Large requests go there over UDP for a while [RFC3261-18.1.1].
    if (isRefused) this.streamless.add(peer.address, peer.port, this.options.now())
    this.retry.onLost(peer, isRefused)
  }

  /** Calls back with the hop of a binding, or undefined when there is no way to it now. Often at once. */
  toBinding(
    binding: location.Binding,
    request: SipMessage,
    onHop: (hop: NextHop | undefined) => void,
    share?: number,
  ): void {
    const contact = requestUriOf(binding.uri)
    const uri = asCalled(request, contact)
    if (binding.path.length > 0) return this.toPath(binding, uri, request, onHop, share)
    const { flow, regId } = binding
    // [RFC5626-7e] Of a phone that has flows, one that is gone is gone; others may listen at their contact.
    if (regId > 0 && flow !== undefined && flow.edgeId !== '') {
      return onHop(mayCarry(flow.transport, contact) ? this.toFlow(flow, '', uri, request) : undefined)
    }
    this.toRegistered(flow, contact, uri, request, onHop, share)
  }

  /** [RFC3327-5.4] */
  private toPath(
    binding: location.Binding,
    uri: string,
    request: SipMessage,
    onHop: (hop: NextHop | undefined) => void,
    share: number | undefined,
  ): void {
    const { flow, path } = binding
    const way = pathWay(path, uri, (host, port) => this.options.membership.isOwnAddress(host, port))
    if (way === undefined) return this.toRegistered(flow, requestUriOf(binding.uri), uri, request, onHop, share)
    const use = (hop: NextHop | undefined): void => onHop(hop && new PathHop(hop, way.uri, way.route))
    this.toRegistered(flow, way.first, uri, request, use, share)
  }

  /**
   * @param first where it goes: the contact, or the first proxy of its Path, which the REGISTER came from in either case
   * @param uri the Request-URI
   */
  private toRegistered(
    flow: location.Flow | undefined,
    first: string,
    uri: string,
    request: SipMessage,
    onHop: (hop: NextHop | undefined) => void,
    share: number | undefined,
  ): void {
    if (flow !== undefined && flow.edgeId !== '') {
      return onHop(mayCarry(flow.transport, first) ? this.toFlow(flow, first, uri, request) : undefined)
    }
    const place = this.placeOf(first)
    if (place === undefined) return onHop(undefined)
    if (flow?.transport === 'udp' && mayCarry('udp', first) && isNatted(flow, place.target.host)) {
      return onHop(this.nat.toBound(flow, uri, request))
    }
    this.toPlace(place, uri, onHop, share)
  }

  /** Calls back with the hop of a Route value of others: the Request-URI stays, or goes last where that is a strict router. */
  toRoute(text: string, strict: boolean, onHop: (hop: NextHop | undefined) => void, share?: number): void {
    if (!strict) return this.toUri(text, true, onHop, share)
    this.toUri(text, true, (hop) => onHop(hop && new StrictHop(hop)), share)
  }

  /**
   * The hop for a request of `sizeBytes`, our own headers included: the same host over TCP where UDP would cut it up
   * [RFC3261-18.1.1], with UDP as its first alternative. The very hop where it will do, or where TCP can't reach: behind a NAT
   * or with TCP off. The Via differs then, and so does the branch.
   */
  forSize(hop: NextHop, sizeBytes: number): NextHop {
    if (sizeBytes <= MAX_DATAGRAM_BYTES || hop.peer.reliable || hop.side.kind === 'address') return hop
    const { address, port } = hop.peer
    if (this.streamless.has(address, port, this.options.now())) return hop
    const stream = this.toEndpoint({ transport: 'tcp', address, port }, hop.uri, false)
    return stream === undefined ? hop : new ShiftedHop(stream, hop)
  }

  /**
   * Calls back with the hop of a URI by RFC 3263, or undefined. At once for a numeric host.
   * @param share [0, 1), takes the place of chance where servers are equal [RFC3263-4.4]
   */
  toUri(text: string, keepUri: boolean, onHop: (hop: NextHop | undefined) => void, share?: number): void {
    const place = this.placeOf(text)
    if (place === undefined) return onHop(undefined)
    this.toPlace(place, keepUri ? '' : requestUriOf(text), onHop, share)
  }

  /** As `toUri`, for a request that goes where another URI leads: a trunk's proxy. */
  toUriBy(nextHop: string, text: string, onHop: (hop: NextHop | undefined) => void): void {
    const place = this.placeOf(nextHop)
    if (place === undefined) return onHop(undefined)
    this.toPlace(place, requestUriOf(text), onHop)
  }

  /** The hop that a side of a token names; undefined when it names none, or its flow is gone. */
  toSide(side: TokenSide, request: SipMessage): NextHop | undefined {
    if (side.kind === 'address') return this.nat.toPinned(side, request)
    if (side.kind !== 'flow') return undefined
    if (side.edgeHash === this.options.edgeHash) return this.toOwnFlow(side.flowId, '')
    const edge = this.options.membership.find(side.edgeHash)
    return edge && this.toOtherEdge(edge, side.flowId, 'tcp', '', request)
  }

  /** The way that a branch took, as the directory has it; undefined when it is none any more. */
  toStored(flow: location.Flow | undefined, uri: string, request: SipMessage): NextHop | undefined {
    if (flow === undefined) return undefined
    if (flow.edgeId !== '') return this.toFlow(flow, '', uri, request)
    if (flow.natEdge !== undefined) return this.nat.toBound(flow, uri, request)
    const { transport, address, port } = flow
    return this.toEndpoint({ transport: transport as TransportName, address, port }, uri, false)
  }

  /** A way that is none any more. */
  lostHop(flow: location.Flow | undefined, uri: string): NextHop {
    const { transport, address, port } = flow ?? { transport: 'tcp', address: '', port: 0 }
    return this.hop(this.lostPeer({ transport: transport as TransportName, address, port }), uri, NO_SIDE, 0)
  }

  private lostPeer(endpoint: Endpoint): LostPeer {
    return new LostPeer(endpoint, this.options.tcpFacing ?? this.options.internalFacing)
  }

  /** The internal listener of the living edge with this hash of its id. */
  toEdge(edgeHash: number): EdgePeer | undefined {
    const { membership, internalTcp, internalFacing } = this.options
    const edge = membership.find(edgeHash)
    const connection = edge && internalTcp?.connect(edge.internalAddress, edge.internalPort)
    return connection && streamPeer(connection, internalFacing)
  }

  /**
   * Where a response without a transaction goes; undefined when there is no way.
   * @param internal to another edge @param serverName what the far end must prove over TLS: the host of the sent-by
   */
  toResponseTarget(target: ResponseTarget, internal: boolean, serverName = target.host): EdgePeer | undefined {
    const { internalTcp, internalFacing, udp } = this.options
    if (!target.isNumeric) return undefined
    const port = target.port < 0 ? defaultPort(target.transport) : target.port
    if (target.transport === 'udp') {
      const via = udp.get(target.host.includes(':') ? 6 : 4)
      return via && new UdpPeer(via.listener, via.facing, target.host, port)
    }
    if (!internal) return this.streams.connect({ ...target, address: target.host, port, serverName })
    const connection = internalTcp?.connect(target.host, port)
    return connection && streamPeer(connection, internalFacing)
  }

  /** How in-dialog requests go back to whom this request came from. */
  sideOf(peer: EdgePeer, request: SipMessage): TokenSide {
    if (peer instanceof StreamPeer) return { kind: 'flow', edgeHash: this.options.edgeHash, flowId: peer.connection.id }
    if (!(peer instanceof UdpPeer) || !isBehindNatInDialog(request, peer)) return NO_SIDE
    return this.nat.sideOf(peer.address, peer.sourcePort)
  }

  /** @param first where it goes when the flow is gone, '' for nowhere */
  private toFlow(flow: location.Flow, first: string, uri: string, request: SipMessage): NextHop | undefined {
    if (flow.edgeId === this.options.edgeId) {
      return this.toOwnFlow(flow.flowId, uri) ?? (first === '' ? undefined : this.toContact(first, uri))
    }
    const edge = this.options.membership.find(edgeHashOf(flow.edgeId))
    // Called as sip, a sips contact looks to the other edge as if it could be reached without TLS.
    const isFlowOnly = first === '' || (isSips(first) && !isSips(uri))
    return edge && this.toOtherEdge(edge, flow.flowId, flow.transport, uri, request, isFlowOnly)
  }

  /** The contact's own address where that is a number, for a phone that listens there though its connection has ended. */
  toContact(contact: string, uri = requestUriOf(contact)): NextHop | undefined {
    let found: NextHop | undefined
    const place = this.placeOf(contact)
    if (place === undefined) return undefined
    this.toPlace(place, uri, (hop) => {
      found = hop
    })
    return found
  }

  private toOwnFlow(flowId: number, uri: string): NextHop | undefined {
    const peer = this.streams.find(flowId)
    return peer && this.hop(peer, uri, undefined, flowId)
  }

  /** [RFC3261-16.6.7ab] A fixed next hop, which is an edge of ours: a loose router, and in the Route. */
  private toOtherEdge(
    edge: location.Edge,
    flowId: number,
    transport: string,
    uri: string,
    request: SipMessage,
    flowOnly = false,
  ): NextHop | undefined {
    const { internalTcp, internalFacing } = this.options
    const connection = internalTcp?.connect(edge.internalAddress, edge.internalPort)
    if (connection === undefined) return undefined
    const side: TokenSide = { kind: 'flow', edgeHash: edgeHashOf(edge.id), flowId }
    const route = internalRoute(this.options.ring, edge, side, request, flowOnly)
    const peer = streamPeer(connection, internalFacing)
    return {
      peer,
      uri,
      facing: this.facings.of(edge, transport) ?? internalFacing,
      route,
      side,
      flow: { transport, address: peer.address, port: peer.port, edgeId: edge.id, flowId },
      alternatives: NO_HOPS,
      strict: false,
    }
  }

  private toPlace(place: Place, text: string, onHop: (hop: NextHop | undefined) => void, share?: number): void {
    if (place.endpoints !== undefined)
      return onHop(this.knownHop(place, text) ?? this.hopOf(place, place.endpoints, text))
    const use = (located: LocateResult): void =>
      onHop(located.found ? this.firstUsable(withServerName(located.endpoints, place.target.host), text) : undefined)
    const result = this.options.locator.locate(place.target, share)
    if (result instanceof Promise) result.then(use).catch(this.options.onBug)
    else use(result)
  }

  /** What a URI says of where it goes. Kept: the same contacts come again with every request to them. */
  private placeOf(text: string): Place | undefined {
    const known = this.places.get(text)
    if (known !== undefined) return known
    const target = uriPlace(text)
    if (target === undefined || isMulticast(target.host)) return undefined
    const located = numericHost(target.host) === undefined ? undefined : this.options.locator.locate(target)
    const isKnown = located !== undefined && !(located instanceof Promise) && located.found
    const place = { target, endpoints: isKnown ? located.endpoints : undefined, hop: undefined }
    if (this.places.size >= MAX_PLACES) this.places.clear()
    this.places.set(text, place)
    return place
  }

  private knownHop({ hop }: Place, uri: string): NextHop | undefined {
    if (hop === undefined || hop.uri !== uri) return undefined
    const { listener, address } = hop.peer as UdpPeer
    return this.udpAt(address)?.listener === listener ? hop : undefined
  }

  private hopOf(place: Place, endpoints: readonly Endpoint[], uri: string): NextHop | undefined {
    const hop = this.firstUsable(endpoints, uri)
    place.hop = endpoints.length === 1 && hop?.peer instanceof UdpPeer ? hop : undefined
    return hop
  }

  private udpAt(address: string) {
    return this.options.udp.get(address.includes(':') ? 6 : 4)
  }

  private firstUsable(endpoints: readonly Endpoint[], uri: string): NextHop | undefined {
    for (let k = 0; k < endpoints.length; k += 1) {
      const rest = k + 1 < endpoints.length ? new Rest(this, endpoints, k + 1, uri) : undefined
      const hop = this.toEndpoint(endpoints[k] as Endpoint, uri, false, rest)
      if (hop !== undefined) return hop
    }
    return undefined
  }

  /** The hop of one endpoint, or one whose sends fail where there is no way to it now. */
  laterHop(endpoint: Endpoint, uri: string, rest: Rest): NextHop {
    const hop = this.toEndpoint(endpoint, uri, false, rest)
    if (hop !== undefined) return hop
    return this.hop(this.lostPeer(endpoint), uri, NO_SIDE, 0, rest)
  }

  /** @param pinned in-dialog requests go to this very address, whatever the Contact says */
  private toEndpoint(endpoint: Endpoint, uri: string, pinned: boolean, rest?: Rest): NextHop | undefined {
    const { address, port, transport } = endpoint
    const side = pinned ? this.nat.sideOf(address, port) : NO_SIDE
    if (transport === 'udp') {
      const via = this.udpAt(address)
      return via && this.hop(new UdpPeer(via.listener, via.facing, address, port), uri, side, 0, rest)
    }
    const peer = this.streams.connect(endpoint)
    return peer && this.hop(peer, uri, undefined, peer.connection.id, rest)
  }

  private hop(peer: EdgePeer, uri: string, side: TokenSide | undefined, flowId: number, rest?: Rest): NextHop {
    const { edgeHash, edgeId } = this.options
    const flow = {
      transport: peer.transport,
      address: peer.address,
      port: peer.port,
      edgeId: peer.reliable ? edgeId : '',
      flowId,
    }
    return new EndpointHop(peer, uri, side ?? { kind: 'flow', edgeHash, flowId }, flow, rest)
  }
}

/** As its REGISTER showed, or as what it is bound with shows. */
function isNatted({ natEdge, address }: location.Flow, host: string): boolean {
  return natEdge !== undefined || isBehindNat(host, address)
}

/** [RFC5922-7.3] What a server must prove is the name that was asked for before any DNS; an address proves itself. */
function withServerName(endpoints: readonly Endpoint[], serverName: string): readonly Endpoint[] {
  if (endpoints.every(({ transport }) => transport !== 'tls')) return endpoints
  return endpoints.map((endpoint) => (endpoint.transport === 'tls' ? { ...endpoint, serverName } : endpoint))
}

/** [RFC3261-16.6.6e] [RFC3261-16.6.7e] A sips contact is reached over TLS or not at all, though its connection be there. */
function mayCarry(transport: string, uri: string): boolean {
  return transport === 'tls' || transport === 'wss' || !isSips(uri)
}
