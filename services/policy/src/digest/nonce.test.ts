// SPDX-License-Identifier: MIT
//
// Nonces: good on every node with the same ring, worth nothing when anything was changed.
import { describe, expect, test } from 'vitest'
import { NonceMaker } from './nonce.ts'

const clock = { ms: 1_700_000_000_000 }
const OPTIONS = { lifetimeMs: 300_000, clockSkewMs: 60_000, now: () => clock.ms }
const AT = { realm: 'example.test', source: '192.0.2.1' }
const OLD = { id: 1, secret: 'the first secret of all' }
const NEW = { id: 2, secret: 'the second secret of all' }

describe('nonce', () => {
  test('is fresh on another node with the same key ring, with the same id', () => {
    const nonce = new NonceMaker([OLD], OPTIONS).make(AT)
    const seen = [new NonceMaker([OLD], OPTIONS), new NonceMaker([NEW, OLD], OPTIONS)].map((n) => n.check(nonce, AT))
    expect(seen.map(({ state }) => state)).toEqual(['fresh', 'fresh'])
    expect(new Set(seen.map(({ id }) => id)).size).toBe(1)
  })

  test('[RFC7616-3.3] is stale, right or wrong, for whom it was not given to', () => {
    const maker = new NonceMaker([OLD], OPTIONS)
    const nonce = maker.make(AT)
    expect(maker.check(nonce, { ...AT, source: '192.0.2.2' }).state).toBe('foreign')
    expect(maker.check(nonce, { ...AT, source: '' }).state).toBe('foreign')
  })

  test('a ring that is exchanged: old nonces are good while their key is in it, and forged after', () => {
    const maker = new NonceMaker([OLD], OPTIONS)
    const nonce = maker.make(AT)
    maker.useKeyRing([OLD, NEW])
    maker.useKeyRing([NEW, OLD])
    expect(maker.check(nonce, AT).state).toBe('fresh')
    expect(new NonceMaker([NEW], OPTIONS).check(maker.make(AT), AT).state).toBe('fresh')
    maker.useKeyRing([NEW])
    expect(maker.check(nonce, AT).state).toBe('forged')
  })

  test('made for one time is good at the node that made it, stale at others', () => {
    const [maker, other] = [new NonceMaker([OLD], OPTIONS), new NonceMaker([OLD], OPTIONS)]
    const nonce = maker.make(AT, true)
    expect(maker.check(nonce, AT).state).toBe('oneTime')
    expect(other.check(nonce, AT).state).toBe('foreign')
    expect(maker.check(nonce, { ...AT, source: '192.0.2.2' }).state).toBe('foreign')
  })

  test('is another one each time', () => {
    const maker = new NonceMaker([OLD], OPTIONS)
    const nonces = Array.from({ length: 5_000 }, () => maker.make(AT))
    expect(new Set(nonces).size).toBe(5_000)
    expect(new Set(nonces.map((nonce) => maker.check(nonce, AT).id)).size).toBe(5_000)
  })

  test('is forged for another realm, without its key, or when any character was changed', () => {
    const maker = new NonceMaker([OLD], OPTIONS)
    const nonce = maker.make(AT)
    expect(maker.check(nonce, { ...AT, realm: 'other.test' }).state).toBe('forged')
    expect(new NonceMaker([NEW], OPTIONS).check(nonce, AT).state).toBe('forged')
    for (let i = 0; i < nonce.length - 1; i++) {
      const changed = nonce.slice(0, i) + (nonce[i] === 'A' ? 'B' : 'A') + nonce.slice(i + 1)
      expect(maker.check(changed, AT)).toEqual({ state: 'forged', id: '' })
    }
    for (const text of ['', 'x', `${nonce}A`, nonce.slice(1), '\u0000'.repeat(44)]) {
      expect(maker.check(text, AT).state).toBe('forged')
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
    const nonce = new NonceMaker([OLD], OPTIONS).make(AT)
    const later = new NonceMaker([OLD], { ...OPTIONS, now: () => clock.ms + ageMs })
    expect(later.check(nonce, AT).state).toBe(state)
  })
})
