// SPDX-License-Identifier: MIT
//
// Which target of a step a branch of the directory went to. The same target by the same way gives the same branch from every edge, so
// a branch that comes out again names its target for certain; one whose target has gone meanwhile is made of what the entry says.

import type { location, policy } from '@tandem/rpc'
import { decodeBranch, type ProxyContext, type SipMessage } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { LostPeer } from '../hops/hop-kinds.ts'
import { Candidate } from '../initial/targets.ts'

const NO_TARGET: policy.Target = {
  where: undefined,
  instanceId: '',
  registrationHash: 0,
  trusted: false,
  retarget: undefined,
  qMilli: 0,
}

/**
 * @param position of the branch among those of its request
 * @param makes plans the candidate's branch for this attempt, so that its id is known
 */
export function matchBranch(
  core: EdgeCore,
  context: ProxyContext,
  branch: location.Branch,
  position: number,
  candidates: readonly Candidate[],
  step: policy.Step,
  makes: (candidate: Candidate, attempt: number) => boolean,
): Candidate {
  const attempt = attemptOf(branch.id) ?? position
  for (const candidate of candidates) {
    if (candidate.hop.uri === branch.uri && makes(candidate, attempt) && candidate.id === branch.id) return candidate
  }
  const stored = storedCandidate(core, context.request as SipMessage, branch, step)
  makes(stored, attempt)
  stored.id = branch.id
  return stored
}

function attemptOf(id: string): number | undefined {
  const bytes = Buffer.from(id, 'latin1')
  return decodeBranch(bytes, 0, bytes.length)?.attempt
}

/** A way that is gone is one whose sends fail. */
function storedCandidate(core: EdgeCore, request: SipMessage, branch: location.Branch, step: policy.Step): Candidate {
  const { nextHop, uri } = branch
  const target = step.targets[0] ?? NO_TARGET
  const hop = core.hops.toStored(nextHop, uri, request)
  return new Candidate(hop ?? core.hops.lostHop(nextHop, uri), { ...target, retarget: undefined }, 1000, '')
}

/**
 * How a branch had ended, as far as it counts now; 0 while it is open. The answers behind a redirection or a challenge are gone, so
 * these stand for a callee that can't be reached. What went down a connection that is gone has failed with it.
 */
export function storedStatus({ finalStatus }: location.Branch, { hop }: Candidate): number {
  if (finalStatus < 300) return hop.peer instanceof LostPeer ? 430 : 0
  return finalStatus < 400 || finalStatus === 401 || finalStatus === 407 ? 480 : finalStatus
}
