// SPDX-License-Identifier: MIT
// The registration event package through a whole cluster in memory: a watcher at edge 0, a phone at edge 1.
// Not tested here: refusals and the form of messages (services/edge/src/reg-event), what is due when (services/location/src/reg-event).
import { headerValues, startLine } from '@tandem/test-kit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts'
import { MemoryPhone } from '../support/phone.ts'
import { answerTo, createWorld, headerOf, statusOf } from './support/world.ts'

const AOR = 'sip:alice@tandem.test'
const INTERVAL_MS = 5_000

let cluster: MemoryCluster
let watcher: MemoryPhone
let phone: MemoryPhone

beforeEach(async () => {
  cluster = await createMemoryCluster({ edgeCount: 2, settings: { 'location.minExpiresMs': 10_000 } })
  const [near, far] = cluster.edges.map(({ endpoint }) => ({ address: endpoint.address, port: endpoint.port }))
  watcher = new MemoryPhone(cluster.network, 'watcher', '198.51.100.1', 5060, near as { address: string; port: number })
  phone = new MemoryPhone(cluster.network, 'alice', '198.51.100.2', 5060, far as { address: string; port: number })
  watcher.onRequest = (text) => watcher.answer(text, 200, { toTag: '' })
})
afterEach(async () => {
  expect(cluster.problems).toEqual([])
  await cluster.close()
})

interface Document {
  readonly version: number
  readonly state: string
  readonly registration: string
  readonly contacts: readonly string[]
  readonly ids: readonly string[]
  readonly from: string
}

/** What a NOTIFY says. */
function documentOf(notify: string): Document {
  const attribute = (name: string, at: string): string => new RegExp(` ${name}="([^"]*)"`).exec(at)?.[1] ?? ''
  const contacts = [...notify.matchAll(/<contact [^>]*>/g)].map(([tag]) => tag)
  const reginfo = /<reginfo [^>]*>/.exec(notify)?.[0] ?? ''
  return {
    version: Number(attribute('version', reginfo)),
    state: attribute('state', reginfo),
    registration: attribute('state', /<registration [^>]*>/.exec(notify)?.[0] ?? ''),
    contacts: contacts.map((tag) => `${attribute('state', tag)} ${attribute('event', tag)}`),
    ids: contacts.map((tag) => attribute('id', tag)),
    from: /Via: SIP\/2\.0\/UDP ([^;]+)/.exec(notify)?.[1] ?? '',
  }
}

const notifies = (): string[] => watcher.inbox.filter((text) => text.startsWith('NOTIFY '))
const documents = (): Document[] => notifies().map(documentOf)
const lastAnswer = (): string => watcher.inbox.findLast((text) => text.startsWith('SIP/2.0 ')) ?? ''

interface Dialog {
  readonly uri: string
  readonly to: string
  readonly callId: string
}

let cseq = 0

async function subscribe(expiresS: number, dialog?: Dialog, via = watcher): Promise<string> {
  const { uri = AOR, to = `<${AOR}>`, callId = 'watch-1@198.51.100.1' } = dialog ?? {}
  cseq += 1
  const parts = { uri, to, callId, from: `<${AOR}>;tag=w`, cseq, contact: watcher.contact }
  via.send(via.request('SUBSCRIBE', { ...parts, headers: ['Event: reg', `Expires: ${expiresS}`] }))
  await cluster.settle()
  return lastAnswer()
}

/** As the 200 made it. */
function dialogOf(ok: string): Dialog {
  const contact = /<([^>]+)>/.exec(headerValues(ok, 'contact')[0] ?? '')?.[1] ?? ''
  return { uri: contact, to: headerValues(ok, 'to')[0] ?? '', callId: headerValues(ok, 'call-id')[0] ?? '' }
}

let registers = 0

async function register(expiresS: number): Promise<void> {
  registers += 1
  const parts = { uri: 'sip:tandem.test', to: `<${AOR}>`, from: `<${AOR}>;tag=r`, contact: phone.contact }
  phone.send(
    phone.request('REGISTER', { ...parts, callId: 'reg-1', cseq: registers, headers: [`Expires: ${expiresS}`] }),
  )
  await cluster.settle()
  expect(startLine(phone.last())).toBe('SIP/2.0 200 OK')
}

/** Time passes, and location looks at what is due. */
async function pass(ms: number): Promise<void> {
  await cluster.advance(ms, 100)
  await cluster.location.sweep()
  await cluster.settle()
}

