// SPDX-License-Identifier: MIT
// Fixed-length timer lists against a plain model, and the edges: the clock's wrap, late ticks, growth, reuse of ids.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TimerLists } from './timer-lists.ts'

const LENGTHS = [10, 50, 200]

class Fixture {
  fired: string[] = []
  onFire: (id: number, slot: number) => void = () => {}
  lists = new TimerLists(LENGTHS, this)

  onTimer(id: number, slot: number): void {
    this.fired.push(`${id}.${slot}@${this.lists.now}`)
    this.onFire(id, slot)
  }

  tick(nowMs: number): void {
    this.lists.advance(nowMs)
    this.lists.fire()
  }

  start(id: number, slot: number, lengthMs: number): void {
    this.lists.start(id, slot, this.lists.listOf(lengthMs))
  }
}

describe('timer lists', () => {
  test('fires in the order of the deadlines, whatever the lengths', () => {
    const fixture = new Fixture()
    const id = fixture.lists.acquire()
    fixture.start(id, 0, 200)
    fixture.start(id, 1, 50)
    fixture.start(id, 2, 10)
    fixture.tick(1000)
    expect(fixture.fired.map((word) => word.slice(0, 3))).toEqual(['0.2', '0.1', '0.0'])
  })

  test('fires at its deadline and not a millisecond before', () => {
    const fixture = new Fixture()
    fixture.start(fixture.lists.acquire(), 0, 50)
    fixture.tick(49.9)
    expect(fixture.fired).toEqual([])
    expect(fixture.lists.nextDeadline()).toBe(50)
    fixture.tick(50)
    expect(fixture.fired).toEqual(['0.0@50'])
  })

  test('the clock does not go back', () => {
    const fixture = new Fixture()
    fixture.tick(1000)
    fixture.tick(10)
    expect(fixture.lists.now).toBe(1000)
  })

  test('starting a running timer moves it', () => {
    const fixture = new Fixture()
    const id = fixture.lists.acquire()
    fixture.start(id, 0, 10)
    fixture.start(id, 0, 200)
    fixture.tick(199)
    expect([fixture.fired, fixture.lists.running]).toEqual([[], 1])
  })

  test('a timer that starts itself again when a tick is late counts from the tick', () => {
    const fixture = new Fixture()
    fixture.onFire = (id) => fixture.start(id, 0, 10)
    fixture.start(fixture.lists.acquire(), 0, 10)
    fixture.tick(95)
    expect([fixture.fired, fixture.lists.nextDeadline()]).toEqual([['0.0@95'], 105])
  })

  test('a released id leaves nothing running and is given out again', () => {
    const fixture = new Fixture()
    const id = fixture.lists.acquire()
    for (let slot = 0; slot < 4; slot++) fixture.start(id, slot, 50)
    fixture.lists.release(id)
    expect([fixture.lists.running, fixture.lists.acquire()]).toEqual([0, id])
    fixture.tick(1000)
    expect(fixture.fired).toEqual([])
  })

  test('works across the wrap of 32-bit milliseconds', () => {
    for (const at of [2 ** 31 - 25, 2 ** 32 - 25, 1.8e12]) {
      const fixture = new Fixture()
      fixture.tick(at)
      fixture.start(fixture.lists.acquire(), 0, 50)
      expect(fixture.lists.nextDeadline()).toBe(at + 50)
      fixture.tick(at + 49)
      expect(fixture.fired).toEqual([])
      fixture.tick(at + 50)
      expect(fixture.fired.length).toBe(1)
    }
  })

  test('a length without a list is a mistake of the caller', () => {
    expect(() => new Fixture().lists.listOf(11)).toThrow(RangeError)
  })

  test('behaves like a plain table of deadlines', () => {
    const step = fc.oneof(
      fc.record({ id: fc.nat(400), slot: fc.nat(3), length: fc.constantFrom(...LENGTHS) }),
      fc.record({ id: fc.nat(400), slot: fc.nat(3), stop: fc.constant(true) }),
      fc.record({ wait: fc.nat(60) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const fixture = new Fixture()
        for (let i = 0; i <= 400; i++) fixture.lists.acquire()
        const model = new Map<string, number>()
        let now = 0
        for (const one of steps) {
          if ('wait' in one) {
            now += one.wait
            fixture.fired = []
            fixture.tick(now)
            const due = [...model].filter(([, deadline]) => deadline <= now).map(([key]) => key)
            for (const key of due) model.delete(key)
            expect(fixture.fired.map((word) => word.split('@')[0]).toSorted()).toEqual(due.toSorted())
          } else if ('stop' in one) {
            fixture.lists.stop(one.id, one.slot)
            model.delete(`${one.id}.${one.slot}`)
          } else {
            fixture.start(one.id, one.slot, one.length)
            model.set(`${one.id}.${one.slot}`, now + one.length)
          }
          expect(fixture.lists.running).toBe(model.size)
        }
        expect(fixture.lists.nextDeadline()).toBe(Math.min(...model.values()))
      }),
      { numRuns: 100 },
    )
  })
})
