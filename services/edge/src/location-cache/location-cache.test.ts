// SPDX-License-Identifier: MIT
// What the cache keeps, for how long, and within which bounds; the off-time. Not tested here: that nothing old comes out of it
// (test/location/cache-property.test.ts), and what calls make of it (locate.test.ts).
import { aorHash, type location, type OnResult, refused } from '@tandem/rpc'
import { describe, expect, it } from 'vitest'
import { bindingOf } from '../testing.ts'
import { LocationCache, type LocationCacheOptions } from './location-cache.ts'

const ALICE = 'sip:alice@example.test'
const CONTACT = 'sip:alice@192.0.2.5'

interface Asked {
  readonly aor: string
  readonly answer: OnResult<location.LocateResponse>
}

function bench(more: Partial<LocationCacheOptions> = {}) {
  const asked: Asked[] = []
  const world = { nowMs: 10_000, asked, members: new Set<string>() }
  const cache = new LocationCache({
    maxEntries: 3,
    maxBytes: 1_000_000,
    maxAgeMs: 60_000,
    now: () => world.nowMs,
    isMember: (edgeId) => world.members.has(edgeId),
    ask: (aor, answer) => void asked.push({ aor, answer }),
    ...more,
  })
  const fresh = () => cache.onToldUntil(world.nowMs)
  fresh()
  /** Whether location was asked. */
  const ask = (aor: string, response: Partial<location.LocateResponse> = {}): boolean => {
    cache.locate(aor, () => undefined)
    const question = asked.pop()
    question?.answer({ outcome: 'done', value: { bindings: [bindingOf(CONTACT)], version: 1n, ...response } })
    return question !== undefined
  }
  const pass = (ms: number) => {
    world.nowMs += ms
    fresh()
  }
  return { world, cache, ask, pass, fresh }
}

describe('an answer of location', () => {
  it('is asked for once, and given within the call afterwards', () => {
    const { cache, ask } = bench()
    expect([ask(ALICE), ask(ALICE)]).toEqual([true, false])
    let uri: string | undefined
    cache.locate(ALICE, (result) => {
      if (result.outcome === 'done') uri = result.value.bindings[0]?.uri
    })
    expect(uri).toBe(CONTACT)
    expect(cache.counts).toMatchObject({ hits: 2, misses: 1 })
  })

  it('that nobody is registered is kept as well; a refusal is not', () => {
    const { world, cache, ask } = bench()
    expect([ask(ALICE, { bindings: [] }), ask(ALICE)]).toEqual([true, false])
    cache.locate('sip:bob@example.test', () => undefined)
    world.asked.pop()?.answer(refused('store_away', 503, '', { retryAfterS: 5 }))
    expect(ask('sip:bob@example.test')).toBe(true)
  })

  it('without the bindings of an edge that is away is not kept', () => {
    const { ask } = bench()
    expect([ask(ALICE, { leftOut: true }), ask(ALICE), ask(ALICE)]).toEqual([true, true, false])
  })

  it('is forgotten with a change of its address, with a gap, and with an own REGISTER', () => {
    const { cache, ask, fresh } = bench()
    for (const forget of [() => cache.onChanged([aorHash(ALICE)]), () => cache.onGap(), () => cache.forget(ALICE)]) {
      ask(ALICE)
      forget()
      fresh()
      expect(ask(ALICE)).toBe(true)
    }
    ask(ALICE)
    cache.onChanged([aorHash('sip:bob@example.test')])
    expect(ask(ALICE)).toBe(false)
    expect(cache.counts).toMatchObject({ invalidations: 2, flushes: 1 })
  })

  it('that a change overtook on the way is not kept', () => {
    const { world, cache, ask } = bench()
    cache.locate(ALICE, () => undefined)
    cache.onChanged([aorHash(ALICE)])
    world.asked.pop()?.answer({ outcome: 'done', value: { bindings: [], version: 1n } })
    expect([ask(ALICE), cache.counts.overtaken]).toEqual([true, 1])
  })

  it('holds until the first binding may run out, counted from the question', () => {
    const { ask, pass } = bench()
    const bindings = [bindingOf(CONTACT), { ...bindingOf('sip:alice@192.0.2.6'), expiresS: 10 }]
    ask(ALICE, { bindings })
    pass(8_900)
    expect(ask(ALICE)).toBe(false)
    pass(200)
    expect(ask(ALICE, { bindings: [{ ...bindingOf(CONTACT), expiresS: 1 }] })).toBe(true)
    expect(ask(ALICE)).toBe(true)
  })

  it('holds no longer than its bound, though nothing in it ends', () => {
    const { ask, pass } = bench()
    const never = { ...bindingOf(CONTACT), expiresS: 0xffffffff, isStatic: true }
    ask(ALICE, { bindings: [never] })
    pass(59_000)
    expect(ask(ALICE)).toBe(false)
    pass(1_001)
    expect(ask(ALICE)).toBe(true)
  })

  it('is of no use once an edge that holds a connection is no member', () => {
    const { world, ask } = bench()
    world.members.add('edge-1.a')
    const held = bindingOf(CONTACT, { transport: 'tcp', edgeId: 'edge-1.a', flowId: 7 })
    expect([ask(ALICE, { bindings: [held] }), ask(ALICE)]).toEqual([true, false])
    world.members.delete('edge-1.a')
    expect(ask(ALICE)).toBe(true)
  })

  it('of another address with the same hash is not taken for its own', () => {
    const [one, other] = collision()
    const { ask } = bench()
    expect(aorHash(one)).toBe(aorHash(other))
    expect([ask(one), ask(other), ask(other), ask(one)]).toEqual([true, true, false, true])
  })

  it('tells on what is left of its bindings', () => {
    const { cache, ask, pass } = bench()
    ask(ALICE, { bindings: [bindingOf(CONTACT), { ...bindingOf('sip:pbx@192.0.2.7'), expiresS: 90, isStatic: true }] })
    pass(20_500)
    let left: number[] = []
    cache.locateAged(ALICE, (result) => {
      if (result.outcome === 'done') left = result.value.bindings.map(({ expiresS }) => expiresS)
    })
    expect(left).toEqual([40, 90])
    expect(ask(ALICE)).toBe(false)
  })
})

