// SPDX-License-Identifier: MIT
import type { Connection, StreamSink } from './types.ts'

export interface TcpLimits {
  readonly maxConnections: number
  readonly maxConnectionsPerSource: number
  /** Bytes that may wait for a slow reader before its connection is dropped. */
  readonly maxQueuedBytes: number
  readonly idleMs: number
  readonly connectTimeoutMs: number
  /** How long a message may stay incomplete. */
  readonly partialMessageMs: number
}

export interface TcpOptions {
  readonly sink: StreamSink
  readonly limits?: Partial<TcpLimits>
  /** One per process: flow ids are unique in it. */
  readonly nextFlowId?: () => number
  /** Monotonic milliseconds. */
  readonly now?: () => number
}

export interface TcpCounters {
  accepted: number
  connected: number
  refusedTotal: number
  refusedPerSource: number
  closed: number
  connectFailures: number
  slowReaders: number
  idleClosed: number
  framingErrors: number
  pings: number
  pongs: number
  messagesReceived: number
  messagesSent: number
  bytesReceived: number
  bytesSent: number
  writes: number
  errors: number
}

export interface TcpListener {
  readonly transport: 'tcp'
  readonly address: string
  readonly port: number
  close(): Promise<void>
}

export class TcpTransport {
  readonly counters: TcpCounters
  readonly connectionCount: number
  constructor(options: TcpOptions) {
    throw new Error(`surface only ${options}`)
  }
  /** Rejects with a TransportError whose message is a sentence for the user. */
  async listen(place: { address: string; port: number; setting?: string; reusePort?: boolean }): Promise<TcpListener> {
    throw new Error(`surface only ${place}`)
  }
  /** The open connection to that address and port, whoever opened it, else a new one that queues until it is established. undefined: the limit of connections is reached. Failure comes as onClose(connectFailed | connectTimeout). */
  connect(address: string, port: number): Connection | undefined {
    throw new Error(`surface only ${address} ${port}`)
  }
  /** By flow id. */
  find(flowId: number): Connection | undefined {
    throw new Error(`surface only ${flowId}`)
  }
  findRemote(address: string, port: number): Connection | undefined {
    throw new Error(`surface only ${address} ${port}`)
  }
  /** Writes what this turn has queued, on all connections; otherwise done at the end of the turn. */
  flush(): void {}
  /** Ends all listeners and connections; resolves when they are gone, at most after graceMs. */
  async close(graceMs?: number): Promise<void> {
    throw new Error(`surface only ${graceMs}`)
  }
}
