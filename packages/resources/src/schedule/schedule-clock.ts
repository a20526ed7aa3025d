// SPDX-License-Identifier: MIT
//
// Whether an instant is within a schedule. Wall-clock time as the zone has it, daylight saving included: an hour that a
// zone skips is never, one that it repeats is twice. Schedules, and peak hours of rate plans, are judged here alone. The
// answer is kept for the minute that was asked for last.
import type { Schedule } from './schedule.ts'
import { DAYS, type WeeklyWindow } from './weekly.ts'

const DAY_MS = 86_400_000

/** Minutes of a day, the last one not part of it. */
interface Span {
  readonly from: number
  readonly to: number
}

/** What a Schedule says; all but the zone may be empty. */
export type ScheduleSpec = Pick<Schedule['spec'], 'timeZone' | 'weekly' | 'dates' | 'holidays'>

/** A schedule of hours of the week alone. */
export const weeklySchedule = (timeZone: string, weekly: readonly WeeklyWindow[]): ScheduleSpec => ({
  timeZone,
  weekly: [...weekly],
  dates: [],
  holidays: [],
})

const minutesOf = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3))
const spanOf = ({ from, to }: { from: string; to: string }): Span => ({ from: minutesOf(from), to: minutesOf(to) })

/** Spans of each weekday, Monday first. */
function weekOf(windows: readonly WeeklyWindow[]): readonly (readonly Span[])[] {
  return DAYS.map((day) => windows.filter(({ days }) => days.includes(day)).map(spanOf))
}

/** Spans of special days by YYYY-MM-DD; of a day that stands twice, all. */
function specialDays(dates: ScheduleSpec['dates']): ReadonlyMap<string, readonly Span[]> {
  const days = new Map<string, Span[]>()
  for (const { date, until = date, hours } of dates) {
    for (let at = Date.parse(date); at <= Date.parse(until); at += DAY_MS) {
      const day = new Date(at).toISOString().slice(0, 10)
      days.set(day, [...(days.get(day) ?? []), ...hours.map(spanOf)])
    }
  }
  return days
}

export class ScheduleClock {
  readonly #format: Intl.DateTimeFormat
  readonly #week: readonly (readonly Span[])[]
  readonly #special: ReadonlyMap<string, readonly Span[]>
  readonly #holidays: ReadonlySet<string>
  readonly #isNever: boolean
  #minute = Number.NaN
  #within = false

  constructor({ timeZone, weekly, dates, holidays }: ScheduleSpec) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    })
    this.#week = weekOf(weekly)
    this.#special = specialDays(dates)
    this.#holidays = new Set(holidays)
    this.#isNever = weekly.length === 0 && dates.length === 0
  }

  /** @param unixMs wall clock */
  isWithin(unixMs: number): boolean {
    if (this.#isNever) return false
    const minute = Math.floor(unixMs / 60_000)
    if (minute !== this.#minute) {
      this.#within = this.#judge(unixMs)
      this.#minute = minute
    }
    return this.#within
  }

  #judge(unixMs: number): boolean {
    const local: Record<string, string> = {}
    for (const { type, value } of this.#format.formatToParts(unixMs)) local[type] = value
    const { year = '', month = '', day = '', weekday = '', hour = '', minute = '' } = local
    const now = Number(hour) * 60 + Number(minute)
    return this.#spansOf(year.padStart(4, '0'), `${month}-${day}`, weekday).some(
      ({ from, to }) => now >= from && now < to,
    )
  }

  #spansOf(year: string, monthAndDay: string, weekday: string): readonly Span[] {
    const special = this.#special.get(`${year}-${monthAndDay}`)
    if (special !== undefined) return special
    if (this.#holidays.has(`${year}-${monthAndDay}`) || this.#holidays.has(monthAndDay)) return []
    return this.#week[DAYS.indexOf(weekday.toLowerCase() as (typeof DAYS)[number])] ?? []
  }
}
