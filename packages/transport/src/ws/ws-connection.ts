// SPDX-License-Identifier: MIT
// One WebSocket as a connection (RFC 7118): a SIP message is one WebSocket message, text where it is UTF-8, else binary. Both are taken.
// Content-Length is not needed inside; bytes behind the message that it names are no second message but an error (§5). CRLFs are the
// keep-alives of RFC 5626 (§6). Messages that are no SIP are handed up, to be answered or counted there, and close it at a bound.
// Invariants: as in stream-connection.ts. Memory: at most maxQueuedBytes out, answers to keep-alives among them; in, one message of the
// bound that ws enforces (ws-stage.ts), for partialMessageMs at most.
import { isUtf8 } from 'node:buffer'
import type { Socket } from 'node:net'
import { SCAN_ERROR, SipMessage, scan } from '@tandem/sip'
import type { WebSocket } from 'ws'
import { plainAddress } from '../stream-connection.ts'
import type { ConnectionHost, ConnectionIdentity, PooledConnection } from '../stream-types.ts'
import type { CloseReason, TransportName } from '../types.ts'
import { FrameWatch } from './frame-watch.ts'

export interface WsPings {
  /** Of silence before we ask whether the far end is there; 0 never asks. */
  readonly intervalMs: number
  readonly timeoutMs: number
}

const CR = 0x0d
const LF = 0x0a
const CRLF = Buffer.from('\r\n')
const PING_BYTES = 4
/** Messages that are no SIP before the connection is closed. */
const MAX_STRIKES = 8
const LINGER_MS = 2_000
/** RFC 6455 §7.4.1 */
const STATUS = { NORMAL: 1000, GOING_AWAY: 1001, POLICY: 1008 } as const

/** Errors of ws for messages beyond the bounds of ws-stage.ts. */
const OVERSIZE_CODES: ReadonlySet<string> = new Set([
  'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
  'WS_ERR_TOO_MANY_BUFFERED_PARTS',
])

/** For a look at a message that arrives; the user scans its own. */
const scratch = new SipMessage()

export class WsConnection implements PooledConnection {
  readonly id: number
  readonly transport: TransportName
  readonly reliable = true
  readonly inbound: boolean
  readonly remoteAddress: string
  readonly remotePort: number
  readonly verifiedNames: readonly string[]
  readonly localAddress: string
  readonly localPort: number
  isOpen = true
  context: unknown = undefined
  isDirty = false
  readonly #ws: WebSocket
  readonly #host: ConnectionHost
  readonly #pings: WsPings
  readonly #frames = new FrameWatch()
  /** When the unfinished message at the end of the stream began; -1 where there is none. */
  #partialSinceMs = -1
  #reason: CloseReason | undefined
  #lastActivityMs: number
  #lastSeenMs: number
  #pingedMs = -1
  #endedMs = -1
  #strikes = 0

