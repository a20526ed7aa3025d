// SPDX-License-Identifier: MIT
//
// An initial request (no To tag) but REGISTER's second half: Decide, Locate, BeginCall, fork, and what comes of it
// [DESIGN §2.2]. An INVITE is in the directory before 100 goes back and before its first branch leaves; its first 2xx goes
// upstream once the answer is on record.
//
// Races: CANCEL may come at every wait; each continuation looks at `context.closed` first.

import type { policy, Result } from '@tandem/rpc'
import { type ContextUser, type ProxyBranch, type ProxyContext, rankResponse, type SipMessage } from '@tandem/sip'
import { branchesOf, type PlannedBranch, planBranch, sendBranch } from './branches.ts'
import { CallAccount } from './call-account.ts'
import { ALLOW, CAPABILITIES } from './capabilities.ts'
import type { EdgeCore } from './core.ts'
import { describeCall, describeRequest } from './describe.ts'
import type { NextHop } from './hops.ts'
import { forwardAck } from './in-dialog.ts'
import { type EdgePeer, flowOf } from './peers.ts'
import { finishRegistration } from './registration.ts'
import { refuseStateless, retryAfter } from './replies.ts'

/** How long the directory keeps an entry after the final response: Timers H, I, L and M. */
const DIRECTORY_KEEP_MS = 64_000
/** The entry's lease while it rings; renewed by every update. */
const DIRECTORY_LEASE_MS = 240_000

/** @param popRoutes leading Route values that are ours */
export function receiveInitialRequest(
  core: EdgeCore,
  msg: SipMessage,
  key: string,
  peer: EdgePeer,
  popRoutes: number,
): void {
  const user = new InitialRequest(core, peer, popRoutes)
  const context = core.proxy.open(msg, key, peer, user)
  if (context === undefined) {
    core.counts.refusedOverload += 1
    return refuseStateless(core, msg, peer, 503, '', retryAfter(1))
  }
  const message = context.request as SipMessage
  const request = describeRequest(msg, key, peer, core.edgeId)
  core.policy.call('decide', request, core.config.rpc.timeoutMs, (result) => user.onDecided(context, message, result))
}

class InitialRequest implements ContextUser {
  readonly core: EdgeCore
  readonly peer: EdgePeer
  private readonly popRoutes: number
  private readonly startedMs: number
  private plan: policy.Plan | undefined
  private step = -1
  /** Position of the step's first branch among all of the request. */
  private firstBranch = 0
  private account: CallAccount | undefined
  private epoch = 0
  private inDirectory = false
  /** Status for the case that no branch could be forked. */
  private lookupStatus = 480

  constructor(core: EdgeCore, peer: EdgePeer, popRoutes: number) {
    this.core = core
    this.peer = peer
    this.popRoutes = popRoutes
    this.startedMs = core.now()
  }

  /** @param message the request, which a CANCEL in the meantime has taken off the context */
  onDecided(context: ProxyContext, message: SipMessage, result: Result<policy.DecideResponse>): void {
    if (result.outcome === 'done') return this.onVerdict(context, message, result.value)
    const { core } = this
    if (context.finalSent !== 0) return
    if (result.outcome === 'refused') {
      const { sipStatus, retryAfterS } = result.refusal
      return core.proxy.respond(context, sipStatus || 503, '', retryAfterS > 0 ? retryAfter(retryAfterS) : '')
    }
    core.counts.decideUnknown += 1
    core.logger.warn({ detail: result.detail }, 'policy gave no decision')
    core.proxy.respond(context, 503, '', retryAfter(2))
  }

  private onVerdict(context: ProxyContext, message: SipMessage, decision: policy.DecideResponse): void {
    const { proxy, counts } = this.core
    const verdict = decision.verdict
    this.openAccount(context, message, decision)
    if (context.finalSent !== 0) return this.settleEarly(context)
    switch (verdict?.$case) {
      case 'plan':
        this.plan = verdict.value
        if (context.isInvite) counts.calls += 1
        return this.nextStep(context)
      case 'challenge':
        counts.challenges += 1
        return proxy.respond(context, verdict.value.status, '', challengeHeaders(verdict.value))
      case 'admit':
        return finishRegistration(this.core, context, this.peer, verdict.value)
      case 'answer':
        return proxy.respond(context, verdict.value.status, '', CAPABILITIES)
      case 'redirect':
        return proxy.respond(
          context,
          verdict.value.status,
          '',
          verdict.value.contacts.map((c) => `Contact: ${c}\r\n`).join(''),
        )
      case 'reject': {
        const { status, reason, retryAfterS } = verdict.value
        const allow = status === 405 ? ALLOW : '' // [RFC3261-21.4.6]
        return proxy.respond(context, status, reason, allow + (retryAfterS > 0 ? retryAfter(retryAfterS) : ''))
      }
      default:
        return proxy.respond(context, 500, '')
    }
  }

