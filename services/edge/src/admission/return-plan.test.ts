// SPDX-License-Identifier: MIT
//
// Retry-After of a whole storm, by a clock and a chance of the test's own.
import { describe, expect, test } from 'vitest'
import { ReturnPlan } from './return-plan.ts'

const SETTINGS = { minS: 1, spreadS: 4, maxS: 600 }

/** The same for all runs; mulberry32. */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

describe('when those who are refused come back', () => {
  test('the first few are told one to five seconds', () => {
    const plan = new ReturnPlan(SETTINGS, chance(1))
    const told = Array.from({ length: 200 }, () => plan.secondsFor(true, 1, 1_000, 0))
    expect(new Set(told)).toEqual(new Set([1, 2, 3, 4, 5]))
  })

  test('200,000 refused at once come back about as many a second as are let in, and as one crowd in none', () => {
    const plan = new ReturnPlan(SETTINGS, chance(2))
    const perSecond = new Map<number, number>()
    for (let k = 0; k < 200_000; k++) {
      const second = plan.secondsFor(true, 1, 1_000, 0)
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
    }
    expect(Math.max(...perSecond.keys())).toBeGreaterThan(250)
    expect(Math.max(...perSecond.keys())).toBeLessThan(300)
    const middle = [...perSecond].filter(([second]) => second > 10 && second < 130).map(([, count]) => count)
    expect(Math.max(...middle)).toBeLessThan(1_500)
    expect(Math.min(...middle)).toBeGreaterThan(600)
  })

  test('nobody is told more than the longest, and then by chance in its later half', () => {
    const plan = new ReturnPlan({ ...SETTINGS, maxS: 60 }, chance(3))
    const told = Array.from({ length: 100_000 }, () => plan.secondsFor(true, 1, 100, 0)).slice(50_000)
    expect(Math.max(...told)).toBe(60)
    expect(Math.min(...told)).toBeGreaterThanOrEqual(30)
  })

  test('a backlog is forgotten as its seconds pass', () => {
    const plan = new ReturnPlan(SETTINGS, chance(4))
    for (let k = 0; k < 10_000; k++) plan.secondsFor(false, 2, 1_000, 0)
    expect(plan.backlog(0)).toBe(20_000)
    expect(plan.backlog(15_000)).toBeLessThan(12_000)
    expect(plan.backlog(100_000)).toBe(0)
    expect(plan.secondsFor(true, 1, 1_000, 100_000)).toBeLessThanOrEqual(5)
  })

  test('the first line does not wait for the second, the second waits for both', () => {
    const plan = new ReturnPlan(SETTINGS, () => 0.5)
    for (let k = 0; k < 10_000; k++) plan.secondsFor(false, 2, 1_000, 0)
    expect(plan.secondsFor(true, 1, 1_000, 0)).toBeLessThanOrEqual(5)
    expect(plan.secondsFor(false, 2, 1_000, 0)).toBeGreaterThan(15)
  })

  test('a caller is told five seconds at most', () => {
    const plan = new ReturnPlan(SETTINGS, () => 0.999)
    for (let k = 0; k < 10_000; k++) plan.secondsFor(true, 1, 100, 0)
    expect(plan.secondsFor(true, 1, 100, 0, 5)).toBe(5)
  })
})
