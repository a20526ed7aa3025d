// SPDX-License-Identifier: MIT
//
// Accounts and rate plans laid out for decisions.
import type { Account } from './account.ts'
import type { RatePlan } from './rating/rate-plan.ts'
import type { FoundRate } from './rating/rate-table.ts'
import { RateTable, termsOf } from './rating/rate-table.ts'
import { ScheduleClock, weeklySchedule } from './schedule/schedule-clock.ts'

export interface RatePlanEntry {
  readonly name: string
  readonly currency: string
  /** Calls within the cluster have a price. */
  readonly ratesOnNet: boolean
  /** @param number canonical, '' for none; `unixMs` wall clock */
  find(number: string, unixMs: number): FoundRate | undefined
  readonly size: number
}

/** Optional bounds are undefined where there is none. */
export interface AccountEntry {
  readonly name: string
  /** '' where nothing says. */
  readonly currency: string
  /** Micro-units below zero; undefined: no bound. */
  readonly creditLimit: bigint | undefined
  readonly ratePlan: RatePlanEntry | undefined
  readonly maxCalls: number | undefined
  readonly callsPerSecond: number | undefined
  readonly spendPerHour: bigint | undefined
  readonly spendPerDay: bigint | undefined
  readonly blocked: boolean
  readonly refusals: Account['spec']['refusals']
  /** Its calls go through the store's account: a price or a bound is to be kept. */
  readonly metered: boolean
}

export function ratePlanEntry(
  { metadata, spec }: RatePlan,
  deck?: RateTable,
  schedules: ReadonlyMap<string, ScheduleClock> = new Map(),
): RatePlanEntry {
  const table = spec.rates.length === 0 && deck !== undefined ? deck : new RateTable(deck)
  for (const rate of spec.rates) table.add(rate.prefix, termsOf(rate))
  const clock = schedules.get(spec.peakSchedule ?? '') ?? new ScheduleClock(weeklySchedule(spec.timeZone, spec.peak))
  return {
    name: metadata.name,
    currency: spec.currency,
    ratesOnNet: spec.onNet === 'rated',
    find: (number, unixMs) => table.find(number, unixMs, clock.isWithin(unixMs)),
    size: table.size,
  }
}

const amount = (micros: number | undefined): bigint | undefined => (micros === undefined ? undefined : BigInt(micros))

export function accountEntry({ metadata, spec }: Account, plans: ReadonlyMap<string, RatePlanEntry>): AccountEntry {
  const ratePlan = spec.ratePlan === undefined ? undefined : plans.get(spec.ratePlan)
  const { maxCalls, callsPerSecond } = spec
  return {
    name: metadata.name,
    currency: spec.currency ?? ratePlan?.currency ?? '',
    creditLimit: amount(spec.creditLimitMicros ?? (spec.billing === 'prepaid' ? 0 : undefined)),
    ratePlan,
    maxCalls,
    callsPerSecond,
    spendPerHour: amount(spec.spendPerHourMicros),
    spendPerDay: amount(spec.spendPerDayMicros),
    blocked: spec.blocked,
    refusals: spec.refusals,
    metered: ratePlan !== undefined || maxCalls !== undefined || callsPerSecond !== undefined,
  }
}
