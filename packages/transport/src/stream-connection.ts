// SPDX-License-Identifier: MIT
// One stream connection: framing on the way in, one write per turn on the way out. It works on any net.Socket, a TLS socket too.
// Invariants: onClose comes exactly once, from the socket's 'close' event, so never inside send() or close(). After isOpen has become
// false no message is handed up; what the peer still sends is read and thrown away, because closing on unread bytes would send a reset
// that may overtake our last answer. Memory: at most maxQueuedBytes out, and what the framer's limits allow in.
import type { Socket } from 'node:net'
import { FRAME, StreamFramer } from '@tandem/sip'
import { StrangerWatch } from './proxy-protocol.ts'
import type { ConnectionHost, ConnectionIdentity, PooledConnection } from './stream-types.ts'
import type { CloseReason, TransportName } from './types.ts'

const FIRST_BUFFER_BYTES = 2_048
const CRLF = Buffer.from('\r\n')
/** How long an ended connection may take to write what it has and see the peer's end. */
const LINGER_MS = 2_000

const NO_NAMES: readonly string[] = []

export class StreamConnection implements PooledConnection {
  readonly id: number
  readonly transport: TransportName
  readonly reliable = true
  readonly inbound: boolean
  readonly remoteAddress: string
  readonly remotePort: number
  readonly verifiedNames: readonly string[]
  readonly verifiedUsers: readonly string[]
  localAddress = ''
  localPort = 0
  isOpen = true
  context: unknown = undefined
  isDirty = false
  readonly #socket: Socket
  readonly #host: ConnectionHost
  readonly #framer = new StreamFramer()
  #pending: Buffer | undefined
  #pendingUsed = 0
  #reason: CloseReason | undefined
  #isConnecting: boolean
  #lastActivityMs: number
  /** When the unfinished message at the end of the stream began; -1 where there is none. */
  #partialSinceMs = -1
  #endedMs = -1
  #strangers: StrangerWatch | undefined
  readonly #isLateWriter: boolean

