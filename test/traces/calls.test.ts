// SPDX-License-Identifier: MIT
//
// Traces of requests through a cluster in memory: which spans there are, what each hangs on, what is sent and what is forgotten.
// Not tested here: several processes and the way out (test/e2e/traces.test.ts), the hop between edges (services/edge/src/tracing).
import { rootIdOf, type Span, traceIdOf } from '@tandem/telemetry'
import { testTracing } from '@tandem/telemetry/internal'
import { headerValues } from '@tandem/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import { ACCOUNTED_DOMAIN, createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts'
import { MemoryPhone } from '../support/phone.ts'

type Settings = Parameters<typeof testTracing>[0]

let cluster: MemoryCluster | undefined
afterEach(async () => {
  expect(cluster?.problems ?? []).toEqual([])
  await cluster?.close()
  cluster = undefined
})

const CALL_ID = 'call-of-traces@192.0.2.20'
const ENDS = { from: '<sip:alice@tandem.test>;tag=a', to: '<sip:bob@tandem.test>', callId: CALL_ID }

class World {
  readonly cluster: MemoryCluster
  readonly alice: MemoryPhone
  readonly bob: MemoryPhone
  readonly traces: ReturnType<typeof testTracing>

  constructor(of: MemoryCluster, traces: ReturnType<typeof testTracing>) {
    const { address, port } = of.edge.endpoint
    this.cluster = of
    this.traces = traces
    this.alice = new MemoryPhone(of.network, 'alice', '192.0.2.20', 5060, { address, port })
    this.bob = new MemoryPhone(of.network, 'bob', '192.0.2.30', 5060, { address, port })
  }

  static async open(settings: Settings = {}, more: Record<string, unknown> = {}): Promise<World> {
    const traces = testTracing(settings)
    cluster = await createMemoryCluster({ resources: ACCOUNTED_DOMAIN, tracing: traces.tracing, settings: more })
    const world = new World(cluster, traces)
    world.alice.register('tandem.test')
    world.bob.register('tandem.test')
    await cluster.settle()
    return world
  }

  /** alice calls bob, who answers with these. */
  async call(...statuses: number[]): Promise<string> {
    this.bob.onRequest = (text) => {
      if (text.startsWith('INVITE')) for (const status of statuses) this.bob.answer(text, status)
      if (text.startsWith('BYE')) this.bob.answer(text, 200)
    }
    this.alice.send(this.alice.request('INVITE', { ...ENDS, uri: 'sip:bob@tandem.test', contact: this.alice.contact }))
    await this.cluster.settle()
    return this.alice.last()
  }

  async acknowledge(answer: string, method: 'ACK' | 'BYE'): Promise<void> {
    const to = headerValues(answer, 'to')[0] ?? ''
    const headers = this.alice.routesOf(answer, true)
    this.alice.send(this.alice.request(method, { ...ENDS, to, uri: `sip:bob@${this.bob.place}`, headers }))
    await this.cluster.settle()
  }

  /** What was sent of the call. */
  async sent(callId = CALL_ID): Promise<Span[]> {
    const spans = await this.traces.sent()
    return spans.filter(({ traceId }) => traceId === traceIdOf(callId))
  }
}

/** `name < name of its parent`, of the spans of one trace. */
function tree(spans: readonly Span[]): string[] {
  const nameOf = ({ source, name, kind }: Span): string => `${source.service} ${name} ${kind === 2 ? 'out' : 'in'}`
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  const parentOf = ({ parentSpanId }: Span): string => {
    if (parentSpanId === '') return ''
    const parent = byId.get(parentSpanId)
    return ` < ${parent === undefined ? '?' : nameOf(parent)}`
  }
  return spans.map((span) => nameOf(span) + parentOf(span)).sort()
}

const LOCATION = 'tandem.location.v1.LocationService'
const POLICY = 'tandem.policy.v1.PolicyService'
const INVITE = 'tandem-edge INVITE in'

/** A question of an edge, and the work on it with one operation of the store. */
const asked = (service: string, name: string, method: string, store: string, above = INVITE): string[] => [
  `tandem-edge ${name}/${method} out < ${above}`,
  `${service} ${name}/${method} in < tandem-edge ${name}/${method} out`,
  ...(store === '' ? [] : [`${service} store ${store} out < ${service} ${name}/${method} in`]),
]

