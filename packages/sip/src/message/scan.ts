// SPDX-License-Identifier: MIT
// scan(): one pass over a message that fills a SipMessage with offsets (RFC 3261 §7, §18.3, §25.1; RFC 4475, RFC 5118).
// Decodes start line, top Via, From, To, Call-ID, CSeq, Max-Forwards, Content-Length; every other header is a record only, so a
// broken one that a proxy need not understand never refuses the message [RFC3261-16.3].
// Invariants: never throws, allocates nothing (but a header table when the message object had none), linear time. The first error
// is kept and the walk goes on where it can, so that the fields for a 400 are found.
// What is in its usual form is read from scratch.ts by plain-start-line.ts and plain-fields.ts, the rest by scan-start-line.ts and
// scan-fields.ts: one meaning, two costs.
// Leaves out: the grammar of lower Vias, Route, Contact, Date, …; stream framing (framing.ts).
import type { Buffer } from 'node:buffer'
import { SCAN_ERROR } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { BACKSLASH, CLASS, COLON, CR, HTAB, LF, LWS, SP, TOKEN } from './chars.ts'
import { HEADER, headerIdOf } from './header-ids.ts'
import { HEADER_STRIDE, type SipMessage } from './message.ts'
import { METHOD, methodOf } from './method-ids.ts'
import { takePlainField } from './plain-fields.ts'
import { plainStartLine } from './plain-start-line.ts'
import { takeField } from './scan-fields.ts'
import { scanStartLine } from './scan-start-line.ts'
import { fail, resetMessage } from './scan-state.ts'
import { SCRATCH, WORDS } from './scratch.ts'

const REQUIRED = (1 << HEADER.VIA) | (1 << HEADER.FROM) | (1 << HEADER.TO) | (1 << HEADER.CALL_ID) | (1 << HEADER.CSEQ)

/**
 * Scans the message in buf[start, end) into `msg`. Returns 0 or a SCAN_ERROR code, which `msg.error` and `msg.errorOffset` repeat.
 * `end` is the end of the datagram or of the range that the framer gave; bytes behind Content-Length are cut off [RFC3261-18.3].
 */
export function scan(msg: SipMessage, buf: Buffer, start: number, end: number): number {
  const first = skipBlankLines(buf, start, end)
  resetMessage(msg, buf, first, end)
  if (first >= end) return fail(msg, SCAN_ERROR.KEEP_ALIVE, start)
  const length = load(buf, first, end)
  const plain = plainStartLine(msg, first)
  const headersStart = plain < 0 ? scanStartLine(msg, buf, first, end) : first + plain
  if (headersStart < 0) return msg.error
  msg.headersStart = headersStart
  const isWhole = length === end - first
  if (
    !(isWhole ? scanHeaders(msg, buf, first, headersStart - first, length, end) : scanLong(msg, buf, headersStart, end))
  ) {
    return refuse(msg)
  }
  checkMessage(msg, buf, end)
  return msg.error === SCAN_ERROR.NONE ? SCAN_ERROR.NONE : refuse(msg)
}

/** A lone CR or LF may have split our view of the headers from the sender's, so nothing of such a message is echoed. */
function refuse(msg: SipMessage): number {
  const found = msg.viaStart >= 0 && (msg.seen & (1 << HEADER.CSEQ)) !== 0
  msg.answerable =
    found && msg.isRequest && msg.method !== METHOD.ACK && msg.error !== SCAN_ERROR.BAD_LINE_END && msg.methodEnd > 0
  return msg.error
}

/** CRLF before a start line is ignored [RFC3261-7.5]; NULs and blanks only are the keep-alives that some phones send. */
function skipBlankLines(buf: Buffer, start: number, end: number): number {
  let i = start
  while (i + 1 < end && buf[i] === CR && buf[i + 1] === LF) i += 2
  if (i < end && (buf[i] as number) <= SP) {
    let k = i
    while (k < end && (buf[k] as number) <= SP) k++
    if (k === end) return end
  }
  return i
}

/** Fills SCRATCH from `from` on; returns how many bytes it took. */
function load(buf: Buffer, from: number, end: number): number {
  const length = Math.min(end - from, LIMITS.headerSectionBytes)
  buf.copy(SCRATCH, 0, from, from + length)
  WORDS.setInt32(length, 0)
  return length
}

/** Of a message that SCRATCH can't hold, the header section alone may be as long as it. */
function scanLong(msg: SipMessage, buf: Buffer, from: number, end: number): boolean {
  return scanHeaders(msg, buf, from, 0, load(buf, from, end), end)
}

/** From `start` of SCRATCH on, whose first byte is at `from` in the buffer. False: stopped before the empty line. */
function scanHeaders(msg: SipMessage, buf: Buffer, from: number, start: number, length: number, end: number): boolean {
  let i = start
  for (let count = 0; i < length; count++) {
    if (SCRATCH[i] === CR && SCRATCH[i + 1] === LF) {
      msg.headersEnd = from + i
      msg.bodyStart = from + i + 2
      return true
    }
    if (count === LIMITS.headerCount) {
      fail(msg, SCAN_ERROR.TOO_MANY_HEADERS, from + i)
      return false
    }
    i = scanHeader(msg, buf, from, i, length)
    if (i < 0) break
  }
  fail(msg, length < end - from ? SCAN_ERROR.HEADERS_TOO_LARGE : SCAN_ERROR.INCOMPLETE, from + length)
  return false
}

