// SPDX-License-Identifier: MIT
//
// An answered call: its hold pays for the talk that is granted, and grows before that is used up. Done by whoever takes the report of
// the answer, then by any node as due work. What is asked for is the price of all talk up to a moment, so a repeat, or
// two nodes at once, hold no more than one. When not even one increment more can be held, the hang-up is planned for the paid
// millisecond; a top-up in time moves it. [STATE.md, Answer]
import { paidMs, price } from '@tandem/resources'
import type { ChargedCall, HoldOutcome, Stored } from '@tandem/store'
import { HANG_UP_REASONS, requestHangUp } from '../calls/hang-up.ts'
import type { PolicyContext } from '../context.ts'
import { lookAtFraud, nextFraudLookMs, planFraudEnd } from '../fraud/in-call.ts'
import { type ChargeTerms, FREE_RATE, lineFor, parseTerms } from './charge-terms.ts'
import { nothingMore, termsOf } from './terms-of.ts'

/** A call that costs nothing more is looked at this often: its hold is what counts it. */
const FREE_LOOK_MS = 10 * 60_000
/** The hold of an answered call outlives the talk that it pays for by this: time for any node to renew or settle it. */
const LEASE_SLACK_MS = 60_000
/** After a refusal it is tried again: somebody may have topped up. */
const RETRY_MS = 5_000
const SOONEST_LOOK_MS = 250

export interface Grant {
  /** Of talk, from now on; undefined: no limit. Never negative. */
  readonly paidMs: number | undefined
}

interface Renewal {
  readonly context: PolicyContext
  readonly charged: ChargedCall
  readonly terms: ChargeTerms
  readonly rate: ReturnType<typeof lineFor>['rate']
  readonly talkMs: number
  readonly create: boolean
  /** Until rules against fraud want to look at the call. */
  readonly fraudLookMs: number
}

/** From 1 on, and later ones larger: so that each look has its own. */
const sequenceAt = (talkMs: number): number => 1 + Math.floor(talkMs / 1_000)

function ask({ context, charged, terms, rate, create, talkMs }: Renewal, sequence: number, amount: bigint) {
  const account = context.state.index.accounts.get(charged.account)
  const paid = paidMs(rate, amount)
  const leaseMs = Number.isFinite(paid) ? Math.max(0, paid - talkMs) + LEASE_SLACK_MS : 2 * FREE_LOOK_MS
  return context.accounts.hold({
    account: charged.account,
    ref: charged.ref,
    sequence,
    amount,
    answered: true,
    create,
    leaseMs,
    terms: account === undefined ? nothingMore(terms.currency) : termsOf(account),
  })
}

/** The next quantum, or as many increments of it as there is money for. */
async function grow(renewal: Renewal): Promise<Stored<HoldOutcome>> {
  const { context, rate, talkMs } = renewal
  const wanted = price(rate, talkMs + context.tuning.renewAheadMs + context.tuning.quantumMs)
  const whole = await askUntilNew(renewal, wanted)
  if (whole.state !== 'stored' || whole.value.result !== 'refused') return whole
  const { available, sequence, amount } = whole.value
  if (available === 0n || sequence < 0) return whole
  const affordable = paidMs(rate, amount + available)
  const partial = Number.isFinite(affordable) ? price(rate, affordable) : amount
  return partial > amount ? ask(renewal, sequence + 1, partial) : whole
}

/** Where this moment's sequence was there and holds less, the next one. */
async function askUntilNew(renewal: Renewal, wanted: bigint): Promise<Stored<HoldOutcome>> {
  const first = await ask(renewal, sequenceAt(renewal.talkMs), wanted)
  if (first.state !== 'stored' || first.value.result !== 'repeated' || first.value.amount >= wanted) return first
  return ask(renewal, first.value.sequence + 1, wanted)
}

