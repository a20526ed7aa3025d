// SPDX-License-Identifier: MIT
//
// Callers whose accounts refuse them, through the whole cluster in memory: status, Reason and Warning of each bound of an account.
// Not here: how the bounds are kept (packages/store), the rules of charging (services/policy/src/charging).
import type { ResourceSource } from '@tandem/resources'
import { headerValues, startLine } from '@tandem/test-kit'
import { afterEach, expect, test } from 'vitest'
import { createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts'
import { MemoryPhone } from '../support/phone.ts'

const resource = (kind: string, metadata: object, spec: object = {}): ResourceSource => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata,
  spec,
})

let cluster: MemoryCluster
afterEach(async () => {
  expect(cluster.problems).toEqual([])
  await cluster.close()
})

const RATES = [{ prefix: '1', perMinuteMicros: 60_000, firstIncrementMs: 1_000, nextIncrementMs: 1_000 }]

async function open(account: object): Promise<{ call(to: string): Promise<string> }> {
  const domain = 'tandem.test'
  cluster = await createMemoryCluster({
    edgeCount: 1,
    resources: [
      resource('Domain', { name: domain }, { accounting: true, alsoBindAddress: true, authentication: 'none' }),
      resource('RatePlan', { name: 'retail' }, { currency: 'EUR', onNet: 'rated', rates: RATES }),
      resource('Account', { name: 'acme' }, { ratePlan: 'retail', ...account }),
      resource('Subscriber', { name: 'alice', domain }, { account: 'acme' }),
      resource('Subscriber', { name: '1000', domain }),
      resource('Subscriber', { name: '2000', domain }),
    ],
    settings: { 'policy.livenessIntervalMs': 0 },
  })
  const edge = { address: '192.0.2.1', port: 5060 }
  const alice = new MemoryPhone(cluster.network, 'alice', '192.0.2.20', 5060, edge)
  for (const [k, user] of ['1000', '2000'].entries()) {
    const phone = new MemoryPhone(cluster.network, user, `192.0.2.3${k}`, 5060, edge)
    phone.register(domain)
    phone.onRequest = (text) => phone.answer(text, startLine(text).startsWith('INVITE') ? 180 : 200)
  }
  await cluster.settle()
  let calls = 0
  return {
    call: async (to) => {
      const ends = { from: `<sip:alice@${domain}>;tag=a${++calls}`, to: `<sip:${to}@${domain}>`, callId: `c${calls}` }
      alice.send(alice.request('INVITE', { ...ends, cseq: 1, uri: `sip:${to}@${domain}`, contact: alice.contact }))
      await cluster.settle()
      return alice.last()
    },
  }
}

const toldOf = (text: string) => ({
  status: Number(startLine(text).split(' ')[1]),
  reason: headerValues(text, 'reason')[0] ?? '',
  warning: headerValues(text, 'warning')[0] ?? '',
})

test.each([
  ['blocked', { blocked: true }, 0, 403, 'SIP;cause=403;text="Account blocked"'],
  ['prepaid, without money', { billing: 'prepaid' }, 0, 402, 'SIP;cause=402;text="Credit used up"'],
  ['credit limit', { creditLimitMicros: 60_500 }, 1, 402, 'SIP;cause=402;text="Credit used up"'],
  ['calls at once', { maxCalls: 2 }, 2, 403, 'SIP;cause=403;text="Too many calls"'],
  ['calls a second', { callsPerSecond: 2 }, 2, 403, 'SIP;cause=403;text="Too many calls"'],
  ['spend of an hour', { spendPerHourMicros: 60_500 }, 1, 402, 'SIP;cause=402;text="Credit used up"'],
  ['spend of a day', { spendPerDayMicros: 60_500 }, 1, 402, 'SIP;cause=402;text="Credit used up"'],
])('%s: the caller is told so', async (_, account, good, status, reason) => {
  const { call } = await open(account)
  for (let k = 0; k < good; k++) expect(toldOf(await call('1000')).status).toBe(180)
  const refused = await call('1000')
  expect(toldOf(refused)).toMatchObject({ status, reason })
})

test('a number without a price: 403; with texts of the account’s own, Reason and Warning have them', async () => {
  const refusals = { noRate: { status: 480, reason: 'Ask for this country', warning: 'No price for this number' } }
  const { call } = await open({ refusals })
  expect(toldOf(await call('2000'))).toEqual({
    status: 480,
    reason: 'SIP;cause=480;text="Ask for this country"',
    warning: expect.stringMatching(/^399 \S+ "No price for this number"$/),
  })
})
