// SPDX-License-Identifier: MIT
//
// Whether later requests of a dialog must go back to where its first one came from, because its sender's Contact can't be reached: a NAT
// shows in its Via, or its Contact names a network that is not the one its packets come from. The Contact of a request that came
// through another proxy is not compared: its packets are the proxy's.

import { HEADER, type SipMessage, ValueCursor } from '@tandem/sip'
import type { UdpPeer } from '../listeners/peers.ts'
import { contactHost, isContactAt } from './contact-host.ts'
import { isContactElsewhere, viaShowsNat } from './nat.ts'

const cursor = new ValueCursor()

export function isBehindNatInDialog(request: SipMessage, peer: UdpPeer): boolean {
  if (viaShowsNat(request, { address: peer.address, port: peer.sourcePort })) return true
  if (isContactAt(request, peer.address)) return false
  const host = contactHost(request)
  return host !== undefined && isContactElsewhere(host, peer.address) && isDirect(request)
}

/** One Via: nobody stands between the sender and us. */
export function isDirect(request: SipMessage): boolean {
  cursor.reset(request, HEADER.VIA)
  return !(cursor.next() && cursor.next())
}
