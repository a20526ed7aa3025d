// SPDX-License-Identifier: MIT
//
// A span for each record that a sink has taken, at the end of its call's trace: sent where the call is sampled or has failed, as every
// process finds out for itself from the record.
import { randomSpanId, rootIdOf, SPAN_KIND, Span, type SpanSource, type Tracing } from '@tandem/telemetry'
import type { SinkRecord } from './sinks/sink.ts'

export class RecordTraces {
  readonly #tracing: Tracing
  readonly #source: SpanSource

  constructor(tracing: Tracing, source: SpanSource) {
    this.#tracing = tracing
    this.#source = source
  }

  /** Milliseconds since 1970, with a fraction. */
  now(): number {
    return this.#tracing.now()
  }

  /** @param startMs when the write began @param written the records that it took, of a batch of so many */
  onWritten(sink: string, written: readonly SinkRecord[], startMs: number, batchCount: number): void {
    const endMs = this.#tracing.now()
    for (const item of written) {
      const traceId = item.record.facts?.traceId ?? ''
      if (traceId === '' || !this.#isWanted(traceId, item.record.finalStatus)) continue
      const span = new Span(
        this.#source,
        traceId,
        randomSpanId(),
        rootIdOf(traceId),
        `record ${sink}`,
        SPAN_KIND.CONSUMER,
        startMs,
      )
      span.attributes['tandem.sink'] = sink
      span.attributes['tandem.call_ref'] = item.record.callRef
      span.attributes['tandem.record.age_ms'] = Math.max(0, Math.round(startMs - item.bornMs))
      span.attributes['tandem.record.batch'] = batchCount
      span.endMs = endMs
      this.#tracing.add(span, true)
    }
  }

  #isWanted(traceId: string, finalStatus: number): boolean {
    return this.#tracing.isSampled(traceId) || this.#tracing.keepsFailure(traceId, finalStatus)
  }
}
