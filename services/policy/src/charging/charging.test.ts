// SPDX-License-Identifier: MIT
//
// "Calls and money" of the rules of state, one test a rule, on the memory store. Not tested here: what the store itself keeps to
// (its contract), random interleavings (money.test.ts), BYEs (the edge's).
import type { AccountStore, PolicyStore, Stored } from '@tandem/store'
import { afterEach, expect, test } from 'vitest'
import { decideOn, outcomeOf, recordsOf, reportTo, resourcesOf } from '../policy-fixture.ts'
import { encodeTerms, lineFor, parseTerms } from './charge-terms.ts'
import {
  answer,
  type Bench,
  begin,
  type Call,
  costOf,
  createBench,
  documentsWith,
  fail,
  hangUp,
  inviteOf,
  POSTPAID,
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

const lastRecord = async ({ world }: Bench) => (await recordsOf(world.store.policy)).at(-1)

test('Hold: before ringing the price of the first quantum is held, and a call that fails gives it back', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 100_000n)
  const call = await begin(node, 'pre')
  expect(outcomeOf(call.decision)).toBe('plan')
  expect((await bench.audit('pre')).held).toBe(costOf(60_000))
  await fail(node, call)
  expect(await bench.audit('pre')).toMatchObject({ balance: 100_000n, held: 0n })
  expect(await lastRecord(bench)).toMatchObject({ outcome: 'cancelled', priceMicros: 0n, account: 'pre' })
})

test('Hold: where the quantum is more than there is, the first increment will do; without it the call gets 402', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 2_000n)
  expect(outcomeOf((await begin(node, 'pre')).decision)).toBe('plan')
  expect((await bench.audit('pre')).held).toBe(2_000n)
  expect(outcomeOf((await begin(node, 'pre')).decision)).toBe('reject 402 credit_exhausted')
})

test('Hold: for the dearest target of the plan; the answered target counts', async () => {
  const cheap = {
    targets: ['sip:bob@pay.test'],
    prefix: '+49',
    rate: { connectFee: 0n, perMinute: 1n, firstMs: 1_000, nextMs: 1_000, graceMs: 0 },
  }
  const dear = { targets: ['sip:+1@carrier.test'], prefix: '+1', rate: { ...cheap.rate, perMinute: 9n } }
  const terms = parseTerms(encodeTerms({ currency: 'EUR', ratePlan: 'p', revision: 'r', lines: [cheap, dear] }))
  if (terms === undefined) throw new Error('the terms can not be read')
  expect(lineFor(terms, 'sip:+1@carrier.test;transport=tcp', 60_000)).toEqual(dear)
  expect(lineFor(terms, 'sip:bob@192.0.2.7:5062', 60_000)).toEqual(cheap)
  expect(lineFor(terms, 'sip:x7f3@192.0.2.7:5062', 60_000)).toEqual(dear)
})

test('Hold: the rate is frozen at Decide, whatever becomes of the rate plan', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 200_000n)
  const call = await begin(node, 'pre')
  await answer(node, call)
  node.replaceResources(await resourcesOf(documentsWith({ pre: PREPAID }, [{ ...RATE, perMinuteMicros: 999_000 }])))
  await bench.pass(10_000)
  await hangUp(node, call)
  expect(await bench.audit('pre')).toMatchObject({ balance: 200_000n - costOf(10_000), held: 0n })
  expect(await lastRecord(bench)).toMatchObject({ priceMicros: costOf(10_000), rate: '0.001 + 0.06/min 1/1' })
})

test('Reference: a retransmission through another edge gets the same answer, and one hold', async () => {
  const { bench, node } = await open()
  const other = bench.add()
  await bench.topUp('pre', 200_000n)
  const asked = inviteOf('pre')
  const [first, second] = [await decideOn(node, asked), await decideOn(other, { ...asked, edgeId: 'edge-1.1' })]
  expect(second).toEqual(first)
  expect((await bench.audit('pre')).held).toBe(costOf(60_000))
})

test('Concurrent calls of one account can not overspend it', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', costOf(60_000) * 2n)
  const calls = await Promise.all(Array.from({ length: 5 }, () => begin(node, 'pre')))
  expect(calls.filter(({ decision }) => outcomeOf(decision) === 'plan')).toHaveLength(2)
})

