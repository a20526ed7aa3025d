// SPDX-License-Identifier: MIT
//
// Numbers through a whole cluster in memory: in from a carrier to an extension, out by the longest match, on to the next trunk when one
// fails, toll by caller group, a list that stops, and 112 with an empty account. The carriers are phones at the trunks' addresses.
// Not here: breakers and bounds (services/policy/src/trunks), formats and orders (packages/resources/src/routing).
import type { ResourceSource } from '@tandem/resources'
import { headerValues, startLine } from '@tandem/test-kit'
import { afterEach, expect, test } from 'vitest'
import { createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts'
import { MemoryPhone } from '../support/phone.ts'

const resource = (kind: string, name: string, spec: object = {}): ResourceSource => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata: kind === 'Subscriber' ? { name, domain: 'tandem.test' } : { name },
  spec,
})

const RESOURCES = [
  resource('NumberPlan', 'germany', { country: '+49', emergency: { numbers: ['112'], trunk: 'first' } }),
  resource('Domain', 'tandem.test', { alsoBindAddress: true, numberPlan: 'germany' }),
  resource('RatePlan', 'retail', { currency: 'EUR', rates: [{ prefix: '*', perMinuteMicros: 60_000 }] }),
  resource('Account', 'empty', { billing: 'prepaid', ratePlan: 'retail' }),
  resource('Subscriber', 'alice', { acl: { sources: ['192.0.2.20'] } }),
  resource('Subscriber', 'poor', { account: 'empty', acl: { sources: ['192.0.2.21'] } }),
  resource('Subscriber', 'bob', { acl: { sources: ['192.0.2.30'], register: true } }),
  resource('Trunk', 'first', {
    hosts: [{ host: '192.0.2.50', port: 5060 }],
    inbound: 'allow',
    numbersIn: { form: 'e164WithoutPlus' },
    numbersOut: { form: 'e164WithoutPlus' },
  }),
  resource('Trunk', 'second', { hosts: [{ host: '192.0.2.60', port: 5060 }] }),
  resource('TrunkGroup', 'both', { trunks: ['first', 'second'] }),
  resource('Route', 'germany', { prefix: '+49', trunkGroup: 'both' }),
  resource('Route', 'berlin', { prefix: '+4930', trunk: 'second' }),
  resource('Route', 'gold', { prefix: '+44', from: { labels: { tier: 'gold' } }, trunk: 'second' }),
  resource('BlockList', 'premium', { direction: 'outbound', callees: { patterns: ['+49900*'] }, status: 603 }),
  resource('Number', 'desk', { number: '+4989555', domain: 'tandem.test', to: { subscriber: 'bob' } }),
]

let cluster: MemoryCluster
afterEach(async () => {
  expect(cluster.problems).toEqual([])
  await cluster.close()
})

const HOSTS = { alice: '192.0.2.20', poor: '192.0.2.21', bob: '192.0.2.30', first: '192.0.2.50', second: '192.0.2.60' }
type Name = keyof typeof HOSTS
const isInvite = (text: string) => startLine(text).startsWith('INVITE ')

/** `from` calls `user`; everybody answers INVITE with what `answers` has, else with 200. */
async function call(from: Name, user: string, answers: Partial<Record<Name, number>> = {}) {
  cluster = await createMemoryCluster({ resources: RESOURCES })
  const phones = new Map(
    (Object.keys(HOSTS) as Name[]).map((name) => {
      const edge = { address: '192.0.2.1', port: 5060 }
      const one = new MemoryPhone(cluster.network, name, HOSTS[name], 5060, edge)
      one.onRequest = (text) => one.answer(text, isInvite(text) ? (answers[name] ?? 200) : 200)
      return [name, one] as const
    }),
  )
  const of = (name: Name) => phones.get(name) as MemoryPhone
  of('bob').register('tandem.test')
  await cluster.settle()
  const caller = of(from)
  const host = from === 'first' || from === 'second' ? HOSTS[from] : 'tandem.test'
  const uri = `sip:${user}@${host === 'tandem.test' ? host : '192.0.2.1'}`
  const ends = { from: `<sip:${from}@${host}>;tag=a`, to: `<${uri}>`, callId: 'c1', cseq: 1 }
  caller.send(caller.request('INVITE', { ...ends, uri, contact: caller.contact }))
  await cluster.settle()
  await cluster.settle()
  const invites = (name: Name) => of(name).inbox.filter(isInvite)
  return { status: startLine(caller.last()).split(' ')[1], invites }
}

const calledBy = (texts: readonly string[]) => texts.map((text) => startLine(text).split(' ')[1])

test('a number from a carrier reaches an extension', async () => {
  const { status, invites } = await call('first', '4989555')
  expect(status).toBe('200')
  expect(invites('bob')).toHaveLength(1)
})

test('[RFC3261-21.4.5] an unknown number from a carrier is 404, and does not go out again', async () => {
  const { status, invites } = await call('first', '4930123')
  expect(status).toBe('404')
  expect(invites('second')).toEqual([])
})

test('out by the longest match', async () => {
  const { status, invites } = await call('alice', '030123')
  expect(status).toBe('200')
  expect(calledBy(invites('second'))).toEqual(['sip:+4930123@192.0.2.60:5060'])
  expect(invites('first')).toEqual([])
})

test('on to the next trunk after 503; From stays as it is', async () => {
  const { status, invites } = await call('alice', '089123', { first: 503 })
  expect(status).toBe('200')
  expect(calledBy(invites('first'))).toEqual(['sip:4989123@192.0.2.50:5060'])
  expect(calledBy(invites('second'))).toEqual(['sip:+4989123@192.0.2.60:5060'])
  expect(headerValues(invites('second')[0] ?? '', 'From')).toEqual(['<sip:alice@tandem.test>;tag=a'])
})

test.each([486, 603, 404])('after %d no other trunk is tried', async (answer) => {
  const { status, invites } = await call('alice', '089123', { first: answer })
  expect(status).toBe(String(answer))
  expect(invites('second')).toEqual([])
})

test('a number of ours stays in the cluster', async () => {
  const { status, invites } = await call('alice', '089555')
  expect(status).toBe('200')
  expect([invites('bob').length, invites('first').length]).toEqual([1, 0])
})

test.each([
  { who: 'alice', to: '+441234', status: '403', why: 'the route is for others' },
  { who: 'alice', to: '+331234', status: '404', why: 'no route leads there' },
  { who: 'alice', to: '0900123', status: '603', why: 'a list stops it' },
  { who: 'poor', to: '089123', status: '402', why: 'the account is empty' },
] as const)('$who calls $to: $status, $why', async ({ who, to, status }) => {
  const result = await call(who, to)
  expect(result.status).toBe(status)
  expect([...result.invites('first'), ...result.invites('second')]).toEqual([])
})

test('112 passes with an empty account', async () => {
  const { status, invites } = await call('poor', '112')
  expect(status).toBe('200')
  expect(calledBy(invites('first'))).toEqual(['sip:112@192.0.2.50:5060'])
})
