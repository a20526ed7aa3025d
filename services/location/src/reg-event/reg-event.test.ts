// SPDX-License-Identifier: MIT
// Subscriptions to registrations as location keeps them: which NOTIFYs are due, with what in them, to which edge.
// Not tested here: the store's steps (its contract), bytes on the wire (the edge's reg-event).
import { location } from '@tandem/rpc'
import { createMemoryStore, shardOf } from '@tandem/store'
import { describe, expect, it } from 'vitest'
import { createLocationService } from '../service.ts'
import type { StaticContact } from '../static-bindings.ts'
import { AOR, type Bench, createBench, edge, lease, register } from '../testing.ts'

type SubscribeParts = Parameters<typeof location.SubscribeRequest.fromPartial>[0]

const CONTACT = 'sip:alice@192.0.2.5'
const EDGE_0 = edge('edge-0')
const EDGE_1 = edge('edge-1')

async function subscribe(bench: Bench, more: SubscribeParts = {}) {
  const request = location.SubscribeRequest.fromPartial({
    aor: AOR,
    callId: 'watch-1',
    localTag: 'ours',
    remoteTag: 'theirs',
    remoteCseq: 1,
    initial: true,
    expiresS: 600,
    remoteTarget: 'sip:watcher@192.0.2.9',
    edgeId: EDGE_0.id,
    ...more,
  })
  return bench.service.handlers.subscribe(request, { msLeft: 1_000, peer: EDGE_0.id })
}

async function subscribed(bench: Bench, more: SubscribeParts = {}): Promise<location.Notification> {
  const result = await subscribe(bench, more)
  if (result.outcome !== 'done' || result.value.notification === undefined) throw new Error(JSON.stringify(result))
  return result.value.notification
}

async function report(bench: Bench, of: location.Notification, status = 200, retryAfterS = 0) {
  const { aor, callId, localTag, remoteTag, eventId, cseq } = of
  const item = { aor, callId, localTag, remoteTag, eventId, cseq, status, retryAfterS }
  return bench.service.handlers.notifyDone(item, { msLeft: 1_000, peer: EDGE_0.id })
}

/** What an edge is pushed. */
function listen(bench: Bench, member: location.Edge): { pushed: location.Notification[]; hangUp: () => void } {
  const pushed: location.Notification[] = []
  const hangUp = bench.service.pushes.subscribe(member.id, (push) => {
    if (push.event?.$case === 'notify') pushed.push(push.event.value)
  })
  return { pushed, hangUp }
}

/** A watcher whose first NOTIFY has arrived, at edge 0. */
async function watched(tuning: Parameters<typeof createBench>[0] = {}) {
  const bench = createBench(tuning)
  await lease(bench, EDGE_0, 60_000)
  await lease(bench, EDGE_1, 60_000)
  const [near, far] = [listen(bench, EDGE_0), listen(bench, EDGE_1)]
  const first = await subscribed(bench)
  await report(bench, first)
  await bench.service.sweep()
  return { bench, first, near, far }
}

/** Time passes for the store, and what is due is looked at. */
async function pass(bench: Bench, ms: number): Promise<void> {
  bench.advance(ms)
  await bench.service.sweep()
}

/** A REGISTER, and what it sets off. */
async function registered(bench: Bench, request: Parameters<typeof register>[1]): Promise<void> {
  expect(await register(bench, request)).toMatchObject({ outcome: 'done' })
  await new Promise(setImmediate)
}

const registerOf = (cseq: number, more: object = {}) => ({ cseq, contacts: [{ uri: CONTACT, expiresS: 600, ...more }] })

