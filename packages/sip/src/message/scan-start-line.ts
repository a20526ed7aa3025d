// SPDX-License-Identifier: MIT
// The start line (RFC 3261 §7.1, §7.2): method, Request-URI and version, or version, status and reason.
// One SP between the parts, no blanks at the end; anything else is refused, as RFC 4475 §3.1.2.8 to 3.1.2.10 allow.
import type { Buffer } from 'node:buffer'
import { SCAN_ERROR } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { parseUriView, UriView } from '../uri/uri-view.ts'
import { CR, DIGIT, HTAB, LF, parseDecimal, SP, skipClass, TOKEN, URI_CHAR } from './chars.ts'
import type { SipMessage } from './message.ts'
import { methodOf } from './method-ids.ts'
import { fail } from './scan-state.ts'

const uri = new UriView()

/** Returns the offset behind the start line, or -1 with msg.error set when there is no line at all. */
export function scanStartLine(msg: SipMessage, buf: Buffer, start: number, end: number): number {
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
  const other = at + 7 <= end && isVersionPrefix(buf, at, end) && !isVersion2(buf, at)
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
