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
import { type Edits, encodeResponse, METHOD, type SipMessage } from '../message/index.ts'
import type {
  ClientTransaction,
  Peer,
  ServerTransaction,
  TransactionLayer,
  TransactionUser,
} from '../transaction/index.ts'
import { upstreamStatus } from './best-response.ts'
import { DeadlineLists } from './deadline-list.ts'
import { encodeForwardedResponse, hasNextVia } from './forward-response.ts'
import { stampOf, tagOf } from './own-response.ts'
import { type ContextUser, ProxyBranch, ProxyContext, type ProxyTimers, type SourcePeer } from './proxy-context.ts'
import { STEP } from './response-context.ts'

const DEFAULT_LATE_TRYING_MS = 3_500
/** [RFC3326-2] Why the other branches of an answered call end. */
const ANSWERED_ELSEWHERE = 'Reason: SIP;cause=200;text="Call completed elsewhere"\r\n'

export interface StatefulProxyOptions {
  readonly layer: TransactionLayer
  readonly timers: ProxyTimers
  /** Scratch for outgoing messages, at least the largest message and a little more. */
  readonly out: Buffer
  /** A client transaction has ended, however it did: for whoever keeps lists of them. */
  readonly onClientGone?: (tx: ClientTransaction) => void
}

export class StatefulProxy implements TransactionUser {
  readonly counts = {
    forked: 0,
    cancelled: 0,
    timerC: 0,
    lateTrying: 0,
    suppressed408: 0,
    unforwardable: 0,
    serverTransportErrors: 0,
  }
  private readonly layer: TransactionLayer
  private readonly timers: ProxyTimers
  private readonly out: Buffer
  private readonly onClientGone: ((tx: ClientTransaction) => void) | undefined
  /** Timer C, the ring time, the wait behind a CANCEL, or the late 100 of each branch. */
  private readonly deadlines = new DeadlineLists<ProxyBranch>()
  private nowMs = 0
  private openCount = 0

