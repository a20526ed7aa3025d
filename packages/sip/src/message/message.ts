// SPDX-License-Identifier: MIT
// A SIP message as integer offsets into the bytes it came in. One class, one shape: every field is initialised in the
// constructor and refilled by scan(), which reuses the object.
// Invariants: offsets are absolute indexes into `buf`; -1 is absent; nothing here outlives `buf` (clone() for what waits).
import { Buffer } from 'node:buffer'
import { LIMITS } from '../limits.ts'
import { URI_SCHEME } from '../uri/uri-view.ts'
import { HEADER } from './header-ids.ts'
import './latin1.ts'
import { METHOD } from './method-ids.ts'

/** Ints per header record: id, lineStart, nameEnd, valueStart, valueEnd (trimmed), lineEnd (behind CRLF). */
export const HEADER_STRIDE = 6

const NO_BYTES = Buffer.alloc(0)
const NO_RECORDS = new Int32Array(0)

export class SipMessage {
  buf: Buffer = NO_BYTES
  /** First byte of the start line; end: behind the body as Content-Length cuts it. */
  start = 0
  end = 0
  isRequest = false
  /** METHOD number; in a response that of CSeq. */
  method: number = METHOD.OTHER
  methodStart = -1
  methodEnd = -1
  uriStart = -1
  uriEnd = -1
  /** Parts of the Request-URI: URI_SCHEME number, host with its brackets, port or -1, first ';' or uriEnd. */
  uriScheme: number = URI_SCHEME.OTHER
  uriUserStart = -1
  uriUserEnd = -1
  uriHostStart = -1
  uriHostEnd = -1
  uriPort = -1
  uriParamsStart = -1
  /** 0 in a request. */
  status = 0
  reasonStart = -1
  reasonEnd = -1
  headersStart = -1
  /** Offset of the empty line. */
  headersEnd = -1
  bodyStart = -1
  headerCount = 0
  headers: Int32Array
  /** Bit `1 << id` is set when a header with that id (below 32) is present. */
  seen = 0
  /** The same for ids of 32 and more: bit `id - 32`. */
  seenToo = 0
  callIdStart = -1
  callIdEnd = -1
  fromStart = -1
  fromEnd = -1
  fromUriStart = -1
  fromUriEnd = -1
  fromTagStart = -1
  fromTagEnd = -1
  toStart = -1
  toEnd = -1
  toUriStart = -1
  toUriEnd = -1
  toTagStart = -1
  toTagEnd = -1
  cseq = -1
  cseqMethodStart = -1
  cseqMethodEnd = -1
  maxForwards = -1
  /** The digits. */
  maxForwardsStart = -1
  maxForwardsEnd = -1
  contentLength = -1
  /** Header record of the top Via; viaStart and viaEnd enclose its first value only. */
  viaIndex = -1
  viaStart = -1
  viaEnd = -1
  viaTransport = 0
  viaHostStart = -1
  viaHostEnd = -1
  viaPort = -1
  viaBranchStart = -1
  viaBranchEnd = -1
  /** From the name of the rport parameter to the end of its value. */
  viaRportStart = -1
  viaRportEnd = -1
  viaHasRportValue = false
  /** From the name of the received parameter to the end of its value. */
  viaReceivedStart = -1
  viaReceivedEnd = -1
  /** SCAN_ERROR code and where it was found. */
  error = 0
  errorOffset = -1
  /** The request may be answered although scan() refused it: a sound top Via and a CSeq were found. */
  answerable = false

  constructor(headerCapacity: number = LIMITS.headerCount) {
    this.headers = headerCapacity === 0 ? NO_RECORDS : new Int32Array(headerCapacity * HEADER_STRIDE)
  }

  /** The bytes of [start, end) as latin1 text: one character a byte, nothing unfolded. */
  text(start: number, end: number): string {
    return this.buf.latin1Slice(start, end)
  }

  /** A copy that owns its bytes, offset to 0. For whatever outlives the receive buffer. */
  clone(): SipMessage {
    const copy = new SipMessage(0)
    copyFields(this, copy)
    return copy
  }

  /** Whether a header with an id below 32 is present. */
  has(id: number): boolean {
    return (this.seen & (1 << id)) !== 0
  }
}

function copyFields(from: SipMessage, to: SipMessage): void {
  const shift = from.start
  to.buf = Buffer.allocUnsafe(from.end - shift) // pooled: a store of its own costs more than the copy
  from.buf.copy(to.buf, 0, shift, from.end)
  to.end = from.end - shift
  to.isRequest = from.isRequest
  to.method = from.method
  to.uriScheme = from.uriScheme
  to.uriPort = from.uriPort
  to.status = from.status
  to.seen = from.seen
  to.seenToo = from.seenToo
  to.cseq = from.cseq
  to.maxForwards = from.maxForwards
  to.contentLength = from.contentLength
  to.viaIndex = from.viaIndex
  to.viaTransport = from.viaTransport
  to.viaPort = from.viaPort
  to.viaHasRportValue = from.viaHasRportValue
  to.error = from.error
  to.answerable = from.answerable
  copyOffsets(from, to, shift)
  copyHeaders(from, to, shift)
}

