// SPDX-License-Identifier: MIT
// Phones behind a NAT through the cluster in memory: they register, are called long after, and talk both ways. Not tested here: what a
// NAT shows of itself, case by case (services/edge/src/nat/nat.test.ts), streams, and kernels (test/e2e/nat.test.ts).
import { headerValues, startLine } from '@tandem/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import { createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts'
import { NatBox, type NatOptions } from '../support/nat-box.ts'
import { MemoryPhone } from '../support/phone.ts'

const PUBLIC = '203.0.113.9'
const TEN_MINUTES_MS = 600_000
const STEP_MS = 100

let cluster: MemoryCluster
afterEach(async () => {
  expect(cluster.problems).toEqual([])
  await cluster.close()
})

interface World {
  readonly alice: MemoryPhone
  readonly bob: MemoryPhone
  readonly box: NatBox
}

/** alice in the open, bob behind the NAT; both registered. */
async function open(nat: NatOptions, settings: Record<string, unknown> = {}): Promise<World> {
  cluster = await createMemoryCluster({ settings })
  const { address, port } = cluster.edge.endpoint
  const box = new NatBox(cluster.network, cluster.clock, PUBLIC, nat)
  const alice = new MemoryPhone(cluster.network, 'alice', '192.0.2.20', 5060, { address, port })
  const bob = new MemoryPhone(box, 'bob', '10.0.0.5', 5060, { address, port })
  bob.onRequest = (text) => {
    if (text.startsWith('OPTIONS')) bob.answer(text, 200)
  }
  alice.register('tandem.test')
  bob.register('tandem.test')
  await cluster.settle()
  return { alice, bob, box }
}

const ENDS = { from: '<sip:alice@tandem.test>;tag=a', to: '<sip:bob@tandem.test>', callId: 'c1' }

/** Calls bob; what bob got, or nothing. */
async function invite(alice: MemoryPhone, bob: MemoryPhone): Promise<string | undefined> {
  const before = bob.inbox.length
  alice.send(alice.request('INVITE', { ...ENDS, uri: 'sip:bob@tandem.test', contact: alice.contact }))
  await cluster.settle()
  return bob.inbox.slice(before).find((text) => text.startsWith('INVITE'))
}

function requestsOf(phone: MemoryPhone): string[] {
  return phone.inbox.filter((text) => !text.startsWith('SIP/2.0')).map((text) => text.split(' ')[0] ?? '')
}

