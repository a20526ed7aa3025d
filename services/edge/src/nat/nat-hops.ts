// SPDX-License-Identifier: MIT
//
// The way to a contact over UDP that a NAT hides [DESIGN §4, "Flows"]. Most NATs let in only who was sent to: the edge that took the
// REGISTER, or the first request of the dialog. Where each edge has an address of its own another edge hands such a request to that one
// (internal-hop.ts), as for a connection; where all share one address it sends it itself.
//
// When that edge is gone: a request that begins something goes from here, if the user has no other binding (targets.ts), for some NATs let
// in everybody; so does one inside a dialog. While its lease still runs nobody takes the connection between edges: a transport error.
// An edge that was started again in its place, by its name or its address, is as good as it.

import type { location } from '@tandem/rpc'
import { encodeToken, type KeyRing, NO_SIDE, type SipMessage, type TokenSide, TRANSPORT } from '@tandem/sip'
import type { Connection, TcpTransport } from '@tandem/transport'
import { type NextHop, NO_HOPS } from '../hops/hop-kinds.ts'
import { fromTag } from '../initial/describe.ts'
import type { Facing } from '../listeners/facing.ts'
import type { OtherFacings } from '../listeners/other-facings.ts'
import { FarUdpPeer, streamPeer } from '../listeners/peers.ts'
import { edgeHashOf } from '../membership/edge-hash.ts'
import { type Membership, udpOf } from '../membership/membership.ts'

export interface NatHopsOptions {
  readonly internalTcp: TcpTransport | undefined
  readonly internalFacing: Facing
  readonly membership: Membership
  readonly ring: KeyRing
  readonly edgeId: string
  /** Filled when the sockets open. */
  readonly udp: ReadonlyMap<4 | 6, { readonly facing: Facing }>
  readonly facings: OtherFacings
  /** From this edge's own socket. */
  direct(address: string, port: number, uri: string): NextHop | undefined
}

interface Place {
  readonly address: string
  readonly port: number
}

export class NatHops {
  private own = ''
  private ownHash = 0
  private readonly options: NatHopsOptions

  constructor(options: NatHopsOptions) {
    this.options = options
  }

  /** "udp:192.0.2.1:5060", as others see it; '' without UDP. */
  get ownUdp(): string {
    if (this.own === '') for (const { facing } of this.options.udp.values()) this.own = facing.name
    return this.own
  }

  /** The same as tokens have it. */
  get udpHash(): number {
    if (this.ownHash === 0 && this.ownUdp !== '') this.ownHash = edgeHashOf(this.ownUdp)
    return this.ownHash
  }

  /** In a token: a place whose NAT has let in this edge. */
  sideOf(address: string, port: number): TokenSide {
    return { kind: 'address', transport: TRANSPORT.UDP, address, port, listenerHash: this.udpHash }
  }

  /** Where a REGISTER came from. */
  toBound(flow: location.Flow, uri: string, request: SipMessage): NextHop | undefined {
    const { natEdge, address, port } = flow
    const { edgeId, membership, direct } = this.options
    const edge = natEdge === undefined || natEdge === edgeId ? undefined : membership.findSame(natEdge)
    return (edge && this.overEdge(edge, flow, uri, request, NO_HOPS)) ?? direct(address, port, uri)
  }

  /** Where the first request of a dialog came from or went to; nobody else can be tried but that place from here. */
  toPinned(side: TokenSide & { kind: 'address' }, request: SipMessage): NextHop | undefined {
    const { address, port, listenerHash } = side
    const { membership } = this.options
    const direct = this.options.direct(address, port, '')
    if (listenerHash === undefined || listenerHash === this.udpHash) return direct
    const edge = membership.findByUdp(listenerHash)
    return (edge && this.overEdge(edge, side, '', request, direct ? [direct] : NO_HOPS)) ?? direct
  }

  /** Whether its NAT let in an edge with another address, and that edge is gone. */
  isCutOff({ flow }: location.Binding): boolean {
    if (flow?.natEdge === undefined || flow.natEdge === this.options.edgeId) return false
    const { membership } = this.options
    return membership.findSame(flow.natEdge) === undefined && membership.wasElsewhere(flow.natEdge, this.ownUdp)
  }

  /** Whether the edge that it let in is gone, and had this one's address. */
  isOrphaned({ flow }: location.Binding): boolean {
    if (flow?.natEdge === undefined) return false
    const { membership } = this.options
    return (
      membership.find(edgeHashOf(flow.natEdge)) === undefined && !membership.wasElsewhere(flow.natEdge, this.ownUdp)
    )
  }

  /** From another edge's socket; undefined where that has the address of ours, or there is no way to it. */
  private overEdge(
    edge: location.Edge,
    { address, port }: Place,
    uri: string,
    request: SipMessage,
    alternatives: readonly NextHop[],
  ): NextHop | undefined {
    const { internalFacing, ring, facings } = this.options
    const listener = udpOf(edge)
    const connection = listener === '' || listener === this.ownUdp ? undefined : this.connect(edge)
    if (connection === undefined) return undefined
    const listenerHash = edgeHashOf(listener)
    const side: TokenSide = { kind: 'address', transport: TRANSPORT.UDP, address, port, listenerHash }
    const link = streamPeer(connection, internalFacing)
    return {
      peer: new FarUdpPeer(link, { address, port }, () => this.connect(edge)),
      uri,
      facing: facings.of(edge, 'udp') ?? internalFacing,
      route: internalRoute(ring, edge, side, request, false),
      side,
      flow: { transport: 'udp', address, port, edgeId: '', flowId: 0, natEdge: edge.id },
      alternatives,
      strict: false,
    }
  }

  private connect({ internalAddress, internalPort }: location.Edge): Connection | undefined {
    return this.options.internalTcp?.connect(internalAddress, internalPort)
  }
}

/** [RFC3261-16.6.7ab] What tells another edge where to: a token, in a Route of its internal listener. */
export function internalRoute(
  ring: KeyRing,
  { internalAddress, internalPort }: location.Edge,
  side: TokenSide,
  request: SipMessage,
  flowOnly: boolean,
): string {
  const host = internalAddress.includes(':') ? `[${internalAddress}]` : internalAddress
  const callId = request.text(request.callIdStart, request.callIdEnd)
  const token = encodeToken({ callRef: '', caller: NO_SIDE, callee: side }, ring, callId, fromTag(request))
  return `Route: <sip:${token}@${host}:${internalPort};transport=tcp;lr${flowOnly ? ';ob' : ''}>\r\n`
}
