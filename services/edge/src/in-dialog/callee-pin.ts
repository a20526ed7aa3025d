// SPDX-License-Identifier: MIT
//
// A callee behind a NAT that only its answer shows: the INVITE went to a public place, and the Contact of the response names some
// private network. Requests inside the dialog would go there, and nowhere. So the token of our Record-Route in the response is
// written anew with the place where the request went (RFC 3261 section 16.7 item 8); the Contact stays. The caller's Route set has
// the new token; the callee, who sends toward the caller, keeps the first.
//
// Leaves out dialogs that began without a transaction, whose requests nobody remembers, and those whose answer came with Record-Routes of
// others behind ours: then the next of them is where a request goes.

import {
  Edits,
  encodeToken,
  HEADER,
  METHOD,
  NameAddrView,
  parseNameAddrView,
  parseUriView,
  SCAN_ERROR,
  SipMessage,
  scan,
  type TokenSide,
  UriView,
  ValueCursor,
} from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { fromTag } from '../initial/describe.ts'
import { type EdgePeer, UdpPeer } from '../listeners/peers.ts'
import { contactHost, isContactAt } from '../nat/contact-host.ts'
import { isContactElsewhere } from '../nat/nat.ts'

const rewritten = new SipMessage()
const edits = new Edits()
const cursor = new ValueCursor()
const nameAddr = new NameAddrView()
const uri = new UriView()

/** The response with its way to the callee in our Record-Route, on bytes of its own; undefined where it may stay as it is. */
export function pinCallee(core: EdgeCore, msg: SipMessage, peer: EdgePeer): SipMessage | undefined {
  if (!beginsDialog(msg) || !(peer instanceof UdpPeer) || isContactAt(msg, peer.address)) return undefined
  const host = contactHost(msg)
  if (host === undefined || !isContactElsewhere(host, peer.address)) return undefined
  if (!editTokens(core, msg, core.hops.nat.sideOf(peer.address, peer.port))) return undefined
  core.counts.calleesPinned += 1
  const buf = Buffer.allocUnsafe(edits.size())
  return scan(rewritten, buf, 0, edits.encodeInto(buf, 0)) === SCAN_ERROR.NONE ? rewritten : undefined
}

function beginsDialog(msg: SipMessage): boolean {
  if (msg.status <= 100 || msg.status >= 300 || msg.toTagStart < 0) return false
  return msg.method === METHOD.INVITE || msg.method === METHOD.SUBSCRIBE || msg.method === METHOD.REFER
}

/** [RFC3261-16.7.8c] Fills `edits`; false when no token of ours is there, or the first one names a way already. */
function editTokens(core: EdgeCore, msg: SipMessage, callee: TokenSide): boolean {
  let isEdited = false
  edits.reset(msg)
  cursor.reset(msg, HEADER.RECORD_ROUTE)
  while (cursor.next()) {
    if (!parseNameAddrView(msg.buf, cursor.start, cursor.end, nameAddr)) continue
    if (!parseUriView(msg.buf, nameAddr.uriStart, nameAddr.uriEnd, uri) || uri.userStart < 0) continue
    const token = core.routeOwner.verifyToken(msg, uri.userStart, uri.userEnd)
    if (token?.callee.kind !== 'none' || !token.isInitiatorA) continue
    const callId = msg.text(msg.callIdStart, msg.callIdEnd)
    edits.replace(uri.userStart, uri.userEnd, encodeToken({ ...token, callee }, core.ring, callId, fromTag(msg)))
    isEdited = true
  }
  return isEdited
}
