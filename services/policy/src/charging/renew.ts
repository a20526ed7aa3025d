// SPDX-License-Identifier: MIT
//
// An answered call: its hold pays for the talk that is granted, and grows before that is used up. Done by whoever takes the report of
// the answer, then by any node as due work. What is asked for is the price of all talk up to a moment, so a repeat, or
// two nodes at once, hold no more than one. When not even one increment more can be held, the hang-up is planned for the paid
// millisecond; a top-up in time moves it. Of several accounts that pay each has a hold of its own. [STATE.md, Answer]
import { paidMsAtAll, priceOfAll } from '@tandem/resources'
import type { ChargedCall, HoldOutcome, Stored } from '@tandem/store'
import { HANG_UP_REASONS, requestHangUp } from '../calls/hang-up.ts'
import type { PolicyContext } from '../context.ts'
import { endFraud, lookAtFraud, nextFraudLookMs, planFraudEnd } from '../fraud/in-call.ts'
import { type ChargeTerms, FREE_RATE, parseTerms } from './charge-terms.ts'
import { type Payer, type Payers, payersOf } from './payers.ts'
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

/** Of one account. */
interface Renewal {
  readonly context: PolicyContext
  readonly charged: ChargedCall
  readonly payer: Payer
  readonly talkMs: number
  readonly create: boolean
}

/** From 1 on, and later ones larger: so that each look has its own. */
const sequenceAt = (talkMs: number): number => 1 + Math.floor(talkMs / 1_000)

function ask({ context, charged, payer, create, talkMs }: Renewal, sequence: number, amount: bigint) {
  const account = context.state.index.accounts.get(payer.account)
  const paid = paidMsAtAll(payer.rates, amount)
  const leaseMs = Number.isFinite(paid) ? Math.max(0, paid - talkMs) + LEASE_SLACK_MS : 2 * FREE_LOOK_MS
  return context.accounts.hold({
    account: payer.account,
    ref: charged.ref,
    sequence,
    amount,
    answered: true,
    create,
    leaseMs,
    terms: account === undefined ? nothingMore(payer.currency) : termsOf(account),
  })
}

/** The next quantum, or as many increments of it as there is money for. */
async function grow(renewal: Renewal): Promise<Stored<HoldOutcome>> {
  const { context, talkMs } = renewal
  const { rates } = renewal.payer
  const wanted = priceOfAll(rates, talkMs + context.tuning.renewAheadMs + context.tuning.quantumMs)
  const whole = await askUntilNew(renewal, wanted)
  if (whole.state !== 'stored' || whole.value.result !== 'refused') return whole
  const { available, sequence, amount } = whole.value
  if (available === 0n || sequence < 0) return whole
  const affordable = paidMsAtAll(rates, amount + available)
  const partial = Number.isFinite(affordable) ? priceOfAll(rates, affordable) : amount
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
  const { payer, talkMs } = renewal
  const { rates } = payer
  const least = rates.reduce((most, { graceMs }) => Math.max(most, graceMs + 1), talkMs)
  return Promise.resolve(ask(renewal, 1, priceOfAll(rates, least)))
}

/** What an account has granted. */
interface Granted {
  readonly outcome: HoldOutcome
  readonly paid: number
}

/** The answer, then grown at once where what was held pays for no longer than due work needs; later it only grows. */
async function renewAt(renewal: Renewal): Promise<Stored<Granted>> {
  const { context, payer, talkMs, create } = renewal
  const outcome = await (create ? begin(renewal) : grow(renewal))
  if (outcome.state !== 'stored') return outcome
  const paid = paidMsAtAll(payer.rates, outcome.value.amount)
  const isShort = create && outcome.value.result !== 'refused' && paid - talkMs <= context.tuning.renewAheadMs
  if (isShort) return renewAt({ ...renewal, create: false })
  return { state: 'stored', value: { outcome: outcome.value, paid } }
}

interface Look {
  readonly context: PolicyContext
  readonly charged: ChargedCall
  readonly talkMs: number
  /** Until rules against fraud want to look at the call. */
  readonly fraudLookMs: number
}

