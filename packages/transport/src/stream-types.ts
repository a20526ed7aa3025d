// SPDX-License-Identifier: MIT
// What all stream transports are made of: their limits, counters and options, and what a connection of theirs must be.
import type { BlockList } from 'node:net'
import type { StreamAdmission } from './admission.ts'
import type { CloseReason, Connection, StreamSink, TransportName } from './types.ts'

export interface StreamLimits {
  readonly maxConnections: number
  /** Inbound ones per IPv4 address or IPv6 /64. */
  readonly maxConnectionsPerSource: number
  /** Bytes that may wait for a slow reader before its connection is dropped. */
  readonly maxQueuedBytes: number
  readonly idleMs: number
  readonly connectTimeoutMs: number
  /** How long a message may stay incomplete. */
  readonly partialMessageMs: number
  /** From the accepted connection to the first byte of SIP: PROXY header, TLS and WebSocket together. */
  readonly handshakeMs: number
}

export const DEFAULT_STREAM_LIMITS: StreamLimits = {
  maxConnections: 20_000,
  maxConnectionsPerSource: 256,
  maxQueuedBytes: 1 << 20,
  idleMs: 600_000,
  connectTimeoutMs: 4_000,
  partialMessageMs: 16_000,
  handshakeMs: 10_000,
}

export interface StreamOptions {
  readonly sink: StreamSink
  readonly limits?: Partial<StreamLimits>
  /** Shared by the transports of one edge; of its own, from `limits`, where absent. */
  readonly admission?: StreamAdmission
  /** Load balancers: their connections begin with a PROXY header, and must. Nobody's where absent. */
  readonly proxySources?: BlockList
  /** One per process: flow ids are unique in it. */
  readonly nextFlowId?: () => number
  /** Monotonic milliseconds. */
  readonly now?: () => number
  /** The source address of outgoing connections; the system's choice where absent. */
  readonly localAddress?: string
}

/** Plain integers that only ever grow, read at scrape time. */
export interface StreamCounters {
  accepted: number
  connected: number
  refusedTotal: number
  refusedPerSource: number
  /** Too many handshakes under way. */
  refusedHandshakes: number
  /** TLS or WebSocket handshakes that were completed. */
  handshakes: number
  handshakeFailures: number
  handshakeTimeouts: number
  /** Upgrades to WebSocket that the authorizer let in; refused with 401; with 403. */
  authorized: number
  unauthorized: number
  forbidden: number
  /** Upgrades refused with 503: the authorizer did not answer in time; it could not be asked, or answered something else. */
  authorizerTimeouts: number
  authorizerFailures: number
  /** From a load balancer: no PROXY header, or a bad one. */
  proxyHeaderErrors: number
  /** From somebody else: a PROXY header. */
  proxyHeadersOfStrangers: number
  closed: number
  connectFailures: number
  slowReaders: number
  idleClosed: number
  /** Closed because a message stayed unfinished. */
  partialMessages: number
  pingTimeouts: number
  framingErrors: number
  /** WebSocket messages that are no SIP message. */
  notSipFrames: number
  /** WebSocket messages with more behind their SIP message. */
  overfullFrames: number
  /** WebSocket messages beyond the bounds of size and fragments. */
  oversizeFrames: number
  pings: number
  pongs: number
  messagesReceived: number
  messagesSent: number
  bytesReceived: number
  bytesSent: number
  writes: number
  errors: number
}

export interface StreamPlace {
  /** Numeric. */
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  /** The setting that chooses the port, named when it is taken. */
  readonly setting?: string
  readonly reusePort?: boolean
}

export interface StreamListener {
  readonly transport: TransportName
  readonly address: string
  readonly port: number
  /** Takes no further connections; those that are open stay. */
  close(): Promise<void>
}

/** What a connection needs of its transport. */
export interface ConnectionHost {
  readonly sink: StreamSink
  readonly counters: StreamCounters
  readonly limits: StreamLimits
  now(): number
  /** The connection has bytes for flush() at the end of this turn. */
  onDirty(conn: PooledConnection): void
  onGone(conn: PooledConnection): void
}

/** A connection as its transport keeps it. */
export interface PooledConnection extends Connection {
  /** True while it is in the transport's list of connections to flush. */
  isDirty: boolean
  /** Writes what this turn has queued. */
  flush(): void
  /** Drops it at once, with what is queued. */
  abort(reason: CloseReason): void
  /** Applies the deadlines. */
  sweep(nowMs: number): void
}

export interface ConnectionIdentity {
  readonly id: number
  readonly transport: TransportName
  readonly inbound: boolean
  readonly remoteAddress: string
  readonly remotePort: number
  readonly verifiedNames?: readonly string[]
  readonly verifiedUsers?: readonly string[]
}

export function emptyCounters(): StreamCounters {
  return {
    accepted: 0,
    connected: 0,
    refusedTotal: 0,
    refusedPerSource: 0,
    refusedHandshakes: 0,
    handshakes: 0,
    handshakeFailures: 0,
    handshakeTimeouts: 0,
    authorized: 0,
    unauthorized: 0,
    forbidden: 0,
    authorizerTimeouts: 0,
    authorizerFailures: 0,
    proxyHeaderErrors: 0,
    proxyHeadersOfStrangers: 0,
    closed: 0,
    connectFailures: 0,
    slowReaders: 0,
    idleClosed: 0,
    partialMessages: 0,
    pingTimeouts: 0,
    framingErrors: 0,
    notSipFrames: 0,
    overfullFrames: 0,
    oversizeFrames: 0,
    pings: 0,
    pongs: 0,
    messagesReceived: 0,
    messagesSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    writes: 0,
    errors: 0,
  }
}
