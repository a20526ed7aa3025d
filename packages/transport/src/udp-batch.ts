// SPDX-License-Identifier: MIT
// UDP through the native addon: one call per batch of received datagrams, none at all for sending. send() copies into memory that the addon
// hands to the kernel at the end of the batch with its microtasks, before the event loop sleeps, or when it is full.
//
// The bytes of a batch lie in a ring that the next batch overwrites. With `poison` each datagram is overwritten as soon as its sink returns,
// so that a test finds whoever kept offsets instead of a copy.
//
// Invariants: no object, closure or string per datagram; a sink that throws loses its own datagram alone, and the exception is reported
// as uncaught, as node:dgram would. Nothing is delivered after close(), not the rest of the batch either.
// Left out: choosing the source address of a datagram from a wildcard socket: the kernel does, by its routes.
import { markAsUntransferable } from 'node:worker_threads'
import {
  type AddonSocket,
  CONTROL,
  COUNTER,
  COUNTERS,
  RECEIVED,
  TO_SEND,
  type UdpBatchAddon,
  wordsBytes,
} from '@tandem/udp-batch'
import { Destinations, SourceTexts } from './address-cache.ts'
import type { DatagramSink, UdpCounters, UdpListener } from './types.ts'
import { DEFAULT_MAX_QUEUED_BYTES, MAX_UDP_PAYLOAD, POISON, type UdpOptions } from './udp-options.ts'

/** What tests make smaller. */
export interface BatchSizes {
  readonly receiveSlots: number
  /** Bytes of a slot. */
  readonly stride: number
  readonly sendSlots: number
  readonly slabBytes: number
}

/**
 * A slot holds the largest datagram; pages that no datagram touches take no memory. The odd 704 bytes keep the begins of slots from falling on
 * the same sets of the processor's caches. Larger batches gain nothing that can be measured and let timers wait longer.
 */
export const BATCH_SIZES: BatchSizes = { receiveSlots: 32, stride: 65_536 + 704, sendSlots: 64, slabBytes: 1 << 18 }

const SYNC_ERRORS_ARE_BUGS = (error: unknown): void => {
  process.nextTick(() => {
    throw error
  })
}

/** ArrayBuffers that nobody can take away: the addon has pointers into them. */
function sharedMemory(bytes: number): ArrayBuffer {
  const memory = new ArrayBuffer(bytes)
  markAsUntransferable(memory)
  return memory
}

/** Opens a socket of the addon. Throws the system call's error, with its `code`. */
export function openBatchListener(addon: UdpBatchAddon, options: UdpOptions, sizes = BATCH_SIZES): BatchListener {
  return new BatchListener(addon, options, sizes)
}

export class BatchListener implements UdpListener {
  readonly transport = 'udp'
  readonly reliable = false
  readonly implementation = 'batch'
  readonly address: string
  readonly port: number
  readonly family: 4 | 6
  readonly #addon: UdpBatchAddon
  readonly #socket: AddonSocket
  readonly #sink: DatagramSink
  readonly #sizes: BatchSizes
  readonly #poison: boolean
  readonly #onUnreachable: UdpOptions['onUnreachable']
  readonly #ring: Buffer
  readonly #slab: Buffer
  readonly #words: Int32Array
  readonly #counted: Float64Array
  readonly #toSend: number
  readonly #texts: SourceTexts
  readonly #destinations: Destinations
  #dropped = 0
  /** Where the record of the datagram at hand begins. */
  #record = -1
  #isOpen = true

  constructor(addon: UdpBatchAddon, options: UdpOptions, sizes: BatchSizes) {
    const { receiveSlots, stride, sendSlots, slabBytes } = sizes
    const ring = sharedMemory(receiveSlots * stride)
    const slab = sharedMemory(slabBytes)
    const words = sharedMemory(wordsBytes(receiveSlots, sendSlots))
    const counters = sharedMemory(COUNTERS * 8)
    this.#addon = addon
    this.#sink = options.sink
    this.#sizes = sizes
    this.#poison = options.poison ?? false
    this.#onUnreachable = options.onUnreachable
    this.#ring = Buffer.from(ring)
    this.#slab = Buffer.from(slab)
    this.#words = new Int32Array(words)
    this.#counted = new Float64Array(counters)
    this.#toSend = CONTROL.WORDS + receiveSlots * RECEIVED.WORDS
    this.family = options.address.includes(':') ? 6 : 4
    this.#texts = new SourceTexts(addon, this.family)
    this.#destinations = new Destinations(addon, this.family)
    const opened = addon.open({
      ...sizes,
      ...{ ring, slab, words, counters },
      address: options.address,
      port: options.port,
      reusePort: options.reusePort ? 1 : 0,
      recvBufferBytes: options.recvBufferBytes ?? 0,
      sendBufferBytes: options.sendBufferBytes ?? 0,
      dscp: options.dscp ?? 0,
      gatherMs: options.gatherMs ?? 0,
      maxQueuedBytes: options.maxQueuedBytes ?? DEFAULT_MAX_QUEUED_BYTES,
      onBatch: (count) => this.#receive(count),
      onUnreachable: this.#onUnreachable === undefined ? undefined : (count) => this.#tellUnreachable(count),
    })
    this.#socket = opened.handle
    this.address = opened.address
    this.port = opened.port
  }

