// SPDX-License-Identifier: MIT
//
// Diversion (RFC 5806) when a call goes to another user: `<sip:who-was-called>;reason=user-busy;counter=1`, ahead of those of earlier
// diversions. Left out: `privacy` and `screen` of the diverting user, whom we know nothing of.

import type { policy } from '@tandem/rpc'
import type { Edits, SipMessage } from '@tandem/sip'

/** @param request the source of `edits` */
export function addDiversion(request: SipMessage, edits: Edits, { from, reason }: policy.Retarget): void {
  if (from !== '') edits.insert(request.headersStart, diversionLine(from, reason))
}

/** By how much that makes a request longer. */
export function diversionBytes({ from, reason }: policy.Retarget): number {
  return from === '' ? 0 : diversionLine(from, reason).length
}

function diversionLine(from: string, reason: string): string {
  return `Diversion: <${from}>;reason=${reason === '' ? 'unknown' : reason};counter=1\r\n`
}
