// SPDX-License-Identifier: MIT
//
// The accounting of one initial INVITE (STATE.md, "Answer"): its first 2xx, and each further leg, waits until it is on record;
// a failure is reported as it leaves. Retransmissions of a waiting 2xx are absorbed, later ones pass unreported.
//
// Races: the report's outcome may come after the deadline of the wait: the 2xx has gone then, and the outcome changes nothing.

import type { policy, records } from '@tandem/rpc'
import { HEADER, type ProxyBranch, type ProxyContext, type SipMessage } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { contactUri, dialogOf } from '../hang-up/answered-dialog.ts'
import { headerText, toTag, UNKNOWN_AGE } from '../initial/describe.ts'
import { type EdgePeer, flowOf } from '../listeners/peers.ts'
import { retryAfter } from '../own/replies.ts'
import { traceOf } from '../tracing/edge-tracing.ts'
import { Attempts } from './attempts.ts'
import { causeOf } from './causes.ts'
import { endUnheardAnswer, NOT_ON_RECORD } from './unrecorded-answer.ts'

/** A leg per To tag of a 2xx. Ended: by us, for want of a record. */
type LegState = 'waiting' | 'passed' | 'ended'

/** How a party was reached, and as whose binding. */
export interface Reached {
  readonly aor: string
  readonly hop: { readonly flow: policy.PartyFlow }
}

/** What is reported of an answer. */
interface AnswerFacts {
  readonly tag: string
  readonly dialog: policy.Dialog | undefined
  /** Of the first. */
  readonly answerer: records.Answerer | undefined
}

const NOWHERE = { transport: '', address: '', port: 0 }

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
  private readonly attempts: Attempts
  /** Of the dialogs, taken from the INVITE at the first answer. */
  private caller: policy.Party | undefined

  /** @param startedMs -1 for a call that began at another edge: policy knows when */
  constructor(core: EdgeCore, callRef: string, call: policy.Call, startedMs: number, peer: EdgePeer) {
    this.core = core
    this.peer = peer
    this.callRef = callRef
    this.call = call
    this.startedMs = startedMs
    this.attempts = new Attempts(startedMs)
  }

  /** @param trunk to which the branch goes, '' for none */
  sent(branch: ProxyBranch, trunk: string): void {
    this.attempts.sent(branch, trunk, this.core.now())
  }

  ringing(branch: ProxyBranch): void {
    const now = this.core.now()
    if (this.ringMs < 0) this.ringMs = now
    this.attempts.rang(branch, now)
  }

  /** @param msg undefined where no response was its end */
  branchFailed(branch: ProxyBranch, msg: SipMessage | undefined): void {
    this.attempts.ended(branch, this.core.now(), msg)
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
    this.attempts.ended(branch, this.core.now())
    const answerer = isFirst ? this.answerer(branch, answer, reached) : undefined
    this.reportAnswer(context, branch, answer, { tag, dialog, answerer }, isFirst ? onPassed : undefined)
    return true
  }

  private answerer(branch: ProxyBranch, answer: SipMessage, reached: Reached | undefined): records.Answerer {
    const userAgent = headerText(answer, HEADER.USER_AGENT) || headerText(answer, HEADER.SERVER)
    const { transport, address, port } = reached?.hop.flow ?? NOWHERE
    return { aor: reached?.aor ?? '', userAgent, transport, address, port, trunk: this.attempts.trunkOf(branch) }
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
    { tag, dialog, answerer }: AnswerFacts,
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
    const answered = { toTag: tag, status: answer.status, target: branch.uri, dialog, answerer }
    const report = this.request(context, { $case: 'answered', value: answered })
    const taken = core.reporter.report(report, pass, traceOf(context))
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
    const { cancelled, cancelReason } = context
    const isOurs = cancelled || cancelReason !== ''
    const reason = isOurs ? reasonIn(cancelReason) : this.attempts.reasonOf(status)
    const by = cancelled ? 'caller' : isOurs || !this.attempts.isCallees(status) ? 'system' : 'callee'
    const value = { status, cause: causeOf(context, status), reason, by }
    this.core.reporter.report(this.request(context, { $case: 'failed', value }), undefined, traceOf(context))
  }

  private request(context: ProxyContext, event: policy.ReportRequest['event']): policy.ReportRequest {
    const now = this.core.now()
    const call = {
      ...this.call,
      setupAgeMs: this.startedMs < 0 ? UNKNOWN_AGE : Math.round(now - this.startedMs),
      ringAgeMs: this.ringMs < 0 ? UNKNOWN_AGE : Math.round(now - this.ringMs),
      attempts: this.attempts.list(context),
    }
    return { callRef: this.callRef, call, event, ageMs: 0 }
  }
}

/** `Reason: a\r\nReason: b\r\n` → `a`, without folding. */
function reasonIn(lines: string): string {
  const end = lines.search(/\r?\n(?![ \t])/)
  const line = end < 0 ? lines : lines.slice(0, end)
  return line
    .slice(line.indexOf(':') + 1)
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_REASON_CHARS)
}

const MAX_REASON_CHARS = 200
