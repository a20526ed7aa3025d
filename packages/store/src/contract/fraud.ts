// SPDX-License-Identifier: MIT
// Contract: counters of rules against fraud. Not tested here: random interleavings (fraud-counters.test.ts), two nodes at once
// (services/policy/src/fraud).
import { expect, it } from 'vitest'
import type { HoldRequest } from '../account-store.ts'
import type { FraudCheck, FraudKind, FraudSlot } from '../fraud-store.ts'
import { createReference } from '../shard.ts'
import { value, type World } from './world.ts'

const WINDOW_MS = 1_000

export function checkOf(kind: FraudKind, parts: Partial<FraudCheck> = {}): FraudCheck {
  return {
    counter: `rule.${kind}`,
    kind,
    windowMs: kind === 'live' || kind === 'countries' ? 0 : WINDOW_MS,
    member: '',
    warning: undefined,
    critical: undefined,
    warningStops: false,
    criticalStops: true,
    amount: 0n,
    ...parts,
  }
}

export function fraudContract(at: () => World): void {
  const fraud = () => at().store.fraud
  const slotOf = (): FraudSlot => ({ scope: 'source', subject: at().name('192.0.2.1') })
  const begin = (slot: FraudSlot, checks: readonly FraudCheck[], parts: { ref?: string; leaseMs?: number } = {}) => {
    const { ref = createReference(), leaseMs = 60_000 } = parts
    return value(fraud().begin({ slot, ref, leaseMs, checks }))
  }

  it('MUST let as many calls begin as a critical level says, and count none that it stops', async () => {
    const slot = slotOf()
    const checks = [checkOf('calls', { warning: 1n, critical: 2n })]
    expect(await begin(slot, checks)).toMatchObject({ stopped: false, findings: [] })
    expect(await begin(slot, checks)).toMatchObject({
      stopped: false,
      findings: [{ index: 0, level: 'warning', value: 2n }],
    })
    for (let i = 0; i < 3; i++) {
      const stopped = { stopped: true, findings: [{ index: 0, level: 'critical', value: 3n }], undo: [] }
      expect(await begin(slot, checks)).toMatchObject(stopped)
    }
  })

  it('MUST tell the value, and count nothing, where every value is above', async () => {
    const slot = slotOf()
    const trial = [checkOf('calls', { critical: -1n, warningStops: true })]
    const told = { stopped: true, findings: [{ index: 0, level: 'critical', value: 1n }] }
    for (let i = 0; i < 2; i++) expect(await begin(slot, trial)).toMatchObject(told)
  })

  it('MUST let exactly so many of those begin that come at once', async () => {
    const slot = slotOf()
    const checks = [checkOf('live', { critical: 4n }), checkOf('calls', { critical: 100n })]
    const all = await Promise.all(Array.from({ length: 20 }, () => begin(slot, checks)))
    expect(all.filter(({ stopped }) => !stopped)).toHaveLength(4)
  })

  it('MUST forget a window by itself', async () => {
    const slot = slotOf()
    const checks = [checkOf('calls', { windowMs: 300, critical: 1n })]
    await begin(slot, checks)
    expect(await begin(slot, checks)).toMatchObject({ stopped: true })
    await at().until(async () => !(await begin(slot, checks)).stopped)
  })

  it('MUST find and count nothing when a reference comes again', async () => {
    const slot = slotOf()
    const checks = [checkOf('calls', { critical: 1n })]
    const ref = createReference()
    await begin(slot, checks, { ref })
    expect(await begin(slot, checks, { ref })).toMatchObject({ stopped: false, findings: [], undo: [] })
  })

  it('MUST count calls with a lease as long as it is renewed, and not beyond their end', async () => {
    const slot = slotOf()
    const checks = [checkOf('live', { critical: 1n })]
    const ref = createReference()
    await begin(slot, checks, { ref, leaseMs: 300 })
    expect(await begin(slot, checks)).toMatchObject({ stopped: true })
    expect(await value(fraud().live(slot, 'rule.live', 10))).toEqual([ref])
    expect(await value(fraud().renew({ slot, ref, counters: checks, leaseMs: 60_000 }))).toEqual([1n])
    await at().advance(360)
    expect(await begin(slot, checks)).toMatchObject({ stopped: true })
    const end = { slot, ref, counters: checks, talkMs: 0, price: 0n, short: [] }
    expect(await value(fraud().end(end))).toBe(true)
    expect(await value(fraud().end(end))).toBe(false)
    expect(await value(fraud().renew({ slot, ref, counters: checks, leaseMs: 60_000 }))).toEqual([0n])
    expect(await begin(slot, checks, { leaseMs: 200 })).toMatchObject({ stopped: false })
    await at().advance(260)
    expect(await value(fraud().live(slot, 'rule.live', 10))).toEqual([])
    expect(await begin(slot, checks)).toMatchObject({ stopped: false })
  })

  it('MUST take back what a cancelled call has counted, once', async () => {
    const slot = slotOf()
    const long = { windowMs: 60_000 }
    const checks = [
      checkOf('calls', { ...long, critical: 2n }),
      checkOf('live', { critical: 2n }),
      checkOf('sequence', { ...long, critical: 2n, member: '+491' }),
      checkOf('distinct', { ...long, critical: 2n, member: '+491' }),
    ]
    const other = checks.map((one) => (one.kind === 'distinct' ? { ...one, member: '+492' } : one))
    await begin(slot, checks)
    for (let i = 0; i < 5; i++) {
      const ref = createReference()
      const { undo, nowMs, stopped } = await begin(slot, other, { ref })
      expect(stopped).toBe(false)
      const cancel = { slot, ref, counters: other, undo, begunMs: nowMs }
      await value(fraud().cancel(cancel))
      await value(fraud().cancel(cancel))
    }
    expect(await begin(slot, other)).toMatchObject({ stopped: false, findings: [] })
    const third = other.map((one) => (one.kind === 'distinct' ? { ...one, member: '+493' } : one))
    const { findings } = await begin(slot, third)
    expect(findings.map(({ value }) => value)).toEqual([3n, 3n, 3n, 3n])
  })

  it('MUST count calls in a row to one number, anew with another or after a pause', async () => {
    const slot = slotOf()
    const to = (member: string) => [checkOf('sequence', { member, windowMs: 300, critical: 2n })]
    for (const number of ['1', '1', '2', '2', '1', '1']) {
      expect(await begin(slot, to(number))).toMatchObject({ stopped: false })
    }
    expect(await begin(slot, to('1'))).toMatchObject({ stopped: true, findings: [{ value: 3n }] })
    await at().advance(360)
    expect(await begin(slot, to('1'))).toMatchObject({ stopped: false })
  })

  it('MUST count distinct members of a window', async () => {
    const slot = slotOf()
    const to = (member: string) => [checkOf('distinct', { member, windowMs: 300, critical: 2n })]
    for (const number of ['1', '2', '1', '2']) expect(await begin(slot, to(number))).toMatchObject({ stopped: false })
    expect(await begin(slot, to('3'))).toMatchObject({ stopped: true, findings: [{ value: 3n }] })
    await at().advance(360)
    expect(await begin(slot, to('3'))).toMatchObject({ stopped: false })
  })

  it('MUST know the countries of the calls that run', async () => {
    const slot = slotOf()
    const from = (member: string) => [checkOf('countries', { member, critical: 1n })]
    const ref = createReference()
    await begin(slot, from('DE'), { ref })
    expect(await begin(slot, from('DE'))).toMatchObject({ stopped: false })
    expect(await begin(slot, from('FR'))).toMatchObject({ stopped: true, findings: [{ value: 2n }] })
    await value(fraud().end({ slot, ref, counters: from('DE'), talkMs: 0, price: 0n, short: [] }))
    expect(await begin(slot, from('FR'))).toMatchObject({ stopped: true })
  })

  it('MUST add talk, price and short calls of ended calls once', async () => {
    const slot = slotOf()
    const long = { windowMs: 60_000 }
    const checks = [
      checkOf('talk', { ...long, critical: 9_999n }),
      checkOf('spend', { ...long, critical: 2_000n, amount: 1n }),
      checkOf('short', { ...long, critical: 49n, amount: 2n }),
    ]
    const end = async (ref: string, short: boolean | undefined) =>
      value(
        fraud().end({
          slot,
          ref,
          counters: checks,
          talkMs: 5_000,
          price: 1_000n,
          short: [undefined, undefined, short],
        }),
      )
    const [first, second, third] = [createReference(), createReference(), createReference()]
    expect(await end(first, true)).toBe(true)
    expect(await end(first, true)).toBe(false)
    expect(await begin(slot, checks)).toMatchObject({ stopped: false, findings: [] })
    await end(second, false)
    await end(third, undefined)
    const { findings } = await begin(slot, checks)
    expect(findings.map(({ index, value }) => [index, value])).toEqual([
      [0, 15_000n],
      [1, 3_001n],
      [2, 50n],
    ])
    const ref = createReference()
    expect(await value(fraud().renew({ slot, ref, counters: checks, leaseMs: 1 }))).toEqual([15_000n, 3_000n, 0n])
  })

  it('MUST tell the price of a member that was not there before, and 0 of one that was', async () => {
    const slot = slotOf()
    const to = (member: string, amount: bigint) => [
      checkOf('fresh', { member, amount, windowMs: 60_000, critical: 9n }),
    ]
    expect(await begin(slot, to('+44', 9n))).toMatchObject({ stopped: false })
    expect(await begin(slot, to('+44', 90n))).toMatchObject({ stopped: false, findings: [] })
    expect(await begin(slot, to('+881', 90n))).toMatchObject({ stopped: true, findings: [{ value: 90n }] })
    expect(await begin(slot, to('+881', 90n))).toMatchObject({ stopped: true })
  })

  it('MUST check and count with the hold of an account, in one step', async () => {
    const account = at().name('acc')
    const terms = { currency: 'EUR', creditLimit: undefined, maxCalls: undefined, callsPerSecond: undefined }
    const request = (checks: readonly FraudCheck[], parts: Partial<HoldRequest> = {}): HoldRequest => ({
      account,
      ref: createReference(),
      sequence: 0,
      amount: 100n,
      answered: false,
      create: true,
      leaseMs: 60_000,
      terms: { ...terms, spendPerHour: undefined, spendPerDay: undefined },
      fraud: checks,
      ...parts,
    })
    const hold = (checks: readonly FraudCheck[], parts: Partial<HoldRequest> = {}) =>
      value(at().store.accounts.hold(request(checks, parts)))
    const checks = [checkOf('live', { warning: 0n, critical: 2n }), checkOf('spend', { critical: 1_000n })]
    const [first, ...more] = await Promise.all(Array.from({ length: 6 }, () => hold(checks)))
    expect(first).toMatchObject({ result: 'held', fraud: { stopped: false, findings: [{ level: 'warning' }] } })
    expect(more.filter(({ result }) => result === 'held')).toHaveLength(1)
    expect(more.at(-1)).toMatchObject({ result: 'refused', why: 'fraud', fraud: { stopped: true } })
    expect(await value(at().store.accounts.read(account, 0))).toMatchObject({ held: 200n, holds: 2 })
    const dear = await hold([checkOf('spend', { critical: 250n })])
    expect(dear).toMatchObject({ result: 'refused', why: 'fraud', fraud: { findings: [{ value: 300n }] } })
    const poor = await hold([checkOf('live', { critical: 9n })], {
      terms: { ...terms, creditLimit: 0n, spendPerHour: undefined, spendPerDay: undefined },
    })
    expect(poor).toMatchObject({ result: 'refused', why: 'credit' })
    const slot = { scope: 'account', subject: account }
    expect(await value(fraud().live(slot, 'rule.live', 10))).toHaveLength(2)
  })

  it('MUST block an account for a time, and lift that', async () => {
    const account = at().name('acc')
    const hold = (sequence = 0) =>
      value(
        at().store.accounts.hold({
          account,
          ref: `${createReference()}`,
          sequence,
          amount: 0n,
          answered: sequence > 0,
          create: true,
          leaseMs: 60_000,
          terms: {
            currency: '',
            creditLimit: 0n,
            maxCalls: undefined,
            callsPerSecond: undefined,
            spendPerHour: undefined,
            spendPerDay: undefined,
          },
        }),
      )
    const untilMs = await value(at().store.accounts.block(account, 60_000, 'rule'))
    expect(await value(at().store.accounts.block(account, 1_000, 'other'))).toBe(untilMs)
    expect(await value(at().store.accounts.read(account, 0))).toMatchObject({
      blockedUntilMs: untilMs,
      blockedBy: 'rule',
    })
    expect(await hold()).toMatchObject({ result: 'refused', why: 'blocked' })
    expect(await hold(1)).toMatchObject({ result: 'held' })
    expect(await value(at().store.accounts.unblock(account))).toBe(true)
    expect(await value(at().store.accounts.unblock(account))).toBe(false)
    expect(await hold()).toMatchObject({ result: 'held' })
    await value(at().store.accounts.block(account, 200, 'rule'))
    expect(await hold()).toMatchObject({ why: 'blocked' })
    await at().advance(260)
    expect(await hold()).toMatchObject({ result: 'held' })
  })

  it('MUST refuse what can not be a key', async () => {
    const bad = [
      { slot: { scope: 'source', subject: 'a}b' }, checks: [] },
      { slot: slotOf(), checks: [checkOf('calls', { counter: 'a b' })] },
      { slot: slotOf(), checks: [checkOf('distinct', { member: 'a b' })] },
    ]
    for (const { slot, checks } of bad) {
      const refused = await fraud().begin({ slot, ref: createReference(), leaseMs: 1, checks })
      expect(refused).toMatchObject({ state: 'notStored', reason: 'invalid' })
    }
  })
}
