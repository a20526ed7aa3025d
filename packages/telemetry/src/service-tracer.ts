// SPDX-License-Identifier: MIT
//
// The service's side of requests: a SERVER span below the span that the caller names, and below that one span for each operation of the
// store. Bound: operations of one request that get a span.
import { randomSpanId } from './ids.ts'
import type { CallOutcome, ServerSpan, ServerTracer } from './scopes.ts'
import { SPAN_KIND, Span, type SpanSource } from './span.ts'
import { parseTraceparent } from './traceparent.ts'
import type { Tracing } from './tracing.ts'

const MAX_OPERATIONS = 48

/** Ends a span with what a request came to. */
export function noteOutcome(span: Span, { outcome, refusal, detail }: CallOutcome): void {
  if (outcome === 'done') return
  span.attributes['tandem.outcome'] = outcome
  if (refusal !== undefined) span.attributes['tandem.refusal.code'] = refusal.code
  const isFault = refusal === undefined || refusal.sipStatus >= 500
  if (isFault) span.failure = refusal?.code ?? detail ?? outcome
}

class ServedSpan implements ServerSpan {
  readonly traceId: string
  readonly #tracing: Tracing
  readonly #span: Span
  readonly #sampled: boolean
  #operations = 0

  constructor(tracing: Tracing, span: Span, sampled: boolean) {
    this.traceId = span.traceId
    this.#tracing = tracing
    this.#span = span
    this.#sampled = sampled
  }

  watch<T extends object>(target: T, name: string): T {
    return new Proxy(target, {
      get: (of, key) => {
        const member: unknown = Reflect.get(of, key)
        if (typeof member !== 'function' || typeof key !== 'string') return member
        return (...args: unknown[]) => this.#timed(`${name} ${key}`, () => Reflect.apply(member, of, args))
      },
    })
  }

  #timed(name: string, run: () => unknown): unknown {
    if (this.#operations >= MAX_OPERATIONS) return run()
    this.#operations += 1
    const { source, traceId } = this.#span
    const nowMs = this.#tracing.now()
    const span = new Span(source, traceId, randomSpanId(), this.#span, name, SPAN_KIND.CLIENT, nowMs)
    const result = run()
    if (result instanceof Promise)
      return result.then(
        (value) => this.#ended(span, value),
        (error: unknown) => this.#failed(span, error),
      )
    return this.#ended(span, result)
  }

  #failed(span: Span, error: unknown): never {
    span.failure = String(error)
    this.#ended(span, undefined)
    throw error
  }

  #ended<T>(span: Span, value: T): T {
    const state = stateOf(value)
    if (state !== '' && state !== 'stored') span.failure = state
    span.endMs = this.#tracing.now()
    this.#tracing.add(span, this.#sampled)
    return value
  }

  end(result: CallOutcome): void {
    noteOutcome(this.#span, result)
    this.#span.endMs = this.#tracing.now()
    this.#tracing.add(this.#span, this.#sampled)
  }
}

/** How a store says that it could not: `{ state: 'unknown' }`; '' for what says nothing. */
function stateOf(value: unknown): string {
  if (typeof value !== 'object' || value === null || !('state' in value)) return ''
  return typeof value.state === 'string' ? value.state : ''
}

export class ServiceTracer implements ServerTracer {
  readonly #tracing: Tracing
  readonly #source: SpanSource

  constructor(tracing: Tracing, source: SpanSource) {
    this.#tracing = tracing
    this.#source = source
  }

  server(service: string, method: string, traceparent: string, peer: string): ServerSpan | undefined {
    const place = parseTraceparent(traceparent)
    if (place === undefined || !this.#tracing.wants(place.sampled)) return undefined
    const name = `${service}/${method}`
    const span = new Span(
      this.#source,
      place.traceId,
      randomSpanId(),
      place.spanId,
      name,
      SPAN_KIND.SERVER,
      this.#tracing.now(),
    )
    span.attributes['rpc.system'] = 'grpc'
    span.attributes['rpc.service'] = service
    span.attributes['rpc.method'] = method
    span.attributes['tandem.peer'] = peer
    return new ServedSpan(this.#tracing, span, place.sampled)
  }

  keep(traceIds: string): void {
    for (const traceId of traceIds.split(',')) if (traceId !== '') this.#tracing.keep(traceId)
  }
}
