// SPDX-License-Identifier: MIT
//
// Call events on their way to policy (STATE.md, "Calls and money"): each is sent until it is stored or refused, in a bounded
// queue, with its age counted by the monotonic clock. Every report carries the whole call, so that any of them makes a record.
// Races: policy may store a report whose result is lost; the repeat has the same key and changes nothing.

import { agedReport, type Caller, type PolicyMethods, type policy, type Result } from '@tandem/rpc'
import type { Logger } from '@tandem/service-kit'
import type { TraceScope } from '@tandem/telemetry'

export interface ReporterOptions {
  readonly policy: Caller<PolicyMethods, policy.Push>
  readonly timeoutMs: number
  readonly logger: Logger
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Reports that wait or are under way, at most; beyond it a new one is dropped, counted and logged. */
  readonly capacity?: number
}

/** 'stored': on record. 'refused': policy will not have it (counted). */
export type ReportOutcome = 'stored' | 'refused'

interface Pending {
  readonly request: policy.ReportRequest
  readonly atMs: number
  readonly onOutcome: ((outcome: ReportOutcome) => void) | undefined
  readonly trace: TraceScope | undefined
  attempt: number
}

const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 5_000
const DEFAULT_CAPACITY = 100_000

export class Reporter {
  readonly counts = { reports: 0, stored: 0, refused: 0, retries: 0, dropped: 0 }
  private readonly options: ReporterOptions
  private readonly capacity: number
  private readonly waiting = new Set<NodeJS.Timeout>()
  private pendingCount = 0
  private closed = false
  private onIdle: (() => void) | undefined

  constructor(options: ReporterOptions) {
    this.options = options
    this.capacity = options.capacity ?? DEFAULT_CAPACITY
  }

  get pending(): number {
    return this.pendingCount
  }

  /**
   * Sends `request` until policy has taken it.
   *
   * @param onOutcome told once, unless the report had to be dropped
   * @returns false when the queue is full
   */
  report(request: policy.ReportRequest, onOutcome?: (outcome: ReportOutcome) => void, trace?: TraceScope): boolean {
    if (this.pendingCount >= this.capacity) {
      this.counts.dropped += 1
      this.options.logger.error({ callRef: request.callRef }, 'report dropped: policy is away and the queue is full')
      return false
    }
    this.pendingCount += 1
    this.counts.reports += 1
    this.send({ request, atMs: this.options.now(), onOutcome, trace, attempt: 0 })
    return true
  }

  /** Resolves once nothing waits any more, or after `withinMs`. What is left then is said by the result. */
  async drain(withinMs: number): Promise<number> {
    if (this.pendingCount === 0) return 0
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs)
      this.onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    return this.pendingCount
  }

  close(): void {
    this.closed = true
    for (const timer of this.waiting) clearTimeout(timer)
    this.waiting.clear()
  }

  private send(pending: Pending): void {
    const { policy, now, timeoutMs } = this.options
    const elapsed = Math.max(0, Math.round(now() - pending.atMs))
    const request = elapsed === 0 ? pending.request : agedReport(pending.request, elapsed)
    const onResult = (result: Result<policy.ReportResponse>): void => {
      if (result.outcome === 'unknown' || (result.outcome === 'refused' && result.refusal.sipStatus >= 500)) {
        return this.retry(pending)
      }
      if (result.outcome === 'refused')
        this.options.logger.error({ callRef: request.callRef, refusal: result.refusal }, 'policy refused a report')
      this.settle(pending, result.outcome === 'done' ? 'stored' : 'refused')
    }
    policy.call('report', request, timeoutMs, onResult, pending.trace)
  }

  private settle(pending: Pending, outcome: ReportOutcome): void {
    this.pendingCount -= 1
    this.counts[outcome] += 1
    pending.onOutcome?.(outcome)
    if (this.pendingCount === 0) this.onIdle?.()
  }

  private retry(pending: Pending): void {
    if (this.closed) return
    this.counts.retries += 1
    const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** pending.attempt)
    pending.attempt += 1
    const timer = setTimeout(() => {
      this.waiting.delete(timer)
      this.send(pending)
    }, wait)
    this.waiting.add(timer)
  }
}
