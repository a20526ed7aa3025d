// SPDX-License-Identifier: MIT
//
// The stateful proxy (RFC 3261 section 16.2 to 16.10) as the user of the transaction layer, in verbs:
// open, trying, fork, respond, cancel. It knows no socket, no clock and no service: each context has a user that decides
// where its request goes and is told what came of it. What goes upstream is made in upstream.ts, CANCELs in cancels.ts.
//
// Invariants: every context ends in a final response upstream or in the end of its server transaction; the bytes of the
// request are kept until then and no longer. A 2xx that the user holds back is absorbed until it is released.
// Races: a CANCEL may come before any branch is forked (the user is still deciding): the context is closed at once and
// fork() refuses; a 2xx may cross a CANCEL: it goes upstream all the same.

import type { Buffer } from 'node:buffer'
import { type Edits, METHOD, type SipMessage } from '../message/index.ts'
import type {
  ClientTransaction,
  Peer,
  ServerTransaction,
  TransactionLayer,
  TransactionUser,
} from '../transaction/index.ts'
import { upstreamStatus } from './best-response.ts'
import { ANSWERED_ELSEWHERE, Cancels, RANG_OUT, refusedElsewhere } from './cancels.ts'
import { isChallenge } from './challenges.ts'
import { DeadlineLists } from './deadline-list.ts'
import { EarlyDialogs } from './early-dialogs.ts'
import { hasNextVia } from './forward-response.ts'
import { type ContextUser, ProxyBranch, ProxyContext, type ProxyTimers, type SourcePeer } from './proxy-context.ts'
import { ProxyCounts } from './proxy-counts.ts'
import { STEP } from './response-context.ts'
import { detach, Upstream } from './upstream.ts'

const DEFAULT_LATE_TRYING_MS = 3_500

export interface StatefulProxyOptions {
  readonly layer: TransactionLayer
  readonly timers: ProxyTimers
  /** Scratch for outgoing messages, at least the largest message and a little more. */
  readonly out: Buffer
  /** A client transaction has ended, however it did: for whoever keeps lists of them. */
  readonly onClientGone?: (tx: ClientTransaction) => void
  /** The first response to a branch came so long after its request, in steps of the ticks. */
  readonly onHop?: (ms: number) => void
}

export class StatefulProxy implements TransactionUser {
  readonly counts = new ProxyCounts()
  private readonly layer: TransactionLayer
  private readonly timers: ProxyTimers
  private readonly out: Buffer
  private readonly onClientGone: ((tx: ClientTransaction) => void) | undefined
  private readonly onHop: ((ms: number) => void) | undefined
  /** Timer C, the ring time, the wait behind a CANCEL, or the late 100 of each branch. */
  private readonly deadlines = new DeadlineLists<ProxyBranch>()
  private readonly cancels: Cancels
  private readonly upstream: Upstream
  private nowMs = 0

  constructor({ layer, timers, out, onClientGone, onHop }: StatefulProxyOptions) {
    this.layer = layer
    this.timers = timers
    this.out = out
    this.onClientGone = onClientGone
    this.onHop = onHop
    this.cancels = new Cancels(layer, this.deadlines, timers.cancelMs, this.counts)
    this.upstream = new Upstream(layer, this.cancels, this.counts, out)
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
    this.upstream.openCount += 1
    return context
  }

  /** Requests that have no final response upstream yet. */
  get inProgress(): number {
    return this.upstream.openCount
  }

  /** No branch waits for a deadline; for tests. */
  get isIdle(): boolean {
    return this.deadlines.isEmpty()
  }

  /** 100 Trying, [RFC3261-16.2]; nothing once a final response is up. */
  trying(context: ProxyContext): void {
    this.upstream.trying(context)
  }

  /**
   * Sends one more branch, edited by the user.
   *
   * @param edits filled for the context's request
   * @param ringMs ring time, 0 for Timer C alone
   * @param firstMs time until a provisional response beyond 100, 0 for no other bound than these
   * @returns undefined when the context is closed. With a full client table the branch fails at the next tick, with 503.
   */
  fork(
    context: ProxyContext,
    edits: Edits,
    id: string,
    uri: string,
    peer: Peer,
    ringMs: number,
    firstMs = 0,
  ): ProxyBranch | undefined {
    if (context.closed) return undefined
    const branch = new ProxyBranch(context, id, uri, peer, ringMs)
    branch.firstMs = firstMs
    context.addBranch(branch)
    branch.sentMs = this.nowMs
    this.counts.forked += 1
    if (context.branches.length === 2) this.counts.forkedRequests += 1
    if (context.trace !== undefined) context.trace.onForked(branch)
    const end = edits.encodeInto(this.out, 0)
    // [RFC3261-16.6.10] [RFC3261-16.6.7g]
    branch.client = this.layer.createClient(id, context.method, this.out, 0, end, peer, branch)
    if (branch.client === undefined) this.deadlines.arm(branch, 0, this.nowMs)
    else if (!context.isInvite)
      this.deadlines.arm(branch, this.timers.lateTryingMs ?? DEFAULT_LATE_TRYING_MS, this.nowMs)
    else this.deadlines.arm(branch, firstMs || ringMs || this.timers.timerCMs, this.nowMs) // [RFC3261-16.6.11]
    return branch
  }

