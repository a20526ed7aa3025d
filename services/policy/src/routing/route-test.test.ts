// SPDX-License-Identifier: MIT
//
// route-test says what a decision would, with prices and refusals, and leaves no trace.
import type { policy } from '@tandem/rpc'
import { expect, test } from 'vitest'
import { authenticated, createWorld, outcomeOf, recordsOf } from '../policy-fixture.ts'

const document = (kind: string, name: string, spec: object = {}) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata: { name },
  spec,
})
const subscriber = (name: string, account: string) => ({
  apiVersion: 'tandem/v1',
  kind: 'Subscriber',
  metadata: { name, domain: 'example.test' },
  spec: { account, credentials: { password: `${name}-secret` } },
})
const rate = (perMinuteMicros: number, prefix = '*') => ({
  currency: 'EUR',
  rates: [{ prefix, perMinuteMicros, firstIncrementMs: 1_000, nextIncrementMs: 1_000 }],
})

const world = await createWorld([
  document('Domain', 'example.test', { alsoBindAddress: true, numberPlan: 'germany' }),
  document('NumberPlan', 'germany', {
    country: '+49',
    outsideLine: '0',
    emergency: { numbers: ['112'], trunk: 'local' },
  }),
  document('RatePlan', 'retail', rate(60_000, '+49')),
  document('RatePlan', 'buy', rate(6_000)),
  document('Account', 'rich', { billing: 'postpaid', ratePlan: 'retail' }),
  document('Account', 'empty', { billing: 'prepaid', ratePlan: 'retail' }),
  subscriber('alice', 'rich'),
  subscriber('poor', 'empty'),
  document('Schedule', 'office', {
    timeZone: 'Europe/Berlin',
    weekly: [{ days: ['fri'], from: '09:00', to: '17:00' }],
  }),
  document('Trunk', 'local', {
    hosts: [{ host: 'local.example' }],
    inbound: 'allow',
    ratePlan: 'buy',
    numberPlan: 'germany',
    numbersIn: { form: 'national' },
    numbersOut: { form: 'national' },
  }),
  document('Trunk', 'night', { hosts: [{ host: 'night.example' }] }),
  document('Route', 'day', { prefix: '+49', schedule: 'office', trunk: 'local' }),
  document('Route', 'night', { prefix: '+49', trunk: 'night' }),
  document('Route', 'world', { prefix: '*', trunk: 'night' }),
  { ...subscriber('carol', 'rich'), spec: { account: 'rich', forwarding: { busy: { number: '+4930999' } } } },
  { ...subscriber('erin', 'empty'), spec: { account: 'empty', forwarding: { always: { number: '+4930999' } } } },
  document('BlockList', 'premium', { direction: 'outbound', callees: { patterns: ['+49900*'] } }),
  document('Number', 'desk', { number: '+4930555', domain: 'example.test', to: { subscriber: 'alice' } }),
])
const node = world.node()
const FRIDAY = BigInt(Date.UTC(2026, 5, 5, 8))

async function ask(parts: Partial<policy.RouteTestRequest>): Promise<policy.RouteTestResponse> {
  const asked = { from: 'sip:alice@example.test', to: '+4930123', trunk: '', unixMs: FRIDAY, ...parts }
  const result = await node.handlers.routeTest?.(asked, { msLeft: 2_000, peer: 'cli' })
  if (result?.outcome !== 'done') throw new Error(`expected an answer, got ${JSON.stringify(result)}`)
  return result.value
}

const codesOf = ({ refusals }: policy.RouteTestResponse) => refusals.map(({ status, code }) => `${status} ${code}`)

test('the plan with its reasons, what it costs the caller, and what the trunk costs', async () => {
  const answer = await ask({ to: '0030123' })
  expect(answer).toMatchObject({
    caller: 'sip:alice@example.test',
    account: 'rich',
    dialled: '+4930123',
    verdict: 'plan',
  })
  expect(answer.targets).toMatchObject([
    {
      target: 'sip:030123@local.example',
      trunk: 'local',
      price: { currency: 'EUR', perMinute: 60_000n, prefix: '+49' },
      cost: { currency: 'EUR', perMinute: 6_000n },
    },
  ])
  expect(answer.reasons.map(({ resource, depth }) => `${depth} ${resource}`)).toEqual([
    '0 Route/day',
    '1 Trunk/local',
    '2 Trunk/local',
  ])
  expect(answer.refusals).toEqual([])
})

