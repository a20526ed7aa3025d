// SPDX-License-Identifier: MIT
// TCP: listeners, outgoing connections and their reuse. A response goes over the connection that its request came on (the user holds it, or
// finds it by flow id); a request goes over the open connection to that address and port, whoever opened it, else over a new one.
// Everything is bounded: connections in total and per source, bytes out per connection, the time of connecting, of an incomplete message
// and of silence. Deadlines are looked at by one interval for all connections, not by a timer each.
// Left out: the alias parameter of RFC 5923 (an inbound connection is reused for its real remote port only), backpressure on reading.
import { once } from 'node:events'
import { createServer, type Server, type Socket, connect as tcpConnect } from 'node:net'
import { performance } from 'node:perf_hooks'
import { listenError } from './errors.ts'
import { sourceKey } from './source-key.ts'
import { type ConnectionHost, plainAddress, StreamConnection } from './stream-connection.ts'
import type { Connection, StreamSink } from './types.ts'

export interface TcpLimits {
  readonly maxConnections: number
  /** Inbound ones per IPv4 address or IPv6 /64. */
  readonly maxConnectionsPerSource: number
  /** Bytes that may wait for a slow reader before its connection is dropped. */
  readonly maxQueuedBytes: number
  readonly idleMs: number
  readonly connectTimeoutMs: number
  /** How long a message may stay incomplete. */
  readonly partialMessageMs: number
}

export const DEFAULT_TCP_LIMITS: TcpLimits = {
  maxConnections: 20_000,
  maxConnectionsPerSource: 256,
  maxQueuedBytes: 1 << 20,
  idleMs: 600_000,
  connectTimeoutMs: 4_000,
  partialMessageMs: 16_000,
}

export interface TcpOptions {
  readonly sink: StreamSink
  readonly limits?: Partial<TcpLimits>
  /** One per process: flow ids are unique in it. */
  readonly nextFlowId?: () => number
  /** Monotonic milliseconds. */
  readonly now?: () => number
  /** The source address of outgoing connections; the system's choice where absent. */
  readonly localAddress?: string
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

export interface TcpPlace {
  /** Numeric. */
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  /** The setting that chooses the port, named when it is taken. */
  readonly setting?: string
  readonly reusePort?: boolean
}

export interface TcpListener {
  readonly transport: 'tcp'
  readonly address: string
  readonly port: number
  /** Takes no further connections; those that are open stay. */
  close(): Promise<void>
}

const MAX_FLOW_ID = 0xffff_ffff
const BACKLOG = 1_024

/** Flow ids 1, 2, 3, …; one generator serves a whole process. */
export function createFlowIds(first = 1): () => number {
  let next = first
  return () => {
    const id = next
    next = next >= MAX_FLOW_ID ? 1 : next + 1
    return id
  }
}

export class TcpTransport {
  readonly counters: TcpCounters = emptyCounters()
  readonly #host: ConnectionHost
  readonly #limits: TcpLimits
  readonly #nextFlowId: () => number
  readonly #localAddress: string | undefined
  readonly #byId = new Map<number, StreamConnection>()
  readonly #byRemote = new Map<string, StreamConnection>()
  readonly #perSource = new Map<string, number>()
  readonly #servers = new Set<Server>()
  readonly #dirty: StreamConnection[] = []
  readonly #sweeper: NodeJS.Timeout
  #isFlushScheduled = false
  #isClosed = false
  #onEmpty: (() => void) | undefined

  constructor(options: TcpOptions) {
    this.#limits = { ...DEFAULT_TCP_LIMITS, ...options.limits }
    this.#nextFlowId = options.nextFlowId ?? createFlowIds()
    this.#localAddress = options.localAddress
    this.#host = {
      sink: options.sink,
      counters: this.counters,
      limits: this.#limits,
      now: options.now ?? (() => performance.now()),
      onDirty: (conn) => this.#onDirty(conn),
      onGone: (conn) => this.#onGone(conn),
    }
    this.#sweeper = setInterval(() => this.sweep(), sweepIntervalMs(this.#limits))
    this.#sweeper.unref()
  }

  get connectionCount(): number {
    return this.#byId.size
  }

