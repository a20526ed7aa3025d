// SPDX-License-Identifier: MIT
// A call on record, and what becomes of it: the finished record. Shared by both stores; how a call changes is in
// memory/call-machine.ts and, as a script, in redis/scripts/calls.ts.

import type { Billing } from './charges.ts'
import type {
  Answerer,
  Attempt,
  CallDescription,
  CallFacts,
  CallRecord,
  CallState,
  Dialog,
  EndedAtTrunk,
  ForwardCharge,
  LiveCall,
} from './types.ts'
import { AGE_UNKNOWN } from './types.ts'

/** Legs of one call: answers of different branches. */
export const MAX_LEGS = 32

/** Edges of one call that its record names. */
export const MAX_EDGES = 16

/**
 * What is over is remembered for so many times `finishedKeepMs` by 48 bits: with 64 s for an hour and four minutes, against repeats of
 * reports. A call whose record lacks facts is kept for LATE_KEEPS times as long: a day.
 */
export const MARK_KEEPS = 60
export const LATE_KEEPS = 1_350

/** A dialog with more characters than this, route sets and all, is not kept. */
export const MAX_DIALOG_CHARS = 4_096

export interface Leg {
  tag: string
  answered: boolean
  /** 0 while it lives. */
  endedMs: number
  /** While it lives. */
  dialog?: Dialog | undefined
}

/** What is due at a call before its end, and how often it was tried. Times are store time, 0 for none. */
export interface CallPlan {
  /** Talk, and the reason of the hang-up after it. */
  maxDurationMs: number
  maxDurationReason: string
  /** Before any hang-up. */
  warnMs: number
  livenessMs: number
  hangUpAtMs: number
  hangUpReason: string
  hangUpAttempts: number
  /** When an edge was told first. */
  hangUpSinceMs: number
  warnAtMs: number
  probeAtMs: number
  silentProbes: number
  /** Last sign of life. */
  lifeMs: number
  /** Next look at the hold of a charged call. */
  chargeAtMs: number
}

export const NO_PLAN: CallPlan = {
  maxDurationMs: 0,
  maxDurationReason: '',
  warnMs: 0,
  livenessMs: 0,
  hangUpAtMs: 0,
  hangUpReason: '',
  hangUpAttempts: 0,
  hangUpSinceMs: 0,
  warnAtMs: 0,
  probeAtMs: 0,
  silentProbes: 0,
  lifeMs: 0,
  chargeAtMs: 0,
}

/** Whether it is small enough to be kept. */
export function isKept({ token, caller, callee }: Dialog): boolean {
  let size = token.length
  for (const party of [caller, callee]) {
    if (party === undefined) return false
    size += party.target.length + party.aor.length
    for (const route of party.routes) size += route.length
  }
  return size <= MAX_DIALOG_CHARS
}

export function livingDialogs(legs: readonly Leg[]): Dialog[] {
  const found: Dialog[] = []
  for (const { answered, endedMs, dialog } of legs) {
    if (answered && endedMs === 0 && dialog !== undefined) found.push(dialog)
  }
  return found
}

export interface CallOnRecord {
  ref: string
  state: CallState
  transactionKey: string
  callId: string
  fromTag: string
  fromUri: string
  toUri: string
  requestUri: string
  sourceTransport: string
  sourceAddress: string
  sourcePort: number
  identity: string
  account: string
  userAgent: string
  setupEdge: string
  /** That reported something, at most MAX_EDGES. */
  edges: string[]
  attempts: Attempt[]
  facts: CallFacts | undefined
  media: string
  answerer: Answerer | undefined
  setupMs: number
  ringMs: number
  answeredMs: number
  target: string
  finalStatus: number
  legs: Leg[]
  endedMs: number
  endedBy: string
  reason: string
  endEdge: string
  /** Of the finished record. */
  outcome: string
  completeness: string
  plan: CallPlan
  /** How it is charged, '' for not at all. */
  charge: string
  billing: Billing | undefined
  /** Of a correction: its number, from 1, and why it was made; 0 and '' for the call's first record. */
  corrections: number
  correction: string
}

