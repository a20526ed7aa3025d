// SPDX-License-Identifier: MIT
//
// Requests inside a dialog [DESIGN §2.3]: the Route set and its token say all; no owner, no lookup. ACK of a 2xx passes without
// a transaction, everything else gets one. A BYE of a call on record is reported once its end is certain.

import type { policy } from '@tandem/rpc'
import {
  type ContextUser,
  editForwardedRequest,
  HEADER,
  METHOD,
  type ProxyContext,
  RouteView,
  type SipMessage,
  type VerifiedToken,
} from '@tandem/sip'
import { ackBranchId, inDialogBranchId, sendBranch } from './branches.ts'
import { type EdgeCore, sendEdited } from './core.ts'
import { describeEndedCall, fromTag, headerText, toTag } from './describe.ts'
import type { NextHop } from './hops.ts'
import type { EdgePeer } from './peers.ts'
import { refuseStateless, retryAfter } from './replies.ts'

/** Forwards a request with a valid token. `view` is read at once and may be reused. */
export function receiveInDialog(
  core: EdgeCore,
  msg: SipMessage,
  key: string,
  peer: EdgePeer,
  view: RouteView<VerifiedToken>,
): void {
  const token = view.token as VerifiedToken
  const popRoutes = view.popCount
  const user = new InDialogRequest(core, token, msg, peer)
  const context = core.proxy.open(msg, key, peer, user)
  if (context === undefined) {
    core.counts.refusedOverload += 1
    return refuseStateless(core, msg, peer, 503, '', retryAfter(1))
  }
  core.counts.inDialog += 1
  nextHop(core, msg, view, token, (hop) => {
    if (hop === undefined) return user.unreachable(context, flowStatus(core, token))
    if (context.closed || context.request === undefined) return core.proxy.finish(context)
    if (context.isInvite) core.proxy.trying(context)
    const branch = { id: inDialogBranchId(core, context.request), hop, recordRoute: '' }
    sendBranch(core, context, branch, peer, NO_EDITS, 0, popRoutes)
  })
}

const NO_EDITS: readonly policy.HeaderEdit[] = []

/** [RFC5626-5.3] 430 for a flow that is gone. */
function flowStatus(core: EdgeCore, token: VerifiedToken): number {
  const side = token.isInitiatorA ? token.callee : token.caller
  if (side.kind !== 'flow') return 480
  core.counts.flowFailures += 1
  return 430
}

const ackView = new RouteView<VerifiedToken>()

/** [RFC3261-16.11] The ACK of a 2xx, on the way of its Route set. */
export function forwardAck(core: EdgeCore, msg: SipMessage, peer: EdgePeer): void {
  ackView.read(msg, core.routeOwner)
  const token = ackView.token
  if (token === undefined || msg.maxForwards === 0) {
    if (ackView.forged) core.counts.droppedForgedAck += 1
    else core.counts.droppedAck += 1
    return
  }
  const popRoutes = ackView.popCount
  // A host name takes time: only then are the bytes copied.
  let request = msg
  let isSent = false
  nextHop(core, msg, ackView, token, (hop) => {
    if (hop === undefined) core.counts.droppedAck += 1
    else sendAck(core, request, peer, hop, popRoutes)
    isSent = true
  })
  if (!isSent) request = msg.clone()
}

function sendAck(core: EdgeCore, msg: SipMessage, peer: EdgePeer, hop: NextHop, popRoutes: number): void {
  core.counts.acksForwarded += 1
  editForwardedRequest(msg, core.edits, {
    uri: '',
    via: hop.peer.facing.via(ackBranchId(core, msg)),
    recordRoute: '',
    route: hop.route,
    added: '',
    popRoutes,
    strict: hop.strict,
    maxBreadth: 0,
    sourceAddress: peer.address,
    sourcePort: peer.port,
    stream: hop.peer.reliable,
  })
  sendEdited(core, hop.peer)
}

/** The next Route that is not ours, else the side of the token, else the Request-URI. */
function nextHop(
  core: EdgeCore,
  msg: SipMessage,
  view: RouteView<VerifiedToken>,
  token: VerifiedToken,
  onHop: (hop: NextHop | undefined) => void,
): void {
  if (view.nextStart >= 0) return core.hops.toUri(msg.text(view.nextStart, view.nextEnd), true, onHop)
  const side = token.isInitiatorA ? token.callee : token.caller
  if (side.kind === 'none') return core.hops.toUri(msg.text(msg.uriStart, msg.uriEnd), true, onHop)
  const hop = core.hops.toSide(side, msg)
  // A flow that ended: the contact itself may still take a connection.
  if (hop === undefined && side.kind === 'flow') return core.hops.toUri(msg.text(msg.uriStart, msg.uriEnd), true, onHop)
  onHop(hop)
}

class InDialogRequest implements ContextUser {
  private readonly core: EdgeCore
  private readonly peer: EdgePeer
  /** The end that this BYE reports once it is certain. */
  private ending: Ending | undefined

  constructor(core: EdgeCore, token: VerifiedToken, msg: SipMessage, peer: EdgePeer) {
    this.core = core
    this.peer = peer
    const isReported = msg.method === METHOD.BYE && token.callRef !== ''
    this.ending = isReported ? new Ending(core, token, msg) : undefined
  }

  /** There is no way to the peer: for a BYE as good as no answer. */
  unreachable(context: ProxyContext, status: number): void {
    this.ending?.settle(408)
    this.ending = undefined
    this.core.proxy.respond(context, status, '')
  }

  onProvisional(): void {
    // Nothing of a dialog hangs on it.
  }

  holdSuccess(): boolean {
    return false
  }

  failOver(): boolean {
    return false
  }

  recurse(): undefined {
    return undefined
  }

  forkMore(): boolean {
    return false
  }

  onFinal(_context: ProxyContext, status: number): void {
    this.ending?.settle(status)
    this.ending = undefined
  }

  onAck(msg: SipMessage): void {
    forwardAck(this.core, msg, this.peer)
  }

  onEnd(): void {
    this.ending = undefined
  }
}

/** What a BYE will have ended, noted when it came. */
class Ending {
  private readonly core: EdgeCore
  private readonly callRef: string
  private readonly call: policy.Call
  private readonly fromTag: string
  private readonly toTag: string
  private readonly by: string
  private readonly reason: string
  private readonly atMs: number

  constructor(core: EdgeCore, token: VerifiedToken, msg: SipMessage) {
    this.core = core
    this.callRef = token.callRef
    this.call = describeEndedCall(msg, token.isInitiatorA, core.edgeId)
    this.fromTag = fromTag(msg)
    this.toTag = toTag(msg)
    this.by = token.isInitiatorA ? 'caller' : 'callee'
    this.reason = headerText(msg, HEADER.REASON)
    this.atMs = core.now()
  }

  /** A BYE that the peer refuses ends nothing (STATE.md, "End"). */
  settle(status: number): void {
    if (!endsCall(status)) return
    const { core } = this
    const ageMs = Math.round(core.now() - this.atMs)
    const value = { fromTag: this.fromTag, toTag: this.toTag, by: this.by, status, reason: this.reason }
    core.reporter.report({ callRef: this.callRef, call: this.call, event: { $case: 'ended', value }, ageMs })
  }
}

function endsCall(status: number): boolean {
  return (status >= 200 && status < 300) || status === 481 || status === 408
}
