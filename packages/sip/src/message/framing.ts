// SPDX-License-Identifier: MIT
// Messages out of a byte stream by Content-Length (RFC 3261 §18.3, §20.14), CRLF keep-alives (RFC 5626 §3.5.1), split points anywhere.
// Invariants: linear time (no byte is searched or copied twice because it came in pieces); a message that one chunk holds whole is
// handed out in place; storage grows with the bytes that came, never with the length that was announced, and is bounded by LIMITS.
// After an error the framer says the same error for ever: the boundary is lost, so the connection is to be closed.
// Leaves out: timers against slow senders (the connection's owner asks `isPartial`), and every check that scan() makes.
import { Buffer } from 'node:buffer'
import { FRAMING_ERROR } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { CLASS, COLON, CR, HTAB, LF, parseDecimal, SP, skipLws, TOKEN, trimLws } from './chars.ts'
import { HEADER, headerIdOf } from './header-ids.ts'

/** What next() found. */
export const FRAME = {
  /** Nothing whole: push the next chunk. */
  NONE: 0,
  /** A message in `buf[start, end)`, valid until the next call of next() or push(). */
  MESSAGE: 1,
  /** CRLF CRLF between messages: answer with CRLF [RFC5626-4.4.1]. One for a run of them. */
  PING: 2,
  /** One CRLF between messages: the answer to a ping, or the first half of one. */
  PONG: 3,
  /** `error` says why; close the connection. */
  ERROR: 4,
} as const

const NO_BYTES = Buffer.alloc(0)
const HEADERS_END = Buffer.from('\r\n\r\n', 'latin1')
const FIRST_STORAGE_BYTES = 2048

export class StreamFramer {
  /** Where the message lies that next() has found. */
  buf: Buffer = NO_BYTES
  start = 0
  end = 0
  error: number = FRAMING_ERROR.NONE
  /** The chunk in work and how far it is consumed. */
  #chunk: Buffer = NO_BYTES
  #at = 0
  /** The beginning of a message that no chunk holds whole: #storage[0, #stored). */
  #storage: Buffer = NO_BYTES
  #stored = 0
  /** Bytes of the stored message, known once its headers are whole; -1 before. */
  #needed = -1
  #crlfs = 0

  /** Takes the next bytes of the stream. Call next() until NONE before the next push; the chunk stays untouched until then. */
  push(chunk: Buffer): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** Whether a message has begun that is not whole. */
  get isPartial(): boolean {
    return this.#stored > 0
  }

  /** Bytes held for a message that is not whole. */
  get storedBytes(): number {
    return this.#stored
  }

  next(): number {
    if (this.error !== FRAMING_ERROR.NONE) return FRAME.ERROR
    if (this.#needed === 0) this.#release()
    if (this.#stored > 0) return this.#nextStored()
    const pings = this.#skipLineEnds()
    if (pings !== FRAME.NONE) return pings
    return this.#at >= this.#chunk.length ? FRAME.NONE : this.#nextInPlace()
  }

  /** Consumes CRLFs between messages; a CR at the end of the chunk waits for its LF as a stored byte. */
  #skipLineEnds(): number {
    const chunk = this.#chunk
    let found = 0
    while (this.#at + 1 < chunk.length && chunk[this.#at] === CR && chunk[this.#at + 1] === LF) {
      this.#at += 2
      found++
    }
    if (found === 0) return FRAME.NONE
    return this.#countLineEnds(found)
  }

  #countLineEnds(found: number): number {
    const isPing = found >= 2 || this.#crlfs === 1
    this.#crlfs = isPing ? 0 : 1
    return isPing ? FRAME.PING : FRAME.PONG
  }

