// SPDX-License-Identifier: MIT
//
// Edges that come and go [DESIGN §4]: a lease that ends with the last stream of its edge, and the removal of what was behind its connections.
// Several nodes share one store here. Not tested here: Redis and real processes (test/location/, test/e2e/), the table itself (the store's contract).
import { createMemoryStore, type LocationStore, SHARDS, type Stored, shardOf } from '@tandem/store'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { LocationService } from './options.ts'
import { createLocationService } from './service.ts'
import { AOR, edge } from './testing.ts'

const CONTEXT = { msLeft: 1_000, peer: 'edge-0' }
const TUNING = { membershipIntervalMs: 5, revokeAfterMs: 20, unknownEdgeRefreshMs: 0 }
const WAIT_MS = 80
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const services: LocationService[] = []
afterEach(async () => {
  for (const service of services.splice(0)) await service.stop()
})

/** Nodes on one store whose clock the test moves beside the real one. */
class World {
  #skew = 1_700_000_000_000 - performance.now()
  readonly store: LocationStore
  readonly log: string[] = []
  fault: (method: string) => Stored<never> | undefined = () => undefined

  constructor() {
    const memory = createMemoryStore({ now: () => Math.floor(performance.now() + this.#skew) }).location
    this.store = new Proxy(memory, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...args: unknown[]) => unknown
        return (...args: unknown[]) => this.fault(String(name)) ?? method.apply(target, args)
      },
    })
  }

  /** Someone asks all the while, so that the store was up. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1_000) {
      this.#skew += Math.min(1_000, left)
      await this.store.listEdges()
    }
  }

  /** Nobody asks. */
  skip(ms: number): void {
    this.#skew += ms
  }

  async node(isStarted = true): Promise<LocationService> {
    const note = (fields: object, text: string) => void this.log.push(`${text} ${JSON.stringify(fields)}`)
    const service = createLocationService({
      store: this.store,
      config: {
        minExpiresMs: 60_000,
        maxExpiresMs: 7_200_000,
        defaultExpiresMs: 3_600_000,
        maxContacts: 10,
        maxSubscriptions: 3,
        notifyIntervalMs: 0,
      },
      logger: { info: note, warn: note, error: note } as never,
      tuning: TUNING,
    })
    services.push(service)
    if (isStarted) await service.start()
    return service
  }

  async members(): Promise<string[]> {
    const list = await this.store.listEdges()
    return list.state === 'stored' ? list.value.edges.map(({ id }) => id) : []
  }
}

const open = (peer: string, ...nodes: LocationService[]) => {
  for (const node of nodes) node.hooks.onStreamOpen?.(peer)
}
const close = (peer: string, ...nodes: LocationService[]) => {
  for (const node of nodes) node.hooks.onStreamClose?.(peer, false)
}
const lease = (node: LocationService, name = 'edge-0', incarnation = 'a', leaseMs = 60_000) =>
  node.handlers.leaseEdge({ edge: edge(name, incarnation), leaseMs }, CONTEXT)

async function bind(node: LocationService, edgeId: string, aor = AOR, cseq = 1) {
  const flow = { transport: 'tcp', address: '192.0.2.1', port: 40_000, edgeId, flowId: 7 }
  const contact = {
    uri: 'sip:a@192.0.2.1;transport=tcp',
    flow,
    instanceId: '',
    regId: 0,
    path: [],
    params: '',
    expiresS: undefined,
    qMilli: undefined,
  }
  const bounds = { minExpiresS: 0, maxExpiresS: 0, defaultExpiresS: 0, maxContacts: 0, replaceOldest: false }
  const request = { aor, callId: `call ${aor}`, cseq, removeAll: false, contacts: [contact], userAgent: '', ...bounds }
  return node.handlers.register(request, CONTEXT)
}

async function bound(store: LocationStore, aor = AOR): Promise<number> {
  const found = await store.locate(aor)
  return found.state === 'stored' ? found.value.bindings.length : -1
}

