// SPDX-License-Identifier: MIT
//
// When a schedule holds, across changes of the clock and special days, and what is refused.
import { expect, test } from 'vitest'
import { document, indexOf, problemsOf } from '../testing.ts'

const WORKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri']
const schedule = (spec: object) => document('Schedule', { name: 'office' }, spec)
const OFFICE = { timeZone: 'Europe/Berlin', weekly: [{ days: WORKDAYS, from: '08:00', to: '18:00' }] }

async function clockOf(spec: object) {
  const clock = (await indexOf(schedule(spec))).schedules.get('office')
  if (clock === undefined) throw new Error('there is no schedule')
  return (time: string) => clock.isWithin(Date.parse(time))
}

test.each([
  ['Monday at eight', '2026-01-05T07:00:00Z', true],
  ['a millisecond before', '2026-01-05T06:59:59.999Z', false],
  ['Monday at six in the evening', '2026-01-05T17:00:00Z', false],
  ['a minute before', '2026-01-05T16:59:00Z', true],
  ['Saturday', '2026-01-10T11:00:00Z', false],
  ['Friday before the clocks go forward', '2026-03-27T07:00:00Z', true],
  ['Monday after they went forward, an hour earlier in UTC', '2026-03-30T06:00:00Z', true],
  ['Monday before they go back', '2026-10-19T06:00:00Z', true],
  ['Monday after they went back', '2026-10-26T06:30:00Z', false],
])('Europe/Berlin: %s', async (_, time, expected) => {
  expect((await clockOf(OFFICE))(time)).toBe(expected)
})

test('an hour that the zone skips is never, one that it repeats is twice: Europe/Berlin', async () => {
  const night = await clockOf({ timeZone: 'Europe/Berlin', weekly: [{ days: ['sun'], from: '02:00', to: '03:00' }] })
  const minutes = (day: string) =>
    Array.from({ length: 360 }, (_, i) => new Date(Date.parse(`${day}T22:00:00Z`) + i * 60_000).toISOString()).filter(
      night,
    )
  expect(minutes('2026-03-28')).toHaveLength(0)
  expect(minutes('2026-10-24')).toHaveLength(120)
  expect(minutes('2026-10-17')).toHaveLength(60)
})

test('the same in America/New_York, which changes on other days', async () => {
  const office = await clockOf({ ...OFFICE, timeZone: 'America/New_York' })
  expect(office('2026-03-06T13:00:00Z')).toBe(true) // Friday, 08:00 EST
  expect(office('2026-03-09T12:00:00Z')).toBe(true) // Monday, 08:00 EDT
  expect(office('2026-03-06T12:00:00Z')).toBe(false)
  expect(office('2026-11-02T12:30:00Z')).toBe(false) // Monday, 07:30 EST
  const night = await clockOf({ timeZone: 'America/New_York', weekly: [{ days: ['sun'], from: '01:00', to: '02:00' }] })
  expect(night('2026-11-01T05:30:00Z')).toBe(true) // 01:30 EDT
  expect(night('2026-11-01T06:30:00Z')).toBe(true) // 01:30 EST
  expect(night('2026-11-01T07:30:00Z')).toBe(false)
})

test('a date has its own hours, a holiday none, the other days those of the week; dates are of the zone', async () => {
  const at = await clockOf({
    ...OFFICE,
    holidays: ['12-25', '2026-12-28', '12-24'],
    dates: [
      { date: '2026-12-24', hours: [{ from: '09:00', to: '12:00' }] },
      { date: '2026-12-29', until: '2026-12-30' },
      { date: '2027-01-02', hours: [{}] },
    ],
  })
  expect(at('2026-12-24T08:30:00Z')).toBe(true)
  expect(at('2026-12-24T13:00:00Z')).toBe(false)
  expect(at('2025-12-24T08:30:00Z')).toBe(false) // a holiday in all other years
  expect(at('2025-12-25T10:00:00Z')).toBe(false)
  expect(at('2026-12-28T10:00:00Z')).toBe(false)
  expect(at('2026-12-29T10:00:00Z')).toBe(false)
  expect(at('2026-12-30T10:00:00Z')).toBe(false)
  expect(at('2026-12-31T10:00:00Z')).toBe(true)
  expect(at('2027-01-01T23:30:00Z')).toBe(true) // Saturday in Berlin
  expect(at('2027-01-02T23:30:00Z')).toBe(false)
})

test('a rate plan takes its peak hours from a schedule', async () => {
  const spec = {
    currency: 'EUR',
    peakSchedule: 'office',
    rates: [
      { prefix: '*', perMinuteMicros: 2, period: 'peak' },
      { prefix: '*', perMinuteMicros: 1 },
    ],
  }
  const index = await indexOf(
    schedule({ ...OFFICE, holidays: ['2026-01-06'] }),
    document('RatePlan', { name: 'retail' }, spec),
    document('Account', { name: 'acme' }, { ratePlan: 'retail' }),
  )
  const price = (time: string) => index.accounts.get('acme')?.ratePlan?.find('+1', Date.parse(time))?.rate.perMinute
  expect(price('2026-01-05T10:00:00Z')).toBe(2n)
  expect(price('2026-01-06T10:00:00Z')).toBe(1n)
  expect(await problemsOf(document('RatePlan', { name: 'retail' }, spec))).toEqual([
    'spec.peakSchedule: expected an existing resource; there is no Schedule/office',
  ])
})

test.each([
  ['no hours', { timeZone: 'UTC' }, /weekly, rules or dates/],
  ['a zone that is none', { ...OFFICE, timeZone: 'Europe/Atlantis' }, /time zone/],
  ['a window over midnight', { ...OFFICE, weekly: [{ days: ['mon'], from: '22:00', to: '06:00' }] }, /two windows/],
  ['a day that no calendar has', { ...OFFICE, holidays: ['2026-02-29'] }, /calendar|YYYY/],
  ['a date that is none', { ...OFFICE, dates: [{ date: '24.12.2026' }] }, /YYYY-MM-DD/],
  ['an end before the start', { ...OFFICE, dates: [{ date: '2026-12-24', until: '2026-12-23' }] }, /until after/],
  ['years of dates', { ...OFFICE, dates: [{ date: '2026-12-24', until: '2036-12-23' }] }, /366/],
])('is refused: %s', async (_, spec, expected) => {
  expect((await problemsOf(schedule(spec))).join('\n')).toMatch(expected)
})
