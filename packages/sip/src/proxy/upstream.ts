// SPDX-License-Identifier: MIT
//
// What goes upstream for a context: responses that are passed on, the best failure with the challenges of the others, and
// those of our own (RFC 3261 section 16.7, steps 6 to 9), through the server transaction [RFC3261-16.7.9d] [RFC3261-16.7c].
//
// Invariants: one final response that is no 2xx at most; with it the bytes of the request and of the best failure go, and every
// branch that is still pending is cancelled.

import { Buffer } from 'node:buffer'
import { Edits, encodeResponse, type SipMessage } from '../message/index.ts'
import { STATE, type TransactionLayer } from '../transaction/index.ts'
import { upstreamStatus } from './best-response.ts'
import type { Cancels } from './cancels.ts'
import { Challenges, isChallenge } from './challenges.ts'
import { earlyEndReason } from './early-dialogs.ts'
import { editRedirect, encodeForwardedResponse } from './forward-response.ts'
import { concernsIdentity, type IdentityFacts } from './identity-edits.ts'
import { stampOf, tagOf } from './own-response.ts'
import type { ProxyBranch, ProxyContext } from './proxy-context.ts'
import type { ProxyCounts } from './proxy-counts.ts'
import { hideIdentity, writeHistory } from './response-headers.ts'

export class Upstream {
  /** Contexts that have no final response upstream yet. */
  openCount = 0
  private readonly layer: TransactionLayer
  private readonly cancels: Cancels
  private readonly counts: ProxyCounts
  private readonly out: Buffer
  private readonly edits = new Edits()

  constructor(layer: TransactionLayer, cancels: Cancels, counts: ProxyCounts, out: Buffer) {
    this.layer = layer
    this.cancels = cancels
    this.counts = counts
    this.out = out
  }

  /** 100 Trying, [RFC3261-16.2]; nothing once a final response is up. */
  trying(context: ProxyContext): void {
    if (context.request === undefined || context.finalSent !== 0) return
    if (context.trace !== undefined) context.trace.onTrying()
    const end = encodeResponse(context.request, 100, 'Trying', stampOf(context.request, context.source), this.out, 0)
    this.layer.respond(context.server, 100, this.out, 0, end)
  }

  /** A final response of our own; closes the context. */
  respond(context: ProxyContext, status: number, reason: string, headers: string): void {
    context.closed = true
    if (context.finalSent !== 0 || context.request === undefined) return
    const { request, source, keepS } = context
    const options = { toTag: tagOf(context.server.key), headers, keepS, ...stampOf(request, source) }
    const end = encodeResponse(request, status, reason, options, this.out, 0)
    this.sendFinal(context, status, this.out, end)
  }

  /** [RFC6026-8.3] A transaction that has failed upstream, or ended, takes no 2xx any more: it is discarded and counted. */
  takesSuccess(context: ProxyContext): boolean {
    if (context.server.state <= STATE.ACCEPTED) return true
    this.counts.lateDiscarded += 1
    return false
  }

  /** Passes a provisional response or a 2xx on. */
  forward(context: ProxyContext, msg: SipMessage): void {
    const end = this.encode(context, msg)
    if (end < 0) return
    if (msg.status >= 200) this.letGo(context)
    if (msg.status >= 200 && context.trace !== undefined) context.trace.onFinal(msg.status)
    this.send(context, msg.status, this.out, end)
  }

  /** The response without our Via, and without identities that nobody vouches for [RFC3325-5]. -1: nobody to send it to. */
  private encode(context: ProxyContext, msg: SipMessage): number {
    const end = encodeForwardedResponse(msg, this.out, 0)
    return end < 0 || !concernsIdentity(msg) ? end : hideIdentity(this.out, end, identityFacts(context, msg))
  }

  /** Sends what is encoded, with the request's history where one is kept [RFC7044-9.4]. */
  private send(context: ProxyContext, status: number, buf: Buffer, end: number): void {
    const { history, sourceTrusted, server } = context
    if (history === undefined) return this.layer.respond(server, status, buf, 0, end)
    this.layer.respond(server, status, this.out, 0, writeHistory(buf, end, history, sourceTrusted, this.out))
  }

  /** Passes a failure on that is the best response as it is. */
  forwardFinal(context: ProxyContext, msg: SipMessage): void {
    this.sendFinal(context, msg.status, this.out, this.encode(context, msg))
  }

