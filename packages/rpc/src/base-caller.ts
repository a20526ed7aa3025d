// SPDX-License-Identifier: MIT
//
// What the bindings have in common: one result per call, deadlines, counts, listeners. Invariant: whoever ends a call goes
// through `finish`, which takes `onResult` off the call; a second end finds nothing. No result is delivered inside `call`:
// a binding that knows the result at once uses `finishLater`.
import { performance } from 'node:perf_hooks'
import type { TraceScope } from '@tandem/telemetry'
import type { Caller, CallerCounts, OnBug, OnResult, OnTimed, PushReply } from './caller.ts'
import { DeadlineList } from './deadline-list.ts'
import { unknownBy } from './errors.ts'
import type { MethodMap, MethodName } from './method-map.ts'
import { PendingCall } from './pending-call.ts'
import type { Result } from './result.ts'

export abstract class BaseCaller<M extends MethodMap, Push> implements Caller<M, Push> {
  readonly counts: CallerCounts = {
    items: 0,
    batches: 0,
    refused: 0,
    unknown: 0,
    repeated: 0,
    hedged: 0,
    shunned: 0,
    late: 0,
    inFlight: 0,
    queued: 0,
  }
  protected readonly deadlines: DeadlineList<PendingCall>
  protected closed = false
  readonly #service: string
  readonly #onBug: OnBug
  readonly #pushListeners: ((push: Push, reply: PushReply<M>) => void)[] = []
  readonly #readyListeners: ((ready: boolean) => void)[] = []
  #ended: { call: PendingCall; result: Result<unknown> }[] = []
  #ready = false
  #onTimed: OnTimed | undefined

  /** @param service its full name, for traces */
  constructor(service: string, onBug: OnBug) {
    this.#service = service
    this.#onBug = onBug
    this.deadlines = new DeadlineList(
      (call) => this.expire(call),
      () => performance.now(),
    )
  }

  abstract call<K extends MethodName<M>>(
    method: K,
    request: M[K]['request'],
    timeoutMs: number,
    onResult: OnResult<M[K]['response']>,
    trace?: TraceScope | undefined,
  ): void

  abstract close(): Promise<void>

  /** Takes a call off every list of the binding. */
  protected abstract forget(call: PendingCall): void

  invoke<K extends MethodName<M>>(
    method: K,
    request: M[K]['request'],
    timeoutMs: number,
  ): Promise<Result<M[K]['response']>> {
    return new Promise((resolve) => this.call(method, request, timeoutMs, resolve))
  }

  onPush(listener: (push: Push, reply: PushReply<M>) => void): void {
    this.#pushListeners.push(listener)
  }

  onTimed(listener: OnTimed): void {
    this.#onTimed = listener
  }

  onReadyChange(listener: (ready: boolean) => void): void {
    this.#readyListeners.push(listener)
  }

  get ready(): boolean {
    return this.#ready
  }

  protected setReady(ready: boolean): void {
    if (ready === this.#ready) return
    this.#ready = ready
    for (const listener of this.#readyListeners) this.guard('onReadyChange', () => listener(ready))
  }

  protected deliverPush(push: Push, reply: PushReply<M>): void {
    for (const listener of this.#pushListeners) this.guard('onPush', () => listener(push, reply))
  }

  protected guard(where: string, run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#onBug(error, where)
    }
  }

  protected bug(error: unknown, where: string): void {
    this.#onBug(error, where)
  }

  protected begin(
    method: string,
    request: unknown,
    timeoutMs: number,
    onResult: OnResult<never>,
    trace: TraceScope | undefined,
  ): PendingCall {
    this.counts.items++
    const now = performance.now()
    const call = new PendingCall(method, request, now, now + timeoutMs, onResult)
    if (trace !== undefined) call.span = trace.client(this.#service, method)
    return call
  }

  /** The deadline that a call is listed with is over. */
  protected expire(call: PendingCall): void {
    this.finish(call, unknownBy('timeout'))
  }

  /** Ends a call, once. @param nowMs where somebody has just looked at the clock */
  protected finish(call: PendingCall, result: Result<unknown>, nowMs?: number): void {
    const { onResult } = call
    if (onResult === undefined) return
    this.deadlines.remove(call)
    this.forget(call)
    call.onResult = undefined
    call.request = undefined
    if (call.span !== undefined) call.span.end(result)
    if (result.outcome === 'refused') this.counts.refused++
    else if (result.outcome === 'unknown') this.counts.unknown++
    if (this.#onTimed !== undefined) this.#onTimed(call.method, (nowMs ?? performance.now()) - call.madeMs)
    try {
      onResult(result as Result<never>)
    } catch (error) {
      this.#onBug(error, `onResult of ${call.method}`)
    }
  }

  /** Ends a call after the present turn; all of a turn share one microtask. */
  protected finishLater(call: PendingCall, result: Result<unknown>): void {
    if (this.#ended.push({ call, result }) === 1) queueMicrotask(() => this.#finishEnded())
  }

  #finishEnded(): void {
    const ended = this.#ended
    this.#ended = []
    for (const { call, result } of ended) this.finish(call, result)
  }
}
