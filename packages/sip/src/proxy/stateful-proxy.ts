// SPDX-License-Identifier: MIT
//
// The stateful proxy (RFC 3261 section 16.2 to 16.10) as the user of the transaction layer, in verbs:
// open, trying, fork, respond, cancel. It knows no socket, no clock and no service: each context has a user that decides
// where its request goes and is told what came of it.
//
// Invariants: every context ends in a final response upstream or in the end of its server transaction; the bytes of the
// request are kept until then and no longer. A 2xx that the user holds back is absorbed until it is released.
// Races: a CANCEL may come before any branch is forked (the user is still deciding): the context is closed at once and
// fork() refuses; a 2xx may cross a CANCEL: it goes upstream all the same.

import { Buffer } from 'node:buffer'
import { type Edits, encodeCancel, encodeResponse, METHOD, SipMessage, scan } from '../message/index.ts'
import type {
  ClientTransaction,
  Peer,
  ServerTransaction,
  TransactionLayer,
  TransactionUser,
} from '../transaction/index.ts'
import { upstreamStatus } from './best-response.ts'
import { DeadlineLists } from './deadline-list.ts'
import { needsReceived } from './forward-request.ts'
import { encodeForwardedResponse } from './forward-response.ts'
import { Branch, ResponseContext, STEP } from './response-context.ts'

/** Who a request came from: the address goes into received, the port into rport. */
export interface SourcePeer extends Peer {
  readonly address: string
  readonly port: number
}

/** One forwarded request: its server transaction, its branches, and what its user makes of it. */
export class ProxyContext extends ResponseContext<ProxyBranch> {
  readonly server: ServerTransaction
  readonly source: SourcePeer
  readonly method: number
  /** The request with bytes of its own; undefined once a final response is upstream. */
  request: SipMessage | undefined
  /** Best failure so far, as it goes upstream; undefined when it is ours to make. */
  best: Buffer | undefined
  /** CANCEL came. */
  cancelled = false
  /** Whose request it is. */
  readonly user: ContextUser

  constructor(server: ServerTransaction, request: SipMessage, source: SourcePeer, user: ContextUser) {
    super(request.method === METHOD.INVITE)
    this.server = server
    this.source = source
    this.method = request.method
    this.request = request
    this.user = user
  }
}

export class ProxyBranch extends Branch {
  readonly context: ProxyContext
  readonly peer: Peer
  client: ClientTransaction | undefined
  /** Ring time of its step, 0 for Timer C alone. */
  readonly ringMs: number

  constructor(context: ProxyContext, id: string, uri: string, peer: Peer, ringMs: number) {
    super(id, uri)
    this.context = context
    this.peer = peer
    this.ringMs = ringMs
  }
}

/** What a context asks of and tells the one that opened it. */
export interface ContextUser {
  /** A provisional response but 100 is about to go upstream. */
  onProvisional(context: ProxyContext, branch: ProxyBranch, status: number): void
  /** A 2xx came. True: the user holds it (and its retransmissions) back and calls `release` when it may go. */
  holdSuccess(context: ProxyContext, branch: ProxyBranch, msg: SipMessage): boolean
  /** All branches have failed. True: the user forks again or calls `finish` later. */
  forkMore(context: ProxyContext, status: number): boolean
  /** The final response is about to go upstream, or none ever will (status 408 of a non-INVITE). Not for a 2xx held back. Before onEnd. */
  onFinal(context: ProxyContext, status: number): void
  /** An ACK for the 2xx that matched the INVITE's transaction (RFC 2543 senders): to be forwarded. */
  onAck(msg: SipMessage): void
  /** The server transaction is gone. */
  onEnd(context: ProxyContext): void
}

export interface ProxyTimers {
  /** [RFC3261-16.6.11] more than three minutes. */
  readonly timerCMs: number
  /** [RFC3261-9.1] how long a cancelled branch may stay without a final response: 64*T1. */
  readonly cancelMs: number
}

export interface StatefulProxyOptions {
  readonly layer: TransactionLayer
  readonly timers: ProxyTimers
  /** Scratch for outgoing messages, at least the largest message and a little more. */
  readonly out: Buffer
}

