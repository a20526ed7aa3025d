// SPDX-License-Identifier: MIT
//
// The way of a message into the edge [DESIGN §2]: bytes, scan, sanity, transaction match, then one of: internal hop, CANCEL,
// ACK, in-dialog, initial. Each exit is a response, a forward, or a counted drop.
//
// Invariant: nothing here keeps `buf`; what waits for an answer works on a copy (ProxyContext.request).

import {
  editRequestUri,
  findHeader,
  HEADER,
  isLoop,
  METHOD,
  type ProxyContext,
  parseVia,
  REQUEST_URI,
  RequestUriView,
  RouteView,
  reasonLines,
  SCAN_ERROR,
  SCAN_ERRORS,
  type ServerTransaction,
  SipMessage,
  scan,
  tagOf,
  URI_SCHEME,
  ValueCursor,
  type VerifiedToken,
  ViaView,
} from '@tandem/sip'
import { dropsFrom, dropsUnread, isRegister, refusesBanned } from './admission/banned-requests.ts'
import { spreadRetryAfter } from './admission/index.ts'
import { isFrame } from './any-edge/frame.ts'
import { handAck, handCancel, handInvite } from './any-edge/hand-over.ts'
import type { EdgeCore } from './core.ts'
import { receiveInternalRequest } from './hops/internal-hop.ts'
import { pinCallee } from './in-dialog/callee-pin.ts'
import { forwardAck, receiveInDialog } from './in-dialog/in-dialog.ts'
import { receiveInitialRequest } from './initial/initial-request.ts'
import { routeNamesOurDomain } from './initial/own-routes.ts'
import { noteAlias } from './listeners/connection-reuse.ts'
import type { EdgePeer } from './listeners/peers.ts'
import { SourceLimiter } from './listeners/source-limiter.ts'
import { isStun } from './listeners/stun.ts'
import type { RefusalCount } from './log/call-log.ts'
import { refuseAs, refuseStateless, replyStateless } from './own/replies.ts'
import { resubscribedAor } from './reg-event/dialog-contact.ts'
import { receiveResubscribe } from './reg-event/subscribe.ts'
import { followStateless } from './stateless/stateless.ts'
import { decideStateless } from './stateless/stateless-overload.ts'
import { receiveStrayResponse } from './stateless/stray-response.ts'

/** Makes the peer of a message, only when one is needed. */
export interface PeerSource {
  peer(msg: SipMessage): EdgePeer
  readonly internal: boolean
  /** Where the message at hand comes from. */
  readonly address?: string
  /** Who gets no answer sends it again. */
  readonly isLossy?: boolean
  /** Answers a STUN keep-alive; false for what is none. Streams have none [RFC5626-3.5]. */
  answerStun?(buf: Buffer, start: number, end: number): boolean
}

export class Receiver {
  private readonly core: EdgeCore
  private readonly scanned = new SipMessage()
  /** The request at hand: as it was scanned, or as it was rewritten [RFC3261-16.4]. */
  private msg = this.scanned
  private readonly rewritten = new SipMessage()
  private readonly uriView = new RequestUriView<VerifiedToken>()
  private readonly view = new RouteView<VerifiedToken>()
  private readonly cursor = new ValueCursor()
  private readonly via = new ViaView()
  private readonly sources: SourceLimiter | undefined
  /** Set while the edge drains: initial requests get 503. */
  draining = false

  constructor(core: EdgeCore) {
    this.core = core
    const rate = core.config.limits.maxRequestsPerSource
    this.sources = rate > 0 ? new SourceLimiter(rate) : undefined
  }

  /** Takes one message; `buf` is valid during the call only. Never throws on bad input. */
  receive(buf: Buffer, start: number, end: number, source: PeerSource): void {
    try {
      this.dispatch(buf, start, end, source)
    } catch (error) {
      // A bug of ours: this message is lost, the next one works.
      this.core.counts.droppedByBug += 1
      this.core.logger.error({ err: error }, 'bug: exception while a message was handled')
    }
  }

  private dispatch(buf: Buffer, start: number, end: number, source: PeerSource): void {
    const { scanned: msg, core } = this
    this.msg = msg
    if (core.admission.isLimiting && source.isLossy === true && this.isShed(buf, start, end)) return
    if (!core.banned.isEmpty && !source.internal && dropsUnread(core, buf, start, end, source.address)) return
    const code = scan(msg, buf, start, end)
    if (code !== SCAN_ERROR.NONE) return this.takeUnreadable(code, buf, start, end, source)
    if (source.internal && isFrame(msg)) return core.anyEdge.receiveFrame(msg, source)
    if (!msg.isRequest) return this.receiveResponse(source.internal)
    core.layer.traffic.requestIn(msg.method)
    const key = core.layer.serverKey(msg)
    const known = core.layer.findServer(msg, key)
    if (known !== undefined && core.tracing !== undefined) core.tracing.onRepeated(known, msg)
    if (known !== undefined) return core.layer.receiveRequest(known, msg)
    this.receiveRequest(key, source.peer(msg), source.internal)
  }

