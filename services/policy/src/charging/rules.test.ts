// SPDX-License-Identifier: MIT
//
// Rules of "Calls and money" and "Time" that charging.test.ts has no test of, each by its name, on the memory store.
import type { policy } from '@tandem/rpc'
import { afterEach, expect, test } from 'vitest'
import { decideOn, outcomeOf, recordsOf, reportTo, resourcesOf, SETTINGS } from '../policy-fixture.ts'
import { createPolicyService } from '../service.ts'
import {
  answer,
  type Bench,
  begin,
  type Call,
  costOf,
  createBench,
  DIALOG,
  documentsWith,
  hangUp,
  inviteOf,
  PREPAID,
  RATE,
} from './charging-fixture.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.stop()
  bench = undefined
})

async function open(accounts: Readonly<Record<string, object>> = { pre: PREPAID }, rates?: readonly object[]) {
  bench = await createBench(accounts, rates)
  return { bench, node: bench.add() }
}

const records = ({ world }: Bench) => recordsOf(world.store.policy)

test('Reference: upstream forks and spirals are calls of their own, each with its hold', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const asked = inviteOf('pre')
  const first = await decideOn(node, asked)
  const fork = await decideOn(node, { ...asked, transactionKey: `${asked.transactionKey}-fork` })
  expect(fork.callRef).not.toBe(first.callRef)
  expect((await bench.audit('pre')).held).toBe(2n * costOf(60_000))
})

test('Reference: the same key later than its transaction is a new call', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const asked = inviteOf('pre')
  const first = await decideOn(node, asked)
  await bench.pass(12 * 60_000)
  expect((await decideOn(node, asked)).callRef).not.toBe(first.callRef)
})

test('Hold: its lease outlives the longest ringing: money that is held for a call in set-up is nobody else’s', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', costOf(60_000) + 1_000n)
  const call = await begin(node, 'pre')
  await bench.pass(590_000)
  expect(outcomeOf((await begin(node, 'pre')).decision)).toBe('reject 402 credit_exhausted')
  expect(await answer(node, call)).toBe(60_000)
  await bench.pass(1_000)
  await hangUp(node, call)
  expect((await bench.audit('pre')).balance).toBe(costOf(60_000) + 1_000n - costOf(1_000))
})

test('Hold: the price of the target that answered counts, down to the ledger', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const call = await begin(node, 'pre')
  const frozen = JSON.parse(call.decision.charge ?? '') as { l: { m: string }[] }
  const line = frozen.l[0]
  const lines = [
    { ...line, t: ['sip:bob@192.0.2.7'] },
    { ...line, t: ['sip:dear@192.0.2.8'], m: '600000' },
  ]
  const charge = JSON.stringify({ ...frozen, l: lines })
  const forked: Call = {
    ...call,
    ref: '0fAAAAAAAAAAAAAAAAAA',
    description: { ...call.description, callId: 'forked', charge },
  }
  await answer(node, forked)
  await bench.pass(5_000)
  await hangUp(node, forked)
  await bench.pass(1_000)
  const record = (await records(bench)).find(({ callId }) => callId === 'forked')
  expect(record?.priceMicros).toBe(costOf(5_000))
})

test('Every report carries the whole call: an end that comes before its answer is charged like any other', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const call = await begin(node, 'pre')
  await bench.pass(10_000)
  await hangUp(node, call)
  await answer(node, call, 10_000)
  await bench.pass(60_000)
  expect(await bench.audit('pre')).toMatchObject({ held: 0n, holdsSum: 0n })
  const [record, ...more] = await records(bench)
  expect(more).toEqual([])
  expect((await bench.audit('pre')).balance).toBe(500_000n - (record?.priceMicros ?? -1n))
})

