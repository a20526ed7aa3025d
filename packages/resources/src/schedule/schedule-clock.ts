// SPDX-License-Identifier: MIT
//
// Whether an instant is within a schedule. Wall-clock time as the zone has it, daylight saving included: an hour that a
// zone skips is never, one that it repeats is twice. Schedules, and peak hours of rate plans, are judged here alone. The
// answer is kept for the minute that was asked for last.
import { daysBetween } from './dates.ts'
import { parseRecurrence, Recurrence } from './recurrence.ts'
import type { Schedule } from './schedule.ts'
import { DAYS, type WeeklyWindow } from './weekly.ts'
import { type ZoneClock, zoneClock } from './zone-clock.ts'

/** Minutes of a day, the last one not part of it. */
interface Span {
  readonly from: number
  readonly to: number
}

/** What a Schedule says; all but the zone may be empty. */
export type ScheduleSpec = Pick<Schedule['spec'], 'timeZone' | 'weekly' | 'dates'> & {
  /** YYYY-MM-DD, or MM-DD of every year. */
  readonly holidays: readonly string[]
  readonly rules?: Schedule['spec']['rules']
}

interface Ruled {
  readonly recurrence: Recurrence
  readonly spans: readonly Span[]
}

function ruled(rules: Schedule['spec']['rules']): readonly Ruled[] {
  return rules.flatMap(({ rrule, start, hours }) => {
    const rule = parseRecurrence(rrule)
    return typeof rule === 'string' ? [] : [{ recurrence: new Recurrence(rule, start), spans: hours.map(spanOf) }]
  })
}

/** A schedule of hours of the week alone. */
export const weeklySchedule = (timeZone: string, weekly: readonly WeeklyWindow[]): ScheduleSpec => ({
  timeZone,
  weekly: [...weekly],
  dates: [],
  holidays: [],
})

const minutesOf = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3))
const spanOf = ({ from, to }: { from: string; to: string }): Span => ({ from: minutesOf(from), to: minutesOf(to) })

function isNowIn(spans: readonly Span[], minute: number): boolean {
  for (const { from, to } of spans) if (minute >= from && minute < to) return true
  return false
}

/** Spans of each weekday, Monday first. */
function weekOf(windows: readonly WeeklyWindow[]): readonly (readonly Span[])[] {
  return DAYS.map((day) => windows.filter(({ days }) => days.includes(day)).map(spanOf))
}

/** Spans of special days by YYYY-MM-DD; of a day that stands twice, all. */
function specialDays(dates: ScheduleSpec['dates']): ReadonlyMap<string, readonly Span[]> {
  const days = new Map<string, Span[]>()
  for (const { date, until = date, hours } of dates) {
    for (const day of daysBetween(date, until)) days.set(day, [...(days.get(day) ?? []), ...hours.map(spanOf)])
  }
  return days
}

export class ScheduleClock {
  readonly #zone: ZoneClock
  readonly #week: readonly (readonly Span[])[]
  readonly #special: ReadonlyMap<string, readonly Span[]>
  readonly #holidays: ReadonlySet<string>
  readonly #rules: readonly Ruled[]
  readonly #isNever: boolean
  #minute = Number.NaN
  #within = false
  #isFree = false

  constructor({ timeZone, weekly, dates, holidays, rules = [] }: ScheduleSpec) {
    this.#zone = zoneClock(timeZone)
    this.#week = weekOf(weekly)
    this.#special = specialDays(dates)
    this.#holidays = new Set(holidays)
    this.#rules = ruled(rules)
    this.#isNever = weekly.length + dates.length + rules.length + holidays.length === 0
  }

  /** @param unixMs wall clock */
  isWithin(unixMs: number): boolean {
    this.#look(unixMs)
    return this.#within
  }

  /** The day is one of the holidays, whatever else holds on it. @param unixMs wall clock */
  isHoliday(unixMs: number): boolean {
    this.#look(unixMs)
    return this.#isFree
  }

  #look(unixMs: number): void {
    const minute = Math.floor(unixMs / 60_000)
    if (this.#isNever || minute === this.#minute) return
    this.#judge(minute)
    this.#minute = minute
  }

  #judge(unixMinute: number): void {
    const { date, yearly, weekday, minute } = this.#zone.at(unixMinute)
    this.#isFree = this.#holidays.has(date) || this.#holidays.has(yearly)
    const special = this.#special.get(date)
    if (special !== undefined) this.#within = isNowIn(special, minute)
    else if (this.#isFree) this.#within = false
    else {
      const week = this.#week[weekday]
      this.#within = (week !== undefined && isNowIn(week, minute)) || this.#isRuled(date, minute)
    }
  }

  #isRuled(date: string, minute: number): boolean {
    for (const { spans, recurrence } of this.#rules) if (isNowIn(spans, minute) && recurrence.isOn(date)) return true
    return false
  }
}
