// SPDX-License-Identifier: MIT
//
// The same calls as gRPC: `authorization` in the metadata, errors as a status with the code in front of the details and the whole error as
// JSON in the trailer `tandem-error-bin`.
import {
  Metadata,
  ServerCredentials,
  type ServerReadableStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { admin, createRpcServer, type RpcServer, type resources } from '@tandem/rpc'
import type { SourcePart } from '../backends.ts'
import { CALLS } from '../calls.ts'
import { type Method, methods } from '../definition.ts'
import { ApiError } from '../errors.ts'
import { toJson, type Values } from '../json.ts'
import { admit, asApiError, countOutcome, type PerformDeps, perform, performCall } from '../perform.ts'
import { applySources } from '../resources.ts'
import type { ShownCertificate } from '../tls/shown-certificate.ts'

const ERROR_KEY = 'tandem-error-bin'

type AnyCall = { readonly metadata: Metadata; getPeer(): string }

/** `ipv4:127.0.0.1:4711`, `[::1]:4711` → the address. */
function sourceOf(call: AnyCall): string {
  const peer = decodeURIComponent(call.getPeer()).replace(/^ipv[46]:/, '')
  return peer.slice(0, peer.lastIndexOf(':')).replace(/^\[|\]$/g, '')
}

function callerOf(deps: PerformDeps, method: Method, call: AnyCall) {
  const [given] = call.metadata.get('authorization')
  return admit(deps, method, given === undefined ? undefined : String(given), sourceOf(call))
}

function fail(deps: PerformDeps, error: unknown, reply: sendUnaryData<object>): void {
  const known = asApiError(error, deps)
  countOutcome(deps.counts, known.code)
  const metadata = new Metadata()
  metadata.set(ERROR_KEY, Buffer.from(JSON.stringify(known).slice(0, 6_000)))
  reply({ code: known.grpc || status.UNKNOWN, details: `${known.code}: ${known.message}`.slice(0, 500), metadata })
}

function unary(deps: PerformDeps, method: Method) {
  return (call: ServerUnaryCall<Values, object>, reply: sendUnaryData<object>): void => {
    const act = async () => {
      const caller = callerOf(deps, method, call)
      const handler = CALLS[method.name]
      if (handler === undefined) throw new ApiError('internal')
      const { files: _, ...what } = toJson(method.request, call.request)
      return performCall(deps, { method, caller, by: 'grpc', what }, handler, call.request)
    }
    act().then(
      (response) => {
        countOutcome(deps.counts, 'done')
        reply(null, response)
      },
      (error: unknown) => fail(deps, error, reply),
    )
  }
}

type ApplyPart = resources.ApplyRequest

/** The first message holds the options. */
async function applyStreamed(
  deps: PerformDeps,
  method: Method,
  call: ServerReadableStream<ApplyPart, object>,
): Promise<object> {
  const caller = callerOf(deps, method, call)
  const messages = (call as AsyncIterable<ApplyPart>)[Symbol.asyncIterator]()
  const first = await messages.next()
  const options = first.done === true ? undefined : first.value.part
  if (options?.$case !== 'options') throw new ApiError('bad_request', 'expected the options first')
  const { dryRun, comment, manager, replace } = options.value
  const what = { dryRun, comment, manager, replace }
  const sources: AsyncIterable<SourcePart> = { [Symbol.asyncIterator]: () => partsOf(messages) }
  return perform(deps, { method, caller, by: 'grpc', what }, () =>
    applySources(deps, { ...options.value, author: caller.name }, sources),
  )
}

async function* partsOf(messages: AsyncIterator<ApplyPart>): AsyncGenerator<SourcePart> {
  for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
    const { part } = next.value
    if (part?.$case !== 'source') throw new ApiError('bad_request', 'expected parts of sources behind the options')
    yield part.value
  }
}

function streamed(deps: PerformDeps, method: Method) {
  return (call: ServerReadableStream<ApplyPart, object>, reply: sendUnaryData<object>): void => {
    applyStreamed(deps, method, call).then(
      (response) => {
        countOutcome(deps.counts, 'done')
        reply(null, response)
      },
      (error: unknown) => fail(deps, error, reply),
    )
  }
}

export function createGrpc(deps: PerformDeps, certificate: ShownCertificate | undefined): RpcServer {
  const credentials = certificate?.grpcCredentials() ?? ServerCredentials.createInsecure()
  const server = createRpcServer({
    credentials,
    onBug: (error, where) => deps.logger.error({ err: error, where }, 'a bug in the admin API'),
  })
  const handlers = methods.map((method) => [
    method.name,
    method.isStream ? streamed(deps, method) : unary(deps, method),
  ])
  server.add(admin.AdminServiceService, Object.fromEntries(handlers))
  return server
}
