// SPDX-License-Identifier: MIT
// The table of bindings behind a NAT and when each is pinged. Whole phones behind NATs are in test/nat.
import type { location } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { bindingOf, EdgeBench, edgeOf, responseTo } from '../testing.ts'
import { NatPings } from './nat-pings.ts'

const OWN = 'edge-0.test'
let bench: EdgeBench
afterEach(() => bench.close())

const open = (method: string, more: Record<string, unknown> = {}): EdgeBench => {
  bench = new EdgeBench({ 'edge.natPing.method': method, ...more }, OWN)
  return bench
}
const behind = (port: number, natEdge = OWN): location.Binding => ({
  ...bindingOf(`sip:bob@10.0.0.5:${port}`, { address: '203.0.113.9', port, natEdge }),
  expiresS: 600,
})
/** Places that were pinged, in order. */
const pinged = (): string[] =>
  bench
    .take()
    .filter((line) => !line.startsWith('RELAY'))
    .map((line) => line.slice(line.indexOf('udp')))

describe('who is pinged', () => {
  test('bindings that this edge has registered, at the source of their REGISTER; nobody else', () => {
    const { core } = open('crlf')
    core.natPings.sync(core, 'sip:bob@x', [behind(1), behind(2, 'edge-1.test'), bindingOf('sip:b@192.0.2.30', {})])
    bench.advance(26_000)
    expect(pinged()).toEqual(['udp 203.0.113.9:1'])
    expect([core.natPings.size, core.counts.natPings, bench.sent.at(-1)?.text]).toEqual([1, 1, '\r\n\r\n'])
  })

  test('a binding that moves on to another edge is that edge’s', () => {
    const { core } = open('crlf')
    bench.joined([edgeOf('edge-1.test', '198.51.100.1')])
    core.natPings.sync(core, 'sip:bob@x', [behind(1), behind(2)])
    core.natPings.sync(core, 'sip:bob@x', [behind(1, 'edge-1.test'), behind(2)])
    bench.advance(26_000)
    expect(pinged()).toEqual(['udp 203.0.113.9:2'])
  })

  test('location is asked once in half of a lifetime, for the phone may have registered elsewhere', () => {
    const { core } = open('crlf')
    bench.joined([edgeOf('edge-1.test', '198.51.100.1')])
    core.natPings.sync(core, 'sip:bob@x', [behind(1)])
    bench.advance(290_000)
    expect(bench.location.waiting()).toEqual([])
    bench.advance(40_000)
    expect(bench.location.waiting()).toEqual(['locate'])
    bench.location.take('locate').answer({ bindings: [behind(1, 'edge-1.test')], version: 2n })
    bench.take()
    bench.advance(60_000)
    expect([pinged(), core.natPings.size]).toEqual([[], 0])
  })

  test('nobody after the end of the registration, whatever location says', () => {
    const { core } = open('crlf')
    core.natPings.sync(core, 'sip:bob@x', [{ ...behind(1), expiresS: 30 }])
    bench.advance(60_000)
    expect([pinged().length, core.natPings.size]).toEqual([1, 0])
  })

  test('beyond the bound bindings are counted and not pinged', () => {
    const { core } = open('crlf')
    const pings = new NatPings(25_000, () => 0.5, 2)
    pings.sync(core, 'sip:bob@x', [behind(1), behind(2), behind(3)])
    expect([pings.size, core.counts.natBindingsRefused]).toEqual([2, 1])
    pings.sync(core, 'sip:bob@x', [])
    expect(pings.size).toBe(0)
  })
})

describe('when', () => {
  test('spread over the interval, though all came at once; each at most a sixth late', () => {
    open('crlf')
    let seed = 0
    const random = (): number => {
      seed = (seed * 16_807 + 11) % 2_147_483_647
      return seed / 2_147_483_647
    }
    const pings = new NatPings(25_000, random)
    for (let k = 1; k <= 1_000; k += 1) pings.sync(bench.core, `sip:u${k}@x`, [behind(k)])
    const perSecond: number[] = []
    const times = new Map<string, number[]>()
    for (let second = 0; second < 120; second += 1) {
      bench.nowMs += 1_000
      pings.tick(bench.core, bench.nowMs)
      const places = pinged()
      perSecond.push(places.length)
      for (const place of places) times.set(place, [...(times.get(place) ?? []), second])
    }
    expect(times.size).toBe(1_000)
    expect(Math.max(...perSecond)).toBeLessThan(150)
    for (const [first = 0, ...rest] of times.values()) {
      expect(first).toBeLessThanOrEqual(25)
      rest.reduce((before, at) => {
        expect(at - before).toBeGreaterThanOrEqual(24)
        expect(at - before).toBeLessThanOrEqual(30)
        return at
      }, first)
    }
  })
})

