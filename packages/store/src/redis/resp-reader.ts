// SPDX-License-Identifier: MIT
// Reads replies (RESP2) out of the chunks of a connection: text as a Buffer over its chunk, integers, nil, errors as values, arrays.
// A reply that a chunk ends in is read again from its first byte when the next chunk is there; what is kept for it is bounded by
// the largest reply. It never throws for a short chunk; bytes that are no reply throw, and the connection is given up.

import type { Reply } from './batcher.ts'

/** What Redis refused, as its whole line without the dash. */
export class ReplyError extends Error {}

const CR = 13
const [PLUS, MINUS, COLON, DOLLAR, STAR, ZERO] = [43, 45, 58, 36, 42, 48]
const NONE = Buffer.alloc(0)

export class RespReader {
  readonly #onReply: (reply: Reply | ReplyError) => void
  #bytes: Buffer = NONE
  #at = 0
  #isShort = false

  constructor(onReply: (reply: Reply | ReplyError) => void) {
    this.#onReply = onReply
  }

  write(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    this.#at = 0
    let whole = 0
    while (this.#at < this.#bytes.length) {
      this.#isShort = false
      const reply = this.#reply()
      if (this.#isShort) break
      whole = this.#at
      this.#onReply(reply)
    }
    this.#bytes = whole === this.#bytes.length ? NONE : this.#bytes.subarray(whole)
  }

  /** Nothing that counts once `#isShort` is set. */
  #reply(): Reply | ReplyError {
    const type = this.#bytes[this.#at++]
    switch (type) {
      case COLON:
        return this.#integer()
      case DOLLAR:
        return this.#text()
      case STAR:
        return this.#array()
      case PLUS:
        return this.#line()
      case MINUS:
        return new ReplyError(this.#line().toString('latin1'))
      default:
        if (type !== undefined) throw new RangeError(`no reply begins with byte ${type}`)
        this.#isShort = true
        return null
    }
  }

  #integer(): number {
    const bytes = this.#bytes
    let at = this.#at
    const isNegative = bytes[at] === MINUS
    if (isNegative) at++
    let value = 0
    for (let byte = bytes[at]; byte !== CR; byte = bytes[++at]) {
      if (byte === undefined) {
        this.#isShort = true
        return 0
      }
      value = value * 10 + byte - ZERO
    }
    this.#skip(at + 2)
    return isNegative ? -value : value
  }

  #text(): Buffer | null {
    const length = this.#integer()
    if (length < 0 || this.#isShort) return null
    const from = this.#at
    this.#skip(from + length + 2)
    return this.#isShort ? null : this.#bytes.subarray(from, from + length)
  }

  #array(): Reply {
    const length = this.#integer()
    if (length < 0 || this.#isShort) return null
    const values: Reply[] = []
    for (let k = 0; k < length && !this.#isShort; k++) {
      const value = this.#reply()
      values.push(value instanceof ReplyError ? Buffer.from(value.message) : value)
    }
    return values
  }

  #line(): Buffer {
    const from = this.#at
    const end = this.#bytes.indexOf(CR, from)
    if (end < 0) this.#isShort = true
    else this.#skip(end + 2)
    return this.#isShort ? NONE : this.#bytes.subarray(from, end)
  }

  #skip(to: number): void {
    this.#at = to
    if (to > this.#bytes.length) this.#isShort = true
  }
}
