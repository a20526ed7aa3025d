// SPDX-License-Identifier: MIT
import type { AccountEntry } from '@tandem/resources'
import type { AccountTerms } from '@tandem/store'

/** The bounds of an account as the store wants them. */
export function termsOf({
  currency,
  creditLimit,
  maxCalls,
  callsPerSecond,
  spendPerHour,
  spendPerDay,
}: AccountEntry): AccountTerms {
  return { currency, creditLimit, maxCalls, callsPerSecond, spendPerHour, spendPerDay }
}

/** Of an account that is no resource any more: what its calls hold stays, and nothing more is granted. */
export const nothingMore = (currency: string): AccountTerms => ({
  currency,
  creditLimit: 0n,
  maxCalls: undefined,
  callsPerSecond: undefined,
  spendPerHour: 0n,
  spendPerDay: 0n,
})
