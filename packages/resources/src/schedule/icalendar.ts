// SPDX-License-Identifier: MIT
//
// Holidays out of an iCalendar text (RFC 5545): whole days of VEVENTs, several days with DTEND, and those of every year (RRULE:FREQ=YEARLY
// alone). Everything else of a calendar is passed over: times of the day, attendees, alarms; cancelled events too. What would be read
// wrong is refused: other recurrences.
import { daysBetween } from './dates.ts'

export interface ICalendarDays {
  /** YYYY-MM-DD, or MM-DD of every year; each once. */
  readonly days: readonly string[]
  /** What was expected, with the line. */
  readonly problems: readonly string[]
}

const MAX_EVENTS = 2_000

/** Lines with their folding undone. [RFC5545-3.1] */
const linesOf = (text: string): readonly string[] => text.replace(/\r?\n[ \t]/g, '').split(/\r?\n/)

function dateOf(value: string | undefined): string | undefined {
  const parts = /^(\d{4})(\d{2})(\d{2})(?:T\d{6}Z?)?$/.exec(value ?? '')
  if (parts === null) return undefined
  const text = `${parts[1]}-${parts[2]}-${parts[3]}`
  return Number.isNaN(Date.parse(text)) ? undefined : text
}

const dayBefore = (day: string): string => new Date(Date.parse(day) - 86_400_000).toISOString().slice(0, 10)

/** @returns the days of one event, or what was expected */
function daysOf(event: ReadonlyMap<string, string>): readonly string[] | string {
  if (event.get('STATUS') === 'CANCELLED') return []
  const start = event.get('DTSTART') ?? ''
  if (start.includes('T')) return []
  const first = dateOf(start)
  if (first === undefined) return 'expected DTSTART as a date'
  const end = dateOf(event.get('DTEND'))
  const last = end === undefined || end <= first ? first : dayBefore(end)
  if (Date.parse(last) - Date.parse(first) > 366 * 86_400_000) return 'expected at most 366 days in one event'
  const days = daysBetween(first, last)
  const rule = event.get('RRULE')
  if (rule === undefined) return days
  if (rule.replace(/;?INTERVAL=1$/i, '').toUpperCase() !== 'FREQ=YEARLY') return 'expected no RRULE but FREQ=YEARLY'
  return days.map((day) => day.slice(5))
}

/** Never throws. */
export function parseICalendar(text: string): ICalendarDays {
  const days = new Set<string>()
  const problems: string[] = []
  let event: Map<string, string> | undefined
  let events = 0
  for (const [i, line] of linesOf(text).entries()) {
    const parts = /^([A-Za-z-]+)(?:;[^:]*)?:(.*)$/.exec(line)
    const [name = '', value = ''] = parts === null ? [] : [parts[1]?.toUpperCase(), parts[2]]
    if (name === 'BEGIN' && value.toUpperCase() === 'VEVENT') event = new Map()
    else if (name === 'END' && value.toUpperCase() === 'VEVENT' && event !== undefined) {
      const found = daysOf(event)
      if (typeof found === 'string') problems.push(`line ${i + 1}: ${found}`)
      else for (const day of found) days.add(day)
      event = undefined
      if (++events >= MAX_EVENTS) break
    } else if (event !== undefined && !event.has(name)) event.set(name, value.trim())
  }
  if (events === 0) problems.push('expected at least one VEVENT')
  if (events >= MAX_EVENTS) problems.push(`expected less than ${MAX_EVENTS} events`)
  return { days: [...days].filter((day) => day.length === 5 || !days.has(day.slice(5))), problems }
}
