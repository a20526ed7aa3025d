// SPDX-License-Identifier: MIT
//
// Recurrence rules of RFC 5545 section 3.3.10, judged day by day: whether a date is one of a rule's. Taken: FREQ of DAILY, WEEKLY, MONTHLY and
// YEARLY, INTERVAL, COUNT, UNTIL (a date), WKST, BYMONTH, BYMONTHDAY, BYDAY (with ordinals in months and years), BYSETPOS.
// Refused, for what is left unsaid would be silent: parts of hours and seconds (hours stand beside the rule), BYWEEKNO, BYYEARDAY.
// Dates are whole days, numbered since 1970-01-01: no zone and no daylight saving changes them.

export const DAY_MS = 86_400_000

const WEEKDAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'] as const
const FREQUENCIES = ['DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'] as const
type Frequency = (typeof FREQUENCIES)[number]

/** Days that are looked through for the last one of a COUNT: a century. */
const MAX_DAYS = 36_525

interface OrdinalDay {
  /** 0: each of the period. */
  readonly nth: number
  /** Monday is 0. */
  readonly weekday: number
}

export interface RecurrenceRule {
  readonly frequency: Frequency
  readonly interval: number
  /** Day number, the last one that counts. */
  readonly until: number | undefined
  readonly count: number | undefined
  readonly weekStart: number
  readonly months: readonly number[]
  readonly monthDays: readonly number[]
  readonly days: readonly OrdinalDay[]
  readonly positions: readonly number[]
}

interface Day {
  readonly number: number
  readonly year: number
  /** From 1. */
  readonly month: number
  readonly date: number
  readonly weekday: number
}

/** Of `YYYY-MM-DD`. */
export const dayNumberOf = (date: string): number => Math.floor(Date.parse(`${date}T00:00:00Z`) / DAY_MS)

function dayOf(number: number): Day {
  const at = new Date(number * DAY_MS)
  // 1970-01-01 was a Thursday.
  const weekday = (((number + 3) % 7) + 7) % 7
  return { number, year: at.getUTCFullYear(), month: at.getUTCMonth() + 1, date: at.getUTCDate(), weekday }
}

const firstOf = (year: number, month: number): number => Math.floor(Date.UTC(year, month - 1, 1) / DAY_MS)

function integers(text: string, limit: number): readonly number[] | undefined {
  const values = text.split(',').map((item) => (/^[+-]?\d{1,4}$/.test(item) ? Number(item) : 0))
  return values.every((value) => value !== 0 && Math.abs(value) <= limit) ? values : undefined
}