test('Every report carries the whole call: one of a call that is lost everywhere makes it again', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const { description } = await begin(node, 'pre')
  const lost: Call = {
    ref: '0cAAAAAAAAAAAAAAAAAA',
    description: { ...description, callId: 'lost' },
    decision: { verdict: undefined, callRef: '', identity: '', account: '' },
  }
  await answer(node, lost)
  await bench.pass(4_000)
  await hangUp(node, lost)
  await bench.pass(1_000)
  const record = (await records(bench)).find(({ callId }) => callId === 'lost')
  expect(record).toMatchObject({ durationMs: 4_000n, priceMicros: costOf(4_000), account: 'pre' })
})

test('End: as of when the BYE came, however late it is reported', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const call = await begin(node, 'pre')
  await answer(node, call)
  await bench.pass(50_000)
  await hangUp(node, call, 20_000)
  expect((await bench.audit('pre')).balance).toBe(500_000n - costOf(30_000))
})

test('End: only for the record’s own tags', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const call = await begin(node, 'pre')
  await answer(node, call)
  const value = { fromTag: 'a1', toTag: 'other', by: 'caller', status: 200, reason: '' }
  const event = { $case: 'ended' as const, value }
  await reportTo(node, { callRef: call.ref, call: call.description, event, ageMs: 0 })
  expect(await records(bench)).toEqual([])
  await bench.pass(10_000)
  await hangUp(node, call)
  expect((await bench.audit('pre')).balance).toBe(500_000n - costOf(10_000))
})

test('End: a second leg of an answered fork lives on; the call is charged until the last one has ended', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const call = await begin(node, 'pre')
  await answer(node, call)
  const value = { toTag: 'c1', status: 200, target: 'sip:bob@192.0.2.7', dialog: { ...DIALOG, toTag: 'c1' } }
  const about = { callRef: call.ref, call: call.description, ageMs: 0 }
  await reportTo(node, { ...about, event: { $case: 'answered', value } })
  await bench.pass(5_000)
  await hangUp(node, call)
  expect(await records(bench)).toEqual([])
  await bench.pass(5_000)
  const end = { fromTag: 'a1', toTag: 'c1', by: 'callee', status: 200, reason: '' }
  await reportTo(node, { ...about, event: { $case: 'ended', value: end } })
  expect((await bench.audit('pre')).balance).toBe(500_000n - costOf(10_000))
})

test('Integers: amounts near 2^53 stay exact to the micro-unit', async () => {
  const { bench, node } = await open()
  const most = 9_007_199_254_740_991n
  await bench.topUp('pre', most)
  const call = await begin(node, 'pre')
  await answer(node, call)
  await bench.pass(7_000)
  await hangUp(node, call)
  expect((await bench.audit('pre')).balance).toBe(most - costOf(7_000))
})

/** Another node, whose own clock is off. */
function skewed({ world }: Bench, byMs: number) {
  const { store, resources, clock } = world
  const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const config = { ...SETTINGS }
  const now = () => clock.ms + byMs
  return createPolicyService({ store: store.policy, accounts: store.accounts, config, resources, logger, now })
}

test.each([
  ['an hour fast', 3_600_000],
  ['an hour slow', -3_600_000],
  ['ten years fast', 315_360_000_000],
])('Time: a node whose clock is %s charges what the store’s clock and the age of the report say', async (_, byMs) => {
  const { bench, node } = await open()
  const odd = skewed(bench, byMs)
  await bench.topUp('pre', 500_000n)
  const call = await begin(odd, 'pre')
  await bench.pass(3_000)
  await answer(odd, call, 2_000)
  await bench.pass(8_000)
  await hangUp(odd, call)
  await bench.pass(1_000)
  expect((await bench.audit('pre')).balance).toBe(500_000n - costOf(10_000))
  expect(node.counts.bugs).toBe(0)
})