  /** The best response that was kept [RFC3261-16.7.6]; 408 where nothing at all was received. */
  finish(context: ProxyContext): void {
    if (context.finalSent !== 0) return
    const status = upstreamStatus(context.bestStatus || (context.cancelled ? 487 : 408))
    if (status === 408 && !context.isInvite) return this.abandon(context)
    const { best, challenges, bestHeadersEnd } = context
    if (best === undefined || status !== context.bestStatus) return this.respond(context, status, '', '')
    if (challenges === undefined || !isChallenge(status)) return this.sendFinal(context, status, best, best.length)
    challenges.mergeInto(best, bestHeadersEnd, this.edits)
    this.sendFinal(context, status, this.out, this.edits.encodeInto(this.out, 0))
  }

  /** Keeps a failure that is the best so far. @param contacts what is left of those of a 3xx, undefined for all */
  keep(context: ProxyContext, msg: SipMessage, contacts: string | undefined): void {
    const end = contacts === undefined ? this.encode(context, msg) : this.encodeRest(context, msg, contacts)
    context.best = Buffer.from(this.out.subarray(0, end))
    context.bestHeadersEnd = end - (msg.end - msg.headersEnd)
  }

  private encodeRest(context: ProxyContext, msg: SipMessage, contacts: string): number {
    editRedirect(msg, this.edits, contacts)
    const end = this.edits.encodeInto(this.out, 0)
    return concernsIdentity(msg) ? hideIdentity(this.out, end, identityFacts(context, msg)) : end
  }

  /** [RFC3261-16.7.7] Notes what a 401 or 407 asks for, in case another one is chosen. */
  keepChallenges(context: ProxyContext, msg: SipMessage): void {
    if (context.finalSent !== 0) return
    context.challenges ??= new Challenges()
    this.counts.challengesDropped += context.challenges.add(msg)
  }

  /** [RFC6228-6] 199 for each early dialog of a branch that has failed, while no final response goes up. */
  endEarly(branch: ProxyBranch, status: number): void {
    const { context, earlyDialogs } = branch
    const { request } = context
    if (earlyDialogs === undefined || request === undefined || context.finalSent !== 0) return
    for (const toTag of earlyDialogs.end()) {
      this.counts.earlyEnds += 1
      const options = { toTag, headers: earlyEndReason(status), ...stampOf(request, context.source) }
      const end = encodeResponse(request, 199, '', options, this.out, 0)
      this.send(context, 199, this.out, end)
    }
  }

  /** The bytes of the request are needed no more. */
  letGo(context: ProxyContext): void {
    context.best = undefined
    context.challenges = undefined
    if (context.request === undefined) return
    context.request = undefined
    this.openCount -= 1
  }

  private sendFinal(context: ProxyContext, status: number, buf: Buffer, end: number): void {
    context.finalSent = status
    context.closed = true
    this.letGo(context)
    context.user.onFinal(context, status)
    if (context.trace !== undefined) context.trace.onFinal(status)
    this.send(context, status, buf, end)
    if (context.pending > 0) this.cancels.pending(context, context.cancelReason) // [RFC3261-16.7.10]
    detach(context)
  }

  /** [RFC4320-4.1] a 408 to a non-INVITE is never sent: the transaction is let go. */
  private abandon(context: ProxyContext): void {
    this.counts.suppressed408 += 1
    context.finalSent = 408
    context.closed = true
    this.letGo(context)
    context.user.onFinal(context, 408)
    if (context.trace !== undefined) context.trace.onFinal(408)
    this.layer.respond(context.server, 408, this.out, 0, 0) // not sent; repetitions are absorbed
    detach(context)
  }
}

function identityFacts(context: ProxyContext, msg: SipMessage): IdentityFacts {
  const { branches, sourceTrusted: targetTrusted, tellsUntrusted } = context
  const id = msg.text(msg.viaBranchStart, msg.viaBranchEnd)
  const sourceTrusted = branches.find((branch) => branch.id === id)?.trusted ?? false
  return { sourceTrusted, targetTrusted, tellsUntrusted }
}

/**
 * The lingering transactions let go of a context that has nothing left to do: thousands of them wait for retransmissions
 * at any time. A branch without a final response keeps it, for a late 2xx goes upstream.
 */
export function detach(context: ProxyContext): void {
  context.server.context = undefined
  for (const branch of context.branches) {
    if (branch.final !== 0 && branch.client !== undefined) branch.client.context = undefined
  }
}
