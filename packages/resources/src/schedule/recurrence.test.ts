// SPDX-License-Identifier: MIT
//
// Recurrence rules, calendars and their zones: leap days, ends of years, changes of the clock, and what is refused.
import { describe, expect, test } from 'vitest'
import { document, indexOf, problemsOf } from '../testing.ts'
import { parseICalendar } from './icalendar.ts'
import { parseRecurrence, Recurrence } from './recurrence.ts'

function datesOf(text: string, start: string, from: string, days: number): readonly string[] {
  const rule = parseRecurrence(text)
  if (typeof rule === 'string') throw new Error(rule)
  const recurrence = new Recurrence(rule, start)
  const all = Array.from({ length: days }, (_, i) =>
    new Date(Date.parse(from) + i * 86_400_000).toISOString().slice(0, 10),
  )
  return all.filter((date) => recurrence.isOn(date))
}

describe('Recurrence', () => {
  test.each([
    ['FREQ=DAILY;INTERVAL=3', '2026-12-30', ['2026-12-30', '2027-01-02', '2027-01-05']],
    ['FREQ=DAILY;COUNT=2', '2026-12-31', ['2026-12-31', '2027-01-01']],
    ['FREQ=WEEKLY;BYDAY=MO,FR;UNTIL=20260112', '2026-01-05', ['2026-01-05', '2026-01-09', '2026-01-12']],
    [
      'FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO;COUNT=4',
      '1997-08-05',
      ['1997-08-05', '1997-08-10', '1997-08-19', '1997-08-24'],
    ],
    [
      'FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU;COUNT=4',
      '1997-08-05',
      ['1997-08-05', '1997-08-17', '1997-08-19', '1997-08-31'],
    ],
    ['FREQ=MONTHLY;BYDAY=-1FR;COUNT=3', '2026-01-01', ['2026-01-30', '2026-02-27', '2026-03-27']],
    ['FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3', '2028-01-01', ['2028-01-31', '2028-02-29', '2028-03-31']],
    ['FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2', '2026-01-01', ['2026-01-30', '2026-02-27']],
    ['FREQ=YEARLY;COUNT=2', '2024-02-29', ['2024-02-29', '2028-02-29']],
    ['FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=2', '2026-01-01', ['2026-11-26', '2027-11-25']],
    ['FREQ=YEARLY;BYDAY=1MO;COUNT=2', '2026-01-01', ['2026-01-05', '2027-01-04']],
  ])('%s from %s', (text, start, expected) => {
    expect(datesOf(text, start, start, 1_800)).toEqual(
      text.includes('COUNT') || text.includes('UNTIL') ? expected : expect.arrayContaining(expected as string[]),
    )
  })

  test.each([
    ['FREQ=HOURLY', /FREQ/],
    ['INTERVAL=2', /FREQ/],
    ['FREQ=DAILY;BYHOUR=9', /BYHOUR/],
    ['FREQ=DAILY;INTERVAL=0', /INTERVAL/],
    ['FREQ=WEEKLY;BYDAY=2MO', /ordinals/],
    ['FREQ=WEEKLY;BYDAY=XX', /weekdays/],
    ['FREQ=DAILY;COUNT=1;UNTIL=20260101', /not both/],
    ['FREQ=DAILY;FREQ=DAILY', /once/],
    ['FREQ=MONTHLY;BYMONTHDAY=32', /BYMONTHDAY/],
  ])('%s is refused', (text, expected) => {
    expect(parseRecurrence(text)).toMatch(expected)
  })
})

