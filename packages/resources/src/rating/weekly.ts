// SPDX-License-Identifier: MIT
//
// Windows of a week in a named time zone: when is it peak? Wall-clock time as the zone has it, daylight saving included.
// An hour that a zone skips is never, one that it repeats is twice. The answer is kept for the minute that was asked for.
import { z } from 'zod'

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
const DAY_MINUTES = 1_440

const clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'expected a time as HH:MM, up to 24:00')

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

function minutesOf(text: string): number {
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3))
}

export class WeeklyClock {
  readonly #format: Intl.DateTimeFormat
  readonly #windows: readonly { readonly from: number; readonly to: number }[]
  #minute = -1
  #within = false

  constructor(zone: string, windows: readonly WeeklyWindow[]) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    })
    this.#windows = windows.flatMap(({ days, from, to }) =>
      days.map((day) => {
        const start = DAYS.indexOf(day) * DAY_MINUTES
        return { from: start + minutesOf(from), to: start + minutesOf(to) }
      }),
    )
  }

  /** @param unixMs wall clock */
  isWithin(unixMs: number): boolean {
    if (this.#windows.length === 0) return false
    const minute = Math.floor(unixMs / 60_000)
    if (minute === this.#minute) return this.#within
    const local = this.#localMinute(unixMs)
    this.#minute = minute
    this.#within = this.#windows.some(({ from, to }) => local >= from && local < to)
    return this.#within
  }

  /** Minutes since Monday 00:00 in the zone. */
  #localMinute(unixMs: number): number {
    const parts: Record<string, string> = {}
    for (const { type, value } of this.#format.formatToParts(unixMs)) parts[type] = value
    const day = DAYS.indexOf((parts.weekday ?? '').toLowerCase() as (typeof DAYS)[number])
    return day * DAY_MINUTES + Number(parts.hour) * 60 + Number(parts.minute)
  }
}