describe('the NOTIFY that answers a SUBSCRIBE', () => {
  it('[RFC6665-4.2.2a] [RFC3680-5.1c] says everything, from version 0', async () => {
    const bench = createBench()
    await registered(bench, registerOf(1, { qMilli: 500, params: ';methods="INVITE"' }))
    const notification = await subscribed(bench)
    expect(notification).toMatchObject({ version: 0, cseq: 1, full: true, registrationState: 'active', reason: '' })
    expect(notification.expiresS).toBe(600)
    const [contact] = notification.contacts
    expect(contact).toMatchObject({ uri: CONTACT, active: true, event: 'registered', expiresS: 600, qMilli: 500 })
    expect(contact).toMatchObject({ callId: 'call-1', cseq: 1, params: ';methods="INVITE"' })
  })

  it('[RFC3680-4.7.1] an address without contacts is in its init state', async () => {
    expect(await subscribed(createBench())).toMatchObject({ registrationState: 'init', contacts: [] })
  })

  it('[RFC3680-4.7.2b] a fetch gets the state and leaves nothing behind', async () => {
    const bench = createBench()
    await registered(bench, registerOf(1))
    const fetched = await subscribed(bench, { expiresS: 0 })
    expect(fetched).toMatchObject({
      full: true,
      version: 0,
      expiresS: 0,
      reason: 'timeout',
      registrationState: 'active',
    })
    expect(fetched.contacts).toHaveLength(1)
    expect(await bench.store.readWatch(AOR)).toMatchObject({ value: { state: '', revision: 0 } })
  })

  it('[RFC6665-4.2.1.4a] [RFC6665-5.3.2] a refresh says everything again, with the next version, CSeq and time', async () => {
    const { bench } = await watched()
    bench.advance(100_000)
    const again = await subscribed(bench, { initial: false, remoteCseq: 2, expiresS: 900, remoteTarget: 'sip:w@new' })
    expect(again).toMatchObject({ full: true, version: 1, cseq: 2, expiresS: 900, remoteTarget: 'sip:w@new' })
  })

  it('the same SUBSCRIBE through another edge gets the same NOTIFY while that is on its way, and none after', async () => {
    const bench = createBench()
    const first = await subscribed(bench)
    expect(await subscribed(bench, { edgeId: EDGE_1.id })).toEqual(first)
    await report(bench, first)
    expect(await subscribe(bench)).toEqual({ outcome: 'done', value: { notification: undefined } })
  })

  it('[RFC3261-12.2.2] an older CSeq gets 500, an unknown dialog 481', async () => {
    const { bench } = await watched()
    const refresh = { initial: false, expiresS: 60 }
    expect(await subscribe(bench, { ...refresh, remoteCseq: 0 })).toMatchObject({
      refusal: { code: 'subscribe_out_of_order', sipStatus: 500 },
    })
    for (const other of [{ remoteTag: 'x' }, { localTag: 'x' }, { callId: 'x' }, { eventId: 'x' }])
      expect(await subscribe(bench, { ...refresh, remoteCseq: 2, ...other })).toMatchObject({
        refusal: { code: 'subscription_unknown', sipStatus: 481 },
      })
  })

  it('refuses one watcher too many, and an item without its dialog', async () => {
    const bench = createBench({ maxSubscriptions: 2 })
    await subscribed(bench)
    await subscribed(bench, { callId: 'watch-2' })
    expect(await subscribe(bench, { callId: 'watch-3' })).toMatchObject({ refusal: { code: 'too_many_subscriptions' } })
    expect(await subscribe(bench, { remoteTag: '' })).toMatchObject({ refusal: { code: 'bad_request' } })
  })
})

