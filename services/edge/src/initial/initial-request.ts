// SPDX-License-Identifier: MIT
//
// An initial request (no To tag) but REGISTER's second half: Decide, and what its verdict leads to [DESIGN §2.2]. A plan is carried
// out by plan-run.ts; the first 2xx of an INVITE goes upstream once the answer is on record.
//
// DEVIATION[RFC3261-17.2.1a]: an INVITE that is still to be decided gets no 100 after 200 ms. While its sender repeats it, another edge
// can take it should this one die; once 100 has gone, the directory has it.
// Races: CANCEL may come at every wait; each continuation looks at `context.closed` first.

import type { policy, Result } from '@tandem/rpc'
import type { ContextUser, ProxyBranch, ProxyContext, SipMessage } from '@tandem/sip'
import { CallAccount } from '../accounting/call-account.ts'
import { endUnheardAnswer } from '../accounting/unrecorded-answer.ts'
import { spreadRetryAfter } from '../admission/index.ts'
import { handCancelOf } from '../any-edge/hand-over.ts'
import type { Resumption } from '../any-edge/rebuild.ts'
import type { EdgeCore } from '../core.ts'
import { forwardAck } from '../in-dialog/in-dialog.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { observeSince } from '../measures.ts'
import { ALLOW, answerForCluster } from '../own/capabilities.ts'
import { challengeLines, refuseAs, retryAfter } from '../own/replies.ts'
import { watchRegistrations } from '../reg-event/subscribe.ts'
import { finishRegistration } from '../registration/registration.ts'
import { forwardStateless } from '../stateless/stateless.ts'
import { traceOf } from '../tracing/edge-tracing.ts'
import { describeCall, describeRequest, toTag } from './describe.ts'
import { openHeaderWork, privacyRefusal } from './header-work.ts'
import { PlanRun } from './plan-run.ts'
import { redirect } from './redirect.ts'
import { refusalTexts } from './refusal-texts.ts'
import { TrunkLegs } from './trunk-legs.ts'

/** @param popRoutes leading Route values that are ours */
export function receiveInitialRequest(
  core: EdgeCore,
  msg: SipMessage,
  key: string,
  peer: EdgePeer,
  popRoutes: number,
): void {
  const user = new InitialRequest(core, peer, popRoutes)
  const context = core.proxy.open(msg, key, peer, user) // [RFC3261-16.1bc]
  if (context === undefined) return refuseAs(core, 'refusedOverload', msg, peer, 503, spreadRetryAfter(core, msg))
  if (core.tracing !== undefined) core.tracing.begin(context, peer, true)
  const message = context.request as SipMessage
  if (core.callLog !== undefined) user.loggedAs = message
  const request = describeRequest(msg, key, peer, core.edgeId)
  const scope = core.decisions.scopeOf(message)
  const onResult = (result: Result<policy.DecideResponse>): void =>
    user.onDecided(context, message, core.decisions.settle(scope, request, message, peer, result))
  core.decisions.ask(scope, request, onResult, traceOf(context))
}

/** Goes on with an adopted INVITE. @returns false when there is no room for it, or it has begun here in the meantime */
export function resumeInitialRequest(core: EdgeCore, resumption: Resumption): boolean {
  const { entry, message, peer, popRoutes } = resumption
  const user = new InitialRequest(core, peer, popRoutes, UNKNOWN_START)
  const context = core.proxy.open(message, entry.transactionKey, peer, user)
  if (context === undefined) return false
  if (core.tracing !== undefined) core.tracing.begin(context, peer, true, 'adopted')
  if (core.callLog !== undefined) user.loggedAs = message
  user.resume(context, resumption)
  return true
}

/** Another edge runs it since this epoch of its entry. @returns false where this edge holds a later one, or it is none */
export function surrenderInitialRequest(core: EdgeCore, context: ProxyContext, epoch: number): boolean {
  const { user } = context
  if (!(user instanceof InitialRequest) || !user.precedes(epoch)) return false
  core.proxy.surrender(context)
  return true
}

