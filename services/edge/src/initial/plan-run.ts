// SPDX-License-Identifier: MIT
//
// A plan as it is carried out (RFC 3261 sections 16.5 to 16.7): its steps one after another, the targets of each in groups that ring
// together, another endpoint or flow where one fails (RFC 3263 section 4.3, RFC 5626 section 7), Contacts of a 3xx where the plan
// lets them be followed. Each branch is in the directory before it leaves.
//
// Invariants: at most `edge.limits.maxTargets` branches leave for one request over its whole life; those alive share its Max-Breadth.
// Races: a CANCEL, a 6xx or a 2xx may come at every wait; each continuation looks at `context.closed` first. While an answer that more
// branches hang on is awaited (`waits`), the context is not exhausted.

import { policy } from '@tandem/rpc'
import {
  NO_DISPOSITION,
  type ProxyBranch,
  type ProxyContext,
  type RequestDisposition,
  rankResponse,
  readMaxBreadth,
  requestDisposition,
  type SipMessage,
} from '@tandem/sip'
import type { CallAccount } from '../accounting/call-account.ts'
import { handCancelOf, handInvite } from '../any-edge/hand-over.ts'
import { matchBranch, storedStatus } from '../any-edge/match-branch.ts'
import type { Resumption } from '../any-edge/rebuild.ts'
import type { EdgeCore } from '../core.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { observeSince } from '../measures.ts'
import { edgeHashOf } from '../membership/edge-hash.ts'
import { retryAfter } from '../own/replies.ts'
import { traceOf } from '../tracing/edge-tracing.ts'
import { alternativeTo, editsOf, withCredentials } from './another-way.ts'
import { planBranch, resumeBranch, sendBranch } from './branches.ts'
import { DirectoryEntry, type DirectoryOutcome } from './directory.ts'
import { NO_STEP, stepAfter } from './plan-exits.ts'
import { domainsOf, type Followed, findWays, readRedirection } from './recursion.ts'
import { bestOf, shareBreadth, TargetQueue } from './target-queue.ts'
import { type Candidate, type OnTargets, resolveTargets } from './targets.ts'
import type { Challenge, TrunkLegs } from './trunk-legs.ts'
import { freeBreadth, Waves, waveSizeOf } from './waves.ts'

/** What came with the request and its decision. */
export interface PlanSource {
  readonly peer: EdgePeer
  readonly plan: policy.Plan
  /** When the INVITE was read; -1 where nobody wants to know. */
  readonly startedMs: number
  /** Of a call that leaves a record. */
  readonly account: CallAccount | undefined
  /** Reference of the call, '' for none. */
  readonly callRef: string
  /** Leading Route values that are ours. */
  readonly popRoutes: number
  /** Of a plan with trunks. */
  readonly legs: TrunkLegs | undefined
}

const { SERIAL } = policy.Step_Forking

export class PlanRun {
  private readonly core: EdgeCore
  private readonly source: PlanSource
  private readonly directory: DirectoryEntry | undefined
  /** What the caller asks for where it asks for less than the plan has [RFC3841-9.1]. */
  private readonly wishes: RequestDisposition
  private readonly queue = new TargetQueue()
  /** About to leave: they wait for the directory. */
  private planned: Candidate[] = []
  private waits = 0
  private step = -1
  /** Position of the first branch of the step at hand. */
  private stepStart = 0
  /** The group at hand, and the position of its first branch. */
  private group = 0
  private groupStart = 0
  private waves: Waves | undefined
  private attempts = 0
  private recursions = 0
  /** Another edge began it. */
  private isResumed = false
  /** Status for the case that no branch could be forked. */
  private lookupStatus = 480
  private lookupHeaders = ''

  constructor(core: EdgeCore, context: ProxyContext, source: PlanSource) {
    this.core = core
    this.source = source
    this.wishes = context.request === undefined ? NO_DISPOSITION : requestDisposition(context.request)
    this.directory = context.isInvite ? new DirectoryEntry(core, source.peer, source.callRef) : undefined
  }

  start(context: ProxyContext): void {
    context.cancelsOnSuccess = this.wishes.cancel !== false
    if (!this.next(context)) this.giveUp(context)
  }

