// SPDX-License-Identifier: MIT
//
// Before a call rings, each account that sends it on by a trunk holds the first quantum of its dearest leg, in a slot of its own, under
// the reference of the call. One that can't, that has no rate, or that a rule against fraud stops, loses its targets and nothing else: the
// rest of the plan rings, at the cost of others. Of the caller's own account nothing is held here (hold-call.ts). [STATE.md, Hold]
// Whoever dies after the first of several holds leaves some that lapse unanswered.
import { type AccountEntry, firstQuantum } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import type { PolicyContext } from '../context.ts'
import { type ForwardedLegs, withoutLegs, withoutTargets } from '../decide/forwarded-legs.ts'
import { type BegunSlot, cancelSlots, findingsOf } from '../fraud/begin-call.ts'
import type { CallSubject } from '../fraud/call-facts.ts'
import { withVerdict } from '../fraud/checked-call.ts'
import { act, type Finding } from '../fraud/findings.ts'
import { lastingTerms } from '../fraud/fraud-terms.ts'
import type { SlotChecks } from '../fraud/inspect.ts'
import { inspectLegs } from '../fraud/sent-on.ts'
import type { Failure } from '../store-health.ts'
import { dearestOf, type ForwardTerms } from './charge-terms.ts'
import { forwardRates } from './find-rates.ts'
import type { Forwards } from './forwards.ts'
import { fillFresh, holdLargest } from './hold-call.ts'

export interface HeldForwards {
  /** Without the targets that nobody pays for. */
  readonly response: policy.DecideResponse
  readonly forwards: Forwards
  /** Counters that have counted them. */
  readonly slots: readonly BegunSlot[]
  /** The store does not say of one: the call can't go on, and what the others hold is given back. */
  readonly failure: Failure | undefined
}

interface Holding {
  readonly context: PolicyContext
  readonly subject: CallSubject
  readonly ref: string
  readonly dropped: Set<policy.Target>
  readonly others: ForwardTerms[]
  readonly slots: BegunSlot[]
  /** With the account of which it is. */
  readonly findings: (Finding & { readonly account: string })[]
  own: ForwardTerms | undefined
}

const ofAccount = (legs: ForwardedLegs, { name }: AccountEntry): ForwardedLegs =>
  new Map([...legs].filter(([, { account }]) => account.name === name))

function drop({ context, dropped }: Holding, legs: ForwardedLegs): void {
  context.counts.forwardersRefused++
  for (const target of legs.keys()) dropped.add(target)
}

const find = ({ findings }: Holding, { name }: AccountEntry, found: readonly Finding[]): void => {
  for (const one of found) findings.push({ ...one, account: name })
}

/** @returns where the store does not say */
async function hold(
  holding: Holding,
  account: AccountEntry,
  legs: ForwardedLegs,
  terms: ForwardTerms,
  checks: SlotChecks | undefined,
): Promise<Failure | undefined> {
  const { context, ref, others, slots } = holding
  const { quantumMs } = context.tuning
  const dearest = dearestOf(terms.lines, quantumMs)
  fillFresh(checks?.checks, dearest)
  const marked = await context.marks.ensure(account.name)
  if (!context.health.see(marked)) return marked as Failure
  const outcome = await holdLargest(context, account, ref, {
    amount: dearest === undefined ? 0n : firstQuantum(dearest.rate, quantumMs),
    least: dearest === undefined ? 0n : firstQuantum(dearest.rate, 0),
    fraud: checks?.checks,
  })
  if (!context.health.see(outcome)) return outcome as Failure
  const { result, fraud: begun } = outcome.value
  if (checks !== undefined && begun !== undefined) find(holding, account, findingsOf(checks, begun))
  if (result === 'refused') {
    drop(holding, legs)
    return undefined
  }
  if (checks !== undefined && begun !== undefined) slots.push({ at: checks, begun })
  others.push(terms)
  return undefined
}

async function holdFor(holding: Holding, account: AccountEntry, all: ForwardedLegs, caller: string) {
  const { context, subject, dropped } = holding
  if (account.blocked) {
    drop(holding, all)
    return undefined
  }
  const inspected = inspectLegs(context, subject, all)
  find(holding, account, inspected.findings)
  for (const target of inspected.stopped) dropped.add(target)
  const legs = withoutLegs(all, dropped)
  const { lines, unrated } = forwardRates(account, legs, context.now())
  for (const target of unrated) dropped.add(target)
  if (inspected.stopped.length > 0 || unrated.length > 0) context.counts.forwardersRefused++
  if (lines.length === 0) return undefined
  const { name, currency, ratePlan } = account
  const checks = name === caller ? undefined : inspected.account
  const fraud = checks === undefined ? [] : lastingTerms([checks])
  const terms = { account: name, currency, ratePlan: ratePlan?.name ?? '', lines, fraud }
  if (name !== caller) return hold(holding, account, legs, terms, checks)
  holding.own = terms
  return undefined
}

export async function holdForwards(
  context: PolicyContext,
  subject: CallSubject,
  response: policy.DecideResponse,
  legs: ForwardedLegs,
  ref: string,
): Promise<HeldForwards> {
  const begun = { others: [], slots: [], findings: [], own: undefined, dropped: new Set<policy.Target>() }
  const holding: Holding = { context, subject, ref, ...begun }
  let failure: Failure | undefined
  for (const account of new Set([...legs.values()].map((leg) => leg.account))) {
    failure = await holdFor(holding, account, ofAccount(legs, account), response.account)
    if (failure !== undefined) break
  }
  const { dropped, others, own, slots, findings } = holding
  for (const one of findings) await act(context, [one], findingCall(subject, one.account, ref))
  const rest = withoutTargets(withVerdict(response, findings), dropped)
  return { response: rest, forwards: { legs: withoutLegs(legs, dropped), others, own }, slots, failure }
}

const findingCall = ({ judgement: { request } }: CallSubject, account: string, ref: string) => ({
  ref,
  account,
  source: request.source?.address ?? '',
  caller: request.from,
  callee: request.requestUri,
})

/** Of a call that does not begin under this reference. */
export async function giveBackForwards(context: PolicyContext, ref: string, { forwards, slots }: HeldForwards) {
  await cancelSlots(context, slots, ref)
  for (const { account } of forwards.others) {
    context.health.see(await context.accounts.settle({ account, ref, price: 0n }))
  }
}
