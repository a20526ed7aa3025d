// SPDX-License-Identifier: MIT
// The reason that a person gives, as parties are told. What the command does is tested from outside (test/e2e/hang-up.test.ts).
import { expect, it } from 'vitest'
import { reasonOf } from './hang-up.ts'

it.each([
  ['', ''],
  ['fraud', 'SIP;cause=480;text="fraud"'],
  ['a "quoted" \\ one', 'SIP;cause=480;text="a \\"quoted\\" \\\\ one"'],
  ['Q.850;cause=21', 'Q.850;cause=21'],
  ['SIP ;text="x";cause=402', 'SIP ;text="x";cause=402'],
  ['so; it ends', 'SIP;cause=480;text="so; it ends"'],
])('[RFC3326-2] %j is told as %j', (given, told) => {
  expect(reasonOf(given)).toBe(told)
})
