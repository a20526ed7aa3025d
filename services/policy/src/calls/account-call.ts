// SPDX-License-Identifier: MIT
//
// Puts a decision about an INVITE on record: reference and decision are frozen under the server-transaction key, so that
// the same INVITE through any edge gets the same answer. [STATE.md, Reference]
// A rejected call gets its record at once; of a planned one the edge reports how it went.
import type { AccountEntry } from '@tandem/resources'
import type { policy, Result } from '@tandem/rpc'
import { createReference } from '@tandem/store'
import { type Forwards, NO_FORWARDS } from '../charging/forwards.ts'
import { accountOf, holdCall } from '../charging/hold-call.ts'
import { giveBackForwards, holdForwards } from '../charging/hold-forwards.ts'
import { refuseCall } from '../charging/refuse-call.ts'
import type { PolicyContext } from '../context.ts'
import { type ForwardedLegs, isEmpty, NO_LEGS } from '../decide/forwarded-legs.ts'
import { reject } from '../decide/verdicts.ts'
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
  if (subject === undefined || response.verdict?.$case !== 'plan') {
    return callerCall(context, request, response, subject, { ref, account, forwards: NO_FORWARDS })
  }
  const { fraud } = subject.judgement.state
  const { legs = NO_LEGS } = subject
  if ((account !== undefined || !fraud.isEmpty || legs.size > 0) && isEmergency(context, subject)) {
    context.counts.emergencyCalls++
    return mintCall(context, request, response, ref)
  }
  return legs.size === 0
    ? callerCall(context, request, response, subject, { ref, account, forwards: NO_FORWARDS })
    : sentOnCall(context, request, response, subject, { ref, legs })
}

interface Paying {
  readonly ref: string
  /** The caller's; undefined: his calls are neither counted nor charged. */
  readonly account: AccountEntry | undefined
  /** Who else pays. */
  readonly forwards: Forwards
}

/** Rules against fraud and money of the caller. */
function callerCall(
  context: PolicyContext,
  request: policy.DecideRequest,
  response: policy.DecideResponse,
  subject: CallSubject | undefined,
  { ref, account, forwards }: Paying,
): Decision | Promise<Decision> {
  if (subject !== undefined && response.verdict?.$case === 'plan' && !subject.judgement.state.fraud.isEmpty) {
    const checked = selectedBy(context, subject)
    if (checked !== undefined) return checkedCall(context, request, response, subject, { ...checked, ref, forwards })
  }
  return account === undefined
    ? mintCall(context, request, withCost(context, response, forwards), ref)
    : mintCharged(context, request, response, { ref, account, forwards })
}

/** Others pay for legs that they send on: first they hold, then the caller does; of a call that does not begin they have it back. */
async function sentOnCall(
  context: PolicyContext,
  request: policy.DecideRequest,
  response: policy.DecideResponse,
  subject: CallSubject,
  { ref, legs }: { readonly ref: string; readonly legs: ForwardedLegs },
): Promise<Decision> {
  const held = await holdForwards(context, subject, response, legs, ref)
  const { failure, forwards, response: rest } = held
  if (failure !== undefined) {
    await giveBackForwards(context, ref, held)
    return context.health.toResult(failure)
  }
  if (isEmpty(rest)) {
    const refused = reject('forwarding_refused')
    return mintCall(context, request, { ...rest, verdict: refused.verdict }, ref)
  }
  const account = accountOf(context, rest, forwards.own !== undefined)
  const decision = await callerCall(context, request, rest, subject, { ref, account, forwards })
  if (decision.outcome === 'unknown') return decision
  const isOurs = decision.outcome === 'done' && decision.value.callRef === ref
  if (!isOurs || decision.value.verdict?.$case !== 'plan') await giveBackForwards(context, ref, held)
  return decision
}

/** Of a call that another edge has brought here before, what is held is given back: the first one's holds. */
async function mintCharged(
  context: PolicyContext,
  request: policy.DecideRequest,
  response: policy.DecideResponse,
  { ref, account, forwards }: Paying & { readonly account: AccountEntry },
): Promise<Decision> {
  const called = { requestUri: request.requestUri, number: routedNumber(response) }
  const { held, response: planned } = await holdCall(context, account, ref, called, response, { forwards })
  if (held.result === 'failed') {
    context.health.see(held.failure)
    return context.health.toResult(held.failure)
  }
  if (held.result === 'refused') return mintCall(context, request, refuseCall(context, response, held), ref)
  const decision = await mintCall(context, request, { ...planned, charge: held.charge }, ref)
  if (decision.outcome === 'done' && decision.value.callRef === ref) return decision
  // An unknown outcome may have put the call on record: its hold is ended by the record, or by its lease.
  if (decision.outcome !== 'unknown') {
    context.health.see(await context.accounts.settle({ account: account.name, ref, price: 0n }))
  }
  return decision
}
