// SPDX-License-Identifier: MIT
//
// The end of a call on record (STATE.md, "End"): its report, behind which the BYE's final response waits, for `edge.reportDeadlineMs` at
// most. Where another edge has forwarded the BYE, which is gone when the answer comes, the BYE's Via carries the call's reference, and
// whether the caller sent it, so that whoever gets the answer can report the end.
//
// The parameter is no secret and proves nothing: policy takes an end for the record's own Call-ID and tags only, and these the
// branch proves. An end that is reported twice is one.

import type { policy } from '@tandem/rpc'
import { findParam, METHOD, ParamView, type SipMessage, type VerifiedToken } from '@tandem/sip'
import type { TraceScope } from '@tandem/telemetry'
import type { EdgeCore } from '../core.ts'
import { describeEndedCall, fromTag, toTag } from '../initial/describe.ts'

const param = new ParamView()
const NAME = 'end'

/** A BYE that the peer refuses ends nothing (STATE.md, "End"). */
export function endsCall(status: number): boolean {
  return (status >= 200 && status < 300) || status === 481 || status === 408
}

/** Adds it to a Via line of ours. */
export function withEnd(via: string, { callRef, isInitiatorA }: VerifiedToken): string {
  return `${via.slice(0, -2)};${NAME}=${isInitiatorA ? 'a' : 'b'}${callRef}\r\n`
}

/** @param goOn called once: the end is on record, policy will not have it, or it takes too long */
export function reportEnd(core: EdgeCore, report: policy.ReportRequest, goOn: () => void, trace?: TraceScope): void {
  let isWaiting = true
  const pass = (): void => {
    if (!isWaiting) return
    isWaiting = false
    clearTimeout(deadline)
    goOn()
  }
  const onLate = (): void => {
    core.counts.endsLate += 1
    pass()
  }
  const deadline = setTimeout(onLate, core.config.reportDeadlineMs)
  if (!core.reporter.report(report, pass, trace)) onLate()
}

/**
 * @param msg a response that goes on without a transaction
 * @returns the end that it means, where its call is on record
 */
export function endElsewhere(core: EdgeCore, msg: SipMessage): policy.ReportRequest | undefined {
  if (msg.method !== METHOD.BYE || !endsCall(msg.status)) return undefined
  if (!findParam(msg.buf, msg.viaBranchEnd, msg.viaEnd, NAME, param) || param.start < 0) return undefined
  const byCaller = msg.text(param.start, param.start + 1) === 'a'
  const callRef = msg.text(param.start + 1, param.end)
  const by = byCaller ? 'caller' : 'callee'
  const value = { fromTag: fromTag(msg), toTag: toTag(msg), by, status: msg.status, reason: '' }
  const call = describeEndedCall(msg, byCaller, core.edgeId)
  return { callRef, call, event: { $case: 'ended', value }, ageMs: 0 }
}
