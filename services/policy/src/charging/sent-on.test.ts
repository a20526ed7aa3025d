// SPDX-License-Identifier: MIT
//
// Calls that somebody sends on by a trunk: who holds, who pays, whose money ends the call, whose targets are left out. Not tested here: deaths
// of nodes and random interleavings (money.test.ts), who it is that sends a call on (packages/resources: flow.test.ts).
import type { AccountStore, Stored } from '@tandem/store'
import { afterEach, expect, test } from 'vitest'
import { decideOn, outcomeOf, recordsOf } from '../policy-fixture.ts'
import {
  answer,
  type Bench,
  begin,
  type Call,
  calling,
  costOf,
  createBench,
  fail,
  forwardingDocuments,
  hangUp,
  inviteOf,
  OUTSIDE,
  OUTSIDE_URI,
  PREPAID,
} from './charging-fixture.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.stop()
  bench = undefined
})

const document = (kind: string, metadata: object, spec: object) => ({ apiVersion: 'tandem/v1', kind, metadata, spec })

/** Two thousand a second, and no fee. */
const MOBILE = document(
  'RatePlan',
  { name: 'mobile' },
  {
    currency: 'EUR',
    rates: [{ prefix: '+49', perMinuteMicros: 120_000, firstIncrementMs: 1_000, nextIncrementMs: 1_000 }],
  },
)
const mobileOf = (talkMs: number): bigint => 2_000n * BigInt(Math.ceil(talkMs / 1_000))
const account = (name: string, spec: object = {}) =>
  document('Account', { name }, { billing: 'prepaid', ratePlan: 'mobile', ...spec })

/** `away` sends all his calls out at the cost of `bob-pays`; `busy` when he is busy; `shared` at the cost of the caller's account `pre`. */
const USERS = {
  away: { account: 'bob-pays', when: 'always' },
  busy: { account: 'bob-pays', when: 'busy' },
  shared: { account: 'pre', when: 'busy' },
  nobody: { when: 'busy' },
  stranger: { when: 'never' },
} as const

async function open(more: readonly { [key: string]: unknown }[] = [], of: object = {}) {
  const documents = [MOBILE, account('bob-pays', of), ...forwardingDocuments(USERS), ...more]
  bench = await createBench({ pre: PREPAID }, undefined, documents)
  return { bench, node: bench.add() }
}

/** Two accounts are charged one after another; nobody waits for it. */
async function lastRecord({ world, pass }: Bench) {
  await pass(250)
  return (await recordsOf(world.store.policy)).at(-1)
}
const heldBy = async (at: Bench, name: string): Promise<bigint> => (await at.audit(name)).held
const targetsOf = ({ decision: { verdict } }: Call): string[] =>
  verdict?.$case === 'plan'
    ? verdict.value.steps.flatMap(({ targets }) => targets.map(({ where }) => where?.value ?? ''))
    : []

test('each pays his own leg: the caller as if who sent it on had answered, the other one the number, to the micro-unit', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  await bench.topUp('bob-pays', 900_000n)
  const call = await begin(node, 'pre', calling('away'))
  expect(targetsOf(call)).toEqual([OUTSIDE_URI])
  expect([await heldBy(bench, 'pre'), await heldBy(bench, 'bob-pays')]).toEqual([costOf(60_000), mobileOf(60_000)])
  await answer(node, call, 0, OUTSIDE_URI)
  await bench.pass(90_400)
  await hangUp(node, call)
  expect(await bench.audit('pre')).toMatchObject({ balance: 500_000n - costOf(90_400), held: 0n })
  expect(await bench.audit('bob-pays')).toMatchObject({ balance: 900_000n - mobileOf(90_400), held: 0n })
  expect(await lastRecord(bench)).toMatchObject({
    account: 'pre',
    ratePlan: 'retail',
    priceMicros: costOf(90_400),
    unbilledMs: 0n,
    forwards: [
      {
        account: 'bob-pays',
        currency: 'EUR',
        priceMicros: mobileOf(90_400),
        billedMs: 91_000n,
        unbilledMs: 0n,
        ratePlan: 'mobile',
        ratePrefix: '+49',
        rate: '0.12/min 1/1',
      },
    ],
  })
})

