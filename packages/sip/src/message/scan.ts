// SPDX-License-Identifier: MIT
// scan(): one pass over a message that fills a SipMessage with offsets (RFC 3261 §7, §18.3, §25.1; RFC 4475, RFC 5118).
// Decodes start line, top Via, From, To, Call-ID, CSeq, Max-Forwards, Content-Length; every other header is a record only, so a
// broken one that a proxy need not understand never refuses the message [RFC3261-16.3].
// Invariants: never throws, allocates nothing (but a header table when the message object had none), linear time. The first error
// is kept and the walk goes on where it can, so that the fields for a 400 are found.
// Leaves out: the grammar of lower Vias, Route, Contact, Date, … ; stream framing (framing.ts). Measured in packages/sip/bench.
import type { Buffer } from 'node:buffer'
import { SCAN_ERROR } from '../errors.ts'
import { NameAddrView, parseNameAddrView } from '../header/name-addr-view.ts'
import { ParamCursor } from '../header/param-cursor.ts'
import { parseVia, ViaView } from '../header/via.ts'
import { LIMITS } from '../limits.ts'
import { parseUriView, URI_SCHEME, UriView } from '../uri/uri-view.ts'
import {
  BACKSLASH,
  bytesOf,
  CLASS,
  COLON,
  CR,
  DIGIT,
  HTAB,
  LF,
  LWS,
  parseDecimal,
  SP,
  skipClass,
  skipLws,
  TOKEN,
  trimLws,
  URI_CHAR,
} from './chars.ts'
import { HEADER, headerIdOf } from './header-ids.ts'
import { HEADER_STRIDE, type SipMessage } from './message.ts'
import { METHOD, methodOf } from './method-ids.ts'

const REQUIRED = (1 << HEADER.VIA) | (1 << HEADER.FROM) | (1 << HEADER.TO) | (1 << HEADER.CALL_ID) | (1 << HEADER.CSEQ)
const TAG = bytesOf('tag')

const uri = new UriView()
const via = new ViaView()
const nameAddr = new NameAddrView()
const params = new ParamCursor()
let tagStart = -1
let tagEnd = -1

/**
 * Scans the message in buf[start, end) into `msg`. Returns 0 or a SCAN_ERROR code, which `msg.error` and `msg.errorOffset` repeat.
 * `end` is the end of the datagram or of the range that the framer gave; bytes behind Content-Length are cut off [RFC3261-18.3].
 */
export function scan(msg: SipMessage, buf: Buffer, start: number, end: number): number {
  const first = skipBlankLines(buf, start, end)
  reset(msg, buf, first, end)
  if (first >= end) return fail(msg, SCAN_ERROR.KEEP_ALIVE, start)
  const headersStart = scanStartLine(msg, buf, first, end)
  if (headersStart < 0) return msg.error
  msg.headersStart = headersStart
  if (!scanHeaders(msg, buf, headersStart, end)) return refuse(msg)
  checkMessage(msg, buf, end)
  return msg.error === 0 ? 0 : refuse(msg)
}

