// SPDX-License-Identifier: MIT
//
// The rates of a plan's targets, by the number that each one is. A target within the cluster is free unless the rate plan says
// otherwise. A target without a rate refuses the call: what has no price is not sold.
import { type AccountEntry, parsePhoneNumber } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import { splitUri } from '../decide/uri-parts.ts'
import { type ChargeLine, type ChargeTerms, FREE_RATE } from './charge-terms.ts'

/** Canonical; '' for what is no number. */
function numberOf(uri: string): string {
  const { telephone, user } = splitUri(uri)
  return parsePhoneNumber(telephone || user)?.number ?? ''
}

function lineOf(account: AccountEntry, target: policy.Target, dialled: string, unixMs: number): ChargeLine | undefined {
  const { ratePlan } = account
  const { where } = target
  const uri = where?.value ?? ''
  if (ratePlan === undefined || (where?.$case === 'aor' && !ratePlan.ratesOnNet)) {
    return { targets: [uri], prefix: '', rate: FREE_RATE }
  }
  // A trunk has the number in a form of its own.
  const number = target.trunkLeg === undefined ? numberOf(uri) || dialled : dialled
  const found = ratePlan.find(number, unixMs)
  return found && { targets: [uri], prefix: found.prefix, rate: found.rate }
}

/** Targets of one rate in one line. */
function merge(lines: readonly ChargeLine[]): ChargeLine[] {
  const merged: ChargeLine[] = []
  for (const line of lines) {
    const at = merged.findIndex(({ rate, prefix }) => rate === line.rate && prefix === line.prefix)
    const same = merged[at]
    if (same === undefined) merged.push(line)
    else merged[at] = { ...same, targets: [...same.targets, ...line.targets] }
  }
  const [only] = merged
  return only !== undefined && merged.length === 1 ? [{ ...only, targets: [] }] : merged
}

/**
 * @param about `unixMs` wall clock, for validity and peak hours; `number` that is called, where it is not what the Request-URI shows
 * @returns undefined where a target has no rate
 */
export function findRates(
  account: AccountEntry,
  plan: policy.Plan,
  requestUri: string,
  about: { readonly unixMs: number; readonly revision: string; readonly number?: string },
): ChargeTerms | undefined {
  const dialled = about.number || numberOf(requestUri)
  const lines: ChargeLine[] = []
  for (const { targets } of plan.steps) {
    for (const target of targets) {
      const line = lineOf(account, target, dialled, about.unixMs)
      if (line === undefined) return undefined
      lines.push(line)
    }
  }
  const { currency, ratePlan } = account
  return { currency, ratePlan: ratePlan?.name ?? '', revision: about.revision, lines: merge(lines) }
}
