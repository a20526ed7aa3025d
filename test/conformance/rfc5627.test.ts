// SPDX-License-Identifier: MIT
//
// RFC 5627 (GRUU) and what of RFC 5626 (outbound) and RFC 3327 (Path) shows in calls: which binding a request goes to. How
// GRUUs are made is tested beside their code, what a REGISTER gets beside the registrar of the edge.
import { bindingOf, EdgeBench, edgeOf, requestText, stepOf, targetOf } from '@tandem/edge/internal'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import { createWorld, DOMAINS, headersOf, methodOf, requestUriOf, statusOf, type World } from './support/world.ts'

const BOB = 'sip:bob@tandem.test'
const ONE = '+sip.instance="<urn:uuid:00000000-0000-0000-0000-000000000001>"'
const TWO = '+sip.instance="<urn:uuid:00000000-0000-0000-0000-000000000002>"'

let world: World
let alice: MemoryPhone
let bob: MemoryPhone
let desk: MemoryPhone

beforeEach(async () => {
  world = await createWorld()
  alice = world.phone('alice')
  bob = world.phone('bob')
  desk = world.phone('desk')
})
afterEach(() => world.cluster.close())

/** What the 200 says of the Contact of that phone. */
const register = async (
  phone: MemoryPhone,
  params: string,
  more: object = {},
): Promise<{ pub: string; temp: string }> => {
  const contact = `<sip:bob@${phone.place}>;${params}`
  const answer = await world.register(phone, BOB, { contact, headers: ['Supported: gruu'], ...more })
  const own = headersOf(answer, 'contact').find((value) => value.includes(phone.place)) ?? ''
  const read = (name: string): string => new RegExp(`;${name}="([^"]*)"`).exec(own)?.[1] ?? ''
  return { pub: read('pub-gruu'), temp: read('temp-gruu') }
}

const ask = async (uri: string): Promise<string> => {
  const parts = { uri, to: `<${BOB}>` }
  return (await world.exchange(alice, alice.request('MESSAGE', parts))).at(-1) ?? ''
}

const asked = (phone: MemoryPhone): number => phone.inbox.filter((text) => methodOf(text) === 'MESSAGE').length
const answer = async (phone: MemoryPhone, status: number): Promise<void> => {
  phone.answer(phone.last(), status)
  await world.cluster.settle()
}

describe('a GRUU', () => {
  test('each instance has a public one; a request for it reaches that instance alone [RFC5627-5.1d] [RFC5627-5.4a]', async () => {
    const [first, second] = [await register(bob, ONE), await register(desk, TWO)]
    expect(first.pub).toMatch(/^sip:bob@tandem\.test;gr=/)
    expect(second.pub).not.toBe(first.pub)
    await ask(first.pub)
    expect([asked(bob), asked(desk)]).toEqual([1, 0])
    expect(requestUriOf(bob.last())).toBe(`sip:bob@${bob.place}`)
    await ask(second.temp)
    expect([asked(bob), asked(desk)]).toEqual([1, 1])
  })

  test('a temporary one holds while its Call-ID does; another makes it invalid [RFC5627-5.1g] [RFC5627-5.4d]', async () => {
    const first = await register(bob, ONE, { callId: 'same', cseq: 1 })
    const second = await register(bob, ONE, { callId: 'same', cseq: 2 })
    await ask(first.temp)
    await ask(second.temp)
    expect(asked(bob)).toBe(2)
    await register(bob, ONE, { callId: 'other', cseq: 1 })
    expect([404, 480]).toContain(statusOf(await ask(first.temp)))
    expect([404, 480]).toContain(statusOf(await ask(second.temp)))
    expect(asked(bob)).toBe(2)
  })

  test('with its last contact the temporary one is invalid, the public one stays and is 480 [RFC5627-5.3a] [RFC5627-5.3b] [RFC5627-5.3c] [RFC5627-5.4e] [RFC5627-6.1b]', async () => {
    const { pub, temp } = await register(bob, ONE, { callId: 'same', cseq: 1 })
    await register(desk, TWO)
    await register(bob, `${ONE};expires=0`, { callId: 'same', cseq: 2 })
    expect(statusOf(await ask(pub))).toBe(480)
    expect([404, 480]).toContain(statusOf(await ask(temp)))
    await register(bob, ONE, { callId: 'same', cseq: 3 })
    expect([404, 480]).toContain(statusOf(await ask(temp)))
    await ask(pub)
    expect([asked(bob), asked(desk)]).toEqual([1, 0])
  })

  test('goes to the contact that was refreshed last; 408 and 430 lead to the next, another failure to none [RFC5627-6.1c] [RFC5627-6.1d] [RFC5627-6.1e]', async () => {
    const { pub } = await register(bob, ONE)
    await world.cluster.advance(1_000, 500)
    await register(desk, ONE)
    await ask(pub)
    expect([asked(bob), asked(desk)]).toEqual([0, 1])
    await answer(desk, 430)
    expect(asked(bob)).toBe(1)
    await answer(bob, 200)
    await ask(pub)
    await answer(desk, 486)
    expect([asked(bob), asked(desk), statusOf(alice.last())]).toEqual([1, 2, 486])
  })

  test('a call to it is record-routed [RFC5627-6.2a]', async () => {
    const { pub } = await register(bob, ONE)
    await world.exchange(alice, alice.request('INVITE', { uri: pub, to: `<${BOB}>`, contact: alice.contact }))
    expect([methodOf(bob.last()), headersOf(bob.last(), 'record-route').length]).toEqual(['INVITE', 1])
  })

  test('none of them outlives its address [RFC5627-5.4f]', async () => {
    const { pub, temp } = await register(bob, ONE)
    const left = DOMAINS.filter((document) => !JSON.stringify(document).includes('"name":"bob"'))
    const other = await createWorld({ resources: left })
    const caller = other.phone('alice')
    for (const uri of [pub, temp]) {
      expect(statusOf(await other.ask(caller, 'MESSAGE', { uri, to: `<${BOB}>` }))).toBe(404)
    }
    await other.cluster.close()
  })
})