  constructor(host: ConnectionHost, ws: WebSocket, socket: Socket, identity: ConnectionIdentity, pings: WsPings) {
    this.#host = host
    this.#ws = ws
    this.#pings = pings
    this.id = identity.id
    this.transport = identity.transport
    this.inbound = identity.inbound
    this.remoteAddress = identity.remoteAddress
    this.remotePort = identity.remotePort
    this.verifiedNames = identity.verifiedNames ?? []
    this.localAddress = plainAddress(socket.localAddress ?? '')
    this.localPort = socket.localPort ?? 0
    this.#lastActivityMs = host.now()
    this.#lastSeenMs = this.#lastActivityMs
    ws.on('message', (data) => this.#onMessage(data as Buffer))
    ws.on('ping', () => this.#onPing())
    ws.on('pong', () => this.#onSeen())
    ws.on('error', (error) => this.#onError(error))
    // Before ws sees them, so that what is handled here is known to be whole or not.
    socket.prependListener('data', (chunk: Buffer) => this.#onBytes(chunk))
    ws.once('close', () => this.#onClose())
  }

  get queuedBytes(): number {
    return this.#ws.bufferedAmount
  }

  send(buf: Buffer, start: number, end: number): boolean {
    if (!this.isOpen || !this.#hasRoom(end - start)) return false
    const { counters } = this.#host
    counters.messagesSent++
    counters.writes++
    counters.bytesSent += end - start
    this.#lastActivityMs = this.#host.now()
    this.#write(Buffer.from(buf.subarray(start, end)))
    return true
  }

  close(isGoingAway = false): void {
    this.#end('localClosed', isGoingAway ? STATUS.GOING_AWAY : STATUS.NORMAL)
  }

  flush(): void {
    // Each message left when it was sent: it has a frame of its own.
  }

  abort(reason: CloseReason): void {
    this.isOpen = false
    this.#reason ??= reason
    this.#ws.terminate()
  }

  sweep(nowMs: number): void {
    if (this.#endedMs >= 0) {
      if (nowMs - this.#endedMs > LINGER_MS) this.#ws.terminate()
    } else if (this.#partialSinceMs >= 0 && nowMs - this.#partialSinceMs > this.#host.limits.partialMessageMs) {
      this.abort('partialMessage')
    } else if (nowMs - this.#lastActivityMs > this.#host.limits.idleMs) {
      this.#end('idle', STATUS.NORMAL)
    } else if (this.#pings.intervalMs > 0) this.#sweepPing(nowMs)
  }

  #sweepPing(nowMs: number): void {
    const { intervalMs, timeoutMs } = this.#pings
    if (this.#pingedMs >= 0) {
      if (nowMs - this.#pingedMs <= timeoutMs) return
      this.#host.counters.pingTimeouts++
      this.abort('pingTimeout')
    } else if (nowMs - this.#lastSeenMs >= intervalMs) {
      this.#pingedMs = nowMs
      this.#ws.ping()
    }
  }

  /** False: the far end reads too slowly, and has lost its connection. */
  #hasRoom(length: number): boolean {
    if (this.queuedBytes + length <= this.#host.limits.maxQueuedBytes) return true
    this.#host.counters.slowReaders++
    this.abort('slowReader')
    return false
  }

  /** [RFC7118-4.2] Text must be UTF-8. */
  #write(bytes: Buffer): void {
    this.#ws.send(bytes, { binary: !isUtf8(bytes) })
  }

  #end(reason: CloseReason, status: number): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#reason ??= reason
    this.#endedMs = this.#host.now()
    this.#ws.close(status)
  }

  #onSeen(): void {
    this.#lastSeenMs = this.#host.now()
    this.#pingedMs = -1
  }

  /** ws has answered with a pong, which waits like anything else. */
  #onPing(): void {
    this.#onSeen()
    if (this.isOpen) this.#hasRoom(0)
  }

  #onBytes(chunk: Buffer): void {
    this.#frames.sees(chunk)
    if (!this.#frames.isPartial) this.#partialSinceMs = -1
    else if (this.#partialSinceMs < 0) this.#partialSinceMs = this.#host.now()
  }

  #onMessage(bytes: Buffer): void {
    const { counters, sink } = this.#host
    counters.bytesReceived += bytes.length
    if (!this.isOpen) return
    this.#onSeen()
    this.#lastActivityMs = this.#lastSeenMs
    // What is unfinished now has begun behind this message.
    if (this.#partialSinceMs >= 0) this.#partialSinceMs = this.#lastSeenMs
    if (isLineEnds(bytes, 0)) return this.#onKeepAlive(bytes.length)
    counters.messagesReceived++
    const code = scan(scratch, bytes, 0, bytes.length)
    if (code === SCAN_ERROR.NONE && !isLineEnds(bytes, scratch.end)) return this.#onOverfull()
    if (code !== SCAN_ERROR.NONE) counters.notSipFrames++
    sink.onMessage(this, bytes, 0, bytes.length)
    if (code !== SCAN_ERROR.NONE) this.#strike()
  }

  /** [RFC5626-4.4.1] [RFC7118-6] */
  #onKeepAlive(length: number): void {
    if (length < PING_BYTES) this.#host.counters.pongs++
    else {
      this.#host.counters.pings++
      if (this.#hasRoom(CRLF.length)) this.#write(CRLF)
    }
  }

  /** [RFC7118-5] One message in each. Which of them was meant nobody knows: neither is taken. */
  #onOverfull(): void {
    this.#host.counters.overfullFrames++
    this.#strike()
  }

  #strike(): void {
    this.#strikes++
    if (this.#strikes < MAX_STRIKES) return
    this.#host.counters.framingErrors++
    this.#end('framing', STATUS.POLICY)
  }

  /** ws has sent the reason and closes; what still comes is thrown away. */
  #onError({ code }: NodeJS.ErrnoException): void {
    this.isOpen = false
    if (this.#endedMs < 0) this.#endedMs = this.#host.now()
    this.#host.counters.errors++
    if (code !== undefined && OVERSIZE_CODES.has(code)) this.#host.counters.oversizeFrames++
    this.#reason ??= 'reset'
  }

  #onClose(): void {
    this.isOpen = false
    const reason = this.#reason ?? 'remoteClosed'
    const { counters, sink } = this.#host
    counters.closed++
    if (reason === 'idle') counters.idleClosed++
    if (reason === 'partialMessage') counters.partialMessages++
    this.#host.onGone(this)
    sink.onClose(this, reason)
  }
}

/** Nothing but CR and LF from there on. */
function isLineEnds(bytes: Buffer, from: number): boolean {
  for (let k = from; k < bytes.length; k++) if (bytes[k] !== CR && bytes[k] !== LF) return false
  return true
}