describe('a watcher at edge 0, a phone at edge 1', () => {
  test('[RFC3680-4.7.2a] [RFC3680-5.2a] [RFC6665-4.2.1.2] full state, then each change, versions rising by one', async () => {
    expect(startLine(await subscribe(600))).toBe('SIP/2.0 200 OK')
    await register(60)
    await pass(INTERVAL_MS)
    await register(20)
    await pass(INTERVAL_MS)
    await pass(20_000)
    await register(60)
    await pass(INTERVAL_MS)
    await register(0)
    await pass(INTERVAL_MS)
    expect(
      documents().map(({ version, state, registration, contacts }) => [version, state, registration, ...contacts]),
    ).toEqual([
      [0, 'full', 'init'],
      [1, 'partial', 'active', 'active registered'],
      [2, 'partial', 'active', 'active refreshed'],
      [3, 'partial', 'terminated', 'terminated expired'],
      [4, 'partial', 'active', 'active registered'],
      [5, 'partial', 'terminated', 'terminated unregistered'],
    ])
    expect(new Set(documents().flatMap(({ ids }) => ids)).size).toBe(1) // [RFC3680-5.1i]
    expect(new Set(notifies().map((text) => headerValues(text, 'cseq')[0])).size).toBe(6)
  })

  test('[RFC3680-4.10] a storm of REGISTERs is one NOTIFY in five seconds', async () => {
    await subscribe(600)
    for (let k = 0; k < 5; k += 1) {
      await register(60)
      await pass(500)
    }
    expect(documents()).toHaveLength(1)
    await pass(INTERVAL_MS)
    expect(documents()).toHaveLength(2)
    expect(documents()[1]).toMatchObject({ version: 1, contacts: ['active refreshed'] })
  })

  test('[RFC6665-4.2.1.4a] a refresh at any edge, and the end with its reason', async () => {
    const dialog = dialogOf(await subscribe(600))
    const elsewhere = new MemoryPhone(cluster.network, 'watcher', '198.51.100.1', 5062, {
      address: cluster.edges[1]?.endpoint.address ?? '',
      port: cluster.edges[1]?.endpoint.port ?? 0,
    })
    await subscribe(300, dialog, elsewhere)
    expect(startLine(elsewhere.inbox[0] ?? '')).toBe('SIP/2.0 200 OK')
    expect(documents()[1]).toMatchObject({ version: 1, state: 'full', from: cluster.edges[1]?.place })
    await subscribe(0, dialog)
    expect(headerValues(notifies()[2] ?? '', 'subscription-state')).toEqual(['terminated;reason=timeout'])
    await register(60)
    await pass(INTERVAL_MS)
    expect(documents()).toHaveLength(3)
    expect(startLine(await subscribe(300, dialog))).toBe('SIP/2.0 481 Call/Transaction Does Not Exist')
  })

  test('[RFC6665-4.2.1.4c] a subscription that nobody refreshes is told its end', async () => {
    await subscribe(60)
    await pass(60_000)
    expect(notifies().map((text) => headerValues(text, 'subscription-state')[0])).toEqual([
      'active;expires=60',
      'terminated;reason=timeout',
    ])
    expect(await cluster.store.location.readWatch(AOR)).toMatchObject({ value: { state: '' } })
  })

  test('[RFC6665-4.2.2d] a watcher that answers 481 is forgotten', async () => {
    await subscribe(600)
    watcher.onRequest = (text) => watcher.answer(text, 481, { toTag: '' })
    await register(60)
    await pass(INTERVAL_MS)
    expect(documents()).toHaveLength(2)
    expect(await cluster.store.location.readWatch(AOR)).toMatchObject({ value: { state: '' } })
  })

  test('[RFC6665-4.2.2c] so is one that answers nothing', async () => {
    await subscribe(600)
    watcher.onRequest = () => undefined
    await register(60)
    await pass(INTERVAL_MS)
    await pass(33_000)
    expect(await cluster.store.location.readWatch(AOR)).toMatchObject({ value: { state: '' } })
  })

  test('the edge that took the SUBSCRIBE dies: the next NOTIFY comes from the other one', async () => {
    await subscribe(600)
    const [first, second] = cluster.edges
    expect(documents()[0]?.from).toBe(first?.place)
    await first?.core.location.close()
    await first?.endpoint.close()
    await register(60)
    await pass(INTERVAL_MS)
    expect(documents()[1]).toMatchObject({ version: 1, state: 'partial', from: second?.place })
    expect(documents()[1]?.contacts).toEqual(['active registered'])
  })

  test('an edge that dies with a NOTIFY on its way: full state from the other one, once its lease is over', async () => {
    await subscribe(600)
    const [first, second] = cluster.edges
    await pass(INTERVAL_MS)
    watcher.onRequest = () => undefined
    await register(60)
    expect(documents()[1]).toMatchObject({ version: 1, from: first?.place })
    await first?.core.location.close()
    await first?.endpoint.close()
    watcher.onRequest = (text) => watcher.answer(text, 200, { toTag: '' })
    const others = (): Document[] => documents().filter(({ from }) => from === second?.place)
    for (let k = 0; k < 20 && others().length === 0; k += 1) {
      await second?.core.membership.renew()
      await pass(2_000)
    }
    expect(others()).toMatchObject([{ version: 2, state: 'full', contacts: ['active registered'] }])
  })
})

test('[RFC6665-4.2.1.3] [RFC6665-6.3] [RFC3680-7a] a watcher says who he is, at first and at each refresh', async () => {
  const world = await createWorld()
  const alice = world.phone('alice')
  alice.onRequest = (text) => alice.answer(text, 200, { toTag: '' })
  const aor = 'sip:alice@secure.test'
  const ask = async (uri: string, to: string, cseqs: readonly [number, number]): Promise<string[]> => {
    const parts = { uri, to, from: `<${aor}>;tag=w`, callId: 'watch-2', contact: alice.contact }
    const headers = ['Event: reg', 'Expires: 600']
    const [challenge = ''] = await world.exchange(
      alice,
      alice.request('SUBSCRIBE', { ...parts, headers, cseq: cseqs[0] }),
    )
    expect(statusOf(challenge)).toBe(401)
    const login = { username: 'alice', password: 'alice-secret', method: 'SUBSCRIBE', uri }
    const proof = `Authorization: ${answerTo(headerOf(challenge, 'www-authenticate'), login)}`
    const request = alice.request('SUBSCRIBE', { ...parts, headers: [...headers, proof], cseq: cseqs[1] })
    return world.exchange(alice, request)
  }
  const [ok = '', notify = ''] = await ask(aor, `<${aor}>`, [1, 2])
  expect([statusOf(ok), documentOf(notify).version]).toEqual([200, 0])
  const dialog = dialogOf(ok)
  const [again = '', full = ''] = await ask(dialog.uri, dialog.to, [3, 4])
  expect([statusOf(again), documentOf(full).version]).toEqual([200, 1])
  await world.cluster.close()
})
