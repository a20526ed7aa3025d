// SPDX-License-Identifier: MIT
//
// The same target once more, another way: at another endpoint of its host, or with credentials that it has asked for. Plain data: nothing is
// sent here.
import type { policy } from '@tandem/rpc'
import type { Candidate } from './targets.ts'
import type { Challenge } from './trunk-legs.ts'

/** [RFC3263-4.3] The next endpoint of the host; undefined: there is none, or it would be no use. */
export function alternativeTo(failed: Candidate, status: number): Candidate | undefined {
  const hop = status === 430 ? undefined : failed.hop.alternatives[0]
  if (hop === undefined) return undefined
  const next = failed.over(hop)
  // [RFC3261-18.1.1] back to UDP at the very address whose TCP failed
  next.keepsTransport = failed.hop.peer.reliable && !hop.peer.reliable && hop.peer.address === failed.hop.peer.address
  return next
}

/** [RFC3261-22.3] With what answers the challenge, in place of earlier answers in the same header. */
export function withCredentials(
  failed: Candidate,
  challenge: Challenge | undefined,
  credentials: readonly policy.HeaderEdit[],
): Candidate {
  const next = failed.over(failed.hop)
  const name = challenge?.proxy === true ? 'Proxy-Authorization' : 'Authorization'
  next.credentials = [...failed.credentials.filter((edit) => edit.name !== name), ...credentials]
  next.breadth = failed.breadth
  return next
}

/** Those of the plan, then those of the target, then its credentials. */
export function editsOf({ edits }: policy.Plan, { target, credentials }: Candidate): readonly policy.HeaderEdit[] {
  if (target.edits === undefined && credentials.length === 0) return edits
  return [...edits, ...(target.edits?.edits ?? []), ...credentials]
}