  /**
   * Goes on with a branch of an INVITE that began elsewhere. Its ring time or Timer C starts anew; nothing is sent before Timer A.
   *
   * @param edits filled for the context's request, so that they make what was sent
   */
  resume(context: ProxyContext, edits: Edits, id: string, uri: string, peer: Peer, ringMs: number): ProxyBranch {
    const branch = new ProxyBranch(context, id, uri, peer, ringMs)
    context.addBranch(branch)
    this.counts.resumed += 1
    if (context.trace !== undefined) context.trace.onForked(branch)
    const end = edits.encodeInto(this.out, 0)
    branch.client = this.layer.resumeClient(id, this.out, 0, end, peer, branch)
    this.deadlines.arm(branch, branch.client === undefined ? 0 : ringMs || this.timers.timerCMs, this.nowMs)
    return branch
  }

  /**
   * Has the user told when a part of the ring time of a branch is over that was just forked or resumed.
   *
   * @param waveMs shorter than its ring time
   */
  wakeAfter(branch: ProxyBranch, waveMs: number): void {
    branch.waveMs = waveMs
    if (branch.client !== undefined && branch.firstMs === 0) this.deadlines.arm(branch, waveMs, this.nowMs)
  }

  /** A branch that ended elsewhere with a failure: it counts, though its response is not at hand. */
  resumeEnded(context: ProxyContext, id: string, uri: string, peer: Peer, status: number): void {
    const branch = new ProxyBranch(context, id, uri, peer, 0)
    context.addBranch(branch)
    context.onFinal(branch, status)
  }

  /** Another edge runs this transaction now: all of it ends here at once, and nothing is sent. */
  surrender(context: ProxyContext): void {
    this.counts.surrendered += 1
    for (const branch of context.branches) {
      this.deadlines.disarm(branch)
      const { client } = branch
      if (client === undefined) continue
      this.layer.abort(client)
      branch.client = undefined
      this.onClientGone?.(client)
    }
    context.user.onSurrender?.(context)
    this.drop(context)
  }

  /** A final response of our own; closes the context, and cancels what is pending. */
  respond(context: ProxyContext, status: number, reason: string, headers = ''): void {
    this.upstream.respond(context, status, reason, headers)
  }

  /** All that was forked has failed and nothing more comes: sends the best response. */
  finish(context: ProxyContext): void {
    this.upstream.finish(context)
  }

  /**
   * [RFC3261-16.10] CANCEL for this context: the caller has answered it with 200.
   *
   * @param reason what reasonLines() finds in the CANCEL
   */
  cancel(context: ProxyContext | undefined, reason = ''): void {
    if (context === undefined || context.finalSent !== 0 || context.cancelled) return
    context.cancelled = true
    context.closed = true
    if (context.trace !== undefined) context.trace.onCancel()
    if (context.pending === 0) return this.respond(context, 487, '')
    this.cancels.pending(context, reason)
  }

  /** A 2xx that was held back never goes upstream; this failure does in its place. */
  withdraw(context: ProxyContext, status: number, reason: string, headers: string): void {
    if (context.request === undefined) return // another 2xx has gone upstream
    context.finalSent = 0
    this.respond(context, status, reason, headers)
  }

  /** A 2xx that was held back goes upstream now. */
  release(context: ProxyContext, msg: SipMessage): void {
    this.upstream.forward(context, msg)
    if (!context.isInvite) detach(context)
  }

  /** Lets the request go without an answer: another edge owns its transaction. */
  drop(context: ProxyContext): void {
    context.closed = true
    if (context.trace !== undefined) context.trace.onGone()
    this.upstream.letGo(context)
    this.layer.abort(context.server)
    detach(context)
  }

