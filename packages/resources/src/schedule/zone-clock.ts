// SPDX-License-Identifier: MIT
//
// What the clock on the wall of a zone shows. One for each zone, shared by all schedules there: the rules of zones are looked up once a minute,
// however many schedules ask. As many as there are names of zones: whoever asks has checked that his is one.

export interface WallTime {
  /** YYYY-MM-DD */
  readonly date: string
  /** MM-DD */
  readonly yearly: string
  /** Monday is 0. */
  readonly weekday: number
  /** Of the day, from 0. */
  readonly minute: number
}

const WEEKDAYS: readonly string[] = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

export class ZoneClock {
  readonly #format: Intl.DateTimeFormat
  #minute = Number.NaN
  #wall: WallTime = { date: '', yearly: '', weekday: 0, minute: 0 }

  constructor(timeZone: string) {
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
  }

  /** @param minute whole minutes since 1970 */
  at(minute: number): WallTime {
    if (minute !== this.#minute) {
      this.#wall = this.#read(minute)
      this.#minute = minute
    }
    return this.#wall
  }

  #read(unixMinute: number): WallTime {
    const parts: Record<string, string> = {}
    for (const { type, value } of this.#format.formatToParts(unixMinute * 60_000)) parts[type] = value
    const { year = '', month = '', day = '', weekday = '', hour = '', minute = '' } = parts
    const yearly = `${month}-${day}`
    return {
      date: `${year.padStart(4, '0')}-${yearly}`,
      yearly,
      weekday: WEEKDAYS.indexOf(weekday),
      minute: Number(hour) * 60 + Number(minute),
    }
  }
}

const clocks = new Map<string, ZoneClock>()

/** Throws for what is no zone. */
export function zoneClock(timeZone: string): ZoneClock {
  // Names differ by more than their case.
  const name = timeZone.toLowerCase()
  const known = clocks.get(name)
  if (known !== undefined) return known
  const made = new ZoneClock(timeZone)
  clocks.set(name, made)
  return made
}