  constructor(options: StatefulProxyOptions) {
    this.layer = options.layer
    this.timers = options.timers
    this.out = options.out
    this.onClientGone = options.onClientGone
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
    else if (!context.isInvite)
      this.deadlines.arm(branch, this.timers.lateTryingMs ?? DEFAULT_LATE_TRYING_MS, this.nowMs)
    else this.deadlines.arm(branch, ringMs > 0 ? ringMs : this.timers.timerCMs, this.nowMs)
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
  cancel(context: ProxyContext | undefined): void {
    if (context === undefined || context.finalSent !== 0 || context.cancelled) return
    context.cancelled = true
    context.closed = true
    if (context.pending === 0) return this.respond(context, 487, '')
    this.cancelPending(context)
  }

  /** A 2xx that was held back never goes upstream; this failure does in its place. */
  withdraw(context: ProxyContext, status: number, reason: string, headers: string): void {
    if (context.request === undefined) return // another 2xx has gone upstream
    context.finalSent = 0
    this.respond(context, status, reason, headers)
  }

  /** A 2xx that was held back goes upstream now. */
  release(context: ProxyContext, msg: SipMessage): void {
    this.forward(context, msg)
  }

  /** Lets the request go without an answer: another edge owns its transaction. */
  drop(context: ProxyContext): void {
    context.closed = true
    this.letGo(context)
    this.layer.abort(context.server)
    detach(context)
  }

  /** Cancels every branch that has no final response. @param reasonHeader a whole line or '' */
  cancelPending(context: ProxyContext, reasonHeader = ''): void {
    for (const branch of context.branches) if (branch.final === 0) this.cancelBranch(branch, reasonHeader)
  }

  onResponse(tx: ClientTransaction, msg: SipMessage): void {
    const branch = branchOf(tx)
    if (branch === undefined) return
    if (msg.status < 200) this.onProvisional(branch, msg)
    else if (!hasNextVia(msg)) this.onUnforwardable(branch)
    else if (msg.status < 300) this.onSuccess(branch, msg)
    else this.onFailure(branch, msg)
  }

  onClientTimeout(tx: ClientTransaction): void {
    const branch = branchOf(tx)
    if (branch !== undefined) this.onBranchFailure(branch, 408) // [RFC3261-16.8]
  }

  onClientTransportError(tx: ClientTransaction): void {
    const branch = branchOf(tx)
    if (branch !== undefined) this.onBranchFailure(branch, 503) // [RFC3261-16.9]
  }

  onClientTerminated(tx: ClientTransaction): void {
    const branch = branchOf(tx)
    if (branch !== undefined) branch.client = undefined
    this.onClientGone?.(tx)
  }

  onAck(tx: ServerTransaction, msg: SipMessage): void {
    const context = tx.context as ProxyContext | undefined
    context?.user.onAck(msg) // [RFC6026-7.1] an ACK in Accepted belongs to the 2xx
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
    const { client, context } = branch
    if (branch.final !== 0) return
    if (client === undefined) return this.onBranchFailure(branch, context.cancelled ? 487 : 503)
    if (!context.isInvite) return this.lateTrying(context)
    this.counts.timerC += 1
    // [RFC3261-16.8] with a provisional response the branch is cancelled, without one it is as a 408
    if (branch.provisional > 0 && !branch.cancelSent) {
      branch.timedOut = true
      return this.cancelBranch(branch, '')
    }
    this.layer.abort(client)
    branch.client = undefined
    this.onClientGone?.(client)
    this.onBranchFailure(branch, context.cancelled ? 487 : 408)
  }

  /** [RFC4320-4.1] A non-INVITE request gets 100 once Timer E of its sender has reached T2, and not before. */
  private lateTrying(context: ProxyContext): void {
    if (context.server.lastStatus !== 0) return
    this.counts.lateTrying += 1
    this.trying(context)
  }

  /** [RFC3261-16.7.3] A response without a Via below ours is for us alone: nobody upstream can take it. */
  private onUnforwardable(branch: ProxyBranch): void {
    this.counts.unforwardable += 1
    this.onBranchFailure(branch, 502)
  }

  private onProvisional(branch: ProxyBranch, msg: SipMessage): void {
    const context = branch.context
    const up = context.onProvisional(branch, msg.status)
    if (branch.cancelWanted && !branch.cancelSent) this.cancelBranch(branch, '')
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
    const isFirst = context.finalSent === 0
    const step = context.onFinal(branch, msg.status)
    this.deadlines.disarm(branch)
    if ((step & STEP.CANCEL_OTHERS) !== 0) this.cancelPending(context, ANSWERED_ELSEWHERE) // [RFC3261-16.7.10]
    if ((step & STEP.FORWARD) === 0) return
    if (context.isInvite && context.user.holdSuccess(context, branch, msg)) return
    if (isFirst) context.user.onFinal(context, msg.status)
    this.forward(context, msg)
    if (!context.isInvite) detach(context)
  }

  private onFailure(branch: ProxyBranch, msg: SipMessage): void {
    const context = branch.context
    if (branch.timedOut && msg.status === 487 && !context.cancelled) return this.onBranchFailure(branch, 408)
    const step = this.settle(branch, msg.status)
    const isBest = (step & STEP.KEEP) !== 0
    const exhausted = (step & STEP.EXHAUSTED) !== 0
    // Kept before the user is asked, who may finish at once.
    if (isBest && (!exhausted || !context.closed)) this.keep(context, msg)
    if (!exhausted || this.forksMore(context)) return
    if (isBest && msg.status === upstreamStatus(msg.status)) this.forwardFinal(context, msg)
    else this.finish(context)
  }

  /** True when the user forks again, now or later. */
  private forksMore(context: ProxyContext): boolean {
    return !context.closed && context.user.forkMore(context, context.bestStatus)
  }

  private keep(context: ProxyContext, msg: SipMessage): void {
    context.best = Buffer.from(this.out.subarray(0, encodeForwardedResponse(msg, this.out, 0)))
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

  private cancelBranch(branch: ProxyBranch, reasonHeader: string): void {
    branch.cancelWanted = true
    if (!branch.context.isInvite || branch.cancelSent || branch.client === undefined) return
    if (branch.provisional === 0) return // [RFC3261-9.1] not before a provisional response
    branch.cancelSent = true
    if (this.layer.cancel(branch.client, branch, reasonHeader) !== undefined) this.counts.cancelled += 1
    this.deadlines.arm(branch, this.timers.cancelMs, this.nowMs) // with a full table too: the branch ends all the same
  }

  private forward(context: ProxyContext, msg: SipMessage): void {
    const end = encodeForwardedResponse(msg, this.out, 0)
    if (end < 0) return
    if (msg.status >= 200) this.letGo(context)
    this.layer.respond(context.server, msg.status, this.out, 0, end)
  }

  private forwardFinal(context: ProxyContext, msg: SipMessage): void {
    this.sendFinal(context, msg.status, this.out, 0, encodeForwardedResponse(msg, this.out, 0))
  }

  private sendFinal(context: ProxyContext, status: number, buf: Buffer, start: number, end: number): void {
    context.finalSent = status
    context.closed = true
    this.letGo(context)
    context.user.onFinal(context, status)
    this.layer.respond(context.server, status, buf, start, end)
    detach(context)
  }

  /** The bytes of the request are needed no more. */
  private letGo(context: ProxyContext): void {
    context.best = undefined
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
    this.layer.respond(context.server, 408, this.out, 0, 0) // not sent; repetitions are absorbed
    detach(context)
  }
}

/** Undefined for what ends here: an answer to our own CANCEL, or to a request that has been answered upstream. */
function branchOf(tx: ClientTransaction): ProxyBranch | undefined {
  return tx.method === METHOD.CANCEL ? undefined : (tx.context as ProxyBranch | undefined)
}

/**
 * The lingering transactions let go of a context that has nothing left to do: thousands of them wait for retransmissions
 * at any time. A branch without a final response keeps it, for a late 2xx goes upstream.
 */
function detach(context: ProxyContext): void {
  context.server.context = undefined
  for (const branch of context.branches) {
    if (branch.final !== 0 && branch.client !== undefined) branch.client.context = undefined
  }
}
