// SPDX-License-Identifier: MIT
//
// The rates of a plan laid out for the longest prefix: one Map from prefix to what holds for it, looked up from the longest prefix
// that occurs down to `*`, at lengths that occur only. Terms are shared by the prefixes that have them: a prefix costs its text and a place
// in the map. A table may lie over another one, a deck that several revisions share; it never changes that one.
import type { Rate } from './price.ts'
import type { RateSpec } from './rate-plan.ts'

export type Period = RateSpec['period']

/** A rate, and when it holds. */
export interface RateTerms {
  readonly name: string
  readonly rate: Rate
  /** Unix milliseconds; -Infinity and Infinity for no bound. */
  readonly fromMs: number
  readonly toMs: number
  readonly period: Period
}

/** Terms of one prefix. */
export interface RateRow extends RateTerms {
  readonly prefix: string
}

export interface FoundRate {
  readonly prefix: string
  readonly name: string
  readonly rate: Rate
}

const NONE: readonly RateTerms[] = []

const overlaps = (a: RateTerms, b: RateTerms): boolean =>
  a.period === b.period && a.fromMs < b.toMs && b.fromMs < a.toMs

const listOf = (found: RateTerms | RateTerms[] | undefined): readonly RateTerms[] =>
  found === undefined ? NONE : Array.isArray(found) ? found : [found]

export class RateTable {
  readonly #terms = new Map<string, RateTerms | RateTerms[]>()
  readonly #under: RateTable | undefined
  /** Bit n: some prefix has n characters. */
  #lengths: number
  #count = 0

  /** @param under a table whose rates count too */
  constructor(under?: RateTable) {
    this.#under = under
    this.#lengths = under === undefined ? 0 : under.#lengths
  }

  get size(): number {
    return this.#count + (this.#under?.size ?? 0)
  }

  /** False: a rate of the same prefix holds at the same time. */
  add(prefix: string, terms: RateTerms): boolean {
    const found = this.#terms.get(prefix)
    if (found !== undefined || this.#under !== undefined) {
      if (this.#at(prefix).some((other) => overlaps(other, terms))) return false
    }
    this.#terms.set(prefix, found === undefined ? terms : [...listOf(found), terms])
    this.#lengths |= 1 << Math.min(prefix.length, 31)
    this.#count++
    return true
  }

  /**
   * The rate of the longest prefix of `number` that has one now.
   *
   * @param number canonical: `+4930123` or digits; '' for what is no number, which only `*` matches
   */
  find(number: string, unixMs: number, isPeak: boolean): FoundRate | undefined {
    for (let length = number.length; length > 0; length--) {
      if ((this.#lengths & (1 << Math.min(length, 31))) === 0) continue
      const found = this.#held(number.slice(0, length), unixMs, isPeak)
      if (found !== undefined) return found
    }
    return this.#held('*', unixMs, isPeak)
  }

  *rows(): Generator<RateRow> {
    if (this.#under !== undefined) yield* this.#under.rows()
    for (const [prefix, found] of this.#terms) for (const terms of listOf(found)) yield { prefix, ...terms }
  }

  #at(prefix: string): readonly RateTerms[] {
    const under = this.#under === undefined ? NONE : this.#under.#at(prefix)
    const own = listOf(this.#terms.get(prefix))
    return under.length === 0 ? own : own.length === 0 ? under : [...under, ...own]
  }

  /** Of peak and always, the narrower one counts. */
  #held(prefix: string, unixMs: number, isPeak: boolean): FoundRate | undefined {
    const own = this.#terms.get(prefix)
    const all = this.#under === undefined && !Array.isArray(own) ? own : this.#at(prefix)
    if (all === undefined) return undefined
    const best = 'rate' in all ? (holds(all, unixMs, isPeak) ? all : undefined) : narrowest(all, unixMs, isPeak)
    return best && { prefix, name: best.name, rate: best.rate }
  }
}

function narrowest(all: readonly RateTerms[], unixMs: number, isPeak: boolean): RateTerms | undefined {
  let best: RateTerms | undefined
  for (const terms of all) {
    if (holds(terms, unixMs, isPeak) && (best === undefined || best.period === 'always')) best = terms
  }
  return best
}

function holds({ fromMs, toMs, period }: RateTerms, unixMs: number, isPeak: boolean): boolean {
  if (unixMs < fromMs || unixMs >= toMs) return false
  return period === 'always' || (period === 'peak') === isPeak
}

const timeOf = (text: string | undefined, open: number): number => (text === undefined ? open : Date.parse(text))

export function termsOf(spec: RateSpec): RateTerms {
  return {
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
