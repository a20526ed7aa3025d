// SPDX-License-Identifier: MIT
//
// What the admin API counts.
import type { Metrics } from '@tandem/service-kit'
import type { AuditLog } from './audit/audit-log.ts'
import type { TokenGuard } from './tokens.ts'

export interface ConsoleCounts {
  /** By code of the outcome: `done`, or an error's. */
  readonly outcomes: Map<string, number>
  inProgress: number
}

export const createCounts = (): ConsoleCounts => ({ outcomes: new Map(), inProgress: 0 })

export function countOutcome({ outcomes }: ConsoleCounts, code: string): void {
  outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
}

export function registerCounts(
  metrics: Metrics,
  counts: ConsoleCounts,
  guard: () => TokenGuard['counts'] | undefined,
  audit: AuditLog,
): void {
  metrics.labelledCounter(
    'tandem_console_requests_total',
    'Requests of the admin API by outcome: done, or the code of an error.',
    'outcome',
    () => counts.outcomes,
  )
  metrics.gauge(
    'tandem_console_requests_in_progress',
    'Requests of the admin API in progress.',
    () => counts.inProgress,
  )
  metrics.counter(
    'tandem_console_wrong_tokens_total',
    'Tokens that are none of those configured.',
    () => guard()?.wrong ?? 0,
  )
  metrics.counter(
    'tandem_console_refused_sources_total',
    'Requests that were not looked at, after too many wrong tokens of their address.',
    () => guard()?.refused ?? 0,
  )
  metrics.counter('tandem_console_audit_lines_total', 'Lines written to the audit log.', () => audit.counts.lines)
  metrics.counter(
    'tandem_console_audit_failures_total',
    'Audit lines that could not be written.',
    () => audit.counts.failures,
  )
}
