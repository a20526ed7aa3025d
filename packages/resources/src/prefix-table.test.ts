// SPDX-License-Identifier: MIT
//
// Longest match against the naive search, both families; that ten thousand ranges cost about as little as ten.
import { BlockList, isIP, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAddress } from './address-bits.ts'
import { PrefixTable } from './prefix-table.ts'

const table = (...ranges: string[]) => new PrefixTable(ranges.map((range) => [range, range] as const))
const found = (of: PrefixTable<string>, address: string): string[] => {
  const values: string[] = []
  for (let node = of.find(address); node !== undefined; node = node.parent) values.push(...node.values)
  return values
}

const NESTED = table('10.0.0.0/8', '10.1.0.0/16', '10.1.2.3', '2001:db8::/32', '2001:db8:1::/48', '::1', '0.0.0.0/0')
const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['10.1.2.3', ['10.1.2.3', '10.1.0.0/16', '10.0.0.0/8', '0.0.0.0/0']],
  ['10.1.2.4', ['10.1.0.0/16', '10.0.0.0/8', '0.0.0.0/0']],
  ['10.255.255.255', ['10.0.0.0/8', '0.0.0.0/0']],
  ['11.0.0.0', ['0.0.0.0/0']],
  ['255.255.255.255', ['0.0.0.0/0']],
  ['::ffff:10.1.2.3', ['10.1.2.3', '10.1.0.0/16', '10.0.0.0/8', '0.0.0.0/0']],
  ['2001:db8:1::9', ['2001:db8:1::/48', '2001:db8::/32']],
  ['2001:DB8:0001:0:0:0:0:9', ['2001:db8:1::/48', '2001:db8::/32']],
  ['2001:db8:2::1', ['2001:db8::/32']],
  ['2001:db9::', []],
  ['::1', ['::1']],
  ['::1%lo', ['::1']],
  ['::', []],
  ['nonsense', []],
  ['', []],
  ['10.1.2', []],
  ['10.01.2.3', []],
  ['2001:db8:::1', []],
]

describe('longest match', () => {
  test.each(CASES)('%s', (address, expected) => {
    expect(found(NESTED, address)).toEqual(expected)
  })

  test('the first and the last address of all', () => {
    expect(found(table('::/0'), 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')).toEqual(['::/0'])
    expect(found(table('::/0'), '192.0.2.1')).toEqual([])
    expect(found(table('255.255.255.255'), '255.255.255.255')).toEqual(['255.255.255.255'])
  })

  test('several values of one range, however it is written', () => {
    expect(found(table('192.0.2.0/24', '192.0.2.77/24', '::ffff:192.0.2.0/120'), '192.0.2.1')).toHaveLength(3)
  })
})

const v4 = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([address, bits]) => `${address}/${bits}`)
const v6 = fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([address, bits]) => `${address}/${bits}`)
const isMapped = (address: string): boolean => isIPv6(address) && parseAddress(address, new Uint32Array(4)) === 4

test('agrees with node:net about which ranges hold an address', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(v4, v6), { maxLength: 12 }), fc.oneof(fc.ipV4(), fc.ipV6()), (ranges, address) => {
      fc.pre(!isMapped(address) && !ranges.some((range) => isMapped(range.split('/')[0] ?? '')))
      const holds = (range: string): boolean => {
        const [base = '', bits] = range.split('/')
        const list = new BlockList()
        list.addSubnet(base, Number(bits), isIPv6(base) ? 'ipv6' : 'ipv4')
        return isIPv6(base) === isIPv6(address) && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
      }
      const bitsOf = (range: string) => Number(range.split('/')[1])
      const answer = found(table(...ranges), address)
      expect([...answer].sort()).toEqual(ranges.filter(holds).sort())
      expect(answer.map(bitsOf)).toEqual([...answer].map(bitsOf).sort((a, b) => b - a))
    }),
    { numRuns: 300 },
  )
})

test('reads the addresses that node:net reads', () => {
  const text = fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{0,20}$/))
  fc.assert(
    fc.property(text, (address) => {
      expect(parseAddress(address, new Uint32Array(4)) !== 0).toBe(isIP(address) !== 0)
    }),
    { numRuns: 1_000 },
  )
})

test('ten thousand ranges are looked up about as fast as ten', () => {
  const rangesOf = (count: number) =>
    Array.from({ length: count }, (_, i) =>
      i % 2 ? `10.${i >> 8}.${i & 255}.0/25` : `2001:db8:${i.toString(16)}::/48`,
    )
  const costOf = (of: PrefixTable<string>): number => {
    const started = performance.now()
    for (let i = 0; i < 100_000; i++) of.find(i % 2 ? `10.${(i >> 8) & 63}.${i & 255}.7` : '2001:db8:2710::1')
    return performance.now() - started
  }
  const [few, many] = [table(...rangesOf(10)), table(...rangesOf(10_000))]
  costOf(few)
  costOf(many)
  const best = (of: PrefixTable<string>) => Math.min(...Array.from({ length: 5 }, () => costOf(of)))
  // 14 more comparisons; a search one by one would cost a thousand times as much.
  expect(best(many)).toBeLessThan(best(few) * 8 + 20)
})
