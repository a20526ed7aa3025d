// SPDX-License-Identifier: MIT
//
// Holidays out of an iCalendar text (RFC 5545): whole days of VEVENTs, several days with DTEND, and those of every year (RRULE:FREQ=YEARLY, with
// BYMONTH and BYMONTHDAY where they say the day that it begins with). Everything else of a calendar is passed over: times of the day, attendees,
// alarms; cancelled events too. What would be read wrong is refused: other recurrences, exceptions, durations.
import { daysBetween } from './dates.ts'

export interface ICalendarDays {
  /** YYYY-MM-DD, or MM-DD of every year; each once. */
  readonly days: readonly string[]
  /** What was expected, with the line. */
  readonly problems: readonly string[]
}

const MAX_EVENTS = 2_000

interface Line {
  readonly number: number
  readonly name: string
  readonly value: string
}

const CONTENT = /^([A-Za-z0-9-]+)(?:;[^=:;]+=(?:"[^"]*"|[^":;,]*)(?:,(?:"[^"]*"|[^":;,]*))*)*:(.*)$/

/** Content lines with their folding undone, each with the number of its first line. [RFC5545-3.1] */
function linesOf(text: string): readonly Line[] {
  const whole: { number: number; text: string }[] = []
  for (const [i, part] of text.split(/\r?\n/).entries()) {
    const last = whole.at(-1)
    if (/^[ \t]/.test(part) && last !== undefined) last.text += part.slice(1)
    else whole.push({ number: i + 1, text: part })
  }
  return whole.flatMap(({ number, text: line }) => {
    const [, name = '', value = ''] = CONTENT.exec(line) ?? []
    return name === '' ? [] : [{ number, name: name.toUpperCase(), value: value.trim() }]
  })
}

function dateOf(value: string | undefined): string | undefined {
  const parts = /^(\d{4})(\d{2})(\d{2})(?:T\d{6}Z?)?$/.exec(value ?? '')
  if (parts === null) return undefined
  const text = `${parts[1]}-${parts[2]}-${parts[3]}`
  return Number.isNaN(Date.parse(text)) ? undefined : text
}

const dayBefore = (day: string): string => new Date(Date.parse(day) - 86_400_000).toISOString().slice(0, 10)

/** First line of each name. */
type Event = ReadonlyMap<string, Line>

interface Expected {
  /** The property that is to blame. */
  readonly name: string
  readonly text: string
}

const REFUSED = ['DURATION', 'EXDATE', 'EXRULE', 'RDATE']

/** Every year on the day of `first`. */
function isYearly(rule: string, first: string): boolean {
  const [, month, day] = first.split('-').map(Number)
  const said = new Set(['INTERVAL=1', `BYMONTH=${month}`, `BYMONTHDAY=${day}`])
  const parts = rule.toUpperCase().split(';')
  return parts.includes('FREQ=YEARLY') && parts.every((part) => part === 'FREQ=YEARLY' || said.has(part))
}

function daysOf(event: Event): readonly string[] | Expected {
  const value = (name: string): string | undefined => event.get(name)?.value
  if (value('STATUS') === 'CANCELLED') return []
  const start = value('DTSTART') ?? ''
  if (start.includes('T')) return []
  const first = dateOf(start)
  if (first === undefined) return { name: 'DTSTART', text: 'expected DTSTART as a date' }
  const refused = REFUSED.find((name) => event.has(name))
  if (refused !== undefined) return { name: refused, text: `expected no ${refused}: write the days themselves` }
  const end = dateOf(value('DTEND'))
  const last = end === undefined || end <= first ? first : dayBefore(end)
  if (Date.parse(last) - Date.parse(first) > 366 * 86_400_000)
    return { name: 'DTEND', text: 'expected at most 366 days in one event' }
  const days = daysBetween(first, last)
  const rule = value('RRULE')
  if (rule === undefined) return days
  return isYearly(rule, first)
    ? days.map((day) => day.slice(5))
    : { name: 'RRULE', text: 'expected no RRULE but FREQ=YEARLY, of the day that it begins with' }
}

/** Never throws. */
export function parseICalendar(text: string): ICalendarDays {
  const days = new Set<string>()
  const problems: string[] = []
  let event: Map<string, Line> | undefined
  let events = 0
  for (const line of linesOf(text)) {
    const { number, name, value } = line
    const isEvent = value.toUpperCase() === 'VEVENT'
    if (name === 'BEGIN' && isEvent) event = new Map()
    else if (name === 'END' && isEvent && event !== undefined) {
      const found = daysOf(event)
      if ('text' in found) problems.push(`line ${event.get(found.name)?.number ?? number}: ${found.text}`)
      else for (const day of found) days.add(day)
      event = undefined
      if (++events >= MAX_EVENTS) break
    } else if (event !== undefined && !event.has(name)) event.set(name, line)
  }
  if (events === 0) problems.push('expected at least one VEVENT')
  if (events >= MAX_EVENTS) problems.push(`expected less than ${MAX_EVENTS} events`)
  return { days: [...days].filter((day) => day.length === 5 || !days.has(day.slice(5))), problems }
}
