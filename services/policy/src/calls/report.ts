// SPDX-License-Identifier: MIT
//
// Report: what became of a call. Every report carries the whole description of the call, so that one that comes alone or
// out of order still makes the record; the store keeps each call to exactly one. An answer is never refused: what is
// granted comes back as paidMs, absent for no limit. [STATE.md, Calls and money]
import { done, type policy, type Result } from '@tandem/rpc'
import { type ChargedCall, type Eventual, type ReportOutcome, whenStored } from '@tandem/store'
import { renewCall } from '../charging/renew.ts'
import { settleCall } from '../charging/settle.ts'
import type { PolicyContext } from '../context.ts'
import { refusal } from '../errors.ts'
import { noteCallEnd } from '../groups/logins.ts'
import { acknowledge } from './acknowledge.ts'

type Reported = Result<policy.ReportResponse>

const ACCEPTED: Reported = done({ paidMs: undefined })

/** undefined: a report that nobody can make sense of. */
function storeReport(context: PolicyContext, report: policy.ReportRequest): Eventual<ReportOutcome> | undefined {
  const { store } = context
  const { callRef, ageMs, event } = report
  if (callRef === '' || report.call === undefined || event === undefined) return undefined
  const about = { call: report.call, ageMs }
  if (event.$case === 'answered') return store.answered(callRef, { ...about, ...event.value })
  if (event.$case === 'ended') return store.ended(callRef, { ...about, ...event.value })
  if (event.$case === 'updated') return store.updated(callRef, { ...about, ...event.value })
  if (event.$case === 'acknowledged') return undefined
  return store.failed(callRef, { ...about, ...event.value })
}

/**
 * The INVITE has its final response: its transaction needs the frozen decision for stragglers only. Nobody waits for
 * this; when it is lost, the key goes at the end of its own time.
 */
function releaseTransaction(context: PolicyContext, transactionKey: string): void {
  if (transactionKey === '') return
  void whenStored(context.store.releaseMint(transactionKey, context.settings.mintKeepMs), (result) => {
    context.health.see(result)
  })
}

/** Of a charged call: what is granted to it, or what it has cost. A repeat finds the same. */
function chargeReport(context: PolicyContext, charged: ChargedCall): Reported | Promise<Reported> {
  if (charged.state === 'ended') {
    // Nobody waits for it: another node repeats what this one leaves undone.
    settleCall(context, charged).catch((error: unknown) => {
      context.counts.bugs++
      context.logger.error({ err: error }, 'a bug in policy')
    })
    return ACCEPTED
  }
  if (charged.state !== 'answered') return ACCEPTED
  return renewCall(context, charged, true).then((granted): Reported => {
    if (granted === undefined) return ACCEPTED
    return granted.state === 'stored' ? done({ paidMs: granted.value.paidMs }) : context.health.toResult(granted)
  })
}

export function report(context: PolicyContext, request: policy.ReportRequest): Reported | Promise<Reported> {
  const { counts } = context
  const { callRef, event } = request
  if (event?.$case === 'acknowledged') return acknowledge(context, callRef, event.value).then(() => ACCEPTED)
  const stored = storeReport(context, request)
  if (stored === undefined) return refusal('bad_report')
  return whenStored(stored, (result): Reported | Promise<Reported> => {
    if (!context.health.see(result)) return context.health.toResult(result)
    if (result.value.result === 'repeated') counts.reportsRepeated++
    if (result.value.result === 'ignored') counts.reportsIgnored++
    if (result.value.result === 'applied') releaseTransaction(context, result.value.transactionKey)
    if (result.value.workInMs !== undefined) context.work.schedule(callRef, result.value.workInMs)
    if (result.value.trunk !== undefined) context.trunks.callEnded(callRef, result.value.trunk)
    const talker = event?.$case === 'answered' ? event.value.answerer?.aor : result.value.answeredBy
    if (talker) noteCallEnd(context, talker)
    const { charged } = result.value
    return charged === undefined ? ACCEPTED : chargeReport(context, charged)
  })
}
