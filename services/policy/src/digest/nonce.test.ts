// SPDX-License-Identifier: MIT
//
// Nonces: good on every node with the same ring, worth nothing when anything was changed.
import { describe, expect, test } from 'vitest'
import { NonceMaker } from './nonce.ts'

const clock = { ms: 1_700_000_000_000 }
const OPTIONS = { lifetimeMs: 300_000, clockSkewMs: 60_000, now: () => clock.ms }
const OLD = { id: 1, secret: 'the first secret of all' }
const NEW = { id: 2, secret: 'the second secret of all' }

describe('nonce', () => {
  test('is fresh on another node with the same key ring, with the same id', () => {
    const nonce = new NonceMaker([OLD], OPTIONS).make('example.test')
    const seen = [new NonceMaker([OLD], OPTIONS), new NonceMaker([NEW, OLD], OPTIONS)].map((n) =>
      n.check(nonce, 'example.test'),
    )
    expect(seen.map(({ state }) => state)).toEqual(['fresh', 'fresh'])
    expect(new Set(seen.map(({ id }) => id)).size).toBe(1)
  })

  test('is another one each time', () => {
    const maker = new NonceMaker([OLD], OPTIONS)
    const nonces = Array.from({ length: 5_000 }, () => maker.make('example.test'))
    expect(new Set(nonces).size).toBe(5_000)
    expect(new Set(nonces.map((nonce) => maker.check(nonce, 'example.test').id)).size).toBe(5_000)
  })

  test('is forged for another realm, without its key, or when any character was changed', () => {
    const maker = new NonceMaker([OLD], OPTIONS)
    const nonce = maker.make('example.test')
    expect(maker.check(nonce, 'other.test').state).toBe('forged')
    expect(new NonceMaker([NEW], OPTIONS).check(nonce, 'example.test').state).toBe('forged')
    for (let i = 0; i < nonce.length - 1; i++) {
      const changed = nonce.slice(0, i) + (nonce[i] === 'A' ? 'B' : 'A') + nonce.slice(i + 1)
      expect(maker.check(changed, 'example.test')).toEqual({ state: 'forged', id: '' })
    }
    for (const text of ['', 'x', `${nonce}A`, nonce.slice(1), '\u0000'.repeat(39)]) {
      expect(maker.check(text, 'example.test').state).toBe('forged')
    }
  })

  const AGES = [
    { ageMs: 0, state: 'fresh' },
    { ageMs: 300_000, state: 'fresh' },
    { ageMs: 300_001, state: 'stale' },
    { ageMs: -60_000, state: 'fresh' },
    { ageMs: -60_001, state: 'stale' },
  ]
  test.each(AGES)('$ageMs ms old is $state', ({ ageMs, state }) => {
    const nonce = new NonceMaker([OLD], OPTIONS).make('example.test')
    const later = new NonceMaker([OLD], { ...OPTIONS, now: () => clock.ms + ageMs })
    expect(later.check(nonce, 'example.test').state).toBe(state)
  })
})
