// SPDX-License-Identifier: MIT
// Contract: edge membership: leases, incarnations, revocation when the last stream of an edge closes, edges that are gone for good and the
// removal of their bindings. [DESIGN §4]
import { expect, it } from 'vitest'
import { shardOf } from '../shard.ts'
import type { Edge } from '../types.ts'
import { contact, update, urisOf, value, type World } from './world.ts'

function edge(name: string, incarnation: string, changes: Partial<Edge> = {}): Edge {
  const address = { internalAddress: '127.0.0.1', internalPort: 5150, listeners: ['udp:192.0.2.1:5060'] }
  return { id: `${name}.${incarnation}`, name, incarnation, ...address, draining: false, version: '0', ...changes }
}

export function membershipContract(at: () => World): void {
  leaseContract(at)
  revocationContract(at)
  goneContract(at)
  removalContract(at)
}

function lister(at: () => World) {
  return async (name: string) => {
    const { edges, unreachable, gone, revision } = await value(at().store.location.listEdges())
    const live = edges.find((one) => one.name === name)
    const lapsed = unreachable.find((one) => one.edge.name === name)?.edge
    return { live, lapsed, gone: gone.filter((id) => id.startsWith(`${name}.`)), revision }
  }
}

function leaseContract(at: () => World): void {
  const listed = lister(at)

  it('MUST list an edge that leases, and grow the revision for news only', async () => {
    const { store } = at()
    const name = at().name('edge')
    const joined = await value(store.location.leaseEdge(edge(name, '1'), 60_000))
    expect(joined.accepted).toBe(true)
    expect(joined.list.edges).toContainEqual(edge(name, '1'))
    const renewed = await value(store.location.leaseEdge(edge(name, '1'), 60_000))
    expect(renewed.list.revision).toBe(joined.list.revision)
    const draining = await value(store.location.leaseEdge(edge(name, '1', { draining: true }), 60_000))
    expect(draining.list.revision).toBeGreaterThan(joined.list.revision)
    expect(draining.list.edges).toContainEqual(edge(name, '1', { draining: true }))
    const keyed = await value(store.location.leaseEdge(edge(name, '1', { keyRing: '2:9f01c3aa' }), 60_000))
    expect(keyed.list.revision).toBeGreaterThan(draining.list.revision)
    expect(keyed.list.edges).toContainEqual(edge(name, '1', { keyRing: '2:9f01c3aa' }))
  })

  it('MUST replace an older incarnation and refuse it from then on', async () => {
    const { store } = at()
    const name = at().name('edge')
    await value(store.location.leaseEdge(edge(name, 'z'), 60_000))
    expect((await value(store.location.leaseEdge(edge(name, '10'), 60_000))).accepted).toBe(true)
    expect((await value(store.location.leaseEdge(edge(name, 'z'), 60_000))).accepted).toBe(false)
    expect((await listed(name)).live?.incarnation).toBe('10')
  })

  it('MUST take an edge off when it leaves, but not for an older incarnation', async () => {
    const { store } = at()
    const name = at().name('edge.eu')
    const { list } = await value(store.location.leaseEdge(edge(name, '2'), 60_000))
    await value(store.location.leaveEdge(`${name}.1`))
    expect((await listed(name)).live).toBeDefined()
    const left = await value(store.location.leaveEdge(`${name}.2`))
    expect(left.edges.find((one) => one.name === name)).toBeUndefined()
    expect(left.revision).toBeGreaterThan(list.revision)
  })

  it('MUST hold an edge unreachable when its lease ends, and forget it later', async () => {
    const { store } = at()
    const name = at().name('edge')
    const { list } = await value(store.location.leaseEdge(edge(name, '1'), 400))
    await at().until(async () => (await listed(name)).lapsed !== undefined)
    expect((await listed(name)).revision).toBeGreaterThan(list.revision)
    await at().until(async () => (await listed(name)).lapsed === undefined)
    expect((await listed(name)).live).toBeUndefined()
  })

  it('MUST freeze leases while nobody reaches the store', async () => {
    const { store } = at()
    const name = at().name('edge')
    await value(store.location.leaseEdge(edge(name, '1'), 600))
    await at().advance(1_400)
    expect((await listed(name)).live).toBeDefined()
    await at().until(async () => (await listed(name)).lapsed !== undefined)
  })
}