test('a caller without an account pays nothing, and who sends the call on pays', async () => {
  const { bench, node } = await open()
  await bench.topUp('bob-pays', 900_000n)
  const call = await begin(node, 'stranger', calling('away'))
  expect(await answer(node, call, 0, OUTSIDE_URI)).toBe(60_000)
  await bench.pass(10_000)
  await hangUp(node, call)
  expect(await bench.audit('bob-pays')).toMatchObject({ balance: 900_000n - mobileOf(10_000), held: 0n })
  const record = await lastRecord(bench)
  expect(record).toMatchObject({ account: '', priceMicros: 0n, ratePlan: '', forwards: [{ account: 'bob-pays' }] })
})

test('one account that calls and sends on is one hold and one charge: the sum of both', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const call = await begin(node, 'pre', calling('shared'))
  const both = (talkMs: number) => 2n * costOf(talkMs)
  expect(await heldBy(bench, 'pre')).toBe(both(60_000))
  await answer(node, call, 0, OUTSIDE_URI)
  await bench.pass(75_000)
  await hangUp(node, call)
  expect(await bench.audit('pre')).toMatchObject({ balance: 500_000n - both(75_000), held: 0n, entries: 2 })
  expect(await lastRecord(bench)).toMatchObject({
    priceMicros: costOf(75_000),
    forwards: [{ account: 'pre', priceMicros: costOf(75_000) }],
  })
})

test('his own phone answers: who would have sent it on has his money back with the answer, and pays nothing', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  await bench.topUp('bob-pays', 900_000n)
  const call = await begin(node, 'pre', calling('busy'))
  expect(targetsOf(call)).toEqual(['sip:busy@pay.test', OUTSIDE_URI])
  expect(await heldBy(bench, 'bob-pays')).toBe(mobileOf(60_000))
  await answer(node, call, 0, 'sip:busy@192.0.2.7')
  expect(await heldBy(bench, 'bob-pays')).toBe(0n)
  await bench.pass(3_000)
  await hangUp(node, call)
  expect((await bench.audit('bob-pays')).balance).toBe(900_000n)
  expect(await lastRecord(bench)).toMatchObject({ priceMicros: costOf(3_000), forwards: [] })
})

test('a call that nobody answers costs nobody anything, at once', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  await bench.topUp('bob-pays', 900_000n)
  await fail(node, await begin(node, 'pre', calling('busy')))
  expect(await bench.audit('bob-pays')).toMatchObject({ balance: 900_000n, held: 0n })
  expect(await bench.audit('pre')).toMatchObject({ balance: 500_000n, held: 0n })
})

test('who can not pay for what he sends on loses that target alone: his own phone rings, at the cost of the caller', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const call = await begin(node, 'pre', calling('busy'))
  expect(targetsOf(call)).toEqual(['sip:busy@pay.test'])
  expect(call.decision.charge).not.toContain('bob-pays')
  expect(node.counts.forwardersRefused).toBe(1)
})

test('where nothing is left the caller gets 480, is told nothing of the money of others, and holds nothing', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const call = await begin(node, 'pre', calling('away'))
  expect(outcomeOf(call.decision)).toBe('reject 480 forwarding_refused')
  expect(await heldBy(bench, 'pre')).toBe(0n)
  expect(await lastRecord(bench)).toMatchObject({ finalStatus: 480, reason: 'forwarding_refused', priceMicros: 0n })
})

test.each([
  { what: 'blocked', of: { blocked: true } },
  { what: 'with as many calls as it may have', of: { maxCalls: 1 }, isBusy: true },
])('an account $what sends nothing on', async ({ of, isBusy = false }) => {
  const { bench, node } = await open([], of)
  await bench.topUp('pre', 500_000n)
  await bench.topUp('bob-pays', 900_000n)
  if (isBusy) await begin(node, 'pre', calling('away'))
  expect(targetsOf(await begin(node, 'pre', calling('busy')))).toEqual(['sip:busy@pay.test'])
})

