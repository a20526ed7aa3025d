// SPDX-License-Identifier: MIT
// UDP over node:dgram: where the native addon can't be had, or is not wanted.
// Sending: numeric addresses only. The `lookup` option answers synchronously, so that send() reaches the kernel before it returns, with no
// DNS, no nextTick, no callback. Where the kernel's buffer is full libuv queues a reference to the bytes, so each datagram goes out from a
// slab of this file's own: the caller's bytes are free on return. The copy is below what can be measured beside the system call.
// Measured (bench/udp-send.mjs, 600 bytes on loopback): send(buf, offset, length, port, address) costs 3.4 µs of CPU on a quiet machine, a
// view in an array the same, a callback up to 0.5 µs more, a connect()ed socket 0.8 µs less, but that one receives from one peer only.
// Receiving costs 8 to 9 µs: node allocates 64 KiB for each datagram and shrinks it, and no option changes that.
// Left out: send errors that the kernel reports at once (unreachable network) are not visible without a callback per send; the
// transaction timers cover them. Only what the socket emits is counted.
import { createSocket, type Socket } from 'node:dgram'
import { isIP } from 'node:net'
import type { DatagramSink, UdpCounters, UdpListener } from './types.ts'
import { DEFAULT_MAX_QUEUED_BYTES, MAX_UDP_PAYLOAD, POISON, type UdpOptions } from './udp-options.ts'

const SLAB_BYTES = 1 << 18
const MAX_DESTINATIONS = 4_096

/** Opens a socket of node:dgram. Rejects with the error of the system call. */
export async function openDgramListener(options: UdpOptions): Promise<DgramListener> {
  const family = options.address.includes(':') ? 6 : 4
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    ipv6Only: family === 6,
    reuseAddr: false,
    reusePort: options.reusePort ?? false,
    lookup: family === 6 ? numericLookup6 : numericLookup4,
    ...(options.recvBufferBytes === undefined ? {} : { recvBufferSize: options.recvBufferBytes }),
    ...(options.sendBufferBytes === undefined ? {} : { sendBufferSize: options.sendBufferBytes }),
  })
  await bind(socket, options)
  return new DgramListener(socket, family, options)
}

function bind(socket: Socket, options: UdpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => {
      socket.close()
      reject(error)
    }
    socket.once('error', onError)
    socket.bind({ port: options.port, address: options.address, exclusive: true }, () => {
      socket.off('error', onError)
      resolve()
    })
  })
}

type LookupCallback = (error: Error | null, address: string, family: number) => void

// node passes (host, callback) or (host, options, callback), by its version.
function numericLookup4(host: string, options: unknown, callback?: unknown): void {
  ;((callback ?? options) as LookupCallback)(null, host, 4)
}

function numericLookup6(host: string, options: unknown, callback?: unknown): void {
  ;((callback ?? options) as LookupCallback)(null, host, 6)
}

export class DgramListener implements UdpListener {
  readonly transport = 'udp'
  readonly reliable = false
  readonly implementation = 'dgram'
  readonly address: string
  readonly port: number
  readonly family: 4 | 6
  readonly counters: UdpCounters
  readonly #socket: Socket
  readonly #sink: DatagramSink
  readonly #maxQueuedBytes: number
  readonly #onError: ((error: Error) => void) | undefined
  readonly #poison: boolean
  /** Texts known to be addresses of the family; node would swallow the error of another one. */
  readonly #known = new Set<string>()
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #slabUsed = 0
  #isOpen = true

  constructor(socket: Socket, family: 4 | 6, options: UdpOptions) {
    const bound = socket.address()
    this.#socket = socket
    this.#sink = options.sink
    this.#maxQueuedBytes = options.maxQueuedBytes ?? DEFAULT_MAX_QUEUED_BYTES
    this.#onError = options.onError
    this.#poison = options.poison ?? false
    this.address = bound.address
    this.port = bound.port
    this.family = family
    this.counters = { received: 0, receivedBytes: 0, sent: 0, sentBytes: 0, queued: 0, dropped: 0, errors: 0 }
    socket.on('message', (bytes, source) => this.#onMessage(bytes, source.address, source.port))
    socket.on('error', (error) => this.#fail(error))
  }

  send(buf: Buffer, start: number, end: number, port: number, address: string): void {
    const length = end - start
    const isSendable = length >= 0 && length <= MAX_UDP_PAYLOAD && start >= 0 && end <= buf.length
    if (!isSendable || !this.#isOpen || port <= 0 || port > 65_535 || !this.#isAddress(address)) {
      this.counters.dropped++
      return
    }
    if (this.#slabUsed + length > SLAB_BYTES && !this.#renewSlab()) return
    const at = this.#slabUsed
    buf.copy(this.#slab, at, start, end)
    try {
      this.#socket.send(this.#slab, at, length, port, address)
    } catch (error) {
      this.#fail(error as Error)
      return
    }
    this.counters.sent++
    this.counters.sentBytes += length
    // Nothing waits: the kernel has the bytes, and the same place, warm in the cache, serves the next datagram.
    if (this.#socket.getSendQueueCount() === 0) this.#slabUsed = 0
    else this.#keep(at + length)
  }

  flush(): void {}

  close(): Promise<void> {
    if (!this.#isOpen) return Promise.resolve()
    this.#isOpen = false
    return new Promise((resolve) => {
      this.#socket.close(() => resolve())
    })
  }

  #onMessage(bytes: Buffer, address: string, port: number): void {
    this.counters.received++
    this.counters.receivedBytes += bytes.length
    try {
      this.#sink.onDatagram(bytes, 0, bytes.length, address, port, this)
    } finally {
      if (this.#poison) bytes.fill(POISON)
    }
  }

  #isAddress(text: string): boolean {
    if (this.#known.has(text)) return true
    if (isIP(text) !== this.family) return false
    if (this.#known.size >= MAX_DESTINATIONS) this.#known.clear()
    this.#known.add(text)
    return true
  }

  /** The datagram waits: libuv refers to its bytes, so its part of the slab is used up. */
  #keep(used: number): void {
    this.counters.queued++
    this.#slabUsed = used
  }

  /** False, and a counted drop, where too much waits already. The old slab lives as long as libuv refers to it. */
  #renewSlab(): boolean {
    if (this.#socket.getSendQueueSize() > this.#maxQueuedBytes) {
      this.counters.dropped++
      return false
    }
    this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    this.#slabUsed = 0
    return true
  }

  #fail(error: Error): void {
    this.counters.errors++
    this.#onError?.(error)
  }
}
