// SPDX-License-Identifier: MIT
//
// What a call that has begun still owes the counters: leases to renew, talk and price to add. Frozen with its decision in the text of its charge,
// so that whoever renews or settles needs nothing else. Levels and actions are those of the revision at hand: a rule that
// is gone finds nothing any more, and what it counted expires.
import type { FraudCounter, FraudKind, FraudSlot } from '@tandem/store'
import type { SlotChecks } from './inspect.ts'

/** `single` is no counter of the store: the talk of this call. */
export type TermKind = FraudKind | 'single'

export interface FraudTerm {
  readonly counter: string
  readonly kind: TermKind
  readonly windowMs: number
  readonly member: string
}

/** Of one subject. */
export interface FraudTerms {
  readonly slot: FraudSlot
  readonly terms: readonly FraudTerm[]
}

const LASTING: ReadonlySet<TermKind> = new Set(['live', 'countries', 'talk', 'spend', 'short', 'single'])

/** Nothing of what only counts beginnings. */
export function lastingTerms(slots: readonly SlotChecks[]): FraudTerms[] {
  const lasting: FraudTerms[] = []
  for (const { slot, checks, singles } of slots) {
    const terms: FraudTerm[] = []
    for (const { counter, kind, windowMs, member } of checks) {
      if (LASTING.has(kind)) terms.push({ counter, kind, windowMs, member })
    }
    for (const { counter } of singles) terms.push({ counter, kind: 'single', windowMs: 0, member: '' })
    if (terms.length > 0) lasting.push({ slot, terms })
  }
  return lasting
}

const isCounter = (term: FraudTerm): term is FraudTerm & { readonly kind: FraudKind } => term.kind !== 'single'

export const countersOf = ({ terms }: FraudTerms): FraudCounter[] => terms.filter(isCounter)

type TermText = readonly [counter: string, kind: TermKind, windowMs: number, member: string]

/** As it stands in the text of a charge. */
export interface FraudTermsText {
  readonly s: string
  readonly x: string
  readonly c: readonly TermText[]
}

export const fraudText = (all: readonly FraudTerms[]): FraudTermsText[] =>
  all.map(({ slot, terms }) => ({
    s: slot.scope,
    x: slot.subject,
    c: terms.map(({ counter, kind, windowMs, member }): TermText => [counter, kind, windowMs, member]),
  }))

export const readFraudText = (all: readonly FraudTermsText[] = []): FraudTerms[] =>
  all.map(({ s: scope, x: subject, c }) => ({
    slot: { scope, subject },
    terms: c.map(([counter, kind, windowMs, member]) => ({ counter, kind, windowMs, member })),
  }))
