// SPDX-License-Identifier: MIT
//
// What an admission leaves open is the cluster's own: expiry of registrations and subscriptions, contacts of an address-of-record.
import type { policy, Result } from '@tandem/rpc'
import type { EdgeConfig } from '@tandem/service-kit'

type Own = EdgeConfig['registration']
type Expiry = Pick<policy.Admit, 'minExpiresS' | 'maxExpiresS' | 'defaultExpiresS'>

/** As long as `location.maxExpiresMs` may be. */
const LONGEST_S = 604_800

/** @param decided an Admit or a WatchRegistrations; the very same where it says everything */
export function withDefaults(decided: Result<policy.DecideResponse>, own: Own): Result<policy.DecideResponse> {
  if (decided.outcome !== 'done') return decided
  const { verdict } = decided.value
  if (verdict?.$case === 'admit') {
    if (isWhole(verdict.value) && verdict.value.maxContacts > 0) return decided
    const value = {
      ...verdict.value,
      ...expiry(verdict.value, own),
      maxContacts: verdict.value.maxContacts || own.maxContacts,
    }
    return { outcome: 'done', value: { ...decided.value, verdict: { $case: 'admit', value } } }
  }
  if (verdict?.$case !== 'watchRegistrations' || isWhole(verdict.value)) return decided
  const value = { ...verdict.value, ...expiry(verdict.value, own) }
  return { outcome: 'done', value: { ...decided.value, verdict: { $case: 'watchRegistrations', value } } }
}

function isWhole({ minExpiresS, maxExpiresS, defaultExpiresS }: Expiry): boolean {
  return minExpiresS > 0 && defaultExpiresS >= minExpiresS && maxExpiresS >= defaultExpiresS && maxExpiresS <= LONGEST_S
}

function expiry({ minExpiresS, maxExpiresS, defaultExpiresS }: Expiry, own: Own): Expiry {
  const max = Math.min(maxExpiresS || own.maxExpiresMs / 1000, LONGEST_S)
  const min = Math.min(minExpiresS || own.minExpiresMs / 1000, max)
  const usual = Math.min(Math.max(defaultExpiresS || own.defaultExpiresMs / 1000, min), max)
  return { minExpiresS: Math.floor(min), maxExpiresS: Math.floor(max), defaultExpiresS: Math.floor(usual) }
}
