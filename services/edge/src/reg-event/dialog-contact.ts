// SPDX-License-Identifier: MIT
//
// Our Contact in the dialog of a subscription: a self-made GRUU (RFC 5627 §4.3, RFC 6665 §4.5.1) whose user part names the
// address-of-record, so that a refresh finds its subscription from any edge. It proves nothing, and need not: the refresh is
// authorised as the first SUBSCRIBE was, and its dialog must be known.
import { METHOD, type SipMessage, watchContactUser, watchedAorOf } from '@tandem/sip'
import type { Facing } from '../listeners/facing.ts'

/**
 * `sip:reg.…@host:port;gr`, of the scheme and transport that a Record-Route of this listener has.
 * @param isSecure sips: the Request-URI of the SUBSCRIBE, or its first Record-Route, is [RFC3261-8.1.1.8b]
 */
export function dialogContact(aor: string, facing: Facing, isSecure = false): string {
  return facing.route(watchContactUser(aor), isSecure).replace(/^<(.*);lr>$/, '$1;gr')
}

/** The address-of-record of the subscription that this in-dialog SUBSCRIBE is about; undefined for any other request. */
export function resubscribedAor(msg: SipMessage): string | undefined {
  if (msg.method !== METHOD.SUBSCRIBE) return undefined
  const user = /^sips?:([^@;?]+)@/i.exec(msg.text(msg.uriStart, msg.uriEnd))?.[1]
  return user === undefined ? undefined : watchedAorOf(user)
}
