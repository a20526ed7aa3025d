// SPDX-License-Identifier: MIT
// What is due at a call before its end: hang-up, warning, probe; as arithmetic on the call. Who stores it is memory/calls.ts. The
// Redis store does the same in redis/scripts/call-work.ts; the contract suite holds the two together.
//
// Rules: an answer plans the hang-up of its maximum duration; a hang-up that an edge has been told of is not put off any more;
// traffic inside the dialog counts as life, and puts the next probe off; the end of a call of which nobody is left is its last sign of life.

import { type CallOnRecord, type CallPlan, livingDialogs } from '../call-record.ts'
import type { CallWork, HangUpWish, ProbeFinding, UpdatedReport } from '../types.ts'

/** Probes without any answer, one after another, that end a call. */
export const SILENT_PROBES = 2
/** A silent probe is repeated after this, if the interval is longer. */
export const SILENT_RETRY_MS = 60_000

/** Plans are shared until one changes. */
export function change(call: CallOnRecord, changes: Partial<CallPlan>): void {
  call.plan = { ...call.plan, ...changes }
}

export function planAtAnswer(call: CallOnRecord, answeredMs: number, nowMs: number): void {
  const { plan } = call
  const { maxDurationMs, maxDurationReason, livenessMs } = plan
  if (livenessMs > 0) change(call, { probeAtMs: nowMs + livenessMs, lifeMs: nowMs })
  if (maxDurationMs > 0) planHangUp(call, maxDurationReason, answeredMs + maxDurationMs)
}

export function postpone(call: CallOnRecord, inMs: number, isUncounted: boolean, nowMs: number): void {
  const { hangUpAttempts: attempts } = call.plan
  if (attempts === 0) return
  const hangUpAttempts = isUncounted ? Math.max(1, attempts - 1) : attempts
  change(call, { hangUpAtMs: nowMs + inMs, hangUpAttempts })
}

/** The earlier of two reasons stays; of the same reason the later wish. */
export function planHangUp(call: CallOnRecord, reason: string, atMs: number): void {
  const { hangUpAtMs, hangUpReason, hangUpAttempts, warnMs } = call.plan
  if (hangUpAttempts > 0 || (hangUpAtMs > 0 && hangUpReason !== reason && hangUpAtMs <= atMs)) return
  const warnAtMs = warnMs > 0 && call.state === 'answered' ? atMs - warnMs : 0
  change(call, { hangUpAtMs: atMs, hangUpReason: reason, warnAtMs })
}

export function applyWish(call: CallOnRecord, wish: HangUpWish, nowMs: number): void {
  planHangUp(call, wish.reason, nowMs + wish.inMs)
}

/** The nearest thing that is due: the end deadline included. */
export function nearestOf({ plan }: CallOnRecord, endMs: number): number {
  let nearest = endMs
  for (const atMs of [plan.hangUpAtMs, plan.warnAtMs, plan.probeAtMs, plan.chargeAtMs]) {
    if (atMs > 0 && atMs < nearest) nearest = atMs
  }
  return nearest
}

/** Until a hang-up or a warning is due. */
export function workInMs({ plan: { hangUpAtMs, warnAtMs } }: CallOnRecord, nowMs: number): number | undefined {
  if (hangUpAtMs === 0) return undefined
  return Math.max(0, (warnAtMs > 0 ? Math.min(warnAtMs, hangUpAtMs) : hangUpAtMs) - nowMs)
}

/** Takes what is due; undefined for nothing. */
export function takeWork(
  call: CallOnRecord,
  leaseMs: number,
  nowMs: number,
): Omit<CallWork, 'call' | 'transactionKey'> | undefined {
  const { hangUpAtMs, hangUpReason, hangUpAttempts, hangUpSinceMs, warnAtMs, probeAtMs } = call.plan
  const common = { dialogs: livingDialogs(call.legs), reason: hangUpReason, attempt: 0, leftMs: 0 }
  if (isDue(hangUpAtMs, nowMs)) {
    const attempt = hangUpAttempts + 1
    const since = hangUpSinceMs || nowMs
    change(call, { hangUpAtMs: nowMs + leaseMs, hangUpAttempts: attempt, hangUpSinceMs: since, warnAtMs: 0 })
    return { ...common, kind: 'hangUp', attempt }
  }
  if (call.state !== 'answered') return undefined
  if (isDue(warnAtMs, nowMs)) {
    change(call, { warnAtMs: 0 })
    return { ...common, kind: 'warn', leftMs: hangUpAtMs - nowMs }
  }
  if (!isDue(probeAtMs, nowMs)) return undefined
  change(call, { probeAtMs: nowMs + call.plan.livenessMs })
  return { ...common, kind: 'probe', reason: '' }
}

const isDue = (atMs: number, nowMs: number): boolean => atMs > 0 && atMs <= nowMs

/** The record ends as of the last sign of life, or now where there is none. */
export function endUnclaimed(call: CallOnRecord, reason: string, atMs: number): void {
  call.endedMs = Math.max(atMs, call.answeredMs, call.setupMs)
  call.endedBy = 'system'
  call.reason = reason
  call.state = 'finished'
  call.outcome = call.answeredMs > 0 ? 'answered' : 'error'
  call.completeness = 'recovered'
}

/** What a message of the dialog, or a probe, says. @returns whether the call is over */
export function applyLife(call: CallOnRecord, found: ProbeFinding, nowMs: number): boolean {
  const { livenessMs, silentProbes, probeAtMs } = call.plan
  if (found === 'gone') return true
  if (found === 'alive') {
    const next = livenessMs > 0 && probeAtMs > 0 ? nowMs + livenessMs : probeAtMs
    change(call, { lifeMs: nowMs, silentProbes: 0, probeAtMs: next })
    return false
  }
  const retryMs = Math.min(livenessMs, SILENT_RETRY_MS)
  change(call, { silentProbes: silentProbes + 1, probeAtMs: nowMs + retryMs })
  return silentProbes + 1 >= SILENT_PROBES
}

/** @returns false where no such leg lives */
export function applyUpdate(call: CallOnRecord, report: UpdatedReport, nowMs: number): boolean {
  const leg = call.legs.find(({ tag, answered, endedMs }) => tag === report.toTag && answered && endedMs === 0)
  if (leg === undefined) return false
  if (leg.dialog?.caller !== undefined && leg.dialog.callee !== undefined) {
    const caller = { ...leg.dialog.caller }
    const callee = { ...leg.dialog.callee }
    const sender = report.byCaller ? caller : callee
    if (report.cseq >= sender.cseq) {
      sender.cseq = report.cseq
      if (report.callerTarget !== '') caller.target = report.callerTarget
      if (report.calleeTarget !== '') callee.target = report.calleeTarget
      leg.dialog = { ...leg.dialog, caller, callee }
    }
  }
  if (nowMs - report.ageMs > call.plan.lifeMs) applyLife(call, 'alive', nowMs)
  return true
}

/** The hang-up that an edge was told of has ended it. */
export function endedByPlan(call: CallOnRecord): void {
  call.endedBy = 'system'
  if (call.reason === '') call.reason = call.plan.hangUpReason
}
