// SPDX-License-Identifier: MIT
// The handshake of WebSocket (RFC 6455 §4.2, RFC 7118 §4.1): an HTTP server that listens nowhere and takes sockets that are open. What is
// no handshake for SIP gets an HTTP answer and the end of its connection; what is no HTTP gets the end.
// Cookies and HTTP authentication (RFC 7118 §7) are another's to judge, who is asked where there is one (ws-authorizer.ts). The socket is not
// read meanwhile. SIP's own authentication is asked for in any case.
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { LIMITS } from '@tandem/sip'
import { type WebSocket, WebSocketServer } from 'ws'
import type { StreamCounters } from '../stream-types.ts'
import type { WsAuthorizer, WsVerdict } from './ws-authorizer.ts'

export const SUBPROTOCOL = 'sip'
/** RFC 6455 §4.1 */
const VERSION = '13'
const MAX_HEADER_BYTES = 16_384
const MAX_MESSAGE_BYTES = LIMITS.headerSectionBytes + LIMITS.bodyBytes
/** Of one message. Each costs an object, so that 1 MB in single bytes would cost 100. */
const MAX_FRAGMENTS = 1_024
/** Reads of the socket that one frame may come in. */
const MAX_CHUNKS = 8_192

export interface WsStageOptions {
  /** Of browsers that may connect; empty for all. */
  readonly origins: readonly string[]
  /** Asked about each upgrade; none where absent. */
  readonly authorizer: WsAuthorizer | undefined
  readonly isSecure: boolean
  readonly counters: StreamCounters
}

export interface WsArrival {
  /** Of the client, for the authorizer. */
  readonly address: string
  readonly onDone: (ws: WebSocket) => void
  readonly onRefused: () => void
}

export class WsStage {
  readonly #http: Server
  readonly #ws: WebSocketServer
  readonly #options: WsStageOptions
  readonly #origins: ReadonlySet<string>
  readonly #waiting = new WeakMap<Duplex, WsArrival>()

  constructor(options: WsStageOptions) {
    this.#options = options
    this.#origins = new Set(options.origins.map((origin) => origin.toLowerCase()))
    this.#ws = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      maxFragments: MAX_FRAGMENTS,
      maxBufferedChunks: MAX_CHUNKS,
      handleProtocols: () => SUBPROTOCOL,
    })
    this.#ws.on('wsClientError', (_error, socket) => this.#refuse(socket, 400))
    this.#http = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAlive: false })
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    this.#http.on('request', (request, response) => {
      const { socket } = request
      response.writeHead(426, { Upgrade: 'websocket', Connection: 'close', 'Content-Length': 0 })
      response.end(() => socket.destroySoon())
      this.#tellRefused(socket)
    })
    this.#http.on('connect', (_request, socket) => this.#refuse(socket, 426))
    this.#http.on('clientError', (_error, socket) => this.#refuse(socket, 400))
  }

  /** One of both is called, unless the socket closes before. */
  shakeHands(socket: Socket, arrival: WsArrival): void {
    this.#waiting.set(socket, arrival)
    this.#http.emit('connection', socket)
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const status = this.#refusalOf(request)
    if (status !== 0) return this.#refuse(socket, status)
    if (this.#options.authorizer === undefined) this.#accept(request, socket, head)
    else this.#authorize(this.#options.authorizer, request, socket, head)
  }

  #authorize(authorizer: WsAuthorizer, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { isSecure } = this.#options
    const address = this.#waiting.get(socket)?.address ?? ''
    const cancel = authorizer.ask({ request, address, isSecure }, (verdict) => {
      socket.off('close', cancel)
      this.#count(verdict)
      if (verdict.status === 200) this.#accept(request, socket, head)
      else this.#refuse(socket, verdict.status, verdict.challenge)
    })
    socket.once('close', cancel)
    socket.on('error', ignore)
  }

  #count({ status, isTimeout }: WsVerdict): void {
    const { counters } = this.#options
    if (status === 200) counters.authorized++
    else if (status === 401) counters.unauthorized++
    else if (status === 403) counters.forbidden++
    else if (isTimeout === true) counters.authorizerTimeouts++
    else counters.authorizerFailures++
  }

  #accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#ws.handleUpgrade(request, socket, head, (ws) => {
      const waiting = this.#waiting.get(socket)
      this.#waiting.delete(socket)
      if (waiting === undefined) ws.terminate()
      else waiting.onDone(ws)
    })
  }

  /** 0 for none. */
  #refusalOf({ headers }: IncomingMessage): number {
    if (headers.upgrade?.toLowerCase() !== 'websocket') return 426
    if (headers['sec-websocket-version'] !== VERSION) return 426
    const offered = headers['sec-websocket-protocol']?.split(',').map((name) => name.trim().toLowerCase()) ?? []
    if (!offered.includes(SUBPROTOCOL)) return 400 // [RFC7118-4.1]
    const { origin } = headers
    // A browser always says where its page is from [RFC6455-10.2]; others need not.
    if (origin !== undefined && this.#origins.size > 0 && !this.#origins.has(origin.toLowerCase())) return 403
    return 0
  }

  /** [RFC7118-7b] @param challenge with 401 */
  #refuse(socket: Duplex, status: number, challenge?: string): void {
    if (socket.writable) {
      // RFC 6455 §4.2.2: what we would have understood
      const upgrade = status === 426 ? `Upgrade: websocket\r\nSec-WebSocket-Version: ${VERSION}\r\n` : ''
      const authenticate = challenge === undefined ? '' : `WWW-Authenticate: ${challenge}\r\n`
      socket.end(
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${upgrade}${authenticate}Connection: close\r\nContent-Length: 0\r\n\r\n`,
        'latin1',
      )
    }
    this.#tellRefused(socket)
  }

  #tellRefused(socket: Duplex): void {
    const waiting = this.#waiting.get(socket)
    this.#waiting.delete(socket)
    waiting?.onRefused()
  }
}

function ignore(): void {
  // What an error means shows in the 'close' that follows.
}
