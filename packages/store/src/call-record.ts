// SPDX-License-Identifier: MIT
// A call on record, and what becomes of it: the finished record. Shared by both stores; how a call changes is in
// memory/call-machine.ts and, as a script, in redis/scripts/calls.ts.

import type { Attempt, CallDescription, CallRecord, CallState, LiveCall } from './types.ts'
import { AGE_UNKNOWN } from './types.ts'

/** Legs of one call: answers of different branches. */
export const MAX_LEGS = 32

export interface Leg {
  tag: string
  answered: boolean
  /** 0 while it lives. */
  endedMs: number
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
  attempts: Attempt[]
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
}

/** The finished record. */
export function recordOf(call: CallOnRecord): CallRecord {
  const answered = call.legs.filter((leg) => leg.answered)
  const talkMs = call.answeredMs > 0 ? Math.max(0, call.endedMs - call.answeredMs) : 0
  const { ref, legs, setupMs, ringMs, answeredMs, endedMs, completeness, ...rest } = call
  const { state: _state, transactionKey: _key, ...texts } = rest
  return {
    ...texts,
    cdrId: ref,
    toTags: (answered.length > 0 ? answered : legs).map((leg) => leg.tag),
    setupUnixMs: BigInt(setupMs),
    ringUnixMs: BigInt(ringMs),
    answeredUnixMs: BigInt(answeredMs),
    endedUnixMs: BigInt(endedMs),
    durationMs: BigInt(talkMs),
    state: completeness,
  }
}

/** The call as `ListCalls` shows it. */
export function liveCallOf(call: CallOnRecord, nowMs: number): LiveCall {
  return {
    callRef: call.ref,
    state: call.state === 'answered' ? 'answered' : 'setup',
    call: descriptionOf(call, nowMs),
    setupUnixMs: BigInt(call.setupMs),
    answeredUnixMs: BigInt(call.answeredMs),
  }
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