describe('NOTIFYs of changes', () => {
  it('[RFC3680-4.7.2a] [RFC3680-5.2a] [RFC3680-5.1i] [RFC6665-4.2.2b] tell what changed, one version after the other', async () => {
    const { bench, near } = await watched({ notifyIntervalMs: 0 })
    const steps = [
      [registerOf(1), 'registered', 'active'],
      [registerOf(2), 'refreshed', 'active'],
      [registerOf(3, { expiresS: 0 }), 'unregistered', 'terminated'],
    ] as const
    for (const [index, [request, event, state]] of steps.entries()) {
      await registered(bench, request)
      const pushed = near.pushed[index] as location.Notification
      expect(pushed).toMatchObject({ version: index + 1, cseq: index + 2, full: false, registrationState: state })
      expect(pushed.contacts).toMatchObject([{ uri: CONTACT, event, active: event !== 'unregistered' }])
      await report(bench, pushed)
    }
    expect(new Set(near.pushed.map((pushed) => pushed.contacts[0]?.id)).size).toBe(1)
    const refreshed = await subscribed(bench, { initial: false, remoteCseq: 2 })
    expect(refreshed).toMatchObject({ registrationState: 'init', contacts: [] }) // [RFC3680-4.7.1]
  })

  it('[RFC3680-4.7.1] expired and deactivated, with how long they were bound', async () => {
    const { bench, near } = await watched({ minExpiresMs: 1_000 })
    await registered(bench, registerOf(1, { expiresS: 60 }))
    await registered(bench, { callId: 'call-2', contacts: [{ uri: 'sip:alice@192.0.2.6', expiresS: 600 }] })
    await pass(bench, 5_000)
    expect(near.pushed).toHaveLength(1)
    await report(bench, near.pushed[0] as location.Notification)
    await pass(bench, 56_000)
    expect(near.pushed[1]?.contacts).toMatchObject([{ event: 'expired', active: false, durationS: 61 }])
    expect(near.pushed[1]?.contacts[0]?.expiresS).toBeUndefined()
    await report(bench, near.pushed[1] as location.Notification)
    await bench.store.removeBindings(AOR)
    await pass(bench, 5_000)
    expect(near.pushed[2]).toMatchObject({ registrationState: 'terminated', contacts: [{ event: 'deactivated' }] })
  })

  it('[RFC3680-4.10] come no faster than the interval; what happens meanwhile is in one', async () => {
    const { bench, near } = await watched()
    await registered(bench, registerOf(1))
    await registered(bench, registerOf(2))
    await registered(bench, { callId: 'call-2', contacts: [{ uri: 'sip:alice@192.0.2.6', expiresS: 600 }] })
    await pass(bench, 4_900)
    expect(near.pushed).toHaveLength(0)
    await pass(bench, 100)
    expect(near.pushed).toHaveLength(1)
    expect(near.pushed[0]).toMatchObject({
      version: 1,
      contacts: [{ event: 'refreshed', cseq: 2 }, { event: 'registered' }],
    })
    await registered(bench, registerOf(3))
    await report(bench, near.pushed[0] as location.Notification)
    await pass(bench, 4_900)
    expect(near.pushed).toHaveLength(1)
    await pass(bench, 100)
    expect(near.pushed[1]).toMatchObject({ version: 2, full: false, contacts: [{ cseq: 3 }] })
  })

  it('wait for the one on its way', async () => {
    const { bench, near } = await watched({ notifyIntervalMs: 0 })
    await registered(bench, registerOf(1))
    await registered(bench, registerOf(2))
    await pass(bench, 1_000)
    expect(near.pushed).toHaveLength(1)
    await report(bench, near.pushed[0] as location.Notification)
    await bench.service.sweep()
    expect(near.pushed).toHaveLength(2)
    expect(near.pushed[1]).toMatchObject({ version: 2, cseq: 3, contacts: [{ event: 'refreshed', cseq: 2 }] })
  })

  it('[RFC6665-4.2.1.4c] [RFC6665-4.2.1.4d] [RFC6665-4.2.2h] the end of a subscription is told with its reason, and ends it', async () => {
    const { bench, near } = await watched()
    await pass(bench, 600_000)
    expect(near.pushed[0]).toMatchObject({ reason: 'timeout', expiresS: 0, full: true })
    await report(bench, near.pushed[0] as location.Notification)
    await pass(bench, 600_000)
    expect(near.pushed).toHaveLength(1)
    expect(await bench.store.readWatch(AOR)).toMatchObject({ value: { state: '' } })
  })

  it('[RFC6665-4.2.1.4d] Expires: 0 ends it with a last NOTIFY, which is tried again when nobody reports it', async () => {
    const { bench, near } = await watched()
    const last = await subscribed(bench, { initial: false, remoteCseq: 2, expiresS: 0 })
    expect(last).toMatchObject({ reason: 'timeout', full: true, version: 1 })
    await pass(bench, 40_000)
    expect(near.pushed).toMatchObject([{ reason: 'timeout', version: 2 }])
    await pass(bench, 40_000)
    await pass(bench, 40_000)
    expect(near.pushed).toHaveLength(1)
    expect(await bench.store.readWatch(AOR)).toMatchObject({ value: { state: '' } })
  })
})

