// SPDX-License-Identifier: MIT
//
// Requests inside a dialog [DESIGN §2.3]: the Route set and its token say all; no owner, no lookup. ACK of a 2xx passes without
// a transaction, everything else gets one. A BYE of a call on record is reported once its end is certain, and its final response waits
// until that is on record: should this edge die before, the BYE comes again, and the edge that gets it reports the end.

import type { policy } from '@tandem/rpc'
import {
  type ContextUser,
  editForwardedRequest,
  HEADER,
  hasMagicCookie,
  METHOD,
  type ProxyBranch,
  type ProxyContext,
  RouteView,
  readMaxBreadth,
  type SipMessage,
  type TokenSide,
  URI_SCHEME,
  type VerifiedToken,
} from '@tandem/sip'
import { endsCall, reportEnd } from '../accounting/ended-elsewhere.ts'
import { type EdgeCore, sendEdited } from '../core.ts'
import { changesDialog, noteUpdate } from '../hang-up/note-update.ts'
import type { NextHop } from '../hops/hops.ts'
import { describeEndedCall, fromTag, headerText, toTag } from '../initial/describe.ts'
import { isSecureTransport } from '../listeners/edge-streams.ts'
import { type EdgePeer, isFramed } from '../listeners/peers.ts'
import { refuseAs, retryAfter } from '../own/replies.ts'
import { forwardInDialogStateless, mayPassStateless, shareOf } from '../stateless/stateless.ts'
import { traceOf } from '../tracing/edge-tracing.ts'
import { requestedGruu, toInstance } from './gruu-way.ts'
import { type InDialogWay, inDialogBranchId, sendInDialog } from './in-dialog-branch.ts'

/** Forwards a request with a valid token. `view` is read at once and may be reused. */
export function receiveInDialog(
  core: EdgeCore,
  msg: SipMessage,
  key: string,
  peer: EdgePeer,
  view: RouteView<VerifiedToken>,
): void {
  const token = view.token as VerifiedToken
  if (goesStateless(core, msg, token)) return passStateless(core, msg, key, peer, view, token)
  const user = new InDialogRequest(core, { token, popRoutes: view.popCount, source: peer }, msg)
  const context = core.proxy.open(msg, key, peer, user)
  if (context === undefined) return refuseAs(core, 'refusedOverload', msg, peer, 503, retryAfter(1))
  core.counts.inDialog += 1
  if (core.tracing !== undefined) core.tracing.begin(context, peer, false)
  if (core.callLog !== undefined && msg.method === METHOD.BYE && token.callRef === '')
    core.callLog.ended(msg, token.isInitiatorA, context.trace?.traceId)
  nextHop(core, msg, view, token, (hop) => {
    if (hop === undefined) return user.unreachable(context, flowStatus(core, token))
    if (context.closed || context.request === undefined) return core.proxy.finish(context)
    if (context.isInvite) core.proxy.trying(context)
    user.send(context, context.request, hop)
  })
}

/** [RFC3261-16.11] A dialog that a stateless plan began, and any that leaves no record while the table is full, if so set. */
function goesStateless(core: EdgeCore, msg: SipMessage, token: VerifiedToken): boolean {
  if (token.isStateless) return true
  if (core.layer.hasServerRoom || core.config.whenOverloaded !== 'stateless') return false
  return mayPassStateless(msg, token)
}

function passStateless(
  core: EdgeCore,
  msg: SipMessage,
  key: string,
  peer: EdgePeer,
  view: RouteView<VerifiedToken>,
  token: VerifiedToken,
): void {
  const popRoutes = view.popCount
  // A host name takes time: only then are the bytes copied.
  let request = msg
  let isSent = false
  const take = (hop: NextHop | undefined): void => {
    forwardInDialogStateless(core, request, peer, hop, popRoutes, token)
    isSent = true
  }
  nextHop(core, msg, view, token, take, shareOf(key))
  if (!isSent) request = msg.clone()
}

/** [RFC5626-5.3] 430 for a flow that is gone. */
function flowStatus(core: EdgeCore, token: VerifiedToken): number {
  const side = token.isInitiatorA ? token.callee : token.caller
  if (side.kind !== 'flow') return 480
  core.counts.flowFailures += 1
  return 430
}

