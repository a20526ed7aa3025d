// SPDX-License-Identifier: MIT
//
// Calls that the cluster ends, warns and looks after, in memory: both parties as texts, the record as a sink reads it (STATE.md,
// "Cut-off and liveness"). Two edges, alice at one, bob at the other.
// Not here: connections and real phones (test/e2e/hang-up.test.ts), stores that lose an asker (packages/store), edges that are silent
// (services/policy/src/calls/call-work.test.ts).
import type { ResourceSource } from '@tandem/resources'
import { headerValues, startLine } from '@tandem/test-kit'
import { afterEach, describe, expect, test } from 'vitest'
import { createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts'
import { MemoryPhone } from '../support/phone.ts'

const ADDRESS = '192.0.2.1'
const REASON = 'SIP;cause=402;text="Credit used up"'

const resource = (kind: string, metadata: object, spec: object = {}): ResourceSource => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata,
  spec,
})

const domain = (spec: object = {}): ResourceSource[] => {
  const open = { accounting: true, anonymous: 'allow', alsoBindAddress: true, authentication: 'none', identity: 'off' }
  return [
    resource('Domain', { name: 'tandem.test' }, { ...open, ...spec }),
    ...['alice', 'bob'].map((name) => resource('Subscriber', { name, domain: 'tandem.test' })),
  ]
}

interface Options {
  readonly spec?: object
  readonly settings?: Readonly<Record<string, unknown>>
}

let cluster: MemoryCluster
afterEach(async () => {
  expect(cluster.problems).toEqual([])
  await cluster.close()
})

const methodOf = (text: string): string => startLine(text).split(' ')[0] as string
const statusOf = (text: string): number => Number(startLine(text).split(' ')[1])
const cseqOf = (text: string): number => Number(headerValues(text, 'cseq')[0]?.split(' ')[0])
const of = (phone: MemoryPhone, method: string): string[] => phone.inbox.filter((text) => methodOf(text) === method)
const answers = (phone: MemoryPhone): number[] =>
  phone.inbox.filter((text) => methodOf(text) === 'SIP/2.0').map(statusOf)

class Call {
  readonly alice: MemoryPhone
  readonly bob: MemoryPhone
  ok = ''
  ref = ''

  constructor() {
    const phone = (user: string, host: string, edge: number): MemoryPhone =>
      new MemoryPhone(cluster.network, user, host, 5060, { address: ADDRESS, port: 5060 + 100 * edge })
    this.alice = phone('alice', '192.0.2.20', 0)
    this.bob = phone('bob', '192.0.2.30', 1)
  }

  /** @param status that bob answers with, 180 for ringing on */
  async begin(status = 200): Promise<this> {
    const { alice, bob } = this
    bob.register('tandem.test')
    await cluster.settle()
    bob.onRequest = (text) => bob.answer(text, methodOf(text) === 'INVITE' ? status : 200)
    const ends = { from: '<sip:alice@tandem.test>;tag=a', to: '<sip:bob@tandem.test>', callId: 'c1', cseq: 7 }
    alice.send(alice.request('INVITE', { ...ends, uri: 'sip:bob@tandem.test', contact: alice.contact }))
    await cluster.settle()
    this.ok = alice.last()
    if (status === 200) this.ack()
    await cluster.settle()
    alice.onRequest = (text) => alice.answer(text, 200)
    bob.onRequest = (text) => bob.answer(text, 200)
    const live = await cluster.store.policy.listLive(10)
    if (live.state !== 'stored') throw new Error('no list')
    this.ref = live.value.calls[0]?.callRef ?? ''
    return this
  }

  private ack(): void {
    this.alice.send(this.inDialog('ACK', 7))
  }

  /** Of alice. */
  inDialog(method: string, cseq: number, contact = this.alice.contact): string {
    const { alice, bob, ok } = this
    const [from, to] = [headerValues(ok, 'from')[0] as string, headerValues(ok, 'to')[0] as string]
    const headers = alice.routesOf(ok, true)
    return alice.request(method, { uri: bob.contact.slice(1, -1), from, to, callId: 'c1', cseq, headers, contact })
  }

  async hangUp(reason = REASON): Promise<unknown> {
    const told = await cluster.policy.handlers.requestHangUp(
      { callRef: this.ref, reason },
      { msLeft: 1_000, peer: 'test' },
    )
    await cluster.settle()
    return told.outcome === 'done' ? told.value : told
  }
}