describe('a call that is sampled', () => {
  it('is one trace from the INVITE to the end, each span below what it is part of', async () => {
    const world = await World.open()
    const answer = await world.call(100, 180, 200)
    await world.acknowledge(answer, 'ACK')
    await world.acknowledge(answer, 'BYE')
    const spans = await world.sent()
    expect(tree(spans)).toEqual(
      [
        INVITE,
        'tandem-edge INVITE out < tandem-edge INVITE in',
        ...asked('policy', POLICY, 'decide', 'mint'),
        ...asked('location', LOCATION, 'locate', 'locate'),
        ...asked('location', LOCATION, 'beginCall', 'beginCall'),
        ...asked('policy', POLICY, 'report', 'answered'),
        'policy store releaseMint out < policy tandem.policy.v1.PolicyService/report in',
        'policy store releaseMint out < policy tandem.policy.v1.PolicyService/report in',
        ...asked('location', LOCATION, 'endCall', 'endCall'),
        `tandem-edge ACK in < ${INVITE}`,
        `tandem-edge BYE in < ${INVITE}`,
        'tandem-edge BYE out < tandem-edge BYE in',
        ...asked('policy', POLICY, 'report', 'ended', 'tandem-edge BYE in'),
      ].sort(),
    )
    const root = spans.find(({ parentSpanId }) => parentSpanId === '')
    expect(root?.spanId).toBe(rootIdOf(traceIdOf(CALL_ID)))
    expect(root?.attributes).toMatchObject({
      'sip.call_id': CALL_ID,
      'sip.request.method': 'INVITE',
      'sip.response.status_code': 200,
      'network.transport': 'udp',
      'network.peer.address': '192.0.2.20',
      'tandem.edge': 'edge-0',
    })
    expect(root?.events?.map(({ name }) => name)).toEqual(['100', '180'])
    expect(spans.every(({ startMs, endMs }) => startMs <= endMs)).toBe(true)
  })

  it('is named in its record, and so is one that is not', async () => {
    for (const sampleRatio of [1, 0]) {
      const world = await World.open({ sampleRatio })
      await world.call(486)
      expect(await recordsOf(world.cluster, 1)).toEqual([traceIdOf(CALL_ID)])
      await cluster?.close()
    }
  })

  it('says nothing of who calls whom, unless it is told to', async () => {
    const quiet = await World.open()
    await quiet.call(486)
    const text = (spans: readonly Span[]) => JSON.stringify(spans.map(({ attributes, events }) => [attributes, events]))
    expect(text(await quiet.sent())).not.toMatch(/alice|bob/)
    await cluster?.close()
    const loud = await World.open({ users: true })
    await loud.call(486)
    expect(text(await loud.sent())).toMatch(/"sip.from.uri":"sip:alice@tandem.test"/)
  })
})

/** Trace ids of the records that the feed brings. */
function recordsOf({ policy }: MemoryCluster, count: number): Promise<string[]> {
  return new Promise((resolve) => {
    const ids: string[] = []
    const consumer = policy.feed.consume({ group: 'test', consumer: 'test', window: 16 }, (items) => {
      for (const { record } of items) ids.push(record?.facts?.traceId ?? '')
      if (ids.length < count) return
      consumer.close()
      resolve(ids)
    })
  })
}

