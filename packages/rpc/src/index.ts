// SPDX-License-Identifier: MIT
//
// @tandem/rpc: generated messages, the batched streams and their in-process binding (docs/rpc.md).

export { agedReport } from './aged-request.ts'
export { aorHash } from './aor-hash.ts'
export { BREAKER_DEFAULTS, Breaker, type BreakerSettings, type BreakerState } from './breaker.ts'
export type {
  Caller,
  CallerCounts,
  EndpointState,
  HandlerContext,
  Handlers,
  OnBug,
  OnResult,
  OnTimed,
  PushReply,
  StreamHooks,
} from './caller.ts'
export { RPC_ERRORS, type RpcError, type RpcErrorCode } from './errors.ts'
export * as admin from './gen/tandem/admin/v1/admin.ts'
export * as location from './gen/tandem/location/v1/location.ts'
export * as policy from './gen/tandem/policy/v1/policy.ts'
export * as records from './gen/tandem/records/v1/records.ts'
export * as resources from './gen/tandem/resources/v1/resources.ts'
export { createInProcess, type InProcessOptions } from './in-process.ts'
export { ItemEncoder } from './item-encoder.ts'
export {
  createInProcessLocationWatch,
  type LocationChanges,
  type LocationWatch,
  type WatchFollower,
  WatchReader,
} from './location-watch.ts'
export { createLocationWatch } from './location-watch-client.ts'
export { serveLocationWatch } from './location-watch-server.ts'
export type {
  LocationMethods,
  LocationUnaryMethods,
  MethodMap,
  MethodName,
  PolicyMethods,
  PolicyUnaryMethods,
} from './method-map.ts'
export type { CircuitSettings, RpcServerOptions, ServeLimits, StreamCallerOptions } from './options.ts'
export { PushHub } from './push-hub.ts'
export type { FeedConsumer, FeedStart, RecordFeed } from './record-feed.ts'
export { createFraudFeedClient, createLedgerFeedClient, createRecordFeedClient } from './record-feed-client.ts'
export { createInProcessRecordFeed } from './record-feed-in-process.ts'
export { serveRecordFeed } from './record-feed-server.ts'
export { createInProcessResources, createResourceClient } from './resource-client.ts'
export { serveResources } from './resource-server.ts'
export type {
  ResourceCaller,
  ResourceHandlers,
  ResourceText,
  ResourceUnaryMethods,
  SourceParts,
} from './resource-service.ts'
export {
  type Done,
  done,
  type Outcome,
  type Refusal,
  type Refused,
  type Result,
  refused,
  type Unknown,
  unknown,
} from './result.ts'
export { createRpcServer, type RpcServer } from './rpc-server.ts'
export {
  type LocationHandlers,
  type PolicyHandlers,
  type Served,
  type ServeOptions,
  serveHealth,
  serveLocation,
  servePolicy,
} from './serve.ts'
export { locationService, policyService, type StreamService } from './service.ts'
export { type Addresses, createStreamCaller, headlessAddresses } from './stream-caller.ts'
export type { ServeCounts } from './stream-session.ts'
export { RpcTls, type RpcTlsFiles } from './tls/rpc-tls.ts'
export { createUnaryCaller } from './unary-caller.ts'
