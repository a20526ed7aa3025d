// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest'
import { FakeClock } from './fake-clock.ts'

it('fires timers in the order of their time, then of their creation, and not early', () => {
  const clock = new FakeClock(0)
  const fired: string[] = []
  clock.setTimeout(() => fired.push(`b@${clock.now()}`), 20)
  clock.setTimeout(() => fired.push(`a@${clock.now()}`), 10)
  clock.setTimeout(() => fired.push(`c@${clock.now()}`), 20)
  expect(clock.nextDeadline()).toBe(10)
  clock.advance(19)
  expect(fired).toEqual(['a@10'])
  clock.advance(1)
  expect(fired).toEqual(['a@10', 'b@20', 'c@20'])
  expect(clock.nextDeadline()).toBe(Number.POSITIVE_INFINITY)
})

it('fires a timer that was set by a timer within the same advance, and none that was cleared', () => {
  const clock = new FakeClock(0)
  const fired: number[] = []
  const cleared = clock.setTimeout(() => fired.push(-1), 5)
  clock.setTimeout(() => clock.setTimeout(() => fired.push(clock.now()), 10), 10)
  clock.clearTimeout(cleared)
  expect(clock.advance(100)).toBe(2)
  expect(fired).toEqual([20])
  expect(clock.now()).toBe(100)
})

it('throws where timers never end', () => {
  const clock = new FakeClock()
  const again = (): void => void clock.setTimeout(again, 0)
  again()
  expect(() => clock.advance(1, 50)).toThrow(/50 timers/)
})
