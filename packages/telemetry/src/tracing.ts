// SPDX-License-Identifier: MIT
//
// What one process does with spans: those of sampled traces go to the exporter, others are held until their call is known to have
// failed. One object for all services of the process; each makes spans with a source of its own.
import { ExportQueue, type SpanExporter } from './export-queue.ts'
import { FailureFilter } from './failures.ts'
import { Hold } from './hold.ts'
import { isSampledId } from './ids.ts'
import type { Span } from './span.ts'

export interface TraceSettings {
  /** 0 to 1: share of the calls whose traces are sent whatever becomes of them. */
  readonly sampleRatio: number
  /** Calls that fail are sent too. */
  readonly keepFailures: boolean
  /** Final statuses from 400 that are no failure. */
  readonly normalStatuses: readonly number[]
  readonly maxFailuresPerSecond: number
  readonly maxSpansHeld: number
  readonly holdMs: number
  readonly maxSpansQueued: number
  /** Spans say who calls whom. */
  readonly users: boolean
}

interface Log {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
}

const MAX_BATCH_SPANS = 512
const INTERVAL_MS = 1_000
/** A wall clock that was set is followed. */
const CLOCK_STEP_MS = 50

export class Tracing {
  readonly settings: TraceSettings
  readonly failures: FailureFilter
  readonly queue: ExportQueue
  readonly hold: Hold
  readonly #now: (() => number) | undefined
  #offsetMs = Date.now() - performance.now()

  /** @param now milliseconds since 1970, with a fraction; a test's own clock */
  constructor(settings: TraceSettings, exporter: SpanExporter, log: Log, now?: () => number) {
    this.settings = settings
    this.failures = new FailureFilter(settings.normalStatuses, settings.maxFailuresPerSecond)
    const { maxSpansQueued } = settings
    const queueSettings = { maxSpansQueued, maxBatchSpans: MAX_BATCH_SPANS, intervalMs: INTERVAL_MS }
    this.queue = new ExportQueue(exporter, queueSettings, log)
    this.hold = new Hold(settings, (span) => this.queue.push(span))
    this.#now = now
  }

  /** Milliseconds since 1970, finer than Date.now(). */
  now(): number {
    if (this.#now !== undefined) return this.#now()
    const nowMs = performance.now() + this.#offsetMs
    const driftMs = Date.now() - nowMs
    if (Math.abs(driftMs) < CLOCK_STEP_MS) return nowMs
    this.#offsetMs += driftMs
    return nowMs + driftMs
  }

  isSampled(traceId: string): boolean {
    return isSampledId(traceId, this.settings.sampleRatio)
  }

  /** Nothing of a trace that is neither sampled nor may be kept need be made. */
  wants(sampled: boolean): boolean {
    return sampled || this.settings.keepFailures
  }

  /** An ended span of a trace whose end is not known yet. */
  add(span: Span, sampled: boolean): void {
    if (sampled) this.queue.push(span)
    else if (this.settings.keepFailures) this.hold.add(span, span.endMs)
  }

  /** Whether what ended so is to be sent though it is not sampled; counts against the bound. */
  keepsFailure(traceId: string, status: number): boolean {
    if (!this.settings.keepFailures || !this.failures.isFailure(status)) return false
    return this.hold.isKept(traceId) || this.failures.admits(this.now())
  }

  keep(traceId: string): void {
    if (this.settings.keepFailures) this.hold.keep(traceId, this.now())
  }

  forget(traceId: string): void {
    this.hold.forget(traceId)
  }

  /** Sends what is ready; what is held is lost. */
  async close(withinMs: number): Promise<void> {
    await this.queue.close(withinMs)
  }
}
