// SPDX-License-Identifier: MIT
//
// The trunks that one call is tried at, towards policy (proto/tandem/policy/v1, TrunkLeg): whether one may be tried, how it went, and
// the answer to its challenge. Bounds and breakers are policy's, as are the secrets; here are only the questions.
//
// A trunk's bounds hold where policy can't be asked: no answer is a refusal. An end that policy does not hear is said once more; what it then
// does not know it frees with the call. Another endpoint of the same host, and the same request with credentials, go on with the attempt.
// Races: a branch that has been cancelled ends with 487, which says nothing of the trunk.

import { policy, type Result } from '@tandem/rpc'
import { findHeader, HEADER, headerValue, type ProxyBranch, type SipMessage } from '@tandem/sip'
import type { TraceScope } from '@tandem/telemetry'
import type { EdgeCore } from '../core.ts'
import type { Candidate } from './targets.ts'

/** A try at a trunk, whatever branches it takes. */
interface Leg {
  readonly terms: policy.TrunkLeg
  readonly attempt: number
  branch: ProxyBranch
  sentMs: number
  /** -1 while nothing rings. */
  rangMs: number
  rounds: number
  challenge: Challenge | undefined
  isTold: boolean
}

export interface Challenge {
  readonly proxy: boolean
  readonly values: readonly string[]
}

const MAX_ROUNDS = 2
const MAX_VALUES = 8
const TELL_AGAIN_MS = 1_000
const { ADD } = policy.HeaderEdit_Operation

export class TrunkLegs {
  private readonly core: EdgeCore
  private readonly callRef: string
  private readonly trace: TraceScope | undefined
  private readonly legs: Leg[] = []
  private isStopped = false

  constructor(core: EdgeCore, callRef: string, trace?: TraceScope) {
    this.trace = trace
    this.core = core
    this.callRef = callRef
  }

  /**
   * Asks for each that wants it whether it may be tried.
   *
   * @param first number of the first of them among the attempts of the call
   * @param onAsked told once, with those that may be; at once where none asks
   */
  ask(group: readonly Candidate[], first: number, onAsked: (allowed: Candidate[]) => void): void {
    const allowed: (Candidate | undefined)[] = [...group]
    let waiting = 1
    const settle = (): void => {
      waiting -= 1
      if (waiting === 0) onAsked(allowed.filter((one) => one !== undefined))
    }
    for (const [k, candidate] of group.entries()) {
      const { trunkLeg } = candidate.target
      if (trunkLeg?.asks !== true || candidate.attempt >= 0) continue
      candidate.attempt = first + k
      waiting += 1
      this.begin(trunkLeg, candidate.attempt, (isAllowed) => {
        if (!isAllowed) allowed[k] = undefined
        settle()
      })
    }
    settle()
  }

  private begin({ trunk, host }: policy.TrunkLeg, attempt: number, onAnswer: (isAllowed: boolean) => void): void {
    const { core, callRef } = this
    const request = { callRef, trunk, host, attempt, phase: { $case: 'begin', value: {} } as const, ageMs: 0 }
    const onResult = (result: Result<policy.TrunkAttemptResponse>): void => {
      const isAllowed = result.outcome === 'done' && !result.value.refused
      if (!isAllowed) core.counts.trunksRefused += 1
      onAnswer(isAllowed)
    }
    core.policy.call('trunkAttempt', request, core.config.rpc.timeoutMs, onResult, this.trace)
  }

  sent(branch: ProxyBranch, candidate: Candidate, position: number): void {
    const terms = candidate.target.trunkLeg
    if (terms === undefined) return
    const known = this.legs.find((leg) => leg.attempt === candidate.attempt)
    if (known === undefined) {
      if (candidate.attempt < 0) candidate.attempt = position
      const { attempt } = candidate
      const fresh = { rangMs: -1, rounds: 0, challenge: undefined, isTold: false }
      this.legs.push({ terms, attempt, branch, sentMs: this.core.now(), ...fresh })
    } else known.branch = branch
  }

  rang(branch: ProxyBranch): void {
    const leg = this.legOf(branch)
    if (leg !== undefined && leg.rangMs < 0) leg.rangMs = this.core.now()
  }

  answered(branch: ProxyBranch, status: number): void {
    const leg = this.legOf(branch)
    if (leg !== undefined) this.tell(leg, { status, lost: false, cancelled: false })
  }