function revocationContract(at: () => World): void {
  const listed = lister(at)
  const join = async (): Promise<string> => {
    const name = at().name('edge')
    await value(at().store.location.leaseEdge(edge(name, '1'), 60_000))
    return name
  }

  it('MUST revoke a lease when the only stream of its edge closed, and give it back to the edge that renews', async () => {
    const { location } = at().store
    const name = await join()
    const node = at().name('node')
    await value(location.holdStreams({ node, streams: [{ peer: name, opened: 1 }] }))
    const before = (await listed(name)).revision
    const { revoked, list } = await value(location.revokeEdge(node, { peer: name, opened: 1 }))
    expect(revoked).toBe(true)
    expect(list.unreachable.map((one) => one.edge.id)).toContain(`${name}.1`)
    expect(list.revision).toBeGreaterThan(before)
    expect((await value(location.revokeEdge(node, { peer: name, opened: 1 }))).revoked).toBe(false)
    const back = await value(location.leaseEdge(edge(name, '1'), 60_000))
    expect(back.accepted).toBe(true)
    expect(back.list.revision).toBeGreaterThan(list.revision)
    expect((await listed(name)).live).toBeDefined()
  })

  it('MUST revoke nothing while another node holds a stream of the edge, by its name or its id', async () => {
    const { location } = at().store
    const name = await join()
    const [one, two, three] = [at().name('node'), at().name('node'), at().name('node')]
    await value(location.holdStreams({ node: one, streams: [{ peer: name, opened: 1 }] }))
    await value(location.holdStreams({ node: two, streams: [{ peer: name, opened: 9 }] }))
    await value(location.holdStreams({ node: three, streams: [{ peer: `${name}.1`, opened: 4 }] }))
    expect((await value(location.revokeEdge(one, { peer: name, opened: 1 }))).revoked).toBe(false)
    expect((await value(location.revokeEdge(two, { peer: name, opened: 9 }))).revoked).toBe(false)
    expect((await listed(name)).live).toBeDefined()
    expect((await value(location.revokeEdge(three, { peer: `${name}.1`, opened: 4 }))).revoked).toBe(true)
  })

  it('MUST revoke once when all streams close at once, whichever node asks last', async () => {
    const { location } = at().store
    const name = await join()
    const nodes = Array.from({ length: 5 }, () => at().name('node'))
    for (const node of nodes) await value(location.holdStreams({ node, streams: [{ peer: name, opened: 1 }] }))
    const asked = nodes.map((node) => location.revokeEdge(node, { peer: name, opened: 1 }))
    const revoked = (await Promise.all(asked.map((one) => value(one)))).filter((one) => one.revoked)
    expect(revoked).toHaveLength(1)
    expect((await listed(name)).lapsed).toBeDefined()
  })

  it('MUST let a stream that was opened again contradict a revocation that comes late', async () => {
    const { location } = at().store
    const name = await join()
    const node = at().name('node')
    await value(location.holdStreams({ node, streams: [{ peer: name, opened: 2 }] }))
    expect((await value(location.revokeEdge(node, { peer: name, opened: 1 }))).revoked).toBe(false)
    expect((await listed(name)).live).toBeDefined()
  })

  it('MUST take a node that says nothing any more for one without streams, and its end for no revocation', async () => {
    const { location } = at().store
    const name = await join()
    const [dead, living] = [at().name('node'), at().name('node')]
    await value(location.holdStreams({ node: dead, streams: [{ peer: name, opened: 1 }] }))
    await value(location.holdStreams({ node: living, streams: [{ peer: name, opened: 1 }] }))
    expect((await value(location.revokeEdge(living, { peer: name, opened: 1 }))).revoked).toBe(false)
    for (let i = 0; i < 5; i++) {
      await at().advance(200)
      expect((await listed(name)).live).toBeDefined()
    }
    expect((await value(location.revokeEdge(living, { peer: name, opened: 1 }))).revoked).toBe(true)
  })

  it('MUST forget the streams of a node that has none, and revoke nobody who is no member', async () => {
    const { location } = at().store
    const name = await join()
    const [one, two] = [at().name('node'), at().name('node')]
    await value(location.holdStreams({ node: one, streams: [{ peer: name, opened: 1 }] }))
    await value(location.holdStreams({ node: one, streams: [] }))
    expect((await value(location.revokeEdge(two, { peer: at().name('tool'), opened: 1 }))).revoked).toBe(false)
    expect((await value(location.revokeEdge(two, { peer: name, opened: 1 }))).revoked).toBe(true)
  })
}

