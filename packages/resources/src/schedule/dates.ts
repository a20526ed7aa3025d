// SPDX-License-Identifier: MIT
//
// Dates as schedules and calendars write them.
import { z } from 'zod'

const isDate = (text: string): boolean => {
  const time = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text)
}

export const date = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, 'expected a date as YYYY-MM-DD')
  .refine(isDate, 'expected a date that the calendar has')

/** Of a leap year, so that 29 February is one. */
const yearly = z
  .string()
  .regex(/^\d{2}-\d{2}$/, 'expected a date as YYYY-MM-DD, or MM-DD for every year')
  .refine((text) => isDate(`2024-${text}`), 'expected a date that the calendar has')

export const anyDate = z.union([date, yearly], { error: 'expected a date as YYYY-MM-DD, or MM-DD for every year' })

/** Days from `first` to `last`, both of them YYYY-MM-DD and within. */
export function daysBetween(first: string, last: string): readonly string[] {
  const days: string[] = []
  const end = Date.parse(last)
  for (let at = Date.parse(first); at <= end; at += 86_400_000) days.push(new Date(at).toISOString().slice(0, 10))
  return days
}

/** A day that stands twice, as MM-DD and as YYYY-MM-DD too; undefined for none. */
export function overlapOf(days: readonly string[]): string | undefined {
  const seen = new Set<string>()
  for (const day of days) {
    if (seen.has(day)) return day
    seen.add(day)
  }
  return days.find((day) => day.length > 5 && seen.has(day.slice(5)))
}
