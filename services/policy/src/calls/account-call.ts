// SPDX-License-Identifier: MIT
//
// Puts a decision about an INVITE on record: reference and decision are frozen under the server-transaction key, so that
// the same INVITE through any edge gets the same answer. [STATE.md, Reference]
// A rejected call gets its record at once; of a planned one the edge reports how it went.
import type { AccountEntry } from '@tandem/resources'
import type { policy, Result } from '@tandem/rpc'
import { createReference } from '@tandem/store'
import { accountOf, holdCall } from '../charging/hold-call.ts'
import { refuseCall } from '../charging/refuse-call.ts'
import type { PolicyContext } from '../context.ts'
import { type CallSubject, isEmergency } from '../fraud/call-facts.ts'
import { checkedCall, selectedBy } from '../fraud/checked-call.ts'
import { routedNumber, withCost } from './call-cost.ts'
import { mintCall } from './mint-call.ts'

type Decision = Result<policy.DecideResponse>

/** @param subject for rules against fraud; absent: none is asked */
export function accountCall(
  context: PolicyContext,
  request: policy.DecideRequest,
  response: policy.DecideResponse,
  subject?: CallSubject,
): Decision | Promise<Decision> {
  const account = accountOf(context, response)
  const ref = createReference()
  if (subject !== undefined && response.verdict?.$case === 'plan') {
    const { fraud } = subject.judgement.state
    if ((account !== undefined || !fraud.isEmpty) && isEmergency(context, subject)) {
      context.counts.emergencyCalls++
      return mintCall(context, request, response, ref)
    }
    const checked = fraud.isEmpty ? undefined : selectedBy(context, subject)
    if (checked !== undefined) return checkedCall(context, request, response, subject, { ...checked, ref })
  }
  return account === undefined
    ? mintCall(context, request, withCost(context, response), ref)
    : mintCharged(context, request, response, { ref, account })
}

/** Of a call that another edge has brought here before, what is held is given back: the first one's holds. */
async function mintCharged(
  context: PolicyContext,
  request: policy.DecideRequest,
  response: policy.DecideResponse,
  { ref, account }: { readonly ref: string; readonly account: AccountEntry },
): Promise<Decision> {
  if (response.verdict?.$case !== 'plan') return mintCall(context, request, response, ref)
  const called = { requestUri: request.requestUri, number: routedNumber(response) }
  const held = await holdCall(context, account, ref, called, response.verdict.value)
  if (held.result === 'failed') {
    context.health.see(held.failure)
    return context.health.toResult(held.failure)
  }
  if (held.result === 'refused') return mintCall(context, request, refuseCall(context, response, held), ref)
  const decision = await mintCall(context, request, { ...response, charge: held.charge }, ref)
  if (decision.outcome === 'done' && decision.value.callRef === ref) return decision
  // An unknown outcome may have put the call on record: its hold is ended by the record, or by its lease.
  if (decision.outcome !== 'unknown') {
    context.health.see(await context.accounts.settle({ account: account.name, ref, price: 0n }))
  }
  return decision
}
