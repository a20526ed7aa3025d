// SPDX-License-Identifier: MIT
//
// For tests: an exporter that keeps what it gets, settings, and a tracing with both.
import type { SpanExporter } from './export-queue.ts'
import type { Span } from './span.ts'
import { type TraceSettings, Tracing } from './tracing.ts'

export const TEST_SETTINGS: TraceSettings = {
  sampleRatio: 1,
  keepFailures: true,
  normalStatuses: [401, 407, 480, 486, 487, 600, 603],
  maxFailuresPerSecond: 100,
  maxSpansHeld: 1_000,
  holdMs: 10_000,
  maxSpansQueued: 1_000,
  users: false,
}

export class KeptSpans implements SpanExporter {
  readonly spans: Span[] = []
  closed = false

  async export(spans: readonly Span[]): Promise<void> {
    this.spans.push(...spans)
  }

  async close(): Promise<void> {
    this.closed = true
  }
}

/** Nobody listens. */
export const NO_LOG = { info: () => undefined, warn: () => undefined }

/** @param now milliseconds, a test's own clock */
export function testTracing(settings: Partial<TraceSettings> = {}, now?: () => number) {
  const exporter = new KeptSpans()
  const tracing = new Tracing({ ...TEST_SETTINGS, ...settings }, exporter, NO_LOG, now)
  /** What was sent, once everything is. */
  const sent = async (): Promise<Span[]> => {
    await tracing.close(1_000)
    return exporter.spans
  }
  return { tracing, exporter, sent }
}
