// SPDX-License-Identifier: MIT
//
// The end of a charged call, in steps that any node repeats without effect: the call's record has frozen when it was answered and when it
// ended (`ended`); the account is charged once by reference, and no more than was granted; the call's record is made with what
// was taken (`settled`); some time later the ledger is looked at again, since an acknowledged write may have gone with its
// master, and the call is forgotten. [STATE.md, Saga between call and account]
import { billedMs, formatAmount, paidMsAtAll, price, priceOfAll, type Rate } from '@tandem/resources'
import type { Billing, ChargedCall, ForwardBilling, SettleOutcome, Stored } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { addMoney } from '../counts.ts'
import { endFraud } from '../fraud/in-call.ts'
import { buyLineFor, type ChargeLine, type ChargeTerms, FREE_RATE, parseTerms } from './charge-terms.ts'
import { type Payer, type Payers, payersOf, type SentOn } from './payers.ts'

interface Bill {
  readonly terms: ChargeTerms
  readonly payers: Payers
  readonly talkMs: number
  /** What the trunk that answered costs. */
  readonly cost: { readonly cost: bigint; readonly costCurrency: string } | undefined
}

function costOf(terms: ChargeTerms, target: string, talkMs: number): Bill['cost'] {
  const line = buyLineFor(terms, target)
  return line && { cost: price(line.rate, talkMs), costCurrency: line.currency }
}

const UNREADABLE: ChargeTerms = {
  currency: '',
  ratePlan: '',
  revision: '',
  lines: [{ targets: [], prefix: '', rate: FREE_RATE }],
}

/** Only talk that was answered and whose end is known costs anything. */
function talkOf({ outcome, answeredMs, endedMs }: ChargedCall): number {
  return outcome === 'answered' && answeredMs > 0 ? Math.max(0, endedMs - answeredMs) : 0
}

function billOf(context: PolicyContext, charged: ChargedCall): Bill {
  const known = parseTerms(charged.charge)
  if (known === undefined) context.counts.unreadableCharges++
  const terms = known ?? UNREADABLE
  const talkMs = talkOf(charged)
  const payers = payersOf(terms, charged, charged.target, context.tuning.quantumMs)
  return { terms, payers, talkMs, cost: costOf(terms, charged.target, talkMs) }
}

const NOTHING_TAKEN: SettleOutcome = { applied: 0n, repeated: false, entry: '' }

/** `0.01 + 0.02/min 60/60 grace 3` */
export function rateText({ connectFee, perMinute, firstMs, nextMs, graceMs }: Rate): string {
  const fee = connectFee > 0n ? `${formatAmount(connectFee)} + ` : ''
  const grace = graceMs > 0 ? ` grace ${graceMs / 1_000}` : ''
  return `${fee}${formatAmount(perMinute)}/min ${firstMs / 1_000}/${nextMs / 1_000}${grace}`
}

/** What was taken from each account. */
type Taken = ReadonlyMap<string, SettleOutcome>

/** One line of what one account paid. */
interface Part {
  readonly taken: bigint
  readonly paidMs: number
}

/**
 * Of an account that pays at two rates, what was taken for each: the price of the talk that it pays for, and of the last one the
 * rest.
 */
function partOf({ rates }: Payer, at: number, applied: bigint, talkMs: number): Part {
  const isWhole = applied >= priceOfAll(rates, talkMs)
  const paid = isWhole ? talkMs : Math.min(talkMs, paidMsAtAll(rates, applied))
  if (rates.length === 1) return { taken: applied, paidMs: paid }
  const prices = rates.map((rate) => price(rate, paid))
  const isRest = at === rates.length - 1
  const others = prices.reduce((sum, one, i) => (i === at ? sum : sum + one), 0n)
  return { taken: isRest ? applied - others : (prices[at] ?? 0n), paidMs: paid }
}

/** As a line of the record has it. */
function lineBilling(
  { rate, prefix }: ChargeLine,
  ratePlan: string,
  revision: string,
  { taken, paidMs: paid }: Part,
  talkMs: number,
) {
  const isRated = ratePlan !== ''
  return {
    price: taken,
    billedMs: isRated ? billedMs(rate, paid) : 0,
    unbilledMs: talkMs - paid,
    ratePlan,
    ratePrefix: prefix,
    rate: isRated ? rateText(rate) : '',
    rateRevision: isRated ? revision : '',
  }
}

const payerOf = ({ payers }: Payers, name: string): Payer | undefined => payers.find(({ account }) => account === name)

function forwardBilling({ terms, payers, talkMs }: Bill, taken: Taken, { terms: own, line }: SentOn): ForwardBilling {
  const { account, currency, ratePlan } = own
  const { applied, entry } = taken.get(account) ?? NOTHING_TAKEN
  const payer = payerOf(payers, account) ?? { account, currency, rates: [line.rate] }
  const part = partOf(payer, payer.rates.length - 1, applied, talkMs)
  return { account, currency, ...lineBilling(line, ratePlan, terms.revision, part, talkMs), entry }
}