test('Answer: Report grants talk, renewed before it is used up, by any node', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const call = await begin(node, 'pre')
  expect(await answer(node, call)).toBe(60_000)
  expect(await answer(node, call)).toBe(60_000)
  await node.stop()
  const other = bench.add()
  await bench.pass(120_000)
  expect(bench.hangUps).toEqual([])
  await hangUp(other, call)
  expect(await bench.audit('pre')).toMatchObject({ balance: 500_000n - costOf(120_000), held: 0n })
  expect(await lastRecord(bench)).toMatchObject({
    priceMicros: costOf(120_000),
    billedMs: 120_000n,
    unbilledMs: 0n,
    currency: 'EUR',
    ratePlan: 'retail',
    ratePrefix: '*',
    state: 'complete',
  })
})

test('Answer: a report is never refused; without a hold and money it grants what is left, possibly nothing, and cut-off follows', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 61_000n)
  const call = await begin(node, 'pre')
  // Another master, which does not know the hold; and the money went meanwhile.
  await bench.world.store.accounts.sweep('pre', 10)
  await bench.pass(700_000)
  await bench.world.store.accounts.sweep('pre', 10)
  const thief = await begin(node, 'pre')
  await answer(node, thief)
  const late = { ...call, ref: call.ref }
  const lost = { ...late, ref: `${call.ref.slice(0, 2)}zzzz${call.ref.slice(6)}` }
  expect(await answer(node, lost)).toBe(0)
  await bench.pass(500)
  expect(bench.hangUps.map(({ ref }) => ref)).toContain(lost.ref)
})

test('End: BYE is taken at once, and the account is charged once, however often it is told', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 200_000n)
  const call = await begin(node, 'pre')
  await answer(node, call)
  await bench.pass(5_000)
  for (let i = 0; i < 4; i++) expect(await hangUp(node, call)).toMatchObject({ outcome: 'done' })
  await bench.pass(60_000)
  expect(await bench.audit('pre')).toMatchObject({ balance: 200_000n - costOf(5_000), held: 0n, entries: 2 })
  expect(await recordsOf(bench.world.store.policy)).toHaveLength(1)
})

test('Cut-off: the call ends at the paid second, and is charged no more than was granted', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', costOf(75_000))
  const call = await begin(node, 'pre')
  await answer(node, call)
  const answeredMs = bench.world.clock.ms
  await bench.pass(80_000)
  expect(bench.hangUps[0]).toMatchObject({ ref: call.ref, reason: 'SIP;cause=402;text="Credit used up"' })
  const cutMs = (bench.hangUps[0]?.atMs ?? 0) - answeredMs
  expect(cutMs).toBeGreaterThanOrEqual(75_000)
  expect(cutMs).toBeLessThan(75_600)
  await hangUp(node, call, 80_000 - 75_000)
  expect(await bench.audit('pre')).toMatchObject({ balance: 0n, held: 0n })
  expect(await lastRecord(bench)).toMatchObject({ priceMicros: costOf(75_000), unbilledMs: 0n, billedMs: 75_000n })
})

test('Cut-off: money that comes in time moves it', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', costOf(75_000))
  const call = await begin(node, 'pre')
  await answer(node, call)
  await bench.pass(65_000)
  await bench.topUp('pre', 100_000n)
  await bench.pass(60_000)
  expect(bench.hangUps).toEqual([])
  await hangUp(node, call)
  expect((await bench.audit('pre')).balance).toBe(costOf(75_000) + 100_000n - costOf(125_000))
})

test('A charge never exceeds what was granted: talk after it is recorded as unbilled and told', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', costOf(30_000))
  const call = await begin(node, 'pre')
  await answer(node, call)
  await bench.pass(34_500)
  await hangUp(node, call)
  expect(await bench.audit('pre')).toMatchObject({ balance: 0n, held: 0n })
  expect(await lastRecord(bench)).toMatchObject({ priceMicros: costOf(30_000), billedMs: 30_000n, unbilledMs: 4_500n })
  expect(bench.world.lines.some(({ level, fields }) => level === 'warn' && 'unbilledMs' in (fields as object))).toBe(
    true,
  )
})

test('Second check: a charge that was lost with its master is applied again, at least 30 s after it', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 200_000n)
  const call = await begin(node, 'pre')
  await answer(node, call)
  await bench.pass(5_000)
  // The settlement is acknowledged by an account that forgets it.
  const { accounts } = bench.world.store
  const settle = accounts.settle
  accounts.settle = () => ({ state: 'stored', value: { applied: costOf(5_000), repeated: false, entry: '1-99' } })
  await hangUp(node, call)
  await bench.pass(250)
  accounts.settle = settle
  expect(await bench.audit('pre')).toMatchObject({ balance: 200_000n, held: costOf(60_000) })
  await bench.pass(29_000)
  expect((await bench.audit('pre')).balance).toBe(200_000n)
  await bench.pass(15_000)
  expect(await bench.audit('pre')).toMatchObject({ balance: 200_000n - costOf(5_000), held: 0n })
  expect(node.counts.chargesRecovered).toBe(1)
})

