// SPDX-License-Identifier: MIT
// SIP over WebSocket and secure WebSocket (RFC 7118), server side: a contact there is reached over the connection that it opened. We open
// none: a browser listens nowhere.
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { WebSocket } from 'ws'
import { type Arrival, StreamTransport } from './stream-transport.ts'
import type { StreamOptions } from './stream-types.ts'
import { type TlsOptions, TlsStage, verifiedNamesOf } from './tls/tls-stage.ts'
import type { WsAuthorizer } from './ws/ws-authorizer.ts'
import { WsConnection, type WsPings } from './ws/ws-connection.ts'
import { WsStage } from './ws/ws-stage.ts'

export interface WsTransportOptions extends StreamOptions {
  /** Present: WSS. */
  readonly tls?: TlsOptions
  /** "https://app.example.com"; empty for all. */
  readonly origins: readonly string[]
  readonly pings: WsPings
  /** Asked about each upgrade; may be shared, and is its maker's to close. Nobody is asked where absent. */
  readonly authorizer?: WsAuthorizer
}

/** How long a refused client has to read why. */
const REFUSAL_MS = 2_000

export class WsTransport extends StreamTransport {
  readonly #tls: TlsStage | undefined
  readonly #ws: WsStage
  readonly #pings: WsPings

  constructor(options: WsTransportOptions) {
    super(options.tls === undefined ? 'ws' : 'wss', options)
    this.#tls = options.tls === undefined ? undefined : new TlsStage(options.tls)
    const { origins, authorizer } = options
    this.#ws = new WsStage({ origins, authorizer, isSecure: options.tls !== undefined, counters: this.counters })
    this.#pings = options.pings
  }

  protected welcome(arrival: Arrival): void {
    const tls = this.#tls
    if (tls === undefined) {
      this.#upgrade(arrival, arrival.socket, [])
      if (arrival.socket.isPaused()) arrival.socket.resume() // behind a PROXY header
      return
    }
    const begin = (): void => {
      if (!this.isArriving(arrival)) return
      const onDone = (secure: TLSSocket): void => this.#upgrade(arrival, secure, verifiedNamesOf(secure))
      tls.shakeHands(arrival.socket, onDone, () => this.#onFailed(arrival))
    }
    this.whenItSpeaks(arrival, () => this.admission.beginHandshake(begin))
  }

  #upgrade(arrival: Arrival, socket: Socket, verifiedNames: readonly string[]): void {
    const onDone = (ws: WebSocket): void => this.#onWebSocket(arrival, ws, socket, verifiedNames)
    const onRefused = (): void => this.#onRefused(arrival, socket)
    this.#ws.shakeHands(socket, { address: arrival.address, onDone, onRefused })
  }

  #onWebSocket(arrival: Arrival, ws: WebSocket, socket: Socket, verifiedNames: readonly string[]): void {
    if (!this.isArriving(arrival)) return void ws.terminate()
    this.counters.handshakes++
    this.adopt(arrival, (id) => {
      const { address: remoteAddress, port: remotePort } = arrival
      const identity = { id, transport: this.transport, inbound: true, remoteAddress, remotePort, verifiedNames }
      return new WsConnection(this.host, ws, socket, identity, this.#pings)
    })
  }

  /** The answer is under way; the socket ends with it, and in any case soon. */
  #onRefused(arrival: Arrival, socket: Socket): void {
    this.counters.handshakeFailures++
    setTimeout(() => socket.destroy(), REFUSAL_MS).unref()
    socket.once('finish', () => this.fail(arrival))
  }

  #onFailed(arrival: Arrival): void {
    this.counters.handshakeFailures++
    this.fail(arrival)
  }
}
