// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest'
import { gatedOnce } from './readiness.ts'

it('what all share gates the first readiness only, what is its own each', () => {
  const now = { own: true, shared: false }
  const ready = gatedOnce(
    () => now.own,
    () => now.shared,
  )
  const seen = [ready()]
  for (const [own, shared] of [
    [false, true],
    [true, false],
    [true, true],
    [true, false],
    [false, false],
    [true, false],
  ] as const) {
    Object.assign(now, { own, shared })
    seen.push(ready())
  }
  expect(seen).toEqual([false, false, false, true, true, false, true])
})