/** Spelled out: a loop over names costs ten times as much, and every request that waits is copied. */
function copyOffsets(from: SipMessage, to: SipMessage, shift: number): void {
  to.methodStart = moved(from.methodStart, shift)
  to.methodEnd = moved(from.methodEnd, shift)
  to.uriStart = moved(from.uriStart, shift)
  to.uriEnd = moved(from.uriEnd, shift)
  to.uriUserStart = moved(from.uriUserStart, shift)
  to.uriUserEnd = moved(from.uriUserEnd, shift)
  to.uriHostStart = moved(from.uriHostStart, shift)
  to.uriHostEnd = moved(from.uriHostEnd, shift)
  to.uriParamsStart = moved(from.uriParamsStart, shift)
  to.reasonStart = moved(from.reasonStart, shift)
  to.reasonEnd = moved(from.reasonEnd, shift)
  to.headersStart = moved(from.headersStart, shift)
  to.headersEnd = moved(from.headersEnd, shift)
  to.bodyStart = moved(from.bodyStart, shift)
  to.callIdStart = moved(from.callIdStart, shift)
  to.callIdEnd = moved(from.callIdEnd, shift)
  to.fromStart = moved(from.fromStart, shift)
  to.fromEnd = moved(from.fromEnd, shift)
  to.fromUriStart = moved(from.fromUriStart, shift)
  to.fromUriEnd = moved(from.fromUriEnd, shift)
  to.fromTagStart = moved(from.fromTagStart, shift)
  to.fromTagEnd = moved(from.fromTagEnd, shift)
  to.toStart = moved(from.toStart, shift)
  to.toEnd = moved(from.toEnd, shift)
  to.toUriStart = moved(from.toUriStart, shift)
  to.toUriEnd = moved(from.toUriEnd, shift)
  to.toTagStart = moved(from.toTagStart, shift)
  to.toTagEnd = moved(from.toTagEnd, shift)
  to.cseqMethodStart = moved(from.cseqMethodStart, shift)
  to.cseqMethodEnd = moved(from.cseqMethodEnd, shift)
  to.maxForwardsStart = moved(from.maxForwardsStart, shift)
  to.maxForwardsEnd = moved(from.maxForwardsEnd, shift)
  to.viaStart = moved(from.viaStart, shift)
  to.viaEnd = moved(from.viaEnd, shift)
  to.viaHostStart = moved(from.viaHostStart, shift)
  to.viaHostEnd = moved(from.viaHostEnd, shift)
  to.viaBranchStart = moved(from.viaBranchStart, shift)
  to.viaBranchEnd = moved(from.viaBranchEnd, shift)
  to.viaRportStart = moved(from.viaRportStart, shift)
  to.viaRportEnd = moved(from.viaRportEnd, shift)
  to.viaReceivedStart = moved(from.viaReceivedStart, shift)
  to.viaReceivedEnd = moved(from.viaReceivedEnd, shift)
  to.errorOffset = moved(from.errorOffset, shift)
}

function moved(offset: number, shift: number): number {
  return offset < 0 ? -1 : offset - shift
}

function copyHeaders(from: SipMessage, to: SipMessage, shift: number): void {
  const length = from.headerCount * HEADER_STRIDE
  to.headerCount = from.headerCount
  const headers = recordSlab.take(length)
  to.headers = headers
  for (let k = 0; k < length; k++) {
    const value = from.headers[k] as number
    headers[k] = k % HEADER_STRIDE === 0 ? value : value - shift
  }
}

/** Header records of copies share chunks: an Int32Array of its own costs more than all the rest of a copy. */
class RecordSlab {
  #chunk = new Int32Array(0)
  #used = 0

  take(length: number): Int32Array {
    if (this.#used + length > this.#chunk.length) {
      this.#chunk = new Int32Array(Math.max(RECORD_CHUNK_INTS, length))
      this.#used = 0
    }
    this.#used += length
    return this.#chunk.subarray(this.#used - length, this.#used)
  }
}

const RECORD_CHUNK_INTS = 16 * 1024
const recordSlab = new RecordSlab()

/** Index of the first header record with this id at or after `fromIndex`, or -1. */
export function findHeader(msg: SipMessage, id: number, fromIndex = 0): number {
  if (id !== HEADER.OTHER && ((id < 32 ? msg.seen : msg.seenToo) & (1 << id)) === 0) return -1
  const headers = msg.headers
  for (let k = fromIndex; k < msg.headerCount; k++) if (headers[k * HEADER_STRIDE] === id) return k
  return -1
}

export function headerId(msg: SipMessage, index: number): number {
  return msg.headers[index * HEADER_STRIDE] as number
}

export function headerLineStart(msg: SipMessage, index: number): number {
  return msg.headers[index * HEADER_STRIDE + 1] as number
}

export function headerNameEnd(msg: SipMessage, index: number): number {
  return msg.headers[index * HEADER_STRIDE + 2] as number
}

export function headerValueStart(msg: SipMessage, index: number): number {
  return msg.headers[index * HEADER_STRIDE + 3] as number
}

export function headerValueEnd(msg: SipMessage, index: number): number {
  return msg.headers[index * HEADER_STRIDE + 4] as number
}

/** Offset behind the CRLF that ends this header. */
export function headerLineEnd(msg: SipMessage, index: number): number {
  return msg.headers[index * HEADER_STRIDE + 5] as number
}

/** The value as latin1 text with folds turned into one space [RFC3261-7.3.1]. */
export function headerValue(msg: SipMessage, index: number): string {
  return unfold(msg.text(headerValueStart(msg, index), headerValueEnd(msg, index)))
}

/** Index of the first header with this name (any case, no compact form), also one without an id. -1: absent. */
export function findHeaderByName(msg: SipMessage, name: string, fromIndex = 0): number {
  for (let k = fromIndex; k < msg.headerCount; k++) {
    const lineStart = headerLineStart(msg, k)
    const nameEnd = headerNameEnd(msg, k)
    if (nameEnd - lineStart === name.length && msg.text(lineStart, nameEnd).toLowerCase() === name.toLowerCase())
      return k
  }
  return -1
}

/** Folds of a latin1 text turned into one space each. */
export function unfold(text: string): string {
  return text.includes('\n') ? text.replace(/[ \t]*\r\n[ \t]+/g, ' ') : text
}
