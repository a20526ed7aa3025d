// SPDX-License-Identifier: MIT
//
// The unary methods of a service, mapped to the handlers of the stream's items and of the admin calls. A refusal becomes a
// gRPC status with the encoded Refusal as a trailer; unary.ts reads it back.

import { performance } from 'node:perf_hooks'
import { Metadata, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import type { ServerSpan, ServerTracer } from '@tandem/telemetry'
import type { HandlerContext, OnBug } from './caller.ts'
import { PEER_KEY, REFUSAL_KEY, TRACE_KEY } from './channel.ts'
import { unknownBy } from './errors.ts'
import { Refusal } from './gen/tandem/location/v1/location.ts'
import type { Result } from './result.ts'
import type { Handler, HandlerTable } from './stream-session.ts'

type Unary = (call: ServerUnaryCall<unknown, unknown>, reply: sendUnaryData<unknown>) => void

const NO_DEADLINE_MS = 30_000

/** The edge id that the caller gave, else its address. */
export function peerOf(call: { metadata: Metadata; getPeer(): string }): string {
  const [given] = call.metadata.get(PEER_KEY)
  return typeof given === 'string' && given !== '' ? given : call.getPeer()
}

/** What makes the spans of a service, and its full name. */
export interface ServiceTrace {
  readonly name: string
  readonly tracer: ServerTracer | undefined
}

export function unaryOf(method: string, handlers: HandlerTable, onBug: OnBug, trace?: ServiceTrace): Unary {
  return (call, reply) => {
    const deadline = call.getDeadline()
    const at = deadline instanceof Date ? deadline.getTime() : deadline
    const msLeft = Number.isFinite(at) ? at - performance.timeOrigin - performance.now() : NO_DEADLINE_MS
    const peer = peerOf(call)
    const span = trace === undefined ? undefined : spanOf(call.metadata, method, peer, trace)
    const context = { msLeft: Math.max(1, Math.floor(msLeft)), peer, span }
    void answer(handlers[method] as Handler, call.request, context)
      .catch((error: unknown) => {
        onBug(error, `handler of ${method}`)
        return unknownBy('handler_failed')
      })
      .then((result) => {
        span?.end(result)
        sendResult(result, reply)
      })
  }
}

function spanOf(
  metadata: Metadata,
  method: string,
  peer: string,
  { name, tracer }: ServiceTrace,
): ServerSpan | undefined {
  const [traceparent] = tracer === undefined ? [] : metadata.get(TRACE_KEY)
  return typeof traceparent === 'string' ? tracer?.server(name, method, traceparent, peer) : undefined
}

async function answer(handler: Handler, request: unknown, context: HandlerContext): Promise<Result<unknown>> {
  return handler(request, context)
}

export function sendResult<T>(result: Result<T>, reply: sendUnaryData<T>): void {
  if (result.outcome === 'done') {
    reply(null, result.value)
    return
  }
  if (result.outcome === 'unknown') {
    reply({ code: status.UNAVAILABLE, details: result.detail })
    return
  }
  const metadata = new Metadata()
  const refusal = Refusal.encode({ minExpiresS: 0, ...result.refusal }).finish()
  metadata.set(REFUSAL_KEY, Buffer.from(refusal.buffer, refusal.byteOffset, refusal.length))
  const details = `${result.refusal.code}: ${result.refusal.detail}`
  reply({ code: status.FAILED_PRECONDITION, details, metadata })
}