describe('the lease of an edge whose streams close', () => {
  it('ends 300 ms after the last one, and all are told', async () => {
    const world = new World()
    const [one, two] = [await world.node(), await world.node()]
    open('edge-0', one, two)
    await lease(one)
    const told: number[] = []
    two.pushes.subscribe('watcher', ({ event }) => {
      if (event?.$case === 'edges') told.push(event.value.edges.length)
    })
    close('edge-0', one, two)
    expect(await world.members()).toEqual(['edge-0.a'])
    await vi.waitFor(async () => expect(await world.members()).toEqual([]))
    await vi.waitFor(() => expect(told.at(-1)).toBe(0))
    expect(one.counts.revoked + two.counts.revoked).toBe(1)
  })

  it('stays while another node holds a stream, whoever closed first', async () => {
    const world = new World()
    const [one, two] = [await world.node(), await world.node()]
    open('edge-0', one, two)
    await lease(one)
    close('edge-0', one)
    await sleep(WAIT_MS)
    expect(await world.members()).toEqual(['edge-0.a'])
    close('edge-0', two)
    await vi.waitFor(async () => expect(await world.members()).toEqual([]))
  })

  it('stays when the stream is there again in time, and when one of two to the same node is left', async () => {
    const world = new World()
    const one = await world.node()
    open('edge-0', one)
    await lease(one)
    close('edge-0', one)
    open('edge-0', one, one)
    close('edge-0', one)
    await sleep(WAIT_MS)
    expect(await world.members()).toEqual(['edge-0.a'])
    expect(one.counts.revoked).toBe(0)
  })

  it('stays when the edge has come back elsewhere meanwhile', async () => {
    const world = new World()
    const [one, two] = [await world.node(), await world.node()]
    open('edge-0', one)
    await lease(one)
    close('edge-0', one)
    open('edge-0', two)
    await sleep(WAIT_MS)
    expect(await world.members()).toEqual(['edge-0.a'])
  })

  it('stays when its location node dies, or stops', async () => {
    const world = new World()
    const [one, two] = [await world.node(false), await world.node()]
    open('edge-0', one)
    open('edge-1', one, two)
    await lease(one)
    await lease(two, 'edge-1')
    one.hooks.onStreamClose?.('edge-0', true)
    one.hooks.onStreamClose?.('edge-1', true)
    await one.stop()
    await sleep(WAIT_MS)
    expect(await world.members()).toEqual(['edge-0.a', 'edge-1.a'])
    const three = await world.node(false) // SIGKILL: nothing of it runs any more
    open('edge-1', three)
    await world.pass(5_000)
    expect(await world.members()).toEqual(['edge-0.a', 'edge-1.a'])
  })

  it('ends later when the node that held the other stream died with the edge', async () => {
    const world = new World()
    const [dead, living] = [await world.node(false), await world.node()]
    open('edge-0', dead, living)
    await lease(living)
    close('edge-0', living)
    await sleep(WAIT_MS)
    expect(await world.members()).toEqual(['edge-0.a'])
    await world.pass(4_000)
    await vi.waitFor(async () => expect(await world.members()).toEqual([]))
    expect(living.counts.revoked).toBe(1)
  })

  it('stays as it is while the store is away, and ends when it is back', async () => {
    const world = new World()
    const one = await world.node()
    open('edge-0', one)
    await lease(one)
    world.fault = () => ({ state: 'notStored', reason: 'away', detail: 'gone' })
    close('edge-0', one)
    await sleep(WAIT_MS)
    world.fault = () => undefined
    expect(await world.members()).toEqual(['edge-0.a'])
    await vi.waitFor(async () => expect(await world.members()).toEqual([]))
  })

  it('is none of a tool’s business', async () => {
    const world = new World()
    const one = await world.node()
    await lease(one)
    open('tandem locate', one)
    close('tandem locate', one)
    await sleep(WAIT_MS)
    expect(await world.members()).toEqual(['edge-0.a'])
  })
})

describe('bindings behind connections of an edge', () => {
  it('go 3 s after a newer incarnation leases, with their cause, and nobody else’s', async () => {
    const world = new World()
    const one = await world.node()
    await lease(one)
    await bind(one, 'edge-0.a')
    await bind(one, 'edge-1.a', 'sip:bob@example.test')
    await lease(one, 'edge-0', 'b')
    await sleep(WAIT_MS)
    expect(await bound(world.store)).toBe(1)
    await world.pass(3_000)
    await vi.waitFor(async () => expect(await bound(world.store)).toBe(0))
    expect(await bound(world.store, 'sip:bob@example.test')).toBe(1)
    expect(one.counts.disconnected).toBe(1)
    const page = await world.store.readChanges(shardOf(AOR), '0', 10)
    expect(page).toMatchObject({ value: { changes: [{ kind: 'add' }, { kind: 'remove', cause: 'disconnect' }] } })
    expect(world.log.join()).toContain('edge-0.a')
  })

  it('go when it was unreachable for a minute, not before, and not for time in which nobody reached the store', async () => {
    const world = new World()
    const one = await world.node(false)
    await lease(one, 'edge-0', 'a', 1_000)
    await bind(one, 'edge-0.a')
    await world.pass(2_000)
    expect(await world.members()).toEqual([])
    const round = async () => {
      await one.unary.listEdges({}, CONTEXT) // as the reading on the interval
      await one.sweep()
    }
    await world.pass(55_000)
    world.skip(1_800_000)
    await round()
    expect(await bound(world.store)).toBe(1)
    await world.pass(10_000)
    await round()
    expect(await bound(world.store)).toBe(0)
  })

  it('stay when the edge comes back within the minute', async () => {
    const world = new World()
    const one = await world.node(false)
    await lease(one, 'edge-0', 'a', 1_000)
    await bind(one, 'edge-0.a')
    await world.pass(50_000)
    await lease(one)
    await world.pass(30_000)
    await one.sweep()
    expect(await world.members()).toEqual(['edge-0.a'])
    expect(await bound(world.store)).toBe(1)
  })

  it('are not added to while they are being removed: a 503 that says when to come again', async () => {
    const world = new World()
    const one = await world.node()
    await lease(one)
    await lease(one, 'edge-0', 'b')
    const refused = await bind(one, 'edge-0.a')
    expect(refused).toMatchObject({ refusal: { code: 'edge_superseded', sipStatus: 503, retryAfterS: 5 } })
    expect(await bind(one, 'edge-0.b')).toMatchObject({ outcome: 'done' })
  })

  it('are removed by another node when the first one is killed in the middle', async () => {
    const world = new World()
    const one = await world.node(false)
    await lease(one)
    const aors = Array.from({ length: 40 }, (_, i) => `sip:u${i}@example.test`)
    for (const aor of aors) await bind(one, 'edge-0.a', aor)
    await lease(one, 'edge-0', 'b')
    await world.pass(4_000)
    await world.store.claimGone('a node that dies', 10_000)
    for (let shard = 0; shard < SHARDS / 2; shard++) await world.store.removeEdgeBindings(shard, 'edge-0.a', 10)
    await one.sweep()
    const left = async () => (await Promise.all(aors.map((aor) => bound(world.store, aor)))).filter(Boolean).length
    expect(await left()).toBeGreaterThan(0)
    await world.pass(11_000)
    await one.sweep()
    expect(await left()).toBe(0)
  })
})