function goneContract(at: () => World): void {
  const listed = lister(at)
  const claim = async (node: string, name: string): Promise<string> => {
    let claimed: string | undefined
    await at().until(async () => {
      claimed = await value(at().store.location.claimGone(node, 60_000))
      return claimed?.startsWith(`${name}.`) === true
    })
    return claimed as string
  }

  it('MUST name an older incarnation gone at once, and give its removal to one node at a time, twice', async () => {
    const { location } = at().store
    const [name, one, two] = [at().name('edge'), at().name('node'), at().name('node')]
    await value(location.leaseEdge(edge(name, '1'), 60_000))
    const { list } = await value(location.leaseEdge(edge(name, '2'), 60_000))
    expect(list.gone).toContain(`${name}.1`)
    const id = await claim(one, name)
    expect(id).toBe(`${name}.1`)
    expect(await value(location.claimGone(two, 60_000, id))).toBeUndefined()
    expect(await value(location.claimGone(one, 60_000, id))).toBe(id)
    expect((await value(location.settleGone(two, id))).gone).toContain(id)
    await value(location.settleGone(one, id))
    expect(await value(location.claimGone(two, 60_000, id))).toBeUndefined()
    expect((await listed(name)).gone).toEqual([id])
    expect(await claim(two, name)).toBe(id)
    expect((await value(location.settleGone(two, id))).gone).not.toContain(id)
    expect((await listed(name)).live?.id).toBe(`${name}.2`)
  })

  it('MUST give the removal to another node when the first one is silent', async () => {
    const { location } = at().store
    const [name, one, two] = [at().name('edge'), at().name('node'), at().name('node')]
    await value(location.leaseEdge(edge(name, '1'), 60_000))
    await value(location.leaseEdge(edge(name, '2'), 60_000))
    await at().until(async () => (await value(location.claimGone(one, 300))) === `${name}.1`)
    expect(await value(location.claimGone(two, 60_000))).not.toBe(`${name}.1`)
    expect(await claim(two, name)).toBe(`${name}.1`)
    expect(await value(location.claimGone(one, 300, `${name}.1`))).toBeUndefined()
    await value(location.settleGone(one, `${name}.1`))
    expect(await value(location.claimGone(two, 60_000, `${name}.1`))).toBe(`${name}.1`)
  })

  it('MUST name an edge gone that was unreachable for its time, and take it back when it comes back', async () => {
    const { location } = at().store
    const name = at().name('edge')
    await value(location.leaseEdge(edge(name, '1'), 200))
    await at().until(async () => (await listed(name)).lapsed !== undefined)
    expect((await listed(name)).gone).toEqual([])
    await at().until(async () => (await listed(name)).gone.length > 0)
    expect((await listed(name)).lapsed).toBeUndefined()
    expect((await value(location.leaseEdge(edge(name, '1'), 60_000))).accepted).toBe(true)
    expect(await listed(name)).toMatchObject({ gone: [], live: { id: `${name}.1` } })
  })

  it('MUST not take an edge back while its bindings are being removed', async () => {
    const { location } = at().store
    const [name, node] = [at().name('edge'), at().name('node')]
    await value(location.leaseEdge(edge(name, '1'), 200))
    const id = await claim(node, name)
    expect((await value(location.leaseEdge(edge(name, '1'), 60_000))).accepted).toBe(false)
    await value(location.settleGone(node, id))
    expect((await value(location.leaseEdge(edge(name, '1'), 60_000))).accepted).toBe(true)
    expect((await listed(name)).gone).toEqual([])
  })

  it('MUST keep what an edge that left has for as long, or until it starts anew', async () => {
    const { location } = at().store
    const [left, again] = [at().name('edge'), at().name('edge')]
    for (const name of [left, again]) {
      await value(location.leaseEdge(edge(name, '1'), 60_000))
      await value(location.leaveEdge(`${name}.1`))
      expect((await listed(name)).gone).toEqual([])
    }
    await value(location.leaseEdge(edge(again, '2'), 60_000))
    expect((await listed(again)).gone).toEqual([`${again}.1`])
    expect((await listed(left)).gone).toEqual([])
    await at().until(async () => (await listed(left)).gone.length > 0)
  })

  it('MUST count no time of an edge that is unreachable while nobody reaches the store', async () => {
    const name = at().name('edge')
    await value(at().store.location.leaseEdge(edge(name, '1'), 200))
    await at().until(async () => (await listed(name)).lapsed !== undefined)
    await at().advance(1_400)
    expect(await listed(name)).toMatchObject({ gone: [], lapsed: { name } })
    await at().until(async () => (await listed(name)).gone.length > 0)
  })
}