describe('contacts and registrations', () => {
  it('[RFC3680-5.1f] [RFC3680-5.1h] have ids: one for the address always, one for each URI', async () => {
    const { bench, near, first } = await watched({ notifyIntervalMs: 0 })
    const instance = { instanceId: 'urn:uuid:1', regId: 1 }
    await registered(bench, registerOf(1, instance))
    await report(bench, near.pushed[0] as location.Notification)
    await registered(bench, { cseq: 2, contacts: [{ uri: 'sip:alice@192.0.2.6', expiresS: 600, ...instance }] })
    expect(near.pushed[1]?.contacts).toMatchObject([
      { uri: CONTACT, active: false, event: 'unregistered' },
      { uri: 'sip:alice@192.0.2.6', active: true, event: 'registered' },
    ])
    const ids = near.pushed.flatMap(({ contacts }) => contacts.map(({ id, uri }) => `${id} ${uri}`))
    expect(new Set(ids).size).toBe(2)
    expect(new Set([first, ...near.pushed].map(({ registrationId }) => registrationId)).size).toBe(1)
  })

  it('that another took the room of are deactivated', async () => {
    const { bench, near } = await watched({ notifyIntervalMs: 0 })
    await registered(bench, registerOf(1))
    await report(bench, near.pushed[0] as location.Notification)
    const newer = { callId: 'call-2', contacts: [{ uri: 'sip:alice@192.0.2.6', expiresS: 600 }] }
    await registered(bench, { ...newer, maxContacts: 1, replaceOldest: true })
    expect(near.pushed[1]?.contacts.map(({ uri, event }) => [uri, event])).toEqual([
      [CONTACT, 'deactivated'],
      ['sip:alice@192.0.2.6', 'registered'],
    ])
  })

  it('[RFC3680-4.7.1] by configuration are created, and never expire', async () => {
    const now = 1_700_000_000_000
    const staticContacts = new Map([[AOR, [{ uri: 'sip:pbx@192.0.2.7', qMilli: 500, path: [] }]]])
    const service = serviceOn(createMemoryStore({ now: () => now }).location, staticContacts)
    const { contacts, registrationState } = await subscribed({ service } as Bench)
    expect(contacts).toMatchObject([{ uri: 'sip:pbx@192.0.2.7', event: 'created', active: true, qMilli: 500 }])
    expect([registrationState, contacts[0]?.expiresS]).toEqual(['active', undefined])
  })
})

describe('a NOTIFY that fails', () => {
  it.each([404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])(
    '[RFC6665-4.2.2c] [RFC6665-4.2.2d] %i removes the subscription',
    async (status) => {
      const bench = createBench()
      await report(bench, await subscribed(bench), status)
      expect(await bench.store.readWatch(AOR)).toMatchObject({ value: { state: '' } })
    },
  )

  it('[RFC6665-4.2.2d] any other failure keeps it: the next NOTIFY says everything, later and later', async () => {
    const { bench, near } = await watched({ notifyIntervalMs: 0 })
    await registered(bench, registerOf(1))
    await report(bench, near.pushed[0] as location.Notification, 500)
    await pass(bench, 4_900)
    expect(near.pushed).toHaveLength(1)
    await pass(bench, 100)
    expect(near.pushed[1]).toMatchObject({ version: 2, full: true, contacts: [{ event: 'registered' }] })
    await report(bench, near.pushed[1] as location.Notification, 503, 30)
    await pass(bench, 29_000)
    expect(near.pushed).toHaveLength(2)
    await pass(bench, 1_000)
    expect(near.pushed[2]).toMatchObject({ version: 3, full: true })
  })

  it('a report that another NOTIFY has overtaken changes nothing', async () => {
    const { bench, first, near } = await watched({ notifyIntervalMs: 0 })
    await registered(bench, registerOf(1))
    await report(bench, first, 500)
    await report(bench, near.pushed[0] as location.Notification)
    await pass(bench, 300_000)
    expect(near.pushed).toHaveLength(1)
  })
})

