// SPDX-License-Identifier: MIT
// Contract: watches of addresses-of-record. What a change of the bindings does to them is the point: it can't be missed.
import { expect, it } from 'vitest'
import type { LocationStore } from '../location-store.ts'
import { SHARDS, shardOf } from '../shard.ts'
import { contact, update, value, type World } from './world.ts'

const KEEP_MS = 60_000

/** A write from what is read now. */
async function write(store: LocationStore, aor: string, state: string, dueInMs = 30_000) {
  const { revision } = await value(store.readWatch(aor))
  return value(store.writeWatch({ aor, revision, state, dueInMs, keepMs: KEEP_MS }))
}

async function isDue(store: LocationStore, aor: string): Promise<boolean> {
  for (;;) {
    const { aors, more } = await value(store.claimWatches(shardOf(aor), 20_000, 100))
    if (aors.includes(aor)) return true
    if (!more) return false
  }
}

export function watchContract(at: () => World): void {
  it('MUST show bindings with their keys and ends, what was removed, and no watch where there is none', async () => {
    const store = at().store.location
    const aor = at().name('sip:watched')
    await value(store.register(update(aor, 1, [contact('sip:a@h'), contact('sip:b@h', { uriKey: 'key-b' })])))
    await value(store.register(update(aor, 2, [contact('sip:a@h', { expiresS: 0 })])))
    const watch = await value(store.readWatch(aor))
    expect(watch).toMatchObject({ revision: 0, state: '', removed: [{ uriKey: 'sip:a@h', callId: 'call-1', cseq: 2 }] })
    const [binding] = watch.bindings
    expect(binding).toMatchObject({ uri: 'sip:b@h', uriKey: 'key-b', callId: 'call-1', cseq: 1, expiresS: 60 })
    expect((binding?.untilMs ?? 0) - watch.nowMs).toBeGreaterThan(50_000)
    expect(await value(store.readWatch(at().name('sip:nobody')))).toMatchObject({
      bindings: [],
      removed: [],
      revision: 0,
    })
  })

  it('MUST write by compare-and-set on the revision, and begin anew with another one', async () => {
    const store = at().store.location
    const aor = at().name('sip:watched')
    expect(await write(store, aor, 'one')).toEqual({ written: true })
    const first = await value(store.readWatch(aor))
    expect(first).toMatchObject({ state: 'one' })
    const late = { aor, revision: 0, state: 'late', dueInMs: 0, keepMs: KEEP_MS }
    expect(await value(store.writeWatch(late))).toEqual({ written: false })
    expect(await write(store, aor, 'two \u2713')).toEqual({ written: true })
    expect(await value(store.writeWatch({ ...late, revision: first.revision }))).toEqual({ written: false })
    expect(await value(store.readWatch(aor))).toMatchObject({ state: 'two \u2713' })
    expect(await write(store, aor, '')).toEqual({ written: true })
    expect(await value(store.readWatch(aor))).toMatchObject({ state: '', revision: 0 })
    await at().advance(20)
    await write(store, aor, 'again')
    expect((await value(store.readWatch(aor))).revision).not.toBe(first.revision)
  })

  it('MUST make a watch due, and fail a write from before, when a binding is added, refreshed or removed', async () => {
    const store = at().store.location
    const aor = at().name('sip:watched')
    await write(store, aor, 'state')
    for (const [cseq, expiresS] of [
      [1, 60],
      [2, 60],
      [3, 0],
    ] as const) {
      const before = await value(store.readWatch(aor))
      const outcome = await value(store.register(update(aor, cseq, [contact('sip:a@h', { expiresS })])))
      expect(outcome).toMatchObject({ result: 'ok', watched: true })
      const stale = { aor, revision: before.revision, state: 'stale', dueInMs: 30_000, keepMs: KEEP_MS }
      expect(await value(store.writeWatch(stale))).toEqual({ written: false })
      expect(await isDue(store, aor)).toBe(true)
      await write(store, aor, 'state')
      expect(await isDue(store, aor)).toBe(false)
    }
  })

  it('MUST make it due when a binding expires or an administrator removes it', async () => {
    const store = at().store.location
    const [kicked, expired] = [at().name('sip:kicked'), at().name('sip:expired')]
    for (const [aor, expiresS] of [
      [kicked, 60],
      [expired, 1],
    ] as const) {
      await value(store.register(update(aor, 1, [contact('sip:a@h', { expiresS })])))
      await write(store, aor, 'state')
    }
    await value(store.removeBindings(kicked))
    expect(await isDue(store, kicked)).toBe(true)
    expect(await value(store.readWatch(kicked))).toMatchObject({ bindings: [], removed: [] })
    await at().advance(1_050)
    await at().until(async () => !(await value(store.expire(shardOf(expired), 100))).more)
    expect(await isDue(store, expired)).toBe(true)
  })

  it('MUST say nothing of watches where nobody watches, or nothing changed', async () => {
    const store = at().store.location
    const aor = at().name('sip:watched')
    const made = await value(store.register(update(aor, 1, [contact('sip:a@h')])))
    expect(made).not.toHaveProperty('watched')
    await write(store, aor, 'state')
    expect(await value(store.register(update(aor, 1, [contact('sip:a@h')])))).not.toHaveProperty('watched')
    expect(await value(store.register(update(aor, 2, [])))).not.toHaveProperty('watched')
    expect(await isDue(store, aor)).toBe(false)
  })

  it('MUST give a due watch to one claimer, to another after the lease, and forget it with its time', async () => {
    const store = at().store.location
    const aor = at().name('sip:watched')
    const shard = shardOf(aor)
    const claim = async () => (await value(store.claimWatches(shard, 300, 100))).aors.includes(aor)
    const { revision } = await value(store.readWatch(aor))
    await value(store.writeWatch({ aor, revision, state: 'state', dueInMs: 0, keepMs: 1_000 }))
    expect(await claim()).toBe(true)
    expect(await claim()).toBe(false)
    const { nextInMs } = await value(store.claimWatches(shard, 300, 100))
    expect(nextInMs).toBeGreaterThan(0)
    await at().advance(320)
    expect(await claim()).toBe(true)
    await at().advance(1_050)
    expect(await claim()).toBe(false)
    expect(await value(store.readWatch(aor))).toMatchObject({ state: '', revision: 0 })
  })

  it('MUST claim no more than asked for, and say so', async () => {
    const store = at().store.location
    const first = at().name('sip:many')
    const aors = [first]
    for (let i = 0; aors.length < 3 && i < 20 * SHARDS; i++) {
      const name = at().name('sip:many')
      if (shardOf(name) === shardOf(first)) aors.push(name)
    }
    for (const aor of aors) await write(store, aor, 'state', 0)
    const page = await value(store.claimWatches(shardOf(first), 20_000, 2))
    expect(page).toMatchObject({ more: true })
    expect(page.aors).toHaveLength(2)
    const rest = await value(store.claimWatches(shardOf(first), 20_000, 100))
    expect([...page.aors, ...rest.aors]).toEqual(expect.arrayContaining(aors))
  })
}
