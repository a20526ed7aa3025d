// SPDX-License-Identifier: MIT
// Messages that a proxy makes itself, written straight from the bytes of another: responses (RFC 3261 §8.2.6), the ACK of a
// non-2xx response (§17.1.1.3), CANCEL (§9.1). Values are copied as they came, folds and compact names included.
// A SipBug is thrown when `out` is too small: callers give MAX_BUILT_BYTES more than the source message.
import type { Buffer } from 'node:buffer'
import { SIP_BUG, SipBug } from '../errors.ts'
import { findParam, ParamView } from '../header/param-cursor.ts'
import { SEMICOLON } from './chars.ts'
import { Edits } from './edits.ts'
import { HEADER } from './header-ids.ts'
import { writeBytes, writeDecimal, writeText } from './latin1.ts'
import { findHeader, headerId, headerLineEnd, headerLineStart, headerValueEnd, type SipMessage } from './message.ts'

export interface ResponseOptions {
  /** Added to To when the request has no tag there [RFC3261-8.2.6.2]. */
  readonly toTag?: string
  /** Whole header lines, each with its CRLF. */
  readonly headers?: string
  /** Source address for the top Via [RFC3261-18.2.1]. */
  readonly received?: string
  /** Source port; written only when the request asks for it [RFC3581-4]. */
  readonly rport?: number
  /** Value for a `keep` parameter of the top Via that has none [RFC6223-4.4]; -1 gives it none. */
  readonly keepS?: number
  readonly body?: Buffer
}

/** What these functions add at most to the bytes they copy, texts given by the caller not counted. */
const FIXED_BYTES = 256

/** Writes a response to `request` at `at`, returns the offset behind it. An empty reason takes the table's phrase. */
export function encodeResponse(
  request: SipMessage,
  status: number,
  reason: string,
  options: ResponseOptions,
  out: Buffer,
  at: number,
): number {
  const bodyLength = options.body?.length ?? 0
  const texts = reason.length + (options.headers?.length ?? 0) + (options.toTag?.length ?? 0)
  needRoom(out, at, request.end - request.start + FIXED_BYTES + texts + bodyLength)
  let i = writeText(out, at, 'SIP/2.0 ')
  i = writeDecimal(out, i, status)
  i = writeText(out, i, ' ')
  i = writeText(out, i, reason === '' ? reasonPhrase(status) : reason)
  i = writeText(out, i, '\r\n')
  for (let k = 0; k < request.headerCount; k++) i = copyForResponse(request, k, status, options, out, i)
  if (options.headers !== undefined) i = writeText(out, i, options.headers)
  i = writeText(out, i, 'Content-Length: ')
  i = writeDecimal(out, i, bodyLength)
  i = writeText(out, i, '\r\n\r\n')
  return options.body === undefined ? i : writeBytes(out, i, options.body, 0, bodyLength)
}

function needRoom(out: Buffer, at: number, bytes: number): void {
  if (at + bytes > out.length) throw new SipBug(SIP_BUG.OUTPUT_FULL, `${bytes} bytes at ${at} of ${out.length}`)
}

/** All Vias in order, From, To, Call-ID, CSeq [RFC3261-8.2.6.2]; Timestamp into a 100 [RFC3261-8.2.6.1]. Of repeated ones the first. */
function copyForResponse(
  request: SipMessage,
  index: number,
  status: number,
  options: ResponseOptions,
  out: Buffer,
  at: number,
): number {
  switch (headerId(request, index)) {
    case HEADER.VIA:
      return index === request.viaIndex
        ? copyTopVia(request, index, options, out, at)
        : copyLine(request, index, out, at)
    case HEADER.TO:
      return findHeader(request, HEADER.TO) === index ? copyTo(request, index, options, out, at) : at
    case HEADER.FROM:
      return findHeader(request, HEADER.FROM) === index ? copyLine(request, index, out, at) : at
    case HEADER.CALL_ID:
      return findHeader(request, HEADER.CALL_ID) === index ? copyLine(request, index, out, at) : at
    case HEADER.CSEQ:
      return findHeader(request, HEADER.CSEQ) === index ? copyLine(request, index, out, at) : at
    case HEADER.TIMESTAMP:
      return status === 100 ? copyLine(request, index, out, at) : at
    default:
      return at
  }
}