export class StatefulProxy implements TransactionUser {
  readonly counts = { forked: 0, cancelled: 0, timerC: 0, suppressed408: 0, serverTransportErrors: 0 }
  private readonly layer: TransactionLayer
  private readonly timers: ProxyTimers
  private readonly out: Buffer
  /** Timer C, the ring time or the wait behind a CANCEL of each branch. */
  private readonly deadlines = new DeadlineLists<ProxyBranch>()
  private readonly sent = new SipMessage()
  private nowMs = 0
  private openCount = 0

  constructor(options: StatefulProxyOptions) {
    this.layer = options.layer
    this.timers = options.timers
    this.out = options.out
  }

  /**
   * Creates the server transaction and the context of a request that matched none.
   * `msg` is copied. Undefined when the transaction table is full: the caller answers 503.
   */
  open(msg: SipMessage, key: string, peer: SourcePeer, user: ContextUser): ProxyContext | undefined {
    const server = this.layer.createServer(msg, key, peer, undefined)
    if (server === undefined) return undefined
    const context = new ProxyContext(server, msg.clone(), peer, user)
    server.context = context
    this.openCount += 1
    return context
  }

  /** Requests that have no final response upstream yet. */
  get inProgress(): number {
    return this.openCount
  }

  /** 100 Trying, [RFC3261-16.2]; nothing once a final response is up. */
  trying(context: ProxyContext): void {
    if (context.request === undefined || context.finalSent !== 0) return
    const end = encodeResponse(context.request, 100, 'Trying', stampOf(context.request, context.source), this.out, 0)
    this.layer.respond(context.server, 100, this.out, 0, end)
  }

  /**
   * Sends one more branch, edited by the user.
   *
   * @param edits filled for the context's request
   * @param ringMs ring time, 0 for Timer C alone
   * @returns undefined when the context is closed. With a full client table the branch fails at the next tick, with 503.
   */
  fork(
    context: ProxyContext,
    edits: Edits,
    id: string,
    uri: string,
    peer: Peer,
    ringMs: number,
  ): ProxyBranch | undefined {
    if (context.closed) return undefined
    const branch = new ProxyBranch(context, id, uri, peer, ringMs)
    context.addBranch(branch)
    this.counts.forked += 1
    const end = edits.encodeInto(this.out, 0)
    branch.client = this.layer.createClient(id, context.method, this.out, 0, end, peer, branch)
    if (branch.client === undefined) this.deadlines.arm(branch, 0, this.nowMs)
    else if (context.isInvite) this.deadlines.arm(branch, ringMs > 0 ? ringMs : this.timers.timerCMs, this.nowMs)
    return branch
  }

  /** A final response of our own; closes the context. */
  respond(context: ProxyContext, status: number, reason: string, headers = ''): void {
    context.closed = true
    if (context.finalSent !== 0 || context.request === undefined) return
    const options = { toTag: tagOf(context.server.key), headers, ...stampOf(context.request, context.source) }
    const end = encodeResponse(context.request, status, reason, options, this.out, 0)
    this.sendFinal(context, status, this.out, 0, end)
  }

  /** All that was forked has failed and nothing more comes: sends the best response. */
  finish(context: ProxyContext): void {
    if (context.finalSent !== 0) return
    const status = upstreamStatus(context.bestStatus || (context.cancelled ? 487 : 500))
    if (status === 408 && !context.isInvite) return this.abandon(context)
    const best = context.best
    if (best === undefined || status !== context.bestStatus) return this.respond(context, status, '')
    this.sendFinal(context, status, best, 0, best.length)
  }

  /** [RFC3261-16.10] CANCEL for this context: the caller has answered it with 200. */
  cancel(context: ProxyContext): void {
    if (context.finalSent !== 0 || context.cancelled) return
    context.cancelled = true
    context.closed = true
    if (context.pending === 0) return this.respond(context, 487, '')
    this.cancelPending(context)
  }

  /** A 2xx that was held back never goes upstream; this failure does in its place. */
  withdraw(context: ProxyContext, status: number, reason: string, headers: string): void {
    context.finalSent = 0
    this.respond(context, status, reason, headers)
  }

  /** A 2xx that was held back goes upstream now. */
  release(context: ProxyContext, msg: SipMessage): void {
    this.forward(context, msg)
  }

