// SPDX-License-Identifier: MIT
//
// The accounting of one initial INVITE (STATE.md, "Answer"): its first 2xx, and each further leg, waits until it is on record;
// a failure is reported as it leaves. Retransmissions of a waiting 2xx are absorbed, later ones pass unreported.
//
// Races: the report's outcome may come after the deadline of the wait: the 2xx has gone then, and the outcome changes nothing.

import type { policy } from '@tandem/rpc'
import type { ProxyBranch, ProxyContext, SipMessage } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { contactUri, dialogOf } from '../hang-up/answered-dialog.ts'
import { toTag, UNKNOWN_AGE } from '../initial/describe.ts'
import { type EdgePeer, flowOf } from '../listeners/peers.ts'
import { retryAfter } from '../own/replies.ts'
import { endUnheardAnswer, NOT_ON_RECORD } from './unrecorded-answer.ts'

/** A leg per To tag of a 2xx. Ended: by us, for want of a record. */
type LegState = 'waiting' | 'passed' | 'ended'

/** How a party was reached, and as whose binding. */
export interface Reached {
  readonly aor: string
  readonly hop: { readonly flow: policy.PartyFlow }
}

/** Legs of one call, at most; further ones pass unreported. */
const MAX_LEGS = 16

export class CallAccount {
  readonly callRef: string
  private readonly core: EdgeCore
  private readonly call: policy.Call
  private readonly startedMs: number
  private ringMs = -1
  private readonly legs = new Map<string, LegState>()
  private readonly peer: EdgePeer
  /** Of the dialogs, taken from the INVITE at the first answer. */
  private caller: policy.Party | undefined

  /** @param startedMs -1 for a call that began at another edge: policy knows when */
  constructor(core: EdgeCore, callRef: string, call: policy.Call, startedMs: number, peer: EdgePeer) {
    this.core = core
    this.peer = peer
    this.callRef = callRef
    this.call = call
    this.startedMs = startedMs
  }

  ringing(): void {
    if (this.ringMs < 0) this.ringMs = this.core.now()
  }

  /**
   * @param reached how the callee was reached
   * @param onPassed called once the first leg's 2xx has gone upstream
   * @returns true when the 2xx waits (or repeats one that waits): it goes upstream by itself
   */
  hold(
    context: ProxyContext,
    branch: ProxyBranch,
    msg: SipMessage,
    reached: Reached | undefined,
    onPassed: () => void,
  ): boolean {
    const tag = toTag(msg)
    const leg = this.legs.get(tag)
    if (leg !== undefined) return leg !== 'passed'
    if (this.legs.size >= MAX_LEGS) return false
    const isFirst = this.legs.size === 0
    this.legs.set(tag, 'waiting')
    const answer = msg.clone()
    const dialog = this.dialog(context, answer, tag, reached)
    this.reportAnswer(context, branch, answer, tag, dialog, isFirst ? onPassed : undefined)
    return true
  }

  private dialog(context: ProxyContext, answer: SipMessage, tag: string, reached: Reached | undefined) {
    const { core, callRef, call, peer } = this
    const { request } = context
    if (this.caller === undefined && request !== undefined) {
      const flow = flowOf(peer, core.edgeId)
      this.caller = { target: contactUri(request), routes: [], cseq: 0, flow, aor: call.identity }
    }
    const callee = { aor: reached?.aor ?? '', flow: reached?.hop.flow }
    const dialog = this.caller && dialogOf(core, callRef, answer, tag, this.caller, callee)
    if (dialog === undefined) core.counts.dialogsUnkept += 1
    return dialog
  }

  private reportAnswer(
    context: ProxyContext,
    branch: ProxyBranch,
    answer: SipMessage,
    tag: string,
    dialog: policy.Dialog | undefined,
    onPassed: (() => void) | undefined,
  ): void {
    const { core } = this
    const pass = (): void => {
      if (this.legs.get(tag) !== 'waiting') return
      clearTimeout(deadline)
      this.legs.set(tag, 'passed')
      core.proxy.release(context, answer)
      core.counts.callsAnswered += 1
      onPassed?.()
    }
    const deadline = setTimeout(() => this.onLate(context, branch, answer, tag, pass), core.config.reportDeadlineMs)
    const answered = { toTag: tag, status: answer.status, target: branch.uri, dialog }
    const taken = core.reporter.report(this.request(context, { $case: 'answered', value: answered }), pass)
    if (!taken) this.onLate(context, branch, answer, tag, pass)
  }

  /** The setting decides: forward unrecorded, marked late, or end it. */
  private onLate(context: ProxyContext, branch: ProxyBranch, answer: SipMessage, tag: string, pass: () => void): void {
    if (this.legs.get(tag) !== 'waiting') return
    const { core } = this
    core.counts.answersLate += 1
    core.logger.error({ callRef: this.callRef, setting: core.config.whenReportLate }, 'answer not on record in time')
    if (core.config.whenReportLate === 'open') return pass()
    this.legs.set(tag, 'ended')
    endUnheardAnswer(core, branch, answer, NOT_ON_RECORD)
    // 503 goes up once no other leg can answer the call any more.
    if (![...this.legs.values()].some((leg) => leg !== 'ended')) {
      core.proxy.withdraw(context, 503, '', retryAfter(5))
    }
    // After the failure, which a call that is on record as answered all the same does not take.
    const ended = { fromTag: this.call.fromTag, toTag: tag, by: 'system', status: 503, reason: 'answer not on record' }
    core.reporter.report(this.request(context, { $case: 'ended', value: ended }))
  }

  /** Whether a 2xx with this tag has been seen to. */
  knows(tag: string): boolean {
    return this.legs.has(tag)
  }

  /** Another edge goes on with the call: no answer that waits may pass here any more. */
  stop(): void {
    for (const tag of this.legs.keys()) this.legs.set(tag, 'ended')
  }

  /** The call ended without an answer. */
  failed(context: ProxyContext, status: number): void {
    const value = { status, cause: causeOf(context, status), reason: '' }
    this.core.reporter.report(this.request(context, { $case: 'failed', value }))
  }

  private request(context: ProxyContext, event: policy.ReportRequest['event']): policy.ReportRequest {
    const now = this.core.now()
    const attempts = context.branches.map((branch) => ({
      target: branch.uri,
      status: branch.final,
      provisionalStatus: branch.provisional,
    }))
    const call = {
      ...this.call,
      setupAgeMs: this.startedMs < 0 ? UNKNOWN_AGE : Math.round(now - this.startedMs),
      ringAgeMs: this.ringMs < 0 ? UNKNOWN_AGE : Math.round(now - this.ringMs),
      attempts,
    }
    return { callRef: this.callRef, call, event, ageMs: 0 }
  }
}

/** Why a call failed, for its record. */
function causeOf(context: ProxyContext, status: number): string {
  if (context.cancelled) return 'cancelled'
  const rang = context.branches.some((branch) => branch.provisional >= 180)
  if (status === 408) return 'unanswered'
  if (status === 480) return rang ? 'unanswered' : 'unreachable'
  if (context.branches.length === 0 && status < 500) return 'rejected'
  return status >= 500 && status < 600 ? 'error' : 'rejected'
}
