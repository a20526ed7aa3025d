// SPDX-License-Identifier: MIT
// Contract: bindings and their change feed. [RFC3261-10.3]
import { expect, it } from 'vitest'
import { SHARDS, shardOf } from '../shard.ts'
import type { ContactUpdate, RegisterOutcome } from '../types.ts'
import { contact, update, urisOf, value, type World } from './world.ts'

export function bindingContract(at: () => World): void {
  registerContract(at)
  roomContract(at)
  registrationContract(at)
  feedContract(at)
}

function registerContract(at: () => World): void {
  it('MUST store a contact and give it back with the seconds left, flow, path and parameters', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const flow = { transport: 'tcp', address: '2001:db8::1', port: 40000, edgeId: 'edge0.1', flowId: 4_294_967_295 }
    const extras = { flow, path: ['<sip:p1;lr>', '<sip:p2;lr>'], params: ';methods="INVITE, ü"', regId: 2 }
    const asked = contact('sip:a@192.0.2.1', {
      ...extras,
      qMilli: 500,
      instanceId: '<urn:uuid:1>',
      uri: 'sip:A@192.0.2.1',
    })
    const made = await value(store.location.register(update(aor, 7, [asked])))
    const { bindings, version } = await value(store.location.locate(aor))
    expect(made).toEqual({ result: 'ok', added: 1, bindings, version })
    expect(version).toBeGreaterThan(0n)
    const { uriKey: _key, ...shown } = asked
    expect(bindings).toEqual([{ ...shown, callId: 'call-1', cseq: 7, userAgent: 'phone/1', registrationHash: 7 }])
  })

  it('MUST keep which edge the NAT before a contact knows', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const flow = { transport: 'udp', address: '192.0.2.1', port: 40000, edgeId: '', flowId: 0, natEdge: 'edge-1.a' }
    await value(store.location.register(update(aor, 1, [contact('sip:a@10.0.0.5', { flow }), contact('sip:b@h')])))
    const { bindings } = await value(store.location.locate(aor))
    expect(bindings.find(({ uri }) => uri === 'sip:a@10.0.0.5')?.flow).toEqual(flow)
  })

  it('MUST answer a query without changing anything', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const made = await value(store.location.register(update(aor, 1, [contact('sip:a@h')])))
    expect(await value(store.location.register(update(aor, 1, [])))).toEqual({ ...made, added: 0 })
    expect(await value(store.location.locate(name('sip:nobody')))).toMatchObject({ bindings: [] })
  })

  it('MUST say how many bindings were not there before', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const ask = async (cseq: number, ...contacts: ReturnType<typeof contact>[]): Promise<unknown> =>
      value(store.location.register(update(aor, cseq, contacts)))
    const [one, two, three] = [contact('sip:a@h'), contact('sip:b@h'), contact('sip:c@h')]
    expect(await ask(1, one, two)).toMatchObject({ added: 2 })
    expect(await ask(1, one, two)).toMatchObject({ added: 0 }) // the same once more
    expect(await ask(2, one)).toMatchObject({ added: 0 })
    expect(await ask(3, one, three)).toMatchObject({ added: 1 })
    expect(await ask(4, contact('sip:b@h', { expiresS: 0 }))).toMatchObject({ added: 0 })
    expect(await ask(5, two)).toMatchObject({ added: 1 })
  })

  it('MUST order by q, then latest first', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const contacts = [contact('sip:a@h', { qMilli: 300 }), contact('sip:b@h'), contact('sip:c@h')]
    await value(store.location.register(update(aor, 1, contacts)))
    await value(store.location.register(update(aor, 2, [contact('sip:b@h')])))
    expect(urisOf((await value(store.location.locate(aor))).bindings)).toEqual(['sip:b@h', 'sip:c@h', 'sip:a@h'])
  })

  it('MUST refuse a lower CSeq of the same Call-ID as a whole, and take any CSeq of another', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    await value(store.location.register(update(aor, 5, [contact('sip:a@h')])))
    const late = update(aor, 4, [contact('sip:new@h'), contact('sip:a@h', { expiresS: 0 })])
    expect(await value(store.location.register(late))).toEqual({ result: 'outOfOrder' })
    const same = update(aor, 5, [contact('sip:a@h', { expiresS: 120 })])
    expect(await value(store.location.register(same))).toEqual({ result: 'outOfOrder' })
    expect(urisOf((await value(store.location.locate(aor))).bindings)).toEqual(['sip:a@h'])
    const other = update(aor, 1, [contact('sip:a@h', { expiresS: 120 })], { callId: 'call-2' })
    const { bindings } = (await value(store.location.register(other))) as { bindings: { expiresS: number }[] }
    expect(bindings.map((binding) => binding.expiresS)).toEqual([120])
  })

  it('MUST take the same update again as the same, also through another edge', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const first = await value(store.location.register(update(aor, 5, [contact('sip:a@h')])))
    const flow = { transport: 'udp', address: '192.0.2.1', port: 5060, edgeId: 'edge9.1', flowId: 7 }
    expect(await value(store.location.register(update(aor, 5, [contact('sip:a@h', { flow })])))).toEqual({
      ...first,
      added: 0,
    })
  })

  it('MUST remove on expires 0, remember the order for a late copy, and let the phone come back', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    await value(store.location.register(update(aor, 1, [contact('sip:a@h'), contact('sip:b@h')])))
    const gone = update(aor, 2, [contact('sip:a@h', { expiresS: 0 })])
    expect(await value(store.location.register(gone))).toMatchObject({ bindings: [{ uri: 'sip:b@h' }] })
    expect(await value(store.location.register(gone))).toMatchObject({ bindings: [{ uri: 'sip:b@h' }] })
    const lateCopy = update(aor, 1, [contact('sip:a@h')])
    expect(await value(store.location.register(lateCopy))).toEqual({ result: 'outOfOrder' })
    const back = await value(store.location.register(update(aor, 3, [contact('sip:a@h')])))
    expect(back).toMatchObject({ bindings: [{ uri: 'sip:a@h' }, { uri: 'sip:b@h' }] })
  })

  it('MUST remove all on *, unless a CSeq is out of order', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    await value(store.location.register(update(aor, 1, [contact('sip:a@h')])))
    await value(store.location.register(update(aor, 9, [contact('sip:b@h')])))
    const star = { removeAll: true }
    expect(await value(store.location.register(update(aor, 8, [], star)))).toEqual({ result: 'outOfOrder' })
    expect((await value(store.location.locate(aor))).bindings).toHaveLength(2)
    expect(await value(store.location.register(update(aor, 10, [], star)))).toMatchObject({ bindings: [] })
    expect(await value(store.location.register(update(aor, 10, [], star)))).toMatchObject({ bindings: [] })
  })

  it('MUST let the last of equal contacts of one request win', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const twice = [contact('sip:a@h', { qMilli: 1 }), contact('sip:a@h', { qMilli: 2 })]
    const made = await value(store.location.register(update(aor, 1, twice)))
    expect(made).toMatchObject({ bindings: [{ uri: 'sip:a@h', qMilli: 2 }] })
  })

  it('[RFC3261-10.3.7] MUST remove what is equal under another key in the same step, and know the repeat by what the phone said', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    await value(store.location.register(update(aor, 1, [contact('sip:a@h;ob'), contact('sip:b@h')])))
    const asked = [contact('sip:a@h')]
    const made = await value(
      store.location.register(update(aor, 2, asked, { alsoRemove: ['sip:a@h;ob', 'sip:none@h'] })),
    )
    if (made.result !== 'ok') throw new Error(made.result)
    expect(urisOf(made.bindings)).toEqual(['sip:a@h', 'sip:b@h'])
    expect(await value(store.location.register(update(aor, 2, asked)))).toEqual({ ...made, added: 0 })
    const late = update(aor, 1, [contact('sip:c@h')], { alsoRemove: ['sip:a@h'] })
    expect(await value(store.location.register(late))).toEqual({ result: 'outOfOrder' })
  })

  it('[RFC3261-10.3.7] MUST change nothing before what may be equal was compared: the same user, host and port under another key', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const flow = contact('sip:a@h;ob', { uriKey: 'flow:1;<urn:uuid:1>', instanceId: '<urn:uuid:1>', regId: 1 })
    const held = ['sip:a@h;ob', 'sip:a@h:5070', 'sip:b;x@h?subject=1'].map((uri) => contact(uri))
    const made = await value(store.location.register(update(aor, 1, [...held, flow])))
    if (made.result !== 'ok') throw new Error(made.result)
    const ask = async (cseq: number, uri: string, more: { differ?: string[]; alsoRemove?: string[] }, expiresS = 60) =>
      value(store.location.register(update(aor, cseq, [contact(uri, { expiresS })], more)))
    for (const [uri, expiresS] of [
      ['sip:a@h', 60],
      ['sip:a@h;lr', 0],
      ['sip:b;x@h', 60],
      ['sip:a@h:5070?x=1', 60],
    ] as const)
      expect(await ask(2, uri, { differ: [] }, expiresS)).toEqual({
        bindings: made.bindings,
        version: made.version,
        result: 'compare',
      })
    expect(await ask(2, 'sip:a@h', { differ: ['sip:a@h:5070'] })).toMatchObject({ result: 'compare' })
    expect(await ask(2, 'sip:a@h', { differ: ['sip:none@h', 'sip:a@h;ob'] })).toMatchObject({ result: 'ok' })
    expect(await ask(3, 'sip:a@h;ob', { differ: [] })).toMatchObject({ result: 'ok' }) // a refresh
    expect(await ask(4, 'sip:b@h', { differ: [] })).toMatchObject({ result: 'ok' }) // another user
    const last = await ask(5, 'sip:b;x@h', { differ: [], alsoRemove: ['sip:b;x@h?subject=1'] })
    if (last.result !== 'ok') throw new Error(last.result)
    expect(urisOf(last.bindings)).toEqual([
      'sip:b;x@h',
      'sip:b@h',
      'sip:a@h;ob',
      'sip:a@h',
      'sip:a@h;ob',
      'sip:a@h:5070',
    ])
  })
}

