// SPDX-License-Identifier: MIT
// The shapes that transports and their user share. A user programs against these only: the UDP listener may be node:dgram or a
// native batch addon, and a test may put an in-memory network in its place.

export type TransportName = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss' | 'sctp'

/** A numeric address (IPv6 without brackets) with its port and transport. */
export interface Endpoint {
  readonly transport: TransportName
  readonly address: string
  readonly port: number
  /** Over TLS: what the server's certificate must prove; the address where absent [RFC5922-7.3]. */
  readonly serverName?: string
}

/** What receives datagrams. The bytes [start, end) of buf are valid only during the call: copy what has to outlive it. */
export interface DatagramSink {
  onDatagram(buf: Buffer, start: number, end: number, address: string, port: number, listener: UdpListener): void
}

/** Plain integers that only ever grow (the gauges excepted), read at scrape time. */
export interface UdpCounters {
  received: number
  receivedBytes: number
  sent: number
  sentBytes: number
  /** Sends that could not leave at once and were handed to the event loop. */
  queued: number
  /** Datagrams dropped here because too many were waiting for the kernel already. */
  dropped: number
  /** Errors that a send met at once or that the socket reported later. */
  errors: number
  // The rest is known to the native addon alone.
  /** Datagrams longer than a receive slot, not delivered. */
  truncated?: number
  /** Datagrams that the kernel dropped because its receive buffer was full (SO_RXQ_OVFL). Known when the next one arrives. */
  kernelDropped?: number
  /** ICMP errors: the network reported a destination as unreachable. */
  unreachable?: number
  /** Batches received, and batches handed to the kernel. */
  batches?: number
  flushes?: number
}

/** An open UDP socket. It is a transaction layer's idea of an unreliable peer's sender too. */
export interface UdpListener {
  readonly transport: 'udp'
  readonly reliable: false
  readonly address: string
  readonly port: number
  readonly family: 4 | 6
  readonly counters: Readonly<UdpCounters>
  /** How long the oldest datagram of the last batch had waited in the kernel, where batches are full; else 0. Milliseconds; the addon only. */
  readonly queueMs?: number
  /** The native addon, or node:dgram. */
  readonly implementation?: 'batch' | 'dgram'
  /** During onDatagram: the address that the datagram was sent to, where the addon is bound to a wildcard; else `address`. */
  readonly localAddress?: string
  /**
   * Sends the bytes [start, end) to a numeric address. They may be reused as soon as it returns. May be called many times a
   * turn; an implementation that batches sends at flush() or at the end of the turn.
   */
  send(buf: Buffer, start: number, end: number, port: number, address: string): void
  /** Hands everything that waits in a batch to the kernel now. */
  flush(): void
  /** The kernel drops this share of the REGISTERs from now on, by chance, unread: 0 to 1, 0 for none. The addon only. */
  shedRegisters?(share: number): void
  close(): Promise<void>
}

export type CloseReason =
  | 'remoteClosed'
  | 'localClosed'
  | 'idle'
  | 'connectFailed'
  | 'connectTimeout'
  | 'slowReader'
  | 'pingTimeout'
  | 'partialMessage'
  | 'framing'
  | 'reset'

/** A stream connection, a flow in the sense of RFC 5626. */
export interface Connection {
  /** The flow id: unique in the process, a uint32 above zero, never reused while the process is young. */
  readonly id: number
  readonly transport: TransportName
  readonly reliable: true
  /** True where the peer opened it. */
  readonly inbound: boolean
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  /** The listener's port where inbound; 0 while an outgoing connection is not established. */
  readonly localPort: number
  /** False from the moment it is closed or lost: send() does nothing then. */
  readonly isOpen: boolean
  /** The SIP domains that the peer's certificate proves [RFC5922-7.1], in lower case; none without one, or where it is not valid. */
  readonly verifiedNames: readonly string[]
  /** Users' addresses in that certificate, `sip:user@domain`; absent for none. */
  readonly verifiedUsers?: readonly string[]
  /** Bytes accepted by send() that the kernel has not taken yet. */
  readonly queuedBytes: number
  /** The user's own; the transport never reads it. */
  context: unknown
  /**
   * Copies the bytes [start, end); they leave with everything else of this turn in one write. False: not accepted, because
   * the connection is closed, or because its queue is full, in which case it is being closed.
   */
  send(buf: Buffer, start: number, end: number): boolean
  /**
   * Ends it after what is queued has been written. onClose follows, never inside this call.
   * @param isGoingAway what a WebSocket's client is told: this server goes (1001), or nothing special (1000) [RFC6455-7.4.1]
   */
  close(isGoingAway?: boolean): void
}

/** What receives the messages of streams. Bytes are valid only during the call. */
export interface StreamSink {
  onMessage(conn: Connection, buf: Buffer, start: number, end: number): void
  onClose(conn: Connection, reason: CloseReason): void
  /**
   * The stream can't be read on: code is a FRAMING_ERROR of @tandem/sip, the boundary of messages is lost. The connection is
   * closed after this call; what is sent in it leaves.
   */
  onFramingError(conn: Connection, code: number): void
  onOpen?(conn: Connection): void
}