  /** Goes on where another edge has stopped. */
  adopt(context: ProxyContext, { entry, begunBy, candidates, resends }: Resumption): void {
    const { plan, peer, popRoutes, callRef } = this.source
    this.directory?.resume(entry.epoch)
    this.isResumed = true
    this.step = entry.step
    context.cancelsOnSuccess = this.wishes.cancel !== false
    const { sourceTrusted, steps } = plan
    const step = steps[this.step]
    if (step === undefined) return
    const isSame = (candidate: Candidate, attempt: number): boolean =>
      planBranch(this.core, context, candidate, callRef, peer, attempt, editsOf(plan, candidate))
    for (const [k, branch] of entry.branches.entries()) {
      const untried = candidates.filter((one) => !this.queue.sent.includes(one))
      const sent = matchBranch(this.core, context, branch, k, untried, step, isSame)
      sent.attempt = sent.target.trunkLeg === undefined ? -1 : k
      this.queue.sent.push(sent)
    }
    this.addToQueue(this.wishes.fork === false ? [] : candidates.slice(), step)
    const ringMs = this.ringMs(step)
    for (const [k, branch] of entry.branches.entries()) {
      const sent = this.queue.sent[k] as Candidate
      const status = storedStatus(branch, sent)
      if (status !== 0) this.core.proxy.resumeEnded(context, branch.id, branch.uri, sent.hop.peer, status)
      else {
        sent.breadth = readMaxBreadth(context.request as SipMessage)
        const facts = sent.facts(sourceTrusted)
        const hash = edgeHashOf(begunBy)
        const edits = editsOf(plan, sent)
        const resumed = resumeBranch(this.core, context, sent, peer, edits, ringMs, popRoutes, facts, hash, resends)
        this.awaitWave(resumed, step)
      }
    }
    this.attempts = entry.branches.length
    this.resumeQueue(context)
  }

  /** What has not been tried of the step at hand. */
  private resumeQueue(context: ProxyContext): void {
    this.group = this.queue.sent.at(-1)?.group ?? 0
    this.groupStart = Math.max(0, context.branches.length - context.pending)
    this.stepStart = this.groupStart
    if (context.pending > 0 || context.finalSent !== 0) return
    if (!this.mayGoOn(context) || !this.next(context)) this.giveUp(context)
  }

  /** Whether another edge holds the entry since this epoch. */
  precedes(epoch: number): boolean {
    return this.directory !== undefined && this.directory.epoch < epoch
  }

  /** The final response goes upstream. */
  end(context: ProxyContext, status: number): void {
    this.directory?.end(context, status)
  }

  /** All branches have failed. True when others follow. */
  forkMore(context: ProxyContext): boolean {
    if (this.waits > 0) return true
    if (this.isResumed && context.branches.some(endedByCancel)) return false
    return (this.mayGoOn(context) && this.next(context)) || this.endUnreached(context)
  }

  /** The step says after which failures it goes on; the parts of one group always do. */
  private mayGoOn(context: ProxyContext): boolean {
    const retries = this.source.plan.steps[this.step]?.retryStatuses
    if (retries === undefined || retries.length === 0 || this.queue.continues(context, this.group)) return true
    return retries.includes(this.groupStatus(context))
  }

  /** The best failure of the group at hand, whatever earlier ones ended with. */
  private groupStatus(context: ProxyContext): number {
    return this.bestFailure(context, this.groupStart)
  }

  private bestFailure(context: ProxyContext, from: number): number {
    let best = 0
    for (let k = from; k < context.branches.length; k += 1) {
      const { final, replaced } = context.branches[k] as ProxyBranch
      if (!replaced && (best === 0 || rankResponse(final) < rankResponse(best))) best = final
    }
    return best || this.lookupStatus
  }

  /** Starts the next group, with what the ones before gave back [RFC5393-5.3.3.1], else the next step. False: there is none. */
  private next(context: ProxyContext): boolean {
    while (!this.queue.isEmpty) {
      const breadth = readMaxBreadth(context.request as SipMessage)
      if (breadth === 0) return this.refuseBreadth(context)
      const group = this.queue.take(context, Math.min(breadth, this.room()))
      if (group.length === 0) this.dropRest()
      else if (this.startGroup(context, group, breadth)) return true
    }
    return this.nextStep(context)
  }

  private startGroup(context: ProxyContext, group: Candidate[], breadth: number): boolean {
    this.group = (group[0] as Candidate).group
    this.groupStart = this.waves === undefined ? context.branches.length : this.stepStart
    shareBreadth(group, this.waves?.begin(group, this.queue.length, breadth) ?? breadth)
    const { legs } = this.source
    if (legs === undefined || !group.some(({ target }) => target.trunkLeg?.asks === true)) {
      return this.launch(context, group)
    }
    this.waits += 1
    legs.ask(group, this.attempts, (allowed) => {
      this.waits -= 1
      if (allowed.length < group.length) this.lookupStatus = 503
      if (context.closed || !this.launch(context, allowed)) this.resume(context)
    })
    return true
  }

