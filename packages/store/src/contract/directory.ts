// SPDX-License-Identifier: MIT
// Contract: the directory of calls in set-up.
import { expect, it } from 'vitest'
import type { Branch, NewCall } from '../types.ts'
import { value, type World } from './world.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)
const branch = (id: string, finalStatus = 0): Branch => ({
  id,
  uri: 'sip:bob@192.0.2.2',
  nextHop: { transport: 'udp', address: '192.0.2.2', port: 5060, edgeId: '', flowId: 0 },
  provisionalStatus: 180,
  finalStatus,
})

function newCall(transactionKey: string, changes: Partial<NewCall> = {}): NewCall {
  const upstream = { transport: 'udp', address: '192.0.2.1', port: 5060, edgeId: 'edge0.1', flowId: 3 }
  const base = {
    transactionKey,
    owner: 'edge0.1',
    invite: bytes(0, 255, 10),
    upstream,
    plan: bytes(1, 0, 128),
    step: 0,
  }
  return { ...base, branches: [branch('b1')], callRef: 'ref', leaseMs: 60_000, ...changes }
}

export function directoryContract(at: () => World): void {
  it('MUST create an entry once, tell others its owner, and keep every byte', async () => {
    const { store } = at()
    const key = at().name('tx')
    const first = await value(store.location.beginCall(newCall(key)))
    expect(first).toEqual({ created: true, repeated: false, owner: 'edge0.1', epoch: 1 })
    const other = await value(store.location.beginCall(newCall(key, { owner: 'edge1.1', invite: bytes(9) })))
    expect(other).toEqual({ created: false, repeated: false, owner: 'edge0.1', epoch: 1 })
    const again = await value(store.location.beginCall(newCall(key)))
    expect(again).toEqual({ created: true, repeated: true, owner: 'edge0.1', epoch: 1 })
    const { leaseMs: _lease, ...asked } = newCall(key)
    const entry = await value(store.location.readCall(key))
    const seen = entry && { ...entry, invite: Uint8Array.from(entry.invite), plan: Uint8Array.from(entry.plan) }
    expect(seen).toEqual({ ...asked, epoch: 1, finalStatus: 0 })
  })

  it('MUST add and change branches by id, in their order', async () => {
    const { store } = at()
    const key = at().name('tx')
    await value(store.location.beginCall(newCall(key)))
    const held = { transactionKey: key, owner: 'edge0.1', epoch: 1 }
    const more = { ...held, step: 1, branches: [branch('b2'), branch('b1', 486), branch('b3')] }
    expect(await value(store.location.updateCall(more))).toEqual({ held: true })
    expect(await value(store.location.updateCall(more))).toEqual({ held: true })
    const entry = await value(store.location.readCall(key))
    expect(entry?.branches).toEqual([branch('b1', 486), branch('b2'), branch('b3')])
    expect(entry?.step).toBe(1)
  })

  it('MUST hold only for owner and epoch', async () => {
    const { store } = at()
    const key = at().name('tx')
    await value(store.location.beginCall(newCall(key)))
    const fields = { transactionKey: key, step: 1, branches: [], finalStatus: 200, keepMs: 1000 }
    for (const who of [
      { owner: 'edge1.1', epoch: 1 },
      { owner: 'edge0.1', epoch: 2 },
    ]) {
      expect(await value(store.location.updateCall({ ...fields, ...who }))).toEqual({ held: false })
      expect(await value(store.location.endCall({ ...fields, ...who }))).toEqual({ held: false })
    }
    const missing = { ...fields, transactionKey: at().name('tx'), owner: 'edge0.1', epoch: 1 }
    expect(await value(store.location.updateCall(missing))).toEqual({ held: false })
  })

  it('MUST keep an ended entry for its time, repeat its end, and not begin it anew', async () => {
    const { store } = at()
    const key = at().name('tx')
    await value(store.location.beginCall(newCall(key)))
    const end = { transactionKey: key, owner: 'edge0.1', epoch: 1, finalStatus: 486, keepMs: 400 }
    expect(await value(store.location.endCall(end))).toEqual({ held: true })
    expect(await value(store.location.endCall({ ...end, finalStatus: 200 }))).toEqual({ held: true })
    expect((await value(store.location.readCall(key)))?.finalStatus).toBe(486)
    expect(await value(store.location.beginCall(newCall(key)))).toMatchObject({ created: false, owner: 'edge0.1' })
    await at().until(async () => (await value(store.location.readCall(key))) === undefined)
    expect(await value(store.location.beginCall(newCall(key)))).toMatchObject({ created: true, repeated: false })
  })

  it('MUST end an entry by its lease, and renew it by an update', async () => {
    const { store } = at()
    const key = at().name('tx')
    await value(store.location.beginCall(newCall(key, { leaseMs: 900 })))
    await at().advance(500)
    const renewal = { transactionKey: key, owner: 'edge0.1', epoch: 1, step: 0, branches: [] }
    expect(await value(store.location.updateCall(renewal))).toEqual({ held: true })
    await at().advance(500)
    expect(await value(store.location.readCall(key))).toBeDefined()
    await at().until(async () => (await value(store.location.readCall(key))) === undefined)
    expect(await value(store.location.updateCall(renewal))).toEqual({ held: false })
  })

  it('MUST let one edge adopt, with the next epoch, and fence the old owner', async () => {
    const { store } = at()
    const key = at().name('tx')
    await value(store.location.beginCall(newCall(key)))
    const adoption = { transactionKey: key, owner: 'edge0.1', epoch: 1, newOwner: 'edge1.1', leaseMs: 60_000 }
    const won = await value(store.location.adoptCall(adoption))
    expect(won).toMatchObject({ adopted: true, entry: { owner: 'edge1.1', epoch: 2, callRef: 'ref' } })
    const lost = await value(store.location.adoptCall({ ...adoption, newOwner: 'edge2.1' }))
    expect(lost).toMatchObject({ adopted: false, entry: { owner: 'edge1.1', epoch: 2 } })
    expect(await value(store.location.adoptCall(adoption))).toMatchObject({ adopted: true, entry: { epoch: 2 } })
    const fenced = { transactionKey: key, owner: 'edge0.1', epoch: 1, step: 0, branches: [] }
    expect(await value(store.location.updateCall(fenced))).toEqual({ held: false })
    const nobody = await value(store.location.adoptCall({ ...adoption, transactionKey: at().name('tx') }))
    expect(nobody).toEqual({ adopted: false, entry: undefined })
  })

  it('MUST keep nothing of an ended call but who owns it, its branches and how it ended', async () => {
    const { store } = at()
    const key = at().name('tx')
    const owner = at().name('edge')
    await value(store.location.beginCall(newCall(key, { owner })))
    await value(store.location.endCall({ transactionKey: key, owner, epoch: 1, finalStatus: 200, keepMs: 60_000 }))
    const entry = await value(store.location.readCall(key))
    expect([entry?.invite.length, entry?.plan.length, entry?.finalStatus, entry?.callRef]).toEqual([0, 0, 200, 'ref'])
    expect(await value(store.location.listOwned(owner, 10))).toEqual([])
    const adoption = { transactionKey: key, owner, epoch: 1, newOwner: `${owner}-2`, leaseMs: 60_000 }
    expect(await value(store.location.adoptCall(adoption))).toMatchObject({
      adopted: true,
      entry: { finalStatus: 200 },
    })
    expect(await value(store.location.listOwned(`${owner}-2`, 10))).toEqual([])
  })

  it('MUST move an adopted entry from the list of one edge to that of the other', async () => {
    const { store } = at()
    const key = at().name('tx')
    const owner = at().name('edge')
    await value(store.location.beginCall(newCall(key, { owner })))
    const adoption = { transactionKey: key, owner, epoch: 1, newOwner: `${owner}-2`, leaseMs: 60_000 }
    await value(store.location.adoptCall(adoption))
    expect(await value(store.location.listOwned(owner, 10))).toEqual([])
    expect((await value(store.location.listOwned(`${owner}-2`, 10))).map((one) => one.transactionKey)).toEqual([key])
  })

  it('MUST list what an edge owns, nearest deadline first', async () => {
    const { store } = at()
    const owner = at().name('edge')
    const keys = [at().name('tx'), at().name('tx'), at().name('tx')]
    const leases = [50_000, 30_000, 40_000]
    for (const [i, key] of keys.entries())
      await value(store.location.beginCall(newCall(key, { owner, leaseMs: leases[i] ?? 0 })))
    const owned = await value(store.location.listOwned(owner, 10))
    expect(owned.map((entry) => entry.transactionKey)).toEqual([keys[1], keys[2], keys[0]])
    expect(owned.every((entry) => entry.deadlineInMs > 20_000 && entry.deadlineInMs <= 50_000)).toBe(true)
    expect(await value(store.location.listOwned(owner, 1))).toHaveLength(1)
  })
}