/** The call ends with the first paid second of all who pay. */
async function planNext({ context, charged, talkMs, fraudLookMs }: Look, granted: readonly Granted[]): Promise<Grant> {
  const { store, tuning, health } = context
  const paid = granted.reduce((least, one) => Math.min(least, one.paid), Number.POSITIVE_INFINITY)
  if (!Number.isFinite(paid)) {
    health.see(await store.planCharge(charged.ref, Math.min(FREE_LOOK_MS, fraudLookMs)))
    return { paidMs: undefined }
  }
  // Who pays nothing more is counted by his hold, which lasts as long as that.
  const freeLookMs = granted.some((one) => !Number.isFinite(one.paid)) ? FREE_LOOK_MS : Number.POSITIVE_INFINITY
  const leftMs = Math.max(0, paid - talkMs)
  const isLast = granted.some(({ outcome }) => outcome.result === 'refused')
  // Talk that may be over before due work comes by ends on time too: the next renewal moves the hang-up.
  const isShort = leftMs < tuning.renewAheadMs
  if (isLast || isShort || charged.hangUpReason === HANG_UP_REASONS.credit) {
    await requestHangUp(context, charged.ref, HANG_UP_REASONS.credit, leftMs)
  }
  const lookMs = Math.min(
    fraudLookMs,
    isLast ? RETRY_MS : Math.max(SOONEST_LOOK_MS, Math.min(leftMs - tuning.renewAheadMs, freeLookMs)),
  )
  health.see(await store.planCharge(charged.ref, leftMs === 0 ? LEASE_SLACK_MS : lookMs))
  if (isLast && charged.hangUpReason !== HANG_UP_REASONS.credit) context.counts.cutOffs++
  return { paidMs: leftMs }
}

interface Counted extends Look {
  readonly terms: ChargeTerms
  readonly payers: Payers
  readonly create: boolean
}

/** Leases and levels of rules against fraud; with the answer, the end that one of them plans. */
async function lookAtCounters({ context, charged, terms, payers, talkMs, create }: Counted): Promise<void> {
  const { fraud = [] } = terms
  const { sentOn, payers: all, line } = payers
  const leaseMs = 2 * FREE_LOOK_MS
  const own = all.find(({ account }) => account === charged.account)?.rates ?? [line.rate]
  const counted = [
    { of: charged, fraud, rates: own },
    ...sentOn.map((one) => ({
      of: { ...charged, account: one.terms.account },
      fraud: one.terms.fraud,
      rates: [one.line.rate],
    })),
  ]
  for (const one of counted) {
    if (one.fraud.length === 0) continue
    if (create) await planFraudEnd(context, one.of, one.fraud, talkMs)
    await lookAtFraud(context, one.of, one.fraud, { talkMs, price: priceOfAll(one.rates, talkMs), leaseMs })
  }
}

/** Whoever sent the call on to where nobody answered has back what he held. It is done again at the end: nobody waits for it. */
async function spare(context: PolicyContext, charged: ChargedCall, spared: Payers['spared']): Promise<void> {
  for (const { account, fraud } of spared) {
    const settled = await context.accounts.settle({ account, ref: charged.ref, price: 0n })
    if (context.health.see(settled)) await endFraud(context, { ...charged, account }, fraud, { talkMs: 0, price: 0n })
  }
}

const UNREADABLE: ChargeTerms = {
  currency: '',
  ratePlan: '',
  revision: '',
  lines: [{ targets: [], prefix: '', rate: FREE_RATE }],
}

/** Of all who pay, one after another; a repeat finds what the first has done. */
async function renewAll(
  { context, charged, talkMs }: Look,
  payers: readonly Payer[],
  create: boolean,
): Promise<Stored<readonly Granted[]>> {
  const granted: Granted[] = []
  for (const payer of payers) {
    const one = await renewAt({ context, charged, payer, talkMs, create })
    if (one.state !== 'stored') return one
    granted.push(one.value)
  }
  return { state: 'stored', value: granted }
}

/**
 * Makes the holds of an answered call pay for the talk to come.
 *
 * @param create holds may be made anew: only for the report of an answer
 * @returns undefined where the store does not say
 */
export async function renewCall(
  context: PolicyContext,
  charged: ChargedCall,
  create: boolean,
): Promise<Stored<Grant> | undefined> {
  const terms = parseTerms(charged.charge)
  if (terms === undefined) context.counts.unreadableCharges++
  const known = terms ?? UNREADABLE
  const payers = payersOf(known, charged, charged.target, context.tuning.quantumMs)
  const { sentOn, spared } = payers
  const talkMs = Math.max(0, charged.nowMs - charged.answeredMs)
  const counters =
    sentOn.length === 0 ? known.fraud : [...(known.fraud ?? []), ...sentOn.flatMap((one) => one.terms.fraud)]
  const fraudLookMs = nextFraudLookMs(context, counters, talkMs)
  const look: Look = { context, charged, talkMs, fraudLookMs }
  if (counters !== undefined && counters.length > 0) await lookAtCounters({ ...look, terms: known, payers, create })
  if (create && spared.length > 0) await spare(context, charged, spared)
  const granted = await renewAll(look, payers.payers, create)
  if (!context.health.see(granted)) return granted
  if (payers.payers.length > 0) context.counts.renewals++
  return { state: 'stored', value: await planNext(look, granted.value) }
}