  /** @param msg undefined where no response was its end */
  failed(branch: ProxyBranch, msg: SipMessage | undefined): void {
    const leg = this.legOf(branch)
    if (leg === undefined) return
    leg.challenge = msg === undefined ? undefined : challengeIn(msg)
    // Another endpoint, or credentials, may go on with it: that is known when this turn is over.
    queueMicrotask(() => {
      if (leg.branch === branch && !branch.replaced) this.tell(leg, endOf(branch, msg))
    })
  }

  /** Of a branch that was just challenged. */
  challengeOf(branch: ProxyBranch): Challenge | undefined {
    return this.legOf(branch)?.challenge
  }

  /** @param onAnswered told once, never at once: the headers to be added, none where there is no answer, or enough were given */
  answer(
    branch: ProxyBranch,
    { proxy, values }: Challenge,
    request: SipMessage,
    onAnswered: (edits: policy.HeaderEdit[]) => void,
  ): void {
    const leg = this.legOf(branch)
    const giveUp = (): void => {
      if (leg !== undefined) this.tell(leg, { status: proxy ? 407 : 401, lost: false, cancelled: false })
      onAnswered([])
    }
    if (leg === undefined || leg.rounds >= MAX_ROUNDS) return queueMicrotask(giveUp)
    const { core, callRef } = this
    const { terms, attempt, rounds } = leg
    leg.rounds += 1
    const method = request.text(request.start, request.start + request.buf.subarray(request.start).indexOf(0x20))
    const about = { callRef, trunk: terms.trunk, attempt, round: rounds }
    const asked = { ...about, method, requestUri: branch.uri, proxy, challenges: [...values], body: NO_BODY }
    core.counts.trunkChallenges += 1
    core.policy.call('answerChallenge', asked, core.config.rpc.timeoutMs, (result) => {
      const name = proxy ? 'Proxy-Authorization' : 'Authorization'
      const edits = credentialsIn(result).map((value) => ({ operation: ADD, name, value }))
      if (edits.length === 0) giveUp()
      else onAnswered(edits)
    })
  }

  /** Another edge goes on with the call. */
  stop(): void {
    this.isStopped = true
  }

  private tell(leg: Leg, end: policy.TrunkAttemptEnd): void {
    const { terms, attempt, sentMs, rangMs } = leg
    if (leg.isTold || this.isStopped || !(terms.tells || terms.asks)) return
    leg.isTold = true
    const value = rangMs < 0 ? end : { ...end, pddMs: Math.round(rangMs - sentMs) }
    const about = { callRef: this.callRef, trunk: terms.trunk, host: terms.host, attempt }
    this.send({ ...about, phase: { $case: 'end', value }, ageMs: 0 }, true)
  }

  private send(request: policy.TrunkAttemptRequest, again: boolean): void {
    const { core } = this
    core.policy.call('trunkAttempt', request, core.config.rpc.timeoutMs, ({ outcome }) => {
      if (outcome !== 'unknown' || !again) return
      setTimeout(() => this.send({ ...request, ageMs: TELL_AGAIN_MS }, false), TELL_AGAIN_MS).unref()
    })
  }

  private legOf(branch: ProxyBranch): Leg | undefined {
    return this.legs.find((leg) => leg.branch === branch)
  }
}

/** qop=auth-int is not offered by policy: the body is not needed. */
const NO_BODY = Buffer.alloc(0)

function endOf({ timedOut, provisional, lost, cancelWanted, context }: ProxyBranch, msg: SipMessage | undefined) {
  if (timedOut) return { status: 408, lost: provisional <= 100, cancelled: false }
  const cancelled = (cancelWanted || context.cancelled) && (msg === undefined || msg.status === 487)
  if (msg === undefined) return { status: 0, lost: !cancelled && (lost || provisional <= 100), cancelled }
  return { status: msg.status, lost: false, cancelled }
}

function challengeIn(msg: SipMessage): Challenge | undefined {
  if (msg.status !== 401 && msg.status !== 407) return undefined
  const proxy = msg.status === 407
  const values = headerValues(msg, proxy ? HEADER.PROXY_AUTHENTICATE : HEADER.WWW_AUTHENTICATE)
  return values.length === 0 ? undefined : { proxy, values }
}

function headerValues(msg: SipMessage, id: number): string[] {
  const values: string[] = []
  for (let k = findHeader(msg, id); k >= 0 && values.length < MAX_VALUES; k = findHeader(msg, id, k + 1)) {
    values.push(headerValue(msg, k))
  }
  return values
}

function credentialsIn(result: Result<policy.AnswerChallengeResponse>): readonly string[] {
  return result.outcome === 'done' ? result.value.credentials.filter((value) => CREDENTIALS.test(value)) : []
}

const CREDENTIALS = /^[\w-]{1,32} [\t -~]{1,8192}$/
