// SPDX-License-Identifier: MIT
// The handshake of accepted connections: a TLS server that listens nowhere and takes sockets that are open. One for TLS, one for secure
// WebSockets. Which handshake belongs to which socket is told by the remote place, which is unique while it is open.
// Left out: session tickets that other edges could take; each process has keys of its own.
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { TlsCredentials } from './credentials.ts'
import { sipIdentities, userIdentities } from './sip-identities.ts'

export type ClientCertificates = 'none' | 'request' | 'require'

export interface TlsOptions {
  readonly credentials: TlsCredentials
  /** [RFC5922-7.4] Whether clients are asked for a certificate, and must have a valid one. */
  readonly clientCertificates: ClientCertificates
}

export class TlsStage {
  readonly #server: Server
  readonly #waiting = new Map<string, { onDone: (secure: TLSSocket) => void; onFailed: () => void }>()

  constructor({ credentials, clientCertificates }: TlsOptions) {
    this.#server = createServer({
      ...credentials.serverOptions,
      noDelay: true,
      requestCert: clientCertificates !== 'none',
      rejectUnauthorized: clientCertificates === 'require',
      SNICallback: (name, done) => done(null, credentials.contextFor(name)),
    })
    credentials.onChange(() => this.#server.setSecureContext(credentials.serverOptions))
    this.#server.on('secureConnection', (secure) => this.#take(secure)?.onDone(secure))
    this.#server.on('tlsClientError', (_error, secure) => this.#take(secure)?.onFailed())
  }

  /** One of both is called, unless the socket closes before. @param socket that has bytes to read */
  shakeHands(socket: Socket, onDone: (secure: TLSSocket) => void, onFailed: () => void): void {
    const key = keyOf(socket)
    this.#waiting.set(key, { onDone, onFailed })
    socket.once('close', () => this.#waiting.delete(key))
    cutIntoPieces(socket)
    this.#server.emit('connection', socket)
  }

  #take(socket: Socket): { onDone: (secure: TLSSocket) => void; onFailed: () => void } | undefined {
    const key = keyOf(socket)
    const waiting = this.#waiting.get(key)
    this.#waiting.delete(key)
    return waiting
  }
}

/** Below the first size of Node's buffer toward OpenSSL, so that it is never full. */
const PIECE_BYTES = 1_000

/**
 * Has what the socket has read read again in pieces. Node makes a connection's buffer toward OpenSSL as large as its first read asks
 * for, 64 KiB, and adds 16 KiB whenever it is full; with a first read of a piece it stays at 1 KiB (bench/connections.mjs).
 */
function cutIntoPieces(socket: Socket): void {
  const bytes = socket.read() as Buffer | null
  if (bytes === null) return
  socket.pause()
  let at = 0
  const putBack = (): void => {
    if (at >= bytes.length) return void socket.off('data', putBack)
    socket.unshift(bytes.subarray(at, at + PIECE_BYTES))
    at += PIECE_BYTES
  }
  putBack()
  socket.on('data', putBack) // told of each piece that is read
}

/** [RFC5922-7.4] The domains of a peer whose certificate OpenSSL has found valid. */
export function verifiedNamesOf(secure: TLSSocket): string[] {
  if (!secure.authorized) return []
  const certificate = secure.getPeerX509Certificate()
  return certificate === undefined ? [] : sipIdentities(certificate)
}

/** Its users' addresses: whoever takes them for proof trusts the issuers of `edge.tls.caFile` to know users. */
export function verifiedUsersOf(secure: TLSSocket): string[] {
  if (!secure.authorized) return []
  const certificate = secure.getPeerX509Certificate()
  return certificate === undefined ? [] : userIdentities(certificate)
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`
}