  /** Bytes that wait in all connections, for the gauge. */
  get queuedBytes(): number {
    let sum = 0
    for (const conn of this.#byId.values()) sum += conn.queuedBytes
    return sum
  }

  connections(): IterableIterator<Connection> {
    return this.#byId.values()
  }

  /** Rejects with a TransportError whose message is a sentence for the user. */
  async listen(place: TcpPlace): Promise<TcpListener> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket))
    await startListening(server, place)
    this.#servers.add(server)
    const bound = server.address() as { address: string; port: number }
    return {
      transport: 'tcp',
      address: bound.address,
      port: bound.port,
      close: () => this.#closeServer(server),
    }
  }

  /**
   * The open connection to that numeric address and port, whoever opened it, else a new one that queues until it is established.
   * undefined: the limit of connections is reached. A failure comes as onClose with connectFailed or connectTimeout.
   */
  connect(address: string, port: number): Connection | undefined {
    const open = this.findRemote(address, port)
    if (open !== undefined) return open
    if (this.#isClosed || this.#byId.size >= this.#limits.maxConnections) {
      this.counters.refusedTotal++
      return undefined
    }
    const local = this.#localAddress
    const socket = tcpConnect({
      host: address,
      port,
      noDelay: true,
      ...(local === undefined || local.includes(':') !== address.includes(':') ? {} : { localAddress: local }),
    })
    return this.#add(socket, false, address, port)
  }

  /** By flow id; open ones only. */
  find(flowId: number): Connection | undefined {
    const conn = this.#byId.get(flowId)
    return conn?.isOpen === true ? conn : undefined
  }

  findRemote(address: string, port: number): Connection | undefined {
    const conn = this.#byRemote.get(remoteKey(address, port))
    return conn?.isOpen === true ? conn : undefined
  }

  /** Writes what this turn has queued, on all connections; otherwise done at the end of the turn. */
  flush(): void {
    for (const conn of this.#dirty) {
      conn.isDirty = false
      conn.flush()
    }
    this.#dirty.length = 0
  }

  /** Applies the deadlines; called by an interval. */
  sweep(): void {
    const nowMs = this.#host.now()
    for (const conn of this.#byId.values()) conn.sweep(nowMs)
  }

  /** Ends all listeners and connections; resolves when they are gone. Those that linger are dropped after graceMs. */
  async close(graceMs = 1_000): Promise<void> {
    this.#isClosed = true
    this.flush()
    const servers = [...this.#servers].map((server) => this.#closeServer(server))
    const emptied = this.#byId.size === 0 ? Promise.resolve() : new Promise<void>((done) => (this.#onEmpty = done))
    for (const conn of this.#byId.values()) conn.close()
    const hurry = setTimeout(() => {
      for (const conn of this.#byId.values()) conn.abort('localClosed')
    }, graceMs)
    await Promise.all([...servers, emptied])
    clearTimeout(hurry)
    clearInterval(this.#sweeper)
  }

  #accept(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? '')
    const source = sourceKey(address)
    const fromSource = this.#perSource.get(source) ?? 0
    if (this.#isClosed || this.#byId.size >= this.#limits.maxConnections) this.#refuse(socket, 'refusedTotal')
    else if (fromSource >= this.#limits.maxConnectionsPerSource) this.#refuse(socket, 'refusedPerSource')
    else if (address === '' || socket.remotePort === undefined) socket.destroy()
    else {
      this.counters.accepted++
      this.#perSource.set(source, fromSource + 1)
      const conn = this.#add(socket, true, address, socket.remotePort)
      this.#host.sink.onOpen?.(conn)
    }
  }

  #refuse(socket: Socket, counter: 'refusedTotal' | 'refusedPerSource'): void {
    this.counters[counter]++
    socket.on('error', () => {})
    socket.destroy()
  }

  #add(socket: Socket, inbound: boolean, remoteAddress: string, remotePort: number): StreamConnection {
    const id = this.#nextFlowId()
    const conn = new StreamConnection(this.#host, socket, {
      id,
      transport: 'tcp',
      inbound,
      remoteAddress,
      remotePort,
    })
    this.#byId.set(id, conn)
    this.#byRemote.set(remoteKey(remoteAddress, remotePort), conn)
    return conn
  }

  #onGone(conn: StreamConnection): void {
    this.#byId.delete(conn.id)
    const key = remoteKey(conn.remoteAddress, conn.remotePort)
    if (this.#byRemote.get(key) === conn) this.#byRemote.delete(key)
    if (conn.inbound) this.#releaseSource(sourceKey(conn.remoteAddress))
    if (this.#byId.size === 0) this.#onEmpty?.()
  }

  #releaseSource(source: string): void {
    const left = (this.#perSource.get(source) ?? 1) - 1
    if (left <= 0) this.#perSource.delete(source)
    else this.#perSource.set(source, left)
  }

  #onDirty(conn: StreamConnection): void {
    if (conn.isDirty) return
    conn.isDirty = true
    this.#dirty.push(conn)
    if (this.#isFlushScheduled) return
    this.#isFlushScheduled = true
    setImmediate(() => {
      this.#isFlushScheduled = false
      this.flush()
    })
  }

  async #closeServer(server: Server): Promise<void> {
    if (!this.#servers.delete(server)) return
    const closed = once(server, 'close')
    server.close()
    // A server is closed only when its connections are, so nothing waits for it unless the transport closes too.
    if (this.#isClosed) await closed
  }
}

function startListening(server: Server, place: TcpPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => {
      const setting = place.setting ?? 'its setting'
      reject(listenError(error, { transport: 'tcp', address: place.address, port: place.port, setting }))
    }
    server.once('error', onError)
    const options = {
      host: place.address,
      port: place.port,
      backlog: BACKLOG,
      exclusive: true,
      reusePort: place.reusePort ?? false,
      ipv6Only: place.address.includes(':'),
    }
    server.listen(options, () => {
      server.off('error', onError)
      server.on('error', () => {})
      resolve()
    })
  })
}

function remoteKey(address: string, port: number): string {
  return `${address} ${port}`
}

function sweepIntervalMs(limits: TcpLimits): number {
  const shortest = Math.min(limits.idleMs, limits.connectTimeoutMs, limits.partialMessageMs)
  return Math.max(20, Math.min(1_000, shortest / 4))
}

function emptyCounters(): TcpCounters {
  return {
    accepted: 0,
    connected: 0,
    refusedTotal: 0,
    refusedPerSource: 0,
    closed: 0,
    connectFailures: 0,
    slowReaders: 0,
    idleClosed: 0,
    framingErrors: 0,
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
