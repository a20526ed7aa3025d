// SPDX-License-Identifier: MIT
//
// What talk costs: pure, exact integers. Amounts are micro-units of a currency (1,000,000 = one unit) as bigint, below 2^53
// so that every store keeps them exactly. Time is bigint-free milliseconds: a call is far below 2^53 of them.
//
// Talk of at most `graceMs` costs nothing. Above it the connect fee is due, and time is billed as one first increment and
// as many next ones as have begun. The price of the billed time is rounded up to a micro-unit once, on the sum: grants
// of a call are differences of sums, so however often it is renewed, its parts add up to the price of the whole.

/** Micro-units of one unit of a currency. */
export const MICROS = 1_000_000n

/** Amounts stay below: 2^53 - 1. */
export const MAX_AMOUNT = 9_007_199_254_740_991n

/** Bound of a connect fee and of a price per minute: a million units. Twelve hours of it stay below `MAX_AMOUNT`. */
export const MAX_PRICE = 1_000_000n * MICROS

const MINUTE_MS = 60_000n

/** Longer than anybody talks: what pays for a century pays for ever. */
const CENTURY_MS = 3_200_000_000_000

export interface Rate {
  /** Micro-units, once per call. */
  readonly connectFee: bigint
  /** Micro-units. */
  readonly perMinute: bigint
  readonly firstMs: number
  readonly nextMs: number
  /** A call this short costs nothing. */
  readonly graceMs: number
}

/** The time that `talkMs` is billed as. */
export function billedMs({ firstMs, nextMs, graceMs }: Rate, talkMs: number): number {
  if (talkMs <= graceMs) return 0
  return firstMs + Math.ceil(Math.max(0, talkMs - firstMs) / nextMs) * nextMs
}

/** Micro-units for `talkMs` of talk; at most `MAX_AMOUNT`, whatever a clock says. */
export function price(rate: Rate, talkMs: number): bigint {
  const billed = billedMs(rate, talkMs)
  if (billed === 0) return 0n
  const amount = rate.connectFee + (rate.perMinute * BigInt(billed) + MINUTE_MS - 1n) / MINUTE_MS
  return amount < MAX_AMOUNT ? amount : MAX_AMOUNT
}

/** The longest talk that `amount` pays for, in milliseconds; Infinity where that is a century or time costs nothing. */
export function paidMs(rate: Rate, amount: bigint): number {
  const { connectFee, perMinute, firstMs, nextMs, graceMs } = rate
  const left = amount - connectFee
  if (left < 0n) return graceMs
  if (perMinute === 0n) return Number.POSITIVE_INFINITY
  const affordable = Number((left * MINUTE_MS) / perMinute)
  if (affordable > CENTURY_MS) return Number.POSITIVE_INFINITY
  if (affordable < billedMs(rate, graceMs + 1)) return graceMs
  return firstMs + Math.floor((affordable - firstMs) / nextMs) * nextMs
}

/** Of one talk that is paid at several rates at once: the sum of their prices. */
export function priceOfAll(rates: readonly Rate[], talkMs: number): bigint {
  let sum = 0n
  for (const rate of rates) sum += price(rate, talkMs)
  return sum < MAX_AMOUNT ? sum : MAX_AMOUNT
}

/** The longest talk that `amount` pays for at all of the rates together; as `paidMs`. */
export function paidMsAtAll(rates: readonly Rate[], amount: bigint): number {
  const [only] = rates
  if (only === undefined) return Number.POSITIVE_INFINITY
  if (rates.length === 1) return paidMs(only, amount)
  if (priceOfAll(rates, CENTURY_MS) <= amount) return Number.POSITIVE_INFINITY
  let paid = 0
  for (let unpaid = CENTURY_MS; unpaid - paid > 1; ) {
    const middle = Math.floor((paid + unpaid) / 2)
    if (priceOfAll(rates, middle) <= amount) paid = middle
    else unpaid = middle
  }
  return paid
}

/** The price of the talk up to `wantedMs`, but of no less than the first billed increment: what a hold begins with. */
export function firstQuantum(rate: Rate, wantedMs: number): bigint {
  return price(rate, Math.max(wantedMs, rate.graceMs + 1))
}

/** Nothing about this rate ever costs anything. */
export function isFree({ connectFee, perMinute }: Rate): boolean {
  return connectFee === 0n && perMinute === 0n
}

/** A decimal amount of units as micro-units: `0.0125` → 12500n. undefined for anything that is not exact or out of bounds. */
export function parseAmount(text: string): bigint | undefined {
  const match = /^(-?)(\d{1,10})(?:\.(\d{1,6}))?$/.exec(text)
  if (match === null) return undefined
  const [, sign, units = '', fraction = ''] = match
  const micros = BigInt(units) * MICROS + BigInt(fraction.padEnd(6, '0'))
  if (micros > MAX_AMOUNT) return undefined
  return sign === '-' ? -micros : micros
}

/** Micro-units as units: 12500n → `0.0125`, with at least two decimals. */
export function formatAmount(micros: bigint): string {
  const size = micros < 0n ? -micros : micros
  const fraction = (size % MICROS)
    .toString()
    .padStart(6, '0')
    .replace(/0{1,4}$/, '')
  return `${micros < 0n ? '-' : ''}${size / MICROS}.${fraction}`
}
