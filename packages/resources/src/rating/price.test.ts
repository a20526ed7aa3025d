// SPDX-License-Identifier: MIT
//
// Prices. Not tested here: which rate a number has (rate-table.test.ts).
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  billedMs,
  firstQuantum,
  formatAmount,
  MAX_AMOUNT,
  MAX_PRICE,
  paidMs,
  paidMsAtAll,
  parseAmount,
  price,
  priceOfAll,
  type Rate,
} from './price.ts'

const rateOf = (parts: Partial<Rate> = {}): Rate => ({
  connectFee: 0n,
  perMinute: 60_000n,
  firstMs: 60_000,
  nextMs: 60_000,
  graceMs: 0,
  ...parts,
})

const anyRate: fc.Arbitrary<Rate> = fc.record({
  connectFee: fc.bigInt({ min: 0n, max: MAX_PRICE }),
  perMinute: fc.oneof(fc.bigInt({ min: 0n, max: 100_000n }), fc.bigInt({ min: 0n, max: MAX_PRICE })),
  firstMs: fc.integer({ min: 1_000, max: 3_600_000 }),
  nextMs: fc.integer({ min: 1_000, max: 3_600_000 }),
  graceMs: fc.integer({ min: 0, max: 600_000 }),
})
const anyTalk = fc.integer({ min: 0, max: 12 * 3_600_000 })

test.each([
  ['nothing said', rateOf(), 0, 0n],
  ['a begun minute is a minute', rateOf(), 1, 60_000n],
  ['exactly one', rateOf(), 60_000, 60_000n],
  ['one and a millisecond', rateOf(), 60_001, 120_000n],
  ['6/1', rateOf({ firstMs: 6_000, nextMs: 1_000 }), 7_001, 8_000n],
  ['connect fee', rateOf({ connectFee: 5n }), 1, 60_005n],
  ['within the grace', rateOf({ connectFee: 5n, graceMs: 3_000 }), 3_000, 0n],
  ['after the grace all of it counts', rateOf({ connectFee: 5n, graceMs: 3_000 }), 3_001, 60_005n],
  ['rounded up once, on the sum', rateOf({ perMinute: 10_000n, firstMs: 1_000, nextMs: 1_000 }), 60_000, 10_000n],
  ['a clock that jumped', rateOf({ perMinute: MAX_PRICE }), 1e15, MAX_AMOUNT],
])('the price: %s', (_, rate, talkMs, amount) => {
  expect(price(rate, talkMs)).toBe(amount)
})

test('property: what an amount pays for never costs more than it, and a millisecond more does', () => {
  fc.assert(
    fc.property(anyRate, fc.bigInt({ min: 0n, max: 10n ** 13n }), (rate, amount) => {
      const paid = paidMs(rate, amount)
      if (paid === Number.POSITIVE_INFINITY) {
        expect(price(rate, 1e12)).toBeLessThanOrEqual(amount)
        return
      }
      expect(price(rate, paid)).toBeLessThanOrEqual(amount)
      expect(price(rate, paid + 1)).toBeGreaterThan(amount)
    }),
    { numRuns: 2_000 },
  )
})

test('property: at several rates an amount pays for the longest talk whose prices are no more, together', () => {
  const amount = fc.bigInt({ min: 0n, max: 1_000_000_000n })
  fc.assert(
    fc.property(fc.array(anyRate, { minLength: 1, maxLength: 3 }), amount, (rates, amount) => {
      const paid = paidMsAtAll(rates, amount)
      const isEndless = !Number.isFinite(paid)
      expect(priceOfAll(rates, isEndless ? 100 * 31_536_000_000 : paid)).toBeLessThanOrEqual(amount)
      if (!isEndless) expect(priceOfAll(rates, paid + 1)).toBeGreaterThan(amount)
    }),
    { numRuns: 1_000 },
  )
})

test('property: the price grows with talk, and grants in any increments add up to the price of the whole', () => {
  fc.assert(
    fc.property(anyRate, fc.array(anyTalk, { minLength: 1, maxLength: 12 }), (rate, ends) => {
      let granted = 0n
      let longest = 0
      for (const end of ends) {
        longest = Math.max(longest, end)
        const total = price(rate, longest)
        expect(total).toBeGreaterThanOrEqual(granted)
        granted += total - granted
      }
      expect(granted).toBe(price(rate, longest))
      expect(price(rate, billedMs(rate, longest))).toBe(granted)
    }),
    { numRuns: 1_000 },
  )
})

test('property: a first quantum pays for the first increment at least', () => {
  fc.assert(
    fc.property(anyRate, anyTalk, (rate, wantedMs) => {
      const amount = firstQuantum(rate, wantedMs)
      expect(amount).toBeGreaterThanOrEqual(rate.connectFee)
      expect(paidMs(rate, amount)).toBeGreaterThanOrEqual(Math.max(wantedMs, rate.graceMs + 1))
    }),
    { numRuns: 1_000 },
  )
})

test.each([
  ['10', 10_000_000n],
  ['0.0125', 12_500n],
  ['-3.5', -3_500_000n],
  ['0.0000001', undefined],
  ['1e3', undefined],
  ['', undefined],
  ['9999999999', undefined],
])('an amount in units: %j', (text, micros) => {
  expect(parseAmount(text)).toBe(micros)
})

test.each([
  [12_500n, '0.0125'],
  [-3_500_000n, '-3.50'],
  [0n, '0.00'],
  [1n, '0.000001'],
])('%s micro-units read as %s', (micros, text) => {
  expect(formatAmount(micros)).toBe(text)
  expect(parseAmount(text)).toBe(micros)
})