  /** Calls with a reference leave a record. */
  private openAccount(context: ProxyContext, message: SipMessage, decision: policy.DecideResponse): void {
    if (decision.callRef === '' || !context.isInvite) return
    const call = describeCall(message, this.peer, this.core.edgeId, decision)
    this.account = new CallAccount(this.core, decision.callRef, call, this.startedMs)
  }

  /** The request ended (CANCEL) before its decision came. */
  private settleEarly(context: ProxyContext): void {
    this.account?.failed(context, context.finalSent)
  }

  failOver(): boolean {
    return false
  }

  recurse(): undefined {
    return undefined
  }

  forkMore(context: ProxyContext): boolean {
    const plan = this.plan
    const step = plan?.steps[this.step]
    if (plan === undefined || step === undefined || this.step + 1 >= plan.steps.length) return false
    const retries = step.retryStatuses
    if (retries.length > 0 && !retries.includes(this.stepStatus(context))) return false
    this.nextStep(context)
    return true
  }

  /** The best failure of the step at hand, whatever earlier ones ended with. */
  private stepStatus(context: ProxyContext): number {
    let best = 0
    for (let k = this.firstBranch; k < context.branches.length; k += 1) {
      const { final } = context.branches[k] as ProxyBranch
      if (best === 0 || rankResponse(final) < rankResponse(best)) best = final
    }
    return best
  }

  private nextStep(context: ProxyContext): void {
    this.step += 1
    const step = this.plan?.steps[this.step]
    if (step === undefined) return this.giveUp(context)
    resolveTargets(this.core, context, step.targets, (hops, status) => {
      if (status !== 0) this.lookupStatus = status
      this.onHops(context, step, hops)
    })
  }

  private onHops(context: ProxyContext, step: policy.Step, hops: readonly NextHop[]): void {
    if (context.closed || context.request === undefined) return this.core.proxy.finish(context)
    if (hops.length === 0) return this.nextStep(context)
    const callRef = this.account?.callRef ?? ''
    const attempt = context.branches.length
    const branches = hops.map((hop, index) => planBranch(this.core, context, hop, callRef, this.peer, attempt + index))
    if (!context.isInvite) return this.fork(context, step, branches)
    if (this.inDirectory) this.updateDirectory(context, step, branches)
    else this.enterDirectory(context, step, branches)
  }

  private giveUp(context: ProxyContext): void {
    if (context.bestStatus !== 0) this.core.proxy.finish(context)
    else this.core.proxy.respond(context, context.cancelled ? 487 : this.lookupStatus, '')
  }

  private enterDirectory(context: ProxyContext, step: policy.Step, branches: readonly PlannedBranch[]): void {
    const { core } = this
    const request = context.request as SipMessage
    const entry = {
      transactionKey: context.server.key,
      owner: core.edgeId,
      invite: request.buf,
      upstream: flowOf(this.peer, core.edgeId),
      plan: NO_BYTES,
      step: this.step,
      branches: branchesOf(context, branches),
      callRef: this.account?.callRef ?? '',
      leaseMs: DIRECTORY_LEASE_MS,
    }
    core.location.call('beginCall', entry, core.config.rpc.timeoutMs, (result) => {
      if (result.outcome !== 'done') return this.failDirectory(context, result)
      if (!result.value.created && result.value.owner !== core.edgeId) return this.leaveToOwner(context)
      this.inDirectory = true
      this.epoch = result.value.epoch
      if (context.finalSent !== 0) return this.endDirectory(context, context.finalSent) // CANCEL came in between
      core.proxy.trying(context)
      this.fork(context, step, branches)
    })
  }