test('Time: a store whose clock goes back an hour in a call charges none below zero, and no more than was granted', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const call = await begin(node, 'pre')
  await answer(node, call)
  bench.world.clock.ms -= 3_600_000
  await hangUp(node, call)
  await bench.pass(60_000)
  const { balance, held } = await bench.audit('pre')
  expect(held).toBe(0n)
  expect(balance).toBeLessThanOrEqual(500_000n)
  expect(balance).toBeGreaterThanOrEqual(500_000n - costOf(60_000))
})

test('BYE storm: five thousand ends of one call through two nodes are one charge and one record', async () => {
  const { bench, node } = await open()
  const other = bench.add()
  await bench.topUp('pre', 500_000n)
  const call = await begin(node, 'pre')
  await answer(node, call)
  await bench.pass(3_000)
  await Promise.all(Array.from({ length: 5_000 }, (_, k) => hangUp(k % 2 === 0 ? node : other, call)))
  await bench.pass(1_000)
  expect(await bench.audit('pre')).toMatchObject({ balance: 500_000n - costOf(3_000), held: 0n, entries: 2 })
  expect(await records(bench)).toHaveLength(1)
})

test('Forged reference: ends of thousands of calls that never were move no money', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const { description } = await begin(node, 'pre')
  const ends = Array.from({ length: 1_000 }, (_, k) => `0d${String(k).padStart(16, '0')}`)
  for (const ref of ends) await hangUp(node, { ref, description, decision: { ...NOTHING, callRef: ref } })
  await bench.pass(5_000)
  expect(await bench.audit('pre')).toMatchObject({ balance: 500_000n, entries: 1 })
})

const NOTHING: policy.DecideResponse = { verdict: undefined, callRef: '', identity: '', account: '' }

test('Currency mismatch: an account whose balance is in another currency than its plan is refused, and keeps its money', async () => {
  const { bench, node } = await open()
  const { accounts } = bench.world.store
  await accounts.topUp({ account: 'pre', key: 'usd', amount: 500_000n, currency: 'USD', cause: 'topup' })
  expect(outcomeOf((await begin(node, 'pre')).decision)).toBe('reject 403 account_currency')
  expect(await bench.audit('pre')).toMatchObject({ balance: 500_000n, held: 0n })
})

test('Versions: fields of a newer version beside known ones are passed over, and the price is the known one', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const call = await begin(node, 'pre')
  const charge = JSON.parse(call.decision.charge ?? '') as { l: object[] }
  const newer = { ...charge, z: { tax: 19 }, l: charge.l.map((line) => ({ ...line, setupDiscount: '5' })) }
  const told: Call = {
    ...call,
    ref: '0eAAAAAAAAAAAAAAAAAA',
    description: { ...call.description, callId: 'newer', charge: JSON.stringify(newer) },
  }
  await answer(node, told)
  await bench.pass(2_000)
  await hangUp(node, told)
  await bench.pass(1_000)
  const record = (await records(bench)).find(({ callId }) => callId === 'newer')
  expect(record?.priceMicros).toBe(costOf(2_000))
})

test('Versions: a rate plan that one node knows already and the other does not is charged as the deciding node had it', async () => {
  const { bench, node } = await open()
  const older = bench.add()
  await bench.topUp('pre', 500_000n)
  node.replaceResources(await resourcesOf(documentsWith({ pre: PREPAID }, [{ ...RATE, perMinuteMicros: 120_000 }])))
  const call = await begin(node, 'pre')
  await answer(older, call)
  await bench.pass(10_000)
  await hangUp(older, call)
  await bench.pass(1_000)
  expect((await bench.audit('pre')).balance).toBe(500_000n - 1_000n - 20_000n)
})

test('quantum, time ahead and second look are settings', async () => {
  const { bench } = await open()
  const charging = { quantumMs: 10_000, renewAheadMs: 5_000, verifyAfterMs: 40_000 }
  const node = bench.world.node({ config: { charging } })
  await bench.topUp('pre', 500_000n)
  await begin(node, 'pre')
  expect((await bench.audit('pre')).held).toBe(costOf(10_000))
})
