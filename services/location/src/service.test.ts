// SPDX-License-Identifier: MIT
//
// The service as its callers see it: membership and pushes, the directory, the store away. Not tested here: gRPC
// (@tandem/rpc's contract), Redis.
import { createInProcess, type location, locationService } from '@tandem/rpc'
import type { Stored } from '@tandem/store'
import { describe, expect, it, vi } from 'vitest'
import { createCounts } from './counts.ts'
import { ExpirySweep } from './expiry-sweep.ts'
import { AOR, type Bench, createBench, edge, lease, locate, register } from './testing.ts'

const CONTEXT = { msLeft: 1_000, peer: 'edge-0.a' }
const AWAY: Stored<never> = { state: 'notStored', reason: 'away', detail: 'no connection' }

const contactAt = (edgeId: string, uri = 'sip:alice@192.0.2.1;transport=tcp') => ({
  uri,
  flow: { transport: 'tcp', address: '192.0.2.1', port: 40_000, edgeId, flowId: 7 },
})

function watch(bench: Bench): string[][] {
  const seen: string[][] = []
  bench.service.pushes.subscribe('watcher', ({ event }) => {
    if (event?.$case === 'edges') seen.push(event.value.edges.map(({ id, draining }) => (draining ? `${id}!` : id)))
  })
  return seen
}

describe('membership', () => {
  it('tells all streams of a join, a drain, a leave; a renewal is not worth a word', async () => {
    const bench = createBench()
    const seen = watch(bench)
    const joined = await lease(bench, edge('edge-0'))
    expect(joined).toMatchObject({ value: { edges: { edges: [{ id: 'edge-0.a', internalPort: 5150 }] } } })
    await lease(bench, edge('edge-1'))
    await lease(bench, edge('edge-1'))
    await lease(bench, edge('edge-1', 'a', { draining: true }))
    await bench.service.handlers.leaveEdge({ edgeId: 'edge-0.a' }, CONTEXT)
    expect(seen.map((ids) => ids.sort())).toEqual([
      ['edge-0.a'],
      ['edge-0.a', 'edge-1.a'],
      ['edge-0.a', 'edge-1.a!'],
      ['edge-1.a!'],
    ])
  })

  it('tells a new stream the list at once', async () => {
    const bench = createBench()
    await lease(bench, edge('edge-0'))
    const seen = watch(bench)
    bench.service.hooks.onStreamOpen?.('watcher')
    expect(seen).toEqual([['edge-0.a']])
  })

  it('reaches an edge through its caller', async () => {
    const bench = createBench()
    const { handlers, pushes, hooks } = bench.service
    const caller = createInProcess(locationService, handlers, { pushes, peer: 'edge-9.z', ...hooks })
    const pushed: (location.Push['event'] | undefined)[] = []
    caller.onPush(({ event }) => pushed.push(event))
    await lease(bench, edge('edge-0'))
    await vi.waitFor(() => expect(pushed).toHaveLength(1))
    await caller.close()
  })

  it('notices on its interval that a lease ended, and tells', async () => {
    const bench = createBench({}, { membershipIntervalMs: 5 })
    await lease(bench, edge('edge-0'), 3_000)
    const seen = watch(bench)
    await bench.service.start()
    bench.advance(2_000)
    await vi.waitFor(async () => {
      bench.advance(100)
      expect(seen).toEqual([[]])
    })
    await bench.service.stop()
  })

  it('refuses an incarnation older than a member', async () => {
    const bench = createBench()
    await lease(bench, edge('edge-0', 'b'))
    expect(await lease(bench, edge('edge-0', 'a'))).toMatchObject({ refusal: { code: 'edge_superseded' } })
  })

  it('lists edges from the store', async () => {
    const bench = createBench()
    await bench.store.leaseEdge(edge('edge-4'), 5_000)
    const result = await bench.service.unary.listEdges({}, CONTEXT)
    expect(result).toMatchObject({ value: { edges: { edges: [{ id: 'edge-4.a' }] } } })
  })

  it('needs an edge with id and name', async () => {
    const bench = createBench()
    expect(await lease(bench, edge(''))).toMatchObject({ refusal: { code: 'bad_request' } })
  })
})