  /** Cancels every branch that has no final response. */
  cancelPending(context: ProxyContext): void {
    for (const branch of context.branches) if (branch.final === 0) this.cancelBranch(branch)
  }

  onResponse(tx: ClientTransaction, msg: SipMessage): void {
    const branch = tx.context as ProxyBranch | undefined
    if (branch === undefined || tx.method === METHOD.CANCEL) return // answers to our own CANCEL end here
    if (msg.status < 200) this.onProvisional(branch, msg)
    else if (msg.status < 300) this.onSuccess(branch, msg)
    else this.onFailure(branch, msg)
  }

  onClientTimeout(tx: ClientTransaction): void {
    if (tx.method !== METHOD.CANCEL) this.onBranchFailure(tx.context as ProxyBranch, 408) // [RFC3261-16.8]
  }

  onClientTransportError(tx: ClientTransaction): void {
    if (tx.method !== METHOD.CANCEL) this.onBranchFailure(tx.context as ProxyBranch, 503) // [RFC3261-16.9]
  }

  onClientTerminated(tx: ClientTransaction): void {
    if (tx.method !== METHOD.CANCEL) (tx.context as ProxyBranch).client = undefined
  }

  onAck(tx: ServerTransaction, msg: SipMessage): void {
    ;(tx.context as ProxyContext).user.onAck(msg) // [RFC6026-7.1] an ACK in Accepted belongs to the 2xx
  }

  onServerTransportError(): void {
    this.counts.serverTransportErrors += 1 // [RFC6026-8.8] the transaction stays as it is
  }

  onServerTerminated(tx: ServerTransaction): void {
    const context = tx.context as ProxyContext | undefined
    if (context === undefined) return
    this.letGo(context)
    context.user.onEnd(context)
  }

  /** Fires what is due: Timer C, ring times, cancelled branches that stay silent. */
  tick(nowMs: number): void {
    this.nowMs = nowMs
    this.deadlines.expire(nowMs, this.onDeadline)
  }

  private readonly onDeadline = (branch: ProxyBranch): void => {
    if (branch.final !== 0) return
    this.counts.timerC += 1
    // [RFC3261-16.8] with a provisional response the branch is cancelled, without one it is as a 408
    if (branch.provisional > 0 && !branch.cancelSent) return this.cancelBranch(branch)
    const refused = branch.client === undefined
    if (branch.client !== undefined) this.layer.abort(branch.client)
    this.onBranchFailure(branch, branch.context.cancelled ? 487 : refused ? 503 : 408)
  }

  private onProvisional(branch: ProxyBranch, msg: SipMessage): void {
    const context = branch.context
    const up = context.onProvisional(branch, msg.status)
    if (branch.cancelWanted && !branch.cancelSent) this.cancelBranch(branch)
    // [RFC3261-16.7.2] Timer C starts anew; a ring time does not
    else if (msg.status > 100 && branch.ringMs === 0 && context.isInvite && !branch.cancelSent) {
      this.deadlines.arm(branch, this.timers.timerCMs, this.nowMs)
    }
    if (!up) return
    context.user.onProvisional(context, branch, msg.status)
    this.forward(context, msg)
  }

  private onSuccess(branch: ProxyBranch, msg: SipMessage): void {
    const context = branch.context
    const step = context.onFinal(branch, msg.status)
    this.deadlines.disarm(branch)
    if ((step & STEP.CANCEL_OTHERS) !== 0) this.cancelPending(context) // [RFC3261-16.7.10]
    if ((step & STEP.FORWARD) === 0) return
    if (context.isInvite && context.user.holdSuccess(context, branch, msg)) return
    if ((step & STEP.CANCEL_OTHERS) !== 0) context.user.onFinal(context, msg.status)
    this.forward(context, msg)
  }

  private onFailure(branch: ProxyBranch, msg: SipMessage): void {
    const context = branch.context
    const step = this.settle(branch, msg.status)
    const isBest = (step & STEP.KEEP) !== 0
    const exhausted = (step & STEP.EXHAUSTED) !== 0
    if (!exhausted || this.forksMore(context)) {
      if (isBest && context.finalSent === 0) this.keep(context, msg)
    } else if (isBest && msg.status === upstreamStatus(msg.status)) this.forwardFinal(context, msg)
    else this.finish(context)
  }

