// SPDX-License-Identifier: MIT
//
// For tests: a policy service that speaks the wire by hand, so that it can be of another version, slow, or lie.

import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { Metadata, type ServerDuplexStream, type sendUnaryData } from '@grpc/grpc-js'
import { type DecideRequest, DecideResponse, StreamRequest, StreamResponse } from './gen/tandem/policy/v1/policy.ts'
import { createRpcServer } from './rpc-server.ts'

export type RawStream = ServerDuplexStream<StreamRequest, Buffer>
type Unary = (call: { request: Buffer }, reply: sendUnaryData<Buffer>) => void

export interface RawPolicy {
  /** Each message of an edge. Without it there is no Stream. */
  readonly onItems?: (items: StreamRequest['items'], stream: RawStream) => void
  /** By its name in the service, e.g. "Authorize". */
  readonly unary?: Readonly<Record<string, Unary>>
}

const bytes = (value: Buffer): Buffer => value

/** Starts it. @returns its address, and what ends it */
export async function serveRaw({ onItems, unary = {} }: RawPolicy, port = 0) {
  const server = createRpcServer()
  const path = (name: string): string => `/tandem.policy.v1.PolicyService/${name}`
  const common = { requestSerialize: bytes, responseSerialize: bytes, responseDeserialize: bytes }
  const stream = {
    ...common,
    path: path('Stream'),
    requestStream: true,
    responseStream: true,
    requestDeserialize: (message: Buffer) => StreamRequest.decode(message),
  }
  const plain = (name: string) =>
    ({ ...common, path: path(name), requestStream: false, responseStream: false, requestDeserialize: bytes }) as const
  const definition = {
    ...(onItems === undefined ? {} : { stream }),
    ...Object.fromEntries(Object.keys(unary).map((name) => [name, plain(name)])),
  }
  const open = (call: RawStream): void => {
    call.sendMetadata(new Metadata())
    call.on('data', ({ items }: StreamRequest) => onItems?.(items, call))
    call.on('error', () => undefined)
    call.on('end', () => call.end())
  }
  server.add(definition as never, { ...unary, ...(onItems === undefined ? {} : { stream: open }) } as never)
  const at = await server.listen('127.0.0.1', port)
  return { address: `127.0.0.1:${at}`, port: at, close: () => server.close(0) }
}

/** An ordinary result: the plan that sends the request to `aor`. */
export function planned(id: number, aor: string): Buffer {
  const target = { where: { $case: 'aor', value: aor } as const }
  const decide = DecideResponse.fromPartial({ verdict: { $case: 'plan', value: { steps: [{ targets: [target] }] } } })
  return reply([{ id, refused: undefined, response: { $case: 'decide', value: decide } }])
}

export function reply(results: StreamResponse['results']): Buffer {
  return Buffer.from(StreamResponse.encode({ results, pushes: [], leaving: false }).finish())
}

/** The same message with fields that nobody knows yet: a varint, a text and a message, at high numbers. */
export function withNewerFields(message: Uint8Array): Buffer {
  const writer = new BinaryWriter()
  writer.uint32((900 << 3) | 0).uint32(7)
  writer.uint32((901 << 3) | 2).string('from the future')
  writer
    .uint32((902 << 3) | 2)
    .fork()
    .uint32(8)
    .uint32(1)
    .join()
  return Buffer.concat([message, writer.finish()])
}

/** As an edge asks. */
export function question(fields: Partial<DecideRequest> = {}): Partial<DecideRequest> {
  return { transactionKey: 'k', method: 'INVITE', requestUri: 'sip:bob@x', to: '<sip:bob@x>', ...fields }
}
