// SPDX-License-Identifier: MIT
//
// Legs of a plan for which somebody else than the caller pays: those that a subscriber, a hunt group or a call flow with an account sends
// out by a trunk. By the target of the wire, which is the same object from the plan to the hold. A call without any has NO_LEGS.
import type { AccountEntry, PlanVerdict, ResourceIndex } from '@tandem/resources'
import type { policy } from '@tandem/rpc'

export interface ForwardedLeg {
  readonly account: AccountEntry
  /** That is called there, canonical. */
  readonly number: string
  /** Address-of-record of who sends it on; '' where nobody is told. */
  readonly from: string
}

export type ForwardedLegs = ReadonlyMap<policy.Target, ForwardedLeg>

export const NO_LEGS: ForwardedLegs = new Map()

function hasPayer({ steps }: PlanVerdict): boolean {
  for (const { targets } of steps) for (const { payer } of targets) if (payer !== undefined) return true
  return false
}

/** @param response made of the verdict: its targets stand where those of the verdict stand */
export function forwardedLegs(
  { accounts }: ResourceIndex,
  verdict: PlanVerdict,
  response: policy.DecideResponse,
): ForwardedLegs {
  if (response.verdict?.$case !== 'plan' || !hasPayer(verdict)) return NO_LEGS
  const { steps } = response.verdict.value
  let legs: Map<policy.Target, ForwardedLeg> | undefined
  for (const [i, { targets }] of verdict.steps.entries()) {
    for (const [j, { payer, number = '', retarget }] of targets.entries()) {
      const account = payer === undefined ? undefined : accounts.get(payer)
      const target = steps[i]?.targets[j]
      if (account === undefined || target === undefined) continue
      legs ??= new Map()
      legs.set(target, { account, number, from: retarget?.from ?? '' })
    }
  }
  return legs ?? NO_LEGS
}

/** The plan without these targets; steps stay, so that exits lead where they led. */
export function withoutTargets(response: policy.DecideResponse, dropped: ReadonlySet<policy.Target>) {
  if (dropped.size === 0 || response.verdict?.$case !== 'plan') return response
  const { value } = response.verdict
  const steps = value.steps.map((step) => ({ ...step, targets: step.targets.filter((one) => !dropped.has(one)) }))
  return { ...response, verdict: { $case: 'plan' as const, value: { ...value, steps } } }
}

export function withoutLegs(legs: ForwardedLegs, dropped: ReadonlySet<policy.Target>): ForwardedLegs {
  return dropped.size === 0 ? legs : new Map([...legs].filter(([target]) => !dropped.has(target)))
}

/** Nobody would ring. */
export const isEmpty = ({ verdict }: policy.DecideResponse): boolean =>
  verdict?.$case === 'plan' && verdict.value.steps.every(({ targets }) => targets.length === 0)