describe('whichever edge and node dies', () => {
  it('a NOTIFY goes to the edge that took the SUBSCRIBE, and to another when that one is not there', async () => {
    const { bench, near, far } = await watched({ notifyIntervalMs: 0 })
    await registered(bench, registerOf(1))
    await report(bench, near.pushed[0] as location.Notification)
    near.hangUp()
    await registered(bench, registerOf(2))
    expect([near.pushed, far.pushed]).toMatchObject([[{ version: 1 }], [{ version: 2, full: false }]])
  })

  it('a watcher behind a connection is told by the edge that holds it', async () => {
    const { bench, near, far } = await watched({ notifyIntervalMs: 0 })
    const flow = { transport: 'tcp', address: '192.0.2.9', port: 40_000, edgeId: EDGE_1.id, flowId: 7 }
    await report(bench, await subscribed(bench, { initial: false, remoteCseq: 2, flow }))
    await registered(bench, registerOf(1))
    expect(near.pushed).toHaveLength(0)
    expect(far.pushed).toMatchObject([{ version: 2, flow: { flowId: 7 } }])
  })

  it('one that nobody reports is followed by full state, through another edge once the first is gone', async () => {
    const { bench, near, far } = await watched({ notifyIntervalMs: 0 })
    await registered(bench, registerOf(1))
    expect(near.pushed).toHaveLength(1)
    near.hangUp()
    await bench.service.handlers.leaveEdge({ edgeId: EDGE_0.id }, { msLeft: 1_000, peer: EDGE_0.id })
    await pass(bench, 5_000)
    expect(far.pushed[0]).toMatchObject({ version: 2, cseq: 3, full: true, contacts: [{ event: 'registered' }] })
  })

  it('an edge that starts anew is another edge: what its former self had on its way is told in full', async () => {
    const { bench, near, far } = await watched({ notifyIntervalMs: 0 })
    await registered(bench, registerOf(1))
    expect(near.pushed).toHaveLength(1)
    near.hangUp()
    const again = edge('edge-0', 'b')
    await lease(bench, again, 60_000)
    const back = listen(bench, again)
    await pass(bench, 4_000)
    await pass(bench, 1_000)
    expect([...back.pushed, ...far.pushed]).toMatchObject([{ full: true, contacts: [{ event: 'registered' }] }])
  })

  it('many of one shard at once go out in turns, all of them', async () => {
    const { bench, near } = await watched({ notifyIntervalMs: 0 })
    const names = Array.from({ length: 20_000 }, (_, k) => `sip:u${k}@example.test`)
    const aors = names.filter((aor) => shardOf(aor) === 7).slice(0, 40)
    for (const aor of aors) await report(bench, await subscribed(bench, { aor }))
    for (const aor of aors) await bench.store.register(changeOf(aor))
    await bench.service.sweep()
    expect(near.pushed.map(({ aor }) => aor).sort()).toEqual(aors.sort())
    expect(aors).toHaveLength(40)
  })

  it('without any edge it waits for one', async () => {
    const { bench, near, far } = await watched({ notifyIntervalMs: 0 })
    near.hangUp()
    far.hangUp()
    await registered(bench, registerOf(1))
    await pass(bench, 1_000)
    const back = listen(bench, EDGE_0)
    await pass(bench, 1_000)
    expect(back.pushed).toMatchObject([{ version: 1, full: false, contacts: [{ event: 'registered' }] }])
  })

  it('a node that dies after the REGISTER loses nothing: another one finds what is due in the store', async () => {
    let now = 1_700_000_000_000
    const store = createMemoryStore({ now: () => now }).location
    const [first, second] = [serviceOn(store), serviceOn(store)]
    await lease({ ...({} as Bench), service: first }, EDGE_0, 60_000)
    const bench = { service: first } as Bench
    await report(bench, await subscribed(bench))
    await registered(bench, registerOf(1)) // its own look finds no edge: it has no stream
    now += 6_000
    const other = listen({ service: second } as Bench, EDGE_0)
    await second.handlers.leaseEdge({ edge: EDGE_0, leaseMs: 60_000 }, { msLeft: 1_000, peer: EDGE_0.id })
    await second.sweep()
    expect(other.pushed).toMatchObject([{ version: 1, contacts: [{ event: 'registered', uri: CONTACT }] }])
  })

  it('a change between the read and the write of the first SUBSCRIBE is told all the same', async () => {
    const { bench, near } = await watched()
    const { store } = bench
    const read = store.readWatch
    const other = 'sip:bob@example.test'
    Object.assign(store, {
      readWatch: (aor: string) => {
        const result = read(aor)
        Object.assign(store, { readWatch: read })
        void register(bench, { aor, ...registerOf(1) })
        return result
      },
    })
    const first = await subscribed(bench, { aor: other })
    expect(first.contacts).toHaveLength(0)
    await report(bench, first)
    await pass(bench, 5_000)
    expect(near.pushed).toMatchObject([{ aor: other, version: 1, contacts: [{ event: 'registered' }] }])
  })
})

/** A change that nobody is told of but by the store. */
function changeOf(aor: string): Parameters<Bench['store']['register']>[0] {
  const contact = {
    uri: CONTACT,
    uriKey: CONTACT,
    expiresS: 600,
    qMilli: 1000,
    instanceId: '',
    regId: 0,
    flow: undefined,
  }
  const rest = {
    callId: 'c',
    cseq: 1,
    removeAll: false,
    maxContacts: 3,
    userAgent: '',
    alsoRemove: [],
    replaceOldest: false,
  }
  return { aor, ...rest, registrationHash: 0, contacts: [{ ...contact, path: [], params: '' }] }
}

function serviceOn(store: Bench['store'], staticContacts: ReadonlyMap<string, readonly StaticContact[]> = new Map()) {
  const quiet = () => undefined
  const config = { minExpiresMs: 60_000, maxExpiresMs: 7_200_000, defaultExpiresMs: 3_600_000, maxContacts: 3 }
  const logger = { info: quiet, warn: quiet, error: quiet } as never
  return createLocationService({
    store,
    config: { ...config, maxSubscriptions: 3, notifyIntervalMs: 0 },
    logger,
    staticContacts,
  })
}
