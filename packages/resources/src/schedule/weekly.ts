// SPDX-License-Identifier: MIT
//
// Windows of a week, and the zone in which they are meant.
import { z } from 'zod'

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

export const clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'expected a time as HH:MM, up to 24:00')

export const weeklyWindow = z
  .strictObject({
    days: z.array(z.enum(DAYS)).min(1).max(7),
    from: clock.default('00:00'),
    /** Not part of the window. */
    to: clock.default('24:00'),
  })
  .refine(({ from, to }) => from < to, 'expected from before to; a window over midnight is two windows')
export type WeeklyWindow = z.infer<typeof weeklyWindow>

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name })
    return true
  } catch {
    return false
  }
}

export const timeZone = z.string().max(64).refine(isTimeZone, 'expected a time zone such as Europe/Berlin')