  /** A wave has rung for its time: the next one joins it. */
  onWave(context: ProxyContext, branch: ProxyBranch): void {
    if (this.waves?.isLast(this.sentAs(context, branch)) !== true) return
    while (!this.queue.isEmpty && !context.closed && context.request !== undefined) {
      const breadth = freeBreadth(readMaxBreadth(context.request), context, this.queue, this.planned)
      const group = this.queue.take(context, Math.min(breadth, this.room()))
      if (group.length === 0 || this.startGroup(context, group, breadth)) return
    }
  }

  /** Ring time of a branch that leaves now: its own wave, and all that are to come. */
  private ringMs({ ringMs }: policy.Step): number {
    return this.waves === undefined ? ringMs : ringMs * (1 + this.queue.groupCount)
  }

  private awaitWave(branch: ProxyBranch | undefined, step: policy.Step | undefined): void {
    if (this.waves === undefined || branch === undefined || step === undefined) return
    if (branch.ringMs > step.ringMs) this.core.proxy.wakeAfter(branch, step.ringMs)
  }

  private addToQueue(candidates: Candidate[], step: policy.Step): void {
    const isSerial = this.wishes.order === 'sequential'
    const waveSize = isSerial ? 0 : waveSizeOf(step)
    this.waves = waveSize > 0 ? new Waves() : undefined
    this.queue.add(candidates, isSerial ? SERIAL : step.forking, waveSize)
  }

  /** There is no room for what still waits. */
  private dropRest(): void {
    this.core.counts.targetsDropped += this.queue.length
    this.queue.clear()
  }

  /** [RFC5393-5.3.3] Not even one branch is allowed. */
  private refuseBreadth(context: ProxyContext): boolean {
    this.core.counts.refusedBreadth += 1
    this.core.proxy.respond(context, 440, '')
    return true
  }

  /** Branches that may still leave. */
  private room(): number {
    return this.core.config.limits.maxTargets - this.attempts
  }

  /** Index of the step that comes now, NO_STEP for none. */
  private nextStepAt(context: ProxyContext): number {
    const { steps } = this.source.plan
    const step = steps[this.step]
    if (step === undefined) return this.step < 0 ? 0 : NO_STEP
    if (step.exits === undefined && step.last !== true) return this.step + 1
    const branches = context.branches.slice(this.stepStart)
    return stepAfter(step, this.step, steps.length, { status: this.bestFailure(context, this.stepStart), branches })
  }

  private nextStep(context: ProxyContext): boolean {
    const at = this.nextStepAt(context)
    const step = this.source.plan.steps[at]
    if (step === undefined || this.room() <= 0 || context.request === undefined) return false
    if (this.wishes.fork === false && context.branches.length > 0) return false
    this.step = at
    this.stepStart = context.branches.length
    this.groupStart = this.stepStart
    if (step.again === true) this.queue.beginRound()
    this.waits += 1
    const onDone: OnTargets = (candidates, status, headers) => {
      this.waits -= 1
      if (status !== 0) [this.lookupStatus, this.lookupHeaders] = [status, headers]
      this.addToQueue(this.wishes.fork === false ? bestOf(candidates) : candidates, step)
      this.goOn(context)
    }
    resolveTargets(this.core, context.request, step.targets, onDone, traceOf(context))
    return true
  }

  /** An answer came that branches hung on, and has led to none so far. */
  private goOn(context: ProxyContext): void {
    if (context.pending > 0 || this.waits > 0 || context.finalSent !== 0) return
    if (context.closed || context.request === undefined) return this.core.proxy.finish(context)
    if (!this.next(context)) this.giveUp(context)
  }

  /** What stood for a branch has led to nothing: as if that branch had failed. */
  private resume(context: ProxyContext): void {
    const isIdle = context.pending === 0 && this.waits === 0 && !context.closed
    if (isIdle && !this.mayGoOn(context)) return this.giveUp(context)
    this.goOn(context)
  }

  /** [RFC3261-16.9] Of a user's bindings none could be reached: who is not there gets 480, as with a flow that failed; true if so. */
  private endUnreached(context: ProxyContext): boolean {
    if (context.bestStatus !== 503 || context.finalSent !== 0 || context.cancelled) return false
    const isUnreached = (branch: ProxyBranch): boolean =>
      branch.lost && (this.sentAs(context, branch)?.aor ?? '') !== ''
    if (!context.branches.every(isUnreached)) return false
    this.core.proxy.respond(context, 480, '')
    return true
  }

