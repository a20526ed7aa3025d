// SPDX-License-Identifier: MIT
// One SCTP association as a connection (RFC 4168). SCTP keeps the boundaries of messages, and unordered ones may overtake each other, so
// each SIP message is one write, which is one SCTP message; the next waits until the kernel has taken it whole (net.Socket would join
// what waits). On the way in each chunk that Node reads is one SCTP message, or a part of a long one, whose parts the kernel never mixes
// with others: Content-Length frames them as on TCP, and where it is missing the chunk is the message [RFC3261-18.3].
// Invariants: as in stream-connection.ts. Memory: at most maxQueuedBytes out, and what the framer's limits allow in.
// Left out: a message without Content-Length that is longer than one read.
import type { Socket } from 'node:net'
import { FRAME, FRAMING_ERROR, StreamFramer } from '@tandem/sip'
import { plainAddress } from '../stream-connection.ts'
import type { ConnectionHost, ConnectionIdentity, PooledConnection } from '../stream-types.ts'
import type { CloseReason, TransportName } from '../types.ts'

const CRLF = Buffer.from('\r\n')
const LINGER_MS = 2_000
/** What libuv reads at once: a chunk of that size may go on in the next. */
const READ_BYTES = 65_536

export class SctpConnection implements PooledConnection {
  readonly id: number
  readonly transport: TransportName
  readonly reliable = true
  readonly inbound: boolean
  readonly remoteAddress: string
  readonly remotePort: number
  readonly verifiedNames: readonly string[] = []
  localAddress = ''
  localPort = 0
  isOpen = true
  context: unknown = undefined
  isDirty = false
  readonly #socket: Socket
  readonly #host: ConnectionHost
  readonly #maxMessageBytes: number
  readonly #waiting: Buffer[] = []
  #waitingBytes = 0
  #framer = new StreamFramer()
  #reason: CloseReason | undefined
  #isConnecting: boolean
  #lastActivityMs: number
  /** When the unfinished message at the end of the stream began; -1 where there is none. */
  #partialSinceMs = -1
  #endedMs = -1

  /** @param maxMessageBytes of one message, more than which the kernel refuses */
  constructor(host: ConnectionHost, socket: Socket, identity: ConnectionIdentity, maxMessageBytes: number) {
    this.#host = host
    this.#socket = socket
    this.#maxMessageBytes = maxMessageBytes
    this.id = identity.id
    this.transport = identity.transport
    this.inbound = identity.inbound
    this.remoteAddress = identity.remoteAddress
    this.remotePort = identity.remotePort
    this.#isConnecting = !identity.inbound
    this.#lastActivityMs = host.now()
    if (identity.inbound) this.#readLocalPlace()
    else socket.once('connect', () => this.#onConnect())
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('error', () => this.#onError())
    socket.once('close', () => this.#onClose())
  }

  get queuedBytes(): number {
    return this.#socket.writableLength + this.#waitingBytes
  }

  send(buf: Buffer, start: number, end: number): boolean {
    if (!this.isOpen) return false
    const length = end - start
    if (length > this.#maxMessageBytes) {
      this.#host.counters.oversizeFrames++
      return false
    }
    if (this.queuedBytes + length > this.#host.limits.maxQueuedBytes) {
      this.#host.counters.slowReaders++
      this.abort('slowReader')
      return false
    }
    this.#waiting.push(Buffer.from(buf.subarray(start, end)))
    this.#waitingBytes += length
    this.#host.counters.messagesSent++
    this.#host.onDirty(this)
    return true
  }

  close(): void {
    this.#end('localClosed')
  }

  flush(): void {
    if (this.#isConnecting) return
    const { counters } = this.#host
    while (this.#waiting.length > 0 && this.#canWrite()) {
      const message = this.#waiting.shift() as Buffer
      this.#waitingBytes -= message.length
      counters.writes++
      counters.bytesSent += message.length
      this.#lastActivityMs = this.#host.now()
      this.#socket.write(message, this.#onWritten)
    }
    if (this.#endedMs >= 0 && this.#waiting.length === 0) this.#socket.end()
  }

  abort(reason: CloseReason): void {
    this.isOpen = false
    this.#reason ??= reason
    this.#forgetWaiting()
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
    }
  }

  /** The kernel has the message before, whole. */
  #canWrite(): boolean {
    return this.#socket.writableLength === 0 && !this.#socket.destroyed && !this.#socket.writableEnded
  }

  readonly #onWritten = (): void => {
    if (this.#waiting.length > 0) this.flush()
  }

  #end(reason: CloseReason): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#reason ??= reason
    this.#endedMs = this.#host.now()
    if (this.#isConnecting && this.#waiting.length === 0) this.#socket.destroy()
    else this.flush()
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
    if (this.isOpen) this.#host.sink.onOpen?.(this)
    this.flush()
  }

  #onData(chunk: Buffer): void {
    this.#host.counters.bytesReceived += chunk.length
    if (!this.isOpen) return
    this.#lastActivityMs = this.#host.now()
    const isFresh = !this.#framer.isPartial
    const before = this.#host.counters.messagesReceived
    this.#framer.push(chunk)
    while (
      this.isOpen &&
      this.#readFrame(isFresh && this.#host.counters.messagesReceived === before ? chunk : undefined)
    ) {
      // Each frame is handled by readFrame, until more bytes are needed or the connection is closed.
    }
  }

  /** False where nothing more can be read now. @param whole the chunk, while its first message is looked for */
  #readFrame(whole: Buffer | undefined): boolean {
    const framer = this.#framer
    switch (framer.next()) {
      case FRAME.MESSAGE:
        this.#partialSinceMs = -1
        this.#handUp(framer.buf, framer.start, framer.end)
        return true
      case FRAME.PING: // [RFC5626-4.4.1] a double CRLF is answered with one CRLF
        this.#host.counters.pings++
        if (this.send(CRLF, 0, CRLF.length)) this.#host.counters.messagesSent--
        return true
      case FRAME.PONG:
        this.#host.counters.pongs++
        return true
      case FRAME.ERROR:
        if (whole !== undefined && endsWithItsPacket(framer.error, whole)) this.#takeWhole(whole)
        else this.#onFramingError()
        return false
      default:
        this.#notePartial()
        return false
    }
  }

  #handUp(buf: Buffer, start: number, end: number): void {
    this.#host.counters.messagesReceived++
    this.#host.sink.onMessage(this, buf, start, end)
  }

  // [RFC3261-18.3] of a message-oriented transport: without Content-Length the body ends with the packet
  #takeWhole(chunk: Buffer): void {
    this.#framer = new StreamFramer()
    this.#partialSinceMs = -1
    this.#handUp(chunk, 0, chunk.length)
  }

  #notePartial(): void {
    if (!this.#framer.isPartial) this.#partialSinceMs = -1
    else if (this.#partialSinceMs < 0) this.#partialSinceMs = this.#lastActivityMs
  }

  #onFramingError(): void {
    this.#host.counters.framingErrors++
    this.#host.sink.onFramingError(this, this.#framer.error)
    this.#end('framing')
  }

  /** Communication lost, or never had: as TCP's reset. */
  #onError(): void {
    this.#host.counters.errors++
    this.#reason ??= this.#isConnecting ? 'connectFailed' : 'reset'
  }

  #forgetWaiting(): void {
    this.#waiting.length = 0
    this.#waitingBytes = 0
  }

  #onClose(): void {
    this.isOpen = false
    this.#forgetWaiting()
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

function endsWithItsPacket(error: number, chunk: Buffer): boolean {
  return error === FRAMING_ERROR.NO_CONTENT_LENGTH && chunk.length < READ_BYTES
}