/** Answers that came too late, of one call. */
const MAX_LATE_TAGS = 16
/** When a call began that began elsewhere. */
const UNKNOWN_START = -1
const isTrunk = ({ trunkLeg }: policy.Target): boolean => trunkLeg !== undefined
const NO_PLAN: policy.Plan = {
  steps: [],
  edits: [],
  maxDurationS: 0,
  accounting: false,
  stateless: false,
  maxRecursions: 0,
  sourceTrusted: false,
}

class InitialRequest implements ContextUser {
  readonly core: EdgeCore
  readonly peer: EdgePeer
  private readonly popRoutes: number
  private readonly startedMs: number
  /** Until the final response goes upstream. */
  private run: PlanRun | undefined
  private account: CallAccount | undefined
  private legs: TrunkLegs | undefined
  /** Also when the transaction with the caller is gone. */
  private isOnRecord = false
  private hasRung = false
  /** Of answers that came too late. */
  private lateTags: Set<string> | undefined
  private ringMs = UNKNOWN_START
  /** The request until it has its final response; undefined where no line is written of it. */
  loggedAs: SipMessage | undefined = undefined

  constructor(core: EdgeCore, peer: EdgePeer, popRoutes: number, startedMs = core.now()) {
    this.core = core
    this.peer = peer
    this.popRoutes = popRoutes
    this.startedMs = startedMs
  }

  resume(context: ProxyContext, resumption: Resumption): void {
    const { core, peer, popRoutes } = this
    const { decision, message, entry } = resumption
    const plan = decision.verdict?.$case === 'plan' ? decision.verdict.value : undefined
    this.openAccount(context, message, decision)
    openHeaderWork(core, context, plan?.sourceTrusted ?? false)
    if (resumption.resends) core.proxy.trying(context) // the caller need not look for anybody else
    this.run = new PlanRun(core, context, {
      peer,
      plan: plan ?? NO_PLAN,
      account: this.account,
      callRef: entry.callRef,
      popRoutes,
      startedMs: UNKNOWN_START,
      legs: this.openLegs(context, plan, entry.callRef),
    })
    this.run.adopt(context, resumption)
    if (plan === undefined) core.proxy.respond(context, 503, '', retryAfter(2))
  }

  precedes(epoch: number): boolean {
    return this.run?.precedes(epoch) ?? false
  }

  onSurrender(): void {
    this.legs?.stop()
    this.account?.stop()
    this.account = undefined
    this.run = undefined
    this.loggedAs = undefined
  }

  /** @param message the request, which a CANCEL in the meantime has taken off the context */
  onDecided(context: ProxyContext, message: SipMessage, result: Result<policy.DecideResponse>): void {
    const { core } = this
    if (result.outcome === 'done') return this.onVerdict(context, message, result.value)
    core.admission.noteAnswered(message.method, this.startedMs, core.now())
    if (context.finalSent !== 0) return
    if (result.outcome === 'refused') {
      const { code, sipStatus, retryAfterS } = result.refusal
      context.refusal = code
      return core.proxy.respond(context, sipStatus, '', this.retryAfter(message, sipStatus, retryAfterS))
    }
    context.refusal = 'no_decision'
    core.proxy.respond(context, 503, '', spreadRetryAfter(core, message, 2))
  }

