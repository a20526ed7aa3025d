// SPDX-License-Identifier: MIT
//
// Rules against fraud at legs that an account sends on by a trunk: those that select him and the number to which he sends. Lists and hours
// stop the leg, counters of his account stop all of them. Leaves out counters of other subjects: they count the call once, as the
// caller's.
import type { policy } from '@tandem/rpc'
import type { PolicyContext } from '../context.ts'
import type { ForwardedLeg, ForwardedLegs } from '../decide/forwarded-legs.ts'
import { splitUri } from '../decide/uri-parts.ts'
import { type CallSubject, callOf } from './call-facts.ts'
import type { Finding } from './findings.ts'
import type { FraudCall } from './fraud-call.ts'
import { inspect, type SlotChecks } from './inspect.ts'

export interface InspectedLegs {
  readonly findings: readonly Finding[]
  readonly stopped: readonly policy.Target[]
  /** Counters of the account; undefined: none. */
  readonly account: SlotChecks | undefined
}

const NOTHING: InspectedLegs = Object.freeze({ findings: [], stopped: [], account: undefined })

function sentOn(call: FraudCall, target: policy.Target, { account, number, from }: ForwardedLeg): FraudCall {
  const domain = from === '' ? call.domain : splitUri(from).host
  const callee = target.where?.value ?? ''
  const trunk = target.trunkLeg?.trunk ?? ''
  return { ...call, account: account.name, subscriber: from, domain, trunk, number, dialled: '', callee }
}

/** @param legs of one account */
export function inspectLegs(context: PolicyContext, subject: CallSubject, legs: ForwardedLegs): InspectedLegs {
  const { fraud } = subject.judgement.state
  if (fraud.isEmpty) return NOTHING
  const call = callOf(context, subject)
  const found: Finding[] = []
  const stopped: policy.Target[] = []
  let checks: SlotChecks | undefined
  for (const [target, leg] of legs) {
    const as = sentOn(call, target, leg)
    // Who sends the call on is not there to be asked.
    const {
      findings,
      stopped: isStopped,
      account,
    } = inspect(context, fraud.select(as, context.fraud.ports, context.now()), as, 'impossible')
    for (const one of findings) if (!found.some(({ check }) => check === one.check)) found.push(one)
    if (isStopped) stopped.push(target)
    else checks ??= account
  }
  return { findings: found, stopped, account: checks }
}
