// SPDX-License-Identifier: MIT
// Contract: failures in windows, notes of successes, the list of bans.
import { expect, it } from 'vitest'
import type { BanKind, BanTarget, BanTerms } from '../ban-store.ts'
import { value, type World } from './world.ts'

const WINDOW_MS = 600
const TERMS: BanTerms = { firstMs: 300, maxMs: 1_000, forgetMs: 5_000, maxBans: 1_000 }

export function banContract(at: () => World): void {
  const bans = () => at().store.bans
  const target = (kind: BanKind): BanTarget => ({
    kind,
    source: kind === 'user' ? '' : at().name('source'),
    user: kind === 'source' ? '' : at().name('user'),
  })
  const failing = (user = at().name('user')) => {
    return (source: string, attempt: string) => value(bans().noteUserFailure({ user, source, attempt }, WINDOW_MS))
  }
  const CAP = { perUser: 2, keepMs: 60_000 }

  it('MUST count the failures of a user from each source and from all, each attempt once', async () => {
    const fail = failing()
    expect(await fail('a', '1')).toEqual({ pair: 1, user: 1 })
    expect(await fail('a', '1')).toEqual({ pair: 1, user: 1 })
    expect(await fail('a', '2')).toEqual({ pair: 2, user: 2 })
    expect(await fail('b', '2')).toEqual({ pair: 1, user: 3 })
    expect(await failing()('a', '3')).toEqual({ pair: 1, user: 1 })
  })

  it('MUST forget failures when their window is over', async () => {
    const fail = failing()
    await fail('a', '1')
    await at().advance(WINDOW_MS / 2)
    await fail('a', '2')
    await at().advance(WINDOW_MS / 2 + 100)
    expect((await fail('a', '3')).pair).toBeLessThan(3)
    await at().advance(WINDOW_MS + 100)
    expect(await fail('a', '4')).toEqual({ pair: 1, user: 1 })
  })

  it('MUST forget the failures of a user from there, and no others, when he proves himself', async () => {
    const user = at().name('user')
    const fail = failing(user)
    for (const attempt of ['1', '2']) await fail('a', attempt)
    await fail('b', '3')
    const use = { nonceId: at().name('nonce'), count: 1, transactionKey: 'tx', ttlMs: 60_000, user, source: 'a' }
    expect(await value(at().store.policy.useNonce(use))).toBe('fresh')
    expect(await fail('a', '4')).toEqual({ pair: 1, user: 2 })
    expect(await value(at().store.policy.useNonce({ ...use, transactionKey: 'replay' }))).toBe('replay')
    expect(await fail('a', '5')).toEqual({ pair: 2, user: 3 })
  })

  it('MUST count the failures of a source, one user for no more than his share once somebody proved himself there', async () => {
    const source = at().name('source')
    const fail = (user: string, attempt: string) =>
      value(bans().noteSourceFailure({ user, source, attempt }, WINDOW_MS * 10, CAP))
    for (const attempt of ['1', '2', '3']) await fail('one', attempt)
    expect(await fail('one', '3')).toBe(3)
    expect(await fail('two', '3')).toBe(4)
    await value(bans().noteGood(source, CAP.keepMs))
    expect(await fail('one', '4')).toBe(3)
    expect(await fail('two', '5')).toBe(4)
  })

  it('MUST know who proved himself', async () => {
    const mark = at().name('mark')
    expect(await value(bans().isGood(mark, 60_000))).toBe(false)
    await value(bans().noteGood(mark, 60_000))
    expect(await value(bans().isGood(mark, 60_000))).toBe(true)
    expect(await value(bans().isGood(at().name('mark'), 60_000))).toBe(false)
  })

  it('MUST let bans end by themselves and grow to their bound', async () => {
    const who = target('pair')
    const first = await value(bans().ban(who, TERMS))
    expect(first).toMatchObject({ ...who, level: 0, cause: 'failures' })
    expect(first.leftMs).toBeGreaterThan(200)
    expect((await value(bans().ban(who, TERMS))).revision).toBe(first.revision)
    for (const [level, lengthMs] of [
      [1, 600],
      [2, 1_000],
      [3, 1_000],
    ] as const) {
      await at().advance(lengthMs + 50)
      const next = await value(bans().ban(who, TERMS))
      expect(next).toMatchObject({ level, cause: 'failures' })
      expect(next.leftMs).toBeLessThanOrEqual(lengthMs)
      expect(next.leftMs).toBeGreaterThan(lengthMs - 200)
    }
  })

  it('MUST forget a ban some time after its end', async () => {
    const who = target('source')
    const terms = { ...TERMS, firstMs: 50, forgetMs: 200 }
    await value(bans().ban(who, terms))
    await at().advance(400)
    expect(await value(bans().ban(who, terms))).toMatchObject({ level: 0 })
  })

  it('MUST ban for as long as a person says, whatever there is', async () => {
    const who = target('source')
    await value(bans().ban(who, TERMS))
    const made = await value(bans().ban(who, { ...TERMS, exactMs: 60_000 }))
    expect(made.cause).toBe('admin')
    expect(made.leftMs).toBeGreaterThan(50_000)
  })

  it('MUST lift a ban once, with the failures that led to it', async () => {
    const who = target('pair')
    const fail = failing(who.user)
    await fail(who.source, '1')
    await value(bans().ban(who, TERMS))
    expect(await value(bans().lift(who))).toBe(true)
    expect(await value(bans().lift(who))).toBe(false)
    expect(await fail(who.source, '2')).toEqual({ pair: 1, user: 1 })
    expect(await value(bans().ban(who, TERMS))).toMatchObject({ level: 0 })
    expect(await value(bans().lift(target('user')))).toBe(false)
  })

  it('MUST give what changed in the order of its revisions, in parts', async () => {
    const [one, two, three] = [target('source'), target('user'), target('pair')]
    const start = (await value(bans().ban(target('source'), TERMS))).revision
    for (const who of [one, two, three]) await value(bans().ban(who, { ...TERMS, exactMs: 60_000 }))
    await value(bans().lift(one))
    const part = await value(bans().readBans(start, 2))
    expect(part).toMatchObject({ hasMore: true, bans: [two, three] })
    const rest = await value(bans().readBans(part.bans[1]?.revision ?? 0, 2))
    expect(rest).toMatchObject({ hasMore: false, bans: [{ ...one, cause: 'lifted', leftMs: 0 }] })
    expect(await value(bans().readBans(rest.bans[0]?.revision ?? 0, 2))).toEqual({ bans: [], hasMore: false })
  })

  it('MUST bound the list: those go that would be forgotten first', async () => {
    const few = { ...TERMS, maxBans: 2, forgetMs: 0 }
    const long = { ...few, exactMs: 100_000_000 }
    const [old, kept, last] = [target('source'), target('source'), target('source')]
    const start = (await value(bans().ban(old, few))).revision
    await value(bans().ban(kept, long))
    await value(bans().ban(last, long))
    const { bans: left } = await value(bans().readBans(start - 1, 100))
    expect(left).toMatchObject([kept, last])
  })

  it('MUST refuse names that can not be told apart', async () => {
    const bad = { user: 'a|b', source: 's', attempt: '1' }
    expect(await bans().noteUserFailure(bad, 1_000)).toMatchObject({ state: 'notStored', reason: 'invalid' })
    expect(await bans().ban({ kind: 'user', source: '', user: 'a\nb' }, TERMS)).toMatchObject({ state: 'notStored' })
  })
}