function roomContract(at: () => World): void {
  it('MUST refuse more contacts than allowed as a whole, and never a refresh or removal', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const two = { maxContacts: 2 }
    const three = [contact('sip:a@h'), contact('sip:b@h'), contact('sip:c@h')]
    expect(await value(store.location.register(update(aor, 1, three, two)))).toEqual({ result: 'tooMany' })
    expect((await value(store.location.locate(aor))).bindings).toEqual([])
    await value(store.location.register(update(aor, 2, three, { maxContacts: 3 })))
    const refresh = await value(store.location.register(update(aor, 3, [contact('sip:a@h')], two)))
    expect(refresh).toMatchObject({ result: 'ok' })
    const swap = [contact('sip:a@h', { expiresS: 0 }), contact('sip:d@h')]
    expect(await value(store.location.register(update(aor, 4, swap, two)))).toMatchObject({ result: 'ok' })
    const one = await value(store.location.register(update(aor, 5, [contact('sip:e@h')], two)))
    expect(one).toEqual({ result: 'tooMany' })
  })

  const replacing = { maxContacts: 2, replaceOldest: true }

  it('MUST let the new take the place of those updated longest ago, and tell the feed', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    await value(store.location.register(update(aor, 1, [contact('sip:a@h', { qMilli: 1 }), contact('sip:b@h')])))
    await value(store.location.register(update(aor, 2, [contact('sip:a@h', { qMilli: 1 })])))
    const start = await value(store.location.readChanges(shardOf(aor), undefined, 10))
    const third = update(aor, 1, [contact('sip:c@h')], { ...replacing, callId: 'call-2' })
    expect(bindingUris(await value(store.location.register(third)))).toEqual(['sip:c@h', 'sip:a@h'])
    const page = await value(store.location.readChanges(shardOf(aor), start.cursor, 100))
    expect(page.changes.filter((change) => change.aor === aor).map(({ kind }) => kind)).toEqual(['add', 'remove'])
    expect(bindingUris(await value(store.location.register(third)))).toEqual(['sip:c@h', 'sip:a@h'])
  })

  it('MUST remember of a replaced binding its own order: a late copy changes nothing, the next refresh is taken', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const ofA = (cseq: number) => update(aor, cseq, [contact('sip:a@h')], { ...replacing, callId: 'call-a' })
    await value(store.location.register(ofA(4)))
    await value(store.location.register(update(aor, 1, [contact('sip:b@h'), contact('sip:c@h')], replacing)))
    expect(bindingUris(await value(store.location.register(ofA(4))))).toEqual(['sip:c@h', 'sip:b@h'])
    expect(await value(store.location.register(ofA(3)))).toEqual({ result: 'outOfOrder' })
    expect(bindingUris(await value(store.location.register(ofA(5))))).toEqual(['sip:a@h', 'sip:c@h'])
  })

  it('MUST refuse an update that is too large by itself, and never replace for a refresh or a removal', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const three = [contact('sip:a@h'), contact('sip:b@h'), contact('sip:c@h')]
    expect(await value(store.location.register(update(aor, 1, three, replacing)))).toEqual({ result: 'tooMany' })
    await value(store.location.register(update(aor, 2, three)))
    const refresh = update(aor, 3, [contact('sip:a@h')], replacing)
    expect(bindingUris(await value(store.location.register(refresh)))).toEqual(['sip:a@h', 'sip:c@h', 'sip:b@h'])
    const gone = update(aor, 4, [contact('sip:a@h', { expiresS: 0 })], replacing)
    expect(bindingUris(await value(store.location.register(gone)))).toEqual(['sip:c@h', 'sip:b@h'])
    const equal = update(aor, 5, [contact('sip:b@h;x')], { ...replacing, alsoRemove: ['sip:b@h'] })
    expect(bindingUris(await value(store.location.register(equal)))).toEqual(['sip:b@h;x', 'sip:c@h'])
  })

  it('MUST let two that race for the last place leave one binding too many to neither', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    await value(store.location.register(update(aor, 1, [contact('sip:a@h')])))
    const racing = ['b', 'c'].map(async (user) =>
      store.location.register(update(aor, 1, [contact(`sip:${user}@h`)], { ...replacing, callId: user })),
    )
    for (const outcome of await Promise.all(racing)) expect(outcome.state).toBe('stored')
    expect(urisOf((await value(store.location.locate(aor))).bindings).sort()).toEqual(['sip:b@h', 'sip:c@h'])
  })
}

