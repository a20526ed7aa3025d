// SPDX-License-Identifier: MIT
//
// Rules against fraud at a policy node over the memory store: each measure. Not tested here: scopes, actions and what stops nobody (fraud-actions.test.ts), the counters themselves (the store's contract), selection (rule-index.test.ts), two nodes on one
// Redis (fraud-redis.test.ts), phones (test/fraud).
import { afterEach, expect, test } from 'vitest'
import { answer, begin, fail, hangUp, inviteOf, POSTPAID } from '../charging/charging-fixture.ts'
import { decideOn, outcomeOf, recordsOf } from '../policy-fixture.ts'
import { FRAUD_REASON } from './findings.ts'
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

test('callsPerWindow: as many calls as the level says, for each account its own', async () => {
  const accounts = { acme: {}, other: {} }
  const { node, events, bench } = await start(
    { measures: { callsPerWindow: { windowMs: HOUR, warning: { above: 2 }, critical: { above: 3, ...REJECT } } } },
    { accounts },
  )
  expect(await calls(node, 5)).toEqual(['plan', 'plan', 'plan', STOPPED, STOPPED])
  expect(outcomeOf((await begin(node, 'other')).decision)).toBe('plan')
  expect(
    events.map(({ level, value, threshold, action, subject }) => [level, value, threshold, action, subject]),
  ).toEqual([
    ['warning', 3n, 2n, 'event', 'acme'],
    ['critical', 4n, 3n, 'reject', 'acme'],
  ])
  expect(events[1]).toMatchObject({ rule: 'rule', scope: 'account', measure: 'callsPerWindow', dryRun: false })
  expect((await recordsOf(bench.world.store.policy)).at(0)).toMatchObject({ outcome: 'rejected', reason: 'fraud' })
})

test('concurrentCalls: a call that fails or ends makes room, also for a node that did not begin it', async () => {
  const { node, add } = await start({ measures: { concurrentCalls: { critical: { above: 2, ...REJECT } } } })
  const [first, second] = [await begin(node, 'acme'), await begin(node, 'acme')]
  expect(await calls(node, 1)).toEqual([STOPPED])
  const other = add()
  await fail(other, first)
  expect(await calls(node, 2)).toEqual(['plan', STOPPED])
  await answer(other, second)
  await hangUp(other, second)
  expect(await calls(other, 2)).toEqual(['plan', STOPPED])
})

test('concurrentCalls: a lease holds as long as the call does, and lapses without it', async () => {
  const { node, bench } = await start({
    scope: 'source',
    measures: { concurrentCalls: { critical: { above: 1, ...REJECT } } },
  })
  const call = await begin(node, 'acme')
  await answer(node, call)
  await bench.pass(45 * 60_000)
  expect(await calls(node, 1)).toEqual([STOPPED])
  await hangUp(node, call)
  expect(await calls(node, 2)).toEqual(['plan', STOPPED])
})

test('sequentialCallsToOneNumber: calls in a row to one number', async () => {
  const { node, events } = await start({
    measures: { sequentialCallsToOneNumber: { critical: { above: 2, ...REJECT } } },
  })
  expect(await calls(node, 2)).toEqual(['plan', 'plan'])
  expect(await calls(node, 1, { requestUri: 'sip:carol@pay.test' })).toEqual(['plan'])
  expect(await calls(node, 3)).toEqual(['plan', 'plan', STOPPED])
  expect(events[0]?.detail).toBe('bob@pay.test')
})

test('totalDurationPerWindow: talk of ended calls, and of one that runs', async () => {
  const { node, bench, events } = await start({
    measures: {
      totalDurationPerWindow: {
        windowMs: HOUR,
        warning: { above: 100_000 },
        critical: { above: 119_999, ...REJECT },
      },
    },
  })
  const first = await begin(node, 'acme')
  await answer(node, first)
  await bench.pass(60_000)
  await hangUp(node, first)
  const second = await begin(node, 'acme')
  await answer(node, second)
  await bench.pass(70_000)
  expect(events.map(({ level, ref }) => [level, ref])).toEqual([['warning', second.ref]])
  await hangUp(node, second)
  expect(await calls(node, 1)).toEqual([STOPPED])
})

test('singleDuration: a warning is an event in time, the critical level ends the call', async () => {
  const { node, bench, events } = await start({
    measures: {
      singleDuration: { warning: { above: 20_000 }, critical: { above: 60_000, action: 'endCalls' } },
    },
  })
  const call = await begin(node, 'acme')
  await answer(node, call)
  const startedMs = bench.world.clock.ms
  await bench.pass(50_000)
  expect(bench.hangUps).toEqual([])
  expect(events).toMatchObject([{ level: 'warning', measure: 'singleDuration', ref: call.ref }])
  await bench.pass(12_000)
  const [end] = bench.hangUps
  expect(end).toMatchObject({ ref: call.ref, reason: FRAUD_REASON })
  expect(end?.atMs).toBeLessThanOrEqual(startedMs + 60_500)
  await hangUp(node, call)
  await bench.pass(250)
  expect(events.at(-1)).toMatchObject({ level: 'critical', action: 'endCalls', threshold: 60_000n })
})

test('spendPerWindow: what calls have cost and what is held', async () => {
  const { node, bench } = await start(
    { measures: { spendPerWindow: { windowMs: HOUR, critical: { above: 130_000, ...REJECT } } } },
    { accounts: { acme: POSTPAID } },
  )
  const call = await begin(node, 'acme') // holds 61,000
  await answer(node, call)
  expect(await calls(node, 2)).toEqual(['plan', STOPPED])
  await bench.pass(10_000)
  await hangUp(node, call)
  expect(await calls(node, 1)).toEqual([STOPPED])
})