/** One header line with its folds, from `lineStart` on. Returns the start of the next line, or -1 when the bytes end first. */
function scanHeader(msg: SipMessage, buf: Buffer, from: number, lineStart: number, length: number): number {
  let nameEnd = lineStart
  while (((CLASS[SCRATCH[nameEnd] as number] as number) & TOKEN) !== 0) nameEnd++
  let colon = nameEnd
  while (SCRATCH[colon] === SP || SCRATCH[colon] === HTAB) colon++
  const named = nameEnd > lineStart && SCRATCH[colon] === COLON
  const lineEnd = findValueEnd(msg, from, named ? colon + 1 : lineStart)
  if (lineEnd < 0 || lineEnd + 2 > length) return -1
  if (lineEnd - lineStart > LIMITS.lineBytes) fail(msg, SCAN_ERROR.LINE_TOO_LONG, from + lineStart)
  if (named) addHeader(msg, buf, from, lineStart, nameEnd, colon + 1, lineEnd)
  else fail(msg, SCAN_ERROR.BAD_HEADER, from + nameEnd)
  return lineEnd + 2
}

/** Offset of the CRLF that ends the value which begins at `at`, folds included [RFC3261-7.3.1]; -1: the bytes end first. */
function findValueEnd(msg: SipMessage, from: number, at: number): number {
  let i = at
  while (true) {
    i = findControl(i)
    const c = SCRATCH[i] as number
    if (c === CR && SCRATCH[i + 1] === LF) {
      const next = SCRATCH[i + 2] as number
      if (next !== SP && next !== HTAB) return i
      i += 3
    } else if (c === HTAB) {
      i++
    } else if (i + from < msg.end && i < LIMITS.headerSectionBytes) {
      badByte(msg, from, i++)
    } else {
      return -1
    }
  }
}

/** First offset from `at` on with a byte below SP. Four bytes a step; the test is the classic "has a byte less than n". */
function findControl(at: number): number {
  let i = at
  let word = WORDS.getInt32(i, true)
  while ((((word - 0x20202020) | 0) & ~word & 0x80808080) === 0) {
    i += 4
    word = WORDS.getInt32(i, true)
  }
  while ((SCRATCH[i] as number) >= SP) i++
  return i
}

/** A control character may stand in a quoted pair [RFC4475-3.1.1.2]; CR and LF may not. */
function badByte(msg: SipMessage, from: number, at: number): void {
  const c = SCRATCH[at] as number
  if (c === CR || c === LF) fail(msg, SCAN_ERROR.BAD_LINE_END, from + at)
  else if (SCRATCH[at - 1] !== BACKSLASH) fail(msg, SCAN_ERROR.BAD_CHARACTER, from + at)
}

function isLws(at: number): boolean {
  return ((CLASS[SCRATCH[at] as number] as number) & LWS) !== 0
}

/** Writes the record and decodes the header if scan() is to. */
function addHeader(
  msg: SipMessage,
  buf: Buffer,
  from: number,
  lineStart: number,
  nameEnd: number,
  at: number,
  lineEnd: number,
): void {
  let valueStart = at
  while (valueStart < lineEnd && isLws(valueStart)) valueStart++
  let valueEnd = lineEnd
  while (valueEnd > valueStart && isLws(valueEnd - 1)) valueEnd--
  const index = msg.headerCount++
  const headers = msg.headers
  const base = index * HEADER_STRIDE
  const id = headerIdOf(SCRATCH, lineStart, nameEnd)
  headers[base] = id
  headers[base + 1] = from + lineStart
  headers[base + 2] = from + nameEnd
  headers[base + 3] = from + valueStart
  headers[base + 4] = from + valueEnd
  headers[base + 5] = from + lineEnd + 2
  if (id >= 32) {
    msg.seenToo |= 1 << id // the count of a shift is taken modulo 32
    return
  }
  if (id === HEADER.OTHER) return
  const bit = 1 << id
  const repeated = (msg.seen & bit) !== 0
  msg.seen |= bit
  if (id > HEADER.CONTENT_LENGTH) return
  if (!repeated) {
    if (!takePlainField(msg, id, index, from, valueStart, valueEnd)) {
      takeField(msg, buf, id, index, from + valueStart, from + valueEnd)
    }
  } else if (id !== HEADER.VIA) fail(msg, SCAN_ERROR.DUPLICATE_HEADER, from + valueStart) // [RFC3261-7.3.1, RFC4475-3.3.8]
}

/** What can be judged only with all headers read. */
function checkMessage(msg: SipMessage, buf: Buffer, end: number): void {
  if ((msg.seen & REQUIRED) !== REQUIRED) fail(msg, SCAN_ERROR.MISSING_HEADER, msg.headersEnd) // [RFC3261-8.1.1]
  if (msg.cseqMethodStart >= 0) checkCSeqMethod(msg, buf)
  if (msg.contentLength < 0) return
  const bodyEnd = msg.bodyStart + msg.contentLength
  if (bodyEnd > end) fail(msg, SCAN_ERROR.BODY_TRUNCATED, end)
  else msg.end = bodyEnd
}

function checkCSeqMethod(msg: SipMessage, buf: Buffer): void {
  if (!msg.isRequest) {
    msg.method = methodOf(buf, msg.cseqMethodStart, msg.cseqMethodEnd)
  } else if (!sameBytes(buf, msg.methodStart, msg.methodEnd, msg.cseqMethodStart, msg.cseqMethodEnd)) {
    fail(msg, SCAN_ERROR.CSEQ_METHOD_MISMATCH, msg.cseqMethodStart) // [RFC3261-8.1.1.5]
  }
}

function sameBytes(buf: Buffer, aStart: number, aEnd: number, bStart: number, bEnd: number): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false
  for (let k = 0; k < aEnd - aStart; k++) if (buf[aStart + k] !== buf[bStart + k]) return false
  return true
}
