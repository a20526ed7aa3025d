// SPDX-License-Identifier: MIT
//
// The REST listener: HTTP/1.1, with TLS where there is a certificate. Bounds: connections, header bytes, the time that headers and the whole
// request may take, and silence.
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type ConsoleConfig, explainBind } from '@tandem/service-kit'
import type { ShownCertificate } from '../tls/shown-certificate.ts'
import { handle, type RestDeps } from './handle.ts'

const MAX_HEADER_BYTES = 16_384
const HEADERS_MS = 10_000
const KEEP_ALIVE_MS = 5_000
const SILENCE_MS = 30_000

export interface RestHandle {
  readonly port: number
  close(): Promise<void>
}

type Place = Pick<ConsoleConfig, 'bindAddress' | 'port' | 'requestTimeoutMs' | 'maxConnections'>

function create(deps: RestDeps, shown: ShownCertificate | undefined, requestTimeout: number): Server {
  const options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: Math.min(HEADERS_MS, requestTimeout),
    requestTimeout,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: 1_000,
  }
  const listener = (
    ...[request, response]: Parameters<typeof handle> extends [infer Q, infer A, unknown] ? [Q, A] : never
  ) => void handle(request, response, deps)
  if (shown === undefined) return createServer(options, listener)
  const tls = { ...shown.current, minVersion: 'TLSv1.2' } as const
  const server = createTlsServer({ ...options, ...tls }, listener)
  server.once(
    'close',
    shown.onChange((next) => server.setSecureContext({ ...tls, ...next })),
  )
  return server
}

/** Rejects with `port_taken` when the port is held by another process. */
export async function startRest(
  deps: RestDeps,
  place: Place,
  certificate: ShownCertificate | undefined,
): Promise<RestHandle> {
  const server = create(deps, certificate, place.requestTimeoutMs)
  server.maxConnections = place.maxConnections
  // A reader that stands still does not keep its answer here for ever. Calls may take longer than silence between requests.
  server.setTimeout(Math.max(SILENCE_MS, deps.applyTimeoutMs + 5_000))
  await new Promise<void>((resolve, reject) => {
    const onError = (error: Error) =>
      reject(explainBind(error, { port: place.port, protocol: 'tcp', setting: 'console.port' }))
    server.once('error', onError)
    server.listen(place.port, place.bindAddress, () => {
      server.off('error', onError)
      resolve()
    })
  })
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeIdleConnections()
      setTimeout(() => server.closeAllConnections(), 1_000).unref()
    })
  return { port: (server.address() as AddressInfo).port, close }
}
