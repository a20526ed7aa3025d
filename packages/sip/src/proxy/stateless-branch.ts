// SPDX-License-Identifier: MIT
//
// The branch of a request that is forwarded without a transaction (RFC 3261 section 16.11): made of the request and of where it
// goes, so that a retransmission, the CANCEL and the ACK of a failure get the one of their request, from any edge.
// Its place for the attempt says so, under the proof: the response passes without a transaction, a 2xx of an INVITE too.

import { METHOD, type SipMessage } from '../message/index.ts'
import { hasMagicCookie } from '../transaction/index.ts'
import { encodeBranch, hashLoop, hashTarget } from './branch.ts'
import type { KeyRing } from './key-ring.ts'

/** What stands in a branch in place of the position among the branches of a request; those end before it. */
export const STATELESS_ATTEMPT = 255

/**
 * @param targetUri Request-URI of the copy
 * @param nextHop transport, address and port that it is sent to
 * @param planInputs see `hashLoop`
 */
export function statelessBranch(
  ring: KeyRing,
  request: SipMessage,
  targetUri: string,
  nextHop: string,
  planInputs: string,
): string {
  const target = hashTarget(ring.signing, targetUri, nextHop + legacyFields(request))
  return encodeBranch(ring, request, STATELESS_ATTEMPT, target, hashLoop(ring.signing, request, planInputs))
}

/**
 * [RFC3261-16.11] An RFC 2543 sender has no branch to go by. From tag, Call-ID, CSeq and sent-by are in the proof, the
 * Request-URI in the loop hash; here is the rest of the topmost Via, and the To tag but for an INVITE, whose ACK has another.
 */
function legacyFields(request: SipMessage): string {
  if (hasMagicCookie(request)) return ''
  const via = request.text(request.viaStart, request.viaEnd)
  const { method } = request
  const isInvite = method === METHOD.INVITE || method === METHOD.ACK || method === METHOD.CANCEL
  return `\n${via}${isInvite || request.toTagStart < 0 ? '' : `\n${request.text(request.toTagStart, request.toTagEnd)}`}`
}