describe('flows of one phone', () => {
  const flow = (phone: MemoryPhone, regId: number): Promise<unknown> =>
    register(phone, `${ONE};reg-id=${regId}`, { headers: ['Supported: path, outbound'] })

  test('stand beside contacts without instance [RFC5626-6i]', async () => {
    await flow(bob, 1)
    const plain = await world.register(desk, BOB)
    expect(headersOf(plain, 'contact')).toHaveLength(2)
  })

  test('one of them at a time, the other after 430, none after any other answer [RFC5626-7a] [RFC5626-7b] [RFC5626-7c] [RFC5626-11.4a]', async () => {
    await flow(bob, 1)
    await world.cluster.advance(1_000, 500)
    await flow(desk, 2)
    await ask(BOB)
    expect(asked(bob) + asked(desk)).toBe(1)
    const [first, second] = asked(bob) === 1 ? [bob, desk] : [desk, bob]
    await answer(first, 430)
    expect(asked(second)).toBe(1)
    await answer(second, 200)
    expect(statusOf(alice.last())).toBe(200)
    await ask(BOB)
    await answer(asked(first) === 2 ? first : second, 486)
    expect([asked(bob) + asked(desk), statusOf(alice.last())]).toEqual([3, 486])
  })

  test('a refresh over another way replaces the way, and renews the time [RFC5626-6m] [RFC5626-6n]', async () => {
    await flow(bob, 1)
    await world.cluster.advance(100_000, 10_000)
    const contact = `<sip:bob@${desk.place}>;${ONE};reg-id=1`
    const renewed = await world.register(desk, BOB, { contact, headers: ['Supported: outbound'] })
    expect(headersOf(renewed, 'contact')).toEqual([expect.stringMatching(/;expires=3600\b/)])
    await ask(BOB)
    expect([asked(bob), asked(desk)]).toEqual([0, 1])
  })
})

describe('connections', () => {
  let bench: EdgeBench
  afterEach(() => bench.close())

  const PLAN = {
    edits: [],
    maxDurationS: 0,
    accounting: false,
    stateless: false,
    maxRecursions: 0,
    sourceTrusted: false,
  }
  const BOB_AT = { $case: 'aor' as const, value: 'sip:bob@example.test' }
  let asks = 0

  /** What is sent for a MESSAGE when bob has these bindings. */
  const sentTo = (...bindings: readonly ReturnType<typeof bindingOf>[]): string[] => {
    asks += 1
    bench.udpIn(requestText({ method: 'MESSAGE', branch: `z9hG4bK-${asks}` }))
    bench.decide({ $case: 'plan', value: { ...PLAN, steps: [stepOf({ targets: [targetOf(BOB_AT)] })] } })
    bench.location.take('locate').answer({ bindings, version: 1n })
    return bench.take().filter((word) => word.startsWith('MESSAGE'))
  }

  const bound = (port: number, flowId: number, regId: number, edgeId = bench.core.edgeId) => ({
    ...bindingOf(`sip:bob@192.0.2.30:${port};transport=tcp`, { transport: 'tcp', edgeId, flowId, port }),
    instanceId: regId > 0 ? 'urn:x' : '',
    regId,
  })

  test('a request goes down the very connection of the REGISTER, not anywhere else once that is closed [RFC5626-7d] [RFC5626-7e] [RFC5626-7f]', () => {
    bench = new EdgeBench()
    const flow = bench.tcp.connect('192.0.2.30', 41_000)
    const other = bench.tcp.connect('192.0.2.30', 42_000)
    expect(sentTo(bound(41_000, flow.id, 1))).toEqual([`MESSAGE → tcp ${flow.id}`])
    flow.close()
    expect(sentTo(bound(41_000, flow.id, 1))).toEqual([])
    expect(sentTo(bound(41_000, flow.id, 1), bound(42_000, other.id, 2))).toEqual([`MESSAGE → tcp ${other.id}`])
    expect(sentTo(bound(43_000, 99, 0))).toHaveLength(1) // without outbound a phone may listen at its Contact
  })

  test('nor when another edge holds it: 430 there [RFC5626-7e] [RFC5626-5.3.1b]', () => {
    bench = new EdgeBench()
    bench.joined([edgeOf('edge-1.test', '198.51.100.2')], 2n)
    expect(sentTo(bound(41_000, 7, 1, 'edge-1.test'))).toEqual(['MESSAGE → tcp 1001'])
    const there = new EdgeBench({}, 'edge-1.test')
    there.tcpIn(bench.last('MESSAGE'), there.internalTcp.connect('198.51.100.1', 50_000), true)
    expect(there.take()).toEqual(['430 → tcp 1001'])
    there.close()
  })
})

describe('Path', () => {
  test('one with lr is followed as a loose route: the Contact stays the Request-URI [RFC3327-4]', async () => {
    const proxy = world.phone('proxy')
    const headers = ['Supported: path', `Path: <sip:${proxy.place};lr;x=1>`]
    await world.register(bob, BOB, { headers })
    await ask(BOB)
    expect([asked(bob), asked(proxy)]).toEqual([0, 1])
    expect(requestUriOf(proxy.last())).toBe(`sip:bob@${bob.place}`)
    expect(headersOf(proxy.last(), 'route')).toEqual([`<sip:${proxy.place};lr;x=1>`])
  })
})
