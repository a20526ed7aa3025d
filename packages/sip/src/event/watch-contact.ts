// SPDX-License-Identifier: MIT
// The user part of the cluster's Contact in the dialog of a subscription to registrations: it names the address-of-record, so
// that any node knows what a refresh is about. It proves nothing: a refresh is authorised as the first SUBSCRIBE was, and
// its dialog must be known.
import { Buffer } from 'node:buffer'

const PREFIX = 'reg.'

/** @param aor canonical, latin1 text */
export function watchContactUser(aor: string): string {
  return PREFIX + Buffer.from(aor, 'latin1').toString('base64url')
}

/** The address-of-record that a user part names; undefined for any other user part. */
export function watchedAorOf(user: string): string | undefined {
  if (!user.startsWith(PREFIX)) return undefined
  const aor = Buffer.from(user.slice(PREFIX.length), 'base64url').toString('latin1')
  return aor.startsWith('sip:') && watchContactUser(aor) === user ? aor : undefined
}
