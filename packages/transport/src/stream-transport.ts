// SPDX-License-Identifier: MIT
// What TCP, TLS and WebSocket share: listeners, the way of a new connection in, the connections by flow id and by remote place, one
// write per turn, one interval that applies all deadlines. A response goes over the connection that its request came on (the user
// holds it, or finds it by flow id).
// The way in: accept, place in the total, PROXY header where a load balancer connects, place of the source, then what the transport
// needs before SIP (welcome). An Arrival is a connection on that way; all of it has one deadline.
// Invariants: a place is held from accept to the socket's 'close'; an arrival ends as a connection or as a destroyed socket.
// Left out: backpressure on reading.
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { StreamAdmission } from './admission.ts'
import { listenError, TransportError } from './errors.ts'
import { MAX_PROXY_HEADER_BYTES, readProxyHeader } from './proxy-protocol.ts'
import { sourceKey } from './source-key.ts'
import { plainAddress } from './stream-connection.ts'
import {
  type ConnectionHost,
  DEFAULT_STREAM_LIMITS,
  emptyCounters,
  type PooledConnection,
  type StreamCounters,
  type StreamLimits,
  type StreamListener,
  type StreamOptions,
  type StreamPlace,
} from './stream-types.ts'
import type { Connection, TransportName } from './types.ts'

const MAX_FLOW_ID = 0xffff_ffff
export const BACKLOG = 1_024

/** Flow ids 1, 2, 3, …; one generator serves a whole process. */
export function createFlowIds(first = 1): () => number {
  let next = first
  return () => {
    const id = next
    next = next >= MAX_FLOW_ID ? 1 : next + 1
    return id
  }
}

/** An accepted connection before its first byte of SIP. */
export interface Arrival {
  readonly socket: Socket
  /** Whom it is from: the load balancer's word where there is one. */
  address: string
  port: number
  readonly sinceMs: number
  /** Whose share of handshakes it holds, '' for none yet. */
  source: string
}

export abstract class StreamTransport {
  readonly transport: TransportName
  readonly counters: StreamCounters = emptyCounters()
  protected readonly host: ConnectionHost
  protected readonly limits: StreamLimits
  protected readonly options: StreamOptions
  protected readonly admission: StreamAdmission
  protected isClosed = false
  readonly #nextFlowId: () => number
  readonly #byId = new Map<number, PooledConnection>()
  readonly #byRemote = new Map<string, PooledConnection>()
  readonly #servers = new Set<Server>()
  readonly #arrivals = new Set<Arrival>()
  readonly #dirty: PooledConnection[] = []
  readonly #sweeper: NodeJS.Timeout
  #isFlushScheduled = false
  #onEmpty: (() => void) | undefined

  constructor(transport: TransportName, options: StreamOptions) {
    this.transport = transport
    this.options = options
    this.limits = { ...DEFAULT_STREAM_LIMITS, ...options.limits }
    this.#nextFlowId = options.nextFlowId ?? createFlowIds()
    const now = options.now ?? (() => performance.now())
    this.admission = options.admission ?? new StreamAdmission(this.limits, now)
    this.host = {
      sink: options.sink,
      counters: this.counters,
      limits: this.limits,
      now,
      onDirty: (conn) => this.#onDirty(conn),
      onGone: (conn) => this.onGone(conn),
    }
    this.#sweeper = setInterval(() => this.sweep(), sweepIntervalMs(this.limits))
    this.#sweeper.unref()
  }

  /** The socket may speak SIP, or must shake hands first. It has no 'error' listener yet but the arrival's own. */
  protected abstract welcome(arrival: Arrival): void

  get connectionCount(): number {
    return this.#byId.size
  }

