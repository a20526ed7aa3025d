// SPDX-License-Identifier: MIT
//
// Traces of one process: made once, used by every service in it, shown at /metrics, closed last.
import { hostname } from 'node:os'
import type { Config, Logger, Metrics, Part } from '@tandem/service-kit'
import { createTracing, ServiceTracer, type SpanSource, type Tracing } from '@tandem/telemetry'

/** How long the end of a process waits for spans that are ready. */
const CLOSE_MS = 2_000

/** Tells the processes of a service apart. */
export const instanceName = (): string => `${hostname()}-${process.pid}`

export interface Traces {
  /** Undefined where traces are off. */
  readonly tracing: Tracing | undefined
  readonly parts: readonly Part[]
}

export async function openTraces(config: Config, logger: Logger): Promise<Traces> {
  const tracing = await createTracing(config.telemetry, logger)
  if (tracing === undefined) return { tracing, parts: [] }
  return { tracing, parts: [{ name: 'traces', stop: () => tracing.close(CLOSE_MS) }] }
}

/** Makes the spans of a service; undefined where traces are off. @param instance tells its processes apart */
export function tracerOf(
  tracing: Tracing | undefined,
  service: string,
  cluster: string,
  instance: string,
): ServiceTracer | undefined {
  if (tracing === undefined) return undefined
  const attributes = { 'service.namespace': cluster, 'service.instance.id': instance }
  const source: SpanSource = { service: `tandem-${service}`, attributes }
  return new ServiceTracer(tracing, source)
}

/** Of a process that traces. */
export function registerTraces(metrics: Metrics, tracing: Tracing | undefined): void {
  if (tracing === undefined) return
  const { queue, hold, failures } = tracing
  metrics.labelledCounter(
    'tandem_traces_spans_total',
    'Spans by what became of them. sent: taken by the collector. dropped: did not fit into the queue. failed: could not be delivered. evicted: held and gave way to others. forgotten: held, and their call did not fail, as far as was heard in time.',
    'result',
    () => [
      ['sent', queue.counts.sent],
      ['dropped', queue.counts.dropped],
      ['failed', queue.counts.failed],
      ['evicted', hold.counts.evicted],
      ['forgotten', hold.counts.forgotten],
    ],
  )
  metrics.counter(
    'tandem_traces_failed_exports_total',
    'Batches of spans that could not be delivered.',
    () => queue.counts.failedExports,
  )
  metrics.counter(
    'tandem_traces_surplus_failures_total',
    'Failed calls whose traces were not sent, because there were more than telemetry.traces.maxFailuresPerSecond.',
    () => failures.surplus,
  )
  metrics.gauge('tandem_traces_spans_held', 'Spans of unsampled calls that are held.', () => hold.size)
  metrics.gauge('tandem_traces_spans_queued', 'Spans that wait to be sent.', () => queue.size)
}
