// SPDX-License-Identifier: MIT
// The headers that scan() decodes: top Via, From, To, Call-ID, CSeq, Max-Forwards, Content-Length, from trimmed value to fields.
import type { Buffer } from 'node:buffer'
import { SCAN_ERROR } from '../errors.ts'
import { NameAddrView, parseNameAddrView } from '../header/name-addr-view.ts'
import { ParamCursor } from '../header/param-cursor.ts'
import { parseVia, ViaView } from '../header/via.ts'
import { LIMITS } from '../limits.ts'
import { bytesOf, COLON, DIGIT, parseDecimal, SP, skipClass, skipLws, TOKEN } from './chars.ts'
import { HEADER } from './header-ids.ts'
import type { SipMessage } from './message.ts'
import { fail } from './scan-state.ts'

const TAG = bytesOf('tag')
const via = new ViaView()
const nameAddr = new NameAddrView()
const params = new ParamCursor()
let tagStart = -1
let tagEnd = -1

/** Decodes the first header with an id from VIA to CONTENT_LENGTH, whose value is buf[start, end) in record `index`. */
export function takeField(msg: SipMessage, buf: Buffer, id: number, index: number, start: number, end: number): void {
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
    if (via.hostStart < 0) return // with a sound sent-by the 400 has somewhere to go [RFC4475-3.1.2.1]
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
