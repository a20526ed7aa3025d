// SPDX-License-Identifier: MIT
//
// The rates of a plan's targets, by the number that each one is. A target within the cluster is free unless the rate plan says
// otherwise. A target without a rate refuses the call: what has no price is not sold.
import { type AccountEntry, parsePhoneNumber } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import { type ForwardedLegs, NO_LEGS } from '../decide/forwarded-legs.ts'
import { splitUri } from '../decide/uri-parts.ts'
import { type ChargeLine, type ChargeTerms, FREE_RATE } from './charge-terms.ts'

const FREE = { prefix: '', rate: FREE_RATE }

/** Canonical; '' for what is no number. */
function numberOf(uri: string): string {
  const { telephone, user } = splitUri(uri)
  return parsePhoneNumber(telephone || user)?.number ?? ''
}

interface Called {
  /** That the caller dialled. */
  readonly number: string
  /** In the Request-URI. */
  readonly requested: string
  readonly legs: ForwardedLegs
  readonly unixMs: number
}

/** A trunk has the number in a form of its own. For what is sent on, the caller pays as if who does so had answered. */
function numberFor(target: policy.Target, { number, requested, legs }: Called): string {
  const leg = legs.get(target)
  if (leg !== undefined) return numberOf(leg.from) || requested
  return target.trunkLeg === undefined ? numberOf(target.where?.value ?? '') || number : number
}

function lineOf(account: AccountEntry, target: policy.Target, called: Called): ChargeLine | undefined {
  const { ratePlan } = account
  const { where } = target
  const uri = where?.value ?? ''
  const isWithin = where?.$case === 'aor' || called.legs.has(target)
  if (ratePlan === undefined || (isWithin && !ratePlan.ratesOnNet)) {
    return { targets: [uri], prefix: '', rate: FREE_RATE }
  }
  const number = numberFor(target, called)
  const found = ratePlan.find(number, called.unixMs)
  return found && { targets: [uri], prefix: found.prefix, rate: found.rate }
}

/** Targets of one rate in one line. */
function sameRates(lines: readonly ChargeLine[]): ChargeLine[] {
  const merged: ChargeLine[] = []
  for (const line of lines) {
    const at = merged.findIndex(({ rate, prefix }) => rate === line.rate && prefix === line.prefix)
    const same = merged[at]
    if (same === undefined) merged.push(line)
    else merged[at] = { ...same, targets: [...same.targets, ...line.targets] }
  }
  return merged
}

function merge(lines: readonly ChargeLine[]): ChargeLine[] {
  const merged = sameRates(lines)
  const [only] = merged
  return only !== undefined && merged.length === 1 ? [{ ...only, targets: [] }] : merged
}

/**
 * The rates at which an account pays for what it sends on.
 *
 * @returns the targets without a rate apart
 */
export function forwardRates(
  account: AccountEntry,
  legs: ForwardedLegs,
  unixMs: number,
): { readonly lines: readonly ChargeLine[]; readonly unrated: readonly policy.Target[] } {
  const lines: ChargeLine[] = []
  const unrated: policy.Target[] = []
  for (const [target, { account: payer, number }] of legs) {
    if (payer.name !== account.name) continue
    const found = account.ratePlan === undefined ? FREE : account.ratePlan.find(number, unixMs)
    if (found === undefined) unrated.push(target)
    else lines.push({ targets: [target.where?.value ?? ''], prefix: found.prefix, rate: found.rate })
  }
  return { lines: sameRates(lines), unrated }
}

/**
 * @param about `legs` that somebody sends on; `unixMs` wall clock, for validity and peak hours; `number` that is called, where it is not what the Request-URI shows
 * @returns undefined where a target has no rate
 */
export function findRates(
  account: AccountEntry,
  plan: policy.Plan,
  requestUri: string,
  about: {
    readonly unixMs: number
    readonly revision: string
    readonly number?: string
    readonly legs?: ForwardedLegs | undefined
  },
): ChargeTerms | undefined {
  const requested = numberOf(requestUri)
  const { unixMs, legs = NO_LEGS } = about
  const called = { number: about.number || requested, requested, legs, unixMs }
  const lines: ChargeLine[] = []
  for (const { targets } of plan.steps) {
    for (const target of targets) {
      const line = lineOf(account, target, called)
      if (line === undefined) return undefined
      lines.push(line)
    }
  }
  const { currency, ratePlan } = account
  return { currency, ratePlan: ratePlan?.name ?? '', revision: about.revision, lines: merge(lines) }
}
