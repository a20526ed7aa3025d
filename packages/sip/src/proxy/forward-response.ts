// SPDX-License-Identifier: MIT
//
// A response on its way upstream: the topmost Via value goes, every other byte stays (RFC 3261 section 16.7, step 3): body, fields, a
// received of ours [RFC3261-16.7.9abc]; only what somebody wrote behind `keep` in a lower Via goes too (RFC 6223 section 10).

import type { Buffer } from 'node:buffer'
import {
  type Edits,
  findHeader,
  HEADER,
  headerLineEnd,
  headerLineStart,
  headerValueEnd,
  type SipMessage,
} from '../message/index.ts'

/** True where a Via is left below the topmost one: somebody to forward the response to [RFC3261-16.7.3]. */
export function hasNextVia(msg: SipMessage): boolean {
  const valueEnd = headerValueEnd(msg, msg.viaIndex)
  return skipComma(msg.buf, msg.viaEnd, valueEnd) < valueEnd || findHeader(msg, HEADER.VIA, msg.viaIndex + 1) >= 0
}

/**
 * Writes `msg` without its topmost via-parm, and without values of keep in the others.
 *
 * @param out at least `msg.end - msg.start` bytes from `at`
 * @returns the offset behind the last byte written, or -1 when no second Via is left to send it to
 */
export function encodeForwardedResponse(msg: SipMessage, out: Buffer, at: number): number {
  const index = msg.viaIndex
  const valueEnd = headerValueEnd(msg, index)
  const next = skipComma(msg.buf, msg.viaEnd, valueEnd)
  if (next >= valueEnd && findHeader(msg, HEADER.VIA, index + 1) < 0) return -1
  // The only value of its line: the whole line goes.
  const from = next < valueEnd ? msg.viaStart : headerLineStart(msg, index)
  const to = next < valueEnd ? next : headerLineEnd(msg, index)
  let i = at + msg.buf.copy(out, at, msg.start, from)
  let read = to
  for (let cut = keepValueAt(msg, read); cut >= 0; cut = keepValueAt(msg, read)) {
    i += msg.buf.copy(out, i, read, cut)
    read = endOfToken(msg.buf, cut + 1)
  }
  return i + msg.buf.copy(out, i, read, msg.end)
}

/**
 * Offset of the `=` behind a keep parameter in a Via, at `from` or later; -1 for none. Who is further down has no say in the
 * keep-alives of the hops above [RFC6223-10b].
 */
function keepValueAt(msg: SipMessage, from: number): number {
  for (let k = msg.viaIndex; k >= 0; k = findHeader(msg, HEADER.VIA, k + 1)) {
    const end = headerValueEnd(msg, k)
    for (let i = Math.max(from, headerLineStart(msg, k)); i < end; i += 1) {
      if (msg.buf[i] === 0x3d && isKeep(msg.buf, i)) return i
    }
  }
  return -1
}

/** `;keep` in any case before `at`. */
function isKeep(buf: Buffer, at: number): boolean {
  const letter = (back: number): number => (buf[at - back] as number) | 0x20
  return letter(1) === 0x70 && letter(2) === 0x65 && letter(3) === 0x65 && letter(4) === 0x6b && buf[at - 5] === 0x3b
}

function endOfToken(buf: Buffer, at: number): number {
  let i = at
  while (isDigit(buf[i] as number)) i += 1
  return i
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39
}

/**
 * [RFC3261-16.7.4] Fills `edits` for a 3xx without its topmost via-parm and with `contacts` (whole lines) for its own Contacts.
 * The caller has made sure that there is a next Via.
 */
export function editRedirect(msg: SipMessage, edits: Edits, contacts: string): void {
  edits.reset(msg)
  const next = skipComma(msg.buf, msg.viaEnd, headerValueEnd(msg, msg.viaIndex))
  if (next < headerValueEnd(msg, msg.viaIndex)) edits.remove(msg.viaStart, next)
  else edits.remove(headerLineStart(msg, msg.viaIndex), headerLineEnd(msg, msg.viaIndex))
  for (let k = findHeader(msg, HEADER.CONTACT); k >= 0; k = findHeader(msg, HEADER.CONTACT, k + 1)) {
    edits.remove(headerLineStart(msg, k), headerLineEnd(msg, k))
  }
  edits.insert(msg.headersEnd, contacts)
}

/** Offset of the next via-parm behind the comma at or after `at`, or `end`. */
function skipComma(buf: Buffer, at: number, end: number): number {
  let i = at
  while (i < end && buf[i] !== 0x2c) i += 1
  if (i >= end) return end
  i += 1
  while (i < end && isSpace(buf[i] as number)) i += 1
  return i
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x09 || c === 0x0d || c === 0x0a
}