  private onVerdict(context: ProxyContext, message: SipMessage, decision: policy.DecideResponse): void {
    const { proxy, counts } = this.core
    const verdict = decision.verdict
    this.noteLatency(message, verdict)
    this.openAccount(context, message, decision)
    if (context.finalSent !== 0) return this.settleEarly(context, message)
    if (verdict?.$case !== 'plan') openHeaderWork(this.core, context, false)
    switch (verdict?.$case) {
      case 'plan':
        return this.onPlan(context, message, verdict.value)
      case 'challenge':
        counts.challenges += 1
        return proxy.respond(context, verdict.value.status, '', challengeLines(verdict.value))
      case 'admit':
        return finishRegistration(this.core, context, this.peer, verdict.value, this.startedMs)
      case 'answer': // [RFC3261-17.1]
        return answerForCluster(this.core, context, verdict.value.status)
      case 'redirect':
        return redirect(this.core, context, verdict.value)
      case 'watchRegistrations':
        return watchRegistrations(this.core, context, this.peer, verdict.value)
      case 'reject': {
        const { status, reason, retryAfterS } = verdict.value
        const allow = status === 405 ? ALLOW : '' // [RFC3261-21.4.6]
        const texts = refusalTexts(this.core, verdict.value)
        context.refusal = verdict.value.code
        traceOf(context)?.note('tandem.refusal.reason', verdict.value.code)
        return proxy.respond(context, status, reason, allow + texts + this.retryAfter(message, status, retryAfterS))
      }
      default:
        return proxy.respond(context, 500, '')
    }
  }

  /** What a service asks for; spread where it is because of trouble that many meet. */
  private retryAfter(message: SipMessage, status: number, seconds: number): string {
    return status === 503 && seconds > 0 ? spreadRetryAfter(this.core, message, seconds) : retryAfter(seconds)
  }

  /** Where an admitted REGISTER has its answer still to come, that one counts. */
  private noteLatency(message: SipMessage, verdict: policy.DecideResponse['verdict']): void {
    const { core, peer } = this
    if (verdict?.$case === 'admit') return
    const nowMs = core.now()
    core.admission.noteAnswered(message.method, this.startedMs, nowMs)
    if (verdict?.$case === 'plan') core.admission.noteDone(peer.address, nowMs)
  }

  private onPlan(context: ProxyContext, message: SipMessage, plan: policy.Plan): void {
    const { core, peer, popRoutes } = this
    if (plan.stateless) {
      core.proxy.drop(context) // [RFC3261-16.1d]
      return forwardStateless(core, message, peer, plan, popRoutes)
    }
    if (context.isInvite) core.counts.calls += 1
    openHeaderWork(core, context, plan.sourceTrusted)
    this.run = new PlanRun(core, context, {
      peer,
      plan,
      account: this.account,
      callRef: this.account?.callRef ?? '',
      popRoutes,
      startedMs: context.isInvite ? this.startedMs : UNKNOWN_START,
      legs: this.openLegs(context, plan, this.account?.callRef ?? ''),
    })
    const reason = privacyRefusal(context, plan)
    if (reason !== '') return core.proxy.respond(context, 500, reason) // [RFC3323-5]
    this.run.start(context)
  }

  /** Without a reference policy could not tell whose attempt it is. */
  private openLegs(context: ProxyContext, plan: policy.Plan | undefined, callRef: string): TrunkLegs | undefined {
    const hasTrunks = callRef !== '' && plan?.steps.some(({ targets }) => targets.some(isTrunk)) === true
    this.legs = hasTrunks ? new TrunkLegs(this.core, callRef, traceOf(context)) : undefined
    return this.legs
  }

  /** Calls with a reference leave a record. */
  private openAccount(context: ProxyContext, message: SipMessage, decision: policy.DecideResponse): void {
    if (decision.callRef === '' || !context.isInvite) return
    this.isOnRecord = true
    const call = describeCall(message, this.peer, this.core.edgeId, decision)
    this.account = new CallAccount(this.core, decision.callRef, call, this.startedMs, this.peer)
    traceOf(context)?.note('tandem.call_ref', decision.callRef)
  }

  /** The request ended (CANCEL) before its decision came. Another edge may have it too, which has not heard of the CANCEL. */
  private settleEarly(context: ProxyContext, message: SipMessage): void {
    this.account?.failed(context, context.finalSent)
    if (context.isInvite) handCancelOf(this.core, context.server.key, message.buf)
  }

