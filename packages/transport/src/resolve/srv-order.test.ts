// SPDX-License-Identifier: MIT
import { createRandom } from '@tandem/test-kit'
import { describe, expect, it } from 'vitest'
import type { SrvRecord } from './resolver.ts'
import { orderSrv } from './srv-order.ts'

const srv = (name: string, priority: number, weight: number): SrvRecord => ({ name, priority, weight, port: 5060 })
const names = (records: readonly SrvRecord[]): string => records.map((record) => record.name).join('')

describe('orderSrv (RFC 2782)', () => {
  it('MUST try lower priorities first, whatever their weight', () => {
    const records = [srv('c', 30, 100), srv('a', 10, 0), srv('b', 20, 9)]
    expect(names(orderSrv(records, createRandom(1)))).toBe('abc')
  })

  it('chooses first by weight: 1, 2 and 7 of ten', () => {
    const random = createRandom(7)
    const firsts = new Map<string, number>()
    for (let i = 0; i < 10_000; i++) {
      const first = orderSrv([srv('a', 0, 10), srv('b', 0, 20), srv('c', 0, 70)], random)[0]?.name ?? ''
      firsts.set(first, (firsts.get(first) ?? 0) + 1)
    }
    expect((firsts.get('a') ?? 0) / 10_000).toBeCloseTo(0.1, 1)
    expect((firsts.get('b') ?? 0) / 10_000).toBeCloseTo(0.2, 1)
    expect((firsts.get('c') ?? 0) / 10_000).toBeCloseTo(0.7, 1)
  })

  it('gives a record of weight 0 a very small chance beside others, and keeps every record once', () => {
    expect(names(orderSrv([srv('a', 0, 9), srv('z', 0, 0)], () => 0))).toBe('za')
    expect(names(orderSrv([srv('z', 0, 0), srv('a', 0, 9)], () => 0.2))).toBe('az')
  })

  it('keeps all of several records without weight, also at the upper end of random', () => {
    expect(names(orderSrv([srv('a', 0, 0), srv('b', 0, 0)], () => 0.999_999))).toHaveLength(2)
    expect(names(orderSrv([srv('a', 0, 5), srv('b', 0, 5)], () => 0.999_999))).toBe('ba')
  })
})
