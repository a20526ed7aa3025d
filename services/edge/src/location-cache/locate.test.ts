// SPDX-License-Identifier: MIT
// Calls, redirects and REGISTERs of an edge that keeps bindings: what location is still asked.
// Not tested here: what is kept and for how long (location-cache.test.ts).
import type { LocationWatch, location, WatchFollower } from '@tandem/rpc'
import { aorHash } from '@tandem/rpc'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ALICE, bindingOf, EdgeBench, requestText, stepOf, targetOf, valuesOf } from '../testing.ts'

const AOR = 'sip:bob@example.test'
const CONTACT = 'sip:bob@192.0.2.30'

class ManualWatch implements LocationWatch {
  follower: WatchFollower | undefined
  isClosed = false
  start(follower: WatchFollower): void {
    this.follower = follower
  }
  close(): void {
    this.isClosed = true
  }
}

let watch: ManualWatch
let bench: EdgeBench
beforeEach(() => {
  watch = new ManualWatch()
  bench = new EdgeBench({}, 'edge-0.test', undefined, watch)
  watch.follower?.onToldUntil(bench.nowMs)
})
afterEach(() => bench.close())

let calls = 0

/** An INVITE whose plan is the address; it goes as far as location lets it. */
function invited(): void {
  calls += 1
  bench.udpIn(requestText({ callId: `call-${calls}`, branch: `z9hG4bKc${calls}` }))
  bench.plan([], { steps: [stepOf({ targets: [targetOf({ $case: 'aor', value: AOR })] })] })
}

const located = (...bindings: Partial<location.Binding>[]): void => {
  const all = bindings.map((binding) => ({ ...bindingOf(CONTACT), ...binding }))
  bench.location.take('locate').answer({ bindings: all, version: 1n })
}

describe('a call', () => {
  test('to an address that is kept asks location for BeginCall only', () => {
    invited()
    expect(bench.location.waiting()).toEqual(['locate'])
    located({})
    bench.begin()
    bench.take()
    invited()
    expect(bench.location.waiting()).toEqual(['beginCall'])
    bench.begin()
    expect(bench.take()).toEqual([`100 → udp ${ALICE}:5060`, 'INVITE → udp 192.0.2.30:5060'])
    expect(bench.core.locationCache?.counts).toMatchObject({ hits: 1, misses: 1 })
  })

  test('asks location again after a change of its address', () => {
    invited()
    located({})
    bench.begin()
    watch.follower?.onChanged([aorHash(AOR)])
    invited()
    expect(bench.location.waiting()).toEqual(['locate'])
  })

  test('asks location again once the edge that holds the connection has left', () => {
    bench.joined([edgeNamed('edge-1.test')], 2n)
    invited()
    located({ flow: { transport: 'tcp', address: '192.0.2.30', port: 5060, edgeId: 'edge-1.test', flowId: 3 } })
    expect(bench.location.waiting()).toEqual(['beginCall'])
    bench.joined([], 3n)
    invited()
    expect(bench.location.waiting()).toContain('locate')
  })

  test('asks location each time while the watch is silent', () => {
    invited()
    located({})
    bench.begin()
    bench.advance(700)
    invited()
    expect(bench.location.waiting()).toEqual(['locate'])
  })
})

describe('a REGISTER through this edge', () => {
  test('makes it forget the address before the 200 leaves', () => {
    invited()
    located({})
    bench.begin()
    bench.take()
    bench.udpIn(requestText({ method: 'REGISTER', uri: 'sip:example.test', headers: [`Contact: <${CONTACT}>`] }))
    const bounds = { minExpiresS: 60, maxExpiresS: 7200, defaultExpiresS: 3600, maxContacts: 10 }
    bench.decide({ $case: 'admit', value: { aor: AOR, ...bounds, replaceOldest: false, serviceRoute: false } })
    bench.location.take('register').answer({ bindings: [bindingOf(CONTACT)], version: 2n })
    expect(bench.take()).toEqual([`200 → udp ${ALICE}:5060`])
    invited()
    expect(bench.location.waiting()).toEqual(['locate'])
  })
})

describe('a redirect', () => {
  test('out of what is kept says what is left of the bindings now [RFC3261-8.3]', () => {
    const redirected = (): void => {
      calls += 1
      bench.udpIn(requestText({ callId: `call-${calls}`, branch: `z9hG4bKc${calls}` }))
      bench.decide({ $case: 'redirect', value: { status: 0, contacts: [], aor: AOR } })
    }
    redirected()
    located({ expiresS: 60 })
    expect(valuesOf(bench.last('302'), 'Contact')).toEqual([`<${CONTACT}>;q=1;expires=60`])
    for (let second = 0; second < 20; second++) {
      bench.nowMs += 500
      watch.follower?.onToldUntil(bench.nowMs)
    }
    redirected()
    expect(bench.location.waiting()).toEqual([])
    expect(valuesOf(bench.last('302'), 'Contact')).toEqual([`<${CONTACT}>;q=1;expires=50`])
  })
})

describe('without a watch, or with the setting off', () => {
  test('location is asked for each call', () => {
    for (const edge of [
      new EdgeBench(),
      new EdgeBench({ 'edge.locationCache.mode': 'off' }, 'edge-0.test', undefined, watch),
    ]) {
      bench = edge
      expect(bench.core.locationCache).toBeUndefined()
      for (let call = 0; call < 2; call++) {
        invited()
        located({})
        bench.begin()
      }
    }
  })
})

function edgeNamed(id: string): location.Edge {
  const place = { internalAddress: '192.0.2.101', internalPort: 5150 }
  return { id, name: 'edge-1', incarnation: 'test', ...place, listeners: [], draining: false, version: '' }
}
