// SPDX-License-Identifier: MIT
//
// Forwarded calls that would leave by a trunk. Who forwards is to pay for that leg (STATE.md, "Hold"), and there is no charge line of a
// forwarder yet: so where accounts have prices or bounds such legs are left out of the plan. Nobody calls abroad through somebody's
// forwarding for nothing, or at the caller's cost. What else the plan says stays; an empty step fails at once and goes on as it says.
import type { PlanStep, PlanTarget, PlanVerdict } from '@tandem/resources'

const isUnpaid = ({ trunkLeg, retarget }: PlanTarget): boolean => trunkLeg !== undefined && retarget !== undefined

const leaves = (step: PlanStep): boolean => step.targets.some(({ trunkLeg }) => trunkLeg !== undefined)

const LEFT_OUT = Object.freeze({
  resource: '',
  text: 'forwarded by a trunk: left out, because who forwards can not be charged yet',
})

/** @returns the very verdict where nothing of it is forwarded out of the cluster */
export function withoutUnpaid(verdict: PlanVerdict): PlanVerdict {
  if (!verdict.steps.some(({ targets }) => targets.some(isUnpaid))) return verdict
  const steps = verdict.steps.map((step) => ({ ...step, targets: step.targets.filter((one) => !isUnpaid(one)) }))
  const rest: PlanVerdict = { ...verdict, steps, reasons: [...verdict.reasons, LEFT_OUT] }
  if (steps.some(leaves)) return rest
  // Nothing is called outside any more: there is no number to rate.
  const { number: _number, ...within } = rest
  return within
}
