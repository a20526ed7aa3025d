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
  for (let k = headerValueStart(msg, index); k < end; k += 1) {
    if (msg.buf[k] === AT) return isHostAt(msg, k + 1, end, address)
  }
  return false
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