  private updateDirectory(context: ProxyContext, step: policy.Step, branches: readonly PlannedBranch[]): void {
    const { core } = this
    const update = {
      transactionKey: context.server.key,
      owner: core.edgeId,
      epoch: this.epoch,
      step: this.step,
      branches: branchesOf(context, branches),
    }
    core.location.call('updateCall', update, core.config.rpc.timeoutMs, (result) => {
      if (result.outcome !== 'done') return this.failDirectory(context, result)
      if (!result.value.held) return this.leaveToOwner(context)
      this.fork(context, step, branches)
    })
  }

  /** Without its entry an INVITE does not leave. */
  private failDirectory(context: ProxyContext, result: Result<unknown>): void {
    const { core } = this
    core.counts.directoryUnknown += 1
    core.logger.warn({ result }, 'location did not enter the call into the directory')
    core.proxy.respond(context, 503, '', retryAfter(2))
  }

  /** Only the owner of the entry runs the INVITE's client transactions [DESIGN §4]. */
  private leaveToOwner(context: ProxyContext): void {
    if (context.finalSent !== 0) return
    this.core.counts.droppedOwnedElsewhere += 1
    this.core.proxy.drop(context)
  }

  private fork(context: ProxyContext, step: policy.Step, branches: readonly PlannedBranch[]): void {
    if (context.closed || context.request === undefined) return this.core.proxy.finish(context)
    const edits = this.plan?.edits ?? []
    this.firstBranch = context.branches.length
    for (const branch of branches) {
      sendBranch(this.core, context, branch, this.peer, edits, step.ringMs, this.popRoutes)
    }
  }

  onProvisional(_context: ProxyContext, _branch: ProxyBranch, status: number): void {
    if (status > 100) this.account?.ringing()
  }

  holdSuccess(context: ProxyContext, branch: ProxyBranch, msg: SipMessage): boolean {
    return this.account?.hold(context, branch, msg, () => this.endDirectory(context, msg.status)) ?? false
  }

  onFinal(context: ProxyContext, status: number): void {
    if (!context.isInvite) return
    if (status < 300) this.core.counts.callsAnswered += 1
    else if (this.plan !== undefined) this.core.counts.callsFailed += 1
    if (status >= 300) this.account?.failed(context, status)
    this.endDirectory(context, status)
  }

  private endDirectory(context: ProxyContext, finalStatus: number): void {
    this.plan = undefined
    if (!this.inDirectory) return
    this.inDirectory = false
    const { core, epoch } = this
    const end = {
      transactionKey: context.server.key,
      owner: core.edgeId,
      epoch,
      finalStatus,
      keepMs: DIRECTORY_KEEP_MS,
    }
    core.location.call('endCall', end, core.config.rpc.timeoutMs, ignoreResult) // else its lease ends it
  }

  onAck(msg: SipMessage): void {
    forwardAck(this.core, msg, this.peer)
  }

  onEnd(): void {
    this.account = undefined
  }
}

const NO_BYTES = Buffer.alloc(0)

function ignoreResult(): void {
  // The lease of the entry does what this message would have done.
}

function challengeHeaders(challenge: policy.Challenge): string {
  const name = challenge.status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate'
  return challenge.values.map((value) => `${name}: ${value}\r\n`).join('')
}

/** Resolves all targets of a step, and calls back once with what was found and the status that says why nothing was. */
function resolveTargets(
  core: EdgeCore,
  context: ProxyContext,
  targets: readonly policy.Target[],
  onDone: (hops: NextHop[], status: number) => void,
): void {
  const hops: NextHop[] = []
  const request = context.request
  if (request === undefined) return onDone(hops, 0)
  let waiting = 1
  let status = 0
  const take = (hop: NextHop | undefined): void => {
    if (hop !== undefined) hops.push(hop)
    settle()
  }
  const settle = (): void => {
    waiting -= 1
    if (waiting === 0) onDone(hops, status)
  }
  for (const { where } of targets) {
    if (where === undefined) continue
    waiting += 1
    if (where.$case === 'uri') core.hops.toUri(where.value, false, take)
    else {
      core.location.call('locate', { aor: where.value }, core.config.rpc.timeoutMs, (result) => {
        if (result.outcome === 'done') {
          waiting += result.value.bindings.length
          for (const binding of result.value.bindings) core.hops.toBinding(binding, request, take)
        } else status = 503
        settle()
      })
    }
  }
  settle()
}
