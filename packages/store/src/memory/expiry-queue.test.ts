// SPDX-License-Identifier: MIT
// The queue of entries that are kept equally long: order, what is not due, many chunks.
import { expect, test } from 'vitest'
import { ExpiryQueue } from './expiry-queue.ts'

test('gives out what is due, in the order in which it came, over many chunks', () => {
  const queue = new ExpiryQueue<{ readonly deadlineMs: number }>()
  const taken: number[] = []
  for (let now = 0; now < 10_000; now++) {
    queue.push({ deadlineMs: now + 3_000 })
    for (let entry = queue.take(now); entry !== undefined; entry = queue.take(now)) taken.push(entry.deadlineMs)
    expect(taken.length).toBe(Math.max(0, now - 2_999))
  }
  for (let entry = queue.take(20_000); entry !== undefined; entry = queue.take(20_000)) taken.push(entry.deadlineMs)
  expect(taken).toEqual(Array.from({ length: 10_000 }, (_, k) => k + 3_000))
})

test('empty and again', () => {
  const queue = new ExpiryQueue<{ readonly deadlineMs: number }>()
  expect(queue.take(1)).toBeUndefined()
  queue.push({ deadlineMs: 5 })
  expect(queue.take(4)).toBeUndefined()
  expect(queue.take(5)).toEqual({ deadlineMs: 5 })
  expect(queue.take(5)).toBeUndefined()
  queue.push({ deadlineMs: 6 })
  expect(queue.take(6)).toEqual({ deadlineMs: 6 })
})
