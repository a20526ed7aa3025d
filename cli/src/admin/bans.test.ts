// SPDX-License-Identifier: MIT
// Times as people write and read them. What the command does is tested from outside (test/e2e/bans.test.ts).
import { expect, it } from 'vitest'
import { formatTime, parseTime } from './bans.ts'

it.each([
  ['90s', 90_000],
  ['10m', 600_000],
  ['1h30m', 5_400_000],
  ['2d', 172_800_000],
  ['', undefined],
  ['1', undefined],
  ['1w', undefined],
  ['-1h', undefined],
  ['1h ', undefined],
])('%j is %s ms', (text, ms) => {
  expect(parseTime(text)).toBe(ms)
})

it.each([
  [0, '0s'],
  [999, '1s'],
  [61_000, '1m 1s'],
  [3_600_000, '1h'],
  [90_061_000, '1d 1h'],
])('%d ms is %s', (ms, text) => {
  expect(formatTime(ms)).toBe(text)
})