describe('iCalendar', () => {
  const event = (...lines: string[]) => ['BEGIN:VEVENT', ...lines, 'END:VEVENT'].join('\r\n')

  test('whole days, several days, every year; hours and what was cancelled are passed over', () => {
    const text = [
      'BEGIN:VCALENDAR',
      event('DTSTART;VALUE=DATE:20261225', 'DTEND;VALUE=DATE:20261227', 'SUMMARY:Christ', ' mas'),
      event('DTSTART;VALUE=DATE:20260101', 'RRULE:FREQ=YEARLY'),
      event('DTSTART:20260301T100000Z'),
      event('DTSTART;VALUE=DATE:20260401', 'STATUS:CANCELLED'),
      'END:VCALENDAR',
    ].join('\r\n')
    expect(parseICalendar(text)).toEqual({ days: ['2026-12-25', '2026-12-26', '01-01'], problems: [] })
  })

  test('what would be read wrong is refused, with its line', () => {
    const text = event('DTSTART;VALUE=DATE:20260101', 'RRULE:FREQ=MONTHLY')
    expect(parseICalendar(text).problems).toEqual([expect.stringMatching(/^line 3: expected no RRULE but FREQ=YEARLY/)])
    expect(parseICalendar('nothing').problems).toEqual(['expected at least one VEVENT'])
  })

  test.each(['DURATION:P3D', 'EXDATE;VALUE=DATE:20271225', 'RDATE;VALUE=DATE:20261231'])(
    '%s is refused, with the line where it stands',
    (line) => {
      const text = event('DTSTART;VALUE=DATE:20261225', 'SUMMARY:a long', '  one', line)
      expect(parseICalendar(text).problems).toEqual([
        expect.stringMatching(/^line 5: expected no (DURATION|EXDATE|RDATE)/),
      ])
    },
  )

  test('colons in quotes, and rules that say the day once more', () => {
    expect(parseICalendar(event('DTSTART;TZID="a:b";VALUE=DATE:20261225')).days).toEqual(['2026-12-25'])
    const christmas = ['DTSTART;VALUE=DATE:20261225', 'RRULE:FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25']
    expect(parseICalendar(event(...christmas))).toEqual({ days: ['12-25'], problems: [] })
    expect(
      parseICalendar(event('DTSTART;VALUE=DATE:20261225', 'RRULE:FREQ=YEARLY;BYMONTHDAY=24')).problems,
    ).toHaveLength(1)
  })
})

describe('Schedule', () => {
  const HOURS = [{ from: '02:00', to: '03:00' }]
  const within = async (spec: object, ...more: object[]) => {
    const clock = (await indexOf(document('Schedule', { name: 's' }, spec), ...more)).schedules.get('s')
    return (time: string) => clock?.isWithin(Date.parse(time))
  }

  test.each([
    ['Europe/Berlin', '2026-03-29T01:00:00Z', false, 'skips the hour'],
    ['Europe/Berlin', '2026-10-25T00:30:00Z', true, 'has it the first time'],
    ['Europe/Berlin', '2026-10-25T01:30:00Z', true, 'has it twice'],
    ['Europe/Berlin', '2026-10-25T02:00:00Z', false, 'has it no third time'],
    ['Australia/Lord_Howe', '2026-04-04T15:45:00Z', true, 'goes back by half an hour'],
    ['Asia/Kathmandu', '2026-01-01T20:15:00Z', true, 'is a quarter off'],
  ])('%s at %s: %s', async (timeZone, time, expected) => {
    const spec = { timeZone, rules: [{ rrule: 'FREQ=DAILY', start: '2026-01-01', hours: HOURS }] }
    expect((await within(spec))(time)).toBe(expected)
  })

  test('days of a calendar are holidays of each schedule that names it; dates win over them', async () => {
    const calendar = document('HolidayCalendar', { name: 'de' }, { days: [{ date: '12-31' }, { date: '02-29' }] })
    const spec = {
      timeZone: 'America/New_York',
      weekly: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '00:00', to: '24:00' }],
      dates: [{ date: '2026-12-31', hours: [{ from: '09:00', to: '12:00' }] }],
      calendars: ['de'],
    }
    const is = await within(spec, calendar)
    expect(is('2027-12-31T15:00:00Z')).toBe(false)
    expect(is('2026-12-31T15:00:00Z')).toBe(true)
    expect(is('2027-01-01T04:59:59Z')).toBe(false)
    expect(is('2027-01-01T05:00:00Z')).toBe(true)
    expect(is('2028-02-29T15:00:00Z')).toBe(false)
    expect(is('2028-03-01T15:00:00Z')).toBe(true)
  })

  test.each([
    ['without a zone', 'Schedule', { weekly: [{ days: ['mon'] }] }, /timeZone/],
    [
      'with a rule that is none',
      'Schedule',
      { timeZone: 'UTC', rules: [{ rrule: 'FREQ=X', start: '2026-01-01' }] },
      /FREQ/,
    ],
    [
      'with a holiday twice',
      'Schedule',
      { timeZone: 'UTC', weekly: [{ days: ['mon'] }], holidays: ['12-25', '2026-12-25'] },
      /once/,
    ],
    [
      'whose holidays overlap',
      'HolidayCalendar',
      { days: [{ date: '2026-04-03', until: '2026-04-06' }, { date: '2026-04-05' }] },
      /2026-04-05 is in two/,
    ],
    ['without days', 'HolidayCalendar', {}, /days, iCalendar/],
  ])('is refused: %s', async (_, kind, spec, expected) => {
    expect((await problemsOf(document(kind, { name: 's' }, spec))).join('\n')).toMatch(expected)
  })
})
