// SPDX-License-Identifier: MIT
//
// What requests between services hand on of a trace, explicitly: the caller's side makes a CLIENT span for each request, the service's
// side a SERVER span below it. All of it is undefined where nothing is traced.

/** How a request to a service ended, as far as a span says it. */
export interface CallOutcome {
  readonly outcome: 'done' | 'refused' | 'unknown'
  readonly refusal?: { readonly code: string; readonly sipStatus: number }
  readonly detail?: string
}

/** A request that is under way. */
export interface ClientSpan {
  readonly traceparent: string
  end(result: CallOutcome): void
}

/** On whose behalf a request is made. */
export interface TraceScope {
  /** @param service full name of the gRPC service */
  client(service: string, method: string): ClientSpan | undefined
}

/** A request that a service works on. */
export interface ServerSpan {
  readonly traceId: string
  /** `target` with a span below this one for each call of a method that returns something. */
  watch<T extends object>(target: T, name: string): T
  end(result: CallOutcome): void
}

/** What a service has of tracing. */
export interface ServerTracer {
  /** Undefined where `traceparent` is none. */
  server(service: string, method: string, traceparent: string, peer: string): ServerSpan | undefined
  /** Calls that failed, by a caller's word: trace ids with commas between them. */
  keep(traceIds: string): void
}