test('a number for which he has no rate is not sent on', async () => {
  const { bench, node } = await open([
    document(
      'Subscriber',
      { name: 'far', domain: 'pay.test' },
      { account: 'bob-pays', forwarding: { always: { number: '+12025550100' } } },
    ),
  ])
  await bench.topUp('pre', 500_000n)
  await bench.topUp('bob-pays', 900_000n)
  expect(outcomeOf((await begin(node, 'pre', calling('far'))).decision)).toBe('reject 480 forwarding_refused')
})

test('a caller without money gets 402, and who would send the call on holds nothing', async () => {
  const { bench, node } = await open()
  await bench.topUp('bob-pays', 900_000n)
  expect(outcomeOf((await begin(node, 'pre', calling('busy'))).decision)).toBe('reject 402 credit_exhausted')
  expect(await heldBy(bench, 'bob-pays')).toBe(0n)
})

test('an account that can pay for one of its two legs calls, and does not send on', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 2_500n)
  const call = await begin(node, 'pre', calling('shared'))
  expect(targetsOf(call)).toEqual(['sip:shared@pay.test'])
  expect(await heldBy(bench, 'pre')).toBe(2_000n)
})

test('nobody who sends it on has an account: the leg is left out, as before', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  expect(targetsOf(await begin(node, 'pre', calling('nobody')))).toEqual(['sip:nobody@pay.test'])
  expect(node.counts.unpaidLegs).toBe(1)
})

test.each([
  { who: 'the caller', pre: 61_000n, other: 900_000n, endMs: 60_000 },
  { who: 'who sent it on', pre: 500_000n, other: 40_000n, endMs: 20_000 },
])('Cut-off: the call ends with the paid second of $who', async ({ pre, other, endMs }) => {
  const { bench, node } = await open()
  await bench.topUp('pre', pre)
  await bench.topUp('bob-pays', other)
  const call = await begin(node, 'pre', calling('away'))
  expect(await answer(node, call, 0, OUTSIDE_URI)).toBe(Math.min(endMs, 60_000))
  await bench.pass(endMs - 500)
  expect(bench.hangUps).toEqual([])
  await bench.pass(1_000)
  expect(bench.hangUps).toMatchObject([{ reason: 'SIP;cause=402;text="Credit used up"' }])
  await hangUp(node, call, 500)
  expect((await bench.audit('pre')).balance).toBe(pre - costOf(endMs))
  expect((await bench.audit('bob-pays')).balance).toBe(other - mobileOf(endMs))
})

test('talk beyond what one of them granted is his, and recorded so', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  await bench.topUp('bob-pays', 40_000n)
  const call = await begin(node, 'pre', calling('away'))
  await answer(node, call, 0, OUTSIDE_URI)
  await bench.pass(25_000)
  await hangUp(node, call)
  expect((await bench.audit('bob-pays')).balance).toBe(0n)
  expect(await lastRecord(bench)).toMatchObject({
    priceMicros: costOf(25_000),
    unbilledMs: 0n,
    forwards: [{ priceMicros: 40_000n, billedMs: 20_000n, unbilledMs: 5_000n }],
  })
})

test('Answer: any node renews for all who pay; a top-up of one of them moves the end', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  await bench.topUp('bob-pays', 40_000n)
  const call = await begin(node, 'pre', calling('away'))
  await answer(node, call, 0, OUTSIDE_URI)
  await node.stop()
  const other = bench.add()
  await bench.pass(10_000)
  await bench.topUp('bob-pays', 900_000n)
  await bench.pass(110_000)
  expect(bench.hangUps).toEqual([])
  await hangUp(other, call)
  expect((await bench.audit('bob-pays')).balance).toBe(940_000n - mobileOf(120_000))
  expect((await bench.audit('pre')).balance).toBe(500_000n - costOf(120_000))
})

test('Reference: a retransmission through another edge finds the same holds, one of each', async () => {
  const { bench, node } = await open()
  const other = bench.add()
  await bench.topUp('pre', 500_000n)
  await bench.topUp('bob-pays', 900_000n)
  const asked = inviteOf('pre', calling('busy'))
  const [first, second] = [await decideOn(node, asked), await decideOn(other, { ...asked, edgeId: 'edge-1.1' })]
  expect(second).toEqual(first)
  expect([await heldBy(bench, 'pre'), await heldBy(bench, 'bob-pays')]).toEqual([costOf(60_000), mobileOf(60_000)])
})