function registrationContract(at: () => World): void {
  const flow = (regId: number, more = {}) =>
    contact(`sip:a@h:${regId}`, { uriKey: `flow:${regId};urn:1`, instanceId: 'urn:1', regId, ...more })
  const numbersOf = (outcome: RegisterOutcome) =>
    outcome.result === 'ok' ? outcome.bindings.map(({ uri, registrationHash }) => `${uri} ${registrationHash}`) : []

  it('[RFC5627-5.1] MUST keep one registration of an instance through refreshes and further flows', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const register = async (cseq: number, contacts: ContactUpdate[], callId: string) =>
      numbersOf(await value(store.location.register(update(aor, cseq, contacts, { callId, registrationHash: cseq }))))
    expect(await register(1, [flow(1)], 'x')).toEqual(['sip:a@h:1 1'])
    expect(await register(2, [flow(1)], 'x')).toEqual(['sip:a@h:1 1'])
    expect(await register(30, [flow(2)], 'y')).toEqual(['sip:a@h:2 1', 'sip:a@h:1 1'])
    expect(await register(3, [flow(1, { expiresS: 0 })], 'x')).toEqual(['sip:a@h:2 1'])
    expect(await register(31, [flow(2), contact('sip:plain@h')], 'y')).toEqual(['sip:plain@h 0', 'sip:a@h:2 1'])
  })

  it('[RFC5627-5.1] MUST begin another one for all its bindings when a flow comes with another Call-ID', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const register = async (cseq: number, contacts: ContactUpdate[], callId: string) =>
      numbersOf(await value(store.location.register(update(aor, cseq, contacts, { callId, registrationHash: cseq }))))
    await register(1, [flow(1)], 'x')
    await register(2, [flow(2)], 'y')
    await register(3, [contact('sip:other@h', { instanceId: 'urn:2' })], 'z')
    expect(await register(4, [flow(1)], 'new')).toEqual(['sip:a@h:1 4', 'sip:other@h 3', 'sip:a@h:2 4'])
  })

  it('[RFC5627-5.1] MUST compare with the binding of the instance last updated where there is no flow', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const at1 = (port: number) => contact(`sip:a@h:${port}`, { instanceId: 'urn:1' })
    const register = async (cseq: number, port: number, callId: string) =>
      numbersOf(
        await value(store.location.register(update(aor, cseq, [at1(port)], { callId, registrationHash: cseq }))),
      )
    expect(await register(1, 1, 'x')).toEqual(['sip:a@h:1 1'])
    expect(await register(2, 2, 'x')).toEqual(['sip:a@h:2 1', 'sip:a@h:1 1'])
    expect(await register(7, 3, 'y')).toEqual(['sip:a@h:3 7', 'sip:a@h:2 7', 'sip:a@h:1 7'])
  })

  it('[RFC5627-5.3] MUST begin another one after the last binding has gone, with the same Call-ID too', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    await value(store.location.register(update(aor, 1, [flow(1)], { registrationHash: 11 })))
    await value(store.location.register(update(aor, 2, [flow(1, { expiresS: 0 })], { registrationHash: 12 })))
    const again = await value(store.location.register(update(aor, 3, [flow(1)], { registrationHash: 13 })))
    expect(numbersOf(again)).toEqual(['sip:a@h:1 13'])
  })
}

