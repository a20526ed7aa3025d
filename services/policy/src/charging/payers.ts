// SPDX-License-Identifier: MIT
//
// Who pays for a call that has been answered, and at which rates: the caller by the target that answered, and whoever sent the call on to
// that target. Each account is one line with the sum of its rates, in its own slot under the reference of the call: an account that is both
// holds and is charged once. What the target is, is frozen with the answer, so every look at the call finds the same. [STATE.md, Hold]
import type { Rate } from '@tandem/resources'
import type { ChargedCall } from '@tandem/store'
import { type ChargeLine, type ChargeTerms, type ForwardTerms, forwardLineFor, lineFor } from './charge-terms.ts'

export interface Payer {
  readonly account: string
  readonly currency: string
  readonly rates: readonly Rate[]
}

/** What one account pays because it sent the call on. */
export interface SentOn {
  readonly terms: ForwardTerms
  readonly line: ChargeLine
}

export interface Payers {
  /** The caller's line; free where he pays nothing. */
  readonly line: ChargeLine
  /** Each account once. None: the call is only counted. */
  readonly payers: readonly Payer[]
  readonly sentOn: readonly SentOn[]
  /** Accounts of which another target than theirs has answered. */
  readonly spared: readonly ForwardTerms[]
}

const NOTHING_SENT_ON = { sentOn: [], spared: [] } as const

/** @param target that answered; one that is nobody's is the caller's */
export function payersOf(terms: ChargeTerms, { account }: ChargedCall, target: string, quantumMs: number): Payers {
  const line = lineFor(terms, target, quantumMs)
  const { currency, lines, forwards } = terms
  const caller: readonly Payer[] = lines.length === 0 ? [] : [{ account, currency, rates: [line.rate] }]
  if (forwards === undefined) return { line, payers: caller, ...NOTHING_SENT_ON }
  const payers = [...caller]
  const sentOn: SentOn[] = []
  const spared: ForwardTerms[] = []
  for (const one of forwards) {
    const own = forwardLineFor(one, target)
    const at = payers.findIndex((payer) => payer.account === one.account)
    const known = payers[at]
    if (own !== undefined) sentOn.push({ terms: one, line: own })
    else if (known === undefined) spared.push(one)
    if (own === undefined) continue
    if (known === undefined) payers.push({ account: one.account, currency: one.currency, rates: [own.rate] })
    else payers[at] = { ...known, rates: [...known.rates, own.rate] }
  }
  return { line, payers, sentOn, spared }
}