/** The answer: the hold is there, for the dearest target. It becomes that of an answered call, and pays for longer. */
function begin(renewal: Renewal): Promise<Stored<HoldOutcome>> {
  const { rate, talkMs } = renewal
  return Promise.resolve(ask(renewal, 1, price(rate, Math.max(talkMs, rate.graceMs + 1))))
}

async function planNext(renewal: Renewal, outcome: HoldOutcome, paid: number): Promise<Grant> {
  const { context, charged, talkMs } = renewal
  const { store, tuning, health } = context
  if (!Number.isFinite(paid)) {
    health.see(await store.planCharge(charged.ref, Math.min(FREE_LOOK_MS, renewal.fraudLookMs)))
    return { paidMs: undefined }
  }
  const leftMs = Math.max(0, paid - talkMs)
  const isLast = outcome.result === 'refused'
  // Talk that may be over before due work comes by ends on time too: the next renewal moves the hang-up.
  const isShort = leftMs < tuning.renewAheadMs
  if (isLast || isShort || charged.hangUpReason === HANG_UP_REASONS.credit) {
    await requestHangUp(context, charged.ref, HANG_UP_REASONS.credit, leftMs)
  }
  const lookMs = Math.min(
    renewal.fraudLookMs,
    isLast ? RETRY_MS : Math.max(SOONEST_LOOK_MS, leftMs - tuning.renewAheadMs),
  )
  health.see(await store.planCharge(charged.ref, leftMs === 0 ? LEASE_SLACK_MS : lookMs))
  if (isLast && charged.hangUpReason !== HANG_UP_REASONS.credit) context.counts.cutOffs++
  return { paidMs: leftMs }
}

/** Leases and levels of rules against fraud; with the answer, the end that one of them plans. */
async function lookAtCounters({ context, charged, terms, rate, talkMs, create }: Renewal): Promise<void> {
  const fraud = terms.fraud ?? []
  if (create) await planFraudEnd(context, charged, fraud, talkMs)
  await lookAtFraud(context, charged, fraud, { talkMs, price: price(rate, talkMs), leaseMs: 2 * FREE_LOOK_MS })
}

/** Nothing of an account is held for it. */
async function countedOnly({ context, charged, fraudLookMs }: Renewal): Promise<Stored<Grant>> {
  context.health.see(await context.store.planCharge(charged.ref, Math.min(FREE_LOOK_MS, fraudLookMs)))
  return { state: 'stored', value: { paidMs: undefined } }
}

/**
 * Makes the hold of an answered call pay for the talk to come.
 *
 * @param create the hold may be made anew: only for the report of an answer
 * @returns undefined where the store does not say
 */
export async function renewCall(
  context: PolicyContext,
  charged: ChargedCall,
  create: boolean,
): Promise<Stored<Grant> | undefined> {
  const terms = parseTerms(charged.charge)
  if (terms === undefined) context.counts.unreadableCharges++
  const known = terms ?? { currency: '', ratePlan: '', revision: '', lines: [] }
  const rate = terms === undefined ? FREE_RATE : lineFor(known, charged.target, context.tuning.quantumMs).rate
  const talkMs = Math.max(0, charged.nowMs - charged.answeredMs)
  const fraudLookMs = nextFraudLookMs(context, known.fraud, talkMs)
  const renewal: Renewal = { context, charged, terms: known, rate, talkMs, create, fraudLookMs }
  if (known.fraud !== undefined && known.fraud.length > 0) await lookAtCounters(renewal)
  if (terms !== undefined && terms.lines.length === 0) return countedOnly(renewal)
  const outcome = await (create ? begin(renewal) : grow(renewal))
  if (!context.health.see(outcome)) return outcome
  context.counts.renewals++
  const paid = paidMs(rate, outcome.value.amount)
  const isShort = create && outcome.value.result !== 'refused' && paid - talkMs <= context.tuning.renewAheadMs
  if (isShort) return renewCall(context, charged, false)
  return { state: 'stored', value: await planNext(renewal, outcome.value, paid) }
}