  #nextInPlace(): number {
    const chunk = this.#chunk
    const start = this.#at
    if (!startsMessage(chunk, start)) return this.#fail(FRAMING_ERROR.NOT_SIP)
    if (chunk[start] !== CR) this.#crlfs = 0
    const terminator = chunk.indexOf(HEADERS_END, start)
    if (terminator < 0) return this.#store(chunk, start)
    const bodyStart = terminator + 4
    if (bodyStart - start > LIMITS.headerSectionBytes) return this.#fail(FRAMING_ERROR.HEADERS_TOO_LARGE)
    const length = contentLengthOf(chunk, start, terminator + 2)
    if (length < 0) return this.#fail(-length)
    const end = bodyStart + length
    if (end > chunk.length) {
      this.#needed = end - start
      return this.#store(chunk, start)
    }
    this.#at = end
    return this.#found(chunk, start, end)
  }

  #found(buf: Buffer, start: number, end: number): number {
    this.buf = buf
    this.start = start
    this.end = end
    return FRAME.MESSAGE
  }

  /** Keeps the rest of the chunk as the beginning of a message. */
  #store(chunk: Buffer, start: number): number {
    this.#append(chunk, start, chunk.length)
    this.#at = chunk.length
    return this.#stored > LIMITS.headerSectionBytes && this.#needed < 0
      ? this.#fail(FRAMING_ERROR.HEADERS_TOO_LARGE)
      : FRAME.NONE
  }

  #append(chunk: Buffer, start: number, end: number): void {
    const wanted = this.#stored + end - start
    if (wanted > this.#storage.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(wanted, this.#storage.length * 2, FIRST_STORAGE_BYTES))
      this.#storage.copy(grown, 0, 0, this.#stored)
      this.#storage = grown
    }
    chunk.copy(this.#storage, this.#stored, start, end)
    this.#stored = wanted
  }

  /** Goes on with the stored message: takes from the chunk no more than that message needs. */
  #nextStored(): number {
    if (this.#at >= this.#chunk.length) return FRAME.NONE
    if (this.#stored === 1 && this.#storage[0] === CR && this.#needed < 0) return this.#afterLoneCr()
    if (this.#needed < 0) {
      const found = this.#completeHeaders()
      if (found !== FRAME.MESSAGE) return found
    }
    const missing = Math.min(this.#needed - this.#stored, this.#chunk.length - this.#at)
    this.#append(this.#chunk, this.#at, this.#at + missing)
    this.#at += missing
    if (this.#stored < this.#needed) return FRAME.NONE
    const end = this.#needed
    this.#needed = 0
    return this.#found(this.#storage, 0, end)
  }

  /** A CR that ended the chunk before: with an LF a keep-alive, else no message begins so. */
  #afterLoneCr(): number {
    if (this.#chunk[this.#at] !== LF) return this.#fail(FRAMING_ERROR.NOT_SIP)
    this.#at++
    this.#stored = 0
    return this.#countLineEnds(1)
  }

  /** MESSAGE when #needed is known. Only the seam is searched twice: at most three stored bytes. */
  #completeHeaders(): number {
    const chunk = this.#chunk
    const headersEnd = this.#findHeadersEnd()
    const taken = headersEnd < 0 ? chunk.length : headersEnd
    if (this.#stored + taken - this.#at > LIMITS.headerSectionBytes) return this.#fail(FRAMING_ERROR.HEADERS_TOO_LARGE)
    this.#append(chunk, this.#at, taken)
    this.#at = taken
    if (headersEnd < 0) return FRAME.NONE
    const length = contentLengthOf(this.#storage, 0, this.#stored - 2)
    if (length < 0) return this.#fail(-length)
    this.#needed = this.#stored + length
    return FRAME.MESSAGE
  }

  /** Offset in the chunk behind the empty line, or -1. */
  #findHeadersEnd(): number {
    const chunk = this.#chunk
    for (let seam = 3; seam >= 1; seam--) {
      if (this.#stored >= seam && this.#endsAtSeam(seam)) return this.#at + 4 - seam
    }
    const found = chunk.indexOf(HEADERS_END, this.#at)
    return found < 0 ? -1 : found + 4
  }

  /** Whether the last `seam` stored bytes and the first of the chunk make the empty line. */
  #endsAtSeam(seam: number): boolean {
    for (let k = 0; k < 4; k++) {
      const byte = k < seam ? this.#storage[this.#stored - seam + k] : this.#chunk[this.#at + k - seam]
      if (byte !== HEADERS_END[k]) return false
    }
    return true
  }

  /** Forgets the message that was handed out of the storage; an idle stream keeps a small storage only. */
  #release(): void {
    this.#stored = 0
    this.#needed = -1
    if (this.#storage.length > LIMITS.idleStreamBytes) this.#storage = NO_BYTES
  }

  #fail(error: number): number {
    this.error = error
    this.#storage = NO_BYTES
    this.#stored = 0
    this.#chunk = NO_BYTES
    this.#at = 0
    return FRAME.ERROR
  }
}

/** A method or version begins with a token character; a CR may be the first half of a keep-alive. */
function startsMessage(buf: Buffer, at: number): boolean {
  const c = buf[at] as number
  return ((CLASS[c] as number) & TOKEN) !== 0 || (c === CR && at + 1 === buf.length)
}

/**
 * Content-Length of the headers in [start, end), `end` behind the CRLF of the last one. Minus a FRAMING_ERROR when it is absent
 * [RFC3261-18.3], bad, repeated with another value [RFC4475-3.3.9] or above the bound.
 */
function contentLengthOf(buf: Buffer, start: number, end: number): number {
  let length = -FRAMING_ERROR.NO_CONTENT_LENGTH
  let lineStart = nextLine(buf, start, end)
  while (lineStart < end) {
    let lineEnd = nextLine(buf, lineStart, end)
    if (isContentLength(buf, lineStart, end)) {
      while (lineEnd < end && (buf[lineEnd] === SP || buf[lineEnd] === HTAB)) lineEnd = nextLine(buf, lineEnd, end)
      const value = lengthOfLine(buf, lineStart, lineEnd)
      if (value < 0 || (length >= 0 && value !== length)) return -FRAMING_ERROR.BAD_CONTENT_LENGTH
      length = value
    }
    lineStart = lineEnd
  }
  return length > LIMITS.bodyBytes ? -FRAMING_ERROR.BODY_TOO_LARGE : length
}

function nextLine(buf: Buffer, at: number, end: number): number {
  const found = buf.indexOf(LF, at)
  return found < 0 || found >= end ? end : found + 1
}

function isContentLength(buf: Buffer, lineStart: number, end: number): boolean {
  const first = (buf[lineStart] as number) | 0x20
  if (first !== 0x6c && first !== 0x63) return false
  let nameEnd = lineStart
  while (nameEnd < end && ((CLASS[buf[nameEnd] as number] as number) & TOKEN) !== 0) nameEnd++
  return headerIdOf(buf, lineStart, nameEnd) === HEADER.CONTENT_LENGTH
}

function lengthOfLine(buf: Buffer, lineStart: number, lineEnd: number): number {
  let colon = lineStart
  while (colon < lineEnd && buf[colon] !== COLON && (buf[colon] as number) !== CR) colon++
  if (colon >= lineEnd || buf[colon] !== COLON) return -1
  const valueStart = skipLws(buf, colon + 1, lineEnd)
  return parseDecimal(buf, valueStart, trimLws(buf, valueStart, lineEnd), 0x7fffffff)
}
