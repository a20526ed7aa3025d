// SPDX-License-Identifier: MIT
// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed pseudo-random function of short inputs with 64 bits of output,
// here with 64-bit words as pairs of 32-bit integers. For the proofs in branches and tokens it costs a fraction of
// an HMAC through node:crypto (packages/sip/bench/proofs.ts). Not for anything that must resist more than 2^64 online attempts.
// Leaves out big-endian machines: words are read in the machine's order.
import { Buffer } from 'node:buffer'
import { writeText } from '../message/index.ts'

/** The 128-bit key as four 32-bit integers, least significant first. */
export interface SipKey {
  readonly k0lo: number
  readonly k0hi: number
  readonly k1lo: number
  readonly k1hi: number
}

export const sipKey = (bytes: Buffer): SipKey => ({
  k0lo: bytes.readInt32LE(0),
  k0hi: bytes.readInt32LE(4),
  k1lo: bytes.readInt32LE(8),
  k1hi: bytes.readInt32LE(12),
})

/** What is to be hashed, gathered in one aligned buffer that is used again. Text is taken as latin1. */
export class HashInput {
  bytes: Buffer
  words: Int32Array
  length = 0

  constructor(capacity = 512) {
    this.bytes = Buffer.allocUnsafeSlow(capacity)
    this.words = new Int32Array(this.bytes.buffer)
  }

  reset(): void {
    this.length = 0
  }

  byte(value: number): void {
    this.#reserve(1)
    this.bytes[this.length++] = value
  }

  int32(value: number): void {
    this.#reserve(4)
    const at = this.length
    this.bytes[at] = value
    this.bytes[at + 1] = value >>> 8
    this.bytes[at + 2] = value >>> 16
    this.bytes[at + 3] = value >>> 24
    this.length = at + 4
  }

  /** The length and then the bytes, so that neighbouring fields cannot trade places. */
  field(buf: Uint8Array, start: number, end: number): void {
    const length = start < 0 ? 0 : end - start
    this.int32(length)
    this.#reserve(length)
    const at = this.length
    for (let i = 0; i < length; i++) this.bytes[at + i] = buf[start + i] as number
    this.length = at + length
  }

  /** Like `field`, with A to Z as a to z. */
  lowerField(buf: Uint8Array, start: number, end: number): void {
    const at = this.length + 4
    this.field(buf, start, end)
    for (let i = at; i < this.length; i++) {
      const byte = this.bytes[i] as number
      if (byte >= 0x41 && byte <= 0x5a) this.bytes[i] = byte | 0x20
    }
  }

  textField(text: string): void {
    const length = text.length
    this.int32(length)
    this.#reserve(length)
    this.length = writeText(this.bytes, this.length, text)
  }

  /** Keeps eight bytes of slack, which the last block of the hash reads. */
  #reserve(more: number): void {
    if (this.length + more + 8 <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow((2 * (this.length + more + 8) + 7) & ~7)
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
    this.words = new Int32Array(larger.buffer)
  }
}

export interface Hash64 {
  lo: number
  hi: number
}

/**
 * SipHash-2-4 of `input` into `out`, as two signed 32-bit halves.
 * One long loop on purpose: eight state words stay in registers, and each round is written once.
 */
export const sipHash = (input: HashInput, key: SipKey, out: Hash64): void => {
  const { words, length } = input
  const blocks = length >>> 3
  padLastBlock(input, blocks << 3)
  let v0l = key.k0lo ^ 0x70736575
  let v0h = key.k0hi ^ 0x736f6d65
  let v1l = key.k1lo ^ 0x6e646f6d
  let v1h = key.k1hi ^ 0x646f7261
  let v2l = key.k0lo ^ 0x6e657261
  let v2h = key.k0hi ^ 0x6c796765
  let v3l = key.k1lo ^ 0x79746573
  let v3h = key.k1hi ^ 0x74656462
  for (let block = 0; block <= blocks + 1; block++) {
    const isFinal = block > blocks
    const ml = isFinal ? 0 : (words[2 * block] as number)
    const mh = isFinal ? 0 : (words[2 * block + 1] as number)
    if (isFinal) v2l ^= 0xff
    v3l ^= ml
    v3h ^= mh
    for (let round = isFinal ? 4 : 2; round > 0; round--) {
      let t = (v0l + v1l) | 0
      v0h = (v0h + v1h + (t >>> 0 < v0l >>> 0 ? 1 : 0)) | 0
      v0l = t
      t = (v1l << 13) | (v1h >>> 19)
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h
      v1l = t ^ v0l
      t = v0l
      v0l = v0h
      v0h = t
      t = (v2l + v3l) | 0
      v2h = (v2h + v3h + (t >>> 0 < v2l >>> 0 ? 1 : 0)) | 0
      v2l = t
      t = (v3l << 16) | (v3h >>> 16)
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h
      v3l = t ^ v2l
      t = (v0l + v3l) | 0
      v0h = (v0h + v3h + (t >>> 0 < v0l >>> 0 ? 1 : 0)) | 0
      v0l = t
      t = (v3l << 21) | (v3h >>> 11)
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h
      v3l = t ^ v0l
      t = (v2l + v1l) | 0
      v2h = (v2h + v1h + (t >>> 0 < v2l >>> 0 ? 1 : 0)) | 0
      v2l = t
      t = (v1l << 17) | (v1h >>> 15)
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h
      v1l = t ^ v2l
      t = v2l
      v2l = v2h
      v2h = t
    }
    v0l ^= ml
    v0h ^= mh
  }
  out.lo = v0l ^ v1l ^ v2l ^ v3l
  out.hi = v0h ^ v1h ^ v2h ^ v3h
}

/** Fills the block behind the last whole one: the rest of the input, zeros, and the length in its last byte. */
const padLastBlock = (input: HashInput, at: number): void => {
  for (let i = input.length; i < at + 7; i++) input.bytes[i] = 0
  input.bytes[at + 7] = input.length & 0xff
}
