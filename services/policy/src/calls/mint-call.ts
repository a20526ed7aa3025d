// SPDX-License-Identifier: MIT
//
// Freezes a decision with its reference under the server-transaction key, and puts the call on record: that of a rejected one at once.
import { done, ItemEncoder, policy, type Result } from '@tandem/rpc'
import { AGE_UNKNOWN, type CallDescription, type CallLimits, type Minted, whenStored } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { addressOf } from '../decide/uri-parts.ts'
import { HANG_UP_REASONS } from './hang-up.ts'

type Decision = Result<policy.DecideResponse>

const encoder = new ItemEncoder()

function describeCall(request: policy.DecideRequest, response: policy.DecideResponse): CallDescription {
  return {
    callId: request.callId,
    fromTag: request.fromTag,
    fromUri: addressOf(request.from),
    toUri: addressOf(request.to),
    requestUri: request.requestUri,
    source: request.source,
    identity: response.identity,
    account: response.account,
    edgeId: request.edgeId,
    userAgent: request.userAgent,
    setupAgeMs: 0,
    ringAgeMs: AGE_UNKNOWN,
    attempts: [],
    charge: response.charge,
    facts: response.facts,
  }
}

/** The rejected call's record; when the store fails here, due work ends the minted call. */
function recordRejection(context: PolicyContext, ref: string, call: CallDescription, decision: Decision) {
  if (decision.outcome !== 'done' || decision.value.verdict?.$case !== 'reject') return decision
  const { status, code } = decision.value.verdict.value
  const failed = context.store.failed(ref, { call, ageMs: 0, status, cause: 'rejected', reason: code, by: 'system' })
  return whenStored(failed, (result) => {
    context.health.see(result)
    return decision
  })
}

function mintedDecision(context: PolicyContext, minted: Minted, own: policy.DecideResponse): Decision {
  if (!minted.replayed) return done({ ...own, callRef: minted.ref })
  context.counts.replayedDecisions++
  return done(policy.DecideResponse.decode(minted.decision))
}

/** What happens to the call by itself. Probes of calls that were answered together are spread. */
function limitsOf({ settings }: PolicyContext, { verdict }: policy.DecideResponse): CallLimits | undefined {
  if (verdict?.$case !== 'plan') return undefined
  const { warnBeforeMs: warnMs, livenessIntervalMs } = settings
  const livenessMs = Math.round(livenessIntervalMs * (0.9 + 0.2 * Math.random()))
  const maxDurationMs = verdict.value.maxDurationS * 1_000
  return { maxDurationMs, maxDurationReason: HANG_UP_REASONS.maxDuration, warnMs, livenessMs }
}

/** @param ref that the call gets, unless its transaction has one */
export function mintCall(
  context: PolicyContext,
  request: policy.DecideRequest,
  response: policy.DecideResponse,
  ref: string,
): Decision | Promise<Decision> {
  const { store, settings } = context
  const call = describeCall(request, response)
  const decision = encoder.encode(policy.DecideResponse, { ...response, callRef: ref })
  const proposal = { ref, decision, call, deadlineMs: settings.setupDeadlineMs, limits: limitsOf(context, response) }
  // Kept while the call can be set up and then for stragglers; the report of its answer or failure shortens it.
  const minted = store.mint(request.transactionKey, proposal, settings.setupDeadlineMs + settings.mintKeepMs)
  return whenStored(minted, (result): Decision | Promise<Decision> => {
    if (!context.health.see(result)) return context.health.toResult(result)
    return recordRejection(context, result.value.ref, call, mintedDecision(context, result.value, response))
  })
}
