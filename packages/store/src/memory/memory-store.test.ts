// SPDX-License-Identifier: MIT
// The memory store: the contract on a fake clock, its bounds, and that it lets go of everything in time.
import { describe, expect, it } from 'vitest'
import { contact, description, update, value } from '../contract/world.ts'
import { runStoreContract } from '../internal.ts'
import { createReference } from '../shard.ts'
import type { Store } from '../store.ts'
import { createMemoryStore, type MemoryLimits } from './memory-store.ts'

runStoreContract('memory, fake clock', async (settings) => {
  let nowMs = 1_700_000_000_000
  const store = createMemoryStore({ now: () => nowMs, settings })
  const advance = async (ms: number) => {
    nowMs += ms
    store.tick()
  }
  return { store, advance, close: () => store.close() }
})

const nonceUse = (name: string, ttlMs: number) => {
  return { nonceId: name, count: 1, transactionKey: name, ttlMs, user: name, source: 's' }
}

const newCall = (transactionKey: string) => ({
  transactionKey,
  owner: 'edge0.1',
  invite: new Uint8Array(0),
  upstream: undefined,
  plan: new Uint8Array(0),
  step: 0,
  branches: [],
  callRef: '',
  leaseMs: 180_000,
})

async function wholeCall(store: Store, name: string): Promise<void> {
  const { location, policy } = store
  const ref = createReference()
  const call = description(name)
  await policy.useNonce(nonceUse(name, 30_000))
  await policy.mint(name, { ref, decision: new Uint8Array(8), call, deadlineMs: 60_000 }, 180_000)
  await location.beginCall(newCall(name))
  await location.updateCall({ transactionKey: name, owner: 'edge0.1', epoch: 1, step: 0, branches: [] })
  await policy.answered(ref, { call, ageMs: 0, toTag: 'callee', status: 200, target: '' })
  await policy.releaseMint(name, 32_000)
  await location.endCall({ transactionKey: name, owner: 'edge0.1', epoch: 1, finalStatus: 200, keepMs: 32_000 })
  await policy.ended(ref, { call, ageMs: 0, fromTag: 'caller', toTag: 'callee', by: 'caller', status: 200, reason: '' })
}

describe('memory store', () => {
  it('holds no more after many calls than those of its longest time, without tick()', async () => {
    let nowMs = 1_700_000_000_000
    const store = createMemoryStore({ now: () => nowMs })
    const reader = store.policy.openRecords('sink', 'c')
    for (let i = 0; i < 3_000; i++) {
      nowMs += 100
      await wholeCall(store, `call-${i}`)
      const items = await value(reader.read(10))
      await value(reader.acknowledge(items.map((item) => item.id)))
    }
    const { transactionCount, mintCount, nonceCount, callCount, finishedCallCount, recordCount } = store.counts()
    expect({ transactionCount, mintCount, nonceCount, callCount }).toEqual({
      transactionCount: 320,
      mintCount: 320,
      nonceCount: 300,
      callCount: 0,
    })
    expect(finishedCallCount).toBeLessThanOrEqual(642) // finishedKeepMs, not the time that the mint was first given
    expect(recordCount).toBe(0)
  })

  it('is empty when all times are over', async () => {
    let nowMs = 1_700_000_000_000
    const store = createMemoryStore({ now: () => nowMs })
    for (let i = 0; i < 100; i++) {
      await wholeCall(store, `call-${i}`)
      await store.location.register(update(`sip:${i}@h`, 1, [contact('sip:a@h')]))
    }
    nowMs += 200_000
    store.tick()
    const { recordCount, ...others } = store.counts()
    expect(recordCount).toBe(100)
    expect(Object.entries(others).filter(([, count]) => count !== 0)).toEqual([])
  })

  it('answers without a promise', () => {
    const store = createMemoryStore({ now: () => 1 })
    expect(store.location.locate('sip:a@h')).toEqual({ state: 'stored', value: { bindings: [], version: 0n } })
  })

  const fills: { limit: Partial<MemoryLimits>; counter: string; fill: (store: Store, name: string) => unknown }[] = [
    {
      limit: { maxAors: 2 },
      counter: 'aorsRefused',
      fill: (store, name) => store.location.register(update(name, 1, [contact('sip:a@h')])),
    },
    {
      limit: { maxTransactions: 2 },
      counter: 'transactionsRefused',
      fill: (store, name) => store.location.beginCall(newCall(name)),
    },
    {
      limit: { maxMints: 2 },
      counter: 'mintsRefused',
      fill: ({ policy }, name) =>
        policy.mint(
          name,
          { ref: createReference(), decision: new Uint8Array(0), call: undefined, deadlineMs: 1 },
          1000,
        ),
    },
    {
      limit: { maxNonces: 2 },
      counter: 'noncesRefused',
      fill: (store, name) => store.policy.useNonce(nonceUse(name, 1000)),
    },
    {
      limit: { maxCalls: 2 },
      counter: 'callsRefused',
      fill: ({ policy }, name) =>
        policy.answered(createReference(), { call: description(name), ageMs: 0, toTag: 't', status: 200, target: '' }),
    },
  ]
  it.each(fills)('refuses beyond its bound and counts: $counter', async ({ limit, counter, fill }) => {
    const store = createMemoryStore({ now: () => 1_700_000_000_000, limits: limit })
    expect(await fill(store, 'a')).toMatchObject({ state: 'stored' })
    expect(await fill(store, 'b')).toMatchObject({ state: 'stored' })
    expect(await fill(store, 'c')).toMatchObject({ state: 'notStored', reason: 'full' })
    expect(store.counts()[counter]).toBe(1)
  })

  it('drops the oldest finished records beyond its bound, and counts them', async () => {
    const store = createMemoryStore({ now: () => 1_700_000_000_000, limits: { maxRecords: 16 } })
    const refs = Array.from({ length: 40 }, () => createReference())
    for (const ref of refs) {
      const report = { call: description(ref), ageMs: 0, status: 486, cause: 'rejected', reason: '' }
      await value(store.policy.failed(ref, report))
    }
    const items = await value(store.policy.openRecords('late', 'c').read(100))
    expect(items.at(-1)?.record.cdrId).toBe(refs.at(-1))
    expect(items.length).toBeLessThanOrEqual(18)
    expect(store.counts().recordsDropped).toBe(40 - items.length)
  })
})
