// SPDX-License-Identifier: MIT
//
// Connections between edges in memory: as much of a TcpTransport as the internal listener needs. Messages wait until run(), then arrive
// whole and in order. A place where nobody listens refuses; a listener that is killed resets what it had; one that is frozen takes
// everything and says nothing. Left out: framing, limits, time-outs.
import type { CloseReason, Connection, StreamSink, TcpTransport } from '@tandem/transport'

class MemoryConnection implements Connection {
  readonly transport = 'tcp'
  readonly reliable = true
  readonly localAddress = '192.0.2.1'
  readonly localPort = 0
  readonly queuedBytes = 0
  readonly verifiedNames: readonly string[] = []
  readonly id: number
  readonly inbound: boolean
  readonly remoteAddress: string
  readonly remotePort: number
  readonly host: MemoryStreamHost
  far: MemoryConnection | undefined
  isOpen = true
  context: unknown = undefined

  constructor(host: MemoryStreamHost, id: number, inbound: boolean, remoteAddress: string, remotePort: number) {
    this.host = host
    this.id = id
    this.inbound = inbound
    this.remoteAddress = remoteAddress
    this.remotePort = remotePort
  }

  send(buf: Buffer, start: number, end: number): boolean {
    if (!this.isOpen || this.host.isDead) return false
    this.host.streams.queue.push({ to: this.far, from: this, bytes: Buffer.from(buf.subarray(start, end)) })
    return true
  }

  close(): void {
    this.isOpen = false
  }
}

interface Delivery {
  readonly to: MemoryConnection | undefined
  readonly from: MemoryConnection
  readonly bytes: Buffer
}

/** One edge's end of them. */
export class MemoryStreamHost {
  readonly streams: MemoryStreams
  readonly port: number
  sink: StreamSink | undefined
  isDead = false
  isFrozen = false
  readonly connections: MemoryConnection[] = []

  constructor(streams: MemoryStreams, port: number) {
    this.streams = streams
    this.port = port
  }

  /** What an edge takes for its internal TcpTransport. */
  asTransport(): TcpTransport {
    const transport = {
      counters: {},
      connectionCount: 0,
      find: (id: number) => this.connections.find((one) => one.id === id && one.isOpen),
      connect: (address: string, port: number) => this.connect(address, port),
    }
    return transport as unknown as TcpTransport
  }

  private connect(address: string, port: number): MemoryConnection {
    const known = this.connections.find((one) => one.isOpen && !one.inbound && one.remotePort === port)
    if (known !== undefined) return known
    const near = new MemoryConnection(this, this.streams.nextId(), false, address, port)
    this.connections.push(near)
    const host = this.streams.hosts.get(port)
    if (host === undefined || host.isDead) {
      this.streams.closing.push({ connection: near, reason: 'connectFailed' })
      return near
    }
    near.far = new MemoryConnection(host, this.streams.nextId(), true, address, this.port)
    near.far.far = near
    host.connections.push(near.far)
    return near
  }
}

export class MemoryStreams {
  readonly hosts = new Map<number, MemoryStreamHost>()
  readonly queue: Delivery[] = []
  readonly closing: { connection: MemoryConnection; reason: CloseReason }[] = []
  /** Messages that arrived, as text. */
  readonly trace: string[] = []
  private id = 0

  nextId(): number {
    this.id += 1
    return this.id
  }

  get pendingCount(): number {
    return this.queue.filter(({ to }) => to?.host.isFrozen !== true).length + this.closing.length
  }

  /** A listener at this port, in the place of one that is dead. */
  listen(port: number): MemoryStreamHost {
    const host = new MemoryStreamHost(this, port)
    this.hosts.set(port, host)
    return host
  }

  kill(host: MemoryStreamHost): void {
    host.isDead = true
    for (const connection of host.connections) {
      connection.isOpen = false
      if (connection.far !== undefined) this.closing.push({ connection: connection.far, reason: 'reset' })
    }
  }

  run(): void {
    for (const { connection, reason } of this.closing.splice(0)) {
      if (!connection.isOpen) continue
      connection.isOpen = false
      connection.host.sink?.onClose(connection, reason)
    }
    for (const delivery of this.queue.splice(0)) this.deliver(delivery)
  }

  private deliver(delivery: Delivery): void {
    const { to, bytes } = delivery
    if (to === undefined || !to.isOpen || to.host.isDead) return
    if (to.host.isFrozen) return void this.queue.push(delivery)
    this.trace.push(bytes.toString('latin1'))
    to.host.sink?.onMessage(to, bytes, 0, bytes.length)
    bytes.fill(0xa5)
  }
}
