// SPDX-License-Identifier: MIT
//
// The host of a message's first Contact, for a look at whether a NAT stands between (nat.ts).

import {
  findHeader,
  HEADER,
  headerValueEnd,
  headerValueStart,
  NameAddrView,
  parseNameAddrView,
  parseUriView,
  type SipMessage,
  UriView,
  ValueCursor,
} from '@tandem/sip'
import { isTextAt } from './nat.ts'

const cursor = new ValueCursor()
const nameAddr = new NameAddrView()
const uri = new UriView()
const AT = 0x40
const QUOTE = 0x22
const COLON = 0x3a
const GREATER = 0x3e
const COMMA = 0x2c

/** As the URI has it, IPv6 in brackets; undefined where there is no Contact, or none of SIP. */
export function contactHost(msg: SipMessage): string | undefined {
  cursor.reset(msg, HEADER.CONTACT)
  if (!cursor.next() || !parseNameAddrView(msg.buf, cursor.start, cursor.end, nameAddr)) return undefined
  if (!parseUriView(msg.buf, nameAddr.uriStart, nameAddr.uriEnd, uri) || uri.hostStart < 0) return undefined
  return msg.text(uri.hostStart, uri.hostEnd)
}

/** Whether a Contact names this very address: a look at bytes, which is all that most messages need. False also where it is not sure. */
export function isContactAt(msg: SipMessage, address: string): boolean {
  const index = findHeader(msg, HEADER.CONTACT)
  if (index < 0) return false
  const end = headerValueEnd(msg, index)
  const host = hostStart(msg.buf, headerValueStart(msg, index), end)
  return host >= 0 && isHostAt(msg, host, end, address)
}

/** Where the host of a first Contact stands; -1 where a quoted name or no user makes it unsure. */
function hostStart(buf: Buffer, start: number, end: number): number {
  let colon = -1
  for (let k = start; k < end; k += 1) {
    const byte = buf[k]
    if (byte === AT) return k + 1
    if (byte === QUOTE) return -1
    if (byte === GREATER || byte === COMMA) return colon + 1 || -1
    if (byte === COLON && colon < 0) colon = k
  }
  return colon + 1 || -1
}

function isHostAt(msg: SipMessage, start: number, end: number, address: string): boolean {
  const isBracketed = msg.buf[start] === OPEN_BRACKET
  const hostEnd = start + address.length + (isBracketed ? 2 : 0)
  if (hostEnd > end || !isTextAt(msg, start, hostEnd, address)) return false
  // A longer number begins alike.
  return isBracketed || hostEnd === end || !isDigit(msg.buf[hostEnd] as number)
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

const OPEN_BRACKET = 0x5b