const UNKNOWN: Stored<never> = { state: 'unknown', detail: 'the node died' }

/** A store whose operation `name` does what it does, and does not tell: as for a node that dies just then. */
function dyingAt<T extends object>(store: T, name: keyof T, happens: boolean): T {
  const act = store[name] as (...args: unknown[]) => unknown
  return new Proxy(store, {
    get: (target, key) => {
      if (key !== name) {
        const found = target[key as keyof T]
        return typeof found === 'function' ? found.bind(target) : found
      }
      return (...args: unknown[]) => {
        if (happens) act.apply(target, args)
        return UNKNOWN
      }
    },
  })
}

const STEPS: readonly (readonly [part: 'store' | 'accounts', name: string])[] = [
  ['store', 'ended'],
  ['accounts', 'settle'],
  ['store', 'settled'],
  ['accounts', 'verify'],
  ['store', 'checked'],
]

test.each(STEPS.flatMap(([part, name]) => [false, true].map((happens) => [part, name, happens] as const)))(
  'Saga: any node repeats any step without effect on the sum: one dies at %s.%s (done: %s)',
  async (part, name, happens) => {
    const { bench, node } = await open()
    const { policy, accounts } = bench.world.store
    await bench.topUp('pre', 200_000n)
    const call = await begin(node, 'pre')
    await answer(node, call)
    await bench.pass(5_000)
    await node.stop()
    const dying = bench.add(
      part === 'store'
        ? { store: dyingAt(policy, name as keyof PolicyStore, happens) }
        : { accounts: dyingAt(accounts, name as keyof AccountStore, happens) },
    )
    const endedMs = bench.world.clock.ms
    await hangUp(dying, call)
    await bench.pass(name === 'verify' || name === 'checked' ? 50_000 : 250)
    await dying.stop()
    const other = bench.add()
    await hangUp(other, call, bench.world.clock.ms - endedMs)
    await bench.pass(90_000)
    expect(await bench.audit('pre')).toMatchObject({ balance: 200_000n - costOf(5_000), held: 0n, entries: 2 })
    const records = await recordsOf(policy)
    expect(records.map(({ priceMicros }) => priceMicros)).toEqual([costOf(5_000)])
  },
)

test('Expiry: an answered hold that nothing leads to any more is settled for what was granted, an unanswered one released', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 500_000n)
  const answered = await begin(node, 'pre')
  await answer(node, answered)
  await begin(node, 'pre')
  await node.stop()
  await bench.pass(40 * 60_000)
  // Their calls went with their master: nothing but the account knows of them.
  const { policy } = bench.world.store
  const empty = new Proxy(policy, {
    get: (target, key) =>
      key === 'claimDue' ? () => ({ state: 'stored', value: [] }) : target[key as keyof PolicyStore],
  })
  const other = bench.add({ store: empty })
  await bench.pass(20 * 60_000)
  expect(await bench.audit('pre')).toMatchObject({ balance: 500_000n - costOf(60_000), held: 0n })
  expect(other.counts).toMatchObject({ holdsLapsed: 1, holdsReleased: 1 })
})

test('Store away: leases freeze; when it is back renewals come before anything is settled', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 5_000_000n)
  const call = await begin(node, 'pre')
  await answer(node, call)
  await node.stop()
  await bench.pass(30 * 60_000)
  bench.add()
  await bench.pass(60_000)
  expect((await bench.audit('pre')).entries).toBe(1)
  await hangUp(bench.nodes[1] ?? node, call)
  expect((await bench.audit('pre')).balance).toBe(5_000_000n - costOf(31 * 60_000))
})

