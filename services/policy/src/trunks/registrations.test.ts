// SPDX-License-Identifier: MIT
// Registrations at trunks: against a registrar that checks, one that is gone, one that changes its mind; nodes and edges that die.
import { describe, expect, test } from 'vitest'
import type { PolicyService } from '../options.ts'
import { DOCUMENTS, decideOn, outcomeOf, request, resourcesOf, type World } from '../policy-fixture.ts'
import { backOffMs } from './registration-state.ts'
import { converse, FakeEdge, FakeRegistrar, statusOf, tellSent, trunkDocument, trunkWorld } from './trunk-fixture.ts'

const SPEC = {
  credentials: { username: 'acme', password: 'trunk-secret' },
  registration: { registrar: 'sip:carrier.test', user: '4930', expiresMs: 600_000 },
}
const LEASE_MS = 36_000

interface Bench {
  readonly world: World
  readonly node: PolicyService
  readonly edge: FakeEdge
}

async function bench(spec: object = SPEC): Promise<Bench> {
  const world = await trunkWorld(trunkDocument(spec))
  const node = world.node()
  return { world, node, edge: new FakeEdge(node) }
}

const stateOf = async (node: PolicyService) => (await statusOf(node)).registration

/** Lets time pass, and the node do what is due. */
async function pass({ world, node }: Pick<Bench, 'world' | 'node'>, ms: number): Promise<void> {
  world.clock.ms += ms
  await node.trunks.work()
}

describe('registering', () => {
  test('[RFC3261-10.2] with credentials, a contact that is a token, and one Call-ID whose CSeq grows', async () => {
    const b = await bench()
    const registrar = new FakeRegistrar()
    await b.node.trunks.work()
    expect(await stateOf(b.node)).toMatchObject({
      state: 'trying',
      registrar: 'sip:carrier.test',
      aor: 'sip:4930@carrier.test',
    })
    await converse(b.node, b.edge, registrar)
    const [first, second] = registrar.seen
    expect(first).toMatchObject({
      method: 'REGISTER',
      requestUri: 'sip:carrier.test',
      cseq: 1,
      to: '<sip:4930@carrier.test>',
    })
    expect(first?.headers).toEqual([{ name: 'Expires', value: '600' }])
    expect(first?.contactUser).toMatch(/^[0-9a-f]{24}$/)
    expect(second).toMatchObject({ cseq: 2, callId: first?.callId, contactUser: first?.contactUser })
    expect(await stateOf(b.node)).toMatchObject({ state: 'registered', lastStatus: 200, failures: 0, detail: '' })
    expect(JSON.stringify([b.world.lines, first, second])).not.toContain('trunk-secret')
  })

  test.each(['MD5', 'SHA-256'] as const)(
    '[RFC7616-3.4] refreshed in time, with the nonce that is known, counted: %s',
    async (algorithm) => {
      const b = await bench()
      const registrar = new FakeRegistrar({ algorithm, grantS: 100 })
      await b.node.trunks.work()
      await converse(b.node, b.edge, registrar)
      for (let i = 0; i < 3; i++) {
        await pass(b, 60_000)
        expect(b.edge.asked).toEqual([])
        await pass(b, 16_000)
        expect(b.edge.asked).toHaveLength(1)
        await converse(b.node, b.edge, registrar)
      }
      // Asked once who it is: [RFC3261-22.2] the nonce goes on.
      expect(registrar.seen).toHaveLength(5)
      expect(registrar.seen.map(({ cseq }) => cseq)).toEqual([1, 2, 3, 4, 5])
      expect(await stateOf(b.node)).toMatchObject({ state: 'registered', leftMs: 100_000n })
    },
  )

  test('[RFC7616-3.3] a stale nonce is followed by the new one at once', async () => {
    const b = await bench()
    const registrar = new FakeRegistrar({ nonceUses: 1, grantS: 100 })
    await b.node.trunks.work()
    await converse(b.node, b.edge, registrar)
    await pass(b, 76_000)
    await converse(b.node, b.edge, registrar)
    expect(registrar.seen).toHaveLength(4)
    expect(await stateOf(b.node)).toMatchObject({ state: 'registered', failures: 0 })
  })

  test('[RFC3261-10.2.8] a longer time is asked for after 423', async () => {
    const b = await bench()
    const registrar = new FakeRegistrar({ minExpiresS: 1_800 })
    await b.node.trunks.work()
    await converse(b.node, b.edge, registrar)
    expect(registrar.boundS).toBe(1_800)
    expect(await stateOf(b.node)).toMatchObject({ state: 'registered', leftMs: 1_800_000n })
  })

  test('a wrong password is tried once and then seldom', async () => {
    const b = await bench()
    const registrar = new FakeRegistrar({ password: 'another' })
    await b.node.trunks.work()
    await converse(b.node, b.edge, registrar)
    expect(registrar.seen).toHaveLength(2)
    expect(await stateOf(b.node)).toMatchObject({
      state: 'failed',
      detail: 'the credentials are refused',
      lastStatus: 401,
    })
    await pass(b, 119_000)
    expect(b.edge.asked).toEqual([])
    await pass(b, 1_001)
    expect(b.edge.asked).toHaveLength(1)
  })

  test('failures are tried again later and later, to a bound, spread; Retry-After is kept', async () => {
    const times = Array.from({ length: 12 }, (_, i) => backOffMs(i + 1, 0.999))
    expect(times.every((ms, i) => i === 0 || ms >= (times[i - 1] ?? 0))).toBe(true)
    expect(times.at(-1)).toBeLessThanOrEqual(600_000)
    expect(backOffMs(4, 0)).toBeLessThan(backOffMs(4, 0.9))
    const b = await bench()
    await b.node.trunks.work()
    await tellSent(b.node, b.edge.take(), { status: 503, headers: [{ name: 'Retry-After', value: '300' }] })
    await pass(b, 299_000)
    expect(b.edge.asked).toEqual([])
    await pass(b, 1_001)
    expect(b.edge.asked).toHaveLength(1)
  })

  test('a binding that still holds outlives a failed refresh', async () => {
    const b = await bench()
    await b.node.trunks.work()
    await converse(b.node, b.edge, new FakeRegistrar({ grantS: 100 }))
    await pass(b, 76_000)
    await tellSent(b.node, b.edge.take(), { status: 0 })
    expect(await stateOf(b.node)).toMatchObject({
      state: 'registered',
      failures: 1,
      detail: 'no answer',
      leftMs: 24_000n,
    })
    await pass(b, 11_000)
    await tellSent(b.node, b.edge.take(), { status: 500 })
    await pass(b, 20_001)
    await tellSent(b.node, b.edge.take(), { status: 500 })
    expect(await stateOf(b.node)).toMatchObject({ state: 'failed', failures: 3, leftMs: 0n })
  })
})

