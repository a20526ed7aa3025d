// SPDX-License-Identifier: MIT
//
// The Request-URI before anything is decided by it (RFC 3261 section 16.4): a strict router before us has put the value of our
// Record-Route there, or its maddr names us. Either way the request is rewritten once, and all that follows sees a plain one.
//
// DEVIATION[RFC3261-16.4e]: a maddr of ours is stripped whichever listener of the cluster it names. All of them are one proxy, so
// sending the request on to that listener would bring it back here.

import { NameAddrView, ParamCursor, parseNameAddrView } from '../header/index.ts'
import { bytesOf } from '../message/chars.ts'
import {
  type Edits,
  HEADER,
  headerLineEnd,
  headerLineStart,
  headerValueEnd,
  headerValueStart,
  type SipMessage,
  ValueCursor,
} from '../message/index.ts'
import type { RouteOwner } from './route.ts'

/** What the Request-URI is to us. */
export const REQUEST_URI = {
  /** Nothing of ours: where the request is meant to go. */
  PLAIN: 0,
  /** What we put into a Record-Route; where the request is meant to go is the last Route value. */
  STRICT: 1,
  /** Its maddr names us. */
  MADDR: 2,
  /** Our Record-Route by its form, but with no token of ours, or without any Route behind it. */
  FORGED: 3,
} as const

const LR = bytesOf('lr')
const MADDR = bytesOf('maddr')
const TRANSPORT_PARAM = bytesOf('transport')

const params = new ParamCursor()
const cursor = new ValueCursor()
const nameAddr = new NameAddrView()

/** Looks at the Request-URI of each request; `token` is what a token in it says. */
export class RequestUriView<T> {
  token: T | undefined

  /** @returns one of REQUEST_URI. Never throws. */
  read(msg: SipMessage, owner: RouteOwner<T>): number {
    this.token = undefined
    if (msg.uriHostStart < 0) return REQUEST_URI.PLAIN
    if (msg.uriUserStart >= 0) this.token = owner.verifyToken(msg, msg.uriUserStart, msg.uriUserEnd)
    if (this.token !== undefined) return msg.has(HEADER.ROUTE) ? REQUEST_URI.STRICT : REQUEST_URI.FORGED
    return msg.uriParamsStart >= 0 && msg.uriParamsStart < msg.uriEnd ? readParams(msg, owner) : REQUEST_URI.PLAIN
  }
}

function readParams<T>(msg: SipMessage, owner: RouteOwner<T>): number {
  params.reset(msg.buf, msg.uriParamsStart, msg.uriEnd)
  while (params.next()) {
    if (params.isNamed(MADDR) && params.valueStart >= 0) {
      const isOurs = owner.isOwnAddress(msg.text(params.valueStart, params.valueEnd), msg.uriPort)
      return isOurs ? REQUEST_URI.MADDR : REQUEST_URI.PLAIN
    }
    if (params.isNamed(LR) && owner.isOwnAddress(msg.text(msg.uriHostStart, msg.uriHostEnd), msg.uriPort)) {
      return msg.uriUserStart < 0 && msg.has(HEADER.ROUTE) ? REQUEST_URI.STRICT : REQUEST_URI.FORGED
    }
  }
  return REQUEST_URI.PLAIN
}

/** Fills `edits` with what makes a plain request of one that was read as STRICT or MADDR. False: its last Route is no URI. */
export function editRequestUri(msg: SipMessage, kind: number, edits: Edits): boolean {
  edits.reset(msg)
  if (kind === REQUEST_URI.STRICT) return takeLastRoute(msg, edits)
  stripMaddr(msg, edits)
  return true
}

/** [RFC3261-16.4] The last Route value becomes the Request-URI. */
function takeLastRoute(msg: SipMessage, edits: Edits): boolean {
  let index = -1
  let keptEnd = -1
  let start = -1
  let end = -1
  cursor.reset(msg, HEADER.ROUTE)
  while (cursor.next()) {
    keptEnd = cursor.index === index ? end : -1
    index = cursor.index
    start = cursor.start
    end = cursor.end
  }
  if (index < 0 || !parseNameAddrView(msg.buf, start, end, nameAddr)) return false
  edits.replace(msg.uriStart, msg.uriEnd, msg.text(nameAddr.uriStart, nameAddr.uriEnd))
  if (keptEnd < 0 || keptEnd <= headerValueStart(msg, index)) {
    edits.remove(headerLineStart(msg, index), headerLineEnd(msg, index))
  } else edits.remove(keptEnd, headerValueEnd(msg, index))
  return true
}

/** [RFC3261-16.4] Without maddr, port and transport, as if they had not been there. */
function stripMaddr(msg: SipMessage, edits: Edits): void {
  if (msg.uriPort >= 0) edits.remove(msg.uriHostEnd, msg.uriParamsStart)
  let from = msg.uriParamsStart
  params.reset(msg.buf, from, msg.uriEnd)
  while (params.next()) {
    const end = params.valueStart < 0 ? params.nameEnd : params.valueEnd
    if (params.isNamed(MADDR) || params.isNamed(TRANSPORT_PARAM)) edits.remove(from, end)
    from = end
  }
}