function copyLine(msg: SipMessage, index: number, out: Buffer, at: number): number {
  return writeBytes(out, at, msg.buf, headerLineStart(msg, index), headerLineEnd(msg, index))
}

/** The tag goes behind the trimmed value, so that a folded or blank-ended line stays sound. */
function copyTo(request: SipMessage, index: number, options: ResponseOptions, out: Buffer, at: number): number {
  if (options.toTag === undefined || request.toTagStart >= 0) return copyLine(request, index, out, at)
  let i = writeBytes(out, at, request.buf, headerLineStart(request, index), headerValueEnd(request, index))
  i = writeText(out, i, ';tag=')
  i = writeText(out, i, options.toTag)
  return writeText(out, i, '\r\n')
}

const viaEdits = new Edits()

/** An rport or received that the sender had filled in is replaced, never believed. */
function copyTopVia(request: SipMessage, index: number, options: ResponseOptions, out: Buffer, at: number): number {
  const { rport, received, keepS = -1 } = options
  if (rport === undefined && received === undefined && keepS < 0) return copyLine(request, index, out, at)
  viaEdits.resetRange(request.buf, headerLineStart(request, index), headerLineEnd(request, index))
  if (rport !== undefined && request.viaRportStart >= 0) {
    viaEdits.replace(request.viaRportStart, request.viaRportEnd, `rport=${rport}`)
  }
  if (keepS >= 0) answerKeep(request, keepS) // before what is inserted at the Via's end, where it may stand
  if (received !== undefined && request.viaReceivedStart >= 0) {
    viaEdits.replace(request.viaReceivedStart, request.viaReceivedEnd, `received=${received}`)
  } else if (received !== undefined) {
    viaEdits.insert(request.viaEnd, `;received=${received}`)
  }
  return viaEdits.encodeInto(out, at)
}

const keep = new ParamView()

/** [RFC6223-4.4] A keep that has a value already was answered before, or asks for nothing. */
function answerKeep(request: SipMessage, keepS: number): void {
  const params = request.buf.indexOf(SEMICOLON, request.viaHostEnd)
  if (params < 0 || params >= request.viaEnd || !findParam(request.buf, params, request.viaEnd, 'keep', keep)) return
  if (keep.start < 0) viaEdits.insert(keep.nameStart + 'keep'.length, `=${keepS}`)
}

/**
 * Writes the ACK for the non-2xx `response` to `invite` (as sent) [RFC3261-17.1.1.3]: its Request-URI, top Via, Route, From,
 * Call-ID and CSeq number, the response's To.
 */
export function encodeAck(invite: SipMessage, response: SipMessage, out: Buffer, at: number): number {
  needRoom(out, at, invite.end - invite.start + (response.toEnd - response.toStart) + FIXED_BYTES)
  let i = startRequest(invite, 'ACK ', out, at)
  i = copyFirst(invite, HEADER.FROM, out, i)
  i = writeText(out, i, 'To: ')
  i = writeBytes(out, i, response.buf, response.toStart, response.toEnd)
  i = writeText(out, i, '\r\n')
  i = copyFirst(invite, HEADER.CALL_ID, out, i)
  return endRequest(invite, 'ACK', '', out, i)
}

/**
 * Writes the CANCEL for `invite` (as sent) [RFC3261-9.1]: Request-URI, top Via, Route, From, To, Call-ID and CSeq number are the
 * request's. `reasonHeader` is a whole `Reason: …` line with CRLF, or empty [RFC3326-2].
 */
