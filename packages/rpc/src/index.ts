// SPDX-License-Identifier: MIT
//
// @tandem/rpc: generated messages, the batched streams and their in-process binding (docs/rpc.md).
export type {
  Caller,
  CallerCounts,
  HandlerContext,
  Handlers,
  OnBug,
  OnResult,
  StreamHooks,
} from './caller.ts'
export { RPC_ERRORS, type RpcError, type RpcErrorCode } from './errors.ts'
export * as location from './gen/tandem/location/v1/location.ts'
export * as policy from './gen/tandem/policy/v1/policy.ts'
export * as records from './gen/tandem/records/v1/records.ts'
export type {
  LocationMethods,
  LocationUnaryMethods,
  MethodMap,
  MethodName,
  PolicyMethods,
  PolicyUnaryMethods,
} from './method-map.ts'
export type { RpcServerOptions, ServeLimits, StreamCallerOptions } from './options.ts'
export { PushHub } from './push-hub.ts'
export type { FeedConsumer, FeedStart, RecordFeed } from './record-feed.ts'
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
export { locationService, policyService, type StreamService } from './service.ts'
export * from './surface.ts'
