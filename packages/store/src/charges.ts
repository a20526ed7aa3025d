// SPDX-License-Identifier: MIT
// Calls that are charged, as policy sees them: what it needs to hold, renew and settle, whoever began it.

import type { CallOnRecord } from './call-record.ts'
import type { CallState } from './types.ts'

export interface ChargedCall {
  ref: string
  state: CallState
  account: string
  /** As policy described it; opaque to the store. */
  charge: string
  /** Store time, 0 for not yet. */
  answeredMs: number
  endedMs: number
  /** Request-URI of the branch that answered. */
  target: string
  /** `answered` or why it failed, once it has ended. */
  outcome: string
  /** Of a settled call. */
  billing: Billing | undefined
  /** Next look at its hold, 0 for none. */
  chargeAtMs: number
  /** Of the hang-up that is planned, '' for none. */
  hangUpReason: string
  /** Store time of this look. */
  nowMs: number
}

/** What an account paid because it sent the call on to the target that answered. */
export interface ForwardBilling {
  account: string
  currency: string
  price: bigint
  billedMs: number
  unbilledMs: number
  ratePlan: string
  ratePrefix: string
  rate: string
  rateRevision: string
  /** Id of the ledger entry, '' for none; of the caller's own account that of all that it paid. */
  entry: string
}

/** What a call has cost. */
export interface Billing {
  currency: string
  /** Micro-units that were taken from the account. */
  price: bigint
  billedMs: number
  /** Talk beyond what was granted; it was not charged. */
  unbilledMs: number
  ratePlan: string
  ratePrefix: string
  /** For a person. */
  rate: string
  /** Of the resources from which the rate came; absent in what older versions wrote. */
  rateRevision?: string | undefined
  /** Id of the ledger entry, '' for none. */
  entry: string
  /** Micro-units that the trunk which answered costs; absent where it has no price. */
  cost?: bigint | undefined
  costCurrency?: string | undefined
  /** Absent: nobody but the caller pays. */
  forwards?: readonly ForwardBilling[] | undefined
}

/** undefined: the call is not charged. */
export function chargedOf(call: CallOnRecord, nowMs: number): ChargedCall | undefined {
  const { ref, state, account, charge, answeredMs, endedMs, target, outcome, billing } = call
  if (charge === '') return undefined
  const { chargeAtMs, hangUpReason } = call.plan
  const when = { answeredMs, endedMs, chargeAtMs, nowMs }
  return { ref, state, account, charge, target, outcome, billing, hangUpReason, ...when }
}

export function billingText({ price, cost, forwards, ...rest }: Billing): string {
  return JSON.stringify({
    ...rest,
    price: String(price),
    ...(cost !== undefined && { cost: String(cost) }),
    ...(forwards !== undefined && { forwards: forwards.map((one) => ({ ...one, price: String(one.price) })) }),
  })
}

type ForwardText = Omit<ForwardBilling, 'price'> & { readonly price: string }

export function billingOf(text: string): Billing | undefined {
  if (text === '') return undefined
  const { price, cost, forwards, ...rest } = JSON.parse(text) as Omit<Billing, 'price' | 'cost' | 'forwards'> & {
    price: string
    cost?: string
    forwards?: readonly ForwardText[]
  }
  return {
    ...rest,
    price: BigInt(price),
    ...(cost !== undefined && { cost: BigInt(cost) }),
    ...(forwards !== undefined && { forwards: forwards.map((one) => ({ ...one, price: BigInt(one.price) })) }),
  }
}