export function encodeCancel(invite: SipMessage, out: Buffer, at: number, reasonHeader = ''): number {
  needRoom(out, at, invite.end - invite.start + reasonHeader.length + FIXED_BYTES)
  let i = startRequest(invite, 'CANCEL ', out, at)
  i = copyFirst(invite, HEADER.FROM, out, i)
  i = copyFirst(invite, HEADER.TO, out, i)
  i = copyFirst(invite, HEADER.CALL_ID, out, i)
  return endRequest(invite, 'CANCEL', reasonHeader, out, i)
}

/** Request line, the one Via, Max-Forwards, all Routes. */
function startRequest(invite: SipMessage, method: string, out: Buffer, at: number): number {
  let i = writeText(out, at, method)
  i = writeBytes(out, i, invite.buf, invite.uriStart, invite.uriEnd)
  i = writeText(out, i, ' SIP/2.0\r\nVia: ')
  i = writeBytes(out, i, invite.buf, invite.viaStart, invite.viaEnd)
  i = writeText(out, i, '\r\nMax-Forwards: 70\r\n')
  let route = findHeader(invite, HEADER.ROUTE)
  while (route >= 0) {
    i = copyLine(invite, route, out, i)
    route = findHeader(invite, HEADER.ROUTE, route + 1)
  }
  return i
}

function copyFirst(msg: SipMessage, id: number, out: Buffer, at: number): number {
  const index = findHeader(msg, id)
  return index < 0 ? at : copyLine(msg, index, out, at)
}

function endRequest(invite: SipMessage, method: string, headers: string, out: Buffer, at: number): number {
  let i = writeText(out, at, 'CSeq: ')
  i = writeDecimal(out, i, invite.cseq)
  i = writeText(out, i, ' ')
  i = writeText(out, i, method)
  i = writeText(out, i, '\r\n')
  i = writeText(out, i, headers)
  return writeText(out, i, 'Content-Length: 0\r\n\r\n')
}

/** Phrases of RFC 3261 §21 and of later RFCs, by status. */
export const REASON_PHRASES: Readonly<Record<number, string>> = {
  100: 'Trying',
  180: 'Ringing',
  181: 'Call Is Being Forwarded',
  182: 'Queued',
  183: 'Session Progress',
  199: 'Early Dialog Terminated',
  200: 'OK',
  202: 'Accepted',
  204: 'No Notification',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Moved Temporarily',
  305: 'Use Proxy',
  380: 'Alternative Service',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  410: 'Gone',
  412: 'Conditional Request Failed',
  413: 'Request Entity Too Large',
  414: 'Request-URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Unsupported URI Scheme',
  417: 'Unknown Resource-Priority',
  420: 'Bad Extension',
  421: 'Extension Required',
  422: 'Session Interval Too Small',
  423: 'Interval Too Brief',
  428: 'Use Identity Header',
  429: 'Provide Referrer Identity',
  430: 'Flow Failed',
  433: 'Anonymity Disallowed',
  436: 'Bad Identity Info',
  437: 'Unsupported Credential',
  438: 'Invalid Identity Header',
  439: 'First Hop Lacks Outbound Support',
  440: 'Max-Breadth Exceeded',
  469: 'Bad Info Package',
  480: 'Temporarily Unavailable',
  481: 'Call/Transaction Does Not Exist',
  482: 'Loop Detected',
  483: 'Too Many Hops',
  484: 'Address Incomplete',
  485: 'Ambiguous',
  486: 'Busy Here',
  487: 'Request Terminated',
  488: 'Not Acceptable Here',
  489: 'Bad Event',
  491: 'Request Pending',
  493: 'Undecipherable',
  494: 'Security Agreement Required',
  500: 'Server Internal Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Server Time-out',
  505: 'Version Not Supported',
  513: 'Message Too Large',
  580: 'Precondition Failure',
  600: 'Busy Everywhere',
  603: 'Decline',
  604: 'Does Not Exist Anywhere',
  606: 'Not Acceptable',
  607: 'Unwanted',
  608: 'Rejected',
}

/** The phrase of a status, or the empty string, which the grammar allows. */
export function reasonPhrase(status: number): string {
  return REASON_PHRASES[status] ?? ''
}