const ackView = new RouteView<VerifiedToken>()

/**
 * [RFC3261-16.11] The ACK of a 2xx, on the way of its Route set.
 * @param uriToken what a strict router left of our Record-Route in the Request-URI said
 * @returns false for one that has no token, and is still to be dealt with; others have been sent, or dropped and counted
 */
export function forwardAck(core: EdgeCore, msg: SipMessage, peer: EdgePeer, uriToken?: VerifiedToken): boolean {
  ackView.read(msg, core.routeOwner, uriToken)
  const token = ackView.token
  if (token === undefined && !ackView.forged) return false
  if (token === undefined || ackView.forged || msg.maxForwards === 0) {
    if (ackView.forged) core.counts.droppedForgedAck += 1
    else core.counts.droppedAck += 1
    return true
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
  return true
}

function sendAck(core: EdgeCore, msg: SipMessage, peer: EdgePeer, wanted: NextHop, popRoutes: number): void {
  core.counts.acksForwarded += 1
  editAck(core, msg, peer, wanted, popRoutes)
  const hop = core.hops.forSize(wanted, core.edits.size()) // [RFC3261-18.1.1]
  if (hop !== wanted) editAck(core, msg, peer, hop, popRoutes)
  if (core.tracing !== undefined) core.tracing.onAck(msg, peer, hop, ackBranchId(core, msg))
  if (!sendEdited(core, hop.peer, METHOD.ACK)) core.counts.acksLost += 1
}

function editAck(core: EdgeCore, msg: SipMessage, peer: EdgePeer, hop: NextHop, popRoutes: number): void {
  editForwardedRequest(msg, core.edits, {
    uri: hop.uri,
    via: hop.peer.facing.via(ackBranchId(core, msg)),
    recordRoute: '',
    route: hop.route,
    added: '',
    popRoutes,
    strict: hop.strict,
    maxBreadth: Math.max(1, readMaxBreadth(msg)),
    sourceAddress: peer.address,
    sourcePort: peer.port,
    stream: isFramed(hop.peer),
  })
}

/** A sender's own branch is shorter than this; a longer one is hashed. */
const MAX_TAKEN_BRANCH = 64

/**
 * The branch of an ACK for a 2xx, which no response will ever carry back: made from that of the hop before, which is unique
 * already [RFC3261-16.11].
 */
function ackBranchId(core: EdgeCore, ack: SipMessage): string {
  const start = ack.viaBranchStart
  const isTaken = hasMagicCookie(ack) && ack.viaBranchEnd - start <= MAX_TAKEN_BRANCH
  return isTaken ? `${ack.text(start, ack.viaBranchEnd)}.t` : inDialogBranchId(core, ack)
}

/** The next Route that is not ours, else the side of the token, else the Request-URI. [RFC3261-16.6.7cd] */
export function nextHop(
  core: EdgeCore,
  msg: SipMessage,
  view: RouteView<VerifiedToken>,
  token: VerifiedToken,
  onHop: (hop: NextHop | undefined) => void,
  share?: number,
): void {
  const { hops } = core
  if (view.nextStart >= 0) {
    const { uriScheme } = msg
    const route = msg.text(view.nextStart, view.nextEnd)
    return hops.toRoute(route, view.nextIsStrict, (hop) => onHop(hop && withinTls(uriScheme, hop)), share)
  }
  const side = token.isInitiatorA ? token.callee : token.caller
  const gruu = requestedGruu(core, msg)
  if (gruu === undefined) return toSide(core, msg, side, onHop, share)
  const kept = msg.clone()
  toInstance(core, kept, gruu, (hop) => (hop === undefined ? toSide(core, kept, side, onHop, share) : onHop(hop)))
}

function toSide(
  { hops }: EdgeCore,
  msg: SipMessage,
  side: TokenSide,
  onHop: (hop: NextHop | undefined) => void,
  share?: number,
): void {
  if (side.kind === 'none') return hops.toUri(msg.text(msg.uriStart, msg.uriEnd), true, onHop, share)
  const known = hops.toSide(side, msg)
  const hop = known && withinTls(msg.uriScheme, known)
  // A flow that ended, or has no TLS: the contact itself may still take a connection.
  if (hop === undefined && (side.kind === 'flow' || known !== undefined))
    return hops.toUri(msg.text(msg.uriStart, msg.uriEnd), true, onHop, share)
  onHop(hop)
}

/**
 * [RFC3261-26.2.2c] [RFC5630-5.3a] What is sips does not go back over UDP or TCP because its dialog began so. Of a flow of another edge
 * that edge looks itself.
 */
function withinTls(uriScheme: number, hop: NextHop): NextHop | undefined {
  if (uriScheme !== URI_SCHEME.SIPS || hop.peer.facing.internal) return hop
  return isSecureTransport(hop.peer.transport) ? hop : undefined
}

class InDialogRequest implements ContextUser {
  private readonly core: EdgeCore
  private readonly way: InDialogWay
  private hop: NextHop | undefined
  /** The end that this BYE reports once it is certain. */
  private ending: Ending | undefined

  constructor(core: EdgeCore, way: InDialogWay, msg: SipMessage) {
    this.core = core
    this.way = way
    const isReported = msg.method === METHOD.BYE && way.token.callRef !== ''
    this.ending = isReported ? new Ending(core, way.token, msg) : undefined
  }

  send(context: ProxyContext, request: SipMessage, hop: NextHop): void {
    this.hop = sendInDialog(this.core, context, request, hop, this.way)
    if (this.hop === undefined) this.core.proxy.respond(context, 513, '')
  }

  /** There is no way to the peer: for a BYE as good as no answer. */
  unreachable(context: ProxyContext, status: number): void {
    const respond = (): void => this.core.proxy.respond(context, status, '')
    if (!this.holds(context, 408, respond)) respond()
  }

  /** [RFC3263-4.3] The next endpoint of the same host. */
  failOver(context: ProxyContext, branch: ProxyBranch, status: number): boolean {
    const next = this.hop?.alternatives[0]
    const isNext = status === 503 || (status === 408 && branch.provisional === 0)
    if (!isNext || next === undefined || context.request === undefined) return false
    this.send(context, context.request, next)
    return true
  }

  onProvisional(): void {
    // Nothing of a dialog hangs on it.
  }

  holdSuccess(context: ProxyContext, _branch: ProxyBranch, msg: SipMessage): boolean {
    if (this.ending === undefined) {
      this.noteUpdate(context, msg)
      return false
    }
    const kept = msg.clone()
    return this.holds(context, msg.status, () => this.core.proxy.release(context, kept))
  }

  /** Only the first 2xx finds the request still there. */
  private noteUpdate({ request }: ProxyContext, answer: SipMessage): void {
    const { token } = this.way
    if (token.callRef === '' || request === undefined || !changesDialog(request)) return
    noteUpdate(this.core, token, request, answer)
  }

  recurse(): undefined {
    return undefined
  }

  /** [RFC3261-16.9] Nobody was reached, as the network says: 480. Else a 481 or a timeout ends the call as well, and waits like a 2xx. */
  forkMore(context: ProxyContext, status: number): boolean {
    if (!context.branches.every(({ lost }) => lost))
      return this.holds(context, status, () => this.core.proxy.finish(context))
    this.unreachable(context, 480)
    return true
  }

  onFinal(): void {
    this.ending = undefined
  }

  /** @returns true where `goOn` is called once the end that this status means is on record; a BYE that is refused ends nothing */
  private holds(context: ProxyContext, status: number, goOn: () => void): boolean {
    const { ending } = this
    if (ending === undefined || !endsCall(status)) return false
    this.ending = undefined
    reportEnd(this.core, ending.report(status), goOn, traceOf(context))
    return true
  }

  onAck(msg: SipMessage): void {
    if (!forwardAck(this.core, msg, this.way.source)) this.core.counts.droppedAck += 1
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

  report(status: number): policy.ReportRequest {
    const ageMs = Math.round(this.core.now() - this.atMs)
    const value = { fromTag: this.fromTag, toTag: this.toTag, by: this.by, status, reason: this.reason }
    return { callRef: this.callRef, call: this.call, event: { $case: 'ended', value }, ageMs }
  }
}