  /** Connections that have not come to SIP yet. */
  get arrivalCount(): number {
    return this.#arrivals.size
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
  async listen(place: StreamPlace): Promise<StreamListener> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket))
    await this.#start(server, place)
    this.#servers.add(server)
    const bound = server.address() as { address: string; port: number }
    return {
      transport: this.transport,
      address: bound.address,
      port: bound.port,
      close: () => this.#closeServer(server),
    }
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
    const nowMs = this.host.now()
    for (const conn of this.#byId.values()) conn.sweep(nowMs)
    for (const arrival of this.#arrivals) {
      if (nowMs - arrival.sinceMs <= this.limits.handshakeMs) continue
      this.counters.handshakeTimeouts++
      this.fail(arrival)
    }
  }

  /** Ends all listeners and connections; resolves when they are gone. Those that linger are dropped after graceMs. */
  async close(graceMs = 1_000): Promise<void> {
    this.isClosed = true
    this.flush()
    for (const arrival of this.#arrivals) this.fail(arrival)
    const servers = [...this.#servers].map((server) => this.#closeServer(server))
    const emptied = this.#byId.size === 0 ? Promise.resolve() : new Promise<void>((done) => (this.#onEmpty = done))
    for (const conn of this.#byId.values()) conn.close(true)
    const hurry = setTimeout(() => {
      for (const conn of this.#byId.values()) conn.abort('localClosed')
    }, graceMs)
    await Promise.all([...servers, emptied])
    clearTimeout(hurry)
    clearInterval(this.#sweeper)
  }

  /** The arrival has come to SIP, as this connection. */
  protected adopt(arrival: Arrival, make: (id: number) => PooledConnection): void {
    this.#settle(arrival)
    const conn = make(this.#nextFlowId())
    this.add(conn)
    this.host.sink.onOpen?.(conn)
  }

  /** The arrival ends here. */
  protected fail(arrival: Arrival): void {
    this.#settle(arrival)
    arrival.socket.destroy()
  }

  /**
   * Goes on when the first bytes are there, which stay in the socket. A peer that says nothing gets no state of OpenSSL and takes no
   * other's turn.
   */
  protected whenItSpeaks(arrival: Arrival, then: () => void): void {
    const { socket } = arrival
    const onGone = (): void => {
      this.counters.handshakeFailures++
      this.fail(arrival)
    }
    socket.once('error', onGone)
    socket.once('end', onGone)
    socket.once('data', (bytes: Buffer) => {
      socket.off('error', onGone)
      socket.off('end', onGone)
      socket.pause()
      socket.unshift(bytes)
      then()
    })
    socket.resume() // behind a PROXY header
  }

  /** True while neither has happened. */
  protected isArriving(arrival: Arrival): boolean {
    return this.#arrivals.has(arrival)
  }

  protected nextFlowId(): number {
    return this.#nextFlowId()
  }

  protected add(conn: PooledConnection): void {
    this.#byId.set(conn.id, conn)
    this.#byRemote.set(remoteKey(conn.remoteAddress, conn.remotePort), conn)
  }

  /** A place for an outgoing connection; false: there is none. */
  protected takePlace(socket: () => Socket): Socket | undefined {
    if (this.isClosed || this.admission.isFull) {
      this.counters.refusedTotal++
      return undefined
    }
    this.admission.enter()
    const made = socket()
    made.once('close', () => this.admission.leave())
    return made
  }

  protected onGone(conn: PooledConnection): void {
    this.#byId.delete(conn.id)
    const key = remoteKey(conn.remoteAddress, conn.remotePort)
    if (this.#byRemote.get(key) === conn) this.#byRemote.delete(key)
    if (this.#byId.size === 0) this.#onEmpty?.()
  }

  /** Rejects with the error of the system call, or with a TransportError. */
  protected startServer(server: Server, place: StreamPlace): Promise<void> {
    return startListening(server, place)
  }

  async #start(server: Server, place: StreamPlace): Promise<void> {
    try {
      await this.startServer(server, place)
    } catch (error) {
      if (error instanceof TransportError) throw error
      const { address, port, setting = 'its setting' } = place
      throw listenError(error as NodeJS.ErrnoException, { transport: this.transport, address, port, setting })
    }
  }

  #accept(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? '')
    const port = socket.remotePort
    if (address === '' || port === undefined) return void socket.destroy()
    if (this.isClosed || this.admission.isFull) return this.#refuse(socket, 'refusedTotal')
    if (this.admission.isHandshakeBound) return this.#refuse(socket, 'refusedHandshakes')
    this.admission.enter()
    socket.once('close', () => this.admission.leave())
    const arrival: Arrival = { socket, address, port, sinceMs: this.host.now(), source: '' }
    this.#arrivals.add(arrival)
    this.admission.handshakes++
    socket.on('error', ignore)
    socket.once('close', () => this.#settle(arrival))
    if (isIn(this.options.proxySources, address)) this.#awaitProxyHeader(arrival)
    else this.#enter(arrival)
  }

  #enter(arrival: Arrival): void {
    const source = sourceKey(arrival.address)
    if (!this.admission.enterSource(source)) {
      this.counters.refusedPerSource++
      return this.fail(arrival)
    }
    arrival.socket.once('close', () => this.admission.leaveSource(source))
    if (!this.admission.enterSourceHandshake(source)) {
      this.counters.refusedHandshakes++
      return this.fail(arrival)
    }
    arrival.source = source
    this.counters.accepted++
    this.welcome(arrival)
  }

  #refuse(socket: Socket, counter: 'refusedTotal' | 'refusedHandshakes'): void {
    this.counters[counter]++
    socket.on('error', ignore)
    socket.destroy()
  }

  #awaitProxyHeader(arrival: Arrival): void {
    const { socket } = arrival
    let bytes: Buffer = Buffer.alloc(0)
    const onData = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      const header = readProxyHeader(bytes)
      if (header.state === 'partial' && bytes.length <= MAX_PROXY_HEADER_BYTES) return
      socket.off('data', onData)
      socket.pause()
      if (header.state !== 'whole') return this.#onBadProxyHeader(arrival)
      if (header.address !== '') Object.assign(arrival, { address: header.address, port: header.port })
      if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length))
      this.#enter(arrival)
    }
    socket.on('data', onData)
  }

  #onBadProxyHeader(arrival: Arrival): void {
    this.counters.proxyHeaderErrors++
    this.fail(arrival)
  }

  #settle(arrival: Arrival): void {
    if (!this.#arrivals.delete(arrival)) return
    this.admission.handshakes--
    if (arrival.source !== '') this.admission.leaveSourceHandshake(arrival.source)
  }

  #onDirty(conn: PooledConnection): void {
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
    if (this.isClosed) await closed
  }
}

function ignore(): void {
  // What an error means shows in the 'close' that follows.
}

function isIn(list: StreamOptions['proxySources'], address: string): boolean {
  return list?.check(address, address.includes(':') ? 'ipv6' : 'ipv4') === true
}

function startListening(server: Server, place: StreamPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const options = {
      host: place.address,
      port: place.port,
      backlog: BACKLOG,
      exclusive: true,
      reusePort: place.reusePort ?? false,
      ipv6Only: place.address.includes(':'),
    }
    server.listen(options, () => {
      server.off('error', reject)
      server.on('error', () => {})
      resolve()
    })
  })
}

function remoteKey(address: string, port: number): string {
  return `${address} ${port}`
}

function sweepIntervalMs(limits: StreamLimits): number {
  const shortest = Math.min(limits.idleMs, limits.connectTimeoutMs, limits.partialMessageMs, limits.handshakeMs)
  return Math.max(20, Math.min(1_000, shortest / 4))
}
