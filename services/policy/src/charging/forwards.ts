// SPDX-License-Identifier: MIT
//
// Who pays besides the caller, as a decision has it: legs that accounts send on by a trunk, and what these hold for them.
import type { AccountEntry } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import { type ForwardedLegs, isEmpty, NO_LEGS, withoutLegs, withoutTargets } from '../decide/forwarded-legs.ts'
import type { ForwardTerms } from './charge-terms.ts'

export interface Forwards {
  /** That are in the plan. */
  readonly legs: ForwardedLegs
  /** Of other accounts than the caller's: each has its hold. */
  readonly others: readonly ForwardTerms[]
  /** Of the caller's own account: one hold, with what he pays as the caller. */
  readonly own: ForwardTerms | undefined
}

export const NO_FORWARDS: Forwards = Object.freeze({ legs: NO_LEGS, others: [], own: undefined })

/** Without what the caller's own account sends on; undefined: nobody would ring. */
export function withoutOwn(response: policy.DecideResponse, forwards: Forwards, { name }: AccountEntry) {
  const dropped = new Set<policy.Target>()
  for (const [target, { account }] of forwards.legs) if (account.name === name) dropped.add(target)
  const rest = withoutTargets(response, dropped)
  if (isEmpty(rest)) return undefined
  return { response: rest, forwards: { ...forwards, own: undefined, legs: withoutLegs(forwards.legs, dropped) } }
}
