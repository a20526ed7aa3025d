// SPDX-License-Identifier: MIT
//
// The rates of a plan laid out for the longest prefix: one Map from prefix to its rates, looked up from the longest prefix
// that occurs down to `*`. Equal rates are one object, so that a million of them stay small.
import type { Rate } from './price.ts'
import type { RateSpec } from './rate-plan.ts'

export type Period = RateSpec['period']

/** One rate of one prefix, and when it holds. */
export interface RateRow {
  readonly prefix: string
  readonly name: string
  readonly rate: Rate
  /** Unix milliseconds; -Infinity and Infinity for no bound. */
  readonly fromMs: number
  readonly toMs: number
  readonly period: Period
}

export interface FoundRate {
  readonly prefix: string
  readonly name: string
  readonly rate: Rate
}

type Rates = RateRow | RateRow[]

const overlaps = (a: RateRow, b: RateRow): boolean => a.period === b.period && a.fromMs < b.toMs && b.fromMs < a.toMs

export class RateTable {
  readonly #rows = new Map<string, Rates>()
  readonly #known = new Map<string, Rate>()
  #longest = 0
  #count = 0

  get size(): number {
    return this.#count
  }

  /** False: a rate of the same prefix holds at the same time. */
  add(row: RateRow): boolean {
    const { prefix } = row
    const found = this.#rows.get(prefix)
    const kept = { ...row, rate: this.#intern(row.rate) }
    if (found === undefined) this.#rows.set(prefix, kept)
    else {
      const rows = Array.isArray(found) ? found : [found]
      if (rows.some((other) => overlaps(other, row))) return false
      rows.push(kept)
      this.#rows.set(prefix, rows)
    }
    this.#longest = Math.max(this.#longest, prefix.length)
    this.#count++
    return true
  }

  /**
   * The rate of the longest prefix of `number` that has one now.
   *
   * @param number canonical: `+4930123` or digits; '' for what is no number, which only `*` matches
   */
  find(number: string, unixMs: number, isPeak: boolean): FoundRate | undefined {
    for (let length = Math.min(this.#longest, number.length); length > 0; length--) {
      const found = this.#at(number.slice(0, length), unixMs, isPeak)
      if (found !== undefined) return found
    }
    return this.#at('*', unixMs, isPeak)
  }

  /** Of peak and always, the narrower one counts. */
  #at(prefix: string, unixMs: number, isPeak: boolean): RateRow | undefined {
    const found = this.#rows.get(prefix)
    if (found === undefined) return undefined
    if (!Array.isArray(found)) return holds(found, unixMs, isPeak) ? found : undefined
    let best: RateRow | undefined
    for (const row of found) {
      if (holds(row, unixMs, isPeak) && (best === undefined || best.period === 'always')) best = row
    }
    return best
  }

  #intern(rate: Rate): Rate {
    const key = `${rate.connectFee}/${rate.perMinute}/${rate.firstMs}/${rate.nextMs}/${rate.graceMs}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    this.#known.set(key, rate)
    return rate
  }
}

function holds({ fromMs, toMs, period }: RateRow, unixMs: number, isPeak: boolean): boolean {
  if (unixMs < fromMs || unixMs >= toMs) return false
  return period === 'always' || (period === 'peak') === isPeak
}

const timeOf = (text: string | undefined, open: number): number => (text === undefined ? open : Date.parse(text))

export function rowOf(spec: RateSpec): RateRow {
  return {
    prefix: spec.prefix,
    name: spec.name,
    rate: {
      connectFee: BigInt(spec.connectFeeMicros),
      perMinute: BigInt(spec.perMinuteMicros),
      firstMs: spec.firstIncrementMs,
      nextMs: spec.nextIncrementMs,
      graceMs: spec.graceMs,
    },
    fromMs: timeOf(spec.validFrom, Number.NEGATIVE_INFINITY),
    toMs: timeOf(spec.validTo, Number.POSITIVE_INFINITY),
    period: spec.period,
  }
}