  private giveUp(context: ProxyContext): void {
    if (this.endUnreached(context)) return
    if (context.bestStatus !== 0) this.core.proxy.finish(context)
    else if (context.cancelled) this.core.proxy.respond(context, 487, '')
    else this.core.proxy.respond(context, this.lookupStatus, '', this.lookupHeaders)
  }

  /** Sends branches, an INVITE's once they are in the directory. False: none of them can take this request. */
  private launch(context: ProxyContext, wanted: Candidate[]): boolean {
    let group = wanted
    for (const candidate of wanted) {
      if (!this.plan(context, candidate)) group = group.filter((other) => other !== candidate)
    }
    if (group.length === 0) return false
    if (this.directory === undefined) this.send(context, group)
    else this.enter(context, group, this.directory)
    return true
  }

  private enter(context: ProxyContext, group: Candidate[], directory: DirectoryEntry): void {
    this.planned = this.planned.length === 0 ? group : [...this.planned, ...group]
    this.waits += 1
    directory.record(context, this.step, this.queue.sent, this.planned, (outcome) =>
      this.onRecorded(context, group, outcome),
    )
  }

  /** False: there is no way that takes a copy of this size. */
  private plan(context: ProxyContext, candidate: Candidate): boolean {
    const { callRef, peer, plan } = this.source
    const edits = editsOf(plan, candidate)
    if (!planBranch(this.core, context, candidate, callRef, peer, this.attempts, edits)) {
      this.lookupStatus = 513
      return false
    }
    this.attempts += 1
    return true
  }

  private onRecorded(context: ProxyContext, group: Candidate[], outcome: DirectoryOutcome): void {
    this.waits -= 1
    this.planned = this.planned === group ? [] : this.planned.filter((candidate) => !group.includes(candidate))
    if (outcome === 'elsewhere') return this.leaveToOwner(context)
    if (outcome === 'unknown') return this.failDirectory(context)
    if (context.finalSent !== 0) return this.directory?.end(context, context.finalSent) // CANCEL came in between
    if (context.branches.length === 0) this.core.proxy.trying(context)
    this.send(context, group)
  }

  /** Only the owner of the entry runs the INVITE's client transactions [DESIGN §4]. */
  private leaveToOwner(context: ProxyContext): void {
    const { directory, core, source } = this
    const key = context.server.key
    if (directory === undefined || directory.otherOwner === '') return core.proxy.surrender(context) // adopted by another
    const { invite, otherOwner } = directory
    // CANCEL came here, and it is the owner whom it must reach.
    if (context.finalSent !== 0) return handCancelOf(core, key, invite, otherOwner)
    core.proxy.drop(context)
    handInvite(core, key, invite, source.peer, otherOwner)
  }

  /** Without its entry an INVITE does not leave; branches that are on their way go on. */
  private failDirectory(context: ProxyContext): void {
    this.lookupStatus = 503
    if (context.pending === 0) this.core.proxy.respond(context, 503, '', retryAfter(2))
  }

  private send(context: ProxyContext, group: readonly Candidate[]): void {
    if (context.closed || context.request === undefined) return this.goOn(context)
    const { peer, plan, popRoutes, account, legs, startedMs } = this.source
    const isFirst = context.branches.length === 0
    const step = plan.steps[this.step]
    const ringMs = step === undefined ? 0 : this.ringMs(step)
    for (const candidate of group) {
      const facts = candidate.facts(plan.sourceTrusted)
      const edits = editsOf(plan, candidate)
      const firstMs = candidate.target.trunkLeg?.firstResponseMs
      const branch = sendBranch(this.core, context, candidate, peer, edits, ringMs, popRoutes, facts, firstMs)
      if (branch === undefined) continue
      this.queue.sent.push(candidate)
      this.awaitWave(branch, step)
      legs?.sent(branch, candidate, context.branches.length - 1)
      if (context.trace !== undefined)
        traceOf(context)?.noteBranch(branch, 'tandem.trunk', candidate.target.trunk ?? '')
      account?.sent(branch, candidate.target.trunk ?? '')
    }
    if (isFirst && context.branches.length > 0) observeSince(this.core.measures.setUp, startedMs, this.core.now())
  }

  /** [RFC3263-4.3] [RFC3261-16.6.7f] [RFC5626-7] Another endpoint of the host, else another flow of the phone. */
  failOver(context: ProxyContext, branch: ProxyBranch, status: number): boolean {
    const failed = this.sentAs(context, branch)
    if (failed === undefined || this.room() <= 0) return false
    if (status === 401 || status === 407) return this.answerChallenge(context, branch, failed)
    const next = alternativeTo(failed, status) ?? this.otherFlow(failed, branch, status)
    if (next === undefined) return false
    next.breadth = failed.breadth
    if (!this.launch(context, [next])) return false
    this.core.counts.failovers += 1
    return true
  }

