// SPDX-License-Identifier: MIT
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { AckGate } from './ack-gate.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

it('holds acknowledgements for a moment after the first delivery, then none', () => {
  const gate = new AckGate(3_000)
  const passed: string[] = []
  vi.advanceTimersByTime(60_000)
  gate.onItems()
  gate.pass(() => passed.push('a'))
  vi.advanceTimersByTime(2_000)
  gate.onItems()
  gate.pass(() => passed.push('b'))
  vi.advanceTimersByTime(999)
  expect(passed).toEqual([])
  vi.advanceTimersByTime(1)
  expect(passed).toEqual(['a', 'b'])
  gate.pass(() => passed.push('c'))
  expect(passed).toEqual(['a', 'b', 'c'])
})

it('opens when it is told to, and is open from the start for one sink', () => {
  const passed: string[] = []
  const gate = new AckGate(3_000)
  gate.pass(() => passed.push('a'))
  gate.open()
  new AckGate(0).pass(() => passed.push('b'))
  expect(passed).toEqual(['a', 'b'])
})
