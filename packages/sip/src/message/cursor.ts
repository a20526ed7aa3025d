// SPDX-License-Identifier: MIT
// Walks the comma-separated values of all headers with one id [RFC3261-7.3.1], commas in quotes and angle brackets respected.
// Not for headers whose grammar holds free commas (Date, WWW-Authenticate, Authorization). Allocates nothing while it walks.
import { COMMA, DQUOTE, GREATER, LESS, skipLws, skipQuoted, trimLws } from './chars.ts'
import { findHeader, headerValueEnd, headerValueStart, type SipMessage } from './message.ts'

const NO_BYTES = new Uint8Array(0)

export class ValueCursor {
  #msg: SipMessage | undefined
  #buf: Uint8Array = NO_BYTES
  #id = 0
  #at = 0
  #valueEnd = -1
  /** Header record of the current value. */
  index = -1
  /** The current value, trimmed. Empty between two commas. */
  start = -1
  end = -1
  /** Offset of the comma behind the current value, or -1 when it is the last of its header. */
  commaAt = -1

  /** Sets the cursor before the first value of header `id`. */
  reset(msg: SipMessage, id: number): this {
    this.#msg = msg
    this.#buf = msg.buf
    this.#id = id
    this.index = -1
    this.commaAt = -1
    return this
  }

  /** Sets the cursor before the first value of one header record; the walk ends with that record. */
  resetToHeader(msg: SipMessage, index: number): this {
    this.#msg = undefined
    this.#buf = msg.buf
    this.index = index
    this.#at = headerValueStart(msg, index)
    this.#valueEnd = headerValueEnd(msg, index)
    this.commaAt = this.#at < this.#valueEnd ? this.#at - 1 : -1
    return this
  }

  next(): boolean {
    if (this.commaAt >= 0) this.#at = this.commaAt + 1
    else if (!this.#nextHeader()) return false
    const buf = this.#buf
    const comma = findComma(buf, this.#at, this.#valueEnd)
    this.commaAt = comma < this.#valueEnd ? comma : -1
    this.start = skipLws(buf, this.#at, comma)
    this.end = trimLws(buf, this.start, comma)
    return true
  }

  /** A header with an empty value has no values. */
  #nextHeader(): boolean {
    const msg = this.#msg
    if (msg === undefined) return false
    let index = this.index
    do {
      index = findHeader(msg, this.#id, index + 1)
      if (index < 0) {
        this.#msg = undefined
        return false
      }
    } while (headerValueStart(msg, index) >= headerValueEnd(msg, index))
    this.index = index
    this.#at = headerValueStart(msg, index)
    this.#valueEnd = headerValueEnd(msg, index)
    return true
  }
}

/** Offset of the first comma of [at, end) outside quotes and angle brackets, else `end`. An unclosed quote or bracket runs to `end`. */
export function findComma(buf: Uint8Array, at: number, end: number): number {
  let i = at
  while (i < end) {
    const c = buf[i] as number
    if (c === COMMA) return i
    if (c === DQUOTE) {
      i = skipQuoted(buf, i, end)
      if (i < 0) return end
    } else if (c === LESS) {
      while (i < end && buf[i] !== GREATER) i++
      i++
    } else {
      i++
    }
  }
  return end
}

/** Sets `cursor` before the first value of header `id`. Without a cursor it makes one; hot code keeps its own. */
export function eachHeaderValue(msg: SipMessage, id: number, cursor: ValueCursor = new ValueCursor()): ValueCursor {
  return cursor.reset(msg, id)
}

const tokens = new ValueCursor()

/**
 * Whether one of the comma-separated values of header `id` is `token` in any case (Supported, Require, Privacy, …). Asked of every
 * request for what few have: the values are walked only where the letters stand.
 */
export function hasToken(msg: SipMessage, id: number, token: string): boolean {
  for (let k = findHeader(msg, id); k >= 0; k = findHeader(msg, id, k + 1)) {
    if (holdsLetters(msg.buf, headerValueStart(msg, k), headerValueEnd(msg, k), token) && hasValue(msg, k, token))
      return true
  }
  return false
}

function hasValue(msg: SipMessage, index: number, token: string): boolean {
  const lower = token.toLowerCase()
  tokens.resetToHeader(msg, index)
  while (tokens.next()) {
    const length = tokens.end - tokens.start
    if (length === lower.length && msg.text(tokens.start, tokens.end).toLowerCase() === lower) return true
  }
  return false
}

/** The bit in which a capital and its small letter differ. */
const CASE = 0x20

/** Whether these letters stand somewhere, case and the same bit of other characters aside. */
function holdsLetters(buf: Uint8Array, start: number, end: number, text: string): boolean {
  const first = text.charCodeAt(0) | CASE
  const last = end - text.length
  for (let i = start; i <= last; i += 1) {
    if (((buf[i] as number) | CASE) !== first) continue
    let k = 1
    while (k < text.length && ((buf[i + k] as number) | CASE) === (text.charCodeAt(k) | CASE)) k += 1
    if (k === text.length) return true
  }
  return false
}