/** Keeps the first error. */
function fail(msg: SipMessage, code: number, offset: number): number {
  if (msg.error === SCAN_ERROR.NONE) {
    msg.error = code
    msg.errorOffset = offset
  }
  return msg.error
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

/** Every field is written, so that nothing of the message before shows through. */
function reset(msg: SipMessage, buf: Buffer, start: number, end: number): void {
  if (msg.headers.length < LIMITS.headerCount * HEADER_STRIDE) {
    msg.headers = new Int32Array(LIMITS.headerCount * HEADER_STRIDE)
  }
  msg.buf = buf
  msg.start = start
  msg.end = end
  msg.error = SCAN_ERROR.NONE
  msg.errorOffset = -1
  msg.answerable = false
  msg.isRequest = false
  msg.method = METHOD.OTHER
  msg.status = 0
  msg.headersStart = -1
  msg.headersEnd = -1
  msg.bodyStart = -1
  msg.headerCount = 0
  msg.seen = 0
  msg.contentLength = -1
  resetStartLine(msg)
  resetFields(msg)
  resetVia(msg)
}

function resetStartLine(msg: SipMessage): void {
  msg.methodStart = -1
  msg.methodEnd = -1
  msg.uriStart = -1
  msg.uriEnd = -1
  msg.uriScheme = URI_SCHEME.OTHER
  msg.uriUserStart = -1
  msg.uriUserEnd = -1
  msg.uriHostStart = -1
  msg.uriHostEnd = -1
  msg.uriPort = -1
  msg.uriParamsStart = -1
  msg.reasonStart = -1
  msg.reasonEnd = -1
}

function resetFields(msg: SipMessage): void {
  msg.callIdStart = -1
  msg.callIdEnd = -1
  msg.fromStart = -1
  msg.fromEnd = -1
  msg.fromUriStart = -1
  msg.fromUriEnd = -1
  msg.fromTagStart = -1
  msg.fromTagEnd = -1
  msg.toStart = -1
  msg.toEnd = -1
  msg.toUriStart = -1
  msg.toUriEnd = -1
  msg.toTagStart = -1
  msg.toTagEnd = -1
  msg.cseq = -1
  msg.cseqMethodStart = -1
  msg.cseqMethodEnd = -1
  msg.maxForwards = -1
  msg.maxForwardsStart = -1
  msg.maxForwardsEnd = -1
}

function resetVia(msg: SipMessage): void {
  msg.viaIndex = -1
  msg.viaStart = -1
  msg.viaEnd = -1
  msg.viaTransport = 0
  msg.viaHostStart = -1
  msg.viaHostEnd = -1
  msg.viaPort = -1
  msg.viaBranchStart = -1
  msg.viaBranchEnd = -1
  msg.viaRportStart = -1
  msg.viaRportEnd = -1
  msg.viaHasRportValue = false
  msg.viaReceivedStart = -1
  msg.viaReceivedEnd = -1
}

/** Returns the offset behind the start line, or -1 with msg.error set when there is no line at all. */
function scanStartLine(msg: SipMessage, buf: Buffer, start: number, end: number): number {
  if (isVersionPrefix(buf, start, end)) return scanStatusLine(msg, buf, start, end)
  msg.isRequest = true
  const methodEnd = skipClass(buf, start, end, TOKEN)
  if (methodEnd === start || methodEnd >= end || buf[methodEnd] !== SP) return badStartLine(msg, buf, methodEnd, end)
  msg.methodStart = start
  msg.methodEnd = methodEnd
  msg.method = methodOf(buf, start, methodEnd)
  const uriStart = methodEnd + 1
  const uriEnd = skipClass(buf, uriStart, end, URI_CHAR)
  // Anything but one SP on each side of the Request-URI is refused [RFC4475-3.1.2.7, 3.1.2.8, 3.1.2.9].
  if (uriEnd === uriStart || uriEnd >= end || buf[uriEnd] !== SP) return badRequestUri(msg, buf, uriEnd, end)
  takeRequestUri(msg, buf, uriStart, uriEnd)
  return scanVersion(msg, buf, uriEnd + 1, end)
}

function badStartLine(msg: SipMessage, buf: Buffer, at: number, end: number): number {
  fail(msg, SCAN_ERROR.BAD_START_LINE, at)
  return skipLine(msg, buf, at, end)
}

function badRequestUri(msg: SipMessage, buf: Buffer, at: number, end: number): number {
  fail(msg, SCAN_ERROR.BAD_REQUEST_URI, at)
  return skipLine(msg, buf, at, end)
}

function takeRequestUri(msg: SipMessage, buf: Buffer, start: number, end: number): void {
  msg.uriStart = start
  msg.uriEnd = end
  if (!parseUriView(buf, start, end, uri)) {
    fail(msg, SCAN_ERROR.BAD_REQUEST_URI, start)
    return
  }
  msg.uriScheme = uri.scheme
  msg.uriUserStart = uri.userStart
  msg.uriUserEnd = uri.userEnd
  msg.uriHostStart = uri.hostStart
  msg.uriHostEnd = uri.hostEnd
  msg.uriPort = uri.port
  msg.uriParamsStart = uri.paramsStart
  if (uri.headersStart >= 0) fail(msg, SCAN_ERROR.URI_HEADERS, uri.headersStart) // [RFC3261-19.1.1, RFC4475-3.1.2.11]
}

/** `SIP/2.0` CRLF in any case [RFC3261-7.1]; trailing blanks are refused [RFC4475-3.1.2.10]. */
function scanVersion(msg: SipMessage, buf: Buffer, at: number, end: number): number {
  const versionEnd = at + 7
  const closed = versionEnd + 1 < end && buf[versionEnd] === CR && buf[versionEnd + 1] === LF
  if (closed && isVersion2(buf, at)) {
    if (versionEnd - msg.start > LIMITS.lineBytes) fail(msg, SCAN_ERROR.LINE_TOO_LONG, msg.start)
    return versionEnd + 2
  }
  const other = isVersionPrefix(buf, at, end) && !(at + 7 <= end && isVersion2(buf, at))
  fail(msg, other ? SCAN_ERROR.BAD_VERSION : SCAN_ERROR.BAD_START_LINE, at)
  return skipLine(msg, buf, at, end)
}

/** `SIP/` in any case. */
function isVersionPrefix(buf: Buffer, at: number, end: number): boolean {
  return (
    at + 4 <= end &&
    ((buf[at] as number) | 0x20) === 0x73 &&
    ((buf[at + 1] as number) | 0x20) === 0x69 &&
    ((buf[at + 2] as number) | 0x20) === 0x70 &&
    buf[at + 3] === 0x2f
  )
}

function isVersion2(buf: Buffer, at: number): boolean {
  return isVersionPrefix(buf, at, at + 7) && buf[at + 4] === 0x32 && buf[at + 5] === 0x2e && buf[at + 6] === 0x30
}

/** `SIP/2.0 SP 3DIGIT SP reason CRLF`; a missing SP before an empty reason is tolerated. */
function scanStatusLine(msg: SipMessage, buf: Buffer, start: number, end: number): number {
  const statusStart = start + 8
  if (statusStart + 3 > end || !isVersion2(buf, start) || buf[start + 7] !== SP) {
    fail(msg, SCAN_ERROR.BAD_VERSION, start)
    return -1
  }
  const statusEnd = skipClass(buf, statusStart, end, DIGIT)
  const status = parseDecimal(buf, statusStart, statusEnd, 699)
  const lineEnd = skipLine(msg, buf, statusEnd, end)
  if (lineEnd < 0) return -1
  if (statusEnd - statusStart !== 3 || status < 100 || (buf[statusEnd] !== SP && buf[statusEnd] !== CR)) {
    fail(msg, SCAN_ERROR.BAD_STATUS, statusStart)
    return -1
  }
  msg.status = status
  msg.reasonStart = Math.min(statusEnd + 1, lineEnd - 2)
  msg.reasonEnd = lineEnd - 2
  return lineEnd
}

/** Offset behind the CRLF that ends the line, or -1 (INCOMPLETE, or a bad byte, is then the error). */
function skipLine(msg: SipMessage, buf: Buffer, at: number, end: number): number {
  let i = at
  while (i + 1 < end) {
    const c = buf[i] as number
    if (c === CR && buf[i + 1] === LF) {
      if (i - msg.start > LIMITS.lineBytes) fail(msg, SCAN_ERROR.LINE_TOO_LONG, msg.start)
      return i + 2
    }
    if (c < SP && c !== HTAB) fail(msg, c === LF || c === CR ? SCAN_ERROR.BAD_LINE_END : SCAN_ERROR.BAD_CHARACTER, i)
    i++
  }
  fail(msg, SCAN_ERROR.INCOMPLETE, end)
  return -1
}

/** False when the walk had to stop before the empty line. */
function scanHeaders(msg: SipMessage, buf: Buffer, start: number, end: number): boolean {
  const headers = msg.headers
  let i = start
  let count = 0
  while (i + 1 < end) {
    const c = buf[i] as number
    if (c === CR && buf[i + 1] === LF) {
      msg.headersEnd = i
      msg.bodyStart = i + 2
      return true
    }
    if (count === LIMITS.headerCount) {
      fail(msg, SCAN_ERROR.TOO_MANY_HEADERS, i)
      return false
    }
    const nameEnd = skipClass(buf, i, end, TOKEN)
    const colon = nameEnd < end && buf[nameEnd] === COLON ? nameEnd : skipBlanks(buf, nameEnd, end)
    const base = count * HEADER_STRIDE
    headers[base + 1] = i
    headers[base + 2] = nameEnd
    if (nameEnd === i || colon >= end || buf[colon] !== COLON) {
      fail(msg, SCAN_ERROR.BAD_HEADER, nameEnd)
      i = scanValue(msg, buf, nameEnd, end, base)
      if (i < 0) return false
      continue
    }
    const lineStart = i
    i = scanValue(msg, buf, colon + 1, end, base)
    if (i < 0) return false
    if (i - lineStart > LIMITS.lineBytes) fail(msg, SCAN_ERROR.LINE_TOO_LONG, lineStart)
    msg.headerCount = count + 1
    const id = headerIdOf(buf, lineStart, nameEnd)
    headers[base] = id
    if (id !== HEADER.OTHER && id < 32) takeHeader(msg, buf, id, count)
    count++
  }
  fail(msg, SCAN_ERROR.INCOMPLETE, end)
  return false
}

function skipBlanks(buf: Buffer, at: number, end: number): number {
  let i = at
  while (i < end && (buf[i] === SP || buf[i] === HTAB)) i++
  return i
}

/**
 * Walks a value with its folds, writes valueStart, valueEnd (both trimmed) and lineEnd into the record at `base`, returns lineEnd,
 * or -1 when the bytes end first. The inner loop is the hottest of the package: one comparison a byte.
 */
function scanValue(msg: SipMessage, buf: Buffer, at: number, end: number, base: number): number {
  let i = at
  while (true) {
    while (i < end && (buf[i] as number) >= SP) i++
    if (i + 1 >= end) {
      fail(msg, SCAN_ERROR.INCOMPLETE, end)
      return -1
    }
    const c = buf[i] as number
    if (c === CR && buf[i + 1] === LF) {
      const next = i + 2 < end ? (buf[i + 2] as number) : 0
      if (next !== SP && next !== HTAB) break
      i += 3 // a fold [RFC3261-7.3.1]
      continue
    }
    if (c !== HTAB) badByte(msg, buf, i)
    i++
  }
  const headers = msg.headers
  const valueStart = skipLws(buf, at, i)
  headers[base + 3] = valueStart
  headers[base + 4] = ((CLASS[buf[i - 1] as number] as number) & LWS) !== 0 ? trimLws(buf, valueStart, i) : i
  headers[base + 5] = i + 2
  return i + 2
}

/** A control character may stand in a quoted pair [RFC4475-3.1.1.2]; CR and LF may not. */
function badByte(msg: SipMessage, buf: Buffer, at: number): void {
  const c = buf[at] as number
  if (c === CR || c === LF) fail(msg, SCAN_ERROR.BAD_LINE_END, at)
  else if (buf[at - 1] !== BACKSLASH) fail(msg, SCAN_ERROR.BAD_CHARACTER, at)
}

function takeHeader(msg: SipMessage, buf: Buffer, id: number, index: number): void {
  const bit = 1 << id
  const repeated = (msg.seen & bit) !== 0
  msg.seen |= bit
  if (id > HEADER.CONTENT_LENGTH) return
  const start = msg.headers[index * HEADER_STRIDE + 3] as number
  const end = msg.headers[index * HEADER_STRIDE + 4] as number
  if (repeated) {
    if (id !== HEADER.VIA) fail(msg, SCAN_ERROR.DUPLICATE_HEADER, start) // [RFC3261-7.3.1, RFC4475-3.3.8]
    return
  }
  switch (id) {
    case HEADER.VIA:
      takeVia(msg, buf, start, end, index)
      break
    case HEADER.FROM:
      takeFrom(msg, buf, start, end)
      break
    case HEADER.TO:
      takeTo(msg, buf, start, end)
      break
    case HEADER.CALL_ID:
      takeCallId(msg, buf, start, end)
      break
    case HEADER.CSEQ:
      takeCSeq(msg, buf, start, end)
      break
    case HEADER.MAX_FORWARDS:
      takeMaxForwards(msg, buf, start, end)
      break
    default:
      takeContentLength(msg, buf, start, end)
  }
}

function takeVia(msg: SipMessage, buf: Buffer, start: number, end: number, index: number): void {
  if (!parseVia(buf, start, end, via)) {
    fail(msg, SCAN_ERROR.BAD_VIA, via.end)
    return
  }
  msg.viaIndex = index
  msg.viaStart = via.start
  msg.viaEnd = via.end
  msg.viaTransport = via.transport
  msg.viaHostStart = via.hostStart
  msg.viaHostEnd = via.hostEnd
  msg.viaPort = via.port
  msg.viaBranchStart = via.branchStart
  msg.viaBranchEnd = via.branchEnd
  msg.viaRportStart = via.rportStart
  msg.viaRportEnd = via.rportEnd
  msg.viaHasRportValue = via.rport >= 0
  msg.viaReceivedStart = via.receivedStart
  msg.viaReceivedEnd = via.receivedEnd
}

function takeFrom(msg: SipMessage, buf: Buffer, start: number, end: number): void {
  msg.fromStart = start
  msg.fromEnd = end
  if (!takeTagged(buf, start, end)) {
    fail(msg, SCAN_ERROR.BAD_FROM, start)
    return
  }
  msg.fromUriStart = nameAddr.uriStart
  msg.fromUriEnd = nameAddr.uriEnd
  msg.fromTagStart = tagStart
  msg.fromTagEnd = tagEnd
}

function takeTo(msg: SipMessage, buf: Buffer, start: number, end: number): void {
  msg.toStart = start
  msg.toEnd = end
  if (!takeTagged(buf, start, end)) {
    fail(msg, SCAN_ERROR.BAD_TO, start)
    return
  }
  msg.toUriStart = nameAddr.uriStart
  msg.toUriEnd = nameAddr.uriEnd
  msg.toTagStart = tagStart
  msg.toTagEnd = tagEnd
}

/** Leaves the parts in `nameAddr`, tagStart and tagEnd. A repeated or empty tag would name two dialogs: refused. */
function takeTagged(buf: Buffer, start: number, end: number): boolean {
  tagStart = -1
  tagEnd = -1
  if (!parseNameAddrView(buf, start, end, nameAddr)) return false
  if (!hasScheme(buf, nameAddr.uriStart, nameAddr.uriEnd)) return false
  params.reset(buf, nameAddr.paramsStart, end)
  while (params.next()) {
    if (!params.isNamed(TAG)) continue
    if (tagStart >= 0 || params.valueEnd <= params.valueStart) return false
    tagStart = params.valueStart
    tagEnd = params.valueEnd
  }
  return !params.failed && params.offset >= end
}

/** Any scheme will do in From and To [RFC4475-3.3.4]. */
function hasScheme(buf: Buffer, start: number, end: number): boolean {
  const colon = skipClass(buf, start, end, TOKEN)
  return colon > start && colon + 1 < end && buf[colon] === COLON
}

function takeCallId(msg: SipMessage, buf: Buffer, start: number, end: number): void {
  msg.callIdStart = start
  msg.callIdEnd = end
  let i = start
  while (i < end && (buf[i] as number) > SP) i++
  if (i < end || start === end) fail(msg, SCAN_ERROR.BAD_CALL_ID, i)
}

/** `number LWS method`, the number below 2^31 [RFC3261-8.1.1.5]. */
function takeCSeq(msg: SipMessage, buf: Buffer, start: number, end: number): void {
  const digitsEnd = skipClass(buf, start, end, DIGIT)
  msg.cseq = parseDecimal(buf, start, digitsEnd, LIMITS.cseqMax)
  const methodStart = skipLws(buf, digitsEnd, end)
  const methodEnd = skipClass(buf, methodStart, end, TOKEN)
  if (msg.cseq < 0 || methodStart === digitsEnd || methodEnd === methodStart || methodEnd !== end) {
    fail(msg, SCAN_ERROR.BAD_CSEQ, start)
    return
  }
  msg.cseqMethodStart = methodStart
  msg.cseqMethodEnd = methodEnd
}

/** In a response the header means nothing, so that a bad one is left alone. */
function takeMaxForwards(msg: SipMessage, buf: Buffer, start: number, end: number): void {
  if (!msg.isRequest) return
  msg.maxForwards = parseDecimal(buf, start, end, LIMITS.maxForwardsMax)
  msg.maxForwardsStart = start
  msg.maxForwardsEnd = end
  if (msg.maxForwards < 0) fail(msg, SCAN_ERROR.BAD_MAX_FORWARDS, start)
}

function takeContentLength(msg: SipMessage, buf: Buffer, start: number, end: number): void {
  msg.contentLength = parseDecimal(buf, start, end, 0x7fffffff)
  if (msg.contentLength < 0) fail(msg, SCAN_ERROR.BAD_CONTENT_LENGTH, start)
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
