// SPDX-License-Identifier: MIT
//
// What stands in for the stream to a replica that has only the unary methods of its service, such as a policy service that
// somebody wrote in twenty lines: one request for each call. Over when the connection is: the stream is tried again then.
// A method that is UNIMPLEMENTED there too is asked in other words, where the service has such (Decide: Authorize).
// Bound: calls in flight are bounded by the owner. Race: those that were under way when the first UNIMPLEMENTED came turn by themselves.
import { type Client, connectivityState, type Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { peerMetadata } from './channel.ts'
import { refusedBy } from './errors.ts'
import type { MethodMap } from './method-map.ts'
import type { PendingCall } from './pending-call.ts'
import { done, type Result } from './result.ts'
import type { SimplerCall, StreamService, UnaryDefinition } from './service.ts'
import { resultOfError } from './unary-caller.ts'

export interface UnaryReplicaOwner {
  /** Once for each call sent, never inside `send`. The call may have ended meanwhile. */
  onResult(id: number, result: Result<unknown>): void
  onLost(reason: string): void
}

interface How {
  readonly deadline: number
  readonly metadata: Metadata
}

export class UnaryReplica<M extends MethodMap, U extends MethodMap, Push> {
  readonly #service: StreamService<M, U, Push>
  readonly #client: Client
  readonly #peer: string
  readonly #metadata: Metadata
  readonly #owner: UnaryReplicaOwner
  /** Methods that this replica has in other words only. */
  readonly #isSimple = new Set<string>()
  #closed = false

  /** `client` is connected; closing it is the owner's. */
  constructor(service: StreamService<M, U, Push>, client: Client, peer: string, owner: UnaryReplicaOwner) {
    this.#service = service
    this.#client = client
    this.#peer = peer
    this.#metadata = peerMetadata(peer)
    this.#owner = owner
    this.#watch()
  }

  /** The call's request is the body of a stream's item. */
  send({ id, method, request, span }: PendingCall, msLeft: number, waitedMs: number): void {
    const told = this.#service.item.decode(request as Uint8Array).request?.value
    const asked = waitedMs > 0 && this.#service.aged ? this.#service.aged(method, told, waitedMs) : told
    const deadline = Date.now() + msLeft
    const simpler = this.#service.simpler[method]
    const metadata = span === undefined ? this.#metadata : peerMetadata(this.#peer, span.traceparent)
    const askSimply = (): void => this.#askSimply(simpler as SimplerCall, id, asked, { deadline, metadata })
    if (simpler !== undefined && this.#isSimple.has(method)) return askSimply()
    this.#ask(method, id, asked, { deadline, metadata }, (value, error) => {
      if (error === undefined) return done(value)
      if (simpler === undefined || error.code !== status.UNIMPLEMENTED) return resultOfError(error)
      this.#isSimple.add(method)
      if (!this.#closed) askSimply()
      return undefined
    })
  }

  #askSimply({ name, toRequest, fromResponse }: SimplerCall, id: number, asked: unknown, how: How): void {
    this.#ask(name, id, toRequest(asked), how, (value, error) =>
      error === undefined ? done(fromResponse(value, asked)) : resultOfError(error),
    )
  }

  /** @param onAnswer what it comes to; undefined: nothing yet */
  #ask(
    method: string,
    id: number,
    request: unknown,
    { deadline, metadata }: How,
    onAnswer: (value: unknown, error: ServiceError | undefined) => Result<unknown> | undefined,
  ): void {
    const settle = (result: Result<unknown>) => queueMicrotask(() => this.#settle(id, result))
    const definition: UnaryDefinition | undefined = this.#service.definition[method]
    if (definition === undefined) return settle(refusedBy('unknown_method'))
    this.#client.makeUnaryRequest(
      definition.path,
      (value: unknown) => definition.requestSerialize(value),
      (body: Buffer) => definition.responseDeserialize(body),
      request,
      metadata,
      { deadline },
      (error: ServiceError | null, value?: unknown) => {
        const result = onAnswer(value, error ?? undefined)
        if (result !== undefined) settle(result)
      },
    )
  }

  close(): void {
    this.#closed = true
  }

  #settle(id: number, result: Result<unknown>): void {
    if (!this.#closed) this.#owner.onResult(id, result)
  }

  #watch(): void {
    if (this.#closed) return
    const channel = this.#client.getChannel()
    const state = channel.getConnectivityState(false)
    if (state === connectivityState.READY)
      channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => this.#watch())
    else queueMicrotask(() => this.#closed || this.#owner.onLost('the connection is gone'))
  }
}
