// SPDX-License-Identifier: MIT
// Splices over a scanned message, applied once into the send buffer: what no edit names is copied byte for byte (DESIGN §3.6).
// Invariants: ranges do not overlap (SipBug otherwise); at one offset inserts come before a replacement, in the order of their calls.
// Texts are latin1. Leaves out: Content-Length; who changes the body changes it too.
import { Buffer } from 'node:buffer'
import { SIP_BUG, SipBug } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { writeBytes, writeText } from './latin1.ts'
import type { SipMessage } from './message.ts'

type Piece = string | Buffer

const NO_BYTES = Buffer.alloc(0)

export class Edits {
  #buf: Buffer = NO_BYTES
  #start = 0
  #end = 0
  #count = 0
  /** Bytes added minus bytes removed. */
  #growth = 0
  readonly #starts = new Int32Array(LIMITS.editCount)
  readonly #ends = new Int32Array(LIMITS.editCount)
  readonly #pieces: Piece[] = new Array<Piece>(LIMITS.editCount).fill('')

  /** Forgets all edits and takes `msg` as the source, which must stay as it is until encodeInto(). */
  reset(msg: SipMessage): void {
    this.resetRange(msg.buf, msg.start, msg.end)
  }

  /** The same over plain bytes. */
  resetRange(buf: Buffer, start: number, end: number): void {
    this.#buf = buf
    this.#start = start
    this.#end = end
    for (let k = 0; k < this.#count; k++) this.#pieces[k] = ''
    this.#count = 0
    this.#growth = 0
  }

  get count(): number {
    return this.#count
  }

  insert(at: number, piece: Piece): void {
    this.replace(at, at, piece)
  }

  /** Removals that follow one another are one: a Route set of a hundred lines takes one place. */
  remove(start: number, end: number): void {
    const last = this.#count - 1
    if (last < 0 || this.#ends[last] !== start || this.#pieces[last] !== '') return this.replace(start, end, '')
    this.#ends[last] = end
    this.#growth -= end - start
  }

  /** Keeps the list sorted; edits mostly come in ascending order, so that this is an append. */
  replace(start: number, end: number, piece: Piece): void {
    if (this.#count === LIMITS.editCount) throw new SipBug(SIP_BUG.TOO_MANY_EDITS, `more than ${LIMITS.editCount}`)
    let k = this.#count
    while (k > 0 && this.#isBehind(k - 1, start, end)) {
      this.#starts[k] = this.#starts[k - 1] as number
      this.#ends[k] = this.#ends[k - 1] as number
      this.#pieces[k] = this.#pieces[k - 1] as Piece
      k--
    }
    this.#starts[k] = start
    this.#ends[k] = end
    this.#pieces[k] = piece
    this.#count++
    this.#growth += piece.length - (end - start)
  }

  #isBehind(k: number, start: number, end: number): boolean {
    const other = this.#starts[k] as number
    return other > start || (other === start && (this.#ends[k] as number) > end)
  }

  /** Whether an edit so far removes or replaces any byte of [start, end). */
  touches(start: number, end: number): boolean {
    for (let k = 0; k < this.#count; k++) {
      const from = this.#starts[k] as number
      const to = this.#ends[k] as number
      if (from < end && to > start && to > from) return true
    }
    return false
  }

  /** Bytes that encodeInto() will write. */
  size(): number {
    return this.#end - this.#start + this.#growth
  }

  /** Writes the edited message at `at`, returns the offset behind it. `out` must not be the source. */
  encodeInto(out: Buffer, at: number): number {
    if (at + this.size() > out.length)
      throw new SipBug(SIP_BUG.OUTPUT_FULL, `${this.size()} bytes at ${at} of ${out.length}`)
    const buf = this.#buf
    let from = this.#start
    let to = at
    for (let k = 0; k < this.#count; k++) {
      const start = this.#starts[k] as number
      if (start < from) throw new SipBug(SIP_BUG.EDITS_OVERLAP, `at ${start}`)
      to = writeBytes(out, to, buf, from, start)
      const piece = this.#pieces[k] as Piece
      to = typeof piece === 'string' ? writeText(out, to, piece) : writeBytes(out, to, piece, 0, piece.length)
      from = this.#ends[k] as number
    }
    if (from > this.#end) throw new SipBug(SIP_BUG.EDITS_OVERLAP, `beyond the end, ${from}`)
    return writeBytes(out, to, buf, from, this.#end)
  }
}