function ordinalDays(text: string): readonly OrdinalDay[] | undefined {
  const found: OrdinalDay[] = []
  for (const item of text.split(',')) {
    const parts = /^([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)$/.exec(item)
    if (parts === null) return undefined
    const nth = Number(parts[1] ?? 0)
    if (parts[1] !== undefined && (nth === 0 || Math.abs(nth) > 53)) return undefined
    found.push({ nth, weekday: WEEKDAYS.indexOf(parts[2] as 'MO') })
  }
  return found
}

function untilOf(text: string): number | undefined {
  const parts = /^(\d{4})(\d{2})(\d{2})$/.exec(text)
  if (parts === null) return undefined
  const number = dayNumberOf(`${parts[1]}-${parts[2]}-${parts[3]}`)
  return Number.isNaN(number) ? undefined : number
}

const KNOWN = ['FREQ', 'INTERVAL', 'COUNT', 'UNTIL', 'WKST', 'BYMONTH', 'BYMONTHDAY', 'BYDAY', 'BYSETPOS']

function partsOf(text: string): Map<string, string> | string {
  const parts = new Map<string, string>()
  for (const item of text.toUpperCase().split(';')) {
    const at = item.indexOf('=')
    const name = item.slice(0, Math.max(at, 0))
    if (!KNOWN.includes(name)) return `expected parts among ${KNOWN.join(', ')}, found ${item}`
    if (parts.has(name)) return `expected ${name} once`
    parts.set(name, item.slice(at + 1))
  }
  return parts
}

const bounded = (text: string | undefined, fallback: number, max: number): number | undefined => {
  if (text === undefined) return fallback
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return value >= 1 && value <= max ? value : undefined
}

/** What the parts must be to each other. */
function objection({ frequency, days, monthDays, positions, until, count }: RecurrenceRule): string {
  const isLong = frequency === 'MONTHLY' || frequency === 'YEARLY'
  if (!isLong && days.some(({ nth }) => nth !== 0)) return 'expected ordinals in BYDAY for MONTHLY and YEARLY alone'
  if (frequency === 'WEEKLY' && monthDays.length > 0) return 'expected BYMONTHDAY not with WEEKLY'
  if (positions.length > 0 && days.length + monthDays.length === 0)
    return 'expected BYSETPOS beside BYDAY or BYMONTHDAY'
  if (until !== undefined && count !== undefined) return 'expected UNTIL or COUNT, not both'
  return ''
}

function withParts(frequency: Frequency, part: (name: string) => string | undefined): RecurrenceRule | string {
  const interval = bounded(part('INTERVAL'), 1, 1_000)
  const counted = part('COUNT')
  const count = bounded(counted, 1, 1_000)
  const weekStart = WEEKDAYS.indexOf((part('WKST') ?? 'MO') as 'MO')
  const [ended, month, monthDay, day, position] = ['UNTIL', 'BYMONTH', 'BYMONTHDAY', 'BYDAY', 'BYSETPOS'].map(part)
  const until = ended === undefined ? undefined : untilOf(ended)
  const months = month === undefined ? [] : integers(month, 12)
  const monthDays = monthDay === undefined ? [] : integers(monthDay, 31)
  const days = day === undefined ? [] : ordinalDays(day)
  const positions = position === undefined ? [] : integers(position, 366)
  if (interval === undefined || count === undefined) return 'expected INTERVAL and COUNT from 1 to 1000'
  if (weekStart < 0) return 'expected a weekday such as MO in WKST'
  if (ended !== undefined && until === undefined) return 'expected UNTIL as YYYYMMDD'
  if (months === undefined || months.some((value) => value < 0)) return 'expected months from 1 to 12 in BYMONTH'
  if (monthDays === undefined) return 'expected days from 1 to 31, or from -1 to -31, in BYMONTHDAY'
  if (days === undefined) return 'expected weekdays such as MO or 2TU in BYDAY'
  if (positions === undefined) return 'expected numbers from 1 to 366, or from -1, in BYSETPOS'
  const counts = counted === undefined ? undefined : count
  return { frequency, interval, until, count: counts, weekStart, months, monthDays, days, positions }
}

/** @returns what was expected, for a rule that can't be read or that isn't taken */
export function parseRecurrence(text: string): RecurrenceRule | string {
  const parts = partsOf(text.replace(/^RRULE:/i, ''))
  if (typeof parts === 'string') return parts
  const frequency = FREQUENCIES.find((one) => one === parts.get('FREQ'))
  if (frequency === undefined) return `expected FREQ among ${FREQUENCIES.join(', ')}`
  const rule = withParts(frequency, (name) => parts.get(name))
  return typeof rule === 'string' ? rule : objection(rule) || rule
}

/** The dates of one rule from its first day on. */
export class Recurrence {
  readonly #rule: RecurrenceRule
  readonly #start: Day
  readonly #last: number

  /** @param start YYYY-MM-DD: the first day, from which intervals count and which says what the rule leaves open */
  constructor(rule: RecurrenceRule, start: string) {
    this.#rule = rule
    this.#start = dayOf(dayNumberOf(start))
    this.#last = Number.MAX_SAFE_INTEGER
    if (rule.until !== undefined) this.#last = rule.until
    if (rule.count !== undefined) this.#last = this.#lastOf(rule.count)
  }

  /** @param date YYYY-MM-DD */
  isOn(date: string): boolean {
    return this.#has(dayNumberOf(date))
  }

  #lastOf(count: number): number {
    let left = count
    for (let number = this.#start.number; number < this.#start.number + MAX_DAYS; number++) {
      if (this.#has(number) && --left === 0) return number
    }
    return this.#start.number + MAX_DAYS
  }

  #has(number: number): boolean {
    if (number < this.#start.number || number > this.#last) return false
    const day = dayOf(number)
    if (!this.#isPeriod(day) || !this.#isInSet(day)) return false
    return this.#rule.positions.length === 0 || this.#isAtPosition(day)
  }

  #week = ({ number, weekday }: Day): number => number - ((weekday - this.#rule.weekStart + 7) % 7)

  /** Of every INTERVAL-th period. */
  #isPeriod(day: Day): boolean {
    const { frequency, interval } = this.#rule
    if (interval === 1) return true
    const start = this.#start
    if (frequency === 'DAILY') return (day.number - start.number) % interval === 0
    if (frequency === 'WEEKLY') return ((this.#week(day) - this.#week(start)) / 7) % interval === 0
    if (frequency === 'YEARLY') return (day.year - start.year) % interval === 0
    return ((day.year - start.year) * 12 + day.month - start.month) % interval === 0
  }

  #isInSet(day: Day): boolean {
    const { frequency, months, monthDays, days } = this.#rule
    if (months.length > 0 && !months.includes(day.month)) return false
    if (monthDays.length > 0 && !this.#isMonthDay(day)) return false
    if (days.length > 0) return days.some((one) => this.#isWeekday(day, one))
    return monthDays.length > 0 || this.#isLikeStart(day, frequency, months.length > 0)
  }

  /** What neither BYDAY nor BYMONTHDAY says, the first day does. */
  #isLikeStart(day: Day, frequency: Frequency, hasMonths: boolean): boolean {
    if (frequency === 'DAILY') return true
    if (frequency === 'WEEKLY') return day.weekday === this.#start.weekday
    if (day.date !== this.#start.date) return false
    return frequency === 'MONTHLY' || hasMonths || day.month === this.#start.month
  }

  #isMonthDay({ year, month, date }: Day): boolean {
    const length = firstOf(year, month + 1) - firstOf(year, month)
    return this.#rule.monthDays.some((one) => (one > 0 ? one === date : length + 1 + one === date))
  }

  #isWeekday(day: Day, { nth, weekday }: OrdinalDay): boolean {
    if (day.weekday !== weekday) return false
    if (nth === 0) return true
    const [from, to] = this.#periodOf(day)
    return nth > 0
      ? Math.floor((day.number - from) / 7) + 1 === nth
      : Math.floor((to - 1 - day.number) / 7) + 1 === -nth
  }

  /** First day of the period in which ordinals count, and the first one after it. */
  #periodOf(day: Day): readonly [number, number] {
    const { frequency, months } = this.#rule
    if (frequency === 'YEARLY' && months.length === 0) return [firstOf(day.year, 1), firstOf(day.year + 1, 1)]
    return [firstOf(day.year, day.month), firstOf(day.year, day.month + 1)]
  }

  #setPeriodOf(day: Day): readonly [number, number] {
    const { frequency } = this.#rule
    if (frequency === 'DAILY') return [day.number, day.number + 1]
    if (frequency === 'WEEKLY') return [this.#week(day), this.#week(day) + 7]
    if (frequency === 'YEARLY') return [firstOf(day.year, 1), firstOf(day.year + 1, 1)]
    return [firstOf(day.year, day.month), firstOf(day.year, day.month + 1)]
  }

  #isAtPosition(day: Day): boolean {
    const [from, to] = this.#setPeriodOf(day)
    const set: number[] = []
    for (let number = from; number < to; number++) if (this.#isInSet(dayOf(number))) set.push(number)
    return this.#rule.positions.some((nth) => set.at(nth > 0 ? nth - 1 : nth) === day.number)
  }
}
