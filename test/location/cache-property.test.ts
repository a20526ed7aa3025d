// SPDX-License-Identifier: MIT
// Whatever overtakes whatever: no look-up out of an edge's cache gives a binding that was changed more than a second ago. Questions and
// answers, readings of the feed, gaps, heartbeats, echoes, streams that break with or without notice, changes and own REGISTERs come in
// any order and at any distance. Beside it the same in order, so that it is seen that the cache answers at all.
// Not tested here: real streams and servers (cache-coherence.test.ts).
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { CacheWorld } from './support/cache-world.ts'

const BOUND_MS = 1_000
const aor = fc.constantFrom('sip:a@example.test', 'sip:b@example.test')
const at = fc.nat(5)

const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('locate' as const), aor }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('locateAtOnce' as const), aor }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('settle' as const), at }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('answer' as const), at }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('arrive' as const), at }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('change' as const), aor, isOwn: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 20, 50, 120, 250, 450, 901) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('read' as const), at, isGap: fc.nat(9).map((n) => n < 3) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('beat' as const), at }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'askEcho' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'echo' as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('handOver' as const), aor, at }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('missed' as const), aor }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'lag' as const }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('trickle' as const),
      ms: fc.constantFrom(100, 250, 400),
      beats: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('connect' as const), at, isNoticed: fc.boolean() }) },
  { weight: 6, arbitrary: fc.constant({ kind: 'calm' as const }) },
)

type Event = typeof event extends fc.Arbitrary<infer T> ? T : never

const worlds: CacheWorld[] = []
afterEach(() => {
  for (const world of worlds.splice(0)) world.close()
})

function createWorld(): CacheWorld {
  const world = new CacheWorld()
  worlds.push(world)
  return world
}

/** @returns what was wrong, if anything */
function happen(world: CacheWorld, event: Event): string | undefined {
  if (event.kind === 'wait') world.nowMs += event.ms
  else if (event.kind === 'locate') return located(world, event.aor)
  else if (event.kind === 'locateAtOnce') return locatedAtOnce(world, event.aor)
  else if (event.kind === 'change') world.change(event.aor, event.isOwn)
  else if (event.kind === 'read') world.read(event.at, event.isGap)
  else if (event.kind === 'connect') world.connect(event.at, event.isNoticed)
  else if (event.kind === 'deliver') world.deliver(event.count)
  else if (event.kind === 'lag') lag(world)
  else if (event.kind === 'handOver') handOver(world, event.aor, event.at)
  else if (event.kind === 'missed') missed(world, event.aor)
  else if (event.kind === 'trickle') return trickle(world, event.ms, event.beats)
  else if (event.kind === 'settle') {
    world.answer(event.at)
    world.arrive(event.at)
  } else if (event.kind === 'answer' || event.kind === 'arrive' || event.kind === 'beat') world[event.kind](event.at)
  else world[event.kind]()
  return undefined
}

function located(world: CacheWorld, aor: string): string | undefined {
  const before = world.cache.counts.hits
  let version = -1
  world.locate(aor, (found) => {
    version = found
  })
  if (world.cache.counts.hits === before) return undefined
  const staleMs = world.staleMs(aor, version)
  return staleMs <= BOUND_MS ? undefined : `${aor}: version ${version} is over since ${staleMs} ms`
}

/** The next node has told of the change when the edge comes to it; what the last one tells is lost. */
function handOver(world: CacheWorld, aor: string, at: number): void {
  world.change(aor)
  world.read(0)
  world.read(1)
  world.connect(at, false)
  world.calm()
}

/** Location answers; then there is a change that the feed loses. */
function missed(world: CacheWorld, aor: string): void {
  world.answer(0)
  world.change(aor)
  world.read(0, true)
  world.read(1, true)
  world.calm()
  world.arrive(0)
}

/** Heartbeats leave, and do not arrive. */
function lag(world: CacheWorld): void {
  for (let beat = 0; beat < 3; beat++) {
    world.nowMs += 130
    world.beat(0)
    world.beat(1)
  }
}

/** One message arrives, late or not, and somebody calls a little later. */
function trickle(world: CacheWorld, ms: number, beats: boolean): string | undefined {
  if (beats) lag(world)
  world.deliver(1)
  world.nowMs += ms
  return located(world, 'sip:a@example.test')
}

/** Its question, if there is one, is on no way long. */
function locatedAtOnce(world: CacheWorld, aor: string): string | undefined {
  const wrong = located(world, aor)
  const own = world.questions.length - 1
  if (own < 0) return wrong
  world.answer(own)
  world.arrive(own)
  return wrong
}

describe('bindings out of the cache', () => {
  it('are at most a second old, whatever overtakes whatever', () => {
    let hits = 0
    let stale = 0
    fc.assert(
      fc.property(fc.array(event, { minLength: 20, maxLength: 120 }), (events) => {
        const world = createWorld()
        world.connect(0, true)
        world.calm()
        for (const one of events) {
          const wrong = happen(world, one)
          if (wrong !== undefined) throw new Error(wrong)
        }
        hits += world.cache.counts.hits
        stale += world.cache.counts.overtaken
        world.close()
      }),
      { numRuns: 3_000 },
    )
    expect(hits).toBeGreaterThan(2_000)
    expect(stale).toBeGreaterThan(50)
  })

  it('are those of the present after calm, and are answered by the cache', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), aor, (events, wanted) => {
        const world = createWorld()
        for (const one of events) happen(world, one)
        world.connect(1, true)
        world.calm()
        const present = world.versions.get(wanted)?.length ?? 0
        world.questions.length = 0
        let found = -1
        const look = () => world.locate(wanted, (version) => (found = version))
        look()
        world.answer(0)
        world.arrive(0)
        expect(found).toBe(present)
        const { hits } = world.cache.counts
        look()
        expect([found, world.cache.counts.hits]).toEqual([present, hits + 1])
        world.close()
      }),
      { numRuns: 300 },
    )
  })
})