  /** A REGISTER that need not be read. */
  private isShed(buf: Buffer, start: number, end: number): boolean {
    const { admission, counts } = this.core
    if (!isRegister(buf, start, end)) return false
    if (!admission.sheds(this.core.now())) return false
    counts.droppedAdmission += 1
    return true
  }

  /** [RFC5626-8] STUN shares the port with SIP. */
  private takeUnreadable(code: number, buf: Buffer, start: number, end: number, source: PeerSource): void {
    if (code === SCAN_ERROR.KEEP_ALIVE || !isStun(buf, start, end)) return this.refuseUnreadable(code, source)
    if (source.answerStun?.(buf, start, end) === true) this.core.counts.keepAlives += 1
    else this.core.counts.droppedUnreadable += 1
  }

  /** [RFC3261-16.3.1ab] */
  private refuseUnreadable(code: number, source: PeerSource): void {
    const { msg, core } = this
    const error = SCAN_ERRORS[code]
    if (code !== SCAN_ERROR.KEEP_ALIVE && dropsFrom(core, source.address)) return
    if (code === SCAN_ERROR.KEEP_ALIVE) {
      core.counts.keepAlives += 1
      return
    }
    core.measures.unreadable(code)
    if (error === undefined || error.status === 0 || !msg.isRequest || !msg.answerable || msg.method === METHOD.ACK) {
      core.counts.droppedUnreadable += 1
      return
    }
    core.counts.refusedUnreadable += 1
    const { status, reason } = error
    const peer = source.peer(msg)
    if (core.callLog !== undefined) core.callLog.refusedAs('refusedUnreadable', msg, peer, status)
    replyStateless(core, msg, peer, status, reason, 'unreadable')
  }

  private receiveResponse(internal: boolean): void {
    const { msg, core } = this
    core.layer.traffic.responseIn(msg.method, msg.status)
    const client = core.layer.findClient(msg)
    // [RFC3261-18.1.2b] [RFC6026-6cd] [RFC6026-8.2] [RFC6026-8.9]
    if (client === undefined) return receiveStrayResponse(core, msg, internal)
    // [RFC3261-18.1.2a] a Via that is not ours
    if (!(client.peer as EdgePeer).facing.isSentBy(msg)) core.counts.droppedStrayResponse += 1
    else core.layer.receiveResponse(client, pinCallee(core, msg, client.peer as EdgePeer) ?? msg)
  }

  private receiveRequest(key: string, peer: EdgePeer, internal: boolean): void {
    const { core } = this
    if (internal) return receiveInternalRequest(core, this.msg, peer)
    if (peer.transport === 'tls') noteAlias(core.hops.streams, this.msg, peer)
    if (this.msg.method === METHOD.CANCEL) return this.receiveCancel(peer)
    if (this.msg.method === METHOD.INVITE && core.anyEdge.claims.knows(key))
      return this.receiveInviteElsewhere(key, peer)
    if (!core.banned.isEmpty && refusesBanned(core, this.msg, peer)) return
    if (core.admission.isLimiting && !this.isAdmitted(peer)) return
    if (!this.preprocess(peer)) return
    const { msg } = this
    if (msg.method === METHOD.ACK) return this.receiveAck(key, peer)
    if (!this.isSound(peer)) return
    this.view.read(msg, core.routeOwner, this.uriView.token)
    if (msg.toTagStart >= 0) return this.receiveInDialog(key, peer)
    if (followStateless(core, msg, key, peer)) return
    this.receiveInitial(key, peer)
  }

  /** [RFC3261-9.2] [RFC3261-16.10] The 200 is ours whatever becomes of the INVITE; a repeated CANCEL gets it again. */
  private receiveCancel(peer: EdgePeer): void {
    const { msg, core } = this
    const invite: ServerTransaction | undefined = core.layer.findInviteOfCancel(msg)
    if (invite === undefined) return this.receiveCancelElsewhere(peer)
    if (invite.lastStatus > 100) core.counts.cancelsRinging += 1
    else core.counts.cancelsEarly += 1
    replyStateless(core, msg, peer, 200, '', tagOf(invite.key)) // [RFC3261-9.2] the tag of the INVITE's own responses
    core.proxy.cancel(invite.context as ProxyContext | undefined, reasonLines(msg)) // [RFC3326-2]
  }

