// SPDX-License-Identifier: MIT
//
// The service of resources on a gRPC server. Parts of an Apply are held until the last one is there, within the bounds of
// resource-service.ts; what is beyond them is refused at once.
import { performance } from 'node:perf_hooks'
import type { ServerReadableStream, sendUnaryData } from '@grpc/grpc-js'
import { unknownBy } from './errors.ts'
import {
  type ApplyOptions,
  type ApplyRequest,
  type ApplyResponse,
  ResourceServiceService,
} from './gen/tandem/resources/v1/resources.ts'
import { APPLY_BOUNDS, APPLY_MS, RESOURCE_METHODS, type ResourceHandlers, SourceJoiner } from './resource-service.ts'
import { type Result, refused } from './result.ts'
import type { RpcServer } from './rpc-server.ts'
import { peerOf, sendResult, unaryOf } from './serve-unary.ts'
import type { HandlerTable } from './stream-session.ts'

type ApplyCall = ServerReadableStream<ApplyRequest, ApplyResponse>

function msLeftOf(call: ApplyCall): number {
  const deadline = call.getDeadline()
  const at = deadline instanceof Date ? deadline.getTime() : deadline
  return Number.isFinite(at) ? Math.max(1, at - performance.timeOrigin - performance.now()) : APPLY_MS
}

class ApplyServer {
  readonly #handlers: ResourceHandlers
  readonly #onBug: RpcServer['onBug']
  #open = 0

  constructor(handlers: ResourceHandlers, onBug: RpcServer['onBug']) {
    this.#handlers = handlers
    this.#onBug = onBug
  }

  serve(call: ApplyCall, reply: sendUnaryData<ApplyResponse>): void {
    if (this.#open >= APPLY_BOUNDS.atOnce) {
      call.resume()
      sendResult(refused('busy', 503, `${APPLY_BOUNDS.atOnce} applies are on their way`, { retryAfterS: 1 }), reply)
      return
    }
    this.#open++
    let isOver = false
    const end = (result: Result<ApplyResponse>): void => {
      if (isOver) return
      isOver = true
      this.#open--
      call.resume()
      sendResult(result, reply)
    }
    this.#collect(call, end)
    call.on('cancelled', () => end(unknownBy('closed')))
    call.on('error', () => end(unknownBy('closed')))
  }

  #collect(call: ApplyCall, end: (result: Result<ApplyResponse>) => void): void {
    const joiner = new SourceJoiner()
    let options: ApplyOptions | undefined
    call.on('data', ({ part }: ApplyRequest) => {
      if (part?.$case === 'options' && options === undefined) options = part.value
      else if (part?.$case === 'source' && options !== undefined) {
        const objection = joiner.add(part.value)
        if (objection !== undefined) end(refused('too_large', 413, objection))
      } else end(refused('bad_request', 400, 'expected the options once, and first'))
    })
    call.on('end', () => {
      if (options === undefined) return end(refused('bad_request', 400, 'expected options'))
      const context = { msLeft: msLeftOf(call), peer: peerOf(call) }
      this.#handlers.apply({ options, sources: joiner.texts() }, context).then(end, (error: unknown) => {
        this.#onBug(error, 'handler of apply')
        end(unknownBy('handler_failed'))
      })
    })
  }
}

export function serveResources(server: RpcServer, handlers: ResourceHandlers): void {
  const table = handlers as unknown as HandlerTable
  const unary = RESOURCE_METHODS.map((name) => [name, unaryOf(name, table, server.onBug)])
  const applies = new ApplyServer(handlers, server.onBug)
  const apply = (call: ApplyCall, reply: sendUnaryData<ApplyResponse>) => applies.serve(call, reply)
  server.add(ResourceServiceService, { ...Object.fromEntries(unary), apply })
}
