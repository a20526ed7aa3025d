// SPDX-License-Identifier: MIT
// Contract: places of trunks, breakers of their hosts, quality, leased work, what they have registered. Not tested here: random ways
// (memory/trunk-places.test.ts, agreement), two policy nodes (services/policy/src/trunks).
import { expect, it } from 'vitest'
import { createReference } from '../shard.ts'
import type { AttemptBegin, AttemptEnd, BreakerTerms } from '../trunk-store.ts'
import { value, type World } from './world.ts'

export const TERMS: BreakerTerms = { failures: 3, windowMs: 5_000, openMs: 300, probeFailures: 2 }
const WINDOW_MS = 60_000

export function endOf(trunk: string, ref: string, parts: Partial<AttemptEnd> = {}): AttemptEnd {
  return {
    trunk,
    host: 'h:5060',
    ref,
    attempt: 0,
    keeps: false,
    seized: true,
    answered: false,
    effective: false,
    pddMs: undefined,
    health: 'neutral',
    breaker: TERMS,
    windowMs: WINDOW_MS,
    ...parts,
  }
}

export function trunkContract(at: () => World): void {
  const trunks = () => at().store.trunks
  const name = () => at().name('trunk')
  const begin = (trunk: string, parts: Partial<AttemptBegin> = {}) => {
    const bounds = { maxCalls: undefined, callsPerSecond: undefined, leaseMs: 60_000 }
    return value(trunks().beginAttempt({ trunk, ref: createReference(), attempt: 0, ...bounds, ...parts }))
  }
  const end = (trunk: string, ref: string, parts: Partial<AttemptEnd> = {}) =>
    value(trunks().endAttempt(endOf(trunk, ref, parts)))
  const view = (trunk: string, leaseMs = 60_000) => value(trunks().lookAt(trunk, WINDOW_MS, leaseMs, 100))
  const hostOf = async (trunk: string) => (await view(trunk)).hosts[0]

  it('MUST let exactly as many attempts begin at once as there are places', async () => {
    const trunk = name()
    const all = await Promise.all(Array.from({ length: 20 }, () => begin(trunk, { maxCalls: 4 })))
    expect(all.filter(({ refused }) => refused === '')).toHaveLength(4)
    expect(all.filter(({ refused }) => refused === 'calls')).toHaveLength(16)
    expect((await view(trunk)).calls).toBe(4)
  })

  it('MUST take one place for an attempt that begins again', async () => {
    const trunk = name()
    const ref = createReference()
    expect(await begin(trunk, { ref, maxCalls: 1, callsPerSecond: 1 })).toEqual({ refused: '', calls: 1 })
    expect(await begin(trunk, { ref, maxCalls: 1, callsPerSecond: 1 })).toEqual({ refused: '', calls: 1 })
    expect(await begin(trunk, { ref, attempt: 1, maxCalls: 1 })).toEqual({ refused: 'calls', calls: 1 })
  })

  it('MUST bound the begins of any second', async () => {
    const trunk = name()
    const all = await Promise.all(Array.from({ length: 6 }, () => begin(trunk, { callsPerSecond: 3 })))
    expect(all.filter(({ refused }) => refused === 'rate')).toHaveLength(3)
    await at().advance(1_100)
    expect(await begin(trunk, { callsPerSecond: 3 })).toMatchObject({ refused: '' })
  })

  it('MUST free the place of an attempt that failed, and that of an answered one with its call', async () => {
    const trunk = name()
    const [failed, answered] = [createReference(), createReference()]
    for (const ref of [failed, answered]) await begin(trunk, { ref, maxCalls: 2 })
    expect(await end(trunk, failed)).toEqual({ isFirst: true, changed: false, calls: 1 })
    expect(await end(trunk, failed)).toEqual({ isFirst: false, changed: false, calls: 1 })
    expect(await end(trunk, answered, { keeps: true, answered: true })).toMatchObject({ isFirst: true, calls: 1 })
    expect(await value(trunks().endCall(trunk, answered, 5_000, WINDOW_MS))).toBe(true)
    expect(await value(trunks().endCall(trunk, answered, 5_000, WINDOW_MS))).toBe(false)
    expect(await view(trunk)).toMatchObject({ calls: 0, quality: { ended: 1, talkMs: 5_000 } })
  })

  it('MUST NOT let an attempt begin that has ended, or whose call has', async () => {
    const trunk = name()
    const ref = createReference()
    await end(trunk, ref)
    expect(await begin(trunk, { ref })).toEqual({ refused: 'over', calls: 0 })
    expect(await begin(trunk, { ref, attempt: 1 })).toMatchObject({ refused: '' })
    await value(trunks().endCall(trunk, ref, undefined, WINDOW_MS))
    expect(await begin(trunk, { ref, attempt: 2 })).toEqual({ refused: 'over', calls: 0 })
  })

  it('MUST have each place looked at when its lease is over, once a lease, and keep it until it is freed', async () => {
    const trunk = name()
    const ref = createReference()
    await begin(trunk, { ref, leaseMs: 100, maxCalls: 1 })
    await begin(trunk, { ref, attempt: 3, leaseMs: 100 })
    await begin(trunk, { leaseMs: 60_000 })
    expect((await view(trunk)).due).toEqual([])
    await at().advance(150)
    expect(await begin(trunk, { maxCalls: 3 })).toMatchObject({ refused: 'calls' })
    expect(await view(trunk)).toMatchObject({ due: [ref], calls: 3 })
    expect(await view(trunk)).toMatchObject({ due: [], calls: 3 })
    await value(trunks().endCall(trunk, ref, undefined, WINDOW_MS))
    expect((await view(trunk)).calls).toBe(1)
  })

  it('MUST open the breaker of a host after failures in a row, and of no other', async () => {
    const trunk = name()
    const fail = (host = 'h:5060') => end(trunk, createReference(), { health: 'bad', host })
    await fail()
    await fail()
    await end(trunk, createReference(), { health: 'good' })
    await fail()
    await fail('other:5060')
    await fail()
    expect(await fail()).toMatchObject({ changed: true })
    const hosts = new Map((await view(trunk)).hosts.map((one) => [one.host, one]))
    expect(hosts.get('h:5060')).toMatchObject({ state: 'open', opened: 1 })
    expect(hosts.get('other:5060')).toMatchObject({ state: 'closed', failures: 1 })
  })

  it('MUST let one call try a host that was open long enough, and close or open by what comes of it', async () => {
    const trunk = name()
    const host = 'h:5060'
    const fail = () => end(trunk, createReference(), { health: 'bad' })
    for (let i = 0; i < 3; i++) await fail()
    expect(await value(trunks().claimTrial(trunk, host, 60_000))).toBe(false)
    expect(await end(trunk, createReference(), { health: 'good' })).toMatchObject({ changed: false })
    expect(await hostOf(trunk)).toMatchObject({ state: 'open' })
    await at().advance(350)
    expect(await hostOf(trunk)).toMatchObject({ state: 'half', leftMs: 0 })
    const claims = await Promise.all([1, 2, 3].map(() => value(trunks().claimTrial(trunk, host, 60_000))))
    expect(claims.filter(Boolean)).toHaveLength(1)
    expect(await fail()).toMatchObject({ changed: true })
    expect(await hostOf(trunk)).toMatchObject({ state: 'open', opened: 1 })
    await at().advance(350)
    expect(await value(trunks().claimTrial(trunk, host, 100))).toBe(true)
    await at().advance(150)
    expect(await value(trunks().claimTrial(trunk, host, 100))).toBe(true)
    expect(await end(trunk, createReference(), { health: 'good' })).toMatchObject({ changed: true })
    expect(await hostOf(trunk)).toMatchObject({ state: 'closed', failures: 0 })
  })

  it('MUST forget failures that lie too far apart', async () => {
    const trunk = name()
    const breaker = { ...TERMS, windowMs: 200 }
    for (let i = 0; i < 3; i++) {
      expect(await end(trunk, createReference(), { health: 'bad', breaker })).toMatchObject({ changed: false })
      await at().advance(220)
    }
    expect(await hostOf(trunk)).toMatchObject({ state: 'closed', failures: 1 })
  })

  it('MUST open and close by probes', async () => {
    const trunk = name()
    const probe = (good: boolean, status: number) =>
      value(trunks().noteProbe({ trunk, host: 'h:5060', good, status, tookMs: 7, breaker: TERMS }))
    expect(await probe(false, 0)).toBe(false)
    expect(await probe(true, 200)).toBe(false)
    expect(await probe(false, 503)).toBe(false)
    expect(await probe(false, 503)).toBe(true)
    expect(await hostOf(trunk)).toMatchObject({ state: 'open', probe: { good: false, status: 503, tookMs: 7 } })
    expect(await probe(true, 200)).toBe(false)
    await at().advance(350)
    expect(await probe(false, 0)).toBe(true)
    await at().advance(350)
    expect(await probe(true, 404)).toBe(true)
    expect(await hostOf(trunk)).toMatchObject({ state: 'closed', opened: 1, probe: { good: true, status: 404 } })
  })

  it('MUST sum quality over a window, each attempt once', async () => {
    const trunk = name()
    const ref = createReference()
    await end(trunk, ref, { answered: true, effective: true, keeps: true, pddMs: 120 })
    await end(trunk, ref, { answered: true, effective: true, keeps: true, pddMs: 120 })
    await end(trunk, createReference(), { effective: true, pddMs: 80 })
    await end(trunk, createReference(), {})
    await end(trunk, createReference(), { seized: false, answered: true })
    const sums = { seized: 3, answered: 1, effective: 2, ended: 0, talkMs: 0, rang: 2, pddMs: 200 }
    expect((await view(trunk)).quality).toEqual(sums)
    const short = name()
    await end(short, createReference(), { windowMs: 200 })
    expect((await value(trunks().lookAt(short, 200, 1, 1))).quality.seized).toBe(1)
    await at().advance(260)
    expect((await value(trunks().lookAt(short, 200, 1, 1))).quality.seized).toBe(0)
  })

  it('MUST tell which trunks to look at, in the order of revisions', async () => {
    const { revision } = await value(trunks().readNews(0))
    const [one, two] = [name(), name()]
    for (const trunk of [one, two, one]) await value(trunks().tell(trunk))
    const news = await value(trunks().readNews(revision))
    expect(news.trunks).toEqual([two, one])
    expect(await value(trunks().readNews(news.revision))).toEqual({ revision: news.revision, trunks: [] })
  })

  it('MUST give each piece of work to one asker for a lease', async () => {
    const [one, two] = [name(), name()]
    const claim = () => value(trunks().claimWork([one, two], 200))
    const all = await Promise.all([claim(), claim(), claim()])
    expect(all.flat().sort()).toEqual([one, two].sort())
    await value(trunks().planWork(one, 60_000))
    await at().advance(250)
    expect(await claim()).toEqual([two])
    await value(trunks().planWork(two, 0))
    expect(await claim()).toEqual([two])
  })

  it('MUST keep a state for whoever knows its version', async () => {
    const trunk = name()
    expect(await value(trunks().readState(trunk))).toEqual({ version: 0, text: '' })
    expect(await value(trunks().writeState(trunk, 0, '{"a": 1}'))).toBe(true)
    expect(await value(trunks().writeState(trunk, 0, 'late'))).toBe(false)
    expect(await value(trunks().readState(trunk))).toEqual({ version: 1, text: '{"a": 1}' })
    expect(await value(trunks().listStates())).toContain(trunk)
    expect(await value(trunks().writeState(trunk, 1, ''))).toBe(true)
    expect(await value(trunks().listStates())).not.toContain(trunk)
  })

  it('MUST count the uses of a nonce', async () => {
    const trunk = name()
    const use = (nonce: string) => value(trunks().countNonce(trunk, nonce, 60_000))
    expect((await Promise.all([use('a b'), use('a b'), use('a b')])).sort()).toEqual([1, 2, 3])
    expect(await use('c')).toBe(1)
  })

  it('MUST refuse what can not be a key', async () => {
    expect(await trunks().tell('a b')).toMatchObject({ state: 'notStored', reason: 'invalid' })
    expect(await trunks().endAttempt(endOf('t', 'a/b'))).toMatchObject({ state: 'notStored', reason: 'invalid' })
    expect(await trunks().endAttempt(endOf('t', 'ref', { host: 'a b' }))).toMatchObject({ reason: 'invalid' })
    const begin = { trunk: 't', ref: 'ref', attempt: 128, maxCalls: 1, callsPerSecond: 1, leaseMs: 1 }
    expect(await trunks().beginAttempt(begin)).toMatchObject({ reason: 'invalid' })
  })
}
