// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest'
import { RefusedWrites } from './refused-writes.ts'
import { notStored, stored, unknown } from './result.ts'

it('tells once that writes are refused, and once that none was refused for five seconds', () => {
  const writes = new RefusedWrites()
  const oom = notStored('refused', 'OOM')
  expect(writes.see(stored(1), 0)).toBeUndefined()
  expect(writes.see(oom, 10)).toBe('begins')
  expect(writes.see(oom, 20)).toBeUndefined()
  expect(writes.see(stored(1), 5_000)).toBeUndefined()
  expect(writes.see(oom, 5_010)).toBeUndefined()
  expect(writes.see(unknown('x'), 20_000)).toBeUndefined()
  expect(writes.see(notStored('away', 'x'), 20_000)).toBeUndefined()
  expect(writes.see(stored(1), 20_000)).toBe('ends')
  expect(writes.see(stored(1), 20_001)).toBeUndefined()
})
