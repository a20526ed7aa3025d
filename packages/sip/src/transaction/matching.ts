// SPDX-License-Identifier: MIT
// Keys that requests (RFC 3261 §17.2.3) and responses (§17.1.3) are matched by. A server key is flat latin1 text:
//   with the magic cookie:  <method> <branch> ; <sent-by, host in lower case>
//   RFC 2543 senders:       <method> ! <Request-URI> LF <Call-ID> LF <From tag> LF <CSeq number> LF [To tag LF] <top Via>
// <method> is one letter, an extension method its name and a space. ACK has the letter of INVITE. The To tag is left
// out for INVITE and its ACK and CANCEL, whose tags differ; the layer compares those of an INVITE and its ACK.
// LF occurs in none of the fields before the Via, ';' in no branch, and a branch with the cookie does not begin
// with '!', so different fields never give one key.
import { Buffer } from 'node:buffer'
import type { ViaView } from '../header/index.ts'
import { METHOD, type SipMessage } from '../message/index.ts'

const COOKIE = Buffer.from('z9hG4bK', 'latin1')
const LETTER_BASE = 0x41
const LF = 0x0a
const SPACE = 0x20
const BANG = 0x21
const COLON = 0x3a
const SEMICOLON = 0x3b

let scratch = Buffer.allocUnsafeSlow(4096)

/** Whether the branch was made by RFC 3261 rules: the magic cookie and something behind it. */
export const hasMagicCookie = (msg: SipMessage): boolean => isCookie(msg.buf, msg.viaBranchStart, msg.viaBranchEnd)

const isCookie = (buf: Buffer, start: number, end: number): boolean => {
  if (start < 0 || end - start <= COOKIE.length) return false
  for (let i = 0; i < COOKIE.length; i++) if (buf[start + i] !== COOKIE[i]) return false
  return true
}

/** Key of the server transaction that this request begins, repeats or, as an ACK, ends. */
export const serverKey = (msg: SipMessage): string =>
  keyFor(msg, msg.method === METHOD.ACK ? METHOD.INVITE : msg.method)

/** Key of the INVITE that this CANCEL is about. [RFC3261-9.2] */
export const cancelledKey = (msg: SipMessage): string => keyFor(msg, METHOD.INVITE)

/**
 * Key of the INVITE server transaction that a response answers, from the Via below ours, as the sender of the request wrote it.
 * undefined for an RFC 2543 sender, whose key needs more than a response carries.
 */
export const answeredInviteKey = (response: SipMessage, upstream: ViaView): string | undefined => {
  const { branchStart, branchEnd, hostStart, hostEnd, port } = upstream
  if (!isCookie(response.buf, branchStart, branchEnd)) return undefined
  scratch[0] = LETTER_BASE + METHOD.INVITE
  let at = put(response.buf, branchStart, branchEnd, 1)
  scratch[at++] = SEMICOLON
  at = putPlace(response.buf, hostStart, hostEnd, port, at)
  return scratch.latin1Slice(0, at)
}

/** To tag as text, '' without one. */
export const toTagOf = (msg: SipMessage): string =>
  msg.toTagStart < 0 ? '' : msg.buf.latin1Slice(msg.toTagStart, msg.toTagEnd)

/** Key of a client transaction: the branch; an extension method is appended. */
export const clientKey = (
  branch: string,
  buf: Buffer,
  methodStart: number,
  methodEnd: number,
  method: number,
): string => (method === METHOD.OTHER ? `${branch} ${buf.latin1Slice(methodStart, methodEnd)}` : branch)

const keyFor = (msg: SipMessage, method: number): string => {
  let at = putMethod(msg, method)
  if (hasMagicCookie(msg)) {
    at = put(msg.buf, msg.viaBranchStart, msg.viaBranchEnd, at)
    scratch[at++] = SEMICOLON
    at = putSentBy(msg, at)
  } else {
    at = putLegacy(msg, method, at)
  }
  return scratch.latin1Slice(0, at)
}

const putMethod = (msg: SipMessage, method: number): number => {
  if (method !== METHOD.OTHER) {
    scratch[0] = LETTER_BASE + method
    return 1
  }
  const at = put(msg.buf, msg.methodStart, msg.methodEnd, 0)
  scratch[at] = SPACE
  return at + 1
}

const putSentBy = (msg: SipMessage, from: number): number =>
  putPlace(msg.buf, msg.viaHostStart, msg.viaHostEnd, msg.viaPort, from)

const putPlace = (buf: Buffer, hostStart: number, hostEnd: number, port: number, from: number): number => {
  let at = putLower(buf, hostStart, hostEnd, from)
  if (port >= 0) {
    scratch[at++] = COLON
    at = putNumber(port, at)
  }
  return at
}

const putLegacy = (msg: SipMessage, method: number, from: number): number => {
  let at = from
  scratch[at++] = BANG
  at = putLine(msg.buf, msg.uriStart, msg.uriEnd, at)
  at = putLine(msg.buf, msg.callIdStart, msg.callIdEnd, at)
  at = putLine(msg.buf, msg.fromTagStart, msg.fromTagEnd, at)
  at = putNumber(msg.cseq, at)
  scratch[at++] = LF
  if (method !== METHOD.INVITE && method !== METHOD.CANCEL) at = putLine(msg.buf, msg.toTagStart, msg.toTagEnd, at)
  return put(msg.buf, msg.viaStart, msg.viaEnd, at)
}

const putLine = (buf: Buffer, start: number, end: number, from: number): number => {
  const at = start < 0 ? from : put(buf, start, end, from)
  scratch[at] = LF
  return at + 1
}

/** Room for the bytes and the few separators and digits that follow them. */
const reserve = (needed: number): void => {
  if (needed + 32 <= scratch.length) return
  const larger = Buffer.allocUnsafeSlow(2 * (needed + 32))
  scratch.copy(larger)
  scratch = larger
}

const put = (buf: Buffer, start: number, end: number, from: number): number => {
  const length = end - start
  reserve(from + length)
  for (let i = 0; i < length; i++) scratch[from + i] = buf[start + i] as number
  return from + length
}

const putLower = (buf: Buffer, start: number, end: number, from: number): number => {
  const length = end - start
  reserve(from + length)
  for (let i = 0; i < length; i++) {
    const byte = buf[start + i] as number
    scratch[from + i] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
  }
  return from + length
}

const putNumber = (value: number, from: number): number => {
  let rest = Math.max(value, 0)
  let at = from
  do {
    scratch[at++] = 0x30 + (rest % 10)
    rest = Math.floor(rest / 10)
  } while (rest > 0)
  return at
}
