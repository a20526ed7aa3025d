// SPDX-License-Identifier: MIT
//
// Signatures of what is being built; replaced file by file.
import type { Caller, Handlers, OnBug, StreamHooks } from './caller.ts'
import type { ListEdgesRequest, ListEdgesResponse, Push as LocationPush } from './gen/tandem/location/v1/location.ts'
import type { ListCallsRequest, ListCallsResponse, Push as PolicyPush } from './gen/tandem/policy/v1/policy.ts'
import type { LocationMethods, MethodMap, PolicyMethods } from './method-map.ts'
import type { RpcServerOptions, ServeLimits, StreamCallerOptions } from './options.ts'
import type { PushHub } from './push-hub.ts'
import type { RecordFeed } from './record-feed.ts'
import type { Result } from './result.ts'
import type { StreamService } from './service.ts'

export interface InProcessOptions<M extends MethodMap, U extends MethodMap, Push> extends StreamHooks {
  /** Pass every request, response and push through encode and decode, so that nothing shares objects. */
  encoded?: StreamService<M, U, Push>
  pushes?: PushHub<Push>
  /** What handlers see as `context.peer` and hooks are told. */
  peer?: string
  /** Calls in progress, at most; then unknown (`queue_full`). */
  maxInFlight?: number
  onBug?: OnBug
}

export interface ServeOptions<Push> extends StreamHooks, Partial<ServeLimits> {
  pushes?: PushHub<Push>
}

/** Ends its streams after the items that were received. */
export interface Served {
  drain(): Promise<void>
}

export interface RpcServer {
  /** Port 0 takes a free one. Resolves to the port; rejects with a sentence that names address and port. */
  listen(address: string, port: number): Promise<number>
  /** Ends items in progress, closes streams, then the listener; after graceMs by force. */
  close(graceMs?: number): Promise<void>
}

type Async<T> = T | Promise<T>
export interface LocationAdmin {
  listEdges(request: ListEdgesRequest): Async<Result<ListEdgesResponse>>
}
export interface PolicyAdmin {
  listCalls(request: ListCallsRequest): Async<Result<ListCallsResponse>>
}

const soon = (): never => {
  throw new Error('not built yet')
}

export function createInProcess<M extends MethodMap, U extends MethodMap = MethodMap, Push = never>(
  _handlers: Handlers<M>,
  _options: InProcessOptions<M, U, Push> = {},
): Caller<M, Push> {
  return soon()
}

export function createStreamCaller<M extends MethodMap, U extends MethodMap, Push>(
  _service: StreamService<M, U, Push>,
  _addresses: readonly string[] | (() => Promise<readonly string[]>),
  _options: StreamCallerOptions,
): Caller<M, Push> {
  return soon()
}

/** Unary methods: admin calls, and policy services that customers wrote. */
export function createUnaryCaller<M extends MethodMap, U extends MethodMap, Push>(
  _service: StreamService<M, U, Push>,
  _address: string,
  _options: StreamCallerOptions,
): Caller<U> {
  return soon()
}

export function createRpcServer(_options: RpcServerOptions = {}): RpcServer {
  return soon()
}

export function serveLocation(
  _server: RpcServer,
  _handlers: Handlers<LocationMethods> & LocationAdmin,
  _options: ServeOptions<LocationPush> = {},
): void {
  soon()
}

export function servePolicy(
  _server: RpcServer,
  _handlers: Handlers<PolicyMethods> & PolicyAdmin,
  _options: ServeOptions<PolicyPush> = {},
): void {
  soon()
}

export function serveRecordFeed(_server: RpcServer, _feed: RecordFeed): void {
  soon()
}

/** grpc.health.v1 Check: SERVING while `ready()`. */
export function serveHealth(_server: RpcServer, _ready: () => boolean): void {
  soon()
}

/** Over gRPC, reconnecting. */
export function createRecordFeedClient(_address: string, _options: StreamCallerOptions): RecordFeed {
  return soon()
}

/** In one process: asynchronous, items copied by encode and decode. */
export function createInProcessRecordFeed(_feed: RecordFeed): RecordFeed {
  return soon()
}
