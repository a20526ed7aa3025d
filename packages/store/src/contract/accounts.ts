// SPDX-License-Identifier: MIT
// Contract: accounts. Not tested here: the saga between call and account (policy's tests), random interleavings
// (services/policy/src/charging/money.test.ts).
import { expect, it } from 'vitest'
import { MAX_BALANCE } from '../account-rules.ts'
import type { AccountTerms, HoldRequest } from '../account-store.ts'
import { createReference, shardOf } from '../shard.ts'
import { value, type World } from './world.ts'

const TERMS: AccountTerms = {
  currency: 'EUR',
  creditLimit: 0n,
  maxCalls: undefined,
  callsPerSecond: undefined,
  spendPerHour: undefined,
  spendPerDay: undefined,
}

interface Parts extends Partial<Omit<HoldRequest, 'terms'>> {
  readonly terms?: Partial<AccountTerms>
}

export function accountContract(at: () => World): void {
  const accounts = () => at().store.accounts
  const holdOf = (account: string, parts: Parts = {}): HoldRequest => ({
    account,
    ref: createReference(),
    sequence: 0,
    amount: 100n,
    answered: false,
    create: true,
    leaseMs: 60_000,
    ...parts,
    terms: { ...TERMS, ...parts.terms },
  })
  const funded = async (amount: bigint) => {
    const account = at().name('acc')
    const key = at().name('key')
    await value(accounts().topUp({ account, key, amount, currency: 'EUR', cause: 'topup' }))
    return account
  }
  const isSound = async (account: string, balance: bigint, held = 0n) => {
    const audit = await value(accounts().audit(account))
    expect(audit).toMatchObject({ balance, ledgerSum: balance, held, holdsSum: held })
  }

  it('MUST hold no more than balance and credit, and settle no more than was held', async () => {
    const account = await funded(150n)
    const first = holdOf(account)
    expect(await value(accounts().hold(first))).toMatchObject({ result: 'held', sequence: 0, amount: 100n })
    const refused = await value(accounts().hold(holdOf(account)))
    expect(refused).toMatchObject({ result: 'refused', why: 'credit', available: 50n, sequence: -1 })
    expect(await value(accounts().hold(holdOf(account, { terms: { creditLimit: 50n } })))).toMatchObject({
      result: 'held',
    })
    await isSound(account, 150n, 200n)
    expect(await value(accounts().settle({ account, ref: first.ref, price: 900n }))).toMatchObject({
      applied: 100n,
      repeated: false,
    })
    await isSound(account, 50n, 100n)
  })

  it('MUST settle once by reference, whoever repeats it', async () => {
    const account = await funded(500n)
    const { ref, ...rest } = holdOf(account)
    await value(accounts().hold({ ref, ...rest }))
    const settled = await value(accounts().settle({ account, ref, price: 70n }))
    expect(settled).toMatchObject({ applied: 70n, repeated: false })
    const again = await value(accounts().settle({ account, ref, price: 70n }))
    expect(again).toEqual({ ...settled, repeated: true })
    await isSound(account, 430n)
    expect(await value(accounts().hold({ ref, ...rest }))).toMatchObject({ result: 'refused', why: 'settled' })
    const { ledger } = await value(accounts().read(account, 10))
    expect(ledger.map(({ key, cause, amount, balance }) => [key, cause, amount, balance])[0]).toEqual([
      `${ref}/1`,
      'call',
      -70n,
      430n,
    ])
  })

  it('MUST take a renewal once by sequence, and never shrink a hold', async () => {
    const account = await funded(500n)
    const base = holdOf(account)
    await value(accounts().hold(base))
    const renewal = { ...base, sequence: 1, amount: 300n, answered: true }
    expect(await value(accounts().hold(renewal))).toMatchObject({ result: 'held', sequence: 1, amount: 300n })
    expect(await value(accounts().hold({ ...renewal, amount: 400n }))).toMatchObject({
      result: 'repeated',
      sequence: 1,
      amount: 300n,
    })
    expect(await value(accounts().hold({ ...renewal, sequence: 2, amount: 200n }))).toMatchObject({
      result: 'held',
      amount: 300n,
    })
    const beyond = await value(accounts().hold({ ...renewal, sequence: 3, amount: 600n }))
    expect(beyond).toMatchObject({ result: 'refused', why: 'credit', available: 200n, sequence: 2, amount: 300n })
    const gone = { ...holdOf(account), sequence: 1, create: false }
    expect(await value(accounts().hold(gone))).toMatchObject({ result: 'refused', why: 'gone' })
  })

  it('MUST count calls as a leased set, whose members expire', async () => {
    const account = await funded(0n)
    const terms = { maxCalls: 1 }
    await value(accounts().hold(holdOf(account, { amount: 0n, leaseMs: 300, terms })))
    expect(await value(accounts().hold(holdOf(account, { amount: 0n, terms })))).toMatchObject({ why: 'calls' })
    await at().advance(360)
    expect(await value(accounts().hold(holdOf(account, { amount: 0n, terms })))).toMatchObject({ result: 'held' })
  })

  it('MUST bound calls per second and spend, and give back what a refusal did not use', async () => {
    const account = await funded(10_000n)
    const rate = { callsPerSecond: 2 }
    const results = []
    for (let i = 0; i < 3; i++) results.push((await value(accounts().hold(holdOf(account, { terms: rate })))).result)
    expect(results).toEqual(['held', 'held', 'refused'])
    const spender = await funded(10_000n)
    const capped = { spendPerHour: 150n }
    const first = holdOf(spender, { terms: capped })
    await value(accounts().hold(first))
    await value(accounts().settle({ account: spender, ref: first.ref, price: 60n }))
    expect(await value(accounts().hold(holdOf(spender, { terms: capped })))).toMatchObject({
      why: 'spendHour',
      available: 90n,
    })
    expect(await value(accounts().hold(holdOf(spender, { terms: { spendPerDay: 159n } })))).toMatchObject({
      why: 'spendDay',
    })
    expect(await value(accounts().hold(holdOf(spender, { amount: 90n, terms: capped })))).toMatchObject({
      result: 'held',
    })
    expect(await value(accounts().read(spender, 0))).toMatchObject({ spentHour: 60n, spentDay: 60n, calls: 1 })
  })

  it('MUST keep one currency', async () => {
    const account = await funded(100n)
    expect(await value(accounts().hold(holdOf(account, { terms: { currency: 'USD' } })))).toMatchObject({
      why: 'currency',
    })
    const topUp = { account, key: at().name('key'), amount: 1n, currency: 'USD', cause: 'topup' }
    expect(await value(accounts().topUp(topUp))).toEqual({ result: 'currency', balance: 100n })
  })

  it('MUST top up once by key, and stay within 2^53', async () => {
    const account = await funded(5n)
    const topUp = { account, key: at().name('key'), amount: 1_000_000_000_000_001n, currency: 'EUR', cause: 'topup' }
    expect(await value(accounts().topUp(topUp))).toEqual({ result: 'applied', balance: 1_000_000_000_000_006n })
    expect(await value(accounts().topUp(topUp))).toEqual({ result: 'repeated', balance: 1_000_000_000_000_006n })
    expect(await value(accounts().topUp({ ...topUp, amount: 2n }))).toMatchObject({ result: 'conflict' })
    const whole = { ...topUp, key: at().name('key'), amount: MAX_BALANCE }
    expect(await value(accounts().topUp(whole))).toMatchObject({ result: 'overflow' })
    const beyond = await accounts().topUp({ ...whole, amount: MAX_BALANCE + 1n })
    expect(beyond).toMatchObject({ state: 'notStored', reason: 'invalid' })
    await isSound(account, 1_000_000_000_000_006n)
  })

  it('MUST settle what was granted when the lease of an answered call lapses, give back what the call did not cost, and release an unanswered one', async () => {
    const account = await funded(1_000n)
    const ringing = holdOf(account, { leaseMs: 100 })
    const talking = holdOf(account, { leaseMs: 100 })
    await value(accounts().hold(ringing))
    await value(accounts().hold(talking))
    await value(accounts().hold({ ...talking, sequence: 1, amount: 300n, answered: true }))
    await at().advance(160)
    expect(await value(accounts().sweep(account, 10))).toEqual({ settled: 1, released: 1, left: 0 })
    await isSound(account, 700n)
    expect(await value(accounts().settle({ account, ref: talking.ref, price: 120n }))).toMatchObject({
      applied: 120n,
      repeated: true,
    })
    expect(await value(accounts().settle({ account, ref: talking.ref, price: 120n }))).toMatchObject({ applied: 120n })
    await isSound(account, 880n)
    const { ledger } = await value(accounts().read(account, 2))
    expect(ledger.map(({ cause, amount }) => [cause, amount])).toEqual([
      ['correction', 180n],
      ['lapsed', -300n],
    ])
  })

  it('MUST apply a settlement again that was lost, and none that is there', async () => {
    const account = await funded(1_000n)
    const held = holdOf(account)
    await value(accounts().hold(held))
    const { applied, entry } = await value(accounts().settle({ account, ref: held.ref, price: 60n }))
    expect(await value(accounts().verify({ account, ref: held.ref, applied, entry }))).toBe(false)
    await isSound(account, 940n)
    const lost = holdOf(account)
    await value(accounts().hold(lost)) // as the replica knew it: the settlement never came to it
    const other = { account, ref: lost.ref, applied: 25n, entry: '1-9999' }
    expect(await value(accounts().verify(other))).toBe(true)
    expect(await value(accounts().verify(other))).toBe(false)
    await isSound(account, 915n)
  })

  it('MUST fold the oldest entries of a long ledger into their sum', async () => {
    const account = await funded(1n)
    for (let i = 0; i < 30; i++) {
      const topUp = { account, key: at().name('key'), amount: 10n, currency: 'EUR', cause: 'topup' }
      await value(accounts().topUp(topUp))
    }
    const audit = await value(accounts().audit(account))
    expect(audit).toMatchObject({ balance: 301n, ledgerSum: 301n })
    expect(audit.entries + audit.foldedEntries).toBe(31)
    expect(audit.foldedEntries).toBeGreaterThan(0)
  })

  it('MUST give a marked account to due work, to one node at a time, until nobody marks it again', async () => {
    const account = at().name('acc')
    const shard = shardOf(account)
    const claim = async () =>
      (await value(accounts().claimAccounts(shard, 200, 50))).filter((one) => one.account === account)
    await value(accounts().mark(account, 50))
    let claimed = await claim()
    await at().until(async () => {
      if (claimed.length === 0) claimed = await claim()
      return claimed.length > 0
    })
    expect(await claim()).toEqual([])
    await value(accounts().mark(account, 1_000))
    await value(accounts().looked(account, claimed[0]?.mark ?? 0, 0))
    expect(await claim()).toEqual([])
    claimed = []
    await at().until(async () => {
      if (claimed.length === 0) claimed = await claim()
      return claimed.length > 0
    })
    await value(accounts().looked(account, claimed[0]?.mark ?? 0, 0))
    await at().advance(260)
    expect(await claim()).toEqual([])
  })

  it('MUST look at an account again and again that is marked all the time, and sooner where it is said so', async () => {
    const account = at().name('acc')
    const shard = shardOf(account)
    const looks = async (count: number, again: number) => {
      let seen = 0
      await at().until(async () => {
        await value(accounts().mark(account, 150))
        for (const one of await value(accounts().claimAccounts(shard, 10_000, 50))) {
          if (one.account === account) seen++
          await value(accounts().looked(one.account, one.mark, again))
        }
        return seen >= count
      })
      return seen
    }
    expect(await looks(3, 0)).toBe(3)
    expect(await looks(1, 30)).toBe(1)
    expect(await looks(2, 30)).toBe(2)
  })

  it('MUST refuse names and amounts that can not be kept', async () => {
    for (const bad of [holdOf('a}b'), holdOf('acc', { amount: -1n }), holdOf('acc', { amount: MAX_BALANCE + 1n })]) {
      expect(await accounts().hold(bad)).toMatchObject({ state: 'notStored', reason: 'invalid' })
    }
  })
}
