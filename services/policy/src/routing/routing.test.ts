// SPDX-License-Identifier: MIT
//
// Decisions about numbers: in from trunks, out by routes, lists that stop, emergencies, what a call costs and earns.
import type { policy } from '@tandem/rpc'
import { describe, expect, test } from 'vitest'
import { notStoredBy } from '../away-store.ts'
import { authenticated, createWorld, decideOn, outcomeOf, request } from '../policy-fixture.ts'

const document = (kind: string, name: string, spec: object = {}) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata: { name },
  spec,
})
const subscriber = (name: string, spec: object = {}, labels: object = {}) => ({
  apiVersion: 'tandem/v1',
  kind: 'Subscriber',
  metadata: { name, domain: 'example.test', labels },
  spec: { credentials: { password: `${name}-secret` }, ...spec },
})

const DOCUMENTS = [
  document('Domain', 'example.test', { alsoBindAddress: true, numberPlan: 'germany', anonymous: 'allow' }),
  document('NumberPlan', 'germany', { country: '+49', emergency: { numbers: ['112'], trunk: 'sos' } }),
  document('Account', 'prepaid', { billing: 'prepaid', ratePlan: 'retail' }),
  document('Account', 'demo', { billing: 'postpaid', ratePlan: 'retail' }),
  document('RatePlan', 'retail', {
    currency: 'EUR',
    rates: [
      { prefix: '+44', perMinuteMicros: 1 },
      { prefix: '+49', perMinuteMicros: 60_000, firstIncrementMs: 1_000, nextIncrementMs: 1_000 },
    ],
  }),
  document('RatePlan', 'buy', {
    currency: 'EUR',
    rates: [{ prefix: '*', perMinuteMicros: 6_000, firstIncrementMs: 1_000, nextIncrementMs: 1_000 }],
  }),
  subscriber('alice', { account: 'demo', callerId: '+49301000' }, { tier: 'gold' }),
  subscriber('bob', { usernames: ['bob', '+49301001'] }),
  subscriber('poor', { account: 'prepaid' }),
  document('Trunk', 'carrier', {
    hosts: [{ host: '192.0.2.200', port: 5080 }],
    trusted: true,
    numbersIn: { form: 'e164WithoutPlus' },
    numbersOut: { form: 'e164WithoutPlus' },
    callerId: {},
    ratePlan: 'buy',
  }),
  document('Trunk', 'second', { hosts: [{ host: 'second.example' }] }),
  document('Trunk', 'sos', { hosts: [{ host: 'sos.example' }], maxCalls: 1 }),
  document('TrunkGroup', 'out', { trunks: ['carrier', 'second'] }),
  document('Route', 'germany', { prefix: '+49', trunkGroup: 'out' }),
  document('Route', 'gold', { prefix: '+44', from: { labels: { tier: 'gold' } }, trunk: 'second' }),
  document('Number', 'sales', { number: '+49302000', domain: 'example.test', to: { subscriber: 'bob' } }),
  document('BlockList', 'premium', {
    direction: 'outbound',
    domains: ['example.test'],
    callees: { patterns: ['+49900*'] },
    status: 603,
    reason: 'Not from here',
  }),
  document('BlockList', 'spam', {
    direction: 'inbound',
    subscribers: ['bob@example.test'],
    callers: { patterns: ['+4366*'] },
  }),
]

const world = await createWorld(DOCUMENTS)
const node = world.node()
const carrier = { transport: 'udp', address: '192.0.2.200', port: 5080 }

function planOf(response: policy.DecideResponse): policy.Plan {
  if (response.verdict?.$case !== 'plan') throw new Error(`expected a plan, got ${outcomeOf(response)}`)
  return response.verdict.value
}
const placesOf = (response: policy.DecideResponse) =>
  planOf(response).steps.map(({ targets: [target] }) => target?.where?.value)
const callTo = (user: string, how: object = {}, parts: object = {}) =>
  authenticated(node, { requestUri: `sip:${user}@example.test`, ...parts }, how)