  failOver(context: ProxyContext, branch: ProxyBranch, status: number): boolean {
    return this.run?.failOver(context, branch, status) ?? false
  }

  recurse(context: ProxyContext, branch: ProxyBranch, msg: SipMessage): string | undefined {
    return this.run?.recurse(context, branch, msg)
  }

  forkMore(context: ProxyContext): boolean {
    return this.run?.forkMore(context) ?? false
  }

  onWave(context: ProxyContext, branch: ProxyBranch): void {
    this.run?.onWave(context, branch)
  }

  onProvisional(context: ProxyContext, branch: ProxyBranch, status: number): void {
    if (status <= 100) return
    if (context.isInvite) this.noteRinging()
    this.account?.ringing(branch)
    this.legs?.rang(branch)
  }

  /** The first sign that it rings, an answer without one included. */
  private noteRinging(): void {
    if (this.hasRung) return
    this.hasRung = true
    this.ringMs = this.core.now()
    observeSince(this.core.measures.postDialDelay, this.startedMs, this.ringMs)
  }

  onBranchFailed(_context: ProxyContext, branch: ProxyBranch, msg: SipMessage | undefined): void {
    this.account?.branchFailed(branch, msg)
    this.legs?.failed(branch, msg)
  }

  holdSuccess(context: ProxyContext, branch: ProxyBranch, msg: SipMessage): boolean {
    this.legs?.answered(branch, msg.status)
    if (this.account === undefined) return false
    const reached = this.run?.sentAs(context, branch)
    return this.account.hold(context, branch, msg, reached, () => this.endRun(context, msg.status))
  }

  /** The caller has his failure: nobody else would ever hang up. Once by tag; whoever repeats it takes the BYE in the end. */
  onLateSuccess(context: ProxyContext, branch: ProxyBranch, msg: SipMessage): void {
    const tag = toTag(msg)
    if (!this.isOnRecord || this.account?.knows(tag) === true || context.finalSent < 300) return
    this.lateTags ??= new Set()
    if (this.lateTags.has(tag) || this.lateTags.size >= MAX_LATE_TAGS) return
    this.lateTags.add(tag)
    this.core.counts.lateAnswersEnded += 1
    endUnheardAnswer(this.core, branch, msg, `SIP;cause=${context.finalSent}`)
  }

  onFinal(context: ProxyContext, status: number): void {
    if (this.loggedAs !== undefined) this.log(context, this.loggedAs, status)
    if (!context.isInvite) return
    if (status < 300) this.core.counts.callsAnswered += 1
    else if (this.run !== undefined) this.core.counts.callsFailed += 1
    if (status >= 300) this.account?.failed(context, status)
    this.endRun(context, status)
  }

  /** What has been refused, and what ends without a record. */
  private log(context: ProxyContext, message: SipMessage, status: number): void {
    this.loggedAs = undefined
    const { callLog } = this.core
    if (callLog === undefined || status < 300 || status === 401 || status === 407) return
    if (this.run === undefined && !context.cancelled) {
      if (status >= 400) callLog.refused(message, this.peer, status, context.refusal, context.trace?.traceId)
    } else if (context.isInvite && !this.isOnRecord) {
      const pddMs = this.ringMs < 0 || this.startedMs < 0 ? undefined : Math.round(this.ringMs - this.startedMs)
      callLog.failed(message, this.peer, { context, status, pddMs })
    }
  }

  private endRun(context: ProxyContext, status: number): void {
    if (status < 300 && this.run !== undefined) {
      this.noteRinging()
      observeSince(this.core.measures.answer, this.startedMs, this.core.now())
    }
    this.run?.end(context, status)
    this.run = undefined
    this.loggedAs = undefined
  }

  onAck(msg: SipMessage): void {
    if (!forwardAck(this.core, msg, this.peer)) this.core.counts.droppedAck += 1
  }

  onEnd(): void {
    this.account = undefined
    this.loggedAs = undefined
  }
}
