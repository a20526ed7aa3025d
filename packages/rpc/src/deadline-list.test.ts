// SPDX-License-Identifier: MIT
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DeadlineList, RESOLUTION_MS, type Timed } from './deadline-list.ts'

interface Entry extends Timed {
  name: string
}

describe('DeadlineList', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }))
  afterEach(() => vi.useRealTimers())

  function list() {
    const expired: string[] = []
    const deadlines = new DeadlineList<Entry>(
      ({ name }) => expired.push(name),
      () => performance.now(),
    )
    const add = (name: string, ms: number): Entry => {
      const entry = { name, deadlineMs: performance.now() + ms, slot: -1, place: -1 }
      deadlines.add(entry)
      return entry
    }
    return { deadlines, expired, add }
  }

  const lengths = [0, 1, RESOLUTION_MS, 100, 999, 5_000, 5_120, 5_121, 32_000, 180_000]
  it.each(lengths)('expires %i ms not early, and at most two sweeps late', (ms) => {
    const { expired, add } = list()
    add('a', ms)
    vi.advanceTimersByTime(Math.max(0, ms - 1))
    expect(expired).toEqual([])
    vi.advanceTimersByTime(2 * RESOLUTION_MS + 1)
    expect(expired).toEqual(['a'])
  })

  it('forgets what is removed, from any place in a slot', () => {
    const { deadlines, expired, add } = list()
    const entries = ['a', 'b', 'c', 'd'].map((name) => add(name, 50))
    for (const index of [1, 0]) deadlines.remove(entries[index] as Entry)
    deadlines.remove(entries[0] as Entry)
    expect(deadlines.count).toBe(2)
    vi.advanceTimersByTime(200)
    expect(expired.sort()).toEqual(['c', 'd'])
    expect(deadlines.count).toBe(0)
  })

  it('keeps no interval when it is idle, and starts again', () => {
    const { expired, add } = list()
    add('a', 50)
    vi.advanceTimersByTime(5_000)
    expect(vi.getTimerCount()).toBe(0)
    add('b', 50)
    vi.advanceTimersByTime(200)
    expect(expired).toEqual(['a', 'b'])
  })

  it('gives back all entries on clear and tells nobody', () => {
    const { deadlines, expired, add } = list()
    add('a', 50)
    add('b', 6_000)
    expect(
      deadlines
        .clear()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['a', 'b'])
    vi.advanceTimersByTime(10_000)
    expect(expired).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })
})
