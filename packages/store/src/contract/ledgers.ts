// SPDX-License-Identifier: MIT
// Contract: the copy of ledgers. Not tested here: the way of entries into PostgreSQL (services/records/src/ledger).
import { expect, it } from 'vitest'
import { LEDGER_SHARDS, LEDGER_UNCOPIED } from '../account-rules.ts'
import type { CopiedBatch, HoldRequest, LedgerBatch } from '../account-store.ts'
import { createReference, shardOf } from '../shard.ts'
import { CONTRACT_SETTINGS, value, type World } from './world.ts'

const { ledgerMaxLen } = CONTRACT_SETTINGS
const TERMS = {
  currency: 'EUR',
  creditLimit: undefined,
  maxCalls: undefined,
  callsPerSecond: undefined,
  spendPerHour: undefined,
  spendPerDay: undefined,
}

export function ledgerContract(at: () => World): void {
  const accounts = () => at().store.accounts
  const add = async (account: string, amounts: readonly bigint[]) => {
    const keys = amounts.map(() => at().name('key'))
    for (const [index, amount] of amounts.entries())
      await value(accounts().topUp({ account, key: keys[index] as string, amount, currency: 'EUR', cause: 'topup' }))
    return keys
  }
  const account = async (...amounts: bigint[]) => {
    const name = at().name('acc')
    await add(name, amounts)
    return name
  }
  const confirm = (batch: LedgerBatch, more: Partial<CopiedBatch> = {}) => {
    const { from, to, folded, entries } = batch
    const read = { account: batch.account, from, to, folded: folded?.id ?? '', count: entries.length }
    return value(accounts().copied({ ...read, keepEntries: 2, keepMs: 0, ...more }))
  }
  const sound = async (name: string, balance: bigint) => {
    const audit = await value(accounts().audit(name))
    expect(audit).toMatchObject({ balance, ledgerSum: balance })
    return audit
  }
  const read = (name: string, limit = 100) => value(accounts().readUncopied(name, limit))
  const charge = async (name: string, price: bigint) => {
    const ref = createReference()
    const hold: HoldRequest = {
      ...{ account: name, ref, sequence: 0, amount: price, answered: true, create: true, leaseMs: 60_000 },
      terms: TERMS,
    }
    await value(accounts().hold(hold))
    return { ref, ...(await value(accounts().settle({ account: name, ref, price }))) }
  }

  it('MUST give what is not copied, in order, and nothing that is', async () => {
    const name = await account(1n, 2n, 3n)
    const first = await read(name, 2)
    expect(first).toMatchObject({ from: '0-0', currency: 'EUR', folded: undefined })
    expect(first.entries.map(({ amount, balance }) => [amount, balance])).toEqual([
      [1n, 1n],
      [2n, 3n],
    ])
    expect(first.to).toBe(first.entries[1]?.id)
    expect(await read(name, 2)).toEqual(first)
    expect(await confirm(first)).toBe(true)
    const second = await read(name)
    expect(second).toMatchObject({ from: first.to, entries: [{ amount: 3n }] })
    expect(await confirm(second)).toBe(true)
    expect(await read(name)).toMatchObject({ from: second.to, to: second.to, entries: [] })
    await sound(name, 6n)
  })

  it('MUST fold what is copied and nothing else, and keep the newest and the young', async () => {
    const name = await account(...Array.from({ length: 9 }, () => 10n))
    const first = await read(name, 5)
    expect(await confirm(first, { keepMs: 60_000 })).toBe(true)
    expect(await sound(name, 90n)).toMatchObject({ entries: 9, foldedEntries: 0 })
    await add(name, [7n])
    await at().advance(5)
    const second = await read(name, 3)
    // Two more than the five copied ones would fit the bound; they are not copied.
    expect(await confirm(second, { keepEntries: 1 })).toBe(true)
    expect(await sound(name, 97n)).toMatchObject({
      entries: 2,
      foldedEntries: 8,
      foldedSum: 80n,
      foldedTo: second.to,
      copiedTo: second.to,
    })
    expect((await read(name)).entries.map(({ amount }) => amount)).toEqual([10n, 7n])
  })

  it('MUST take no confirmation of another ledger than the one that was read', async () => {
    const name = await account(1n, 2n)
    const batch = await read(name)
    const [first] = batch.entries
    expect(await confirm(batch, { count: 3 })).toBe(false)
    expect(await confirm(batch, { to: '1-1' })).toBe(false)
    expect(await confirm(batch, { from: first?.id ?? '' })).toBe(false)
    expect(await confirm(batch, { folded: first?.id ?? '' })).toBe(false)
    expect(await read(name)).toEqual(batch)
    expect(await confirm(batch)).toBe(true)
    expect(await confirm(batch)).toBe(false)
    expect(await sound(name, 3n)).toMatchObject({ copiedTo: batch.to })
  })

  it('MUST not fold what is not copied within eight times the bound, and copy what lies beyond as one sum', async () => {
    const name = await account(1n)
    expect(await read(name)).toMatchObject({ from: '0-0' })
    const most = ledgerMaxLen * LEDGER_UNCOPIED
    await add(
      name,
      Array.from({ length: most - 1 }, () => 1n),
    )
    expect(await sound(name, BigInt(most))).toMatchObject({ entries: most, foldedEntries: 0 })
    await add(name, [1n, 1n, 1n])
    const { foldedEntries } = await sound(name, BigInt(most + 3))
    expect(foldedEntries).toBe(3)
    const batch = await read(name, 4)
    expect(batch.folded).toMatchObject({ amount: 3n, count: 3, balance: 3n })
    expect(batch.entries).toHaveLength(4)
    await add(name, [1n, 1n, 1n])
    // What was folded has grown since.
    expect(await confirm(batch)).toBe(false)
    const grown = await read(name, 4)
    expect(grown.folded).toMatchObject({ amount: 6n, count: 6 })
    expect(await confirm(grown)).toBe(true)
    const next = await read(name, 4)
    expect(next).toMatchObject({ folded: undefined, from: grown.to })
    await sound(name, BigInt(most + 6))
  }, 30_000)

  it('MUST copy what was folded before anybody copied as one sum', async () => {
    const name = await account(...Array.from({ length: ledgerMaxLen + 4 }, () => 5n))
    const { foldedEntries } = await sound(name, BigInt(5 * (ledgerMaxLen + 4)))
    expect(foldedEntries).toBeGreaterThan(0)
    const batch = await read(name)
    expect(batch.folded).toMatchObject({ count: foldedEntries, amount: BigInt(5 * foldedEntries) })
    expect(await confirm(batch)).toBe(true)
    expect(await read(name)).toMatchObject({ folded: undefined, entries: [] })
  })

  it('MUST apply nothing twice whose entry has been folded: a top-up, a charge, its second look', async () => {
    const name = await account()
    const [key = ''] = await add(name, [100n])
    const { ref, applied, entry } = await charge(name, 30n)
    await add(name, [1n, 1n, 1n])
    await at().advance(5)
    expect(await confirm(await read(name), { keepEntries: 0 })).toBe(true)
    expect(await sound(name, 73n)).toMatchObject({ entries: 0, foldedEntries: 5 })
    const again = { account: name, key, amount: 100n, currency: 'EUR', cause: 'topup' }
    expect(await value(accounts().topUp(again))).toMatchObject({ result: 'repeated', balance: 73n })
    expect(await value(accounts().topUp({ ...again, amount: 9n }))).toMatchObject({ result: 'conflict' })
    expect(await value(accounts().settle({ account: name, ref, price: 30n }))).toMatchObject({
      applied,
      repeated: true,
    })
    expect(await value(accounts().verify({ account: name, ref, applied, entry }))).toBe(false)
    await sound(name, 73n)
  })

  it('MUST claim marked accounts once in a lease, and forget a mark that was looked at', async () => {
    const name = await account(1n)
    const shard = shardOf(name) % LEDGER_SHARDS
    const claim = async (leaseMs: number) =>
      (await value(accounts().claimLedgers(shard, leaseMs, 1_000))).find((due) => due.account === name)
    await value(accounts().markLedger(name))
    await value(accounts().markLedger(name))
    const lapsed = await claim(30)
    expect(lapsed).toBeDefined()
    await at().advance(60)
    const claimed = await claim(60_000)
    expect(claimed).toBeDefined()
    expect(await claim(60_000)).toBeUndefined()
    await value(accounts().lookedAtLedger(name, lapsed?.mark ?? 0))
    await value(accounts().markLedger(name))
    expect(await claim(60_000)).toBeUndefined()
    await value(accounts().lookedAtLedger(name, claimed?.mark ?? 0))
    await value(accounts().markLedger(name))
    expect(await claim(60_000)).toBeDefined()
  })

  it('MUST make a lost ledger from its copy, whose keys and charges are known then', async () => {
    const [name, ref] = [at().name('acc'), createReference()]
    const checkpoint = { to: '1000-0', amount: 500n, count: 12 }
    const entries = [
      { id: '2000-0', key: 'top-7', cause: 'topup', amount: 20n },
      { id: '2000-1', key: `${ref}/1`, cause: 'call', amount: -70n },
    ]
    const request = { account: name, currency: 'EUR', checkpoint, entries, keys: [{ key: 'top-1', amount: 40n }] }
    expect(await value(accounts().restore(request))).toEqual({ result: 'restored', added: 2, balance: 450n })
    expect(await sound(name, 450n)).toMatchObject({
      foldedSum: 500n,
      foldedEntries: 12,
      entries: 2,
      copiedTo: '2000-1',
    })
    expect(await value(accounts().restore(request))).toMatchObject({ result: 'notEmpty', balance: 450n })
    const more = { ...request, checkpoint: undefined }
    expect(await value(accounts().restore(more))).toMatchObject({ result: 'restored', added: 0, balance: 450n })
    expect(await read(name)).toMatchObject({ from: '2000-1', entries: [] })
    for (const [key, amount] of [
      ['top-1', 40n],
      ['top-7', 20n],
    ] as const) {
      const again = await value(accounts().topUp({ account: name, key, amount, currency: 'EUR', cause: 'topup' }))
      expect(again).toMatchObject({ result: 'repeated', balance: 450n })
    }
    expect(await value(accounts().settle({ account: name, ref, price: 70n }))).toMatchObject({
      applied: 70n,
      repeated: true,
    })
    expect(await value(accounts().verify({ account: name, ref, applied: 70n, entry: '2000-1' }))).toBe(false)
    expect(await value(accounts().restore({ ...more, currency: 'USD' }))).toMatchObject({ result: 'currency' })
    await sound(name, 450n)
  })

  it('MUST add to a ledger that goes on what it lost, and give that to be copied once more', async () => {
    const name = await account(10n)
    expect(await confirm(await read(name))).toBe(true)
    const [key = ''] = await add(name, [5n])
    const entries = [
      { id: '3-0', key: 'lost', cause: 'topup', amount: 7n },
      { id: '4-0', key, cause: 'topup', amount: 5n },
    ]
    const request = { account: name, currency: 'EUR', checkpoint: undefined, entries, keys: [] }
    expect(await value(accounts().restore(request))).toEqual({ result: 'restored', added: 1, balance: 22n })
    expect((await read(name)).entries.map((entry) => entry.key)).toEqual([key, 'lost'])
    await sound(name, 22n)
  })
}