describe('a phone behind a NAT', () => {
  it.each<NatOptions & { method: string }>([
    { kind: 'portRestricted', method: 'crlf' },
    { kind: 'symmetric', method: 'crlf' },
    { kind: 'portRestricted', keptBy: 'outbound', method: 'options' },
    { kind: 'symmetric', keptBy: 'outbound', method: 'options' },
  ])('is called ten minutes after it registered: $kind, kept open by $method', async ({ method, ...nat }) => {
    const { alice, bob, box } = await open(nat, { 'edge.natPing.method': method })
    const [port] = box.ports
    await cluster.advance(TEN_MINUTES_MS, STEP_MS)
    expect(await invite(alice, bob)).toContain('INVITE sip:bob@10.0.0.5:5060 SIP/2.0')
    expect(box.ports).toEqual([port])
    const { natPings, natPingsUnanswered } = cluster.edge.core.counts
    expect(natPings).toBeGreaterThanOrEqual(20)
    expect(natPings).toBeLessThanOrEqual(24)
    expect(natPingsUnanswered).toBe(0)
  })

  it('is lost without pings: what they are for', async () => {
    const { alice, bob, box } = await open({ kind: 'portRestricted' }, { 'edge.natPing.method': 'off' })
    await cluster.advance(60_000, STEP_MS)
    expect(await invite(alice, bob)).toBeUndefined()
    expect([box.refused > 0, cluster.edge.core.natPings.size]).toEqual([true, 0])
  })

  it('is pinged no more when its registration has ended', async () => {
    const { bob } = await open({ kind: 'portRestricted' })
    bob.register('tandem.test', 0)
    await cluster.settle()
    await cluster.advance(60_000, STEP_MS)
    expect([cluster.edge.core.natPings.size, cluster.edge.core.counts.natPings]).toEqual([0, 0])
  })

  it('registers again from a new port, and is called there', async () => {
    const { alice, bob, box } = await open({ kind: 'portRestricted' })
    const [before] = box.ports
    box.forgetAll()
    bob.register('tandem.test')
    await cluster.settle()
    await cluster.advance(TEN_MINUTES_MS, STEP_MS)
    expect(await invite(alice, bob)).toBeDefined()
    expect(box.ports).not.toContain(before)
    expect(cluster.edge.core.natPings.size).toBe(1)
  })

  it.each(['portRestricted', 'symmetric'] as const)('is in a call both ways: %s', async (kind) => {
    const { alice, bob } = await open({ kind })
    const got = (await invite(alice, bob)) ?? ''
    bob.answer(got, 200)
    await cluster.settle()
    const ok = alice.last()
    expect(headerValues(ok, 'contact')).toEqual(['<sip:bob@10.0.0.5:5060>']) // not edited
    const to = headerValues(ok, 'to')[0] ?? ''
    const own = { ...ENDS, to, uri: 'sip:bob@10.0.0.5:5060', headers: alice.routesOf(ok, true) }
    for (const [method, cseq] of [
      ['ACK', 1],
      ['INFO', 2],
    ] as const)
      alice.send(alice.request(method, { ...own, cseq }))
    await cluster.settle()
    expect(requestsOf(bob).slice(-2)).toEqual(['ACK', 'INFO'])
    const back = { from: to, to: ENDS.from, callId: 'c1', uri: 'sip:alice@192.0.2.20:5060', cseq: 7 }
    bob.send(bob.request('BYE', { ...back, headers: bob.routesOf(got, false) }))
    await cluster.settle()
    expect(requestsOf(alice)).toEqual(['BYE'])
  })

  it('calls, and is told in the call: its INVITE says where it is, its Contact does not', async () => {
    const { alice, bob } = await open({ kind: 'symmetric' })
    const ends = { from: '<sip:bob@tandem.test>;tag=b', to: '<sip:alice@tandem.test>', callId: 'c2' }
    // A Contact of the world that is nobody's: learned once, stale by now.
    bob.send(bob.request('INVITE', { ...ends, uri: 'sip:alice@tandem.test', contact: '<sip:bob@203.0.113.9:1>' }))
    await cluster.settle()
    const got = alice.last()
    alice.answer(got, 200)
    await cluster.settle()
    const from = `${ends.to};tag=t-alice`
    const bye = { from, to: ends.from, callId: 'c2', uri: 'sip:bob@203.0.113.9:1', cseq: 3 }
    alice.send(alice.request('BYE', { ...bye, headers: alice.routesOf(got, false) }))
    await cluster.settle()
    expect(requestsOf(bob).at(-1)).toBe('BYE')
  })

  it('is pinged by the edge that took its last REGISTER, and by no other', async () => {
    const { alice, bob, box } = await open({ kind: 'portRestricted' }, { 'edge.count': 2 })
    const [first, second] = cluster.edges.map((edge) => edge.core)
    const again = new MemoryPhone(box, 'bob', '10.0.0.5', 5060, cluster.edges[1]?.endpoint ?? { address: '', port: 0 })
    for (const _ of [1, 2]) again.register('tandem.test') // the first has the Call-ID of the one before: a retransmission
    await cluster.settle()
    expect(second?.natPings.size).toBe(1)
    // The first one learns of it when half of what it knew of has passed.
    await cluster.advance(1_900_000, 1_000)
    expect([first?.natPings.size, second?.natPings.size]).toEqual([0, 1])
    expect([alice.inbox.length, bob.inbox.length > 1]).toEqual([1, true])
  })

  it('is removed after OPTIONS that nobody answered, where the setting says so', async () => {
    const settings = { 'edge.natPing.method': 'options', 'edge.natPing.maxFailures': 2 }
    const { alice, bob } = await open({ kind: 'portRestricted' }, settings)
    bob.onRequest = () => undefined
    await cluster.advance(180_000, STEP_MS)
    const { natPingsUnanswered, natBindingsRemoved } = cluster.edge.core.counts
    expect([natPingsUnanswered >= 2, natBindingsRemoved, cluster.edge.core.natPings.size]).toEqual([true, 1, 0])
    expect(await invite(alice, bob)).toBeUndefined()
    expect(startLine(alice.last())).toContain('480')
  })
})

describe('a callee that its binding shows in the open, and its answer behind a NAT', () => {
  it('[RFC3261-16.7.8c] gets requests of the dialog where its INVITE went', async () => {
    cluster = await createMemoryCluster()
    const { address, port } = cluster.edge.endpoint
    const alice = new MemoryPhone(cluster.network, 'alice', '192.0.2.20', 5060, { address, port })
    const bob = new MemoryPhone(cluster.network, 'bob', '192.0.2.30', 5060, { address, port })
    bob.register('tandem.test')
    await cluster.settle()
    const got = (await invite(alice, bob)) ?? ''
    bob.answer(got, 180, { contact: '<sip:bob@10.0.0.5>' })
    bob.answer(got, 200, { contact: '<sip:bob@10.0.0.5>' })
    await cluster.settle()
    const ok = alice.last()
    const [ringing, answered] = alice.inbox.slice(-2).map((text) => headerValues(text, 'record-route'))
    expect(ringing).toEqual(answered)
    const sent = headerValues(got, 'record-route')
    const withoutToken = (values: readonly string[] = []) => values.map((value) => value.replace(/:[^:@]*@/, ':@'))
    expect(answered).not.toEqual(sent)
    expect(withoutToken(answered)).toEqual(withoutToken(sent))
    const own = { ...ENDS, to: headerValues(ok, 'to')[0] ?? '', uri: 'sip:bob@10.0.0.5' }
    alice.send(alice.request('BYE', { ...own, cseq: 2, headers: alice.routesOf(ok, true) }))
    await cluster.settle()
    expect(requestsOf(bob)).toEqual(['INVITE', 'BYE'])
    expect(cluster.edge.core.counts.calleesPinned).toBe(2)
  })
})
