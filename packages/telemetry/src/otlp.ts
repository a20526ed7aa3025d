// SPDX-License-Identifier: MIT
//
// The way out: OpenTelemetry's OTLP exporters over HTTP. Imported only when traces are on. What the settings leave open is read from the
// environment by the exporter itself: OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _TIMEOUT, _COMPRESSION, _CERTIFICATE and those for traces
// alone; OTEL_RESOURCE_ATTRIBUTES are added to the resource (but service.name is ours: one process may be several services).
import type { HrTime } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import type { SpanExporter } from './export-queue.ts'
import type { Span, SpanSource } from './span.ts'

export interface OtlpSettings {
  readonly protocol: 'http/protobuf' | 'http/json'
  /** Base URL, or the whole one; '' leaves it to the environment. */
  readonly endpoint: string
  /** Secret. */
  readonly headers: Readonly<Record<string, string>>
}

const TRACES_PATH = '/v1/traces'
const STATUS = { unset: 0, error: 2 } as const
const SCOPE = { name: 'tandem' }

/** `http://collector:4318` has the usual path; a URL with a path is taken as it is. */
export function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint)
  if (url.pathname === '/' || url.pathname === '') url.pathname = TRACES_PATH
  return url.href
}

/** Milliseconds to seconds and nanoseconds. */
export function hrTimeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000)
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)]
}

export function readableOf(span: Span, resource: Resource): ReadableSpan {
  const { traceId, spanId, parentSpanId, failure, attributes, events = [] } = span
  const place = (id: string) => ({ traceId, spanId: id, traceFlags: 1 })
  return {
    name: span.name,
    kind: span.kind,
    spanContext: () => place(spanId),
    ...(parentSpanId === '' ? {} : { parentSpanContext: place(parentSpanId) }),
    startTime: hrTimeOf(span.startMs),
    endTime: hrTimeOf(span.endMs),
    duration: hrTimeOf(Math.max(0, span.endMs - span.startMs)),
    status: failure === undefined ? { code: STATUS.unset } : { code: STATUS.error, message: failure },
    attributes,
    links: [],
    events: events.map((event) => ({ name: event.name, time: hrTimeOf(event.atMs), attributes: event.attributes })),
    ended: true,
    resource,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: span.droppedEvents,
    droppedLinksCount: 0,
  }
}

async function exporterOf({ protocol, endpoint, headers }: OtlpSettings) {
  const options = { ...(endpoint === '' ? {} : { url: tracesUrl(endpoint) }), headers }
  if (protocol === 'http/json') {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http')
    return new OTLPTraceExporter(options)
  }
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto')
  return new OTLPTraceExporter(options)
}

export async function createOtlpExporter(settings: OtlpSettings): Promise<SpanExporter> {
  const [exporter, resources] = await Promise.all([exporterOf(settings), import('@opentelemetry/resources')])
  const fromEnvironment = resources.detectResources({ detectors: [resources.envDetector] })
  const known = new Map<SpanSource, Resource>()
  const resourceOf = (source: SpanSource): Resource => {
    const own = { ...source.attributes, 'service.name': source.service }
    const resource = known.get(source) ?? fromEnvironment.merge(resources.resourceFromAttributes(own))
    known.set(source, resource)
    return resource
  }
  return {
    export: (spans) =>
      new Promise((resolve, reject) => {
        const readable = spans.map((span) => readableOf(span, resourceOf(span.source)))
        exporter.export(readable, ({ code, error }) => {
          if (code === 0) resolve()
          else reject(error ?? new Error('not delivered'))
        })
      }),
    close: () => exporter.shutdown(),
  }
}