async function begin(options: Options = {}, status = 200): Promise<Call> {
  cluster = await createMemoryCluster({
    edgeCount: 2,
    resources: domain(options.spec),
    settings: { 'policy.livenessIntervalMs': 0, ...options.settings },
  })
  return new Call().begin(status)
}

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 250) {
    cluster.clock.advance(Math.min(250, left))
    cluster.tick()
    await cluster.settle()
  }
}

async function records() {
  const read = await cluster.store.policy.openRecords('test', 'test').read(100)
  if (read.state !== 'stored') throw new Error('the records can not be read')
  return read.value.map(({ record }) => record)
}

/** As SIGKILL would: no word to anybody. */
async function kill(edge: number): Promise<void> {
  const { core, endpoint } = cluster.edges[edge] as (typeof cluster.edges)[number]
  core.reporter.close()
  await Promise.all([endpoint.close(), core.policy.close(), core.location.close()])
}

describe('a hang-up', () => {
  test('[RFC3261-12.2.1.1] [RFC3326-2] goes to both parties in the name of the other, 65,536 above the last CSeq, with its Reason', async () => {
    const call = await begin()
    expect(await call.hangUp()).toEqual({ state: 'answered', edgeCount: 2 })
    const [toAlice] = of(call.alice, 'BYE') as [string]
    const [toBob] = of(call.bob, 'BYE') as [string]
    expect(startLine(toAlice)).toBe(`BYE ${call.alice.contact.slice(1, -1)} SIP/2.0`)
    expect(headerValues(toAlice, 'from')).toEqual(['<sip:bob@tandem.test>;tag=t-bob'])
    expect(headerValues(toAlice, 'to')).toEqual(['<sip:alice@tandem.test>;tag=a'])
    expect(cseqOf(toAlice)).toBe(65_536)
    expect(startLine(toBob)).toBe(`BYE ${call.bob.contact.slice(1, -1)} SIP/2.0`)
    expect(headerValues(toBob, 'from')).toEqual(['<sip:alice@tandem.test>;tag=a'])
    expect(headerValues(toBob, 'to')).toEqual(['<sip:bob@tandem.test>;tag=t-bob'])
    expect(cseqOf(toBob)).toBe(7 + 65_536)
    for (const bye of [toAlice, toBob]) {
      expect(headerValues(bye, 'reason')).toEqual([REASON])
      expect(headerValues(bye, 'call-id')).toEqual(['c1'])
      expect(headerValues(bye, 'via')).toHaveLength(1)
      expect(headerValues(bye, 'route')).toEqual([])
    }
    const all = await records()
    expect(all).toHaveLength(1)
    expect(all[0]).toMatchObject({ endedBy: 'system', reason: REASON, state: 'complete', outcome: 'answered' })
    await pass(60_000)
    expect(of(call.alice, 'BYE')).toHaveLength(1)
    expect(await call.hangUp()).toMatchObject({ state: 'finished' })
  })

  test('goes through another edge when the one that set the call up is gone', async () => {
    const call = await begin()
    await kill(0)
    expect(await call.hangUp()).toEqual({ state: 'answered', edgeCount: 1 })
    for (const phone of [call.alice, call.bob]) {
      expect(of(phone, 'BYE')).toHaveLength(1)
      expect(headerValues(of(phone, 'BYE')[0] as string, 'via')[0]).toContain(`${ADDRESS}:5160`)
    }
    expect(await records()).toMatchObject([{ endedBy: 'system', reason: REASON, endEdge: 'edge-1.1' }])
  })

  test('goes to another edge when the one that was told dies before the BYE is answered', async () => {
    const call = await begin()
    for (const phone of [call.alice, call.bob]) phone.onRequest = () => undefined
    await call.hangUp()
    const told = headerValues(of(call.bob, 'BYE')[0] as string, 'via')[0]?.includes(':5060') ? 0 : 1
    await kill(told)
    for (const phone of [call.alice, call.bob]) phone.onRequest = (text) => phone.answer(text, 200)
    await pass(1_000)
    expect(await records()).toMatchObject([{ endedBy: 'system', endEdge: `edge-${1 - told}.${1 - told}` }])
    expect(cluster.policy.counts.hangUpsRepeated).toBe(1)
  })

  test('crossed by the BYE of a party ends the call once', async () => {
    const call = await begin()
    call.alice.send(call.inDialog('BYE', 8))
    await call.hangUp()
    await pass(40_000)
    expect(await records()).toHaveLength(1)
    expect(answers(call.alice).at(-1)).toBe(200)
    expect(of(call.alice, 'BYE').length + of(call.bob, 'BYE').length).toBeGreaterThanOrEqual(1)
    expect(cluster.store.counts().callCount).toBe(0)
  })

  test('crossed in mid-air: ours has left when the BYE of the party comes', async () => {
    const call = await begin()
    call.bob.onRequest = () => undefined
    call.alice.onRequest = (bye) => {
      call.alice.send(call.inDialog('BYE', 8))
      call.alice.answer(bye, 200)
    }
    await call.hangUp()
    call.bob.onRequest = (bye) => call.bob.answer(bye, 481)
    await pass(40_000)
    const all = await records()
    expect(all).toMatchObject([{ endedBy: 'system', reason: REASON }])
  })

  test('is answered 481 by one and 200 by the other', async () => {
    const call = await begin()
    call.bob.onRequest = (text) => call.bob.answer(text, 481)
    await call.hangUp()
    expect(await records()).toMatchObject([{ endedBy: 'system', reason: REASON, state: 'complete' }])
  })

  test('without any answer ends the call as of when it left', async () => {
    const call = await begin()
    await pass(10_000)
    for (const phone of [call.alice, call.bob]) phone.onRequest = () => undefined
    await call.hangUp()
    await pass(31_000)
    expect(await records()).toEqual([])
    await pass(2_000)
    const all = await records()
    expect(all).toMatchObject([{ endedBy: 'system', reason: REASON }])
    expect(all[0]?.durationMs).toBe(10_000n)
    expect(cluster.policy.counts.hangUpsRepeated).toBe(0)
  })

  test('is refused by both: nothing has ended, and it is tried again until the record is given up', async () => {
    const call = await begin()
    for (const phone of [call.alice, call.bob]) phone.onRequest = (text) => phone.answer(text, 407)
    await call.hangUp()
    expect(await records()).toEqual([])
    await pass(10_000)
    expect(await records()).toEqual([])
    expect(of(call.bob, 'BYE').length).toBeGreaterThan(1)
    for (const phone of [call.alice, call.bob]) phone.onRequest = (text) => phone.answer(text, 401)
    await pass(60_000)
    expect(await records()).toMatchObject([{ endedBy: 'system', reason: REASON, state: 'recovered' }])
    expect(cluster.policy.counts.hangUpsGivenUp).toBe(1)
  })

  test('is refused by one alone: the other one’s end counts', async () => {
    const call = await begin()
    call.alice.onRequest = (text) => call.alice.answer(text, 407)
    await call.hangUp()
    expect(await records()).toMatchObject([{ endedBy: 'system', state: 'complete' }])
  })

  test('follows what requests in the dialog have changed', async () => {
    const call = await begin()
    const moved = new MemoryPhone(cluster.network, 'alice', '192.0.2.21', 5070, { address: ADDRESS, port: 5160 })
    moved.onRequest = (text) => moved.answer(text, 200)
    call.bob.onRequest = (text) => call.bob.answer(text, 200, { contact: '<sip:bob@192.0.2.30:5060;moved>' })
    moved.send(call.inDialog('INVITE', 40, moved.contact))
    await cluster.settle()
    call.bob.onRequest = (text) => call.bob.answer(text, 200)
    await call.hangUp()
    expect(of(call.alice, 'BYE')).toEqual([])
    expect(startLine(of(moved, 'BYE')[0] as string)).toBe('BYE sip:alice@192.0.2.21:5070 SIP/2.0')
    const toBob = of(call.bob, 'BYE')[0] as string
    expect(startLine(toBob)).toBe('BYE sip:bob@192.0.2.30:5060;moved SIP/2.0')
    expect(cseqOf(toBob)).toBe(40 + 65_536)
  })

  test('ends a call in set-up: CANCEL to the callee, a failure to the caller, both with the reason', async () => {
    const call = await begin({}, 180)
    expect(await call.hangUp()).toMatchObject({ state: 'setup' })
    const [cancel] = of(call.bob, 'CANCEL') as [string]
    expect(headerValues(cancel, 'reason')).toEqual([REASON])
    const final = call.alice.inbox.find((text) => statusOf(text) === 402) as string
    expect(headerValues(final, 'reason')).toEqual([REASON])
    expect(await records()).toMatchObject([
      { endedBy: 'system', reason: REASON, finalStatus: 402, outcome: 'rejected', answeredUnixMs: 0n },
    ])
    await pass(60_000)
    expect(await records()).toHaveLength(1)
  })

  test.each([
    ['nonsense', 'bad_reference'],
    ['', 'bad_reference'],
  ])('of a reference that none can be (%s) is refused', async (callRef, code) => {
    await begin()
    const context = { msLeft: 1_000, peer: 'test' }
    const told = await cluster.policy.handlers.requestHangUp({ callRef, reason: '' }, context)
    expect(told).toMatchObject({ outcome: 'refused', refusal: { code } })
  })

  test('with a reason that would break a header is refused', async () => {
    const call = await begin()
    expect(await call.hangUp('SIP;cause=402\r\nX: y')).toMatchObject({ refusal: { code: 'bad_reason' } })
    expect(await records()).toEqual([])
  })
})