  get counters(): UdpCounters {
    const counted = this.#counted as unknown as Record<number, number>
    const at = (index: number): number => counted[index] ?? 0
    return {
      received: at(COUNTER.RECEIVED),
      receivedBytes: at(COUNTER.RECEIVED_BYTES),
      sent: at(COUNTER.SENT),
      sentBytes: at(COUNTER.SENT_BYTES),
      queued: at(COUNTER.QUEUED),
      dropped: at(COUNTER.DROPPED) + this.#dropped,
      errors: at(COUNTER.ERRORS),
      truncated: at(COUNTER.TRUNCATED),
      kernelDropped: at(COUNTER.KERNEL_DROPPED),
      unreachable: at(COUNTER.UNREACHABLE),
      batches: at(COUNTER.BATCHES),
      flushes: at(COUNTER.FLUSHES),
    }
  }

  get localAddress(): string {
    const at = this.#record
    if (at < 0 || !isWildcard(this.address)) return this.address
    return this.#texts.textAt(this.#words, at + RECEIVED.LOCAL, this.#words[at + RECEIVED.SCOPE] as number)
  }

  get queueMs(): number {
    return (this.#words[CONTROL.QUEUE_US] as number) / 1000
  }

  send(buf: Buffer, start: number, end: number, port: number, address: string): void {
    const length = end - start
    const isSendable = length >= 0 && length <= MAX_UDP_PAYLOAD && start >= 0 && end <= buf.length
    const to = isSendable && this.#isOpen && port > 0 && port <= 65_535 ? this.#destinations.find(address) : undefined
    if (to === undefined) {
      this.#dropped++
      return
    }
    const words = this.#words
    const { sendSlots, slabBytes } = this.#sizes
    if (words[CONTROL.SEND_COUNT] === sendSlots || (words[CONTROL.SEND_USED] as number) + length > slabBytes)
      this.flush()
    const offset = words[CONTROL.SEND_USED] as number
    const count = words[CONTROL.SEND_COUNT] as number
    buf.copy(this.#slab, offset, start, end)
    const at = this.#toSend + count * TO_SEND.WORDS
    words[at + TO_SEND.OFFSET] = offset
    words[at + TO_SEND.LENGTH] = length
    words[at + TO_SEND.PORT] = port
    words[at + TO_SEND.SCOPE] = to.scope
    words[at + TO_SEND.ADDRESS] = to.a
    words[at + TO_SEND.ADDRESS + 1] = to.b
    words[at + TO_SEND.ADDRESS + 2] = to.c
    words[at + TO_SEND.ADDRESS + 3] = to.d
    words[CONTROL.SEND_USED] = offset + length
    words[CONTROL.SEND_COUNT] = count + 1
  }

  flush(): void {
    if (this.#isOpen) this.#addon.flush(this.#socket)
  }

  /** What was sent before leaves. */
  close(): Promise<void> {
    if (this.#isOpen) {
      this.#isOpen = false
      this.#addon.close(this.#socket)
    }
    return Promise.resolve()
  }

  shedRegisters(share: number): void {
    if (this.#isOpen) this.#addon.shedRegisters(this.#socket, Math.round(share * 65_536))
  }

  /** Tests: the next `count` system calls that send fail with `errno`. */
  failSends(errno: number, count: number): void {
    this.#addon.failSends(this.#socket, errno, count)
  }

  #receive(count: number): void {
    let next = 0
    while (next < count && this.#isOpen) {
      try {
        while (next < count && this.#isOpen) this.#deliver(next++)
      } catch (error) {
        SYNC_ERRORS_ARE_BUGS(error)
      }
    }
    this.#record = -1
  }

  #deliver(index: number): void {
    const words = this.#words
    const at = CONTROL.WORDS + index * RECEIVED.WORDS
    const start = words[at + RECEIVED.OFFSET] as number
    const end = start + (words[at + RECEIVED.LENGTH] as number)
    const address = this.#texts.textAt(words, at + RECEIVED.ADDRESS, words[at + RECEIVED.SCOPE] as number)
    this.#record = at
    try {
      this.#sink.onDatagram(this.#ring, start, end, address, words[at + RECEIVED.PORT] as number, this)
    } finally {
      if (this.#poison) this.#ring.fill(POISON, start, end)
    }
  }

  #tellUnreachable(count: number): void {
    const words = this.#words
    for (let k = 0; k < count && this.#isOpen; k++) {
      const at = CONTROL.WORDS + k * RECEIVED.WORDS
      const address = this.#texts.textAt(words, at + RECEIVED.ADDRESS, words[at + RECEIVED.SCOPE] as number)
      const start = words[at + RECEIVED.OFFSET] as number
      const end = start + (words[at + RECEIVED.LENGTH] as number)
      this.#onUnreachable?.(address, words[at + RECEIVED.PORT] as number, this.#ring, start, end)
    }
  }
}

const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::'
