// SPDX-License-Identifier: MIT
//
// The end of a charged call, in steps that any node repeats without effect: the call's record has frozen when it was answered and when it
// ended (`ended`); the account is charged once by reference, and no more than was granted; the call's record is made with what
// was taken (`settled`); some time later the ledger is looked at again, since an acknowledged write may have gone with its
// master, and the call is forgotten. [STATE.md, Saga between call and account]
import { billedMs, formatAmount, paidMs, price, type Rate } from '@tandem/resources'
import type { Billing, ChargedCall, SettleOutcome, Stored } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { addMoney } from '../counts.ts'
import type { FraudTerms } from '../fraud/fraud-terms.ts'
import { endFraud } from '../fraud/in-call.ts'
import { buyLineFor, type ChargeLine, type ChargeTerms, FREE_RATE, lineFor, parseTerms } from './charge-terms.ts'

interface Bill {
  readonly currency: string
  readonly ratePlan: string
  readonly revision: string
  readonly line: ChargeLine
  readonly talkMs: number
  /** Nothing was held of an account. */
  readonly isCountedOnly: boolean
  readonly fraud: readonly FraudTerms[]
  /** What the trunk that answered costs. */
  readonly cost: { readonly cost: bigint; readonly costCurrency: string } | undefined
}

function costOf(terms: ChargeTerms, target: string, talkMs: number): Bill['cost'] {
  const line = buyLineFor(terms, target)
  return line && { cost: price(line.rate, talkMs), costCurrency: line.currency }
}

/** Only talk that was answered and whose end is known costs anything. */
function talkOf({ outcome, answeredMs, endedMs }: ChargedCall): number {
  return outcome === 'answered' && answeredMs > 0 ? Math.max(0, endedMs - answeredMs) : 0
}

function billOf(context: PolicyContext, charged: ChargedCall): Bill {
  const terms = parseTerms(charged.charge)
  const talkMs = talkOf(charged)
  if (terms === undefined) {
    context.counts.unreadableCharges++
    const line = { targets: [], prefix: '', rate: FREE_RATE }
    return { currency: '', ratePlan: '', revision: '', line, talkMs, isCountedOnly: false, fraud: [], cost: undefined }
  }
  const line = lineFor(terms, charged.target, context.tuning.quantumMs)
  const { currency, ratePlan, revision, lines, fraud = [] } = terms
  const cost = costOf(terms, charged.target, talkMs)
  return { currency, ratePlan, revision, line, talkMs, isCountedOnly: lines.length === 0, fraud, cost }
}

const NOTHING_TAKEN: Stored<SettleOutcome> = {
  state: 'stored',
  value: { applied: 0n, repeated: false, entry: '' },
}

/** `0.01 + 0.02/min 60/60 grace 3` */
export function rateText({ connectFee, perMinute, firstMs, nextMs, graceMs }: Rate): string {
  const fee = connectFee > 0n ? `${formatAmount(connectFee)} + ` : ''
  const grace = graceMs > 0 ? ` grace ${graceMs / 1_000}` : ''
  return `${fee}${formatAmount(perMinute)}/min ${firstMs / 1_000}/${nextMs / 1_000}${grace}`
}

function billingFor(
  { currency, ratePlan, revision, line, talkMs, cost }: Bill,
  { applied, entry }: SettleOutcome,
): Billing {
  const { rate, prefix } = line
  const isWhole = applied >= price(rate, talkMs)
  const paid = isWhole ? talkMs : Math.min(talkMs, paidMs(rate, applied))
  return {
    currency,
    price: applied,
    billedMs: ratePlan === '' ? 0 : billedMs(rate, paid),
    unbilledMs: talkMs - paid,
    ratePlan,
    ratePrefix: prefix,
    rate: ratePlan === '' ? '' : rateText(rate),
    rateRevision: ratePlan === '' ? '' : revision,
    entry,
    ...cost,
  }
}

/** Talk that nobody pays for: the BYE came late, or never. [STATE.md] */
function alarm(
  { counts, logger }: PolicyContext,
  { ref, account }: ChargedCall,
  { unbilledMs, price: taken }: Billing,
) {
  counts.unbilledCalls++
  counts.unbilledMs += unbilledMs
  logger.warn({ callRef: ref, account, unbilledMs, priceMicros: String(taken) }, 'talk beyond what was granted')
}

async function charge(context: PolicyContext, charged: ChargedCall): Promise<void> {
  const { accounts, store, health, counts, tuning } = context
  const bill = billOf(context, charged)
  const { account, ref } = charged
  const due = price(bill.line.rate, bill.talkMs)
  const outcome = bill.isCountedOnly ? NOTHING_TAKEN : await accounts.settle({ account, ref, price: due })
  if (!health.see(outcome)) return
  await endFraud(context, charged, bill.fraud, { talkMs: bill.talkMs, price: outcome.value.applied })
  const billing = billingFor(bill, outcome.value)
  const isCharged = outcome.value.applied > 0n
  const made = await store.settled(ref, billing, isCharged ? tuning.verifyAfterMs : undefined)
  if (!health.see(made) || !made.value) return
  counts.charged++
  addMoney(context.charged, billing.currency, outcome.value.applied)
  if (billing.unbilledMs > 0) alarm(context, charged, billing)
}

async function verify(context: PolicyContext, { ref, account, billing }: ChargedCall): Promise<void> {
  const { accounts, store, health, counts, logger } = context
  if (billing === undefined) return
  const { price: applied, entry } = billing
  const lost = await accounts.verify({ account, ref, applied, entry })
  if (!health.see(lost)) return
  if (lost.value) {
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
