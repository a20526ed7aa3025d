// SPDX-License-Identifier: MIT
//
// From report to record: each call makes exactly one, whatever order and however often reports come, and whoever dies.
// The rules of the record itself are the store's and tested there; here they are seen through the service.
import type { policy, records } from '@tandem/rpc'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { notStoredBy } from '../away-store.ts'
import type { PolicyService } from '../options.ts'
import {
  answerTo,
  authenticated,
  createWorld,
  decideOn,
  listOf,
  recordsOf,
  reportTo,
  request,
  type World,
} from '../policy-fixture.ts'

type Event = NonNullable<policy.ReportRequest['event']>

const answered: Event = { $case: 'answered', value: { toTag: 'b1', status: 200, target: 'sip:bob@192.0.2.7' } }
const ended: Event = {
  $case: 'ended',
  value: { fromTag: 'a1', toTag: 'b1', by: 'caller', status: 200, reason: '' },
}
const cancelled: Event = { $case: 'failed', value: { status: 487, cause: 'cancelled', reason: '' } }

const CALL: policy.Call = {
  callId: 'call',
  fromTag: 'a1',
  fromUri: 'sip:alice@example.test',
  toUri: 'sip:bob@example.test',
  requestUri: 'sip:bob@example.test',
  source: { transport: 'udp', address: '192.0.2.1', port: 5062 },
  identity: 'sip:alice@example.test',
  account: 'demo',
  edgeId: 'edge-0.1',
  userAgent: 'phone/1',
  setupAgeMs: 0,
  ringAgeMs: 0xffffffff,
  attempts: [{ target: 'sip:bob@192.0.2.7', status: 200, provisionalStatus: 180 }],
}

const about = (callRef: string, event: Event, more: Partial<policy.ReportRequest> = {}): policy.ReportRequest => ({
  callRef,
  call: CALL,
  event,
  ageMs: 0,
  ...more,
})

async function callOn(node: PolicyService): Promise<string> {
  return (await authenticated(node, { callId: CALL.callId })).callRef
}

const reports = async (node: PolicyService, ...all: policy.ReportRequest[]) => {
  for (const one of all) expect(await reportTo(node, one)).toEqual({ outcome: 'done', value: { paidMs: undefined } })
}

describe('report', () => {
  test('answered and ended make one record with the duration of the talk', async () => {
    const world = await createWorld()
    const node = world.node()
    const ref = await callOn(node)
    await reports(node, about(ref, answered))
    world.clock.ms += 61_000
    await reports(node, about(ref, ended, { ageMs: 1_000 }))
    expect(await recordsOf(world.store.policy)).toMatchObject([
      {
        cdrId: ref,
        outcome: 'answered',
        finalStatus: 200,
        durationMs: 60_000n,
        endedBy: 'caller',
        state: 'complete',
        account: 'demo',
        target: 'sip:bob@192.0.2.7',
      },
    ])
  })

  test('repeated through other nodes they still make one', async () => {
    const world = await createWorld()
    const nodes = [world.node(), world.node()] as const
    const ref = await callOn(nodes[0])
    for (const event of [answered, answered, ended, ended]) {
      for (const node of nodes) await reports(node, about(ref, event))
    }
    expect(await recordsOf(world.store.policy)).toHaveLength(1)
    expect(nodes[0].counts.reportsRepeated + nodes[1].counts.reportsRepeated).toBe(6)
  })

  const FAILURES = [
    { what: 'cancelled', event: cancelled, status: 487 },
    {
      what: 'rejected',
      event: { $case: 'failed', value: { status: 486, cause: 'rejected', reason: '' } } as Event,
      status: 486,
    },
    {
      what: 'unanswered',
      event: { $case: 'failed', value: { status: 408, cause: 'unanswered', reason: '' } } as Event,
      status: 408,
    },
  ]
  test.each(FAILURES)('a call that was $what leaves one, without duration', async ({ what, event, status }) => {
    const world = await createWorld()
    const node = world.node()
    await reports(node, about(await callOn(node), event))
    expect(await recordsOf(world.store.policy)).toMatchObject([{ outcome: what, finalStatus: status, durationMs: 0n }])
  })

  test('what makes no sense is refused', async () => {
    const node = (await createWorld()).node()
    const ref = await callOn(node)
    const bad = [
      about('', answered),
      { ...about(ref, answered), call: undefined },
      { ...about(ref, answered), event: undefined },
    ]
    for (const one of bad) expect(await reportTo(node, one)).toMatchObject({ refusal: { code: 'bad_report' } })
  })

  test('an answer is stored before it is acknowledged: with the store away it is not', async () => {
    const world = await createWorld()
    const ref = await callOn(world.node())
    const cut = world.node({ store: notStoredBy('away') })
    expect(await reportTo(cut, about(ref, answered))).toMatchObject({ refusal: { code: 'store_away', sipStatus: 503 } })
  })

  test('the key of the transaction is kept for stragglers and forgotten after', async () => {
    const world = await createWorld()
    const node = world.node()
    const asked = request({ callId: CALL.callId })
    const credentials = [answerTo(await decideOn(node, asked), asked)]
    const invite = { ...asked, transactionKey: 'stragglers', credentials }
    const first = await decideOn(node, invite)
    await reports(node, about(first.callRef, cancelled))
    world.clock.ms += 60_000
    expect((await decideOn(node, invite)).callRef).toBe(first.callRef)
    world.clock.ms += 10_000
    expect((await decideOn(node, invite)).callRef).not.toBe(first.callRef)
  })
})