describe('a maximum duration', () => {
  test('ends the call when it is over, and the caller is warned before', async () => {
    const call = await begin({
      spec: { maxDurationMs: 60_000 },
      settings: { 'policy.warnBeforeMs': 20_000, 'policy.warning': 'Noch {seconds} s – Ende' },
    })
    await pass(39_000)
    expect(of(call.alice, 'MESSAGE')).toEqual([])
    await pass(2_000)
    const [warning] = of(call.alice, 'MESSAGE') as [string]
    expect(Buffer.from(warning, 'latin1').toString('utf8').split('\r\n\r\n')[1]).toMatch(/^Noch (19|20) s – Ende$/)
    expect(of(call.bob, 'MESSAGE')).toEqual([])
    expect(of(call.alice, 'BYE')).toEqual([])
    await pass(18_500)
    expect(of(call.alice, 'BYE')).toEqual([])
    await pass(1_500)
    expect(of(call.alice, 'BYE')).toHaveLength(1)
    const all = await records()
    expect(all).toMatchObject([{ endedBy: 'system', reason: 'SIP;cause=408;text="Maximum duration"' }])
    expect(Number(all[0]?.durationMs)).toBeGreaterThanOrEqual(60_000)
    expect(Number(all[0]?.durationMs)).toBeLessThan(61_000)
  })

  test('of the cluster does not touch a domain that has none', async () => {
    const call = await begin({ spec: { maxDurationMs: 0 }, settings: { 'policy.maxDurationMs': 30_000 } })
    await pass(90_000)
    expect(of(call.alice, 'BYE')).toEqual([])
  })
})

