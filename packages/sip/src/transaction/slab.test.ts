// SPDX-License-Identifier: MIT
import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { Slab } from './slab.ts'

const copyOf = (slab: Slab, text: string): { buf: Buffer; start: number } => {
  slab.copy(Buffer.from(text, 'latin1'), 0, text.length)
  return { buf: slab.buf, start: slab.start }
}

describe('slab', () => {
  test('short messages share a chunk and do not overlap', () => {
    const slab = new Slab()
    const texts = Array.from({ length: 300 }, (_, i) => String(i).repeat(1 + (i % 40)))
    const places = texts.map((text) => copyOf(slab, text))
    texts.forEach((text, i) => {
      const { buf, start } = places[i] as { buf: Buffer; start: number }
      expect(buf.latin1Slice(start, start + text.length)).toBe(text)
    })
    expect(new Set(places.map(({ buf }) => buf)).size).toBe(1)
  })

  test('a full chunk is left alone and a new one begun', () => {
    const slab = new Slab()
    const places = Array.from({ length: 10 }, (_, i) => copyOf(slab, String(i).repeat(10_000)))
    expect(new Set(places.map(({ buf }) => buf)).size).toBe(2)
    places.forEach(({ buf, start }, i) => {
      expect(buf.latin1Slice(start, start + 10_000)).toBe(String(i).repeat(10_000))
    })
  })

  test('a long message gets a buffer of its own size', () => {
    const slab = new Slab()
    const { buf, start } = copyOf(slab, 'x'.repeat(65_507))
    expect([buf.length, start]).toEqual([65_507, 0])
  })
})
