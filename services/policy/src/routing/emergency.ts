// SPDX-License-Identifier: MIT
//
// Calls to emergency numbers of a domain's number plan. They always pass: nobody is asked who he is beyond being of ours (From
// is of the domain whose number plan it is, or the sender is known), nothing is held, counted or looked at by rules, and a store that is away only
// costs the record. [RFC5031-4] in kind: the number is recognised here, and the way is the plan's.
import { type EmergencyCall, findEmergency, routeEmergency, verdictFrom } from '@tandem/resources'
import { done, type policy, type Result } from '@tandem/rpc'
import { createReference } from '@tandem/store'
import { factsOf, nameTrunks } from '../calls/facts-of.ts'
import { mintCall } from '../calls/mint-call.ts'
import { UNPROVEN_EDITS, userOf } from '../decide/identity.ts'
import type { Judgement } from '../decide/judgement.ts'
import { callerOf, NOBODY, toResponse } from '../decide/verdicts.ts'
import { dialledNumberOf, outCall, planFacts } from './number-call.ts'

type Decision = Result<policy.DecideResponse>

/** undefined: the request is no call to an emergency number by somebody of ours. */
export function emergencyOf(judgement: Judgement): EmergencyCall | undefined {
  const { state, request, own, known, domain, away } = judgement
  if (state.index.routing.emergency.size === 0 || request.method !== 'INVITE' || away) return undefined
  const home = known?.user.domain ?? own
  // Who names one of ours in From without being it is let through to an emergency number all the same: better one too many.
  if (home === undefined || domain === undefined) return undefined
  const dialled = dialledNumberOf(judgement)
  return dialled === '' ? undefined : findEmergency(state.index, home, dialled)
}

const withoutRecord = (response: policy.DecideResponse): Decision => {
  if (response.verdict?.$case !== 'plan') return done(response)
  return done({ ...response, verdict: { $case: 'plan', value: { ...response.verdict.value, accounting: false } } })
}

export function decideEmergency(judgement: Judgement, found: EmergencyCall): Decision | Promise<Decision> {
  const { context, state, request, known } = judgement
  const call = outCall(judgement, known?.user, found.number)
  const verdict = verdictFrom(routeEmergency(state.index, found, call, planFacts(context)), found.number)
  const caller = known === undefined ? NOBODY : callerOf(known.user)
  const additions = { edits: UNPROVEN_EDITS, accounting: true, sourceTrusted: false }
  const response = toResponse(verdict, { ...caller, account: '' }, additions)
  context.counts.emergencyCalls++
  nameTrunks(judgement, response)
  const facts = factsOf(judgement, known, known?.user ?? userOf(state.index, judgement.from), verdict)
  const minted = mintCall(context, request, { ...response, facts }, createReference())
  const settle = (decision: Decision) => (decision.outcome === 'done' ? decision : withoutRecord(response))
  return minted instanceof Promise ? minted.then(settle) : settle(minted)
}