describe('locate and connections', () => {
  it('leaves out a binding whose edge left, and keeps it', async () => {
    const bench = createBench()
    await lease(bench, edge('edge-0'))
    await register(bench, { contacts: [contactAt('edge-0.a'), { uri: 'sip:alice@192.0.2.9' }] })
    expect(await locate(bench)).toHaveLength(2)
    await bench.service.handlers.leaveEdge({ edgeId: 'edge-0.a' }, CONTEXT)
    expect(await locate(bench)).toEqual(['sip:alice@192.0.2.9'])
    expect(bench.service.counts.unreachable).toBe(1)
    const all = await register(bench, {})
    expect(all).toMatchObject({ value: { bindings: [{ cseq: 1 }, { cseq: 1 }] } })
    await lease(bench, edge('edge-0'))
    expect(await locate(bench)).toHaveLength(2)
  })

  it('leaves out the flows of an earlier incarnation', async () => {
    const bench = createBench()
    await lease(bench, edge('edge-0', 'a'))
    await register(bench, { contacts: [contactAt('edge-0.a')] })
    await lease(bench, edge('edge-0', 'b'))
    expect(await locate(bench)).toEqual([])
  })

  it('asks the store about an edge that joined through another node', async () => {
    const bench = createBench({}, { unknownEdgeRefreshMs: 0 })
    await lease(bench, edge('edge-0'))
    await bench.store.leaseEdge(edge('edge-1'), 5_000)
    await register(bench, { contacts: [contactAt('edge-1.a')] })
    await new Promise((resolve) => setTimeout(resolve, 2))
    expect(await locate(bench)).toHaveLength(1)
  })

  it('takes nobody for gone while it has no list', async () => {
    const bench = createBench()
    await register(bench, { contacts: [contactAt('edge-0.a')] })
    bench.fault = AWAY
    bench.spared = 'locate'
    expect(await locate(bench)).toHaveLength(1)
    expect(bench.asked).toEqual(['register', 'locate', 'listEdges'])
  })
})

const begin = (more: Partial<location.BeginCallRequest> = {}): location.BeginCallRequest => ({
  transactionKey: 'z9hG4bKabc|192.0.2.1:5060|INVITE',
  owner: 'edge-0.a',
  invite: Buffer.from('INVITE'),
  upstream: undefined,
  plan: Buffer.alloc(0),
  step: 0,
  branches: [],
  callRef: '',
  leaseMs: 10_000,
  ...more,
})

