// SPDX-License-Identifier: MIT
//
// What stands in for the stream to a replica that has only the unary methods of its service, such as a policy service that
// somebody wrote in twenty lines: one request for each call. Over when the connection is: the stream is tried again then.
import { type Client, connectivityState, type Metadata, type ServiceError } from '@grpc/grpc-js'
import { peerMetadata } from './channel.ts'
import { refusedBy } from './errors.ts'
import type { MethodMap } from './method-map.ts'
import type { PendingCall } from './pending-call.ts'
import { done, type Result } from './result.ts'
import type { StreamService } from './service.ts'
import { resultOfError } from './unary-caller.ts'

export interface UnaryReplicaOwner {
  /** Once for each call sent, never inside `send`. The call may have ended meanwhile. */
  onResult(id: number, result: Result<unknown>): void
  onLost(reason: string): void
}

export class UnaryReplica<M extends MethodMap, U extends MethodMap, Push> {
  readonly #service: StreamService<M, U, Push>
  readonly #client: Client
  readonly #metadata: Metadata
  readonly #owner: UnaryReplicaOwner
  #closed = false

  /** `client` is connected; closing it is the owner's. */
  constructor(service: StreamService<M, U, Push>, client: Client, peer: string, owner: UnaryReplicaOwner) {
    this.#service = service
    this.#client = client
    this.#metadata = peerMetadata(peer)
    this.#owner = owner
    this.#watch()
  }

  /** The call's request is the body of a stream's item. */
  send({ id, method, request }: PendingCall, msLeft: number): void {
    const settle = (result: Result<unknown>) => queueMicrotask(() => this.#settle(id, result))
    const definition = this.#service.definition[method]
    if (definition === undefined) {
      settle(refusedBy('unknown_method'))
      return
    }
    this.#client.makeUnaryRequest(
      definition.path,
      (value: unknown) => definition.requestSerialize(value),
      (body: Buffer) => definition.responseDeserialize(body),
      this.#service.item.decode(request as Uint8Array).request?.value,
      this.#metadata,
      { deadline: Date.now() + msLeft },
      (error: ServiceError | null, value?: unknown) => settle(error === null ? done(value) : resultOfError(error)),
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