describe('who does it', () => {
  test('one node of two at a time; where it dies with a command out, the other goes on with the same dialog', async () => {
    const b = await bench()
    const other = b.world.node()
    const [first, second] = [b.edge, new FakeEdge(other, 'edge-1.1')]
    const registrar = new FakeRegistrar()
    await Promise.all([b.node.trunks.work(), other.trunks.work()])
    expect(first.asked.length + second.asked.length).toBe(1)
    const [dead, living] = first.asked.length === 1 ? [b.node, other] : [other, b.node]
    const left = living === other ? second : first
    const lost = (living === other ? first : second).take()
    await dead.stop()
    await pass({ world: b.world, node: living }, LEASE_MS - 1)
    expect(left.asked).toEqual([])
    await pass({ world: b.world, node: living }, 1)
    expect(left.asked[0]).toMatchObject({ callId: lost.callId, cseq: 2, contactUser: lost.contactUser })
    await converse(living, left, registrar)
    expect(await stateOf(living)).toMatchObject({ state: 'registered' })
    await tellSent(living, lost, { status: 403 })
    expect(await stateOf(living)).toMatchObject({ state: 'registered' })
  })

  test('an answer may come to another node than the one that asked', async () => {
    const b = await bench()
    const other = b.world.node()
    const edges = [b.edge, new FakeEdge(other, 'edge-0.1')]
    const registrar = new FakeRegistrar()
    await b.node.trunks.work()
    const asked = b.edge.take()
    await tellSent(other, asked, registrar.answer(asked))
    const next = edges[1]?.take()
    if (next === undefined) throw new Error('nothing was sent')
    await tellSent(b.node, next, registrar.answer(next))
    expect(await stateOf(other)).toMatchObject({ state: 'registered', edgeId: 'edge-0' })
  })

  test('the edge that has it keeps it; one that says nothing is passed over', async () => {
    const world = await trunkWorld(trunkDocument(SPEC))
    const node = world.node()
    const edges = ['edge-0.1', 'edge-1.1', 'edge-2.1'].map((peer) => new FakeEdge(node, peer))
    const at = () => edges.findIndex(({ asked }) => asked.length > 0)
    await node.trunks.work()
    const first = at()
    edges[first]?.take()
    await pass({ world, node }, LEASE_MS)
    const second = at()
    expect(second).not.toBe(first)
    const registrar = new FakeRegistrar({ grantS: 100 })
    await converse(node, edges[second] as FakeEdge, registrar)
    for (let i = 0; i < 3; i++) {
      await pass({ world, node }, 76_000)
      expect(at()).toBe(second)
      await converse(node, edges[second] as FakeEdge, registrar)
    }
  })

  test('without any edge it waits, and counts no failure', async () => {
    const world = await trunkWorld(trunkDocument(SPEC))
    const node = world.node()
    await node.trunks.work()
    const edge = new FakeEdge(node)
    await node.trunks.work()
    expect(edge.asked).toHaveLength(1)
  })
})

