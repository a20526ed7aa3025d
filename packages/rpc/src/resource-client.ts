// SPDX-License-Identifier: MIT
//
// Callers of the service of resources: over gRPC, and within one process. An Apply goes out in parts of at most 3 MiB, as fast as they
// are taken.
import { type Client, type ClientWritableStream, credentials, type ServiceError } from '@grpc/grpc-js'
import { createClient, peerMetadata } from './channel.ts'
import { refusedBy, unknownBy } from './errors.ts'
import {
  type ApplyOptions,
  ApplyRequest,
  ApplyResponse,
  ResourceServiceService,
  type SourcePart,
} from './gen/tandem/resources/v1/resources.ts'
import { CALLER_DEFAULTS, type StreamCallerOptions } from './options.ts'
import {
  APPLY_BOUNDS,
  APPLY_MS,
  ASK_MS,
  RESOURCE_METHODS,
  type ResourceCaller,
  type ResourceHandlers,
  SourceJoiner,
  type SourceParts,
} from './resource-service.ts'
import { done, type Result, refused } from './result.ts'
import { resultOfError } from './unary-caller.ts'

function* smallParts({ file, text }: SourcePart): Generator<SourcePart> {
  const { partBytes } = APPLY_BOUNDS
  for (let at = 0; at === 0 || at < text.length; at += partBytes) {
    yield { file, text: Buffer.from(text.subarray(at, at + partBytes)) }
  }
}

/** Resolves when the message has left, or never will. */
const written = (call: ClientWritableStream<ApplyRequest>, message: ApplyRequest): Promise<void> =>
  new Promise((resolve) => {
    call.write(message, () => resolve())
  })

async function sendParts(call: ClientWritableStream<ApplyRequest>, sources: SourceParts): Promise<void> {
  for await (const source of sources) {
    for (const value of smallParts(source)) {
      if (call.destroyed || call.writableEnded) return
      await written(call, { part: { $case: 'source', value } })
    }
  }
  call.end()
}

function applyBy(client: Client, peer: string, options: ApplyOptions, sources: SourceParts, timeoutMs: number) {
  return new Promise<Result<ApplyResponse>>((resolve) => {
    const { path } = ResourceServiceService.apply
    const call = client.makeClientStreamRequest(
      path,
      (value: ApplyRequest) => Buffer.from(ApplyRequest.encode(value).finish()),
      (body: Buffer) => ApplyResponse.decode(body),
      peerMetadata(peer),
      { deadline: Date.now() + timeoutMs },
      (error: ServiceError | null, value?: ApplyResponse) =>
        resolve(error === null && value !== undefined ? done(value) : resultOfError(error as ServiceError)),
    )
    call.on('error', () => undefined) // told to the callback
    call.write({ part: { $case: 'options', value: options } })
    sendParts(call, sources).catch((error: unknown) => {
      call.cancel()
      resolve(refusedBy('bad_request', `the documents could not be read: ${String(error)}`))
    })
  })
}

function askBy(client: Client, peer: string, method: (typeof RESOURCE_METHODS)[number]) {
  const definition = ResourceServiceService[method]
  return (request: unknown, timeoutMs = ASK_MS) =>
    new Promise<Result<unknown>>((resolve) => {
      client.makeUnaryRequest(
        definition.path,
        (value: unknown) => definition.requestSerialize(value as never),
        (body: Buffer): unknown => definition.responseDeserialize(body),
        request,
        peerMetadata(peer),
        { deadline: Date.now() + timeoutMs },
        (error: ServiceError | null, value?: unknown) => resolve(error === null ? done(value) : resultOfError(error)),
      )
    })
}

/** @param address of one policy node, `host:port` */
export function createResourceClient(
  address: string,
  options: Pick<StreamCallerOptions, 'peer' | 'credentials' | 'serverName' | 'backoffMaxMs'>,
): ResourceCaller {
  const limits = { ...CALLER_DEFAULTS, ...options }
  const client = createClient(address, limits, options.credentials ?? credentials.createInsecure())
  const unary = RESOURCE_METHODS.map((method) => [method, askBy(client, options.peer, method)])
  return {
    ...(Object.fromEntries(unary) as Omit<ResourceCaller, 'apply' | 'close'>),
    apply: (asked, sources, timeoutMs = APPLY_MS) => applyBy(client, options.peer, asked, sources, timeoutMs),
    async close() {
      client.close()
    },
  }
}

async function applyHere(
  handlers: ResourceHandlers,
  peer: string,
  options: ApplyOptions,
  sources: SourceParts,
  msLeft: number,
): Promise<Result<ApplyResponse>> {
  const joiner = new SourceJoiner()
  for await (const source of sources) {
    const objection = joiner.add(source)
    if (objection !== undefined) return refused('too_large', 413, objection)
  }
  return handlers.apply({ options, sources: joiner.texts() }, { msLeft, peer })
}

/** Copies what goes in and out, as the wire does. */
function askHere(handlers: ResourceHandlers, peer: string, method: (typeof RESOURCE_METHODS)[number]) {
  const { requestSerialize, requestDeserialize, responseSerialize, responseDeserialize } =
    ResourceServiceService[method]
  return async (request: unknown, msLeft = ASK_MS): Promise<Result<unknown>> => {
    const copy = requestDeserialize(requestSerialize(request as never))
    const result = await handlers[method](copy as never, { msLeft, peer })
    return result.outcome === 'done' ? done(responseDeserialize(responseSerialize(result.value as never))) : result
  }
}

/** The binding for one process. */
export function createInProcessResources(handlers: ResourceHandlers, peer: string): ResourceCaller {
  const unary = RESOURCE_METHODS.map((method) => [method, askHere(handlers, peer, method)])
  const failed = () => unknownBy('handler_failed')
  return {
    ...(Object.fromEntries(unary) as Omit<ResourceCaller, 'apply' | 'close'>),
    apply: (options, sources, timeoutMs = APPLY_MS) =>
      applyHere(handlers, peer, options, sources, timeoutMs).catch(failed),
    close: () => Promise.resolve(),
  }
}
