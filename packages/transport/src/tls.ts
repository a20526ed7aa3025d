// SPDX-License-Identifier: MIT
// SIP over TLS, 1.2 and 1.3, in both directions. A server that we connect to must prove the name that was asked for (RFC 5922 §7.3);
// nothing of SIP leaves before it has. Requests go over a connection whose far end has proven that very name: the one that we opened
// to it, or one that it opened with a certificate of its own and an alias (RFC 5923). Responses and flows take theirs as they are.
// Left out: revocation lists, and the commonName beyond what RFC 5922 allows.
import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import { plainAddress, StreamConnection } from './stream-connection.ts'
import { type Arrival, StreamTransport } from './stream-transport.ts'
import type { PooledConnection, StreamOptions } from './stream-types.ts'
import { provesName } from './tls/sip-identities.ts'
import { type TlsOptions, TlsStage, verifiedNamesOf, verifiedUsersOf } from './tls/tls-stage.ts'
import type { Connection } from './types.ts'

export interface TlsTransportOptions extends StreamOptions {
  readonly tls: TlsOptions
  /** Told in a sentence why a server is not believed. Names, no secrets. */
  readonly onNotice?: (sentence: string) => void
}

export class TlsTransport extends StreamTransport {
  readonly #tls: TlsOptions
  readonly #stage: TlsStage
  readonly #onNotice: (sentence: string) => void
  /** "name address port" → a connection that has proven it, or will. */
  readonly #byName = new Map<string, PooledConnection>()
  readonly #namesOf = new Map<PooledConnection, string[]>()

  constructor(options: TlsTransportOptions) {
    super('tls', options)
    this.#tls = options.tls
    this.#stage = new TlsStage(options.tls)
    this.#onNotice = options.onNotice ?? (() => undefined)
  }

  /**
   * The open connection to that place that has proven the name, else a new one that queues until it has. A server that proves
   * another name, or none, is told as onClose with connectFailed [RFC5922-7.3].
   *
   * @param name the domain of the URI before any DNS; the address where it is numeric
   */
  connect(address: string, port: number, name: string = address): Connection | undefined {
    const key = nameKey(name, address, port)
    const open = this.#byName.get(key)
    if (open?.isOpen === true) return open
    const socket = this.takePlace(() => this.#dial(address, port, name))
    if (socket === undefined) return undefined
    const identity = {
      id: this.nextFlowId(),
      transport: 'tls',
      inbound: false,
      remoteAddress: address,
      remotePort: port,
      verifiedNames: [name.toLowerCase()],
    } as const
    const conn = new StreamConnection(this.host, socket, identity, 'secureConnect')
    socket.once('secureConnect', () => this.counters.handshakes++)
    this.add(conn)
    this.#remember(key, conn)
    return conn
  }

  /**
   * [RFC5923-5] The peer wants requests for its domains to come over this connection, to the port of its Via. Nothing happens where
   * its certificate proves no domain.
   */
  alias(conn: Connection, port: number): void {
    if (!conn.inbound || !conn.isOpen || conn.verifiedNames.length === 0) return
    const pooled = conn as PooledConnection
    for (const name of conn.verifiedNames.slice(0, MAX_ALIASES)) {
      const key = nameKey(name, conn.remoteAddress, port)
      if (this.#byName.get(key)?.isOpen !== true) this.#remember(key, pooled)
    }
  }

  protected welcome(arrival: Arrival): void {
    const begin = (): void => {
      if (!this.isArriving(arrival)) return
      const onDone = (secure: TLSSocket): void => this.#onSecure(arrival, secure)
      this.#stage.shakeHands(arrival.socket, onDone, () => this.#onFailed(arrival))
    }
    this.whenItSpeaks(arrival, () => this.admission.beginHandshake(begin))
  }

  protected override onGone(conn: PooledConnection): void {
    for (const key of this.#namesOf.get(conn) ?? []) if (this.#byName.get(key) === conn) this.#byName.delete(key)
    this.#namesOf.delete(conn)
    super.onGone(conn)
  }

  #remember(key: string, conn: PooledConnection): void {
    const keys = this.#namesOf.get(conn)
    if (keys === undefined) this.#namesOf.set(conn, [key])
    else if (keys.length >= MAX_ALIASES) return
    else keys.push(key)
    this.#byName.set(key, conn)
  }

  #onSecure(arrival: Arrival, secure: TLSSocket): void {
    if (!this.isArriving(arrival)) return void secure.destroy()
    this.counters.handshakes++
    this.adopt(arrival, (id) => {
      const { address: remoteAddress, port: remotePort } = arrival
      const verifiedNames = verifiedNamesOf(secure)
      const verifiedUsers = verifiedUsersOf(secure)
      const peer = { remoteAddress, remotePort, verifiedNames, verifiedUsers }
      const identity = { id, transport: 'tls', inbound: true, ...peer } as const
      return new StreamConnection(this.host, secure, identity)
    })
  }

  #onFailed(arrival: Arrival): void {
    this.counters.handshakeFailures++
    this.fail(arrival)
  }

  #dial(address: string, port: number, name: string): Socket {
    const local = this.options.localAddress
    const socket = tlsConnect({
      host: address,
      port,
      secureContext: this.#tls.credentials.clientContext,
      // [RFC6066-3] a server name is never an address
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(local === undefined || local.includes(':') !== address.includes(':') ? {} : { localAddress: local }),
      // Asked before `secureConnect`, so that what is queued leaves only to whom it is for.
      checkServerIdentity: (_host, { raw }) => refusalOf(new X509Certificate(raw), name),
    })
    socket.setNoDelay(true)
    socket.on('error', (error) => this.#onDialError(error, address, port, name))
    return socket
  }

  #onDialError(error: NodeJS.ErrnoException, address: string, port: number, name: string): void {
    if (error.syscall === 'connect') return
    this.counters.handshakeFailures++
    this.#onNotice(`TLS to ${name} at ${plainAddress(address)} port ${port} failed: ${error.message}`)
  }
}

/** Names that one connection may be reused for. */
const MAX_ALIASES = 16

/** [RFC5922-7.3] */
function refusalOf(certificate: X509Certificate, name: string): Error | undefined {
  if (provesName(certificate, name)) return undefined
  return new Error(`its certificate is for ${certificate.subjectAltName ?? certificate.subject}`)
}

function nameKey(name: string, address: string, port: number): string {
  return `${name.toLowerCase()} ${address} ${port}`
}
