// SPDX-License-Identifier: MIT
//
// The control of the rate, alone and before a queue of one server whose time is counted by hand. Not tested here: priorities
// (admission.test.ts), a real edge (test/e2e).
import { describe, expect, test } from 'vitest'
import { type Period, RateControl } from './rate-control.ts'

const SETTINGS = { targetMs: 100, minRate: 50, maxRate: 50_000 }
const PERIOD_S = 0.2

const period = (meanMs: number | undefined, perSecond = 1_000, isRefusing = true): Period => ({
  meanMs,
  perSecond,
  isRefusing,
})

function limiting(perSecond = 1_000): RateControl {
  const control = new RateControl(SETTINGS)
  control.adjust(period(300, perSecond))
  control.adjust(period(300, perSecond))
  return control
}

/** A server that does `capacity` a second in their order, offered `offered` a second: the goodput of each period. */
function run(control: RateControl, { capacity, offered, seconds }: Record<'capacity' | 'offered' | 'seconds', number>) {
  let queue = 0
  const done: number[] = []
  for (let k = 0; k < seconds / PERIOD_S; k++) {
    const admitted = Math.min(offered, control.rate) * PERIOD_S
    const served = Math.min(queue + admitted, capacity * PERIOD_S)
    queue += admitted - served
    const meanMs = 5 + (queue / capacity) * 1_000
    control.adjust({ meanMs, perSecond: served / PERIOD_S, isRefusing: offered > control.rate })
    done.push(served / PERIOD_S)
  }
  return { done, queueMs: (queue / capacity) * 1_000 }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

describe('the rate that requests are let in at', () => {
  test('there is none while the latency is below its target', () => {
    const control = new RateControl(SETTINGS)
    for (let k = 0; k < 50; k++) control.adjust(period(99, 5_000, false))
    expect([control.isLimiting, control.rate]).toEqual([false, Number.POSITIVE_INFINITY])
  })

  test('one long period is a pause of the machine, two begin a rate below what was finished', () => {
    const control = new RateControl(SETTINGS)
    control.adjust(period(900))
    expect(control.isLimiting).toBe(false)
    control.adjust(period(900))
    expect(control.rate).toBe(800)
  })

  test('it is cut by a factor above the target, but not while the latency falls', () => {
    const control = limiting()
    control.adjust(period(300))
    expect(control.rate).toBeCloseTo(800 / 1.2)
    control.adjust(period(200))
    expect(control.rate).toBeCloseTo(800 / 1.2)
  })

  test('it is raised below the target, the more the further the latency is from it', () => {
    const [near, far] = [limiting(), limiting()]
    near.adjust(period(90))
    far.adjust(period(10))
    expect(near.rate).toBeGreaterThan(800)
    expect(far.rate).toBeGreaterThan(near.rate)
  })

  test('it stays between its bounds', () => {
    const control = limiting()
    for (let k = 0; k < 100; k++) control.adjust(period(400))
    expect([control.rate, control.isAtFloor]).toEqual([50, true])
    for (let k = 0; k < 200; k++) control.adjust(period(1))
    expect(control.rate).toBe(50_000)
  })

  test('a period that says nothing changes nothing', () => {
    const control = limiting()
    for (let k = 0; k < 50; k++) control.adjust(period(undefined))
    expect(control.rate).toBe(800)
  })

  test('there is none any more after two seconds without a refusal below the target', () => {
    const control = limiting()
    for (let k = 0; k < 9; k++) control.adjust(period(10, 100, false))
    expect(control.isLimiting).toBe(true)
    control.adjust(period(10, 100, false))
    expect(control.isLimiting).toBe(false)
  })

  test.each([1.5, 5, 20])(
    'at %s times what the server can do it does 85 % of it, and its queue stays short',
    (factor) => {
      const control = new RateControl(SETTINGS)
      run(control, { capacity: 4_000, offered: 2_000, seconds: 5 })
      const { done, queueMs } = run(control, { capacity: 4_000, offered: 4_000 * factor, seconds: 60 })
      expect(mean(done)).toBeGreaterThan(0.85 * 4_000)
      expect(mean(done.slice(100))).toBeGreaterThan(0.9 * 4_000)
      expect(queueMs).toBeLessThan(400)
    },
  )

  test('a server that becomes ten times slower, and quick again, is followed within some seconds', () => {
    const control = new RateControl(SETTINGS)
    run(control, { capacity: 4_000, offered: 20_000, seconds: 30 })
    const slow = run(control, { capacity: 400, offered: 20_000, seconds: 30 })
    expect(slow.queueMs).toBeLessThan(600)
    const quick = run(control, { capacity: 4_000, offered: 20_000, seconds: 30 })
    expect(mean(quick.done.slice(50))).toBeGreaterThan(0.85 * 4_000)
  })
})