test.each([
  ['blocked', { ...POSTPAID, blocked: true }, 'reject 403 account_blocked', 'Account blocked'],
  ['one call at most', { ...POSTPAID, maxCalls: 1 }, 'reject 403 too_many_calls', 'Too many calls'],
  ['one call a second', { ...POSTPAID, callsPerSecond: 1 }, 'reject 403 call_rate', 'Too many calls'],
  ['spend of an hour', { ...POSTPAID, spendPerHourMicros: 61_500 }, 'reject 402 spend_cap', 'Credit used up'],
  ['spend of a day', { ...POSTPAID, spendPerDayMicros: 61_500 }, 'reject 402 spend_cap', 'Credit used up'],
  ['credit limit', { ...POSTPAID, creditLimitMicros: 61_500 }, 'reject 402 credit_exhausted', 'Credit used up'],
  [
    'texts of its own',
    { ...PREPAID, refusals: { credit: { status: 403, reason: 'Top up first', warning: 'Balance is zero' } } },
    'reject 403 credit_exhausted',
    'Top up first',
  ],
])('402 and 403 with the texts of the account: %s', async (_, spec, outcome, reasonText) => {
  const { node } = await open({ acc: spec })
  await begin(node, 'acc')
  const { decision } = await begin(node, 'acc')
  expect(outcomeOf(decision)).toBe(outcome)
  expect(decision.verdict?.value).toMatchObject({ reasonText })
})

test('a destination without a price is refused, and a call within the cluster is free unless the plan rates it', async () => {
  const { node, bench } = await open({ pre: PREPAID }, [{ ...RATE, prefix: '+49' }])
  expect(outcomeOf((await begin(node, 'pre')).decision)).toBe('reject 403 no_rate')
  const free = documentsWith({ pre: PREPAID }).map((one) =>
    one.kind === 'RatePlan' ? { ...one, spec: { ...one.spec, onNet: 'free' } } : one,
  )
  node.replaceResources(await resourcesOf(free))
  const call = await begin(node, 'pre')
  expect(await answer(node, call)).toBeUndefined()
  await bench.pass(30_000)
  await hangUp(node, call)
  expect(await bench.audit('pre')).toMatchObject({ balance: 0n, held: 0n, entries: 0 })
  expect(await lastRecord(bench)).toMatchObject({ priceMicros: 0n, unbilledMs: 0n })
})

test('An account without plan and limits costs nothing: no hold, no charge, the record at once', async () => {
  const { bench, node } = await open({ plain: {} })
  const call = await begin(node, 'plain')
  expect(call.decision.charge).toBeUndefined()
  expect(await answer(node, call)).toBeUndefined()
  await hangUp(node, call)
  expect(await lastRecord(bench)).toMatchObject({ account: 'plain', currency: '', priceMicros: 0n })
  expect(bench.world.store.counts()).toMatchObject({ holdCount: 0, accountCount: 0 })
})

test('Report for an unknown call: the description makes it whole, with its charge', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 200_000n)
  const { description } = await begin(node, 'pre')
  const unknown: Call = {
    ref: '0aAAAAAAAAAAAAAAAAAA',
    description: { ...description, callId: 'other' },
    decision: { verdict: undefined, callRef: '', identity: '', account: '' },
  }
  expect(await answer(node, unknown)).toBeGreaterThan(0)
  await bench.pass(3_000)
  await hangUp(node, unknown)
  expect((await bench.audit('pre')).balance).toBe(200_000n - costOf(3_000))
})

test.each([
  ['a newer version', '{"v":99}'],
  ['no JSON', 'x'],
])('terms that this version can not read charge nothing and are counted: %s', async (_, charge) => {
  const { bench, node } = await open()
  await bench.topUp('pre', 200_000n)
  const call = await begin(node, 'pre')
  const odd: Call = {
    ...call,
    ref: '0bAAAAAAAAAAAAAAAAAA',
    description: { ...call.description, callId: 'odd', charge },
  }
  expect(await answer(node, odd)).toBeUndefined()
  await hangUp(node, odd)
  expect((await bench.audit('pre')).balance).toBe(200_000n)
  expect(node.counts.unreadableCharges).toBeGreaterThan(0)
})

test('A forged call reference is refused, and touches no account', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 200_000n)
  const { description } = await begin(node, 'pre')
  const value = { toTag: 'b1', status: 200, target: '' }
  const forged = { callRef: '../../x', call: description, event: { $case: 'answered' as const, value }, ageMs: 0 }
  expect((await reportTo(node, forged)).outcome).not.toBe('done')
  expect((await bench.audit('pre')).held).toBe(costOf(60_000))
})

test('A clock that jumps an hour charges no more than was granted', async () => {
  const { bench, node } = await open()
  await bench.topUp('pre', 100_000n)
  const call = await begin(node, 'pre')
  await answer(node, call)
  bench.world.clock.ms += 3_600_000
  await hangUp(node, call)
  const { balance, held } = await bench.audit('pre')
  expect(balance).toBe(100_000n - costOf(60_000))
  expect(held).toBe(0n)
})