/** Two addresses with one hash; found by search, 2^16 names do. */
function collision(): [string, string] {
  const seen = new Map<number, string>()
  for (let user = 0; ; user++) {
    const aor = `sip:${user}@example.test`
    const hash = aorHash(aor)
    const other = seen.get(hash)
    if (other !== undefined) return [other, aor]
    seen.set(hash, aor)
  }
}

describe('bounds', () => {
  it('the entry that was used longest ago goes first', () => {
    const { cache, ask } = bench()
    for (const aor of ['a', 'b', 'c']) ask(aor)
    ask('a')
    ask('d')
    expect(cache.size).toBe(3)
    expect([ask('a'), ask('c'), ask('d')]).toEqual([false, false, false])
    expect(ask('b')).toBe(true)
    expect(cache.counts.evictions).toBe(2)
  })

  it('bytes count as well, and are given back', () => {
    const { cache, ask } = bench({ maxEntries: 1_000, maxBytes: 4_000 })
    for (let user = 0; user < 50; user++) {
      ask(`sip:${user}@example.test`)
      expect(cache.bytes).toBeLessThanOrEqual(4_000)
    }
    expect(cache.size).toBeGreaterThan(1)
    const large = { ...bindingOf(CONTACT), userAgent: 'x'.repeat(5_000) }
    expect([ask(ALICE, { bindings: [large] }), ask(ALICE, { bindings: [large] })]).toEqual([true, true])
    cache.onGap()
    expect([cache.size, cache.bytes]).toEqual([0, 0])
  })
})

describe('off', () => {
  it('600 ms without a word, and on again with the next one: nothing is lost meanwhile', () => {
    const { world, cache, ask, fresh } = bench()
    ask(ALICE)
    world.nowMs += 600
    expect(ask(ALICE)).toBe(false)
    world.nowMs += 1
    expect([cache.isFresh, ask(ALICE)]).toEqual([false, true])
    fresh()
    expect(ask(ALICE)).toBe(false)
    expect(cache.counts.bypasses).toBe(1)
  })

  it('where heartbeats come, but their news are 900 ms old', () => {
    const { world, cache } = bench()
    const untilMs = world.nowMs
    for (let beat = 0; beat < 3; beat++) {
      world.nowMs += 300
      cache.onToldUntil(untilMs)
      expect(cache.isFresh).toBe(true)
    }
    world.nowMs += 1
    cache.onToldUntil(untilMs)
    expect(cache.isFresh).toBe(false)
  })

  it('its time is counted, from the start on', () => {
    const { world, cache, fresh } = bench()
    expect(cache.offMs).toBe(0)
    world.nowMs += 1_000
    expect(cache.offMs).toBe(400)
    fresh()
    world.nowMs += 100
    cache.onGap()
    world.nowMs += 250
    expect(cache.offMs).toBe(650)
    const late = new LocationCache({ ...boundsOf(), now: () => world.nowMs })
    world.nowMs += 70
    expect(late.offMs).toBe(70)
  })
})

function boundsOf() {
  const [maxEntries, maxBytes, maxAgeMs] = [1, 1_000, 1_000]
  return { maxEntries, maxBytes, maxAgeMs, isMember: () => true, ask: () => undefined }
}