  /** True when the user forks again, now or later. */
  private forksMore(context: ProxyContext): boolean {
    return !context.closed && context.user.forkMore(context, context.bestStatus)
  }

  private keep(context: ProxyContext, msg: SipMessage): void {
    const end = encodeForwardedResponse(msg, this.out, 0)
    context.best = end < 0 ? undefined : Buffer.from(this.out.subarray(0, end))
  }

  private settle(branch: ProxyBranch, status: number): number {
    this.deadlines.disarm(branch)
    const step = branch.context.onFinal(branch, status)
    if ((step & STEP.CANCEL_OTHERS) !== 0) this.cancelPending(branch.context)
    return step
  }

  /** A failure without a response: timeout, transport error, full table. */
  private onBranchFailure(branch: ProxyBranch, status: number): void {
    const context = branch.context
    const step = this.settle(branch, status)
    if ((step & STEP.KEEP) !== 0) context.best = undefined
    if ((step & STEP.EXHAUSTED) === 0) return
    if (!this.forksMore(context)) this.finish(context)
  }

  private cancelBranch(branch: ProxyBranch): void {
    branch.cancelWanted = true
    if (!branch.context.isInvite || branch.cancelSent || branch.client === undefined) return
    if (branch.provisional === 0) return // [RFC3261-9.1] not before a provisional response
    const client = branch.client
    if (client.kept === undefined || scan(this.sent, client.kept, client.keptStart, client.keptEnd) !== 0) return
    branch.cancelSent = true
    this.counts.cancelled += 1
    const end = encodeCancel(this.sent, this.out, 0)
    this.layer.createClient(branch.id, METHOD.CANCEL, this.out, 0, end, branch.peer, branch)
    this.deadlines.arm(branch, this.timers.cancelMs, this.nowMs)
  }

  private forward(context: ProxyContext, msg: SipMessage): void {
    const end = encodeForwardedResponse(msg, this.out, 0)
    if (end < 0) return
    if (msg.status >= 200) this.letGo(context)
    this.layer.respond(context.server, msg.status, this.out, 0, end)
  }

  private forwardFinal(context: ProxyContext, msg: SipMessage): void {
    const end = encodeForwardedResponse(msg, this.out, 0)
    if (end < 0) return this.respond(context, 500, '')
    this.sendFinal(context, msg.status, this.out, 0, end)
  }

  private sendFinal(context: ProxyContext, status: number, buf: Buffer, start: number, end: number): void {
    context.finalSent = status
    context.closed = true
    this.letGo(context)
    context.best = undefined
    context.user.onFinal(context, status)
    this.layer.respond(context.server, status, buf, start, end)
  }

  /** The bytes of the request are needed no more. */
  private letGo(context: ProxyContext): void {
    if (context.request === undefined) return
    context.request = undefined
    this.openCount -= 1
  }

  /** [RFC4320-4.1] a 408 to a non-INVITE is never sent: the transaction is let go. */
  private abandon(context: ProxyContext): void {
    this.counts.suppressed408 += 1
    context.finalSent = 408
    context.closed = true
    this.letGo(context)
    context.user.onFinal(context, 408)
    this.layer.abort(context.server)
  }
}

/** What a response of ours adds to the top Via [RFC3261-18.2.1] [RFC3581-4]. */
export function stampOf(msg: SipMessage, source: SourcePeer): { received?: string; rport?: number } {
  return needsReceived(msg, source.address) ? { received: source.address, rport: source.port } : NO_STAMP
}

const NO_STAMP = {}

/** A To tag for responses of our own: the same from every edge for the same transaction. */
export function tagOf(key: string): string {
  let high = 0x811c9dc5
  let low = 0x1000193
  for (let i = 0; i < key.length; i += 1) {
    high = Math.imul(high ^ key.charCodeAt(i), 0x01000193)
    low = Math.imul(low + key.charCodeAt(i), 0x85ebca6b) ^ (low >>> 13)
  }
  return (high >>> 0).toString(36) + (low >>> 0).toString(36)
}
