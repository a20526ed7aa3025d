// SPDX-License-Identifier: MIT
//
// What a full transaction table does to a request that begins nothing yet (`edge.whenOverloaded: stateless`): it is decided as ever
// and, if its plan leaves no record, passes without a transaction. All else gets the answer that a full table gives: 503.
// The same decision serves a CANCEL whose INVITE passed this way and is not remembered (RFC 3261 section 16.10, last paragraph).
//
// Bounded by what may wait for policy, which the receiver looks at first.

import type { policy, Result } from '@tandem/rpc'
import { METHOD, type SipMessage } from '@tandem/sip'
import { spreadRetryAfter } from '../admission/index.ts'
import type { EdgeCore } from '../core.ts'
import { describeCall, describeRequest } from '../initial/describe.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { challengeLines, refuseAs, refuseStateless, retryAfter } from '../own/replies.ts'
import { forwardStateless, wayKey } from './stateless.ts'

/** Decides a request that has no transaction. Its repetitions are decided again until its way is known. */
export function decideStateless(core: EdgeCore, msg: SipMessage, peer: EdgePeer, popRoutes: number): void {
  const request = msg.clone()
  const described = describeRequest(request, wayKey(core, request), peer, core.edgeId)
  const asked = request.method === METHOD.CANCEL ? { ...described, method: 'INVITE' } : described
  const scope = core.decisions.scopeOf(request)
  core.decisions.ask(scope, asked, (answer) => {
    const result = core.decisions.settle(scope, asked, request, peer, answer)
    if (request.method === METHOD.CANCEL) return onCancelDecided(core, request, peer, popRoutes, result)
    onDecided(core, request, peer, popRoutes, result)
  })
}

function onDecided(
  core: EdgeCore,
  request: SipMessage,
  peer: EdgePeer,
  popRoutes: number,
  result: Result<policy.DecideResponse>,
): void {
  const decision = result.outcome === 'done' ? result.value : undefined
  const verdict = decision?.verdict
  if (decision === undefined || verdict === undefined) return overloaded(core, request, peer)
  if (verdict.$case === 'challenge') {
    core.counts.challenges += 1
    return refuseStateless(core, request, peer, verdict.value.status, '', challengeLines(verdict.value))
  }
  if (verdict.$case === 'reject') {
    const { status, reason, retryAfterS, code } = verdict.value
    if (core.callLog !== undefined) core.callLog.refused(request, peer, status, code)
    return refuseStateless(core, request, peer, status, reason, retryAfterS > 0 ? retryAfter(retryAfterS) : '')
  }
  if (verdict.$case === 'plan' && decision.callRef === '' && !verdict.value.accounting) {
    return forwardStateless(core, request, peer, verdict.value, popRoutes)
  }
  endRecord(core, request, peer, decision)
  overloaded(core, request, peer)
}

/** A CANCEL is never challenged: what can't be told from its INVITE's plan is unknown. */
function onCancelDecided(
  core: EdgeCore,
  request: SipMessage,
  peer: EdgePeer,
  popRoutes: number,
  result: Result<policy.DecideResponse>,
): void {
  const verdict = result.outcome === 'done' ? result.value.verdict : undefined
  const plan = verdict?.$case === 'plan' ? verdict.value : undefined
  if (plan?.stateless === true) return forwardStateless(core, request, peer, plan, popRoutes)
  core.counts.cancelsUnmatched += 1
  refuseStateless(core, request, peer, 481, '')
}

/** A call that policy has put on record and that goes no further. */
function endRecord(core: EdgeCore, request: SipMessage, peer: EdgePeer, decision: policy.DecideResponse): void {
  if (decision.callRef === '') return
  core.reporter.report({
    callRef: decision.callRef,
    call: describeCall(request, peer, core.edgeId, decision),
    event: { $case: 'failed', value: { status: 503, cause: 'error', reason: '' } },
    ageMs: 0,
  })
}

function overloaded(core: EdgeCore, request: SipMessage, peer: EdgePeer): void {
  refuseAs(core, 'refusedOverload', request, peer, 503, spreadRetryAfter(core, request))
}
