// SPDX-License-Identifier: MIT
//
// What the bindings must know of a service: its path, its codecs and its unary methods. The wire types are the shape that
// the messages of all services share, so that one stream implementation serves them all.
import type { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'
import { agedRequest } from './aged-request.ts'
import { AUTHORIZE } from './authorize.ts'
import * as location from './gen/tandem/location/v1/location.ts'
import * as policy from './gen/tandem/policy/v1/policy.ts'
import type {
  LocationMethods,
  LocationUnaryMethods,
  MethodMap,
  PolicyMethods,
  PolicyUnaryMethods,
} from './method-map.ts'
import type { Refusal } from './result.ts'

export interface WireCase {
  $case: string
  value: unknown
}

export interface WireItem {
  id: number
  msLeft: number
  /** Of services whose requests have ages. */
  waitedMs?: number
  /** '' for none. */
  traceparent: string
  request: WireCase | undefined
}

export interface WireItemResult {
  id: number
  refused: Refusal | undefined
  response: WireCase | undefined
}

export interface WireRequest {
  items: WireItem[]
  sentMs?: number
  /** Trace ids with commas between them, '' for none. */
  keepTraces: string
}

export interface WireResponse<Push> {
  results: WireItemResult[]
  pushes: Push[]
  /** The node is about to go. */
  leaving: boolean
}

/** The half of the generated MessageFns that is used here. */
export interface Codec<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter
  decode(input: BinaryReader | Uint8Array, length?: number): T
}

export interface UnaryDefinition {
  readonly path: string
  readonly requestStream: boolean
  readonly responseStream: boolean
  requestSerialize(value: unknown): Buffer
  requestDeserialize(value: Buffer): unknown
  responseSerialize(value: unknown): Buffer
  responseDeserialize(value: Buffer): unknown
}

/** A method in other words, for replicas that have only those. */
export interface SimplerCall<Q = unknown, SQ = unknown, SA = unknown, A = unknown> {
  readonly name: string
  toRequest(request: Q): SQ
  fromResponse(response: SA, request: Q): A
}

/** A service whose hot path is a bidirectional stream of batches. M, U and Push exist for the type checker only. */
export interface StreamService<M extends MethodMap, U extends MethodMap, Push> {
  /** E.g. `tandem.location.v1.LocationService`. */
  readonly name: string
  readonly streamPath: string
  readonly item: Codec<WireItem>
  readonly itemResult: Codec<WireItemResult>
  readonly request: Codec<WireRequest>
  readonly response: Codec<WireResponse<Push>>
  readonly push: Codec<Push>
  /** Every method of the stream is there as a unary one too: a replica without the stream can be asked by those. */
  readonly isWholeAsUnary: boolean
  /** Methods whose repeat with the same keys does no more than the first: another replica is asked when a stream breaks. */
  readonly repeatable: ReadonlySet<string>
  /** Methods that a replica may have in other words, tried where the method itself is UNIMPLEMENTED. */
  readonly simpler: { readonly [method: string]: SimplerCall | undefined }
  /** Methods of whom somebody waits: they end at once while nobody can be asked. The others wait for their time. */
  readonly urgent: ReadonlySet<string>
  /** The same request, so much later: every age in it has grown. Without it no time of waiting is told. */
  readonly aged?: (method: string, request: unknown, laterMs: number) => unknown
  /** The generated service definition, by method name. */
  readonly definition: { readonly [name: string]: UnaryDefinition }
  readonly types?: { methods: M; unary: U }
}

export const locationService: StreamService<LocationMethods, LocationUnaryMethods, location.Push> = {
  name: location.LocationServiceClient.serviceName,
  streamPath: location.LocationServiceService.stream.path,
  item: location.Item,
  itemResult: location.ItemResult,
  request: location.StreamRequest,
  response: location.StreamResponse,
  push: location.Push,
  isWholeAsUnary: false,
  // Those that change the directory compare the owner and its epoch: the same edge's repeat finds what the first has made.
  repeatable: new Set([
    'register',
    'locate',
    'readCall',
    'beginCall',
    'updateCall',
    'endCall',
    'leaseEdge',
    'listOwned',
  ]),
  simpler: {},
  urgent: new Set(),
  definition: location.LocationServiceService,
}

export const policyService: StreamService<PolicyMethods, PolicyUnaryMethods, policy.Push> = {
  name: policy.PolicyServiceClient.serviceName,
  streamPath: policy.PolicyServiceService.stream.path,
  item: policy.Item,
  itemResult: policy.ItemResult,
  request: policy.StreamRequest,
  response: policy.StreamResponse,
  push: policy.Push,
  isWholeAsUnary: true,
  repeatable: new Set(['decide', 'report']),
  simpler: { decide: AUTHORIZE as unknown as SimplerCall },
  urgent: new Set(['decide']),
  aged: agedRequest,
  definition: policy.PolicyServiceService,
}
