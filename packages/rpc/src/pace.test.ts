// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest'
import { Pace } from './pace.ts'

/** How many of `count` messages, one each `everyMs`, may leave at once. */
function allowed(windowMs: number, everyMs: number, count: number): number {
  const pace = new Pace(windowMs, 0)
  let sum = 0
  for (let i = 0; i < count; i++) {
    if (!pace.allows(i * everyMs)) continue
    pace.spend()
    sum++
  }
  return sum
}

const rows: [string, number, number, number, number, number][] = [
  ['all of a slow sequence', 2, 2, 1000, 1000, 1000],
  ['a burst of eight, then one a window', 2, 0.1, 1000, 55, 60],
  ['everything without a window', 0, 0, 1000, 1000, 1000],
]

describe('Pace', () => {
  it.each(rows)('allows %s', (_name, windowMs, everyMs, count, least, most) => {
    const sum = allowed(windowMs, everyMs, count)
    expect(sum).toBeGreaterThanOrEqual(least)
    expect(sum).toBeLessThanOrEqual(most)
  })

  it('does not save without end', () => {
    const pace = new Pace(2, 0)
    let sum = 0
    for (; pace.allows(1_000_000); sum++) pace.spend()
    expect(sum).toBe(8)
  })
})
