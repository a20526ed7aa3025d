// SPDX-License-Identifier: MIT
//
// HolidayCalendar: days that are holidays, for any number of schedules and call flows: dates, days of every year, several days in a row, and
// those of an iCalendar text. A day stands once: two entries for it are refused, since nobody could tell which one is meant.
import { z } from 'zod'
import { API_VERSION, clusterMetadata } from '../envelope.ts'
import { anyDate, date, daysBetween, overlapOf } from './dates.ts'
import { parseICalendar } from './icalendar.ts'

const holiday = z
  .strictObject({
    date: anyDate,
    /** Last of several days of one year. */
    until: date.optional(),
    name: z.string().max(128).optional(),
  })
  .refine(({ date: first, until }) => until === undefined || (first.length > 5 && first <= until), {
    error: 'expected until after date, and a date with its year',
  })
  .refine(({ date: first, until = first }) => !(Date.parse(until) - Date.parse(first) > 366 * 86_400_000), {
    error: 'expected at most 366 days',
  })
type Holiday = z.infer<typeof holiday>

/** As a file of a calendar program has it. */
const iCalendar = z
  .string()
  .max(1024 * 1024)
  .superRefine((text, context) => {
    for (const problem of parseICalendar(text).problems.slice(0, 16)) {
      context.addIssue({ code: 'custom', message: `${problem} (iCalendar)` })
    }
  })

const daysOf = ({ date: first, until }: Holiday): readonly string[] =>
  until === undefined ? [first] : daysBetween(first, until)

interface Days {
  readonly days: readonly Holiday[]
  readonly iCalendar?: string | undefined
}

/** All days, YYYY-MM-DD or MM-DD. */
export const holidaysOf = ({ days, iCalendar: text }: Days): readonly string[] => [
  ...days.flatMap(daysOf),
  ...(text === undefined ? [] : parseICalendar(text).days),
]

export const holidayCalendarSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('HolidayCalendar'),
  metadata: clusterMetadata,
  spec: z
    .strictObject({
      description: z.string().max(512).optional(),
      days: z.array(holiday).max(2_000).default([]),
      iCalendar: iCalendar.optional(),
    })
    .refine((spec) => spec.days.length > 0 || spec.iCalendar !== undefined, 'expected days, iCalendar or both')
    .superRefine((spec, context) => {
      const overlap = overlapOf(holidaysOf(spec))
      if (overlap === undefined) return
      context.addIssue({ code: 'custom', message: `expected each day once; ${overlap} is in two holidays` })
    }),
})
export type HolidayCalendar = z.infer<typeof holidayCalendarSchema>