/** The finished record. */
export function recordOf(call: CallOnRecord): CallRecord {
  const answered = call.legs.filter((leg) => leg.answered)
  const talkMs = call.answeredMs > 0 ? Math.max(0, call.endedMs - call.answeredMs) : 0
  const { ref, legs, setupMs, ringMs, answeredMs, endedMs, completeness, ...rest } = call
  const { state: _state, transactionKey: _key, plan: _plan, charge: _charge, billing, corrections, ...texts } = rest
  return {
    ...texts,
    cdrId: corrections > 0 ? `${ref}.${corrections}` : ref,
    type: corrections > 0 ? 'correction' : 'call',
    corrects: corrections > 0 ? ref : '',
    callRef: ref,
    toTags: (answered.length > 0 ? answered : legs).map((leg) => leg.tag),
    setupUnixMs: BigInt(setupMs),
    ringUnixMs: BigInt(ringMs),
    answeredUnixMs: BigInt(answeredMs),
    endedUnixMs: BigInt(endedMs),
    durationMs: BigInt(talkMs),
    state: completeness,
    currency: billing?.currency ?? '',
    priceMicros: billing?.price ?? 0n,
    billedMs: BigInt(billing?.billedMs ?? 0),
    unbilledMs: BigInt(unbilledOf(call, talkMs)),
    ratePlan: billing?.ratePlan ?? '',
    ratePrefix: billing?.ratePrefix ?? '',
    rate: billing?.rate ?? '',
    rateRevision: billing?.rateRevision ?? '',
    ...costOf(billing),
    forwards: forwardsOf(call, talkMs),
  }
}

/** Never changed. */
const NO_FORWARDS: ForwardCharge[] = []

function forwardsOf({ billing, corrections }: CallOnRecord, talkMs: number): ForwardCharge[] {
  if (billing?.forwards === undefined) return NO_FORWARDS
  return billing.forwards.map(({ price, billedMs, unbilledMs, entry: _entry, ...texts }) => ({
    ...texts,
    priceMicros: price,
    billedMs: BigInt(billedMs),
    unbilledMs: BigInt(corrections === 0 ? unbilledMs : Math.max(0, talkMs - billedMs)),
  }))
}

/** Of all who pay; none where they do so in different currencies. */
function costOf(billing: Billing | undefined): Pick<CallRecord, 'costMicros' | 'costCurrency' | 'marginMicros'> {
  if (billing?.cost === undefined) return {}
  const { cost, costCurrency = '', price, currency, forwards = [] } = billing
  const paid = [{ currency, price }, ...forwards].filter((one) => one.currency !== '')
  const isOne = paid.length > 0 && paid.every((one) => one.currency === costCurrency)
  const sum = paid.reduce((all, one) => all + one.price, 0n)
  return { costMicros: cost, costCurrency, ...(isOne && { marginMicros: sum - cost }) }
}

/** Of a correction: what its talk has more than was billed. */
function unbilledOf({ billing, corrections }: CallOnRecord, talkMs: number): number {
  if (billing === undefined || corrections === 0) return billing?.unbilledMs ?? 0
  return Math.max(0, talkMs - billing.billedMs)
}

/** The call as `ListCalls` shows it. */
export function liveCallOf(call: CallOnRecord, nowMs: number): LiveCall {
  return {
    callRef: call.ref,
    transactionKey: call.transactionKey,
    state: call.state === 'answered' ? 'answered' : 'setup',
    call: descriptionOf(call, nowMs),
    setupUnixMs: BigInt(call.setupMs),
    answeredUnixMs: BigInt(call.answeredMs),
  }
}

/** The trunk that answered a call that has ended; undefined: none did. */
export function endedAtTrunk({ answerer, outcome, answeredMs, endedMs }: CallOnRecord): EndedAtTrunk | undefined {
  if (answerer === undefined || answerer.trunk === '' || outcome !== 'answered') return undefined
  return { name: answerer.trunk, talkMs: Math.max(0, endedMs - answeredMs) }
}

function descriptionOf(call: CallOnRecord, nowMs: number): CallDescription {
  const { callId, fromTag, fromUri, toUri, requestUri, identity, account, userAgent, attempts } = call
  const { sourceTransport: transport, sourceAddress: address, sourcePort: port } = call
  const source = transport === '' && address === '' ? undefined : { transport, address, port }
  const edgeId = call.setupEdge
  const setupAgeMs = age(call.setupMs, nowMs)
  const ringAgeMs = age(call.ringMs, nowMs)
  const texts = { callId, fromTag, fromUri, toUri, requestUri, identity, account, edgeId, userAgent }
  return { ...texts, source, setupAgeMs, ringAgeMs, attempts: attempts.slice() }
}

function age(atMs: number, nowMs: number): number {
  return atMs === 0 ? AGE_UNKNOWN : Math.min(AGE_UNKNOWN - 1, Math.max(0, nowMs - atMs))
}