describe('a look whether anybody is left', () => {
  const settings = { 'policy.livenessIntervalMs': 60_000 }
  /** Longer than an interval and its spread. The walk over all shards finds probes; here the test does. */
  const probe = async (call: Call, ms = 67_000): Promise<void> => {
    await pass(ms)
    await cluster.policy.work.do(call.ref)
    await cluster.settle()
  }

  test('reuses the last CSeq, and takes any answer but 408 and 481 for life', async () => {
    const call = await begin({ settings })
    call.alice.onRequest = (text) => call.alice.answer(text, 500)
    for (let round = 1; round <= 3; round += 1) {
      await probe(call)
      expect(of(call.alice, 'OPTIONS')).toHaveLength(round)
    }
    expect(cseqOf(of(call.alice, 'OPTIONS')[0] as string)).toBe(1)
    expect(cseqOf(of(call.bob, 'OPTIONS')[0] as string)).toBe(7)
    expect(await records()).toEqual([])
  })

  test('finds nobody twice: the record ends at the last sign of life, recovered', async () => {
    const call = await begin({ settings })
    await pass(30_000)
    call.alice.send(call.inDialog('INVITE', 8)) // a sign of life
    await cluster.settle()
    for (const phone of [call.alice, call.bob]) phone.onRequest = () => undefined
    await probe(call)
    await pass(33_000)
    expect(await records()).toEqual([])
    await probe(call, 60_000)
    await pass(33_000)
    const all = await records()
    expect(all).toMatchObject([
      { state: 'recovered', endedBy: 'system', reason: 'SIP;cause=408;text="No sign of life"' },
    ])
    expect(Number(all[0]?.durationMs)).toBe(30_000)
    expect([...of(call.alice, 'BYE'), ...of(call.bob, 'BYE')]).toEqual([])
  })

  test('finds that both deny the call: its record ends at once', async () => {
    const call = await begin({ settings })
    for (const phone of [call.alice, call.bob]) phone.onRequest = (text) => phone.answer(text, 481)
    await probe(call)
    expect(await records()).toMatchObject([
      { state: 'recovered', reason: 'SIP;cause=481;text="Both parties are gone"' },
    ])
  })

  test('finds that one denies it: the other one gets a BYE', async () => {
    const call = await begin({ settings })
    call.alice.onRequest = (text) => call.alice.answer(text, 481)
    await probe(call)
    expect(of(call.bob, 'BYE')).toHaveLength(1)
    expect(await records()).toMatchObject([
      { state: 'complete', endedBy: 'system', reason: 'SIP;cause=481;text="The other party is gone"' },
    ])
  })
})