describe('calls on record', () => {
  test('are listed newest first until they end', async () => {
    const world = await createWorld()
    const node = world.node()
    const first = await callOn(node)
    world.clock.ms += 1_000
    const second = await callOn(node)
    await reports(node, about(first, answered))
    expect(await listOf(node)).toMatchObject({
      value: {
        calls: [
          { callRef: second, state: 'setup' },
          { callRef: first, state: 'answered' },
        ],
        truncated: false,
      },
    })
    expect(await listOf(node, 1)).toMatchObject({ value: { calls: [{ callRef: second }], truncated: true } })
    await reports(node, about(first, ended), about(second, cancelled))
    expect(await listOf(node)).toMatchObject({ value: { calls: [] } })
  })
})

describe('due work', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  /** A whole round of one node's walk, in its own time. */
  async function round(world: World, node: PolicyService): Promise<void> {
    await node.start()
    for (let i = 0; i < 24; i++) {
      world.clock.ms += 250
      await vi.advanceTimersByTimeAsync(250)
    }
    await node.stop()
  }

  test('a call that nobody reports gets its record, once, from whichever node comes first', async () => {
    vi.useFakeTimers()
    const world = await createWorld()
    const [one, two] = [world.node(), world.node()]
    const ref = await callOn(one)
    await round(world, one)
    expect(await recordsOf(world.store.policy)).toEqual([])
    world.clock.ms += 600_000
    for (let i = 0; i < 6; i++) await round(world, i % 2 === 0 ? two : one)
    expect((await recordsOf(world.store.policy)).map(({ cdrId, state }) => ({ cdrId, state }))).toEqual([
      { cdrId: ref, state: 'partial' },
    ])
    expect(one.counts.settled + two.counts.settled).toBe(1)
  })
})

describe('the record feed', () => {
  async function finishedCalls(count: number) {
    const world = await createWorld()
    const node = world.node({ tuning: { feedPollMs: 1 } })
    for (let i = 0; i < count; i++) await reports(node, about(await callOn(node), cancelled))
    return { world, node }
  }

  function collect(node: PolicyService, window: number) {
    const items: records.FeedItem[] = []
    const consumer = node.feed.consume({ group: 'sink', consumer: 'one', window }, (more) => {
      items.push(...more)
    })
    return { items, consumer }
  }

  test('gives out no more than the window, goes on when it is acknowledged', async () => {
    const { node } = await finishedCalls(5)
    const { items, consumer } = collect(node, 2)
    await vi.waitFor(() => expect(items).toHaveLength(2))
    consumer.acknowledge(items.map(({ id }) => id))
    await vi.waitFor(() => expect(items).toHaveLength(4))
    consumer.acknowledge(items.map(({ id }) => id))
    await vi.waitFor(() => expect(items).toHaveLength(5))
    consumer.acknowledge(items.slice(4).map(({ id }) => id))
    await vi.waitFor(() => expect(node.counts.recordsAcknowledged).toBeGreaterThanOrEqual(5))
    consumer.close()
    expect(new Set(items.map(({ record }) => record?.cdrId)).size).toBe(5)
  })

  test('what was not acknowledged comes again to the next consumer', async () => {
    const { node } = await finishedCalls(3)
    const first = collect(node, 10)
    await vi.waitFor(() => expect(first.items).toHaveLength(3))
    first.consumer.acknowledge(first.items.slice(0, 1).map(({ id }) => id))
    first.consumer.close()
    const second = collect(node, 10)
    await vi.waitFor(() => expect(second.items).toHaveLength(2))
    expect(second.items.map(({ id }) => id)).toEqual(first.items.slice(1).map(({ id }) => id))
    await node.stop()
  })

  test('a store that is away delays it', async () => {
    const { world } = await finishedCalls(1)
    const store = notStoredBy('away')
    const cut = world.node({ store, tuning: { feedPollMs: 1 } })
    const { items, consumer } = collect(cut, 10)
    await vi.waitFor(() => expect(cut.ready()).toBe(false))
    store.mend(world.store.policy)
    consumer.close()
    expect(items).toEqual([])
    const again = collect(cut, 10)
    await vi.waitFor(() => expect(again.items).toHaveLength(1))
    again.consumer.close()
  })
})
