// SPDX-License-Identifier: MIT
//
// Verdicts as values. What does not depend on the request is built once and frozen: nobody changes a verdict.
import type { PlanStep, PlanVerdict, UserEntry } from '@tandem/resources'
import { policy } from '@tandem/rpc'
import { POLICY_ERRORS, type PolicyErrorCode } from './errors.ts'

/** Who speaks, and who answers for the call; both '' for nobody. */
export interface Caller {
  readonly identity: string
  readonly account: string
}

export const NOBODY: Caller = Object.freeze({ identity: '', account: '' })

const withCaller = (verdict: policy.DecideResponse['verdict'], caller: Caller): policy.DecideResponse => ({
  verdict,
  callRef: '',
  identity: caller.identity,
  account: caller.account,
})

export function reject(code: PolicyErrorCode, caller: Caller = NOBODY): policy.DecideResponse {
  const value = { status: POLICY_ERRORS[code].sipStatus, reason: '', retryAfterS: 0, code }
  return withCaller({ $case: 'reject', value }, caller)
}

const toStep = ({ targets, ringMs, retryStatuses }: PlanStep): policy.Step => ({
  targets: targets.map(({ aor }) => ({
    where: { $case: 'aor', value: aor },
    instanceId: '',
    registrationHash: 0,
    trusted: false,
    retarget: undefined,
    qMilli: 0,
  })),
  ringMs,
  retryStatuses: [...retryStatuses],
  forking: policy.Step_Forking.UNSPECIFIED,
})

/** `verdict` of the planner as an answer to an edge. */
export function toResponse(
  verdict: PlanVerdict,
  caller: Caller,
  more: { readonly edits: policy.HeaderEdit[]; readonly accounting: boolean },
): policy.DecideResponse {
  if (verdict.kind === 'answer') return withCaller({ $case: 'answer', value: { status: verdict.status } }, caller)
  if (verdict.kind === 'reject') {
    const { status, code } = verdict
    return withCaller({ $case: 'reject', value: { status, reason: '', retryAfterS: 0, code } }, caller)
  }
  const steps = verdict.steps.map(toStep)
  const plan = {
    steps,
    edits: more.edits,
    maxDurationS: 0,
    accounting: more.accounting,
    stateless: false,
    maxRecursions: 0,
    sourceTrusted: false,
  }
  return withCaller({ $case: 'plan', value: plan }, caller)
}

/** REGISTER may go on, for the address-of-record of `user`. */
export function admit(user: UserEntry, caller: Caller): policy.DecideResponse {
  const { minExpiresS, maxExpiresS, defaultExpiresS } = user.domain
  const value = {
    aor: user.aor,
    minExpiresS,
    maxExpiresS,
    defaultExpiresS,
    maxContacts: user.maxContacts,
    replaceOldest: false,
    serviceRoute: false,
  }
  return withCaller({ $case: 'admit', value }, caller)
}

export const callerOf = (user: UserEntry): Caller => ({ identity: user.aor, account: user.account })
