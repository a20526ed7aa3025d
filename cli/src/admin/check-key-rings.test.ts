// SPDX-License-Identifier: MIT
import type { location } from '@tandem/rpc'
import { keyRingText } from '@tandem/service-kit'
import { expect, it } from 'vitest'
import { judgeKeyRings } from './check-key-rings.ts'

const OLD = { id: 1, secret: 'the-old-one-of-the-test' }
const NEW = { id: 2, secret: 'the-new-one-of-the-test' }
const OTHER = { id: 1, secret: 'quite-another-of-the-test' }

function edge(name: string, ring?: readonly (typeof OLD)[]): location.Edge {
  const place = { internalAddress: '192.0.2.1', internalPort: 5150, listeners: [], draining: false, version: '' }
  return { id: `${name}.1`, name, incarnation: '1', ...place, ...(ring && { keyRing: keyRingText(ring) }) }
}

it.each([
  [
    'all have it',
    [NEW, OLD],
    [edge('edge-0', [NEW, OLD]), edge('edge-1', [NEW, OLD])],
    'ok',
    /keys 2, 1: the first signs/,
  ],
  ['an edge has another order', [NEW, OLD], [edge('a', [NEW, OLD]), edge('b', [OLD, NEW])], 'warn', /b: keys 1, 2/],
  [
    'an edge lacks a key',
    [OLD, NEW],
    [edge('a', [OLD, NEW]), edge('b', [OLD])],
    'warn',
    /a: keys 1, 2; b: keys 1; this/,
  ],
  [
    'all differ from the configuration here',
    [NEW],
    [edge('a', [OLD])],
    'warn',
    /a: keys 1; this configuration: keys 2\./,
  ],
  ['one id has two secrets', [OLD], [edge('a', [OLD]), edge('b', [OTHER])], 'warn', /different secrets under one id/],
  ['an edge is of before and says nothing', [OLD], [edge('a', [OLD]), edge('b')], 'ok', /keys 1/],
])('%s', (_what, own, edges, state, detail) => {
  const finding = judgeKeyRings(keyRingText(own), edges)
  expect([finding?.state, finding?.detail]).toEqual([state, expect.stringMatching(detail)])
  expect(finding?.detail).not.toMatch(/of-the-test/)
  if (!/two secrets/.test(_what)) expect(finding?.detail).not.toMatch(/different secrets/)
})

it('without a ring of its own it compares edges alone', () => {
  expect(judgeKeyRings(undefined, [edge('a', [OLD]), edge('b', [OLD])])?.state).toBe('ok')
  expect(judgeKeyRings(undefined, [edge('a', [OLD]), edge('b', [NEW])])?.detail).toMatch(/a: keys 1; b: keys 2\. What/)
})

it('nobody says what he has: nothing to say', () => {
  expect(judgeKeyRings(keyRingText([OLD]), [edge('a')])).toBeUndefined()
  expect(judgeKeyRings(keyRingText([OLD]), [])).toBeUndefined()
})

it('many edges are named in part', () => {
  const edges = Array.from({ length: 9 }, (_, k) => edge(`edge-${k}`, [NEW]))
  expect(judgeKeyRings(keyRingText([OLD]), edges)?.detail).toMatch(/edge-4 and 4 more: keys 2/)
})
