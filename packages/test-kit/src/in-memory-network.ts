// SPDX-License-Identifier: MIT
// A network of UDP endpoints in one process. Endpoints have the shape of @tandem/transport's UdpListener, so that an edge runs on them.
// Datagrams wait until run(), then arrive in order of sending. Loss, duplication and reordering come from a seeded generator. Each one
// is delivered in a shared receive buffer, at a changing offset, and overwritten after its delivery: whoever kept offsets instead of a
// copy reads poison. Left out: latency, fragmentation, streams.
import { createRandom } from './random.ts'

export const POISON = 0xa5
const RECEIVE_BYTES = 65_536 + 256
/** What a socket would take. */
const MAX_UDP_PAYLOAD = 65_507

export interface MemoryNetworkOptions {
  readonly seed?: number
  /** Probabilities, 0 to 1. */
  readonly loss?: number
  readonly duplication?: number
  readonly reordering?: number
}

export interface MemorySink {
  onDatagram(buf: Buffer, start: number, end: number, address: string, port: number, listener: MemoryEndpoint): void
}

interface Packet {
  readonly bytes: Buffer
  readonly fromAddress: string
  readonly fromPort: number
  readonly toAddress: string
  readonly toPort: number
}

/** What a test may look at: each datagram that was sent, lost ones included. */
export interface SentDatagram {
  readonly text: string
  readonly from: string
  readonly to: string
  readonly lost: boolean
}

export class MemoryEndpoint {
  readonly transport = 'udp'
  readonly reliable = false
  readonly family: 4 | 6
  readonly address: string
  readonly port: number
  readonly counters = { received: 0, receivedBytes: 0, sent: 0, sentBytes: 0, queued: 0, dropped: 0, errors: 0 }
  readonly #network: InMemoryNetwork
  readonly #sink: MemorySink

  constructor(network: InMemoryNetwork, address: string, port: number, sink: MemorySink) {
    this.#network = network
    this.address = address
    this.port = port
    this.family = address.includes(':') ? 6 : 4
    this.#sink = sink
  }

  send(buf: Buffer, start: number, end: number, port: number, address: string): void {
    if (end - start > MAX_UDP_PAYLOAD || port <= 0 || port > 65_535) {
      this.counters.dropped++
      return
    }
    this.counters.sent++
    this.counters.sentBytes += end - start
    this.#network.post(this, Buffer.from(buf.subarray(start, end)), port, address)
  }

  /** The same with text, for tests. */
  sendText(text: string, port: number, address: string): void {
    const bytes = Buffer.from(text, 'latin1')
    this.send(bytes, 0, bytes.length, port, address)
  }

  flush(): void {}

  async close(): Promise<void> {
    this.#network.remove(this)
  }

  /** Called by the network. */
  receive(buf: Buffer, start: number, end: number, address: string, port: number): void {
    this.counters.received++
    this.counters.receivedBytes += end - start
    this.#sink.onDatagram(buf, start, end, address, port, this)
  }
}

export class InMemoryNetwork {
  /** Every datagram in order of sending; clear() empties it. Bounded by maxTrace. */
  readonly trace: SentDatagram[] = []
  maxTrace = 10_000
  delivered = 0
  lost = 0
  unreachable = 0
  loss: number
  duplication: number
  reordering: number
  readonly #random: () => number
  readonly #endpoints = new Map<string, MemoryEndpoint>()
  readonly #queue: Packet[] = []
  readonly #receiveBuffer = Buffer.alloc(RECEIVE_BYTES, POISON)
  #offset = 0
  #nextPort = 40_000

  constructor(options: MemoryNetworkOptions = {}) {
    this.#random = createRandom(options.seed ?? 1)
    this.loss = options.loss ?? 0
    this.duplication = options.duplication ?? 0
    this.reordering = options.reordering ?? 0
  }

  get pendingCount(): number {
    return this.#queue.length
  }

  /** Port 0: the next free one. Throws where the place is taken. */
  endpoint(address: string, port: number, sink: MemorySink | MemorySink['onDatagram']): MemoryEndpoint {
    const chosen = port === 0 ? this.#nextPort++ : port
    const key = placeOf(address, chosen)
    if (this.#endpoints.has(key)) throw new Error(`InMemoryNetwork: ${key} is taken`)
    const made = new MemoryEndpoint(this, address, chosen, typeof sink === 'function' ? { onDatagram: sink } : sink)
    this.#endpoints.set(key, made)
    return made
  }

  remove(endpoint: MemoryEndpoint): void {
    this.#endpoints.delete(placeOf(endpoint.address, endpoint.port))
  }

  /** Called by an endpoint's send(). */
  post(from: MemoryEndpoint, bytes: Buffer, port: number, address: string): void {
    const lost = this.#happens(this.loss)
    this.#note(from, bytes, port, address, lost)
    if (lost) {
      this.lost++
      return
    }
    const packet = { bytes, fromAddress: from.address, fromPort: from.port, toAddress: address, toPort: port }
    this.#enqueue(packet)
    if (this.#happens(this.duplication)) this.#enqueue(packet)
  }

  /** Delivers until nothing is on the way; returns how many. Throws after limit: two endpoints that answer each other for ever. */
  run(limit = 100_000): number {
    let count = 0
    for (let packet = this.#queue.shift(); packet !== undefined; packet = this.#queue.shift()) {
      if (++count > limit) throw new Error(`InMemoryNetwork: more than ${limit} datagrams in one run`)
      this.#deliver(packet)
    }
    return count
  }

  /** Delivers one datagram; false where none is on the way. */
  step(): boolean {
    const packet = this.#queue.shift()
    if (packet === undefined) return false
    this.#deliver(packet)
    return true
  }

  clear(): void {
    this.trace.length = 0
  }

  #happens(probability: number): boolean {
    return probability > 0 && this.#random() < probability
  }

  #enqueue(packet: Packet): void {
    if (this.#queue.length > 0 && this.#happens(this.reordering)) {
      this.#queue.splice(Math.floor(this.#random() * this.#queue.length), 0, packet)
    } else {
      this.#queue.push(packet)
    }
  }

  #note(from: MemoryEndpoint, bytes: Buffer, port: number, address: string, lost: boolean): void {
    if (this.trace.length >= this.maxTrace) return
    this.trace.push({
      text: bytes.toString('latin1'),
      from: placeOf(from.address, from.port),
      to: placeOf(address, port),
      lost,
    })
  }

  #deliver(packet: Packet): void {
    const endpoint = this.#endpoints.get(placeOf(packet.toAddress, packet.toPort))
    if (endpoint === undefined) {
      this.unreachable++
      return
    }
    this.delivered++
    this.#offset = (this.#offset + 37) % 256
    const start = this.#offset
    const end = start + packet.bytes.copy(this.#receiveBuffer, start)
    try {
      endpoint.receive(this.#receiveBuffer, start, end, packet.fromAddress, packet.fromPort)
    } finally {
      this.#receiveBuffer.fill(POISON, start, end)
    }
  }
}

function placeOf(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