  /** [RFC3261-16.7b] */
  onResponse(tx: ClientTransaction, msg: SipMessage): void {
    const branch = branchOf(tx)
    if (branch === undefined) return
    if (branch.sentMs >= 0) this.noteHop(branch)
    branch.context.history?.onResponse(branch.id, msg.status, msg) // [RFC7044-9.3]
    if (msg.status < 200) this.onProvisional(branch, msg)
    else if (!hasNextVia(msg)) this.onUnforwardable(branch)
    else if (msg.status < 300) this.onSuccess(branch, msg)
    else this.onFailure(branch, msg)
  }

  private noteHop(branch: ProxyBranch): void {
    this.onHop?.(this.nowMs - branch.sentMs)
    branch.sentMs = -1
  }

  onClientTimeout(tx: ClientTransaction): void {
    const branch = branchOf(tx)
    if (branch !== undefined) this.onNoResponse(branch, 408) // [RFC3261-16.8]
  }

  onClientTransportError(tx: ClientTransaction): void {
    const branch = branchOf(tx)
    if (branch === undefined) return
    branch.lost = true
    this.onNoResponse(branch, 503) // [RFC3261-16.9]
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

  /** [RFC3261-16.7.9f] Branches whose transactions still run keep the context. */
  onServerTerminated(tx: ServerTransaction): void {
    const context = tx.context as ProxyContext | undefined
    if (context === undefined) return
    this.upstream.letGo(context)
    context.user.onEnd(context)
  }

  /** Fires what is due: Timer C, ring times, cancelled branches that stay silent. */
  tick(nowMs: number): void {
    this.nowMs = nowMs
    this.cancels.nowMs = nowMs
    this.deadlines.expire(nowMs, this.onDeadline)
  }

  private readonly onDeadline = (branch: ProxyBranch): void => {
    const { client, context } = branch
    if (branch.final !== 0) return
    if (client === undefined) return this.fail(branch, context.cancelled ? 487 : 503)
    if (!context.isInvite) return this.lateTrying(context)
    if (branch.waveMs > 0 && branch.firstMs === 0 && !context.closed) return this.endWave(branch)
    this.counts.timerC += 1
    // [RFC3261-16.8] with a provisional response the branch is cancelled, without one it is as a 408
    if (branch.provisional > 0 && !branch.cancelSent) {
      branch.timedOut = true
      return this.cancels.branch(branch, RANG_OUT)
    }
    this.layer.abort(client)
    branch.client = undefined
    this.onClientGone?.(client)
    this.onNoResponse(branch, context.cancelled ? 487 : 408)
  }

  private endWave(branch: ProxyBranch): void {
    const { context, ringMs, waveMs } = branch
    branch.waveMs = 0
    this.deadlines.arm(branch, ringMs - waveMs, this.nowMs)
    context.user.onWave?.(context, branch)
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
    this.fail(branch, 502)
  }

  private onProvisional(branch: ProxyBranch, msg: SipMessage): void {
    const context = branch.context
    const up = context.onProvisional(branch, msg.status)
    if (context.trace !== undefined) context.trace.onProvisional(branch, msg.status)
    if (branch.cancelWanted && !branch.cancelSent) this.cancels.branch(branch, context.cancelReason)
    else if (branch.firstMs > 0 && msg.status > 100 && !branch.cancelSent) {
      branch.firstMs = 0
      this.deadlines.arm(branch, branch.waveMs || branch.ringMs || this.timers.timerCMs, this.nowMs)
    }
    // [RFC3261-16.7.2] Timer C starts anew; a ring time does not
    else if (msg.status > 100 && branch.ringMs === 0 && context.isInvite && !branch.cancelSent) {
      this.deadlines.arm(branch, this.timers.timerCMs, this.nowMs)
    }
    if (!up) return
    if (msg.toTagStart >= 0 && context.tellsEarlyEnds) {
      branch.earlyDialogs ??= new EarlyDialogs()
      branch.earlyDialogs.note(msg.status, msg.text(msg.toTagStart, msg.toTagEnd))
    }
    context.user.onProvisional(context, branch, msg.status)
    this.upstream.forward(context, msg)
  }

  private onSuccess(branch: ProxyBranch, msg: SipMessage): void {
    const context = branch.context
    const isFirst = context.finalSent === 0
    const step = context.onFinal(branch, msg.status)
    if (context.trace !== undefined) context.trace.onBranchEnd(branch, msg.status, false)
    this.deadlines.disarm(branch)
    const cancels = (step & STEP.CANCEL_OTHERS) !== 0 && context.cancelsOnSuccess
    if (cancels) this.cancels.pending(context, ANSWERED_ELSEWHERE) // [RFC3261-16.7.10]
    if ((step & STEP.FORWARD) === 0) return
    if (!this.upstream.takesSuccess(context)) return context.user.onLateSuccess?.(context, branch, msg)
    if (context.user.holdSuccess(context, branch, msg)) return
    if (isFirst) context.user.onFinal(context, msg.status)
    this.upstream.forward(context, msg)
    if (!context.isInvite) detach(context)
  }

  private onFailure(branch: ProxyBranch, msg: SipMessage): void {
    const { context } = branch
    const { status } = msg
    const { upstream } = this
    context.user.onBranchFailed?.(context, branch, msg)
    if (branch.timedOut && status === 487 && !context.cancelled) return this.fail(branch, 408, status)
    const mayFailOver = status === 503 || status === 430 || isChallenge(status)
    if (mayFailOver && this.failsOver(branch, status)) return upstream.endEarly(branch, status)
    const contacts = status < 400 ? this.recurses(branch, msg) : undefined
    if (contacts === '') return upstream.endEarly(branch, status)
    const step = this.settle(branch, status)
    const isBest = (step & STEP.KEEP) !== 0
    const exhausted = (step & STEP.EXHAUSTED) !== 0
    const isLoneChallenge = isChallenge(status) && context.branches.length === 1
    const isPlain =
      status === upstreamStatus(status) && contacts === undefined && (!isChallenge(status) || isLoneChallenge)
    // Kept before the user is asked, who may finish at once.
    if (isBest && !(isPlain && exhausted && context.closed)) upstream.keep(context, msg, contacts)
    if (isChallenge(status)) upstream.keepChallenges(context, msg)
    if (!exhausted || this.forksMore(context)) return upstream.endEarly(branch, status)
    if (isBest && isPlain) upstream.forwardFinal(context, msg)
    else this.finish(context)
  }

  /** [RFC3263-4.3] True when the user tries another way in the place of this branch. */
  private failsOver(branch: ProxyBranch, status: number): boolean {
    const { context } = branch
    if (context.closed || branch.final !== 0 || !context.user.failOver(context, branch, status)) return false
    this.counts.failedOver += 1
    this.replace(branch, status)
    return true
  }

  /** [RFC3261-16.7.4] The lines of the Contacts that are left of a 3xx that is followed; undefined when it is not. */
  private recurses(branch: ProxyBranch, msg: SipMessage): string | undefined {
    const { context } = branch
    if (context.closed || branch.final !== 0) return undefined
    const contacts = context.user.recurse(context, branch, msg)
    if (contacts === '') this.replace(branch, msg.status)
    return contacts
  }

  private replace(branch: ProxyBranch, status: number): void {
    const { context } = branch
    this.deadlines.disarm(branch)
    context.onReplaced(branch, status)
    if (context.trace !== undefined) context.trace.onBranchEnd(branch, status, true)
  }

  /** True when the user forks again, now or later. */
  private forksMore(context: ProxyContext): boolean {
    return !context.closed && context.user.forkMore(context, context.bestStatus)
  }

  private settle(branch: ProxyBranch, status: number): number {
    this.deadlines.disarm(branch)
    const { context } = branch
    const step = context.onFinal(branch, status)
    if (context.trace !== undefined) context.trace.onBranchEnd(branch, status, false)
    if ((step & STEP.CANCEL_OTHERS) !== 0) this.cancels.pending(context, refusedElsewhere(status))
    return step
  }

  /** A timeout or a transport error: where nothing at all was heard, another way may stand in. */
  private onNoResponse(branch: ProxyBranch, status: number): void {
    const mayFailOver = branch.lost || branch.provisional === 0
    branch.context.user.onBranchFailed?.(branch.context, branch, undefined)
    branch.context.history?.onResponse(branch.id, status, undefined)
    if (!mayFailOver || !this.failsOver(branch, status)) this.fail(branch, status)
  }

  /**
   * A branch fails without a response that could go upstream.
   *
   * @param received the status of a response that it had all the same, 0 for none
   */
  private fail(branch: ProxyBranch, status: number, received = 0): void {
    branch.context.history?.onResponse(branch.id, status, undefined)
    const { context } = branch
    const step = this.settle(branch, status)
    if ((step & STEP.KEEP) !== 0) context.best = undefined
    const goesOn = (step & STEP.EXHAUSTED) === 0 || this.forksMore(context)
    if (!goesOn) this.finish(context)
    else if (received !== 0) this.upstream.endEarly(branch, received)
  }
}

/** Undefined for what ends here: an answer to our own CANCEL, or to a request that has been answered upstream. */
function branchOf(tx: ClientTransaction): ProxyBranch | undefined {
  return tx.method === METHOD.CANCEL ? undefined : (tx.context as ProxyBranch | undefined)
}