  /** @param readyEvent of the socket, for an outgoing one: `secureConnect` where nothing may leave before */
  constructor(
    host: ConnectionHost,
    socket: Socket,
    identity: ConnectionIdentity,
    readyEvent: 'connect' | 'secureConnect' = 'connect',
  ) {
    this.#host = host
    this.#socket = socket
    this.id = identity.id
    this.transport = identity.transport
    this.inbound = identity.inbound
    this.remoteAddress = identity.remoteAddress
    this.remotePort = identity.remotePort
    this.verifiedNames = identity.verifiedNames ?? NO_NAMES
    this.verifiedUsers = identity.verifiedUsers ?? NO_NAMES
    this.#isLateWriter = readyEvent === 'secureConnect'
    this.#strangers = identity.inbound ? new StrangerWatch() : undefined
    this.#isConnecting = !identity.inbound
    this.#lastActivityMs = host.now()
    if (identity.inbound) this.#readLocalPlace()
    else socket.once(readyEvent, () => this.#onConnect())
    this.#readFrom(socket)
    socket.on('error', () => this.#onError())
    socket.once('close', () => this.#onClose())
  }

  get queuedBytes(): number {
    return this.#socket.writableLength + this.#pendingUsed
  }

  send(buf: Buffer, start: number, end: number): boolean {
    if (!this.isOpen) return false
    const length = end - start
    if (this.queuedBytes + length > this.#host.limits.maxQueuedBytes) {
      this.#host.counters.slowReaders++
      this.abort('slowReader')
      return false
    }
    const pending = this.#reserve(length)
    buf.copy(pending, this.#pendingUsed, start, end)
    this.#pendingUsed += length
    this.#host.counters.messagesSent++
    this.#host.onDirty(this)
    return true
  }

  close(): void {
    this.#end('localClosed')
  }

  flush(): void {
    const used = this.#pendingUsed
    const pending = this.#pending
    if (used === 0 || pending === undefined || (this.#isConnecting && this.#isLateWriter)) return
    this.#pendingUsed = 0
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    this.#host.counters.writes++
    this.#host.counters.bytesSent += used
    this.#lastActivityMs = this.#host.now()
    this.#socket.write(pending.subarray(0, used))
    // The kernel has taken all of it, else node refers to it until it is written.
    if (this.#socket.writableLength > 0) this.#pending = undefined
  }

  abort(reason: CloseReason): void {
    this.isOpen = false
    this.#reason ??= reason
    this.#pendingUsed = 0
    this.#pending = undefined
    this.#socket.destroy()
  }

  sweep(nowMs: number): void {
    const limits = this.#host.limits
    if (this.#endedMs >= 0) {
      if (nowMs - this.#endedMs > LINGER_MS) this.#socket.destroy()
    } else if (this.#isConnecting) {
      if (nowMs - this.#lastActivityMs > limits.connectTimeoutMs) this.abort('connectTimeout')
    } else if (this.#partialSinceMs >= 0 && nowMs - this.#partialSinceMs > limits.partialMessageMs) {
      this.abort('partialMessage')
    } else if (nowMs - this.#lastActivityMs > limits.idleMs) {
      this.#end('idle')
    } else if (this.#pendingUsed === 0) {
      this.#pending = undefined
    }
  }

  #end(reason: CloseReason): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#reason ??= reason
    this.#endedMs = this.#host.now()
    this.flush()
    if (this.#isConnecting && (this.#isLateWriter || this.#socket.writableLength === 0)) this.#socket.destroy()
    else this.#socket.end()
  }

  #reserve(length: number): Buffer {
    const needed = this.#pendingUsed + length
    const pending = this.#pending
    if (pending !== undefined && pending.length >= needed) return pending
    const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BUFFER_BYTES, 2 ** Math.ceil(Math.log2(needed))))
    pending?.copy(grown, 0, 0, this.#pendingUsed)
    this.#pending = grown
    return grown
  }

  /**
   * Node hands what it reads to push(). Taken there, a read costs no tick and no state of a stream: a twentieth of a call over TLS
   * in its profile. As an event comes only what the socket had before it was ours, behind a PROXY header. The end goes its usual way.
   */
  #readFrom(socket: Socket): void {
    const onData = (chunk: Buffer): void => this.#onData(chunk)
    const push = socket.push
    socket.push = (chunk: Buffer | null): boolean => {
      if (chunk === null) return push.call(socket, null)
      onData(chunk)
      return true
    }
    socket.on('data', onData)
  }

  #readLocalPlace(): void {
    this.localAddress = plainAddress(this.#socket.localAddress ?? '')
    this.localPort = this.#socket.localPort ?? 0
  }

  #onConnect(): void {
    this.#isConnecting = false
    this.#lastActivityMs = this.#host.now()
    this.#readLocalPlace()
    this.#host.counters.connected++
    this.#host.sink.onOpen?.(this)
    if (this.#pendingUsed > 0) this.#host.onDirty(this)
  }

  #onData(chunk: Buffer): void {
    this.#host.counters.bytesReceived += chunk.length
    if (!this.isOpen) return
    this.#lastActivityMs = this.#host.now()
    if (this.#strangers !== undefined && this.#isStranger(this.#strangers, chunk)) return
    this.#framer.push(chunk)
    while (this.isOpen && this.#readFrame()) {
      // Each frame is handled by readFrame, until more bytes are needed or the connection is closed.
    }
  }

  /** A PROXY header from whom nobody trusts with one. */
  #isStranger(watch: StrangerWatch, chunk: Buffer): boolean {
    if (watch.sees(chunk)) {
      this.#host.counters.proxyHeadersOfStrangers++
      this.abort('framing')
      return true
    }
    if (!watch.isOpen) this.#strangers = undefined
    return false
  }

  /** False where nothing more can be read now. */
  #readFrame(): boolean {
    const { counters, sink } = this.#host
    const framer = this.#framer
    switch (framer.next()) {
      case FRAME.MESSAGE:
        counters.messagesReceived++
        this.#partialSinceMs = -1
        sink.onMessage(this, framer.buf, framer.start, framer.end)
        return true
      case FRAME.PING: // [RFC5626-4.4.1] a double CRLF is answered with one CRLF
        counters.pings++
        this.#pong()
        return true
      case FRAME.PONG:
        counters.pongs++
        return true
      case FRAME.ERROR:
        this.#onFramingError()
        return false
      default:
        this.#notePartial()
        return false
    }
  }

  #pong(): void {
    if (this.send(CRLF, 0, CRLF.length)) this.#host.counters.messagesSent--
  }

  #notePartial(): void {
    if (!this.#framer.isPartial) this.#partialSinceMs = -1
    else if (this.#partialSinceMs < 0) this.#partialSinceMs = this.#lastActivityMs
  }

  // [RFC3261-18.3] a stream whose framing is lost can't be read on: answer where possible, then close
  #onFramingError(): void {
    this.#host.counters.framingErrors++
    this.#host.sink.onFramingError(this, this.#framer.error)
    this.#end('framing')
  }

  #onError(): void {
    this.#host.counters.errors++
    this.#reason ??= this.#isConnecting ? 'connectFailed' : 'reset'
  }

  #onClose(): void {
    this.isOpen = false
    this.#pending = undefined
    this.#pendingUsed = 0
    const reason = this.#reason ?? 'remoteClosed'
    const { counters, sink } = this.#host
    counters.closed++
    if (reason === 'connectFailed' || reason === 'connectTimeout') counters.connectFailures++
    if (reason === 'idle') counters.idleClosed++
    if (reason === 'partialMessage') counters.partialMessages++
    this.#host.onGone(this)
    sink.onClose(this, reason)
  }
}

/** An IPv4 address that a dual-stack socket shows as IPv6, in its own form. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
