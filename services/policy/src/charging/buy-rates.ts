// SPDX-License-Identifier: MIT
//
// What the trunks of a plan cost the cluster, by their own rate plans: frozen with the decision as what the caller pays is.
import type { ResourceIndex } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import { type ForwardedLegs, NO_LEGS } from '../decide/forwarded-legs.ts'
import type { BuyLine } from './charge-terms.ts'

const NONE: readonly BuyLine[] = Object.freeze([])

/** @param number that is called, canonical. @param unixMs wall clock. @param legs that somebody sends on, to numbers of their own */
export function buyLines(
  { routing }: ResourceIndex,
  plan: policy.Plan,
  number: string,
  unixMs: number,
  legs: ForwardedLegs = NO_LEGS,
) {
  if (routing.trunks.size === 0) return NONE
  const byTrunk = new Map<string, BuyLine & { readonly targets: string[] }>()
  for (const { targets } of plan.steps) {
    for (const target of targets) {
      const { trunkLeg, where } = target
      if (trunkLeg === undefined || where === undefined) continue
      const called = legs.get(target)?.number ?? number
      const key = `${trunkLeg.trunk} ${called}`
      const known = byTrunk.get(key)
      if (known !== undefined) {
        known.targets.push(where.value)
        continue
      }
      const buyPlan = routing.trunks.get(trunkLeg.trunk)?.buyPlan
      const found = buyPlan?.find(called, unixMs)
      if (buyPlan === undefined || found === undefined) continue
      byTrunk.set(key, { targets: [where.value], currency: buyPlan.currency, rate: found.rate })
    }
  }
  return byTrunk.size === 0 ? NONE : [...byTrunk.values()]
}
