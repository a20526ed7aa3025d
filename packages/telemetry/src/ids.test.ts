// SPDX-License-Identifier: MIT
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSampledId, randomSpanId, rootIdOf, spanIdOf, traceIdOf } from './ids.ts'
import { formatTraceparent, parseTraceparent } from './traceparent.ts'

const hex = (digits: number) =>
  fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`)).filter((id) => /[1-9a-f]/.test(id))

describe('ids', () => {
  it('are those of the call, and have the form of W3C', () => {
    const id = traceIdOf('a84b4c76e66710')
    expect(id).toMatch(/^[0-9a-f]{32}$/)
    expect(traceIdOf('a84b4c76e66710')).toBe(id)
    expect(id.endsWith(rootIdOf(id))).toBe(true)
    expect(spanIdOf('z9hG4bK1')).toMatch(/^[0-9a-f]{16}$/)
  })

  it('differ with Call-ID and what more there is', () => {
    const ids = [traceIdOf('a', 'b'), traceIdOf('b', 'a'), traceIdOf('a'), traceIdOf('ab')]
    expect(new Set(ids).size).toBe(ids.length)
    expect(new Set([spanIdOf('z9hG4bK1'), spanIdOf('z9hG4bK2')]).size).toBe(2)
  })

  it('of spans at random are no two alike, over the ends of their pool', () => {
    const ids = Array.from({ length: 2_000 }, randomSpanId)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.every((id) => /^[0-9a-f]{16}$/.test(id))).toBe(true)
  })
})

describe('sampling', () => {
  it('takes about its share, and of a smaller share only what a larger one takes too', () => {
    const ids = Array.from({ length: 4_000 }, (_, k) => traceIdOf(`call-${k}`))
    const some = ids.filter((id) => isSampledId(id, 0.25))
    expect(some.length).toBeGreaterThan(800)
    expect(some.length).toBeLessThan(1_200)
    expect(ids.filter((id) => isSampledId(id, 0.1)).every((id) => some.includes(id))).toBe(true)
  })

  it('takes all at 1 and none at 0', () => {
    fc.assert(fc.property(hex(32), (id) => isSampledId(id, 1) && !isSampledId(id, 0)))
  })

  it('decides as the threshold of OpenTelemetry does: the highest 56 bits are in', () => {
    const id = (random: string) => `${'0'.repeat(18)}${random}`
    expect(isSampledId(id('80000000000000'), 0.5)).toBe(true)
    expect(isSampledId(id('7fffffffffffff'), 0.5)).toBe(false)
  })
})

describe('traceparent', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, sampled) => {
        expect(parseTraceparent(formatTraceparent(traceId, spanId, sampled))).toEqual({ traceId, spanId, sampled })
      }),
    )
  })

  it('of a later version is read as far as it is the same', () => {
    const text = `cc-${'a'.repeat(32)}-${'b'.repeat(16)}-01-what-will-be`
    expect(parseTraceparent(text)).toEqual({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true })
  })

  it.each([
    '',
    'nonsense',
    `ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`,
    `00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`,
    `00-${'A'.repeat(32)}-${'b'.repeat(16)}-01`,
    `00-${'a'.repeat(31)}-${'b'.repeat(16)}-01`,
  ])('%j is none', (text) => {
    expect(parseTraceparent(text)).toBeUndefined()
  })
})