function billingFor(bill: Bill, taken: Taken, { account }: ChargedCall): Billing {
  const { terms, payers, talkMs, cost } = bill
  const { currency, ratePlan, revision, lines } = terms
  const payer = lines.length === 0 ? undefined : payerOf(payers, account)
  const { applied, entry } = (payer && taken.get(account)) ?? NOTHING_TAKEN
  const part = payer === undefined ? { taken: 0n, paidMs: talkMs } : partOf(payer, 0, applied, talkMs)
  const forwards = payers.sentOn.map((one) => forwardBilling(bill, taken, one))
  return {
    currency,
    ...lineBilling(payers.line, ratePlan, revision, part, talkMs),
    entry,
    ...cost,
    ...(forwards.length > 0 && { forwards }),
  }
}

/** Talk that nobody pays for: the BYE came late, or never. [STATE.md] */
function alarm(
  { counts, logger }: PolicyContext,
  { ref }: ChargedCall,
  account: string,
  { unbilledMs, price: taken }: Pick<Billing, 'unbilledMs' | 'price'>,
) {
  counts.unbilledCalls++
  counts.unbilledMs += unbilledMs
  logger.warn({ callRef: ref, account, unbilledMs, priceMicros: String(taken) }, 'talk beyond what was granted')
}

/** Of the counters of those who sent the call on, by what each paid; who was spared had no call. */
async function endSentOn(context: PolicyContext, charged: ChargedCall, bill: Bill, taken: Taken): Promise<void> {
  const { sentOn, spared } = bill.payers
  for (const { terms } of sentOn) {
    const price = taken.get(terms.account)?.applied ?? 0n
    await endFraud(context, { ...charged, account: terms.account }, terms.fraud, { talkMs: bill.talkMs, price })
  }
  for (const { account, fraud } of spared)
    await endFraud(context, { ...charged, account }, fraud, { talkMs: 0, price: 0n })
}

/** Whoever paid nothing in the end has back what he held. @returns whether all have */
async function giveBack(
  { accounts, health }: PolicyContext,
  { ref }: ChargedCall,
  { spared }: Payers,
): Promise<boolean> {
  for (const { account } of spared) if (!health.see(await accounts.settle({ account, ref, price: 0n }))) return false
  return true
}

/** Every price of the call, with its currency. */
const pricesIn = ({ currency, price: own, forwards = [] }: Billing) => [{ currency, price: own }, ...forwards]

async function charge(context: PolicyContext, charged: ChargedCall): Promise<void> {
  const { store, accounts, health, counts, tuning } = context
  const bill = billOf(context, charged)
  const { payers, spared, sentOn } = bill.payers
  const taken = new Map<string, SettleOutcome>()
  for (const { account, rates } of payers) {
    const due = priceOfAll(rates, bill.talkMs)
    const outcome: Stored<SettleOutcome> = await accounts.settle({ account, ref: charged.ref, price: due })
    if (!health.see(outcome)) return
    taken.set(account, outcome.value)
  }
  if (spared.length > 0 && !(await giveBack(context, charged, bill.payers))) return
  const { applied = 0n } = taken.get(charged.account) ?? {}
  await endFraud(context, charged, bill.terms.fraud ?? [], { talkMs: bill.talkMs, price: applied })
  if (sentOn.length + spared.length > 0) await endSentOn(context, charged, bill, taken)
  const billing = billingFor(bill, taken, charged)
  const isCharged = [...taken.values()].some((one) => one.applied > 0n)
  const made = await store.settled(charged.ref, billing, isCharged ? tuning.verifyAfterMs : undefined)
  if (!health.see(made) || !made.value) return
  counts.charged++
  for (const { currency, price: amount } of pricesIn(billing)) addMoney(context.charged, currency, amount)
  if (billing.unbilledMs > 0) alarm(context, charged, charged.account, billing)
  for (const one of billing.forwards ?? []) if (one.unbilledMs > 0) alarm(context, charged, one.account, one)
}

/** What the record says was taken, account by account. */
function chargesIn({ price: own, entry, forwards = [] }: Billing, account: string) {
  const charges = new Map([[account, { applied: own, entry }]])
  for (const one of forwards) {
    const known = charges.get(one.account)
    const entryOf = one.entry || (known?.entry ?? '')
    charges.set(one.account, { applied: one.price + (known?.applied ?? 0n), entry: entryOf })
  }
  return charges
}

async function verify(context: PolicyContext, { ref, account: caller, billing }: ChargedCall): Promise<void> {
  const { accounts, store, health, counts, logger } = context
  if (billing === undefined) return
  for (const [account, { applied, entry }] of chargesIn(billing, caller)) {
    // Whoever paid nothing has nothing that could have been lost; a call of nobody's account is only counted.
    if (applied === 0n && billing.forwards !== undefined) continue
    const lost = await accounts.verify({ account, ref, applied, entry })
    if (!health.see(lost)) return
    if (!lost.value) continue
    counts.chargesRecovered++
    logger.warn({ callRef: ref, account }, 'a charge was lost with its master and has been applied again')
  }
  health.see(await store.checked(ref))
}

/** The next step of a call that is over. */
export async function settleCall(context: PolicyContext, charged: ChargedCall): Promise<void> {
  if (charged.state === 'ended') return charge(context, charged)
  if (charged.state === 'settled') await verify(context, charged)
}
