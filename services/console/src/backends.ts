// SPDX-License-Identifier: MIT
//
// What the admin API stands in front of: unary calls of policy and location, and resources. In one process these are function calls, else gRPC
// (cli wires either).
import type { LocationUnaryMethods, PolicyUnaryMethods, Result, resources } from '@tandem/rpc'
import { ApiError, refusedByService } from './errors.ts'

type Name<M> = keyof M & string

export interface UnaryBackend<M extends Record<string, { request: unknown; response: unknown }>> {
  call<K extends Name<M>>(method: K, request: M[K]['request'], timeoutMs: number): Promise<Result<M[K]['response']>>
}

/** One text of documents; parts in a row with the same name are one. */
export interface SourcePart {
  readonly file: string
  readonly text: Uint8Array
}

export interface ResourceBackend {
  apply(
    options: resources.ApplyOptions,
    sources: AsyncIterable<SourcePart> | Iterable<SourcePart>,
    timeoutMs?: number,
  ): Promise<Result<resources.ApplyResponse>>
  get(request: resources.GetRequest, timeoutMs?: number): Promise<Result<resources.GetResponse>>
  list(request: resources.ListRequest, timeoutMs?: number): Promise<Result<resources.ListResponse>>
  delete(request: resources.DeleteRequest, timeoutMs?: number): Promise<Result<resources.ApplyResponse>>
  export(request: resources.ExportRequest, timeoutMs?: number): Promise<Result<resources.ExportResponse>>
  listHistory(request: resources.ListHistoryRequest, timeoutMs?: number): Promise<Result<resources.ListHistoryResponse>>
  rollback(request: resources.RollbackRequest, timeoutMs?: number): Promise<Result<resources.ApplyResponse>>
  getHead(request: resources.GetHeadRequest, timeoutMs?: number): Promise<Result<resources.GetHeadResponse>>
}

export interface Backends {
  readonly policy: UnaryBackend<PolicyUnaryMethods>
  readonly location: UnaryBackend<LocationUnaryMethods>
  readonly resources: ResourceBackend
  /** Somebody of each is connected. */
  ready(): boolean
  close(): Promise<void>
}

/** The value, or what ended the call as an `ApiError`. */
export function unwrap<T>(result: Result<T>): T {
  if (result.outcome === 'done') return result.value
  if (result.outcome === 'refused') throw refusedByService(result.refusal)
  throw new ApiError('unavailable', `a service behind the API does not answer (${result.detail})`)
}