describe('leaving', () => {
  test('[RFC3261-10.2.2] what the resource no longer has is unregistered with the credentials that it had', async () => {
    const b = await bench()
    const registrar = new FakeRegistrar()
    await b.node.trunks.work()
    await converse(b.node, b.edge, registrar)
    expect(registrar.boundS).toBe(600)
    b.node.replaceResources(await resourcesOf([...DOCUMENTS, trunkDocument()]))
    await pass(b, 500_000)
    expect(b.edge.asked[0]?.headers[0]).toEqual({ name: 'Expires', value: '0' })
    await converse(b.node, b.edge, registrar)
    expect(registrar.boundS).toBe(0)
    expect(await b.world.store.trunks.listStates()).toMatchObject({ value: [] })
    await pass(b, 3_600_000)
    expect(b.edge.asked).toEqual([])
  })

  test('another address-of-record: the old one leaves, the new one comes', async () => {
    const b = await bench()
    const registrar = new FakeRegistrar()
    await b.node.trunks.work()
    await converse(b.node, b.edge, registrar)
    const moved = { ...SPEC, registration: { ...SPEC.registration, user: '4931' } }
    b.node.replaceResources(await resourcesOf([...DOCUMENTS, trunkDocument(moved)]))
    await pass(b, 500_000)
    await converse(b.node, b.edge, registrar)
    await pass(b, 1)
    await converse(b.node, b.edge, registrar)
    expect(registrar.seen.map(({ to }) => to).slice(-2)).toEqual(['<sip:4931@carrier.test>', '<sip:4931@carrier.test>'])
    expect(await stateOf(b.node)).toMatchObject({ state: 'registered', aor: 'sip:4931@carrier.test' })
  })

  test('a registrar that can not be reached is left alone', async () => {
    const b = await bench()
    await b.node.trunks.work()
    await converse(b.node, b.edge, new FakeRegistrar())
    b.node.replaceResources(await resourcesOf([...DOCUMENTS, trunkDocument()]))
    await pass(b, 500_000)
    await tellSent(b.node, b.edge.take(), { status: 0 })
    await pass(b, 10_001)
    await tellSent(b.node, b.edge.take(), { status: 0 })
    expect(await b.world.store.trunks.listStates()).toMatchObject({ value: [] })
  })
})

describe('calls that come in', () => {
  const tokenOf = async (b: Bench) => {
    await b.node.trunks.work()
    return b.edge.take().contactUser
  }
  const never = () => false

  test('the token that only the registrar was told, where its addresses are not known', async () => {
    const named = await bench({ ...SPEC, hosts: [{ host: 'sip.carrier.test' }] })
    const token = await tokenOf(named)
    expect(named.node.trunks.trunkOfContact(token, '203.0.113.5', never)).toBe('carrier')
    expect(named.node.trunks.trunkOfContact('4930', '203.0.113.5', never)).toBeUndefined()
    const again = named.world.node()
    expect(again.trunks.trunkOfContact(token, '203.0.113.5', never)).toBe('carrier')
  })

  test.each([
    ['<sip:1001@carrier.test>', 'plan', 'sip:carol@example.test'],
    ['<sip:carol@carrier.test>', 'plan', 'sip:carol@example.test'],
    ['<sip:4711@carrier.test>', 'reject 404 unknown_user', ''],
  ])('[RFC3261-10.2] a call to the contact goes to whom To names: %s', async (to, outcome, aor) => {
    const b = await bench({ ...SPEC, hosts: [{ host: 'sip.carrier.test' }] })
    const requestUri = `sip:${await tokenOf(b)}@127.0.0.1:5060`
    const from = '<sip:+491701234567@carrier.test>;tag=x'
    const source = { transport: 'udp', address: '203.0.113.5', port: 5060 }
    const decision = await decideOn(b.node, request({ requestUri, from, to, source }))
    expect(outcomeOf(decision)).toMatch(outcome === 'plan' ? /^plan$/ : /^reject 404/)
    expect(decision.facts?.ingressTrunk).toBe('carrier')
    if (decision.verdict?.$case === 'plan') {
      expect(decision.verdict.value.steps[0]?.targets[0]?.where?.value).toBe(aor)
      expect(decision.verdict.value.accounting).toBe(true)
    }
    const stranger = await decideOn(
      b.node,
      request({ requestUri: 'sip:0123456789abcdef01234567@127.0.0.1', from, to, source }),
    )
    expect(outcomeOf(stranger)).not.toBe('plan')
  })

  test('from the address of the trunk, where it has one', async () => {
    const b = await bench()
    const token = await tokenOf(b)
    expect(b.node.trunks.trunkOfContact(token, '192.0.2.9', never)).toBe('carrier')
    expect(b.node.trunks.trunkOfContact(token, '203.0.113.5', never)).toBeUndefined()
    expect(b.node.trunks.trunkOfContact(token, '203.0.113.5', (name) => name === 'carrier')).toBe('carrier')
  })

  test('a contact that anybody can guess proves nothing by itself', async () => {
    const registration = { ...SPEC.registration, contactUser: '4930' }
    const b = await bench({ ...SPEC, registration, hosts: [{ host: 'sip.carrier.test' }] })
    expect(b.node.trunks.trunkOfContact('4930', '203.0.113.5', never)).toBeUndefined()
    expect(b.node.trunks.trunkOfContact('4930', '203.0.113.5', () => true)).toBe('carrier')
  })
})
