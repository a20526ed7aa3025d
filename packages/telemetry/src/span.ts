// SPDX-License-Identifier: MIT
//
// A span as it is while nobody knows yet whether it will be sent: a plain object. What OpenTelemetry's exporter wants is made of it when it
// leaves (otlp.ts). Events have a bound; times are milliseconds since 1970 with a fraction.
import { formatTraceparent } from './traceparent.ts'

/** As OpenTelemetry numbers them. */
export const SPAN_KIND = { INTERNAL: 0, SERVER: 1, CLIENT: 2, PRODUCER: 3, CONSUMER: 4 } as const
export type SpanKind = (typeof SPAN_KIND)[keyof typeof SPAN_KIND]

export type AttributeValue = string | number | boolean
export type Attributes = Readonly<Record<string, AttributeValue>>

export interface SpanEvent {
  readonly name: string
  readonly atMs: number
  readonly attributes: Attributes
}

/** Whose spans they are: the resource of OpenTelemetry. */
export interface SpanSource {
  readonly service: string
  readonly attributes: Attributes
}

const MAX_EVENTS = 32
const NONE: Attributes = {}

export class Span {
  readonly source: SpanSource
  readonly traceId: string
  /** May change until it is sent. */
  spanId: string
  /** In this process; goes before `parentId`. */
  readonly parent: Span | undefined
  /** Of a span elsewhere, '' for none. */
  readonly parentId: string
  readonly name: string
  readonly kind: SpanKind
  readonly startMs: number
  endMs = 0
  readonly attributes: Record<string, AttributeValue> = {}
  events: SpanEvent[] | undefined = undefined
  droppedEvents = 0
  /** Why it failed; undefined: it did not. */
  failure: string | undefined = undefined

  constructor(
    source: SpanSource,
    traceId: string,
    spanId: string,
    parent: Span | string,
    name: string,
    kind: SpanKind,
    startMs: number,
  ) {
    this.source = source
    this.traceId = traceId
    this.spanId = spanId
    this.parent = typeof parent === 'string' ? undefined : parent
    this.parentId = typeof parent === 'string' ? parent : ''
    this.name = name
    this.kind = kind
    this.startMs = startMs
  }

  /** '' for none. */
  get parentSpanId(): string {
    return this.parent?.spanId ?? this.parentId
  }

  event(name: string, atMs: number, attributes: Attributes = NONE): void {
    this.events ??= []
    if (this.events.length < MAX_EVENTS) this.events.push({ name, atMs, attributes })
    else this.droppedEvents += 1
  }

  traceparent(sampled: boolean): string {
    return formatTraceparent(this.traceId, this.spanId, sampled)
  }
}
