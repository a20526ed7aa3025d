// SPDX-License-Identifier: MIT
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Breaker } from './breaker.ts'
import { RetryBudget } from './retry-budget.ts'

const SETTINGS = { failures: 4, ratio: 0.5, windowMs: 1_000, openMs: 500, probes: 2 }

function failed(times: number, nowMs = 0): Breaker {
  const breaker = new Breaker(SETTINGS)
  for (let k = 0; k < times; k += 1) breaker.settled(false, nowMs)
  return breaker
}

describe('a breaker', () => {
  it('opens at so many failures, and allows nothing until its time is over', () => {
    expect(failed(3).state).toBe('closed')
    const breaker = failed(4)
    expect([breaker.state, breaker.opened, breaker.allows(499), breaker.allows(500)]).toEqual(['open', 1, false, true])
  })

  it('stays closed where failures are the smaller part', () => {
    const breaker = new Breaker(SETTINGS)
    for (let k = 0; k < 100; k += 1) breaker.settled(k % 3 !== 0, k)
    expect(breaker.state).toBe('closed')
  })

  it('forgets failures that are older than the window', () => {
    const breaker = failed(3)
    breaker.settled(false, 1_001)
    expect(breaker.state).toBe('closed')
  })

  it('lets one probe go at a time; enough good ones close it', () => {
    const breaker = failed(4)
    breaker.asked(500)
    expect([breaker.state, breaker.allows(501)]).toEqual(['half-open', false])
    breaker.settled(true, 510)
    expect([breaker.state, breaker.allows(511)]).toEqual(['half-open', true])
    breaker.asked(511)
    breaker.settled(true, 512)
    expect([breaker.state, breaker.allows(513)]).toEqual(['closed', true])
  })

  it('opens again at the first bad probe', () => {
    const breaker = failed(4)
    breaker.asked(500)
    breaker.settled(false, 600)
    expect([breaker.state, breaker.opened, breaker.allows(1_099), breaker.allows(1_100)]).toEqual([
      'open',
      2,
      false,
      true,
    ])
  })

  it('a probe that is never settled does not hold the way for ever', () => {
    const breaker = failed(4)
    breaker.asked(500)
    expect([breaker.allows(999), breaker.allows(1_000)]).toEqual([false, true])
  })

  it('always lets somebody through in the end, and closes once all is well', () => {
    const events = fc.array(fc.record({ isGood: fc.boolean(), waitMs: fc.nat(700) }), { maxLength: 200 })
    fc.assert(
      fc.property(events, (all) => {
        const breaker = new Breaker(SETTINGS)
        let now = 0
        const ask = (isGood: boolean): void => {
          if (!breaker.allows(now)) return
          breaker.asked(now)
          breaker.settled(isGood, now)
        }
        for (const { isGood, waitMs } of all) {
          now += waitMs
          ask(isGood)
        }
        for (let k = 0; k < SETTINGS.probes; k += 1) {
          now += SETTINGS.openMs
          expect(breaker.allows(now)).toBe(true)
          ask(true)
        }
        expect(breaker.state).toBe('closed')
      }),
    )
  })
})

describe('a retry budget', () => {
  it('lets a share of the questions be asked again, and no more', () => {
    const budget = new RetryBudget(0.1)
    let retries = 0
    for (let k = 0; k < 10_000; k += 1) {
      budget.earn()
      if (budget.spend()) retries += 1
    }
    expect(retries).toBeGreaterThanOrEqual(1_000)
    expect(retries).toBeLessThanOrEqual(1_010)
  })

  it('of nothing allows nothing', () => {
    expect(new RetryBudget(0).spend()).toBe(false)
  })
})
