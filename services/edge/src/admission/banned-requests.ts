// SPDX-License-Identifier: MIT
//
// What becomes of messages of banned sources (banned-sources.ts), at the stations where they are met: unread, unreadable, read.
import { METHOD, type SipMessage } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { refuseAs } from '../own/replies.ts'

const REGISTER = Buffer.from('REGISTER ')

/** Whether the bytes begin as a REGISTER does. */
export function isRegister(buf: Buffer, start: number, end: number): boolean {
  if (end - start < REGISTER.length) return false
  return buf.compare(REGISTER, 0, REGISTER.length, start, start + REGISTER.length) === 0
}

/** A REGISTER is dropped without being read: most of what somebody sends who guesses passwords. Counts it. */
export function dropsUnread(core: EdgeCore, buf: Buffer, start: number, end: number, address = ''): boolean {
  if (core.config.whenBanned !== 'drop' || !isRegister(buf, start, end)) return false
  return dropsFrom(core, address)
}

/** What nobody can read is not answered there. Counts it. */
export function dropsFrom(core: EdgeCore, address = ''): boolean {
  if (core.banned.isEmpty || !core.banned.has(address, core.now())) return false
  core.counts.droppedBanned += 1
  return true
}

/** What begins something is dropped, or refused by setting; counts it. In-dialog requests, ACK, CANCEL and emergencies pass. */
export function refusesBanned(core: EdgeCore, msg: SipMessage, peer: EdgePeer): boolean {
  if (msg.toTagStart >= 0 || msg.method === METHOD.ACK || !core.banned.has(peer.address, core.now())) return false
  if (core.admission.isEmergency(msg, peer)) return false
  if (core.config.whenBanned === 'drop') core.counts.droppedBanned += 1
  else refuseAs(core, 'refusedBanned', msg, peer, 403)
  return true
}
