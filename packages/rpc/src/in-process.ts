// SPDX-License-Identifier: MIT
//
// The binding for one process: calls of one turn are handed to their handlers in one microtask, and a handler that answers
// without a promise costs none. A request belongs to its handler from `call` on and a response to its caller: neither side
// touches what it gave away; with `encoded` nothing is shared at all. Bytes that live in a receive ring are copied by
// whoever puts them into a request.
import { performance } from 'node:perf_hooks'
import type { ServerTracer, TraceScope } from '@tandem/telemetry'
import { BaseCaller } from './base-caller.ts'
import {
  type Caller,
  type HandlerContext,
  type Handlers,
  type OnBug,
  type OnResult,
  type StreamHooks,
  warnOfBug,
} from './caller.ts'
import { refusedBy, unknownBy } from './errors.ts'
import type { MethodMap, MethodName } from './method-map.ts'
import type { PendingCall } from './pending-call.ts'
import type { PushHub } from './push-hub.ts'
import type { Result } from './result.ts'
import type { StreamService } from './service.ts'
import { copyPush, copyRequest, copyResult } from './wire-copy.ts'

export interface InProcessOptions<Push> extends StreamHooks {
  /** Pass every request, response and push through encode and decode, so that nothing shares objects. */
  encoded?: boolean
  pushes?: PushHub<Push>
  /** What handlers see as `context.peer` and hooks are told. */
  peer?: string
  /** Calls queued and in progress, at most; then unknown (`queue_full`). */
  maxInFlight?: number
  /** Makes the service's spans of requests that are traced. */
  tracer?: ServerTracer | undefined
  onBug?: OnBug
}

const DEFAULT_MAX_IN_FLIGHT = 65_536
/** A microtask by way of it costs half of queueMicrotask, which makes an object for asynchronous hooks. */
const NOW = Promise.resolve()

type AnyHandler = (request: unknown, context: HandlerContext) => Result<unknown> | Promise<Result<unknown>>

class InProcessCaller<M extends MethodMap, U extends MethodMap, Push> extends BaseCaller<M, Push> {
  readonly #handlers: { readonly [method: string]: AnyHandler | undefined }
  readonly #encoded: StreamService<M, U, Push> | undefined
  readonly #name: string
  readonly #tracer: ServerTracer | undefined
  readonly #peer: string
  readonly #maxInFlight: number
  readonly #leave: () => void
  #turn: PendingCall[] = []
  readonly #inProgress = new Set<PendingCall>()
  readonly #drainTurn = (): void => this.#drain()

  constructor(service: StreamService<M, U, Push>, handlers: Handlers<M>, options: InProcessOptions<Push>) {
    super(service.name, options.onBug ?? warnOfBug)
    this.#handlers = handlers as unknown as { readonly [method: string]: AnyHandler }
    this.#encoded = options.encoded === true ? service : undefined
    this.#name = service.name
    this.#tracer = options.tracer
    this.#peer = options.peer ?? 'in-process'
    this.#maxInFlight = options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT
    const unsubscribe = options.pushes?.subscribe(this.#peer, (push) => this.#receivePush(push))
    this.#leave = () => {
      unsubscribe?.()
      options.onStreamClose?.(this.#peer, false)
    }
    this.setReady(true)
    options.onStreamOpen?.(this.#peer)
  }

  call<K extends MethodName<M>>(
    method: K,
    request: M[K]['request'],
    timeoutMs: number,
    onResult: OnResult<M[K]['response']>,
    trace?: TraceScope,
  ): void {
    const call = this.begin(method, request, timeoutMs, onResult, trace)
    if (this.closed) {
      this.finishLater(call, unknownBy('closed'))
      return
    }
    if (this.#turn.length + this.#inProgress.size >= this.#maxInFlight) {
      this.finishLater(call, unknownBy('queue_full'))
      return
    }
    if (this.#encoded !== undefined && !this.#copyRequest(call, this.#encoded)) return
    if (this.#turn.push(call) === 1) void NOW.then(this.#drainTurn)
    this.counts.queued++
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.setReady(false)
    for (const call of [...this.#turn, ...this.#inProgress]) this.finish(call, unknownBy('closed'))
    this.deadlines.clear()
    this.#leave()
  }

  keepTrace(traceId: string): void {
    this.#tracer?.keep(traceId)
  }

  protected forget(call: PendingCall): void {
    if (this.#inProgress.delete(call)) this.counts.inFlight--
  }

  #copyRequest(call: PendingCall, service: StreamService<M, U, Push>): boolean {
    try {
      call.request = copyRequest(service, call.method, call.request)
      return true
    } catch (error) {
      this.bug(error, `request of ${call.method}`)
      this.finishLater(call, refusedBy('bad_request'))
      return false
    }
  }

  /** Runs the handlers of one turn. What they call in turn waits for the next microtask. */
  #drain(): void {
    const turn = this.#turn
    this.#turn = []
    this.counts.batches++
    this.counts.queued -= turn.length
    const now = performance.now()
    for (const call of turn) if (call.onResult !== undefined) this.#run(call, now)
  }

  #run(call: PendingCall, now: number): void {
    const handler = this.#handlers[call.method]
    if (handler === undefined) {
      this.finish(call, refusedBy('unknown_method'))
      return
    }
    const msLeft = call.deadlineMs - now
    if (msLeft <= 0) {
      this.finish(call, unknownBy('timeout'))
      return
    }
    if (call.span !== undefined)
      call.served = this.#tracer?.server(this.#name, call.method, call.span.traceparent, this.#peer)
    try {
      const result = handler.call(this.#handlers, call.request, { msLeft, peer: this.#peer, span: call.served })
      if ('then' in result) this.#await(call, result)
      // What answers at once takes microseconds: one look at the clock does for all of a turn.
      else this.#settle(call, result, now)
    } catch (error) {
      this.#failed(call, error)
    }
  }

  #await(call: PendingCall, result: Promise<Result<unknown>>): void {
    this.#inProgress.add(call)
    this.counts.inFlight++
    this.deadlines.add(call)
    result.then(
      (value) => this.#settle(call, value),
      (error: unknown) => this.#failed(call, error),
    )
  }

  #settle(call: PendingCall, result: Result<unknown>, nowMs?: number): void {
    if (call.served !== undefined) call.served.end(result)
    if (call.onResult === undefined) this.counts.late++
    this.finish(call, this.#encoded === undefined ? result : this.#copyResult(call, result, this.#encoded), nowMs)
  }

  #copyResult(call: PendingCall, result: Result<unknown>, service: StreamService<M, U, Push>): Result<unknown> {
    try {
      return copyResult(service, call.method, result)
    } catch (error) {
      this.bug(error, `response of ${call.method}`)
      return unknownBy('handler_failed')
    }
  }

  #failed(call: PendingCall, error: unknown): void {
    this.bug(error, `handler of ${call.method}`)
    const result = unknownBy('handler_failed')
    if (call.served !== undefined) call.served.end(result)
    this.finish(call, result)
  }

  #receivePush(push: Push): void {
    const copy = this.#encoded === undefined ? push : copyPush(this.#encoded, push)
    queueMicrotask(() => {
      if (!this.closed) this.deliverPush(copy, (...item) => this.call(...item, () => undefined))
    })
  }
}

/** A caller whose handlers live in this process. */
export function createInProcess<M extends MethodMap, U extends MethodMap, Push>(
  service: StreamService<M, U, Push>,
  handlers: Handlers<M>,
  options: InProcessOptions<Push> = {},
): Caller<M, Push> {
  return new InProcessCaller(service, handlers, options)
}
