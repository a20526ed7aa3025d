// SPDX-License-Identifier: MIT
//
// Schedule: when something holds, in the wall-clock time of one zone: hours of the week, days that are different, and
// holidays. A day that stands in `dates` has the hours that stand there; else a holiday has none; else those of the week
// count.
import { z } from 'zod'
import { API_VERSION, clusterMetadata } from '../envelope.ts'
import { clock, timeZone, weeklyWindow } from './weekly.ts'

const isDate = (text: string): boolean => {
  const time = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text)
}

const date = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, 'expected a date as YYYY-MM-DD')
  .refine(isDate, 'expected a date that the calendar has')

/** Of a leap year, so that 29 February is one. */
const yearly = z
  .string()
  .regex(/^\d{2}-\d{2}$/, 'expected a date as YYYY-MM-DD, or MM-DD for every year')
  .refine((text) => isDate(`2024-${text}`), 'expected a date that the calendar has')

const hours = z
  .strictObject({ from: clock.default('00:00'), to: clock.default('24:00') })
  .refine(({ from, to }) => from < to, 'expected from before to')

const special = z
  .strictObject({
    date,
    /** Last of several days. */
    until: date.optional(),
    /** None: the whole day is out. */
    hours: z.array(hours).max(16).default([]),
    name: z.string().max(128).optional(),
  })
  .refine(({ date: first, until }) => until === undefined || first <= until, 'expected until after date')
  .refine(({ date: first, until = first }) => Date.parse(until) - Date.parse(first) <= 366 * 86_400_000, {
    error: 'expected at most 366 days',
  })

export const scheduleSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Schedule'),
  metadata: clusterMetadata,
  spec: z
    .strictObject({
      description: z.string().max(512).optional(),
      /** Of all times here. */
      timeZone: timeZone.default('UTC'),
      weekly: z.array(weeklyWindow).max(64).default([]),
      dates: z.array(special).max(1_000).default([]),
      holidays: z
        .array(z.union([date, yearly], { error: 'expected a date as YYYY-MM-DD, or MM-DD for every year' }))
        .max(1_000)
        .default([]),
    })
    .refine(({ weekly, dates }) => weekly.length > 0 || dates.length > 0, 'expected weekly, dates or both'),
})
export type Schedule = z.infer<typeof scheduleSchema>
