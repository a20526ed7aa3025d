// SPDX-License-Identifier: MIT
// One call on record: setup → answered → finished, as arithmetic on the call; who stores it is memory/calls.ts.
// The Redis store does the same inside one script (redis/scripts/calls.ts); the contract suite holds the two together.
//
// Rules (STATE.md): every report is an upsert; events are dated by store time less their age; the first answer counts;
// another To tag is another leg, and the record ends when its last leg ends; only the record's own tags end it; an end
// waits for its answer for a grace, then makes a partial record; what is finished changes no more.

import { type CallOnRecord, isKept, type Leg, MAX_EDGES, MAX_LEGS, NO_PLAN } from '../call-record.ts'
import {
  AGE_UNKNOWN,
  type AnsweredReport,
  type CallDescription,
  type EndedReport,
  type FailedReport,
} from '../types.ts'
import { endedByPlan, planAtAnswer } from './call-plan.ts'

/** `finished`: applied, and the record is complete now. */
export type Step = 'applied' | 'repeated' | 'ignored' | 'finished'

/** Descriptions of set-up, answer and failure come from the edge that runs the call; an end's only fills gaps. */
export type Authority = 'owner' | 'passerBy'

const TEXTS = ['callId', 'fromTag', 'fromUri', 'toUri', 'requestUri', 'identity', 'account', 'userAgent'] as const

export function createCall(ref: string): CallOnRecord {
  return {
    ref,
    state: 'setup',
    transactionKey: '',
    callId: '',
    fromTag: '',
    fromUri: '',
    toUri: '',
    requestUri: '',
    sourceTransport: '',
    sourceAddress: '',
    sourcePort: 0,
    identity: '',
    account: '',
    userAgent: '',
    setupEdge: '',
    edges: [],
    attempts: [],
    facts: undefined,
    media: '',
    answerer: undefined,
    setupMs: 0,
    ringMs: 0,
    answeredMs: 0,
    target: '',
    finalStatus: 0,
    legs: [],
    endedMs: 0,
    endedBy: '',
    reason: '',
    endEdge: '',
    outcome: '',
    completeness: '',
    plan: NO_PLAN,
    charge: '',
    billing: undefined,
    corrections: 0,
    correction: '',
  }
}

/** True for a description of another dialog than the record's. */
export function isForeign(call: CallOnRecord, description: CallDescription): boolean {
  return differs(call.callId, description.callId) || differs(call.fromTag, description.fromTag)
}

function differs(known: string, told: string): boolean {
  return known !== '' && told !== '' && known !== told
}

export function describe(call: CallOnRecord, told: CallDescription, authority: Authority, nowMs: number): void {
  const over = authority === 'owner'
  for (const name of TEXTS) if (told[name] !== '' && (over || call[name] === '')) call[name] = told[name]
  if (told.charge && (over || call.charge === '')) call.charge = told.charge
  if (over && told.edgeId !== '') call.setupEdge = told.edgeId
  noteEdge(call, told.edgeId)
  if (told.facts !== undefined && (over || call.facts === undefined)) call.facts = told.facts
  if (told.media && (over || call.media === '')) call.media = told.media
  if (told.attempts.length > 0 && (over || call.attempts.length === 0)) call.attempts = told.attempts.slice()
  if (told.source !== undefined && (over || call.sourceTransport === '')) {
    call.sourceTransport = told.source.transport
    call.sourceAddress = told.source.address
    call.sourcePort = told.source.port
  }
  if (call.setupMs === 0 && told.setupAgeMs !== AGE_UNKNOWN) call.setupMs = nowMs - told.setupAgeMs
  if (call.ringMs === 0 && told.ringAgeMs !== AGE_UNKNOWN) call.ringMs = nowMs - told.ringAgeMs
}

function noteEdge({ edges }: CallOnRecord, edgeId: string): void {
  if (edgeId !== '' && edges.length < MAX_EDGES && !edges.includes(edgeId)) edges.push(edgeId)
}