test('distinctDestinations: how many numbers one account calls', async () => {
  const { node } = await start({
    scope: 'subscriber',
    measures: { distinctDestinations: { windowMs: HOUR, critical: { above: 1, ...REJECT } } },
  })
  expect(await calls(node, 2)).toEqual(['plan', 'plan'])
  expect(await calls(node, 1, { requestUri: 'sip:carol@pay.test' })).toEqual([STOPPED])
  expect(await calls(node, 1)).toEqual(['plan'])
})

test('shortCallRatio: Wangiri, with a sample of at least so many calls', async () => {
  const { node, bench } = await start({
    measures: {
      shortCallRatio: { windowMs: HOUR, belowMs: 3_000, minCalls: 4, critical: { above: 60, ...REJECT } },
    },
  })
  for (let i = 0; i < 3; i++) {
    const call = await begin(node, 'acme')
    expect(outcomeOf(call.decision)).toBe('plan')
    if (i === 0) await fail(node, call)
    else {
      await answer(node, call)
      await bench.pass(1_000)
      await hangUp(node, call)
    }
  }
  const long = await begin(node, 'acme')
  await answer(node, long)
  await bench.pass(10_000)
  expect(await calls(node, 1)).toEqual(['plan'])
  await hangUp(node, long)
  expect(await calls(node, 1)).toEqual([STOPPED])
})

test('destinationList: a premium number is stopped, whatever the count', async () => {
  const documents = [
    {
      apiVersion: 'tandem/v1',
      kind: 'Subscriber',
      metadata: { name: 'far', domain: 'pay.test' },
      spec: { usernames: ['+88213'] },
    },
    { apiVersion: 'tandem/v1', kind: 'NumberList', metadata: { name: 'irsf' }, spec: { prefixes: ['+882'] } },
  ]
  const { node, events } = await start(
    {
      measures: {
        destinationList: { lists: ['irsf'], critical: { action: 'reject', status: 603, reason: 'No such service' } },
      },
    },
    { documents },
  )
  const { decision } = await begin(node, 'acme', to('+88213'))
  expect(decision.verdict).toMatchObject({ value: { status: 603, code: 'fraud', reasonText: 'No such service' } })
  expect(await calls(node, 1)).toEqual(['plan'])
  expect(events).toMatchObject([{ measure: 'destinationList', value: 1n, detail: '+882 is on a list' }])
})

test('newDestinationAbovePrice: a dear prefix that the account has never called', async () => {
  const rates = [
    { prefix: '*', perMinuteMicros: 10_000 },
    { prefix: '+882', perMinuteMicros: 900_000 },
  ]
  const documents = [
    {
      apiVersion: 'tandem/v1',
      kind: 'Subscriber',
      metadata: { name: 'far', domain: 'pay.test' },
      spec: { usernames: ['+88213'] },
    },
  ]
  const { node, events } = await start(
    { measures: { newDestinationAbovePrice: { warning: { above: 500_000 } } } },
    { accounts: { acme: POSTPAID }, rates, documents },
  )
  expect(await calls(node, 1)).toEqual(['plan'])
  expect(events).toEqual([])
  expect(await calls(node, 2, to('+88213'))).toEqual(['plan', 'plan'])
  expect(events).toMatchObject([{ level: 'warning', value: 900_000n, detail: '+882' }])
})

test('countriesAtOnce: two calls of one subscriber from two countries', async () => {
  const { node, events } = await start({
    scope: 'subscriber',
    measures: { countriesAtOnce: { critical: REJECT } },
  })
  const german = await begin(node, 'acme', from('10.0.0.1'))
  expect(outcomeOf(german.decision)).toBe('plan')
  expect(await calls(node, 1, from('10.1.0.1'))).toEqual([STOPPED])
  expect(await calls(node, 1, from('10.9.0.1'))).toEqual(['plan'])
  expect(events).toMatchObject([{ subject: 'sip:acme@pay.test', value: 2n, detail: 'FR' }])
  await fail(node, german)
  expect(await calls(node, 1, from('10.1.0.1'))).toEqual(['plan'])
})

test('offHours: outside of a schedule', async () => {
  let isNight = false
  const documents = [
    {
      apiVersion: 'tandem/v1',
      kind: 'Schedule',
      metadata: { name: 'office' },
      spec: { timeZone: 'UTC', weekly: [{ days: ['mon'] }] },
    },
  ]
  const { node } = await start(
    { measures: { offHours: { schedule: 'office', critical: REJECT } } },
    { isNight: () => isNight, documents },
  )
  expect(await calls(node, 1)).toEqual(['plan'])
  isNight = true
  expect(await calls(node, 1)).toEqual([STOPPED])
})

test('userAgent: scanners are refused before anybody is asked, whatever they send', async () => {
  const { node, events } = await start({ scope: 'source', measures: { userAgent: { critical: REJECT } } })
  const options = inviteOf('acme', { method: 'OPTIONS', userAgent: 'Friendly-Scanner 1.0' })
  expect(outcomeOf(await decideOn(node, options))).toBe(STOPPED)
  expect(await calls(node, 1, { userAgent: 'SIPVicious' })).toEqual([STOPPED])
  expect(await calls(node, 1)).toEqual(['plan'])
  expect(events[0]).toMatchObject({ subject: '192.0.2.1', detail: 'Friendly-Scanner 1.0', ref: '' })
})
