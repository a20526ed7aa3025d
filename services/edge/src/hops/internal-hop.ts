// SPDX-License-Identifier: MIT
//
// The hop between edges [DESIGN §4, "Flows"]: another edge sends a request here because this one holds the flow to the contact, or
// because the NAT before a contact over UDP lets in this edge's address only.
// No Decide, no Record-Route, no loop check, no transaction: the request goes down the flow, and the responses find their way
// by their Vias (RFC 3261 section 16.11). The token in the Route names the flow and proves that an edge of ours wrote it.

import {
  editForwardedRequest,
  findHeader,
  HEADER,
  headerValue,
  RouteView,
  type SipMessage,
  type TokenSide,
  URI_SCHEME,
  type VerifiedToken,
} from '@tandem/sip'
import { type EdgeCore, sendEdited } from '../core.ts'
import { branchId } from '../initial/branches.ts'
import { isSecureTransport } from '../listeners/edge-streams.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { refuseAs, refuseStateless } from '../own/replies.ts'
import type { NextHop } from './hops.ts'

const view = new RouteView<VerifiedToken>()

/** A request on the internal listener. */
export function receiveInternalRequest(core: EdgeCore, msg: SipMessage, peer: EdgePeer): void {
  view.read(msg, core.routeOwner)
  const side = view.token?.callee
  if (msg.maxForwards === 0) return refuseAs(core, 'refusedMaxForwards', msg, peer, 483) // [RFC3261-16.3.3]
  if (side?.kind === 'address') return receiveForNat(core, msg, peer, side)
  if (side?.kind !== 'flow') return refuseAs(core, 'refusedForgedToken', msg, peer, 403)
  const popRoutes = view.popCount
  const hop = core.hops.toSide(side, msg) ?? (isFlowOnly(msg) ? undefined : core.hops.toContact(nextUri(msg)))
  const isWithinTls = msg.uriScheme !== URI_SCHEME.SIPS || isSecureTransport(hop?.peer.transport ?? '') // [RFC3261-26.2.2c]
  if (hop?.peer.reliable && isWithinTls) return sendDown(core, msg, peer, hop, popRoutes)
  refuseFlow(core, msg, peer)
}

/** Nothing of it is kept: the edge that sent it here repeats it over UDP's own timers. */
function receiveForNat(core: EdgeCore, msg: SipMessage, peer: EdgePeer, side: TokenSide & { kind: 'address' }): void {
  const popRoutes = view.popCount
  const hop = side.listenerHash === core.hops.nat.udpHash ? core.hops.toSide(side, msg) : undefined
  if (hop !== undefined) return sendDown(core, msg, peer, hop, popRoutes)
  refuseFlow(core, msg, peer)
}

/** [RFC5626-5.3] */
function refuseFlow(core: EdgeCore, msg: SipMessage, peer: EdgePeer): void {
  core.counts.flowFailures += 1
  if (core.tracing !== undefined) core.tracing.onHop(msg, peer, undefined, 430)
  refuseStateless(core, msg, peer, 430, '')
}

/** [RFC5626-7e] A phone with flows is not looked for where it had one; the sender has seen `reg-id` and says `ob` in its Route. */
function isFlowOnly(msg: SipMessage): boolean {
  const route = findHeader(msg, HEADER.ROUTE)
  return route >= 0 && /^[^,]*;ob>/.test(headerValue(msg, route))
}

/**
 * A phone that listens at its contact is reached there though its connection has ended (RFC 3261, not RFC 5626); behind a Path it
 * is the first proxy that may be.
 */
function nextUri(msg: SipMessage): string {
  return view.nextStart >= 0 ? msg.text(view.nextStart, view.nextEnd) : msg.text(msg.uriStart, msg.uriEnd)
}

function sendDown(core: EdgeCore, msg: SipMessage, peer: EdgePeer, hop: NextHop, popRoutes: number): void {
  core.counts.internalHops += 1
  if (core.tracing !== undefined) core.tracing.onHop(msg, peer, hop)
  editForwardedRequest(msg, core.edits, {
    uri: '',
    via: hop.peer.facing.via(branchId(core, msg, hop, 0)),
    recordRoute: '',
    route: '',
    added: '',
    popRoutes,
    strict: hop.strict,
    maxBreadth: 0,
    sourceAddress: peer.address,
    sourcePort: peer.port,
    stream: true,
  })
  sendEdited(core, hop.peer, msg.method)
}