  /** Another edge may run its INVITE, or have run it; else it may have passed without a transaction. */
  private receiveCancelElsewhere(peer: EdgePeer): void {
    const { msg, core } = this
    const key = core.layer.cancelledKey(msg)
    if (!core.statelessWays.isEmpty && msg.maxForwards !== 0 && followStateless(core, msg, key, peer)) return
    if (this.lackOf(peer) !== undefined) {
      core.counts.droppedLookup += 1 // its sender repeats it
      return
    }
    handCancel(core, msg, key, peer, (cancel) => {
      this.msg = cancel
      this.receiveStatelessCancel(peer)
    })
  }

  /** [RFC3261-16.10] Its INVITE may have passed without a transaction at another edge of the same routes. */
  private receiveStatelessCancel(peer: EdgePeer): void {
    const { msg, core, view } = this
    if (!core.statelessWays.isEmpty && msg.maxForwards !== 0) {
      view.read(msg, core.routeOwner)
      return decideStateless(core, msg, peer, view.popCount)
    }
    core.counts.cancelsUnmatched += 1
    refuseStateless(core, msg, peer, 481, '')
  }

  /** A copy of an INVITE that is known to run at another edge, or is about to run here. */
  private receiveInviteElsewhere(key: string, peer: EdgePeer): void {
    const { msg, core } = this
    handInvite(core, key, Buffer.from(msg.buf.subarray(msg.start, msg.end)), peer)
  }

  /** What begins something, while there is too much of it; answers what is not. Nothing is kept, nobody is asked. */
  private isAdmitted(peer: EdgePeer): boolean {
    const { msg, core } = this
    if (msg.toTagStart >= 0 || msg.method === METHOD.ACK) return true
    if (this.draining || core.admission.admits(msg, peer, core.now())) return true
    if (!peer.reliable && !core.admission.answers(core.now())) {
      core.counts.droppedAdmission += 1 // its sender repeats it
      return false
    }
    refuseAs(core, 'refusedAdmission', msg, peer, 503, spreadRetryAfter(core, msg))
    return false
  }

  private receiveAck(key: string, peer: EdgePeer): void {
    const { msg, core } = this
    if (msg.maxForwards !== 0 && followStateless(core, msg, key, peer)) return
    if (!forwardAck(core, msg, peer, this.uriView.token)) this.receiveAckElsewhere(key, peer)
  }

  /** It has no token, so that of a 2xx it is not: that of a failure which another edge has sent, or a stray. */
  private receiveAckElsewhere(key: string, peer: EdgePeer): void {
    const { msg, core } = this
    if (msg.maxForwards !== 0 && this.lackOf(peer) === undefined) handAck(core, msg, key)
    else core.counts.droppedAck += 1
  }

  /** [RFC3261-16.4] False: the Request-URI pretends to be ours, and the request has been answered or dropped. */
  private preprocess(peer: EdgePeer): boolean {
    const { msg, core, uriView } = this
    const kind = uriView.read(msg, core.routeOwner)
    if (kind === REQUEST_URI.PLAIN) return true
    if (kind !== REQUEST_URI.FORGED && this.rewrite(kind)) return true
    if (msg.method === METHOD.ACK) core.counts.droppedForgedAck += 1
    else refuseAs(core, 'refusedForgedToken', msg, peer, 403)
    return false
  }

  /** Makes a plain request of it, on bytes of its own. */
  private rewrite(kind: number): boolean {
    const { msg, core, rewritten } = this
    if (!editRequestUri(msg, kind, core.edits)) return false
    const buf = Buffer.allocUnsafe(core.edits.size())
    if (scan(rewritten, buf, 0, core.edits.encodeInto(buf, 0)) !== SCAN_ERROR.NONE) return false
    this.msg = rewritten
    return true
  }

  private receiveInDialog(key: string, peer: EdgePeer): void {
    const { msg, core, view } = this
    if (view.token !== undefined && !view.forged) return receiveInDialog(core, msg, key, peer, view)
    if (view.forged) return refuseAs(core, 'refusedForgedToken', msg, peer, 403)
    const watched = resubscribedAor(msg)
    if (watched !== undefined) {
      const lack = this.lackOf(peer)
      return lack === undefined ? receiveResubscribe(core, msg, key, peer, watched) : this.refuseFull(lack, peer)
    }
    refuseAs(core, 'refusedNoDialog', msg, peer, 481)
  }

