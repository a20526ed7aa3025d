// SPDX-License-Identifier: MIT
//
// A request on its way downstream (RFC 3261 section 16.6): the edits of steps 2 to 8, as splices over the bytes that came.
// What is not edited leaves as it came: header order, case, compact forms, unknown headers, body [RFC3261-16.6.1]; what is broken
// or unknown in it too [RFC3261-16.3.1cd].

import { NameAddrView, parseNameAddrView } from '../header/index.ts'
import {
  type Edits,
  findHeader,
  HEADER,
  headerLineEnd,
  headerLineStart,
  headerValueStart,
  isTextAt,
  type SipMessage,
  ValueCursor,
} from '../message/index.ts'
import { editMaxBreadth, maxBreadthLine } from './max-breadth.ts'

/** What changes in one forwarded copy. Texts are ASCII; header texts are whole lines with their CRLF. */
export interface ForwardEdits {
  /** New Request-URI; '' keeps the one that came. */
  readonly uri: string
  /** `Via: …\r\n`, and `Record-Route: …\r\n` lines or ''. */
  readonly via: string
  readonly recordRoute: string
  /** `Route: …\r\n` lines to put before those that stay, or ''. */
  readonly route: string
  /** Other header lines to add, or ''. */
  readonly added: string
  /** Leading Route values that are ours and go. */
  readonly popRoutes: number
  /** The next Route value has no lr: it becomes the Request-URI, and the Request-URI the last Route value. */
  readonly strict: boolean
  /** Max-Breadth of this copy; 0 leaves what came. */
  readonly maxBreadth: number
  /** Where the request came from, for received and rport of its topmost Via (RFC 3261 18.2.1, RFC 3581). */
  readonly sourceAddress: string
  readonly sourcePort: number
  /** The next hop is a stream: a missing Content-Length is added. */
  readonly stream: boolean
}

const cursor = new ValueCursor()
const DEFAULT_MAX_FORWARDS = 'Max-Forwards: 70\r\n' // [RFC3261-16.6.3]

/** Fills `edits` for `msg`; the caller encodes them. */
export function editForwardedRequest(msg: SipMessage, edits: Edits, change: ForwardEdits): void {
  edits.reset(msg)
  if (change.strict) swapStrict(msg, edits, change)
  else if (change.uri !== '') edits.replace(msg.uriStart, msg.uriEnd, change.uri) // [RFC3261-16.6.2]
  decrementMaxForwards(msg, edits)
  insertVia(msg, edits, change)
  if (change.maxBreadth > 0) editMaxBreadth(msg, edits, change.maxBreadth)
  const gone = change.popRoutes + (change.strict ? 1 : 0)
  if (gone > 0) popRoutes(msg, edits, gone) // [RFC3261-16.4] [RFC3261-16.6.6]
  // [RFC3261-16.6.9]
  if (change.stream && msg.contentLength < 0) {
    edits.insert(msg.headersEnd, `Content-Length: ${msg.end - msg.bodyStart}\r\n`) // [RFC3261-18.3]
  }
}

function decrementMaxForwards(msg: SipMessage, edits: Edits): void {
  if (msg.maxForwards < 0) edits.insert(msg.headersStart, DEFAULT_MAX_FORWARDS)
  else edits.replace(msg.maxForwardsStart, msg.maxForwardsEnd, String(msg.maxForwards - 1))
}

function insertVia(msg: SipMessage, edits: Edits, change: ForwardEdits): void {
  const viaLine = headerLineStart(msg, msg.viaIndex)
  const breadth = change.maxBreadth > 0 && !msg.has(HEADER.MAX_BREADTH) ? maxBreadthLine(change.maxBreadth) : ''
  const ahead = change.route + change.added + breadth + change.via // [RFC3261-16.6.8]
  const firstRecordRoute = change.recordRoute === '' ? -1 : findHeader(msg, HEADER.RECORD_ROUTE)
  // [RFC3261-16.6.4] ours comes before any other Record-Route
  const recordRouteLine = firstRecordRoute < 0 ? viaLine : headerLineStart(msg, firstRecordRoute)
  if (recordRouteLine >= viaLine) edits.insert(viaLine, ahead + change.recordRoute)
  else {
    edits.insert(recordRouteLine, change.recordRoute)
    edits.insert(viaLine, ahead)
  }
  stampSource(msg, edits, change.sourceAddress, change.sourcePort)
}

/** [RFC3261-18.2.1] [RFC3581-4] received and rport of the Via that the previous hop wrote; what it claimed itself goes. */
function stampSource(msg: SipMessage, edits: Edits, address: string, port: number): void {
  if (msg.viaRportStart >= 0) edits.replace(msg.viaRportStart, msg.viaRportEnd, `rport=${port}`)
  if (msg.viaReceivedStart >= 0) edits.replace(msg.viaReceivedStart, msg.viaReceivedEnd, `received=${address}`)
  else if (needsReceived(msg, address)) edits.insert(msg.viaEnd, `;received=${address}`)
}

/** True where the previous hop asked for rport, or its Via names another host than the one it sent from. */
export function needsReceived(msg: SipMessage, address: string): boolean {
  if (msg.viaRportStart >= 0) return true
  const bracket = msg.buf[msg.viaHostStart] === 0x5b ? 1 : 0
  return !isTextAt(msg.buf, msg.viaHostStart + bracket, msg.viaHostEnd - bracket, address)
}

/** Removes the first `count` Route values, and lines that thereby become empty. */
function popRoutes(msg: SipMessage, edits: Edits, count: number): void {
  let left = count
  cursor.reset(msg, HEADER.ROUTE)
  while (cursor.next()) {
    if (left === 0) return keepFrom(msg, edits, cursor.index, cursor.start)
    left -= 1
    // The last value of its line goes: the whole line does.
    if (cursor.commaAt < 0) edits.remove(headerLineStart(msg, cursor.index), headerLineEnd(msg, cursor.index))
  }
}

/** Removes the values of a line that stand before `start`. */
function keepFrom(msg: SipMessage, edits: Edits, index: number, start: number): void {
  const first = headerValueStart(msg, index)
  if (start > first) edits.remove(first, start)
}

const nameAddr = new NameAddrView()

/**
 * [RFC3261-16.6.6] For a next hop that is a strict router: the Request-URI goes behind the last Route value, and what that
 * router put into its Record-Route becomes the Request-URI. popRoutes() takes it out of the Routes.
 */
function swapStrict(msg: SipMessage, edits: Edits, change: ForwardEdits): void {
  const uri = change.uri === '' ? msg.text(msg.uriStart, msg.uriEnd) : change.uri
  let lastLine = -1
  cursor.reset(msg, HEADER.ROUTE)
  for (let k = 0; cursor.next(); k += 1) {
    lastLine = cursor.index
    if (k !== change.popRoutes || !parseNameAddrView(msg.buf, cursor.start, cursor.end, nameAddr)) continue
    edits.replace(msg.uriStart, msg.uriEnd, msg.text(nameAddr.uriStart, nameAddr.uriEnd))
  }
  if (lastLine >= 0) edits.insert(headerLineEnd(msg, lastLine), `Route: <${uri}>\r\n`)
}
