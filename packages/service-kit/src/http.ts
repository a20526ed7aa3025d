// SPDX-License-Identifier: MIT
//
// The HTTP listener of a service: /metrics, /healthz (live: its event loop answers, nothing else is asked), /startupz (its start is
// over), /readyz (takes work; what is missing in lines behind it), and routes of its own. GET and POST only, no bodies. It leaves out TLS and authentication: it binds loopback unless configured otherwise.
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { explainBind } from './errors.ts'
import type { Metrics } from './metrics.ts'

/** Reply of a route; `contentType` defaults to JSON. */
export interface HttpReply {
  readonly status: number
  readonly body: string
  readonly contentType?: string
  /** In the place of `body`: written as fast as the other side reads. It breaks off where this throws. */
  readonly stream?: AsyncIterable<string>
}

/** Handler of one route, by exact path. */
export type HttpRoute = (url: URL, method: string) => HttpReply | Promise<HttpReply>

export interface HttpOptions {
  readonly address: string
  readonly port: number
  /** Name of the port's setting, for the sentence that a taken port gets. */
  readonly setting: string
  readonly metrics: Metrics
  readonly ready: () => boolean
  /** What keeps it from being ready, a line each; and of what is ready nevertheless, what is not as it should be. */
  readonly missing?: () => readonly string[]
  readonly live?: () => boolean
  /** Whether the start is over; it is where absent, for who answers has started. */
  readonly started?: () => boolean
  readonly routes?: Readonly<Record<string, HttpRoute>>
}

export interface HttpHandle {
  readonly port: number
  close(): Promise<void>
}

const TEXT = 'text/plain; charset=utf-8'
const state = (good: boolean, word: string, missing: readonly string[] = []): HttpReply =>
  good
    ? { status: 200, body: [word, ...missing, ''].join('\n'), contentType: TEXT }
    : { status: 503, body: [`not ${word}`, ...missing, ''].join('\n'), contentType: TEXT }

function builtIn(options: HttpOptions): Record<string, HttpRoute> {
  return {
    '/metrics': async () => ({
      status: 200,
      body: await options.metrics.render(),
      contentType: options.metrics.registry.contentType,
    }),
    '/healthz': () => state(options.live?.() ?? true, 'live'),
    '/startupz': () => state(options.started?.() ?? true, 'started'),
    '/readyz': () => state(options.ready(), 'ready', options.missing?.()),
    ...options.routes,
  }
}

async function answer(routes: Record<string, HttpRoute>, target: string, method: string): Promise<HttpReply> {
  if (method !== 'GET' && method !== 'POST') return { status: 405, body: 'method not allowed\n', contentType: TEXT }
  const url = URL.canParse(target, 'http://host') ? new URL(target, 'http://host') : undefined
  const route = url && Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined
  if (!url || !route) return { status: 404, body: 'not found\n', contentType: TEXT }
  return route(url, method)
}

function write(response: ServerResponse, reply: HttpReply): void {
  response.writeHead(reply.status, { 'content-type': reply.contentType ?? 'application/json; charset=utf-8' })
  if (reply.stream === undefined) response.end(reply.body)
  // An error ends the connection without the last chunk: the reader sees that it is not whole.
  else pipeline(Readable.from(chunksOf(reply.stream)), response).catch(() => response.destroy())
}

const CHUNK_CHARS = 65_536

/** Small pieces together: a write for each line would cost more than the line. */
async function* chunksOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let chunk = ''
  for await (const piece of pieces) {
    chunk += piece
    if (chunk.length < CHUNK_CHARS) continue
    yield chunk
    chunk = ''
  }
  if (chunk !== '') yield chunk
}

function listen(server: Server, options: HttpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) =>
      reject(explainBind(error, { port: options.port, protocol: 'tcp', setting: options.setting }))
    server.once('error', onError)
    server.listen(options.port, options.address, () => {
      server.off('error', onError)
      resolve()
    })
  })
}

/** Starts listening. Rejects with `port_taken` when the port is held by another process. */
export async function startHttp(options: HttpOptions): Promise<HttpHandle> {
  const routes = builtIn(options)
  const server = createServer((request, response) => {
    request.resume()
    answer(routes, request.url ?? '/', request.method ?? 'GET').then(
      (reply) => write(response, reply),
      () => write(response, { status: 500, body: 'internal error\n', contentType: TEXT }),
    )
  })
  await listen(server, options)
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