describe('a call that is not sampled', () => {
  const unsampled: Settings = { sampleRatio: 0 }

  it('leaves nothing when it ends well, and holds nothing', async () => {
    const world = await World.open(unsampled)
    const answer = await world.call(180, 200)
    await world.acknowledge(answer, 'ACK')
    await world.acknowledge(answer, 'BYE')
    expect(await world.sent()).toEqual([])
    expect(world.traces.tracing.hold.size).toBeLessThan(8)
  })

  it.each([486, 480, 603])('leaves nothing with %i, which means that nothing is wrong', async (status) => {
    const world = await World.open(unsampled)
    await world.call(180, status)
    expect(await world.sent()).toEqual([])
  })

  it('is sent whole when it fails', async () => {
    const world = await World.open(unsampled)
    await world.call(180, 500)
    const spans = await world.sent()
    expect(tree(spans)).toEqual(
      [
        INVITE,
        'tandem-edge INVITE out < tandem-edge INVITE in',
        ...asked('policy', POLICY, 'decide', 'mint'),
        ...asked('location', LOCATION, 'locate', 'locate'),
        ...asked('location', LOCATION, 'beginCall', 'beginCall'),
        ...asked('policy', POLICY, 'report', 'failed'),
        'policy store releaseMint out < policy tandem.policy.v1.PolicyService/report in',
        ...asked('location', LOCATION, 'endCall', 'endCall'),
      ].sort(),
    )
    expect(spans.find(({ parentSpanId }) => parentSpanId === '')?.failure).toBe('500')
  })

  it('is sent when nobody answers at all', async () => {
    const world = await World.open(unsampled)
    await world.call()
    await world.cluster.advance(40_000, 100)
    const spans = await world.sent()
    expect(spans.find(({ kind, name }) => kind === 2 && name === 'INVITE')?.failure).toBe('no answer')
  })

  it('is not sent without keepFailures: not even made', async () => {
    const world = await World.open({ sampleRatio: 0, keepFailures: false })
    await world.call(500)
    expect(await world.sent()).toEqual([])
    expect(world.traces.tracing.hold.size).toBe(0)
  })

  it('fails in a flood: no more than so many a second', async () => {
    const world = await World.open({ sampleRatio: 0, maxFailuresPerSecond: 1 })
    await world.call(500)
    const callId = 'another@192.0.2.20'
    world.alice.send(world.alice.request('INVITE', { ...ENDS, callId, uri: 'sip:bob@tandem.test' }))
    await world.cluster.settle()
    expect(await world.sent(callId)).toEqual([])
    expect(world.traces.tracing.failures.surplus).toBe(1)
  })
})

describe('what happens to a call is told', () => {
  it('that its caller gave up', async () => {
    const world = await World.open()
    world.bob.onRequest = (text) => {
      if (text.startsWith('INVITE')) world.bob.answer(text, 180)
      if (!text.startsWith('CANCEL')) return
      world.bob.answer(text, 200)
      const invite = world.bob.inbox.find((one) => one.startsWith('INVITE'))
      world.bob.answer(invite ?? '', 487)
    }
    const invite = world.alice.request('INVITE', { ...ENDS, uri: 'sip:bob@tandem.test', contact: world.alice.contact })
    world.alice.send(invite)
    await world.cluster.settle()
    world.alice.send(invite.replace(/^INVITE/, 'CANCEL').replace(/CSeq: (\d+) INVITE/, 'CSeq: $1 CANCEL'))
    await world.cluster.settle()
    const root = (await world.sent()).find(({ parentSpanId }) => parentSpanId === '')
    expect(root?.events?.map(({ name }) => name)).toEqual(['100', '180', 'CANCEL'])
    expect([root?.attributes['sip.response.status_code'], root?.failure]).toEqual([487, undefined])
  })

  it('that its INVITE came again', async () => {
    const world = await World.open()
    world.bob.onRequest = () => undefined
    const invite = world.alice.request('INVITE', { ...ENDS, uri: 'sip:bob@tandem.test', contact: world.alice.contact })
    for (let k = 0; k < 2; k++) {
      world.alice.send(invite)
      await world.cluster.settle()
    }
    const request = world.bob.inbox.find((text) => text.startsWith('INVITE')) ?? ''
    world.bob.answer(request, 486)
    await world.cluster.settle()
    const root = (await world.sent()).find(({ parentSpanId }) => parentSpanId === '')
    expect(root?.events?.map(({ name }) => name)).toContain('retransmission')
  })

  it('why it was refused', async () => {
    const world = await World.open()
    world.alice.send(world.alice.request('INVITE', { ...ENDS, uri: 'sip:nobody@tandem.test' }))
    await world.cluster.settle()
    const root = (await world.sent()).find(({ parentSpanId }) => parentSpanId === '')
    expect(root?.attributes).toMatchObject({ 'sip.response.status_code': 404, 'tandem.refusal.reason': 'unknown_user' })
  })
})

it('a registration is a trace of its own, each time', async () => {
  const world = await World.open()
  const spans = (await world.traces.sent()).filter(({ name }) => name === 'REGISTER')
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(2)
  const all = await world.traces.sent()
  const one = all.filter(({ traceId }) => traceId === spans[0]?.traceId)
  expect(tree(one)).toEqual(
    [
      'tandem-edge REGISTER in',
      ...asked('policy', POLICY, 'decide', '', 'tandem-edge REGISTER in'),
      ...asked('location', LOCATION, 'register', 'register', 'tandem-edge REGISTER in'),
    ].sort(),
  )
})