describe('directory of calls in set-up', () => {
  it('gives an INVITE to the edge that came first', async () => {
    const { service } = createBench()
    const { beginCall } = service.handlers
    expect(await beginCall(begin(), CONTEXT)).toMatchObject({ value: { created: true, owner: 'edge-0.a', epoch: 1 } })
    expect(await beginCall(begin({ owner: 'edge-1.a' }), CONTEXT)).toEqual({
      outcome: 'done',
      value: { created: false, owner: 'edge-0.a', epoch: 1 },
    })
    expect(service.counts).toMatchObject({ callsBegun: 1, callsFound: 1 })
  })

  it('stops who does not own', async () => {
    const { service } = createBench()
    const { beginCall, updateCall, endCall } = service.handlers
    await beginCall(begin(), CONTEXT)
    const { transactionKey } = begin()
    const mine = { transactionKey, owner: 'edge-0.a', epoch: 1 }
    expect(await updateCall({ ...mine, step: 0, branches: [] }, CONTEXT)).toMatchObject({ value: { held: true } })
    expect(await updateCall({ ...mine, epoch: 2, step: 0, branches: [] }, CONTEXT)).toMatchObject({
      value: { held: false },
    })
    expect(await endCall({ ...mine, owner: 'edge-1.a', finalStatus: 200, keepMs: 1 }, CONTEXT)).toMatchObject({
      value: { held: false },
    })
    expect(await endCall({ ...mine, finalStatus: 200, keepMs: 32_000 }, CONTEXT)).toMatchObject({
      value: { held: true },
    })
  })

  it('lets an ended entry go when its time is over', async () => {
    const bench = createBench()
    const { beginCall, endCall } = bench.service.handlers
    await beginCall(begin(), CONTEXT)
    await endCall(
      { transactionKey: begin().transactionKey, owner: 'edge-0.a', epoch: 1, finalStatus: 486, keepMs: 32_000 },
      CONTEXT,
    )
    bench.advance(31_999)
    expect(await beginCall(begin({ owner: 'edge-1.a' }), CONTEXT)).toMatchObject({ value: { created: false } })
    bench.advance(1)
    expect(await beginCall(begin({ owner: 'edge-1.a' }), CONTEXT)).toMatchObject({ value: { created: true } })
  })

  it('bounds the lease of an entry at both ends', async () => {
    const bench = createBench({}, { maxCallLeaseMs: 5_000 })
    const { beginCall } = bench.service.handlers
    await beginCall(begin({ leaseMs: 0 }), CONTEXT)
    bench.advance(999)
    expect(await beginCall(begin({ owner: 'edge-1.a' }), CONTEXT)).toMatchObject({ value: { created: false } })
    bench.advance(1)
    expect(await beginCall(begin({ owner: 'edge-1.a', leaseMs: 900_000 }), CONTEXT)).toMatchObject({
      value: { created: true },
    })
    bench.advance(5_000)
    expect(await beginCall(begin({ owner: 'edge-2.a' }), CONTEXT)).toMatchObject({ value: { created: true } })
  })

  it('gives a call to the edge that adopts it, once, and tells the loser who has it', async () => {
    const { service } = createBench()
    const { beginCall, adoptCall, readCall, listOwned, updateCall } = service.handlers
    await beginCall(begin({ callRef: 'ref' }), CONTEXT)
    const { transactionKey } = begin()
    expect(await listOwned({ owner: 'edge-0.a', limit: 10 }, CONTEXT)).toMatchObject({
      value: { calls: [{ transactionKey, deadlineInMs: 10_000 }] },
    })
    const adoption = { transactionKey, owner: 'edge-0.a', epoch: 1, newOwner: 'edge-1.a', leaseMs: 10_000 }
    expect(await adoptCall(adoption, CONTEXT)).toMatchObject({
      value: { adopted: true, entry: { owner: 'edge-1.a', epoch: 2, callRef: 'ref', invite: Buffer.from('INVITE') } },
    })
    expect(await adoptCall({ ...adoption, newOwner: 'edge-2.a' }, CONTEXT)).toMatchObject({
      value: { adopted: false, entry: { owner: 'edge-1.a', epoch: 2 } },
    })
    expect(await readCall({ transactionKey }, CONTEXT)).toMatchObject({ value: { entry: { owner: 'edge-1.a' } } })
    const mine = { transactionKey, owner: 'edge-0.a', epoch: 1, step: 0, branches: [] }
    expect(await updateCall(mine, CONTEXT)).toMatchObject({ value: { held: false } })
    expect(service.counts).toMatchObject({ callsRead: 1, callsAdopted: 1 })
  })

  it('knows nothing of a transaction that nobody began, and adopts none', async () => {
    const { service } = createBench()
    const adoption = { transactionKey: 'no', owner: 'edge-0.a', epoch: 1, newOwner: 'edge-1.a', leaseMs: 1 }
    expect(await service.handlers.readCall({ transactionKey: 'no' }, CONTEXT)).toMatchObject({
      value: { entry: undefined },
    })
    expect(await service.handlers.adoptCall(adoption, CONTEXT)).toMatchObject({ value: { adopted: false } })
    expect(await service.handlers.adoptCall({ ...adoption, newOwner: '' }, CONTEXT)).toMatchObject({
      outcome: 'refused',
    })
  })

  it('answers without a promise on the embedded store, as locate does', () => {
    const { service } = createBench()
    expect(service.handlers.beginCall(begin(), CONTEXT)).not.toBeInstanceOf(Promise)
    expect(service.handlers.locate({ aor: AOR }, CONTEXT)).not.toBeInstanceOf(Promise)
  })

  it('needs a key and an owner', async () => {
    const { service } = createBench()
    expect(await service.handlers.beginCall(begin({ owner: '' }), CONTEXT)).toMatchObject({
      refusal: { code: 'bad_request' },
    })
  })
})

