// SPDX-License-Identifier: MIT
//
// Before a call rings, the price of its first quantum is held for the dearest of its targets. The hold is made under the
// reference that the call is about to get, before decision and reference are frozen: they lie in another slot, so it costs one
// script more. Whoever dies in between leaves a hold that lapses unanswered. [STATE.md, Hold]
import { type AccountEntry, firstQuantum, type Rate } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import type { FraudBegun, FraudCheck, HoldOutcome, HoldRefusal, Stored } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import type { PolicyErrorCode } from '../errors.ts'
import { buyLines } from './buy-rates.ts'
import {
  type ChargeLine,
  type ChargeTerms,
  dearestOf,
  encodeTerms,
  forwardLineFor,
  lineFor,
  withForwards,
} from './charge-terms.ts'
import { findRates } from './find-rates.ts'
import { type Forwards, NO_FORWARDS, withoutOwn } from './forwards.ts'
import { termsOf } from './terms-of.ts'

/** Longer than a call can be in set-up by this: due work has ended it by then, so no hold of a ringing call lapses. */
export const LEASE_MARGIN_MS = 60_000

export type Held =
  | { readonly result: 'held'; readonly charge: string; readonly fraud?: FraudBegun | undefined }
  | {
      readonly result: 'refused'
      readonly code: PolicyErrorCode
      readonly account: AccountEntry
      readonly fraud?: FraudBegun | undefined
    }
  | { readonly result: 'failed'; readonly failure: Exclude<Stored<unknown>, { state: 'stored' }> }

const CODES: Readonly<Record<HoldRefusal, PolicyErrorCode>> = {
  credit: 'credit_exhausted',
  spendHour: 'spend_cap',
  spendDay: 'spend_cap',
  calls: 'too_many_calls',
  rate: 'call_rate',
  currency: 'account_currency',
  blocked: 'account_blocked',
  fraud: 'fraud',
  // Of a reference that nobody has had before: they do not occur.
  settled: 'internal',
  gone: 'internal',
}

/**
 * The account whose calls are counted or charged; undefined: the call goes its way without one.
 *
 * @param isCounted by rules against fraud
 */
export function accountOf(
  context: PolicyContext,
  response: policy.DecideResponse,
  isCounted = false,
): AccountEntry | undefined {
  if (response.account === '' || response.verdict?.$case !== 'plan') return undefined
  const { index, fraud } = context.state
  const account = index.accounts.get(response.account)
  if (account === undefined) return undefined
  return account.metered || account.blocked || isCounted || fraud.blocks ? account : undefined
}

function askForHold(
  context: PolicyContext,
  account: AccountEntry,
  ref: string,
  { amount, fraud }: { readonly amount: bigint; readonly fraud: readonly FraudCheck[] | undefined },
) {
  const { setupDeadlineMs } = context.settings
  return context.accounts.hold({
    account: account.name,
    ref,
    sequence: 0,
    amount,
    answered: false,
    create: true,
    leaseMs: setupDeadlineMs + LEASE_MARGIN_MS,
    terms: termsOf(account),
    ...(fraud !== undefined && { fraud }),
  })
}

/** A rated prefix that is new to the account is known here first. */
export function fillFresh(checks: FraudCheck[] | undefined, dearest: ChargeLine | undefined): void {
  for (const [i, check] of checks?.entries() ?? []) {
    if (checks === undefined || check.kind !== 'fresh') continue
    checks[i] = { ...check, member: dearest?.prefix ?? '', amount: dearest?.rate.perMinute ?? 0n }
  }
}

function read(outcome: Stored<HoldOutcome>, account: AccountEntry, charge: string): Held {
  if (outcome.state !== 'stored') return { result: 'failed', failure: outcome }
  const { value } = outcome
  if (value.result !== 'refused') return { result: 'held', charge, fraud: value.fraud }
  return { result: 'refused', code: CODES[value.why], account, fraud: value.fraud }
}

