// SPDX-License-Identifier: MIT
//
// Route preprocessing (RFC 3261 section 16.4): which leading Route values are ours, and what the first foreign one is.
// A value is ours when its user part is a Record-Route token that verifies, whichever edge's address it names,
// or when it names one of our addresses and has no user part (a phone with an outbound proxy).

import { NameAddrView, ParamCursor, parseNameAddrView } from '../header/index.ts'
import { bytesOf } from '../message/chars.ts'
import { HEADER, type SipMessage, ValueCursor } from '../message/index.ts'
import { parseUriView, UriView } from '../uri/index.ts'

/** Tells whose a Route value is; T is what a valid token says. */
export interface RouteOwner<T> {
  /** What the user part [start, end) of a Route says when it is a token of ours for this dialog. */
  verifyToken(msg: SipMessage, start: number, end: number): T | undefined
  /** True for an address that the cluster's edges advertise; port -1 where the URI has none. */
  isOwnAddress(host: string, port: number): boolean
}

/** What is known of the Route set of a request; reused between messages. */
export class RouteView<T> {
  /** Leading values that are ours and go. */
  popCount = 0
  /** What the first token among them says. */
  token: T | undefined
  /** A value names us with a user part that is no token of ours, or one of another dialog. */
  forged = false
  /** Offsets of the URI of the first value that is not ours, -1 for none. */
  nextStart = -1
  nextEnd = -1
  /** That value has no lr: it belongs to a strict router. */
  nextIsStrict = false

  private readonly cursor = new ValueCursor()
  private readonly nameAddr = new NameAddrView()
  private readonly uri = new UriView()

  /**
   * Reads the Route headers of `msg`. Never throws.
   * @param token what a token said that stood in the Request-URI (RequestUriView): it came before all of these
   */
  read(msg: SipMessage, owner: RouteOwner<T>, token?: T): void {
    this.popCount = 0
    this.token = token
    this.nextIsStrict = false
    this.forged = false
    this.nextStart = -1
    this.nextEnd = -1
    this.cursor.reset(msg, HEADER.ROUTE)
    while (this.cursor.next()) {
      if (!this.takeOwn(msg, owner)) {
        this.nextIsStrict = !hasLr(msg, this.uri, this.nextStart, this.nextEnd)
        return
      }
      this.popCount += 1
    }
  }

  /** @returns true when the value under the cursor is ours. */
  private takeOwn(msg: SipMessage, owner: RouteOwner<T>): boolean {
    const { cursor, nameAddr, uri } = this
    this.nextStart = cursor.start
    this.nextEnd = cursor.end
    if (!parseNameAddrView(msg.buf, cursor.start, cursor.end, nameAddr)) return false
    this.nextStart = nameAddr.uriStart
    this.nextEnd = nameAddr.uriEnd
    if (!parseUriView(msg.buf, nameAddr.uriStart, nameAddr.uriEnd, uri)) return false
    if (!this.isOurs(msg, owner)) return false
    this.nextStart = -1
    this.nextEnd = -1
    return true
  }

  private isOurs(msg: SipMessage, owner: RouteOwner<T>): boolean {
    const { uri } = this
    if (uri.hostStart < 0) return false // tel: and what else has no host
    if (uri.userStart >= 0) {
      const token = owner.verifyToken(msg, uri.userStart, uri.userEnd)
      if (token !== undefined) {
        this.token ??= token
        return true
      }
    }
    if (!owner.isOwnAddress(msg.text(uri.hostStart, uri.hostEnd), uri.port)) return false
    if (uri.userStart >= 0) this.forged = true
    return true
  }
}

const LR = bytesOf('lr')
const params = new ParamCursor()

/** [RFC3261-19.1.1] `lr`, with or without a value, in a URI that has just been read into `uri`. */
function hasLr(msg: SipMessage, uri: UriView, start: number, end: number): boolean {
  if (uri.start !== start || uri.end !== end || uri.hostStart < 0) return true // no URI that anything could be said of
  params.reset(msg.buf, uri.paramsStart, uri.paramsEnd)
  while (params.next()) if (params.isNamed(LR)) return true
  return false
}
