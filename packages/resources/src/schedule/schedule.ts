// SPDX-License-Identifier: MIT
//
// Schedule: when something holds, in the wall-clock time of one zone: hours of the week, days by a recurrence rule, days that are
// different, and holidays. A day that stands in `dates` has the hours that stand there; else a holiday has none; else those of the
// week and of the rules count.
import { z } from 'zod'
import { API_VERSION, clusterMetadata, resourceName } from '../envelope.ts'
import { anyDate, date, overlapOf } from './dates.ts'
import { parseRecurrence } from './recurrence.ts'
import { clock, timeZone, weeklyWindow } from './weekly.ts'

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

const rule = z.strictObject({
  /** Of RFC 5545 section 3.3.10, in days: `FREQ=MONTHLY;BYDAY=1MO`. */
  rrule: z
    .string()
    .max(256)
    .superRefine((text, context) => {
      const parsed = parseRecurrence(text)
      if (typeof parsed === 'string') context.addIssue({ code: 'custom', message: parsed })
    }),
  /** First day, from which intervals count. */
  start: date,
  hours: z
    .array(hours)
    .min(1)
    .max(16)
    .default([{ from: '00:00', to: '24:00' }]),
})

export const scheduleSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Schedule'),
  metadata: clusterMetadata,
  spec: z
    .strictObject({
      description: z.string().max(512).optional(),
      /** Of all times here: without a zone nobody could tell what 08:00 means. */
      timeZone,
      weekly: z.array(weeklyWindow).max(64).default([]),
      rules: z.array(rule).max(64).default([]),
      dates: z.array(special).max(1_000).default([]),
      holidays: z.array(anyDate).max(1_000).default([]),
      /** Names of HolidayCalendars, whose days are holidays here. */
      calendars: z.array(resourceName).max(32).default([]),
    })
    .refine(({ weekly, dates, rules }) => weekly.length + dates.length + rules.length > 0, {
      error: 'expected weekly, rules or dates',
    })
    .superRefine(({ holidays }, context) => {
      const overlap = overlapOf(holidays)
      if (overlap === undefined) return
      context.addIssue({ code: 'custom', message: `expected each day once; ${overlap} is in two holidays` })
    }),
})
export type Schedule = z.infer<typeof scheduleSchema>