function removalContract(at: () => World): void {
  const flowOf = (edgeId: string, flowId = 1) => ({
    transport: 'tcp',
    address: '192.0.2.1',
    port: 40_000,
    edgeId,
    flowId,
  })
  const bindingsOf = async (aor: string): Promise<string[]> =>
    urisOf((await value(at().store.location.locate(aor))).bindings)

  it('MUST remove the bindings behind connections of an edge, none else, and tell the feed why', async () => {
    const { location } = at().store
    const [aor, mine, other] = [at().name('sip:alice'), `${at().name('edge')}.1`, `${at().name('edge')}.1`]
    const contacts = [
      contact('sip:a@h', { flow: flowOf(mine) }),
      contact('sip:b@h', { flow: flowOf(other) }),
      contact('sip:c@h', { flow: { ...flowOf(''), transport: 'udp', natEdge: mine } }),
      contact('sip:d@h', { flow: undefined }),
    ]
    await value(location.register(update(aor, 1, contacts)))
    const start = await value(location.readChanges(shardOf(aor), undefined, 10))
    const removal = await value(location.removeEdgeBindings(shardOf(aor), mine, 100))
    expect(removal).toEqual({ removed: 1, more: false, watched: false })
    expect(await bindingsOf(aor)).toEqual(['sip:d@h', 'sip:c@h', 'sip:b@h'])
    const { changes } = await value(location.readChanges(shardOf(aor), start.cursor, 100))
    const told = changes.filter((change) => change.aor === aor)
    expect(told.map(({ kind, contact: uri, cause }) => `${kind} ${uri} ${cause}`)).toEqual([
      'remove sip:a@h disconnect',
    ])
    expect(await value(location.removeEdgeBindings(shardOf(aor), mine, 100))).toMatchObject({ removed: 0 })
  })

  it('MUST find a binding where it is now: moved to another edge, refreshed, removed, kicked, run out', async () => {
    const { location } = at().store
    const [before, after] = [`${at().name('edge')}.1`, `${at().name('edge')}.1`]
    const on = (edgeId: string, more = {}) => [contact('sip:a@h', { flow: flowOf(edgeId), ...more })]
    const aors = ['moved', 'back', 'removed', 'kicked', 'star', 'lapsed'].map((what) => at().name(`sip:${what}`))
    const [moved, back, removed, kicked, star, lapsed] = aors as [string, string, string, string, string, string]
    for (const aor of aors)
      await value(location.register(update(aor, 1, on(before, aor === lapsed ? { expiresS: 1 } : {}))))
    for (const aor of [moved, back]) await value(location.register(update(aor, 2, on(after))))
    await value(location.register(update(back, 3, on(before, { flow: flowOf(before, 7) }))))
    await value(location.register(update(removed, 2, on(before, { expiresS: 0 }))))
    await value(location.register(update(star, 2, [], { removeAll: true })))
    await value(location.removeBindings(kicked))
    await at().until(async () => (await value(location.locate(lapsed))).bindings.length === 0)
    await value(location.expire(shardOf(lapsed), 100))
    const counted = new Map<string, number>()
    for (const edgeId of [before, after])
      for (const shard of new Set(aors.map(shardOf)))
        counted.set(
          edgeId,
          (counted.get(edgeId) ?? 0) + (await value(location.removeEdgeBindings(shard, edgeId, 100))).removed,
        )
    expect([counted.get(before), counted.get(after)]).toEqual([1, 1])
    for (const aor of aors) expect(await bindingsOf(aor)).toEqual([])
  })

  it('MUST remove a few at a time, all in the end, whatever addresses look like', async () => {
    const { location } = at().store
    const edgeId = `${at().name('edge')}.1`
    const shard = 17
    const aors: string[] = []
    for (let n = 0; aors.length < 25; n++) {
      const aor = [`sip:user-${n}@h`, `tel:+49${n}`, `sip::${n}@h`, `sip:tel:${n}@h`][n % 4] as string
      if (shardOf(aor) === shard) aors.push(aor)
    }
    await Promise.all(
      aors.map((aor) => value(location.register(update(aor, 1, [contact('sip:a@h', { flow: flowOf(edgeId) })])))),
    )
    let [removed, calls] = [0, 0]
    for (let more = true; more; calls++) {
      const removal = await value(location.removeEdgeBindings(shard, edgeId, 10))
      expect(removal.removed).toBeLessThanOrEqual(10)
      removed += removal.removed
      more = removal.more
    }
    expect([removed, calls]).toEqual([25, 3])
    for (const aor of aors) expect(await bindingsOf(aor)).toEqual([])
  })

  it('MUST make a watch of the address due', async () => {
    const { location } = at().store
    const [aor, edgeId] = [at().name('sip:alice'), `${at().name('edge')}.1`]
    await value(location.register(update(aor, 1, [contact('sip:a@h', { flow: flowOf(edgeId) })])))
    await value(location.writeWatch({ aor, revision: 0, state: 'x', dueInMs: 60_000, keepMs: 60_000 }))
    const { revision } = await value(location.readWatch(aor))
    expect(await value(location.removeEdgeBindings(shardOf(aor), edgeId, 10))).toMatchObject({
      removed: 1,
      watched: true,
    })
    expect((await value(location.readWatch(aor))).revision).toBeGreaterThan(revision)
    expect((await value(location.claimWatches(shardOf(aor), 5_000, 100))).aors).toContain(aor)
  })
}