function feedContract(at: () => World): void {
  it('MUST end bindings by store time, tell the feed, and never take a version back', async () => {
    const world = at()
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const shard = shardOf(aor)
    const start = await value(store.location.readChanges(shard, undefined, 10))
    const made = await value(store.location.register(update(aor, 1, [contact('sip:a@h', { expiresS: 1 })])))
    await value(store.location.register(update(aor, 2, [contact('sip:b@h', { expiresS: 1 })])))
    await world.advance(1_050)
    expect((await value(store.location.locate(aor))).bindings).toEqual([])
    await world.until(async () => !(await value(store.location.expire(shard, 100))).more)
    const page = await value(store.location.readChanges(shard, start.cursor, 100))
    const ours = page.changes.filter((change) => change.aor === aor)
    expect(ours.map((change) => change.kind)).toEqual(['add', 'add', 'expire', 'expire'])
    expect(ours.slice(2).map(({ contact, cause }) => `${contact} ${cause}`)).toEqual([
      'sip:a@h expiry',
      'sip:b@h expiry',
    ])
    expect(page.gap).toBe(false)
    const after = await value(store.location.locate(aor))
    expect(after.version).toBeGreaterThanOrEqual(ours.at(-1)?.version ?? 0n)
    const again = await value(store.location.register(update(aor, 1, [contact('sip:a@h')])))
    if (again.result !== 'ok' || made.result !== 'ok') throw new Error('refused')
    expect(again.version).toBeGreaterThan(after.version)
  })

  it('MUST tell add, refresh and remove in order, page by page, and mark a gap', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const shard = shardOf(aor)
    const start = await value(store.location.readChanges(shard, undefined, 10))
    await value(store.location.register(update(aor, 1, [contact('sip:a@h')])))
    await value(store.location.register(update(aor, 2, [contact('sip:a@h')])))
    await value(store.location.register(update(aor, 3, [contact('sip:a@h', { expiresS: 0 })])))
    const first = await value(store.location.readChanges(shard, start.cursor, 2))
    const second = await value(store.location.readChanges(shard, first.cursor, 2))
    const kinds = [...first.changes, ...second.changes].map((change) => change.kind)
    expect(kinds).toEqual(['add', 'refresh', 'remove'])
    expect(first.changes[0]).toMatchObject({ aor, contact: 'sip:a@h', cause: 'register' })
    expect(second.changes[0]).toMatchObject({ aor, contact: 'sip:a@h', cause: 'unregister' })
    expect(await value(store.location.readChanges(shard, second.cursor, 2))).toMatchObject({ changes: [], gap: false })
    for (let cseq = 4; cseq < 504; cseq++) await value(store.location.register(update(aor, cseq, [contact('sip:a@h')])))
    expect(await value(store.location.readChanges(shard, first.cursor, 1))).toMatchObject({ gap: true })
  })

  it('MUST remove all bindings for an administrator', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    await value(store.location.register(update(aor, 1, [contact('sip:a@h'), contact('sip:b@h')])))
    expect(await value(store.location.removeBindings(aor))).toEqual({ removed: 2 })
    expect(await value(store.location.removeBindings(aor))).toEqual({ removed: 0 })
    expect((await value(store.location.locate(aor))).bindings).toEqual([])
  })

  it('MUST remove for an administrator what is named, flows too, and say which and why', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const flow = { uriKey: 'flow:1;<urn:uuid:1>', instanceId: '<urn:uuid:1>', regId: 1 }
    const contacts = [contact('sip:a@h;transport=tcp', flow), contact('sip:b@h'), contact('sip:c@h')]
    await value(store.location.register(update(aor, 1, contacts)))
    const start = await value(store.location.readChanges(shardOf(aor), undefined, 10))
    const named = ['flow:1;<urn:uuid:1>', 'sip:c@h', 'sip:nobody@h']
    expect(await value(store.location.removeBindings(aor, named))).toEqual({ removed: 2 })
    expect(urisOf((await value(store.location.locate(aor))).bindings)).toEqual(['sip:b@h'])
    const page = await value(store.location.readChanges(shardOf(aor), start.cursor, 100))
    const ours = page.changes.filter((change) => change.aor === aor)
    expect(ours.map(({ kind, contact, cause }) => `${kind} ${contact} ${cause}`)).toEqual([
      'remove sip:a@h;transport=tcp kick',
      'remove sip:c@h kick',
    ])
  })

  it('MUST say of each change what it was about: a contact in the place of another', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    await value(store.location.register(update(aor, 1, [contact('sip:a@h;x'), contact('sip:b@h')])))
    const start = await value(store.location.readChanges(shardOf(aor), undefined, 10))
    const equal = { alsoRemove: ['sip:a@h;x'], maxContacts: 2, replaceOldest: true, callId: 'call-2' }
    await value(store.location.register(update(aor, 1, [contact('sip:a@h'), contact('sip:c@h')], equal)))
    const page = await value(store.location.readChanges(shardOf(aor), start.cursor, 100))
    const ours = page.changes.filter((change) => change.aor === aor)
    expect(ours.map(({ kind, contact, cause }) => `${kind} ${contact} ${cause}`).sort()).toEqual([
      'add sip:a@h register',
      'add sip:c@h register',
      'remove sip:a@h;x replace',
      'remove sip:b@h replace',
    ])
  })

  it('MUST list and count addresses-of-record, those with a binding alone', async () => {
    const world = at()
    const { store, name } = open(at)
    const domain = `${name('d')}.test`
    const aors = ['a', 'b', 'gone', 'brief'].map((user) => `sip:${user}@${domain}`)
    for (const aor of aors)
      await value(
        store.location.register(
          update(aor, 1, [contact('sip:a@h', { expiresS: aor.startsWith('sip:brief') ? 1 : 60 })]),
        ),
      )
    await value(store.location.register(update(`sip:gone@${domain}`, 2, [contact('sip:a@h', { expiresS: 0 })])))
    await world.advance(1_050)
    const shards = Array.from({ length: SHARDS }, (_, shard) => shard)
    const listed = await Promise.all(shards.map(async (shard) => value(store.location.listAors(shard))))
    expect(listed.flat()).toEqual(expect.arrayContaining(aors.slice(0, 2)))
    const counted = async (asked: string) => {
      const counts = await Promise.all(shards.map(async (shard) => value(store.location.countAors(shard, asked))))
      return counts.reduce((sum, count) => sum + count, 0)
    }
    expect(await counted(domain)).toBe(2)
    expect(await counted(`x${domain}`)).toBe(0)
    expect(await counted('')).toBeGreaterThanOrEqual(2)
  })

  it('MUST give back whatever a phone may write, byte for byte', async () => {
    const { store, name } = open(at)
    const aor = name('sip:alice')
    const odd = contact('sip:a@h;ob;transport=tcp', {
      uriKey: 'flow:3;<urn:uuid:f81d4fae>',
      instanceId: '<urn:uuid:f81d4fae>',
      regId: 3,
      params: ';methods="INVITE, ACK";x="a\u0001b\tc"',
      path: ['<sip:p;lr;ob>', '"\u001f" <sip:q>'],
      flow: { transport: 'wss', address: '::1', port: 443, edgeId: 'e.1', flowId: 0, natEdge: 'n.1' },
    })
    const plain = contact('sip:b@h', { instanceId: 'flow:1;x', regId: 0, flow: undefined })
    const userAgent = '\u0002INVITE ü \\ "x"'
    await value(store.location.register(update(aor, 1, [odd, plain], { userAgent })))
    const { bindings } = await value(store.location.locate(aor))
    const shown = [plain, odd].map(({ uriKey: _key, ...rest }) => rest)
    expect(bindings).toMatchObject(shown.map((one) => ({ ...one, userAgent })))
  })

  it('MUST serve many updates of one turn, on all shards', async () => {
    const { store, name } = open(at)
    const aors = Array.from({ length: 2 * SHARDS }, () => name('sip:many'))
    const results = await Promise.all(
      aors.map(async (aor) => store.location.register(update(aor, 1, [contact('sip:a@h')]))),
    )
    expect(results.every((result) => result.state === 'stored')).toBe(true)
    expect(new Set(aors.map(shardOf)).size).toBeGreaterThan(SHARDS / 2)
  })
}

function open(at: () => World) {
  const world = at()
  return { store: world.store, name: (kind: string) => world.name(kind) }
}

function bindingUris(outcome: RegisterOutcome): string[] {
  return outcome.result === 'ok' ? urisOf(outcome.bindings) : [outcome.result]
}
