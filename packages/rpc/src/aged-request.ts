// SPDX-License-Identifier: MIT
//
// Ages in requests to policy are those of the moment at which they were handed over. Whatever waited since, at the sender or on the
// way, is added: a report is dated by the store's time less its age. [STATE.md, Time]
import type { ReportRequest, TrunkAttemptRequest } from './gen/tandem/policy/v1/policy.ts'

/** An age that nobody knows does not grow. */
const UNKNOWN = 0xffff_ffff

const grown = (ageMs: number, laterMs: number): number =>
  ageMs === UNKNOWN ? UNKNOWN : Math.min(UNKNOWN - 1, ageMs + laterMs)

/** The same report so much later. */
export function agedReport(report: ReportRequest, laterMs: number): ReportRequest {
  const { call } = report
  return {
    ...report,
    ageMs: grown(report.ageMs, laterMs),
    call: call && {
      ...call,
      setupAgeMs: grown(call.setupAgeMs, laterMs),
      ringAgeMs: grown(call.ringAgeMs, laterMs),
    },
  }
}

export function agedRequest(method: string, request: unknown, laterMs: number): unknown {
  if (method === 'report') return agedReport(request as ReportRequest, laterMs)
  if (method !== 'trunkAttempt') return request
  const attempt = request as TrunkAttemptRequest
  return { ...attempt, ageMs: grown(attempt.ageMs, laterMs) }
}
