// SPDX-License-Identifier: MIT
//
// From calls and results to the messages of the wire and back, one item at a time, by the generated code. The body of an
// item is its message without id, ms_left and waited_ms: those are zero, so the encoder leaves them out, and batch.ts adds them.
import { refusedBy, unknownBy } from './errors.ts'
import { ItemEncoder } from './item-encoder.ts'
import type { MethodMap } from './method-map.ts'
import { MAX_ITEM_BYTES } from './options.ts'
import { done, type Result } from './result.ts'
import type { StreamService, WireItemResult } from './service.ts'

const encoder = new ItemEncoder()

type AnyService<Push> = Pick<StreamService<MethodMap, MethodMap, Push>, 'item' | 'itemResult' | 'push'>

/** Throws where a field does not fit its type: a bug of the caller. @param traceparent '' for none */
export function encodeRequestBody(
  service: AnyService<unknown>,
  method: string,
  request: unknown,
  traceparent = '',
): Uint8Array {
  const item = { id: 0, msLeft: 0, waitedMs: 0, traceparent, request: { $case: method, value: request } }
  return encoder.encode(service.item, item)
}

export function encodeResultBody(service: AnyService<unknown>, method: string, result: Result<unknown>): Uint8Array {
  const body = encoder.encode(service.itemResult, toWireResult(method, result))
  if (body.length <= MAX_ITEM_BYTES) return body
  return encoder.encode(service.itemResult, toWireResult(method, refusedBy('item_too_large')))
}

function toWireResult(method: string, result: Result<unknown>): WireItemResult {
  if (result.outcome === 'done') {
    return { id: 0, refused: undefined, response: { $case: method, value: result.value } }
  }
  if (result.outcome === 'unknown') return { id: 0, refused: undefined, response: undefined }
  const refusal = { minExpiresS: 0, ...result.refusal }
  return { id: 0, refused: refusal, response: undefined }
}

/** The response must be of the method that was asked for. */
export function fromWireResult(method: string, wire: WireItemResult): Result<unknown> {
  if (wire.refused !== undefined) return { outcome: 'refused', refusal: wire.refused }
  if (wire.response?.$case === method) return done(wire.response.value)
  return unknownBy('undecided')
}

/** What the encoded in-process binding passes everything through. */
export function copyRequest(service: AnyService<unknown>, method: string, request: unknown): unknown {
  return service.item.decode(encodeRequestBody(service, method, request)).request?.value
}

export function copyResult(service: AnyService<unknown>, method: string, result: Result<unknown>): Result<unknown> {
  return fromWireResult(method, service.itemResult.decode(encodeResultBody(service, method, result)))
}

export function copyPush<Push>(service: AnyService<Push>, push: Push): Push {
  return service.push.decode(encoder.encode(service.push, push))
}
