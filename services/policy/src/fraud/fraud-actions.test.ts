// SPDX-License-Identifier: MIT
//
// Rules against fraud at a policy node over the memory store: scopes, each action, dry run, what never stops, what becomes of a call that
// something else refuses, counters that can't be reached. Not tested here: measures (fraud.test.ts), selection (rule-index.test.ts), two nodes on one
// Redis (fraud-redis.test.ts), phones (test/fraud).
import { afterEach, expect, test } from 'vitest'
import { answer, begin, inviteOf } from '../charging/charging-fixture.ts'
import { decideOn } from '../policy-fixture.ts'
import { calls, createFraudBench, type FraudBench, from, REJECT, ruleOf, to } from './fraud-fixture.ts'

let open: FraudBench | undefined
afterEach(async () => {
  await open?.bench.stop()
  open = undefined
})

const HOUR = 3_600_000
const STOPPED = 'reject 403 fraud'

async function start(spec: object, more: Parameters<typeof createFraudBench>[1] = {}): Promise<FraudBench> {
  open = await createFraudBench([ruleOf('rule', spec)], more)
  return open
}

test('scopes: source, prefix, trunk and country count alone, and before the account', async () => {
  const documents = [
    {
      apiVersion: 'tandem/v1',
      kind: 'Subscriber',
      metadata: { name: 'far', domain: 'pay.test' },
      spec: { usernames: ['+491', '+492'] },
    },
  ]
  const critical = { above: 1, ...REJECT }
  open = await createFraudBench(
    [
      ruleOf('by-source', {
        scope: 'source',
        select: { sources: ['10.0.0.0/8'] },
        measures: { callsPerWindow: { windowMs: HOUR, critical } },
      }),
      ruleOf('by-prefix', {
        scope: 'destinationPrefix',
        select: { prefixes: ['+491', '+492'] },
        measures: { callsPerWindow: { windowMs: HOUR, critical } },
      }),
      ruleOf('by-country', {
        scope: 'country',
        select: { countries: ['FR'] },
        measures: { callsPerWindow: { windowMs: HOUR, critical } },
      }),
    ],
    { documents },
  )
  const { node, events } = open
  expect(await calls(node, 2, from('10.0.0.1'))).toEqual(['plan', STOPPED])
  expect(await calls(node, 1, from('10.0.0.2'))).toEqual(['plan'])
  expect(await calls(node, 2, to('+491'))).toEqual(['plan', STOPPED])
  expect(await calls(node, 1, to('+492'))).toEqual(['plan'])
  expect(await calls(node, 2, from('172.1.0.1'))).toEqual(['plan', STOPPED])
  expect(events.map(({ scope, subject }) => `${scope} ${subject}`)).toEqual([
    'source 10.0.0.1',
    'destinationPrefix +491',
    'country FR',
  ])
})

test('scope destinationCountry: each country that is called counts alone, whoever calls', async () => {
  const documents = [
    {
      apiVersion: 'tandem/v1',
      kind: 'Subscriber',
      metadata: { name: 'far', domain: 'pay.test' },
      spec: { usernames: ['+491', '+492', '+331'] },
    },
  ]
  const { node, events } = await start(
    {
      scope: 'destinationCountry',
      measures: { callsPerWindow: { windowMs: HOUR, critical: { above: 1, ...REJECT } } },
    },
    { documents },
  )
  expect(await calls(node, 1, to('+491'))).toEqual(['plan'])
  expect(await calls(node, 1, to('+492'))).toEqual([STOPPED])
  expect(await calls(node, 2, to('+331'))).toEqual(['plan', STOPPED])
  expect(events.map(({ scope, subject }) => `${scope} ${subject}`)).toEqual([
    'destinationCountry DE',
    'destinationCountry FR',
  ])
})

test('blockAccount: every call of the account is refused for a time', async () => {
  const { node, bench } = await start({
    scope: 'source',
    select: { sources: ['10.0.0.0/8'] },
    measures: { callsPerWindow: { windowMs: 1_000, critical: { above: 1, action: 'blockAccount', blockMs: 60_000 } } },
  })
  expect(await calls(node, 2, from('10.0.0.1'))).toEqual(['plan', STOPPED])
  expect(await calls(node, 1)).toEqual(['reject 403 account_blocked'])
  await bench.pass(61_000)
  expect(await calls(node, 2)).toEqual(['plan', 'plan'])
  await bench.world.store.accounts.block('acme', 60_000, 'somebody')
  await bench.world.store.accounts.unblock('acme')
  expect(await calls(node, 1)).toEqual(['plan'])
})

test('endCalls: the call is refused, and those of the subject that run are ended', async () => {
  const { node, bench } = await start({
    measures: { callsPerWindow: { windowMs: HOUR, critical: { above: 2, action: 'endCalls' } } },
  })
  const [first, second] = [await begin(node, 'acme'), await begin(node, 'acme')]
  await answer(node, first)
  expect(await calls(node, 1)).toEqual([STOPPED])
  await bench.pass(1_000)
  expect(new Set(bench.hangUps.map(({ ref }) => ref))).toEqual(new Set([first.ref, second.ref]))
})

