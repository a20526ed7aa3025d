// SPDX-License-Identifier: MIT
//
// Unary methods as a caller: admin calls, and policy services that customers wrote in twenty lines of any language.
// A gRPC error with our refusal trailer is that refusal; UNIMPLEMENTED and INVALID_ARGUMENT are refusals too; any other
// error is unknown, because the service may have acted. One call costs several times an item on a stream (docs/rpc.md).

import type { ServiceError } from '@grpc/grpc-js'
import { type Client, status } from '@grpc/grpc-js'
import type { TraceScope } from '@tandem/telemetry'
import { BaseCaller } from './base-caller.ts'
import { type Caller, type OnResult, warnOfBug } from './caller.ts'
import { createClient, peerMetadata, REFUSAL_KEY } from './channel.ts'
import { refusedBy, unknownBy } from './errors.ts'
import { Refusal } from './gen/tandem/location/v1/location.ts'
import type { MethodMap, MethodName } from './method-map.ts'
import { CALLER_DEFAULTS, type StreamCallerOptions } from './options.ts'
import type { PendingCall } from './pending-call.ts'
import { done, type Result } from './result.ts'
import type { StreamService, UnaryDefinition } from './service.ts'

class UnaryCaller<M extends MethodMap, U extends MethodMap, Push> extends BaseCaller<U, never> {
  readonly #service: StreamService<M, U, Push>
  readonly #client: Client
  readonly #peer: string
  readonly #maxInFlight: number
  readonly #inFlight = new Set<PendingCall>()

  constructor(service: StreamService<M, U, Push>, address: string, options: StreamCallerOptions) {
    super(service.name, options.onBug ?? warnOfBug)
    const limits = { ...CALLER_DEFAULTS, ...options }
    this.#service = service
    this.#peer = options.peer
    this.#maxInFlight = limits.maxInFlightPerStream
    this.#client = createClient(address, limits, options.credentials)
    this.#watch()
  }

  call<K extends MethodName<U>>(
    method: K,
    request: U[K]['request'],
    timeoutMs: number,
    onResult: OnResult<U[K]['response']>,
    trace?: TraceScope,
  ): void {
    const call = this.begin(method, request, timeoutMs, onResult, trace)
    const definition = this.#service.definition[method]
    if (this.closed) {
      this.finishLater(call, unknownBy('closed'))
      return
    }
    if (definition === undefined) {
      this.finishLater(call, refusedBy('unknown_method'))
      return
    }
    if (this.#inFlight.size >= this.#maxInFlight) {
      this.finishLater(call, unknownBy('queue_full'))
      return
    }
    this.#send(call, definition, timeoutMs)
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    for (const call of this.deadlines.clear()) this.finish(call, unknownBy('closed'))
    this.#client.close()
    this.setReady(false)
  }

  protected forget(call: PendingCall): void {
    if (this.#inFlight.delete(call)) this.counts.inFlight--
  }

  #send(call: PendingCall, definition: UnaryDefinition, timeoutMs: number): void {
    let bytes: Buffer
    try {
      bytes = definition.requestSerialize(call.request)
    } catch (error) {
      this.bug(error, `request of ${call.method}`)
      this.finishLater(call, refusedBy('bad_request'))
      return
    }
    this.#inFlight.add(call)
    this.counts.inFlight++
    this.counts.batches++
    this.deadlines.add(call)
    this.#client.makeUnaryRequest(
      definition.path,
      (body: Buffer) => body,
      (body: Buffer) => definition.responseDeserialize(body),
      bytes,
      peerMetadata(this.#peer, call.span?.traceparent),
      { deadline: Date.now() + timeoutMs },
      (error: ServiceError | null, value?: unknown) =>
        this.finishLater(call, error === null ? done(value) : resultOfError(error)),
    )
  }

  /** Connects at once, and tells when the channel comes and goes. */
  #watch(): void {
    const channel = this.#client.getChannel()
    const READY = 2
    const watch = () => {
      if (this.closed) return
      const state = channel.getConnectivityState(true)
      this.setReady(state === READY)
      channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, watch)
    }
    watch()
  }
}

/** What a failed unary call says. */
export function resultOfError(error: ServiceError): Result<never> {
  const [trailer] = error.metadata.get(REFUSAL_KEY)
  if (trailer instanceof Buffer) return { outcome: 'refused', refusal: Refusal.decode(trailer) }
  if (error.code === status.UNIMPLEMENTED) return refusedBy('unknown_method', error.details)
  if (error.code === status.INVALID_ARGUMENT) return refusedBy('bad_request', error.details)
  if (error.code === status.DEADLINE_EXCEEDED) return unknownBy('timeout', error.details)
  return unknownBy('undecided', error.message)
}

/** A caller of the service's unary methods at one address. It has no pushes. */
export function createUnaryCaller<M extends MethodMap, U extends MethodMap, Push>(
  service: StreamService<M, U, Push>,
  address: string,
  options: StreamCallerOptions,
): Caller<U> {
  return new UnaryCaller(service, address, options)
}
