// SPDX-License-Identifier: MIT
//
// Tokens by a clock that the test turns.
import { describe, expect, test } from 'vitest'
import { TokenBucket } from './token-bucket.ts'

const SETTINGS = { burstS: 0.1, reservedShare: 0.25 }

function bucketAt(rate: number): TokenBucket {
  const bucket = new TokenBucket(SETTINGS)
  bucket.start(rate, 0)
  return bucket
}

describe('token bucket', () => {
  test('gives as many as its rate over a minute, and a tenth of a second of it at most at once', () => {
    const bucket = bucketAt(1_000)
    let taken = 0
    for (let ms = 0; ms < 60_000; ms += 3) {
      bucket.refill(ms)
      for (; bucket.has(0); taken++) bucket.take()
    }
    expect(Math.abs(taken - 60_000)).toBeLessThan(110)
    bucket.refill(90_000)
    expect(bucket.tokens).toBe(100)
  })

  test('a lower priority leaves its share of the bucket to the others', () => {
    const bucket = bucketAt(1_000)
    bucket.refill(10_000)
    let newcomers = 0
    for (; bucket.has(0.5); newcomers++) bucket.take()
    let refreshes = 0
    for (; bucket.has(0); refreshes++) bucket.take()
    expect([newcomers, refreshes]).toEqual([50, 50])
  })

  test('what is set apart comes at its share of the rate and is debited to the whole', () => {
    const bucket = bucketAt(1_000)
    while (bucket.has(0)) bucket.take()
    while (bucket.hasReserved) bucket.take(true)
    let reserved = 0
    for (let ms = 0; ms <= 10_000; ms += 5) {
      bucket.refill(ms)
      for (; bucket.hasReserved; reserved++) bucket.take(true)
      for (; bucket.has(0); ) bucket.take()
    }
    expect(Math.abs(reserved - 2_500)).toBeLessThan(30)
    expect(bucket.tokens).toBeGreaterThanOrEqual(-100)
  })

  test('a clock that stands still, or goes back, gives nothing', () => {
    const bucket = bucketAt(1_000)
    while (bucket.has(0)) bucket.take()
    bucket.refill(0)
    bucket.refill(-5_000)
    expect(bucket.has(0)).toBe(false)
  })
})
