// SPDX-License-Identifier: MIT
// The headers of scan-fields.ts as nearly everybody writes them, read in one pass over SCRATCH: no folds, no blanks but single ones, no
// quoted pairs, no IPv6, no second value in the line. A form that is anything else gives false and leaves the message as it was: then
// scan-fields.ts reads it from the start. So this file decides about cost, never about meaning; a test holds the two against each other.

import { TRANSPORT } from '../header/via.ts'
import { LIMITS } from '../limits.ts'
import {
  BACKSLASH,
  CLASS,
  COLON,
  DQUOTE,
  EQUAL,
  GREATER,
  HOST,
  LESS,
  PARAM_VALUE,
  SEMICOLON,
  SP,
  TOKEN,
  URI_CHAR,
} from './chars.ts'
import { HEADER } from './header-ids.ts'
import type { SipMessage } from './message.ts'
import { decimalAt, decimalEnd, SCRATCH, skipIn, WORDS, word } from './scratch.ts'

const SIP_SLASH = word('SIP/')
const VERSION_SLASH = word('2.0/')
const UDP = word('UDP ')
const TCP = word('TCP ')
const TLS = word('TLS ')
const BRAN = word('bran')
const RPOR = word('rpor')
const LOWER_CASE = 0x20
const LOWER_WORD = 0x20202020

/** Decodes the header `id` (VIA to CONTENT_LENGTH) whose value is SCRATCH[at, end), which lies at `from` + offset in the buffer. */
export function takePlainField(
  msg: SipMessage,
  id: number,
  index: number,
  from: number,
  at: number,
  end: number,
): boolean {
  switch (id) {
    case HEADER.VIA:
      return plainVia(msg, index, from, at, end)
    case HEADER.FROM:
      return plainFrom(msg, from, at, end)
    case HEADER.TO:
      return plainTo(msg, from, at, end)
    case HEADER.CALL_ID:
      return plainCallId(msg, from, at, end)
    case HEADER.CSEQ:
      return plainCSeq(msg, from, at, end)
    case HEADER.MAX_FORWARDS:
      return plainMaxForwards(msg, from, at, end)
    default:
      return plainContentLength(msg, at, end)
  }
}

function transportAt(at: number): number {
  const name = WORDS.getInt32(at, true)
  if (name === UDP) return TRANSPORT.UDP
  if (name === TCP) return TRANSPORT.TCP
  return name === TLS ? TRANSPORT.TLS : TRANSPORT.OTHER
}

/** `SIP/2.0/UDP host[:port]` and parameters; a received, and an rport with a value, are left to parseVia. */
function plainVia(msg: SipMessage, index: number, from: number, at: number, end: number): boolean {
  if (WORDS.getInt32(at, true) !== SIP_SLASH || WORDS.getInt32(at + 4, true) !== VERSION_SLASH) return false
  const transport = transportAt(at + 8)
  const hostEnd = skipIn(at + 12, HOST)
  if (transport === TRANSPORT.OTHER || hostEnd === at + 12) return false
  let i = hostEnd
  let port = -1
  if (SCRATCH[i] === COLON) {
    port = decimalAt(i + 1)
    if (port < 1 || port > 65535) return false
    i = decimalEnd
  }
  let branch = -1
  let branchEnd = -1
  let rport = -1
  while (SCRATCH[i] === SEMICOLON) {
    const name = i + 1
    const nameEnd = skipIn(name, TOKEN)
    const hasValue = SCRATCH[nameEnd] === EQUAL
    i = hasValue ? skipIn(nameEnd + 1, PARAM_VALUE) : nameEnd
    switch (nameEnd - name) {
      case 0:
        return false
      case 5:
        if (!isRport(name)) break
        if (hasValue) return false
        rport = name
        break
      case 6:
        if (!isBranch(name)) break
        if (branch >= 0 || i <= nameEnd + 1) return false
        branch = nameEnd + 1
        branchEnd = i
        break
      case 8:
        if (((SCRATCH[name] as number) | LOWER_CASE) === 0x72) return false // received, or it looks like it
    }
  }
  if (i !== end) return false
  msg.viaIndex = index
  msg.viaStart = from + at
  msg.viaEnd = from + end
  msg.viaTransport = transport
  msg.viaHostStart = from + at + 12
  msg.viaHostEnd = from + hostEnd
  msg.viaPort = port
  if (branch >= 0) {
    msg.viaBranchStart = from + branch
    msg.viaBranchEnd = from + branchEnd
  }
  if (rport >= 0) {
    msg.viaRportStart = from + rport
    msg.viaRportEnd = from + rport + 5
  }
  return true
}

