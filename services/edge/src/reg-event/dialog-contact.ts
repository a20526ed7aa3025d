// SPDX-License-Identifier: MIT
//
// Our Contact in the dialog of a subscription: a self-made GRUU (RFC 5627 §4.3, RFC 6665 §4.5.1) whose user part names the
// address-of-record, so that a refresh finds its subscription from any edge. It proves nothing, and need not: the refresh is
// authorised as the first SUBSCRIBE was, and its dialog must be known.
import { METHOD, type SipMessage, watchContactUser, watchedAorOf } from '@tandem/sip'
import type { Facing } from '../facing.ts'

/** `sip:reg.…@host:port;gr`, with the transport of the listener. */
export function dialogContact(aor: string, facing: Facing): string {
  const host = facing.host.includes(':') ? `[${facing.host}]` : facing.host
  const transport = facing.transport === 'udp' ? '' : `;transport=${facing.transport}`
  return `sip:${watchContactUser(aor)}@${host}:${facing.port}${transport};gr`
}

/** The address-of-record of the subscription that this in-dialog SUBSCRIBE is about; undefined for any other request. */
export function resubscribedAor(msg: SipMessage): string | undefined {
  if (msg.method !== METHOD.SUBSCRIBE) return undefined
  const user = /^sip:([^@;?]+)@/i.exec(msg.text(msg.uriStart, msg.uriEnd))?.[1]
  return user === undefined ? undefined : watchedAorOf(user)
}
