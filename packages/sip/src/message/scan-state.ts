// SPDX-License-Identifier: MIT
// What all parts of scan() share: the reset of a reused message, and the error that is kept.
import type { Buffer } from 'node:buffer'
import { SCAN_ERROR } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { URI_SCHEME } from '../uri/uri-view.ts'
import { HEADER_STRIDE, type SipMessage } from './message.ts'
import { METHOD } from './method-ids.ts'

/** Keeps the first error. */
export function fail(msg: SipMessage, code: number, offset: number): number {
  if (msg.error === SCAN_ERROR.NONE) {
    msg.error = code
    msg.errorOffset = offset
  }
  return msg.error
}

/** Every field is written, so that nothing of the message before shows through. */
export function resetMessage(msg: SipMessage, buf: Buffer, start: number, end: number): void {
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
  msg.seenToo = 0
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
