// SPDX-License-Identifier: MIT
//
// The way to a HEP collector. Nothing waits for it: what does not fit into its bounded queue is dropped and counted, and a call never learns of it.
// Over TCP and TLS a lost connection is opened again, with pauses; over UDP the name is looked up again now and then.

import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Logger } from '@tandem/service-kit'

/** A pause doubles from the first to the last. */
const PAUSE_MS = { first: 500, last: 30_000 } as const
const LOOKUP_MS = 60_000
const CONNECT_MS = 5_000

export interface HepLinkOptions {
  readonly host: string
  readonly port: number
  readonly transport: 'udp' | 'tcp' | 'tls'
  /** Waiting, at most. */
  readonly maxQueueBytes: number
  readonly logger: Logger
}

export interface HepLink {
  /** False where it was dropped. */
  send(packet: Buffer): boolean
  close(): void
}

export function openHepLink(options: HepLinkOptions): HepLink {
  return options.transport === 'udp' ? new UdpLink(options) : new StreamLink(options)
}

/** `host:port` or `[IPv6]:port`. */
export function hepPlaceOf(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':')
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) }
}

class UdpLink implements HepLink {
  readonly #options: HepLinkOptions
  readonly #lookups: NodeJS.Timeout
  #socket: UdpSocket | undefined
  #address = ''
  #isClosed = false

  constructor(options: HepLinkOptions) {
    this.#options = options
    this.#lookups = setInterval(() => void this.#lookUp(), LOOKUP_MS)
    this.#lookups.unref()
    void this.#lookUp()
  }

  async #lookUp(): Promise<void> {
    const { host, logger } = this.#options
    try {
      const { address, family } = await lookup(host)
      if (this.#isClosed || address === this.#address) return
      this.#socket?.close()
      this.#socket = createSocket(family === 6 ? 'udp6' : 'udp4')
      this.#socket.on('error', (error) => logger.debug({ err: error }, 'HEP collector'))
      this.#socket.unref()
      this.#address = address
    } catch (error) {
      if (this.#address === '')
        logger.warn(
          { err: error, host },
          'the HEP collector can not be found: nothing is mirrored. Trying again each minute',
        )
    }
  }

  send(packet: Buffer): boolean {
    const socket = this.#socket
    if (socket === undefined || socket.getSendQueueSize() > this.#options.maxQueueBytes) return false
    socket.send(packet, this.#options.port, this.#address)
    return true
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#lookups)
    this.#socket?.close()
    this.#socket = undefined
  }
}

class StreamLink implements HepLink {
  readonly #options: HepLinkOptions
  #socket: Socket | undefined
  #isOpen = false
  #pauseMs: number = PAUSE_MS.first
  #retry: NodeJS.Timeout | undefined

  constructor(options: HepLinkOptions) {
    this.#options = options
    this.#connect()
  }

  #connect(): void {
    const { host, port, transport } = this.#options
    const name = isIP(host) === 0 ? { servername: host } : {} // an address is no name of a server (RFC 6066 section 3)
    const socket = transport === 'tls' ? connectTls({ host, port, ...name }) : connect({ host, port })
    this.#socket = socket
    socket.unref()
    socket.setTimeout(CONNECT_MS, () => this.#isOpen || socket.destroy(new Error('no connection in time')))
    socket.on(transport === 'tls' ? 'secureConnect' : 'connect', () => {
      this.#isOpen = true
      this.#pauseMs = PAUSE_MS.first
      socket.setTimeout(0)
    })
    socket.on('data', () => undefined)
    socket.on('error', (error) => this.#tell(error))
    socket.on('close', () => this.#onClose())
  }

  #tell(error: Error): void {
    const { logger, host, port } = this.#options
    const isFirst = this.#isOpen || this.#pauseMs === PAUSE_MS.first
    if (isFirst)
      logger.warn(
        { err: error, host, port },
        'no way to the HEP collector: messages are not mirrored until there is one',
      )
  }

  #onClose(): void {
    this.#isOpen = false
    if (this.#socket === undefined) return
    this.#retry = setTimeout(() => this.#connect(), this.#pauseMs)
    this.#retry.unref()
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS.last)
  }

  send(packet: Buffer): boolean {
    const socket = this.#socket
    if (socket === undefined || !this.#isOpen || socket.writableLength > this.#options.maxQueueBytes) return false
    socket.write(packet)
    return true
  }

  close(): void {
    const socket = this.#socket
    this.#socket = undefined
    clearTimeout(this.#retry)
    socket?.destroySoon()
  }
}
