// SPDX-License-Identifier: MIT
// Whatever happens, in whatever order (registrations, ends, losses, failures, refreshes, another node): a watcher that does what
// RFC 3680 section 5.2 says knows in the end which contacts there are, from versions that only go up by one.
import { location } from '@tandem/rpc'
import { createMemoryStore } from '@tandem/store'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLocationService } from '../service.ts'
import { AOR, type Bench, edge, register } from '../testing.ts'

const EDGE = edge('edge-0')
const WATCH = { aor: AOR, callId: 'watch-1', localTag: 'ours', remoteTag: 'theirs', edgeId: EDGE.id, expiresS: 6_000 }

const happening = fc.oneof(
  fc.record({ what: fc.constant('register' as const), phone: fc.nat(3), expiresS: fc.constantFrom(0, 60, 600) }),
  fc.record({ what: fc.constant('kick' as const) }),
  fc.record({ what: fc.constant('pass' as const), ms: fc.constantFrom(10, 5_000, 41_000, 70_000) }),
  fc.record({ what: fc.constant('refresh' as const) }),
  // The next NOTIFY: arrives and is reported, arrives unreported, is lost, is refused.
  fc.record({ what: fc.constant('fate' as const), fate: fc.constantFrom('ok', 'unreported', 'lost', 500, 503) }),
)

type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never

class Watcher {
  version = -1
  lastSent = -1
  /** Partial state behind a version that never came. */
  hasGap = false
  readonly active = new Map<string, string>()

  take({ version, full, contacts }: location.Notification): void {
    if (version < this.version) return
    if (!full && version > this.version + 1) this.hasGap = true
    if (full) this.active.clear()
    this.version = version
    for (const { id, uri, active } of contacts)
      if (active) this.active.set(id, uri)
      else this.active.delete(id)
  }
}

class World {
  now = 1_700_000_000_000
  readonly watcher = new Watcher()
  readonly store = createMemoryStore({ now: () => this.now }).location
  readonly nodes = [this.node(), this.node()]
  fates: (string | number)[] = []
  private cseq = 1
  private registers = 0
  private turn = 0

  private node() {
    const quiet = () => undefined
    const bounds = { minExpiresMs: 60_000, maxExpiresMs: 7_200_000, defaultExpiresMs: 3_600_000, maxContacts: 3 }
    const config = { ...bounds, maxSubscriptions: 3, notifyIntervalMs: 5_000 }
    const logger = { info: quiet, warn: quiet, error: quiet } as never
    const service = createLocationService({ store: this.store, config, logger })
    service.pushes.subscribe(EDGE.id, (push) => {
      if (push.event?.$case === 'notify') void this.send(push.event.value)
    })
    return service
  }

  /** Nodes take turns. */
  get service() {
    this.turn += 1
    return this.nodes[this.turn % 2] as World['nodes'][number]
  }

  async open(): Promise<void> {
    for (const node of this.nodes)
      await node.handlers.leaseEdge({ edge: EDGE, leaseMs: 60_000 }, { msLeft: 1_000, peer: EDGE.id })
    await this.subscribe(true)
  }

  async subscribe(initial = false): Promise<void> {
    const request = location.SubscribeRequest.fromPartial({ ...WATCH, initial, remoteCseq: this.cseq++ })
    const result = await this.service.handlers.subscribe(request, { msLeft: 1_000, peer: EDGE.id })
    if (result.outcome === 'done' && result.value.notification) await this.send(result.value.notification)
  }

  private async send(notification: location.Notification): Promise<void> {
    expect(notification.version).toBe(this.watcher.lastSent + 1)
    expect(notification.cseq).toBe(notification.version + 1)
    this.watcher.lastSent = notification.version
    const fate = this.fates.shift() ?? 'ok'
    if (fate !== 'lost' && typeof fate === 'string') this.watcher.take(notification)
    if (fate === 'unreported' || fate === 'lost') return
    const { aor, callId, localTag, remoteTag, eventId, cseq } = notification
    const status = typeof fate === 'number' ? fate : 200
    const item = { aor, callId, localTag, remoteTag, eventId, cseq, status, retryAfterS: 0 }
    await this.service.handlers.notifyDone(item, { msLeft: 1_000, peer: EDGE.id })
  }

  async pass(ms: number): Promise<void> {
    this.now += ms
    await this.service.sweep()
    await new Promise(setImmediate)
  }

  async happen(event: Happening): Promise<void> {
    if (event.what === 'fate') this.fates.push(event.fate)
    else if (event.what === 'pass') await this.pass(event.ms)
    else if (event.what === 'kick') await this.store.removeBindings(AOR)
    else if (event.what === 'refresh') await this.subscribe()
    else {
      this.registers += 1
      const contacts = [{ uri: `sip:phone-${event.phone}@192.0.2.5`, expiresS: event.expiresS }]
      const bench = { service: this.service } as Bench
      await register(bench, { callId: `phone-${event.phone}`, cseq: this.registers, contacts })
      await new Promise(setImmediate)
    }
  }
}

test('[RFC3680-5.2a] [RFC6665-5.3.2] a watcher knows in the end which contacts there are', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 25 }), async (events) => {
      const world = new World()
      await world.open()
      for (const event of events) await world.happen(event)
      world.fates = []
      await world.subscribe() // within its time, as a watcher does
      for (let k = 0; k < 4; k++) await world.pass(60_000)
      const located = await world.store.locate(AOR)
      if (located.state !== 'stored') throw new Error(located.state)
      expect(world.watcher.hasGap).toBe(false)
      expect([...world.watcher.active.values()].sort()).toEqual(located.value.bindings.map(({ uri }) => uri).sort())
    }),
    { numRuns: 150 },
  )
})

test('without any refresh, at least once: what is lost is told again', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 5, maxLength: 30 }), async (events) => {
      const world = new World()
      await world.open()
      for (const event of events) if (event.what !== 'refresh') await world.happen(event)
      world.fates = []
      for (let k = 0; k < 8; k++) await world.pass(60_000)
      expect(world.watcher.hasGap).toBe(false)
      const located = await world.store.locate(AOR)
      if (located.state !== 'stored') throw new Error(located.state)
      expect([...world.watcher.active.values()].sort()).toEqual(located.value.bindings.map(({ uri }) => uri).sort())
    }),
    { numRuns: 150 },
  )
})
