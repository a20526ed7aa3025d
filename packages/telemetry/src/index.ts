// SPDX-License-Identifier: MIT
//
// Traces of calls: what makes spans, holds them, samples them, and sends them. OpenTelemetry's own packages are loaded by `createTracing`
// alone, and only where traces are on.
export { createTracing, type TelemetryConfig } from './create.ts'
export { isSampledId, randomSpanId, rootIdOf, spanIdOf, traceIdOf } from './ids.ts'
export type { CallOutcome, ClientSpan, ServerSpan, ServerTracer, TraceScope } from './scopes.ts'
export { noteOutcome, ServiceTracer } from './service-tracer.ts'
export { type Attributes, type AttributeValue, SPAN_KIND, Span, type SpanSource } from './span.ts'
export { type TraceSettings, Tracing } from './tracing.ts'
