// SPDX-License-Identifier: MIT
//
// The serving half of Watch: one stream is one watcher. A response that goes to all is encoded once. Bound: a watcher that does
// not read is written nothing more, and told of the gap when it reads again; silence has switched its cache off meanwhile.
import type { ServerDuplexStream } from '@grpc/grpc-js'
import { LocationWatchServiceService, type WatchRequest, WatchResponse } from './gen/tandem/location/v1/location.ts'
import type { LocationChanges } from './location-watch.ts'
import type { RpcServer } from './rpc-server.ts'

type Stream = ServerDuplexStream<WatchRequest, Buffer>

class WatchSession {
  readonly #stream: Stream
  readonly #changes: LocationChanges
  #end: (() => void) | undefined
  #congested = false
  #missed = false

  constructor(stream: Stream, changes: LocationChanges) {
    this.#stream = stream
    this.#changes = changes
  }

  start(encode: (response: WatchResponse) => Buffer, onClosed: () => void): void {
    const close = () => {
      this.#end?.()
      this.#end = undefined
      onClosed()
    }
    this.#end = this.#changes.watch((response) => this.#write(encode(response)))
    this.#stream.on('data', ({ clockMs }: WatchRequest) => {
      this.#write(bytesOf({ ...this.#changes.now(), echoMs: clockMs }))
    })
    this.#stream.on('drain', () => this.#drained())
    this.#stream.on('end', () => this.end())
    for (const event of ['cancelled', 'error', 'finish']) this.#stream.on(event, close)
  }

  end(): void {
    this.#stream.end()
  }

  #write(bytes: Buffer): void {
    if (this.#congested) this.#missed = true
    else if (!this.#stream.write(bytes)) this.#congested = true
  }

  #drained(): void {
    this.#congested = false
    if (!this.#missed) return
    this.#missed = false
    this.#write(bytesOf({ ...this.#changes.now(), gap: true }))
  }
}

function bytesOf(response: WatchResponse): Buffer {
  const bytes = WatchResponse.encode(response).finish()
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Encodes what is given to one watcher after the other once. */
function encodeOnce(): (response: WatchResponse) => Buffer {
  let last: WatchResponse | undefined
  let bytes: Buffer = Buffer.alloc(0)
  return (response) => {
    if (response !== last) bytes = bytesOf(response)
    last = response
    return bytes
  }
}

export function serveLocationWatch(server: RpcServer, changes: LocationChanges): void {
  const sessions = new Set<WatchSession>()
  const encode = encodeOnce()
  const watch = (stream: Stream) => {
    const session = new WatchSession(stream, changes)
    sessions.add(session)
    session.start(encode, () => sessions.delete(session))
  }
  const drain = async () => {
    for (const session of sessions) session.end()
  }
  const definition = { watch: { ...LocationWatchServiceService.watch, responseSerialize: (bytes: Buffer) => bytes } }
  server.add(definition, { watch }, { drain })
}