test('challenge: who is not known by a password can not prove himself, and is refused', async () => {
  const { node } = await start({
    measures: { callsPerWindow: { windowMs: HOUR, critical: { above: 1, action: 'challenge' } } },
  })
  expect(await calls(node, 2)).toEqual(['plan', STOPPED])
})

test('log: a line and the verdict, no event', async () => {
  const { node, bench, events } = await start({
    measures: { callsPerWindow: { windowMs: HOUR, critical: { above: 0, action: 'log' } } },
  })
  expect(await calls(node, 1)).toEqual(['plan'])
  expect(events).toEqual([])
  expect(bench.world.lines.filter(({ fields }) => (fields as { code?: string }).code === 'fraud')).toHaveLength(1)
})

test('dry run, of a rule or of the cluster, changes nothing but the event and the verdict', async () => {
  const spec = { measures: { callsPerWindow: { windowMs: HOUR, critical: { above: 1, action: 'blockAccount' } } } }
  for (const [rule, dryRun] of [
    [{ ...spec, dryRun: true }, false],
    [spec, true],
  ] as const) {
    const { node, events, bench } = await start(rule, { dryRun })
    expect(await calls(node, 3)).toEqual(['plan', 'plan', 'plan'])
    expect(events).toMatchObject([{ dryRun: true, action: 'blockAccount', value: 2n }])
    await bench.stop()
  }
})

test('the verdict stands in the decision, for the record', async () => {
  const { node } = await start({
    measures: { callsPerWindow: { windowMs: HOUR, warning: { above: 0 }, critical: { above: 1, ...REJECT } } },
  })
  expect((await begin(node, 'acme')).decision.facts?.fraudVerdict).toBe('warning:rule:callsPerWindow:event')
  expect((await begin(node, 'acme')).decision.facts?.fraudVerdict).toBe('critical:rule:callsPerWindow:reject')
})

test('emergency numbers are never stopped, by a rule, a block or a balance', async () => {
  const documents = [
    {
      apiVersion: 'tandem/v1',
      kind: 'Subscriber',
      metadata: { name: 'help', domain: 'pay.test' },
      spec: { usernames: ['112'] },
    },
  ]
  const { node, bench } = await start(
    { measures: { callsPerWindow: { windowMs: HOUR, critical: { above: 0, ...REJECT } } } },
    { accounts: { acme: { billing: 'prepaid', ratePlan: 'retail' } }, documents },
  )
  await bench.world.store.accounts.block('acme', HOUR, 'somebody')
  expect(await calls(node, 2, to('112'))).toEqual(['plan', 'plan'])
  expect(await calls(node, 1, { requestUri: 'tel:112;phone-context=pay.test' })).toHaveLength(1)
  expect(await calls(node, 1)).not.toEqual(['plan'])
})

test('a call that the account refuses is counted by nobody', async () => {
  open = await createFraudBench(
    [
      ruleOf('source', {
        scope: 'source',
        measures: { callsPerWindow: { windowMs: HOUR, critical: { above: 1, ...REJECT } } },
      }),
      ruleOf('account', { measures: { callsPerWindow: { windowMs: HOUR, critical: { above: 1, ...REJECT } } } }),
    ],
    { accounts: { acme: { billing: 'prepaid', ratePlan: 'retail' } } },
  )
  const { node, bench } = open
  expect(await calls(node, 3)).toEqual(Array(3).fill('reject 402 credit_exhausted'))
  await bench.topUp('acme', 10_000_000n)
  expect(await calls(node, 2)).toEqual(['plan', STOPPED])
})

test('a retransmission through another edge is one call', async () => {
  const { node, add } = await start({
    measures: { callsPerWindow: { windowMs: HOUR, critical: { above: 2, ...REJECT } } },
  })
  const other = add()
  const asked = inviteOf('acme')
  const first = await decideOn(node, asked)
  expect(await decideOn(other, { ...asked, edgeId: 'edge-1.1' })).toEqual(first)
  expect(await decideOn(other, asked)).toEqual(first)
  expect(await calls(node, 2)).toEqual(['plan', STOPPED])
})

test('events of one kind come once in a while, and say how many were left out', async () => {
  const { node, bench, events } = await start({
    eventEveryMs: 5_000,
    measures: { callsPerWindow: { windowMs: HOUR, critical: { above: 0, ...REJECT } } },
  })
  await calls(node, 4)
  expect(events).toHaveLength(1)
  await bench.pass(6_000)
  await calls(node, 1)
  expect(events.map(({ detail }) => detail)).toEqual(['', '3 more before'])
})

test('policy.fraud.withoutStore: counters of their own slots that can not be reached refuse, or let through', async () => {
  const critical = { above: 1, ...REJECT }
  const { add, events } = await start({ scope: 'source', measures: { callsPerWindow: { windowMs: HOUR, critical } } })
  const refused = await add('refuse').handlers.decide(inviteOf('acme'), { msLeft: 1_000, peer: 'edge-0.1' })
  expect(refused).toMatchObject({ outcome: 'refused', refusal: { code: 'store_away', sipStatus: 503 } })
  expect(await calls(add('admit'), 3)).toEqual(['plan', 'plan', 'plan'])
  expect(events).toEqual([])
})