test("what people put between digits is left out of a number, not of a user's name", async () => {
  expect(await ask({ to: '00 (30) 1-23' })).toMatchObject({ dialled: '+4930123' })
  expect(await ask({ to: 'no-body' })).toMatchObject({ dialled: 'no-body@example.test' })
})

test('who sends the call on, what he pays, and that he could not now', async () => {
  const { targets, reasons, refusals } = await ask({ to: 'carol' })
  expect(targets).toMatchObject([
    { target: 'sip:carol@example.test', payer: '' },
    {
      trunk: 'local',
      price: { perMinute: 0n },
      payer: 'rich',
      payerPrice: { perMinute: 60_000n },
      cost: { perMinute: 6_000n },
    },
  ])
  expect(reasons.at(-1)).toMatchObject({ resource: 'Account/rich', text: 'pays for what is sent on' })
  expect(refusals).toEqual([])
  const poor = await ask({ to: 'erin' })
  expect(poor.targets).toMatchObject([{ payer: 'empty' }])
  expect(poor.reasons.at(-1)?.text).toContain('has no money for it now')
})

test('at another time another way', async () => {
  const answer = await ask({ unixMs: BigInt(Date.UTC(2026, 5, 5, 20)) })
  expect(answer.targets.map(({ trunk }) => trunk)).toEqual(['night'])
  expect(answer.reasons[0]).toMatchObject({
    resource: 'Route/day',
    text: 'is passed over: it is outside of Schedule/office',
  })
})

test.each([
  { what: 'an empty account', parts: { from: 'sip:poor@example.test' }, codes: ['402 credit_exhausted'] },
  { what: 'a number without a price', parts: { to: '+331234567' }, codes: ['403 no_rate'] },
  { what: 'an emergency, whatever the account', parts: { from: 'sip:poor@example.test', to: '112' }, codes: [] },
  {
    what: 'a name of ours that nobody has',
    parts: { from: 'sip:eve@example.test', to: 'alice' },
    codes: ['407 challenge'],
  },
])('what would be refused: $what', async ({ parts, codes }) => {
  expect(codesOf(await ask(parts))).toEqual(codes)
})

test('what is no plan says why: a list, an unknown number', async () => {
  expect(await ask({ to: '+49900123' })).toMatchObject({ verdict: 'reject', status: 403, code: 'blocked', targets: [] })
  expect(await ask({ from: '030777', to: '030999', trunk: 'local' })).toMatchObject({
    status: 404,
    code: 'unknown_number',
  })
})

test('a call by a trunk, in its form', async () => {
  const answer = await ask({ from: '030777', to: '030555', trunk: 'local' })
  expect(answer).toMatchObject({ caller: '', dialled: '+4930555', verdict: 'plan' })
  expect(answer.targets.map(({ target }) => target)).toEqual(['sip:alice@example.test'])
})

test('the same as the decision, and without a trace', async () => {
  const before = await world.store.accounts.read('rich', 10)
  const answer = await ask({ unixMs: 0n })
  const after = await world.store.accounts.read('rich', 10)
  expect(after).toEqual(before)
  expect(await recordsOf(world.store.policy)).toEqual([])
  const decided = await authenticated(node, { requestUri: 'sip:+4930123@example.test' })
  if (decided.verdict?.$case !== 'plan') throw new Error(outcomeOf(decided))
  const places = decided.verdict.value.steps.map(({ targets: [target] }) => target?.where?.value)
  expect(answer.targets.map(({ target }) => target)).toEqual(places)
})

test('a trunk that is not there is refused', async () => {
  const asked = { from: '1', to: '2', trunk: 'none', unixMs: 0n }
  const result = await node.handlers.routeTest?.(asked, { msLeft: 2_000, peer: 'cli' })
  expect(result).toMatchObject({ outcome: 'refused', refusal: { code: 'unknown_trunk' } })
})