  private receiveInitial(key: string, peer: EdgePeer): void {
    const { msg, core, view } = this
    if (view.forged || view.token !== undefined) return refuseAs(core, 'refusedForgedToken', msg, peer, 403)
    if (this.draining && !core.admission.isEmergency(msg, peer)) {
      return refuseAs(core, 'refusedDraining', msg, peer, 503, spreadRetryAfter(core, msg, 5))
    }
    const lack = this.lackOf(peer)
    if (lack !== undefined) return this.refuseFull(lack, peer)
    if (view.nextStart < 0) return this.decide(key, peer, view.popCount)
    if (routeNamesOurDomain(msg, view)) return this.decide(key, peer, view.popCount + 1)
    core.counts.refusedRoute += 1
    if (core.callLog !== undefined) core.callLog.refusedAs('refusedRoute', msg, peer, 403)
    refuseStateless(core, msg, peer, 403, 'Forbidden: Route of another domain')
  }

  private decide(key: string, peer: EdgePeer, popRoutes: number): void {
    const { msg, core } = this
    if (core.layer.hasServerRoom || core.config.whenOverloaded === 'refuse') {
      return receiveInitialRequest(core, msg, key, peer, popRoutes)
    }
    decideStateless(core, msg, peer, popRoutes)
  }

  /** What there is too much of: what waits for policy and location, or what one source sends. Counts it. */
  private lackOf(peer: EdgePeer): RefusalCount | undefined {
    const { core } = this
    const { policy, location, counts } = core
    const waiting = policy.counts.inFlight + policy.counts.queued + location.counts.inFlight + location.counts.queued
    const { maxPendingRequests } = core.config.limits
    if (waiting >= maxPendingRequests && !this.isUrgent(peer, waiting)) {
      counts.refusedOverload += 1
      return 'refusedOverload'
    }
    if (this.sources === undefined || this.sources.allow(peer.address, core.now())) return undefined
    counts.refusedRate += 1
    return 'refusedRate'
  }

  /** It is counted already. */
  private refuseFull(lack: RefusalCount, peer: EdgePeer): void {
    const { msg, core } = this
    if (core.callLog !== undefined) core.callLog.refusedAs(lack, msg, peer, 503)
    refuseStateless(core, msg, peer, 503, '', spreadRetryAfter(core, msg))
  }

  /** An emergency has a quarter more room than all others. */
  private isUrgent(peer: EdgePeer, waiting: number): boolean {
    const { core, msg } = this
    return waiting < core.config.limits.maxPendingRequests * 1.25 && core.admission.isEmergency(msg, peer)
  }

  /** [RFC3261-16.3] What must hold before a request is looked at any further; answers what does not. */
  private isSound(peer: EdgePeer): boolean {
    const { msg, core } = this
    if (msg.uriScheme === URI_SCHEME.OTHER) {
      refuseAs(core, 'refusedScheme', msg, peer, 416) // [RFC3261-16.3.2]
      return false
    }
    if (msg.maxForwards === 0) return this.refuseHops(peer)
    if (this.isLooping()) {
      refuseAs(core, 'refusedLoop', msg, peer, 482) // [RFC3261-16.3.4] [RFC5393-4.2]
      return false
    }
    return this.knowsExtensions(peer)
  }

  /** [RFC3261-16.3.3] An OPTIONS that ends here is answered as if it were for us. */
  private refuseHops(peer: EdgePeer): boolean {
    const { msg, core } = this
    if (msg.method !== METHOD.OPTIONS) {
      refuseAs(core, 'refusedMaxForwards', msg, peer, 483)
      return false
    }
    core.counts.optionsAnswered += 1
    refuseStateless(core, msg, peer, 200, '')
    return false
  }

  /** [RFC5393-4.2.2] [RFC5393-4.1] Whether a Via of ours says that this very request has been here. */
  private isLooping(): boolean {
    const { msg, core, cursor, via } = this
    if (isLoop(core.ring, msg, msg.viaBranchStart, msg.viaBranchEnd, '')) return true
    cursor.reset(msg, HEADER.VIA)
    cursor.next() // the topmost one, which the scan has read
    while (cursor.next()) {
      if (!parseVia(msg.buf, cursor.start, cursor.end, via) || via.branchStart < 0) continue
      if (isLoop(core.ring, msg, via.branchStart, via.branchEnd, '')) return true
    }
    return false
  }

  /** [RFC3261-16.3.5] Of what a proxy must understand only `privacy` is: what of it can't be given fails by its own rule [RFC3323-5]. */
  private knowsExtensions(peer: EdgePeer): boolean {
    const { msg, core, cursor } = this
    if (findHeader(msg, HEADER.PROXY_REQUIRE) < 0) return true
    cursor.reset(msg, HEADER.PROXY_REQUIRE)
    let unsupported = ''
    while (cursor.next()) {
      const tag = msg.text(cursor.start, cursor.end)
      if (tag.toLowerCase() !== 'privacy') unsupported += (unsupported === '' ? '' : ', ') + tag
    }
    if (unsupported === '') return true
    refuseAs(core, 'refusedExtension', msg, peer, 420, `Unsupported: ${unsupported}\r\n`)
    return false
  }
}
