// SPDX-License-Identifier: MIT
//
// The last messages of an edge, in blocks of memory that are made once and used in turn: a full one is followed by the one with the oldest messages,
// which forgets them all. To add a message is a copy, nothing is allocated; to find those of a call all are looked at, a block a turn of the
// event loop, which is for people who ask, not for calls.
//
// A record: milliseconds since 1970 (float64), length of the message (uint32), far port (uint16), flags (bit 0: sent), listener (uint8),
// length of the far address (uint8), the address, the message.

import { setImmediate as nextTurn } from 'node:timers/promises'

const AT = { time: 0, bytes: 8, port: 12, flags: 14, listener: 15, addressBytes: 16 } as const
const HEADER_BYTES = 17
const BLOCKS = 16
const MAX_ADDRESS_BYTES = 0xff

export interface KeptMessage {
  /** Milliseconds since 1970. */
  readonly atMs: number
  readonly isSent: boolean
  /** Number of the listener, as it was added. */
  readonly listener: number
  /** Numeric. */
  readonly address: string
  readonly port: number
  /** A copy. */
  readonly bytes: Buffer
}

export interface Wanted {
  /** Whether a message is one of those that are looked for: the bytes [start, end), which are the ring's own. */
  matches(buf: Buffer, start: number, end: number): boolean
  readonly maxMessages: number
  readonly maxBytes: number
}

export interface Found {
  /** Oldest first; the newest where more match than are wanted. */
  readonly messages: readonly KeptMessage[]
  readonly isCut: boolean
}

interface Block {
  readonly buf: Buffer
  used: number
  /** Grows each time that it forgets. */
  generation: number
}

export class MessageRing {
  readonly #blocks: readonly Block[]
  readonly #blockBytes: number
  #at = 0
  #current: Block

  /** @param bytes of all blocks; a message longer than a sixteenth of it is not kept */
  constructor(bytes: number) {
    this.#blockBytes = Math.floor(bytes / BLOCKS)
    this.#blocks = Array.from({ length: BLOCKS }, () => {
      return { buf: Buffer.allocUnsafeSlow(this.#blockBytes), used: 0, generation: 0 }
    })
    this.#current = this.#blocks[0] as Block
  }

  /** When the oldest was kept, milliseconds since 1970; 0 where there is none. */
  get oldestMs(): number {
    const oldest = this.#oldestFirst().find(({ used }) => used > 0)
    return oldest === undefined ? 0 : oldest.buf.readDoubleLE(AT.time)
  }

  /** @returns false where it is too long */
  add(
    isSent: boolean,
    listener: number,
    address: string,
    port: number,
    buf: Buffer,
    start: number,
    end: number,
    atMs: number,
  ): boolean {
    const needed = HEADER_BYTES + address.length + end - start
    if (needed > this.#blockBytes || address.length > MAX_ADDRESS_BYTES) return false
    if (this.#current.used + needed > this.#blockBytes) this.#next()
    const block = this.#current
    const { buf: own, used: at } = block
    own.writeDoubleLE(atMs, at + AT.time)
    own.writeUInt32LE(end - start, at + AT.bytes)
    own.writeUInt16LE(port, at + AT.port)
    own[at + AT.flags] = isSent ? 1 : 0
    own[at + AT.listener] = listener
    own[at + AT.addressBytes] = address.length
    own.latin1Write(address, at + HEADER_BYTES)
    buf.copy(own, at + HEADER_BYTES + address.length, start, end)
    block.used = at + needed
    return true
  }

  #next(): void {
    this.#at = (this.#at + 1) % BLOCKS
    this.#current = this.#blocks[this.#at] as Block
    this.#current.used = 0
    this.#current.generation += 1
  }

  #oldestFirst(): Block[] {
    return [...this.#blocks.slice(this.#at + 1), ...this.#blocks.slice(0, this.#at + 1)]
  }

  /** All that match. A block that is overwritten while others are looked at is passed over, and `isCut` says so. */
  async find(wanted: Wanted): Promise<Found> {
    const search = new Search(wanted)
    const blocks = this.#oldestFirst()
    const generations = blocks.map(({ generation }) => generation)
    for (const [k, block] of blocks.entries()) {
      if (block.generation === generations[k]) search.lookInto(block)
      else search.isCut = true
      await nextTurn()
    }
    return search
  }
}

class Search implements Found {
  readonly messages: KeptMessage[] = []
  isCut = false
  readonly #wanted: Wanted
  #bytes = 0

  constructor(wanted: Wanted) {
    this.#wanted = wanted
  }

  lookInto({ buf, used }: Block): void {
    for (let at = 0; at < used; ) {
      const start = at + HEADER_BYTES + (buf[at + AT.addressBytes] as number)
      const end = start + buf.readUInt32LE(at + AT.bytes)
      if (this.#wanted.matches(buf, start, end)) this.#take(buf, at, start, end)
      at = end
    }
  }

  #take(buf: Buffer, at: number, start: number, end: number): void {
    this.messages.push({
      atMs: buf.readDoubleLE(at + AT.time),
      isSent: buf[at + AT.flags] === 1,
      listener: buf[at + AT.listener] as number,
      address: buf.latin1Slice(at + HEADER_BYTES, start),
      port: buf.readUInt16LE(at + AT.port),
      bytes: Buffer.from(buf.subarray(start, end)),
    })
    this.#bytes += end - start
    const { maxMessages, maxBytes } = this.#wanted
    while (this.messages.length > maxMessages || this.#bytes > maxBytes) {
      this.#bytes -= this.messages.shift()?.bytes.length ?? 0
      this.isCut = true
    }
  }
}