describe('out', () => {
  test.each(['+4930123', '030123', '004930123'])(
    '%s goes by the trunks of its route, in their form',
    async (dialled) => {
      const response = await callTo(dialled)
      expect(placesOf(response)).toEqual(['sip:4930123@192.0.2.200:5080', 'sip:+4930123@second.example'])
      const [first, second] = planOf(response).steps
      expect(first?.targets[0]).toMatchObject({
        trunk: 'carrier',
        trusted: true,
        trunkLeg: { trunk: 'carrier', host: '192.0.2.200:5080;udp', asks: false, tells: true },
      })
      expect(first?.retryStatuses).toContain(503)
      expect(first?.retryStatuses).not.toContain(486)
      expect(first?.targets[0]?.edits?.edits.map(({ value }) => value)).toEqual(['', '<sip:49301000@192.0.2.200>'])
      expect(second?.targets[0]?.edits).toBeUndefined()
      expect(response.facts).toMatchObject({ direction: 'outbound', dialled: '+4930123' })
    },
  )

  test('numbers of ours stay: of a user, and a Number', async () => {
    for (const dialled of ['+49301001', '0301001', '0302000']) {
      expect(placesOf(await callTo(dialled)), dialled).toEqual(['sip:bob@example.test'])
    }
  })

  test('toll: a route that is not open to the caller is 403, none is 404', async () => {
    expect(placesOf(await callTo('+441234'))).toEqual(['sip:+441234@second.example'])
    const bob = { from: '<sip:bob@example.test>' }
    expect(outcomeOf(await callTo('+441234', { username: 'bob' }, bob))).toBe('reject 403 no_route')
    expect(outcomeOf(await callTo('+331234'))).toBe('reject 404 unknown_number')
  })

  test('[RFC3261-26.3.2] a stranger whom the domain lets in goes nowhere but to ours', async () => {
    const from = '<sip:eve@elsewhere.test>'
    const asked = (user: string) => decideOn(node, request({ from, requestUri: `sip:${user}@example.test` }))
    expect(outcomeOf(await asked('+4930123'))).toBe('reject 404 unknown_number')
    expect(placesOf(await asked('+49302000'))).toEqual(['sip:bob@example.test'])
  })

  test('a list stops the call with what it says', async () => {
    const response = await callTo('+49900123')
    expect(response.verdict).toMatchObject({
      $case: 'reject',
      value: { status: 603, reason: 'Not from here', code: 'blocked' },
    })
  })

  test('no balance is 402 before any trunk is tried', async () => {
    const poor = await callTo('+4930123', { username: 'poor' }, { from: '<sip:poor@example.test>' })
    expect(outcomeOf(poor)).toBe('reject 402 credit_exhausted')
  })
})

describe('in', () => {
  const from = '<sip:4989555@192.0.2.200>;tag=1'
  const asked = (user: string, parts: object = {}) =>
    decideOn(node, request({ source: carrier, from, requestUri: `sip:${user}@127.0.0.1`, ...parts }))

  test('a number in the trunk’s form reaches its user, with the caller in ours', async () => {
    const response = await asked('49302000', { assertedIdentities: ['<sip:4989555@192.0.2.200>'] })
    expect(placesOf(response)).toEqual(['sip:bob@example.test'])
    expect(planOf(response).edits.map(({ name, value }) => `${name} ${value}`.trim())).toEqual([
      'P-Preferred-Identity',
      'P-Asserted-Identity',
      'P-Asserted-Identity <sip:+4989555@192.0.2.200;user=phone>',
    ])
    expect(response.facts).toMatchObject({ direction: 'inbound', ingressTrunk: 'carrier' })
    expect(placesOf(await asked('49301001'))).toEqual(['sip:bob@example.test'])
  })

  test('an unknown number is 404, and no trunk gets out by another', async () => {
    expect(outcomeOf(await asked('49309999'))).toBe('reject 404 unknown_number')
    expect(outcomeOf(await asked('331234'))).toBe('reject 404 unknown_number')
  })

  test('a list stops a caller', async () => {
    expect(outcomeOf(await asked('49302000', { from: '<sip:4366123@192.0.2.200>;tag=1' }))).toBe('reject 403 blocked')
  })
})

describe('emergencies', () => {
  const sos = { requestUri: 'sip:112@example.test', from: '<sip:poor@example.test>;tag=1' }

  test('112 passes without credentials and balance, by its own way, without asking for a place', async () => {
    const response = await decideOn(node, request(sos))
    expect(placesOf(response)).toEqual(['sip:112@sos.example'])
    expect(planOf(response).steps[0]?.targets[0]?.trunkLeg?.asks).toBe(false)
    expect(response).toMatchObject({ account: '', facts: { direction: 'outbound' } })
    expect(response.callRef).not.toBe('')
  })

  test('and with the store away, then without a record', async () => {
    const response = await decideOn(world.node({ store: notStoredBy('away') }), request(sos))
    expect(placesOf(response)).toEqual(['sip:112@sos.example'])
    expect(planOf(response).accounting).toBe(false)
  })

  test('not for those who are not ours', async () => {
    const response = await decideOn(node, request({ ...sos, from: '<sip:eve@elsewhere.test>;tag=1' }))
    expect(outcomeOf(response)).toBe('reject 404 unknown_number')
  })
})