export function applyAnswered(call: CallOnRecord, report: AnsweredReport, nowMs: number): Step {
  if (isForeign(call, report.call)) return 'ignored'
  const leg = legOf(call, report.toTag)
  if (leg === undefined) return 'ignored'
  if (leg.answered) return 'repeated'
  describe(call, report.call, 'owner', nowMs)
  leg.answered = true
  if (report.dialog !== undefined && isKept(report.dialog)) leg.dialog = report.dialog
  const atMs = Math.max(nowMs - report.ageMs, call.setupMs)
  if (call.state === 'setup') {
    call.state = 'answered'
    call.target = report.target
    call.finalStatus = report.status
    call.answerer = report.answerer
  }
  if (call.answeredMs === 0) planAtAnswer(call, atMs, nowMs)
  call.answeredMs = call.answeredMs === 0 ? atMs : Math.min(call.answeredMs, atMs)
  return finishWhenOver(call)
}

export function applyEnded(call: CallOnRecord, report: EndedReport, nowMs: number): Step {
  if (isForeign(call, report.call)) return 'ignored'
  const tag = legTag(call, report)
  const leg = tag === undefined ? undefined : legOf(call, tag)
  if (leg === undefined) return 'ignored'
  if (leg.endedMs > 0) return 'repeated'
  describe(call, report.call, 'passerBy', nowMs)
  leg.endedMs = Math.max(1, nowMs - report.ageMs, call.answeredMs)
  leg.dialog = undefined
  if (leg.endedMs >= call.endedMs) {
    call.endedMs = leg.endedMs
    call.endedBy = report.by
    call.reason = report.reason
    call.endEdge = report.call.edgeId
  }
  return finishWhenOver(call)
}

export function applyFailed(call: CallOnRecord, report: FailedReport, nowMs: number): Step {
  if (isForeign(call, report.call) || call.state === 'answered') return 'ignored'
  const isKnown = call.setupMs > 0 || report.call.setupAgeMs !== AGE_UNKNOWN
  describe(call, report.call, 'owner', nowMs)
  call.finalStatus = report.status
  call.reason = report.reason
  call.endedBy = report.by ?? ''
  if (call.plan.hangUpAttempts > 0) endedByPlan(call)
  call.endEdge = report.call.edgeId
  call.endedMs = Math.max(nowMs - report.ageMs, call.setupMs)
  return finish(call, report.cause, isKnown ? 'complete' : 'partial')
}

/** The call's time is over and nobody reported its end. */
export function applyDue(call: CallOnRecord, nowMs: number): Step {
  if (call.state === 'answered') {
    call.endedMs = nowMs
    call.endedBy = 'system'
    return finish(call, 'answered', 'recovered')
  }
  if (call.legs.length > 0) return finish(call, 'answered', 'partial')
  call.endedMs = nowMs
  return finish(call, 'error', 'partial')
}

/** Whether an end was told and its answer was not. */
export function waitsForAnswer(call: CallOnRecord): boolean {
  return call.state === 'setup' && call.legs.some((leg) => leg.endedMs > 0)
}

// BYE names both tags, its sender's as From [RFC3261-15.1.1]: one is the caller's, the other is the leg's.
function legTag(call: CallOnRecord, report: EndedReport): string | undefined {
  const caller = call.fromTag !== '' ? call.fromTag : report.call.fromTag
  if (caller === '') return report.by === 'callee' ? report.fromTag : report.toTag
  if (report.fromTag === caller) return report.toTag
  return report.toTag === caller ? report.fromTag : undefined
}

function legOf(call: CallOnRecord, tag: string): Leg | undefined {
  const known = call.legs.find((leg) => leg.tag === tag)
  if (known !== undefined || call.legs.length >= MAX_LEGS) return known
  const leg: Leg = { tag, answered: false, endedMs: 0 }
  call.legs.push(leg)
  return leg
}

function finishWhenOver(call: CallOnRecord): Step {
  if (call.state !== 'answered' || call.legs.some((leg) => leg.endedMs === 0)) return 'applied'
  call.endedMs = Math.max(call.endedMs, call.answeredMs)
  return finish(call, 'answered', 'complete')
}

function finish(call: CallOnRecord, outcome: string, completeness: string): Step {
  call.state = 'finished'
  call.outcome = outcome
  call.completeness = completeness
  return 'finished'
}
