// SPDX-License-Identifier: MIT
//
// What memory knows of the lines in the file, at and beyond its bound.
import { describe, expect, it } from 'vitest'
import { WrittenKeys } from './written-keys.ts'

function after(capacity: number, ids: readonly string[]): WrittenKeys {
  const keys = new WrittenKeys(capacity)
  for (const id of ids) keys.add(id, `cdr-${id}`)
  return keys
}

describe('WrittenKeys', () => {
  it.each([
    { name: 'nothing written', capacity: 2, ids: [], ask: '1/5-0', is: 'new' },
    { name: 'among the latest', capacity: 2, ids: ['1/5-0'], ask: '1/5-0', is: 'written' },
    { name: 'older than a written one, nothing let go', capacity: 2, ids: ['1/5-0'], ask: '1/4-0', is: 'new' },
    { name: 'let go', capacity: 2, ids: ['1/5-0', '1/6-0', '1/7-0'], ask: '1/5-0', is: 'unsure' },
    { name: 'below the mark of its shard', capacity: 2, ids: ['1/5-0', '1/6-0', '1/7-0'], ask: '1/4-9', is: 'unsure' },
    { name: 'above the mark by sequence', capacity: 1, ids: ['1/5-0', '2/6-0'], ask: '1/5-1', is: 'new' },
    { name: 'another shard', capacity: 1, ids: ['1/5-0', '1/6-0'], ask: '2/1-0', is: 'new' },
    { name: 'numbers, not text', capacity: 1, ids: ['1/9-0', '1/10-0', '1/11-0'], ask: '1/100-0', is: 'new' },
    { name: 'no stream id, nothing let go', capacity: 2, ids: ['x'], ask: 'y', is: 'new' },
    { name: 'no stream id', capacity: 1, ids: ['1/5-0', '1/6-0'], ask: 'y', is: 'unsure' },
    {
      name: 'after a key that is no stream id was let go',
      capacity: 1,
      ids: ['x', '1/6-0'],
      ask: '1/7-0',
      is: 'unsure',
    },
  ])('$name: $ask is $is', ({ capacity, ids, ask, is }) => {
    expect(after(capacity, ids).presence(ask, `cdr-${ask}`)).toBe(is)
  })

  it('tells records of two sources with equal stream ids apart', () => {
    const keys = after(2, ['1/5-0'])
    expect(keys.presence('1/5-0', 'another')).toBe('new')
  })

  it('holds no more shards than its bound', () => {
    const keys = new WrittenKeys(1)
    for (let shard = 0; shard < 5_000; shard++) keys.add(`s${shard}/1-0`, 'c')
    expect(keys.presence('s4999/1-0', 'c')).toBe('written')
    expect(keys.presence('fresh/1-0', 'c')).toBe('unsure')
  })
})