describe('OPTIONS', () => {
  test('any response is a sign of life; silence is counted, and removes nothing by default', () => {
    const { core } = open('options')
    core.natPings.sync(core, 'sip:bob@x', [behind(1)])
    bench.advance(26_000)
    const options = bench.last('OPTIONS')
    expect(options).toMatch(/^OPTIONS sip:bob@10\.0\.0\.5:1 SIP\/2\.0\r\n/)
    bench.udpIn(responseTo(options, 405), '203.0.113.9', 1)
    bench.advance(40_000)
    expect(core.counts.natPingsUnanswered).toBe(0)
    bench.advance(90_000)
    expect(core.counts.natPingsUnanswered).toBeGreaterThanOrEqual(1)
    expect(bench.location.waiting()).toEqual([])
  })

  test('a binding that has moved meanwhile is not removed', () => {
    const { core } = open('options', { 'edge.natPing.maxFailures': 1 })
    core.natPings.sync(core, 'sip:bob@x', [behind(1)])
    bench.advance(60_000)
    expect(bench.location.waiting()).toContain('locate')
    const moved = { ...behind(1), flow: { ...behind(9).flow, natEdge: OWN } as location.Flow }
    bench.location.take('locate').answer({ bindings: [moved], version: 2n })
    expect(bench.location.waiting()).not.toContain('register')
    expect(core.counts.natBindingsRemoved).toBe(0)
  })
})

describe('when an edge is gone', () => {
  const HEIR = 'edge-1.test'
  const AOR = 'sip:bob@x'
  let heir: EdgeBench
  afterEach(() => heir.close())

  /** The first edge pings bob, and tells the second, which has this address. */
  const told = (address = '198.51.100.1', edgeId = HEIR): string[] => {
    open('crlf')
    heir = new EdgeBench({ 'edge.natPing.method': 'crlf', 'edge.bindAddress': address }, edgeId)
    bench.joined([edgeOf(edgeId, address)])
    heir.joined([edgeOf(OWN, '198.51.100.1')])
    bench.core.natPings.sync(bench.core, AOR, [behind(1)])
    bench.advance(1_100)
    const frames = bench.sent.filter(({ text }) => text.startsWith('RELAY'))
    for (const { text } of frames) heir.tcpIn(text, heir.internalTcp.connect('198.51.100.1', 5150), true)
    return frames.map(({ text }) => text)
  }
  const left = (bindings: location.Binding[]): void => {
    heir.joined([], 2n)
    heir.advance(1_100)
    heir.location.take('locate').answer({ bindings, version: 1n })
    heir.take()
    heir.advance(26_000)
  }
  const pingedByHeir = () => heir.take().filter((line) => line.includes('203.0.113.9'))

  test('one that shares its address has been told, once, and goes on', () => {
    expect(told()).toHaveLength(1)
    expect([heir.core.natPings.heirs.size, heir.last('200').length > 0]).toEqual([1, true])
    left([behind(1), behind(2, HEIR), bindingOf('sip:b@192.0.2.30', {})])
    expect(pingedByHeir().map((line) => line.slice(-5))).toEqual(
      ['.9:1', '.9:2'].map((end) => expect.stringContaining(end)),
    )
    expect(heir.core.counts.natBindingsInherited).toBe(1)
    heir.advance(26_000)
    expect(pingedByHeir()).toHaveLength(2)
  })

  test('a phone that has registered elsewhere since is left alone', () => {
    told()
    left([behind(1, 'edge-7.test')].map((binding) => ({ ...binding, flow: undefined })))
    expect([pingedByHeir(), heir.core.natPings.size]).toEqual([[], 0])
  })

  test('while it lives nobody else pings', () => {
    told()
    heir.advance(60_000)
    expect([pingedByHeir(), heir.location.waiting()]).toEqual([[], []])
  })

  test('with an address of its own nobody is told, for its NAT lets in no other', () => {
    expect(told('198.51.100.2')).toEqual([])
  })

  test('one that was started in its place knows nothing, and is not told', () => {
    expect(told('198.51.100.1', 'edge-0.later')).toEqual([])
  })

  test('who does not answer is told again', () => {
    told()
    bench.advance(5_000) // the bench has no answer from it
    expect(bench.sent.filter(({ text }) => text.startsWith('RELAY')).length).toBeGreaterThan(2)
  })

  test('a forged word of heirs is refused', () => {
    const [frame = ''] = told()
    heir.tcpIn(frame.replace(AOR, 'sip:eve@x'), heir.internalTcp.connect('198.51.100.1', 5150), true)
    expect([heir.core.counts.refusedForgedToken, heir.core.natPings.heirs.size]).toEqual([1, 1])
  })
})