  /** [RFC3261-22.3] A trunk wants credentials of the cluster's own: the same request once more, with them. */
  private answerChallenge(context: ProxyContext, branch: ProxyBranch, failed: Candidate): boolean {
    const { legs } = this.source
    if (failed.target.trunkLeg?.answersChallenges !== true || context.request === undefined) return false
    const challenge = legs?.challengeOf(branch)
    this.waits += 1
    const onAnswered = (credentials: policy.HeaderEdit[]): void => {
      this.waits -= 1
      if (!this.sendAgain(context, failed, challenge, credentials)) this.resume(context)
    }
    // Nobody can be asked about an emergency call without record, nor about a challenge of nothing.
    if (legs === undefined || challenge === undefined) queueMicrotask(() => onAnswered([]))
    else legs.answer(branch, challenge, context.request, onAnswered)
    return true
  }

  private sendAgain(
    context: ProxyContext,
    failed: Candidate,
    challenge: Challenge | undefined,
    credentials: policy.HeaderEdit[],
  ): boolean {
    this.lookupStatus = BAD_GATEWAY // whose realm it is, the caller has no business with
    if (context.closed || context.request === undefined || credentials.length === 0) return false
    return this.launch(context, [withCredentials(failed, challenge, credentials)])
  }

  /** The way that a branch took. */
  sentAs(context: ProxyContext, branch: ProxyBranch): Candidate | undefined {
    return this.queue.sent[context.branches.indexOf(branch)]
  }

  private otherFlow(failed: Candidate, branch: ProxyBranch, status: number): Candidate | undefined {
    const isFlowFailure = status === 430 || status === 408 || branch.lost
    return isFlowFailure ? this.queue.takeOtherFlow(failed) : undefined
  }

  /** [RFC3261-16.5] [RFC3261-16.7.4] The Contacts of a 3xx that are left once others are followed; undefined: none is. */
  recurse(context: ProxyContext, branch: ProxyBranch, msg: SipMessage): string | undefined {
    const { request } = context
    const redirecting = this.sentAs(context, branch)
    if (redirecting === undefined || request === undefined) return undefined
    if (this.recursions >= this.source.plan.maxRecursions || this.wishes.recurse === false) return undefined
    const called = request.text(request.uriStart, request.uriEnd)
    if (branch.uri === '' || branch.uri === called) return undefined // [RFC3261-16.5] a URI that is not ours to change
    const tried = [called, ...context.branches.map(({ uri }) => uri), ...this.planned.map(({ hop }) => hop.uri)]
    const found = readRedirection(this.core, request, msg, tried, domainsOf(request, redirecting.aor), this.room())
    if (found === undefined || !this.follow(context, redirecting, found.followed)) return undefined
    this.recursions += 1
    this.core.counts.recursions += 1
    return found.left
  }

  /** False: none of them can be tried, which is known at once. */
  private follow(context: ProxyContext, redirecting: Candidate, followed: readonly Followed[]): boolean {
    let isKnown = false
    let isTried = false
    this.waits += 1
    findWays(this.core, redirecting, followed, (candidates) => {
      isKnown = true
      isTried = this.onFollowed(context, redirecting, candidates)
    })
    return !isKnown || isTried
  }

  /** Those of the highest q go at once, in the place and with the breadth of the one that redirected; the others after them. */
  private onFollowed(context: ProxyContext, redirecting: Candidate, candidates: Candidate[]): boolean {
    this.waits -= 1
    const isTried = !context.closed && this.queue.addAhead(candidates) && this.startAhead(context, redirecting.breadth)
    if (!isTried) this.resume(context)
    return isTried
  }

  private startAhead(context: ProxyContext, breadth: number): boolean {
    const first = this.queue.take(context, Math.min(breadth, this.room()))
    if (first.length === 0) return false
    this.group = (first[0] as Candidate).group
    shareBreadth(first, breadth)
    return this.launch(context, first)
  }
}

/** Of somebody behind us, in RFC 3261 section 21.5.3. */
const BAD_GATEWAY = 502

/** The caller gave up, as far as anybody knows: the edge that cancelled the branch is gone. */
function endedByCancel(branch: ProxyBranch): boolean {
  return branch.final === 487 && !branch.cancelSent
}
