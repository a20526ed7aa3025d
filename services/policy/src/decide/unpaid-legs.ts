// SPDX-License-Identifier: MIT
//
// Legs that leave by a trunk because somebody sends the call on, and for which nobody can pay: he has no account, nor has his domain.
// Where accounts have prices or bounds they are left out of the plan: nobody calls abroad through somebody's forwarding for nothing, or at the
// caller's cost. So is what more than MAX_PAYERS accounts would pay for, and a place that two would: what answers there
// could not be told apart. What else the plan says stays; an empty step fails at once and goes on as it says.
import type { AccountEntry, PlanStep, PlanTarget, PlanVerdict } from '@tandem/resources'
import { placeOf } from '../charging/charge-terms.ts'

/** Accounts that pay for one call, but for the caller's. */
export const MAX_PAYERS = 4

type Accounts = ReadonlyMap<string, AccountEntry>

const isSentOn = ({ trunkLeg, retarget, payer }: PlanTarget): boolean =>
  trunkLeg !== undefined && (retarget !== undefined || payer !== undefined)

const leaves = (step: PlanStep): boolean => step.targets.some(({ trunkLeg }) => trunkLeg !== undefined)

const LEFT_OUT = Object.freeze({
  resource: '',
  text: 'sent on by a trunk: left out, because nobody who sends it on has an account',
})

/** Says of one target after another whether it is paid for. */
function payable(accounts: Accounts): (target: PlanTarget) => boolean {
  const payers = new Set<string>()
  const places = new Map<string, string>()
  return ({ trunkLeg, retarget, payer = '', uri }) => {
    if (trunkLeg === undefined) return true
    const isKnown = payer !== '' && accounts.has(payer)
    if (!isKnown && (retarget !== undefined || payer !== '')) return false
    const place = placeOf(uri)
    const first = places.get(place) ?? payer
    if (first !== payer) return false
    if (isKnown && !payers.has(payer) && payers.size >= MAX_PAYERS) return false
    if (isKnown) payers.add(payer)
    places.set(place, payer)
    return true
  }
}

/** @returns the very verdict where nothing has to be left out */
export function withoutUnpaid(verdict: PlanVerdict, accounts: Accounts): PlanVerdict {
  if (!verdict.steps.some(({ targets }) => targets.some(isSentOn))) return verdict
  const isPaid = payable(accounts)
  let left = 0
  const steps = verdict.steps.map((step) => {
    const targets = step.targets.filter(isPaid)
    left += step.targets.length - targets.length
    return targets.length === step.targets.length ? step : { ...step, targets }
  })
  if (left === 0) return verdict
  const rest: PlanVerdict = { ...verdict, steps, reasons: [...verdict.reasons, LEFT_OUT] }
  if (steps.some(leaves)) return rest
  // Nothing is called outside any more: there is no number to rate.
  const { number: _number, ...within } = rest
  return within
}