describe('the store away', () => {
  it('spreads Retry-After, so that those refused at once do not come back at once', async () => {
    const bench = createBench()
    bench.fault = { state: 'notStored', reason: 'full', detail: 'because' }
    const told: number[] = []
    for (let cseq = 1; cseq <= 7; cseq++) {
      const result = await register(bench, { cseq })
      if (result.outcome === 'refused') told.push(result.refusal.retryAfterS)
    }
    expect(told).toEqual([5, 6, 7, 8, 9, 10, 5])
  })

  it('refuses with 503 and Retry-After, logs once, writes nothing, and comes back by itself', async () => {
    const bench = createBench()
    const contacts = [{ uri: 'sip:alice@192.0.2.1' }]
    await register(bench, {})
    bench.fault = AWAY
    for (let cseq = 1; cseq <= 3; cseq++) {
      expect(await register(bench, { cseq, contacts })).toMatchObject({
        refusal: {
          code: 'store_away',
          sipStatus: 503,
          retryAfterS: expect.toSatisfy((s: number) => s >= 5 && s <= 10),
        },
      })
    }
    expect(bench.service.ready()).toBe(false)
    expect(bench.service.counts).toMatchObject({ storeAway: 3, refused: 3 })
    bench.fault = undefined
    expect(await locate(bench)).toEqual([])
    expect(await register(bench, { cseq: 3, contacts })).toMatchObject({ outcome: 'done' })
    expect(bench.service.ready()).toBe(true)
    expect(bench.log).toHaveLength(2)
  })

  it.each([
    ['refused', 'store_refused', 503, 5],
    ['full', 'store_refused', 503, 5],
    ['unsupported', 'store_refused', 503, 5],
    ['closed', 'store_away', 503, 5],
    ['invalid', 'store_invalid', 500, 0],
  ] as const)('%s becomes %s', async (reason, code, sipStatus, retryAfterS) => {
    const bench = createBench()
    bench.fault = { state: 'notStored', reason, detail: 'because' }
    const result = await register(bench, { contacts: [{ uri: 'sip:alice@192.0.2.1' }] })
    expect(result).toMatchObject({ refusal: { code, sipStatus, retryAfterS, detail: 'because' } })
  })

  it('passes on that nobody knows', async () => {
    const bench = createBench()
    bench.fault = { state: 'unknown', detail: 'timed out' }
    expect(await register(bench, { contacts: [{ uri: 'sip:a@h' }] })).toEqual({
      outcome: 'unknown',
      detail: 'timed out',
    })
    expect(bench.service.counts.undecided).toBe(1)
  })

  it('takes no edge for gone: the list stands still', async () => {
    const bench = createBench({}, { membershipIntervalMs: 2 })
    await lease(bench, edge('edge-0'), 1_000)
    const seen = watch(bench)
    bench.fault = AWAY
    await bench.service.start()
    bench.advance(60_000)
    await vi.waitFor(() => expect(bench.service.ready()).toBe(false))
    await bench.service.stop()
    expect(seen).toEqual([])
  })

  it('is not ready before the store answered, and ready once it did', async () => {
    const bench = createBench()
    expect(bench.service.ready()).toBe(false)
    await bench.service.start()
    await vi.waitFor(() => expect(bench.service.ready()).toBe(true))
    await bench.service.stop()
  })
})

describe('expiry sweep', () => {
  it('visits every shard and counts what it removed', async () => {
    const bench = createBench()
    for (let user = 0; user < 50; user++) {
      await register(bench, {
        aor: `sip:u${user}@example.test`,
        contacts: [{ uri: `sip:u${user}@192.0.2.1`, expiresS: 60 }],
      })
    }
    bench.advance(61_000)
    const counts = createCounts()
    await new ExpirySweep(bench.store, counts, 1_000).round()
    expect(counts.swept).toBe(50)
  })

  it('leaves the round when the store is away', async () => {
    const bench = createBench()
    bench.fault = AWAY
    await new ExpirySweep(bench.store, createCounts(), 1_000).round()
    expect(bench.asked).toEqual(['expire'])
  })
})