test('Second check: a charge that one of them lost with its master is applied again', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  await bench.topUp('bob-pays', 900_000n)
  const call = await begin(node, 'pre', calling('away'))
  await answer(node, call, 0, OUTSIDE_URI)
  await bench.pass(5_000)
  const { accounts } = bench.world.store
  const settle = accounts.settle.bind(accounts)
  const lost: AccountStore['settle'] = (asked) =>
    asked.account === 'bob-pays'
      ? { state: 'stored', value: { applied: asked.price, repeated: false, entry: '1-99' } }
      : settle(asked)
  accounts.settle = lost
  await hangUp(node, call)
  await bench.pass(250)
  accounts.settle = settle
  expect((await bench.audit('bob-pays')).balance).toBe(900_000n)
  await bench.pass(45_000)
  expect((await bench.audit('bob-pays')).balance).toBe(900_000n - mobileOf(5_000))
  expect((await bench.audit('pre')).balance).toBe(500_000n - costOf(5_000))
  expect(node.counts.chargesRecovered).toBe(1)
})

test('Store away: where one of them can not be asked the call is refused, and the other has back what he held', async () => {
  const { bench } = await open()
  await bench.topUp('pre', 500_000n)
  await bench.topUp('bob-pays', 900_000n)
  const away: Stored<never> = { state: 'notStored', reason: 'away', detail: 'no connection' }
  const { accounts } = bench.world.store
  const hold = accounts.hold.bind(accounts)
  accounts.hold = (asked) => (asked.account === 'pre' ? away : hold(asked))
  const node = bench.add()
  await expect(begin(node, 'pre', calling('away'))).rejects.toThrow()
  expect(await heldBy(bench, 'bob-pays')).toBe(0n)
  accounts.hold = hold
})

const FLOW_PAYS = [
  account('team-pays'),
  document(
    'HuntGroup',
    { name: 'team', domain: 'pay.test' },
    {
      account: 'team-pays',
      members: ['bob', { to: { number: OUTSIDE } }],
      ringMs: 10_000,
    },
  ),
  document(
    'CallFlow',
    { name: 'night', domain: 'pay.test' },
    { account: 'team-pays', default: { to: { number: OUTSIDE } } },
  ),
]

test.each(['team', 'night'])('%s pays for what it sends on by its own account', async (user) => {
  const { bench, node } = await open(FLOW_PAYS)
  await bench.topUp('pre', 500_000n)
  await bench.topUp('team-pays', 900_000n)
  const call = await begin(node, 'pre', calling(user))
  await answer(node, call, 0, OUTSIDE_URI)
  await bench.pass(4_000)
  await hangUp(node, call)
  expect((await bench.audit('team-pays')).balance).toBe(900_000n - mobileOf(4_000))
  expect((await bench.audit('pre')).balance).toBe(500_000n - costOf(4_000))
})

test('what the trunk costs counts against all who pay', async () => {
  const { bench, node } = await open([
    document('RatePlan', { name: 'buy' }, { currency: 'EUR', rates: [{ prefix: '*', perMinuteMicros: 60_000 }] }),
    document('Trunk', { name: 'bought' }, { hosts: [{ host: 'bought.test' }], ratePlan: 'buy' }),
    document('Route', { name: 'near' }, { prefix: '+4930', trunk: 'bought' }),
  ])
  await bench.topUp('pre', 500_000n)
  await bench.topUp('bob-pays', 900_000n)
  const call = await begin(node, 'pre', calling('busy'))
  await answer(node, call, 0, `sip:${OUTSIDE}@bought.test`)
  await bench.pass(60_000)
  await hangUp(node, call)
  const paid = costOf(60_000) + mobileOf(60_000)
  expect(await lastRecord(bench)).toMatchObject({ costMicros: 60_000n, marginMicros: paid - 60_000n })
})
