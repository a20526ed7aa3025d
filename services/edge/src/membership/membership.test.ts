// SPDX-License-Identifier: MIT
// Membership as one edge sees it: the lease, the list of edges, and whose addresses are ours. On vitest's clock.
import { type LocationMethods, type location, unknown } from '@tandem/rpc'
import { createLogger } from '@tandem/service-kit'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Facing } from '../listeners/facing.ts'
import { callerOf, edgeOf, ManualService } from '../testing.ts'
import { edgeHashOf } from './edge-hash.ts'
import { Membership } from './membership.ts'

const SELF = edgeOf('edge-0.a', '198.51.100.1')
const OTHER = edgeOf('edge-1.a', '198.51.100.2')
let service: ManualService
let membership: Membership

beforeEach(() => {
  vi.useFakeTimers()
  service = new ManualService()
  membership = new Membership({
    location: callerOf<LocationMethods, location.Push>(service),
    self: () => SELF,
    facings: () => [new Facing({ transport: 'udp', host: '198.51.100.9', port: 5080, edgeHash: 1, internal: false })],
    leaseMs: 3_000,
    timeoutMs: 500,
    logger: createLogger({ level: 'silent', service: 'test' }),
  })
})
afterEach(async () => {
  vi.useRealTimers()
})

const turn = (): Promise<void> => Promise.resolve().then(() => Promise.resolve())
const push = (revision: bigint, ...edges: location.Edge[]): void =>
  service.push({ event: { $case: 'edges', value: { revision, edges } } })

describe('the lease', () => {
  test('is taken at start, renewed at a third of its length, given back at the end', async () => {
    void membership.start()
    expect(membership.joined).toBe(false)
    service.take('leaseEdge').answer({ edges: { revision: 1n, edges: [SELF, OTHER] } })
    await turn()
    expect([membership.joined, membership.size]).toEqual([true, 2])
    vi.advanceTimersByTime(999)
    expect(service.waiting()).toEqual([])
    vi.advanceTimersByTime(1)
    expect(service.take('leaseEdge').request).toEqual({ edge: SELF, leaseMs: 3_000 })
    const left = membership.leave()
    service.take('leaveEdge').answer({})
    await left
    vi.advanceTimersByTime(60_000)
    expect(service.waiting()).toEqual([])
  })

  test('that is not taken changes nothing and is tried again: unreachable is not dead [DESIGN-3.9]', async () => {
    void membership.start()
    push(1n, SELF, OTHER)
    service.take('leaseEdge').end(unknown('away'))
    await turn()
    expect(membership.counts).toMatchObject({ leases: 0, leaseFailures: 1 })
    expect(membership.size).toBe(2)
    vi.advanceTimersByTime(1_000)
    expect(service.waiting()).toEqual(['leaseEdge'])
  })

  test('is taken at once when location comes back', () => {
    void membership.start()
    service.take('leaseEdge').end(unknown('away'))
    service.setReady(false)
    expect(service.waiting()).toEqual([])
    service.setReady(true)
    expect(service.waiting()).toEqual(['leaseEdge'])
  })
})

describe('the list of edges', () => {
  test('a newer one replaces, an older one is passed over', () => {
    void membership.start()
    push(5n, SELF, OTHER)
    push(4n, SELF)
    expect(membership.find(edgeHashOf(OTHER.id))).toEqual(OTHER)
    push(6n, SELF)
    expect(membership.find(edgeHashOf(OTHER.id))).toBeUndefined()
    expect(membership.counts.edgeLists).toBe(2)
  })

  test('of a location that came back may count from the start', () => {
    void membership.start()
    push(5n, SELF)
    service.setReady(true)
    push(1n, SELF, OTHER)
    expect(membership.size).toBe(2)
  })

  test('says which addresses are ours: those of all edges and our own, from the start', () => {
    void membership.start()
    const own = (host: string, port: number): boolean => membership.isOwnAddress(host, port)
    expect([own('198.51.100.9', 5080), own('198.51.100.2', 5060)]).toEqual([true, false])
    push(1n, OTHER, edgeOf('edge-2.a', '[2001:db8::2]'))
    expect([own('198.51.100.9', 5080), own('198.51.100.2', 5060), own('198.51.100.2', -1)]).toEqual([true, true, true])
    expect([own('198.51.100.2', 5061), own('198.51.100.9', -1), own('[2001:db8::2]', 5060)]).toEqual([
      false,
      false,
      true,
    ])
  })

  test('says which places are internal listeners', () => {
    void membership.start()
    push(1n, OTHER)
    expect(membership.isInternalAddress('198.51.100.2', 5150)).toBe(true)
    expect(membership.isInternalAddress('198.51.100.2', 5060)).toBe(false)
    push(2n, SELF, edgeOf('edge-2.a', '2001:db8::2'))
    expect(membership.isInternalAddress('198.51.100.2', 5150)).toBe(false)
    expect(membership.isInternalAddress('[2001:db8::2]', 5150)).toBe(true) // as a Via has it
  })
})