/** Folding by `| 0x20` is exact among token characters, see header-ids.ts. */
function isRport(at: number): boolean {
  return (WORDS.getInt32(at, true) | LOWER_WORD) === RPOR && ((SCRATCH[at + 4] as number) | LOWER_CASE) === 0x74
}

function isBranch(at: number): boolean {
  if ((WORDS.getInt32(at, true) | LOWER_WORD) !== BRAN) return false
  return ((SCRATCH[at + 4] as number) | LOWER_CASE) === 0x63 && ((SCRATCH[at + 5] as number) | LOWER_CASE) === 0x68
}

let uriStart = -1
let uriEnd = -1
let tagStart = -1
let tagEnd = -1

/** `"name" <uri>`, `name <uri>` or `<uri>`, and parameters; leaves what is found in the four variables above. */
function plainTagged(at: number, end: number): boolean {
  let i = at
  if (SCRATCH[i] === DQUOTE) {
    do i++
    while ((SCRATCH[i] as number) >= SP && SCRATCH[i] !== DQUOTE && SCRATCH[i] !== BACKSLASH)
    if (SCRATCH[i] !== DQUOTE) return false
    i++
    if (SCRATCH[i] === SP) i++
  } else {
    while (((CLASS[SCRATCH[i] as number] as number) & TOKEN) !== 0 || SCRATCH[i] === SP) i++
  }
  if (SCRATCH[i] !== LESS) return false
  uriStart = i + 1
  const scheme = skipIn(uriStart, TOKEN)
  uriEnd = skipIn(scheme, URI_CHAR)
  if (scheme === uriStart || SCRATCH[scheme] !== COLON || uriEnd === scheme + 1) return false
  return SCRATCH[uriEnd] === GREATER && plainTag(uriEnd + 1, end)
}

function plainTag(at: number, end: number): boolean {
  let i = at
  tagStart = -1
  tagEnd = -1
  while (SCRATCH[i] === SEMICOLON) {
    const name = i + 1
    const nameEnd = skipIn(name, TOKEN)
    if (nameEnd === name) return false
    i = SCRATCH[nameEnd] === EQUAL ? skipIn(nameEnd + 1, PARAM_VALUE) : nameEnd
    if (nameEnd - name !== 3 || !isTag(name)) continue
    if (tagStart >= 0 || i <= nameEnd + 1) return false
    tagStart = nameEnd + 1
    tagEnd = i
  }
  return i === end
}

function isTag(at: number): boolean {
  if (((SCRATCH[at] as number) | LOWER_CASE) !== 0x74) return false
  return ((SCRATCH[at + 1] as number) | LOWER_CASE) === 0x61 && ((SCRATCH[at + 2] as number) | LOWER_CASE) === 0x67
}

function plainFrom(msg: SipMessage, from: number, at: number, end: number): boolean {
  if (!plainTagged(at, end)) return false
  msg.fromStart = from + at
  msg.fromEnd = from + end
  msg.fromUriStart = from + uriStart
  msg.fromUriEnd = from + uriEnd
  if (tagStart < 0) return true
  msg.fromTagStart = from + tagStart
  msg.fromTagEnd = from + tagEnd
  return true
}

function plainTo(msg: SipMessage, from: number, at: number, end: number): boolean {
  if (!plainTagged(at, end)) return false
  msg.toStart = from + at
  msg.toEnd = from + end
  msg.toUriStart = from + uriStart
  msg.toUriEnd = from + uriEnd
  if (tagStart < 0) return true
  msg.toTagStart = from + tagStart
  msg.toTagEnd = from + tagEnd
  return true
}

function plainCallId(msg: SipMessage, from: number, at: number, end: number): boolean {
  let i = at
  while ((SCRATCH[i] as number) > SP) i++
  if (i !== end || i === at) return false
  msg.callIdStart = from + at
  msg.callIdEnd = from + end
  return true
}

function plainCSeq(msg: SipMessage, from: number, at: number, end: number): boolean {
  const cseq = decimalAt(at)
  const method = decimalEnd + 1
  if (cseq < 0 || SCRATCH[decimalEnd] !== SP || method >= end || skipIn(method, TOKEN) !== end) return false
  msg.cseq = cseq
  msg.cseqMethodStart = from + method
  msg.cseqMethodEnd = from + end
  return true
}

function plainMaxForwards(msg: SipMessage, from: number, at: number, end: number): boolean {
  if (!msg.isRequest) return true
  const value = decimalAt(at)
  if (value < 0 || value > LIMITS.maxForwardsMax || decimalEnd !== end) return false
  msg.maxForwards = value
  msg.maxForwardsStart = from + at
  msg.maxForwardsEnd = from + end
  return true
}

function plainContentLength(msg: SipMessage, at: number, end: number): boolean {
  const value = decimalAt(at)
  if (value < 0 || decimalEnd !== end) return false
  msg.contentLength = value
  return true
}
