// SPDX-License-Identifier: MIT
// SIP over SCTP (RFC 4168), where the kernel has it. One association a peer: a request goes over the open one to that address and port,
// whoever opened it, else over a new one [RFC4168-5]. The addon makes the sockets, Node drives them (sctp/sockets.ts).
// Left out: TLS over SCTP (RFC 3436), addresses beyond the first of a multihomed peer, PROXY headers (they know no SCTP).
import { type Server, Socket } from 'node:net'
import type { AddonOf } from '@tandem/udp-batch'
import { loadSctpAddon, type SctpAddon } from './sctp/addon.ts'
import { DEFAULT_SCTP_TUNING, IPPROTO_SCTP, type SctpTuning, type SocketOption, sctpOptions } from './sctp/options.ts'
import { SctpConnection } from './sctp/sctp-connection.ts'
import {
  connectOn,
  listenOn,
  makeConnectingSocket,
  makeListeningSocket,
  noAddonError,
  noSctpError,
  type SocketMaker,
} from './sctp/sockets.ts'
import { type Arrival, BACKLOG, StreamTransport } from './stream-transport.ts'
import type { StreamOptions, StreamPlace } from './stream-types.ts'
import type { Connection } from './types.ts'

export interface SctpTransportOptions extends Omit<StreamOptions, 'proxySources'> {
  readonly tuning?: SctpTuning
  /** The addon built for this process where absent. */
  readonly load?: () => AddonOf<SctpAddon>
  /** Tests: TCP's number with TCP's options goes all the ways of SCTP, on kernels that have none. */
  readonly protocol?: { readonly number: number; readonly options: readonly SocketOption[] }
}

/** Named in sentences for whoever has no SCTP. */
const SETTING = 'edge.listeners.sctp'

export class SctpTransport extends StreamTransport {
  readonly #load: () => AddonOf<SctpAddon>
  readonly #protocol: number
  readonly #options: readonly SocketOption[]
  /** Of accepted associations: what their listener's socket takes. */
  #maxMessageBytes = Number.POSITIVE_INFINITY

  constructor({ tuning, load, protocol, ...options }: SctpTransportOptions) {
    super('sctp', options)
    this.#load = load ?? loadSctpAddon
    this.#protocol = protocol?.number ?? IPPROTO_SCTP
    this.#options = protocol?.options ?? sctpOptions(tuning ?? DEFAULT_SCTP_TUNING)
  }

  /** Throws a TransportError, whose message is a sentence, where this machine has no SCTP. @param address whose family is asked for */
  probe(address: string): void {
    const maker = this.#maker()
    if (typeof maker === 'string') throw noAddonError(maker, SETTING)
    try {
      maker.addon.close(makeConnectingSocket(maker, address, undefined).fd)
    } catch (error) {
      throw noSctpError(error as NodeJS.ErrnoException, SETTING) ?? error
    }
  }

  /**
   * The open association with that numeric address and port, whoever opened it, else a new one that queues until it is established.
   * undefined: the limit of connections is reached. A failure comes as onClose with connectFailed or connectTimeout.
   */
  connect(address: string, port: number): Connection | undefined {
    const open = this.findRemote(address, port)
    if (open !== undefined) return open
    let maxMessageBytes = 0
    const socket = this.takePlace(() => {
      const made = this.#dial(address, port)
      maxMessageBytes = made.maxMessageBytes
      return made.socket
    })
    if (socket === undefined) return undefined
    const id = this.nextFlowId()
    const identity = { id, transport: 'sctp', inbound: false, remoteAddress: address, remotePort: port } as const
    const conn = new SctpConnection(this.host, socket, identity, maxMessageBytes)
    this.add(conn)
    return conn
  }

  protected welcome(arrival: Arrival): void {
    const { socket, address, port } = arrival
    this.adopt(arrival, (id) => {
      const identity = { id, transport: 'sctp', inbound: true, remoteAddress: address, remotePort: port } as const
      return new SctpConnection(this.host, socket, identity, this.#maxMessageBytes)
    })
  }

  /** @throws TransportError for a machine without SCTP, else the system call's error */
  protected override async startServer(server: Server, place: StreamPlace): Promise<void> {
    const maker = this.#maker()
    if (typeof maker === 'string') throw noAddonError(maker, SETTING)
    try {
      const { fd, maxMessageBytes } = makeListeningSocket(maker, place)
      this.#maxMessageBytes = maxMessageBytes
      await listenOn(server, fd, BACKLOG)
    } catch (error) {
      throw noSctpError(error as NodeJS.ErrnoException, SETTING) ?? error
    }
  }

  /** Or why the addon is not there. */
  #maker(): SocketMaker | string {
    const loaded = this.#load()
    if (loaded.addon === undefined) return loaded.reason
    return { addon: loaded.addon, protocol: this.#protocol, options: this.#options }
  }

  /** A socket that can't be made is one that fails. */
  #dial(address: string, port: number): { socket: Socket; maxMessageBytes: number } {
    try {
      const maker = this.#maker()
      if (typeof maker === 'string') throw noAddonError(maker, SETTING)
      const { fd, maxMessageBytes } = makeConnectingSocket(maker, address, this.options.localAddress)
      return { socket: connectOn(fd, address, port), maxMessageBytes }
    } catch (error) {
      const socket = new Socket()
      process.nextTick(() => socket.destroy(error as Error))
      return { socket, maxMessageBytes: 0 }
    }
  }
}