/** The first quantum of the dearest target; of one that he sends on himself, both his legs. */
function quantumOf({ lines }: ChargeTerms, plan: policy.Plan, { own }: Forwards, quantumMs: number): bigint {
  const dearest = dearestOf(lines, quantumMs)
  let most = dearest === undefined ? 0n : firstQuantum(dearest.rate, quantumMs)
  if (own === undefined) return most
  const first = ({ rate }: { readonly rate: Rate }): bigint => firstQuantum(rate, quantumMs)
  for (const { targets } of plan.steps) {
    for (const { where } of targets) {
      const sentOn = where && forwardLineFor(own, where.value)
      if (sentOn === undefined) continue
      const both = first(sentOn) + first(lineFor({ lines }, where?.value ?? '', quantumMs))
      if (both > most) most = both
    }
  }
  return most
}

interface Called {
  readonly requestUri: string
  readonly number?: string | undefined
}

/**
 * @param ref the reference that the call will have
 * @param checks of rules against fraud; what they miss is put in
 */
async function holdPlan(
  context: PolicyContext,
  account: AccountEntry,
  ref: string,
  request: Called,
  plan: policy.Plan,
  { checks, forwards }: { readonly checks: FraudCheck[] | undefined; readonly forwards: Forwards },
): Promise<Held> {
  if (account.blocked) return { result: 'refused', code: 'account_blocked', account }
  const { number = '' } = request
  const { revision } = context.state.index
  const { legs, own, others } = forwards
  const about = { unixMs: context.now(), revision, number, legs }
  const terms = findRates(account, plan, request.requestUri, about)
  if (terms === undefined) return { result: 'refused', code: 'no_rate', account }
  const { quantumMs } = context.tuning
  const dearest = dearestOf(terms.lines, quantumMs)
  fillFresh(checks, dearest)
  const amount = quantumOf(terms, plan, forwards, quantumMs)
  if (!context.marks.has(account.name)) {
    const marked = await context.marks.ensure(account.name)
    if (marked.state !== 'stored') return { result: 'failed', failure: marked }
  }
  const outcome = await holdLargest(context, account, ref, {
    amount,
    least: quantumOf(terms, plan, forwards, 0),
    fraud: checks,
  })
  const charge = encodeTerms({ ...terms, buy: buyLines(context.state.index, plan, number, about.unixMs, legs) })
  return read(outcome, account, withForwards(charge, own === undefined ? others : [...others, own], revision))
}

const isMoney = ({ code }: { readonly code: PolicyErrorCode }): boolean =>
  code === 'credit_exhausted' || code === 'spend_cap'

/** What was held, and the response that it is for. */
export interface HeldCall {
  readonly held: Held
  readonly response: policy.DecideResponse
}

/**
 * Holds for the caller; where his account can't also pay for what it sends on itself, without those targets.
 *
 * @param ref the reference that the call will have
 * @param checks of rules against fraud; what they miss is put in
 */
export async function holdCall(
  context: PolicyContext,
  account: AccountEntry,
  ref: string,
  request: Called,
  response: policy.DecideResponse,
  { checks, forwards = NO_FORWARDS }: { readonly checks?: FraudCheck[] | undefined; readonly forwards?: Forwards },
): Promise<HeldCall> {
  if (response.verdict?.$case !== 'plan') return { held: { result: 'held', charge: '' }, response }
  const held = await holdPlan(context, account, ref, request, response.verdict.value, { checks, forwards })
  if (forwards.own === undefined || held.result !== 'refused' || !isMoney(held)) return { held, response }
  const rest = withoutOwn(response, forwards, account)
  if (rest === undefined) return { held, response }
  return holdCall(context, account, ref, request, rest.response, { checks, forwards: rest.forwards })
}

/** Where the quantum is more than there is, the first increment will do. */
export async function holdLargest(
  context: PolicyContext,
  account: AccountEntry,
  ref: string,
  {
    amount,
    least,
    fraud,
  }: { readonly amount: bigint; readonly least: bigint; readonly fraud: readonly FraudCheck[] | undefined },
): Promise<Stored<HoldOutcome>> {
  const outcome = await askForHold(context, account, ref, { amount, fraud })
  const isShort = outcome.state === 'stored' && isShortOf(outcome.value, least)
  if (!isShort || least >= amount) return outcome
  return askForHold(context, account, ref, { amount: least, fraud })
}

/** Of money: what a rule against fraud stops costs nothing more. */
const isShortOf = (outcome: HoldOutcome, least: bigint): boolean =>
  outcome.result === 'refused' && outcome.why !== 'fraud' && outcome.available >= least
