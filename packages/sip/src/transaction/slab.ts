// SPDX-License-Identifier: MIT
// Copies of messages in shared chunks: a bump allocator. A chunk is garbage once no transaction points into it,
// so what shares a slab should live about equally long. Nothing is ever reused: a stale view reads old bytes,
// never somebody else's.
import { Buffer } from 'node:buffer'

const CHUNK_BYTES = 64 * 1024
/** Longer messages get a buffer of their own, so that they neither waste the rest of a chunk nor pin one. */
const OWN_BUFFER_BYTES = CHUNK_BYTES / 4

export class Slab {
  /** The buffer that the last `copy` wrote to. */
  buf: Buffer = Buffer.alloc(0)
  /** Where the last copy begins in `buf`. */
  start = 0
  #chunk: Buffer = this.buf
  #used = 0

  /** Copies `from[start, end)`; the place is in `buf` and `start` until the next copy. */
  copy(from: Buffer, start: number, end: number): void {
    const length = end - start
    if (length > OWN_BUFFER_BYTES) {
      this.buf = Buffer.allocUnsafeSlow(length)
      this.start = 0
    } else {
      if (this.#used + length > this.#chunk.length) this.#next()
      this.buf = this.#chunk
      this.start = this.#used
      this.#used += length
    }
    from.copy(this.buf, this.start, start, end)
  }

  #next(): void {
    this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    this.#used = 0
  }
}
