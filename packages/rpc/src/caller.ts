// SPDX-License-Identifier: MIT
//
// The interface between an edge and a service, the same in one process and over gRPC, and the handlers behind it.
// What every binding promises is written down as tests in caller-contract.ts.
import type { ServerSpan, TraceScope } from '@tandem/telemetry'
import type { BreakerState } from './breaker.ts'
import type { MethodMap, MethodName } from './method-map.ts'
import type { Result } from './result.ts'

export type OnResult<T> = (result: Result<T>) => void

/** @param ms from `call` to the result */
export type OnTimed = (method: string, ms: number) => void

/** Integers for metrics; all but the last two only grow. */
export interface CallerCounts {
  /** Calls accepted, each ended by exactly one result. */
  items: number
  /** Messages written (gRPC) or turns drained (in process). */
  batches: number
  refused: number
  unknown: number
  /** Sent once more, to another replica, because a stream broke. */
  repeated: number
  /** Sent once more, to another replica, because the first said nothing for half of its time. */
  hedged: number
  /** Ended at once as unknown, because nobody could be asked (circuit_open). */
  shunned: number
  /** Results that nobody waited for: too late, given twice, or of an item that never was. */
  late: number
  /** Sent and not ended. */
  inFlight: number
  /** Waiting to be sent. */
  queued: number
}

/** A replica as a caller sees it. `down`: no connection. */
export interface EndpointState {
  readonly address: string
  readonly state: BreakerState | 'down'
  /** How often its breaker opened. */
  readonly opened: number
}

/** Sends one item to the replica that pushed, and to no other. What comes of it is not told: whoever pushed asks again or does not. */
export type PushReply<M extends MethodMap> = <K extends MethodName<M>>(
  method: K,
  request: M[K]['request'],
  timeoutMs: number,
) => void

export interface Caller<M extends MethodMap, Push = never> {
  /**
   * Sends one item. `onResult` is called exactly once and never inside `call`.
   * @param timeoutMs after this long without a result the outcome is unknown (resolution: 10 ms)
   * @param trace on whose behalf; undefined where nothing is traced
   */
  call<K extends MethodName<M>>(
    method: K,
    request: M[K]['request'],
    timeoutMs: number,
    onResult: OnResult<M[K]['response']>,
    trace?: TraceScope | undefined,
  ): void
  /** `call` as a promise, for paths that are not hot. Never rejects. */
  invoke<K extends MethodName<M>>(
    method: K,
    request: M[K]['request'],
    timeoutMs: number,
  ): Promise<Result<M[K]['response']>>
  /** What the service sends unasked. */
  onPush(listener: (push: Push, reply: PushReply<M>) => void): void
  /** Whether a call made now has somebody to go to. */
  readonly ready: boolean
  onReadyChange(listener: (ready: boolean) => void): void
  readonly counts: Readonly<CallerCounts>
  /** One listener: told how long each call took from `call` to its result, whatever that was. */
  onTimed?(listener: OnTimed): void
  /** Tells the service, each of its replicas, that a call has failed whose spans it may hold. Best effort. */
  keepTrace?(traceId: string): void
  /** Every replica, where there are any to tell of. */
  endpoints?(): readonly EndpointState[]
  /** Ends every item that is left as unknown, then lets go of all connections. */
  close(): Promise<void>
}

export interface HandlerContext {
  /** Milliseconds that the caller goes on waiting. */
  readonly msLeft: number
  /** The edge id that the caller gave, or its address where it gave none. */
  readonly peer: string
  /** Where the request is traced. */
  readonly span?: ServerSpan | undefined
}

/** One function per item kind. One that answers without a promise is cheaper; a throw is a bug and ends as unknown. */
export type Handlers<M extends MethodMap> = {
  [K in MethodName<M>]: (
    request: M[K]['request'],
    context: HandlerContext,
  ) => Result<M[K]['response']> | Promise<Result<M[K]['response']>>
}

/** Told of exceptions out of handlers and listeners: bugs, to be logged loudly. */
export type OnBug = (error: unknown, where: string) => void

export const warnOfBug: OnBug = (error, where) => {
  process.emitWarning(error instanceof Error ? error : String(error), { code: 'TANDEM_RPC_BUG', detail: where })
}

export interface StreamHooks {
  /** A caller's stream has opened; it may be one of several by the same peer. */
  onStreamOpen?: (peer: string) => void
  /** A stream has closed: the caller left, died or can't be reached (DESIGN §4, membership); or this server ended it (`isOurs`). */
  onStreamClose?: (peer: string, isOurs: boolean) => void
}
