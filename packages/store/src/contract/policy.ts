// SPDX-License-Identifier: MIT
// Contract: minted references, nonce counts, calls on record and their due work.
import { expect, it } from 'vitest'
import { createReference, shardOfReference } from '../shard.ts'
import type { CallRecord } from '../types.ts'
import { CONTRACT_SETTINGS, description, passing, value, type World } from './world.ts'

const decision = (text: string) => Buffer.from(text)

export function mintContract(at: () => World): void {
  const proposal = (text = 'plan', ref = createReference()) => ({
    ref,
    decision: decision(text),
    call: description(at().name('call')),
    deadlineMs: 60_000,
  })

  it('MUST give a repeat the reference and decision of the first, and a later call its own', async () => {
    const { policy } = at().store
    const key = at().name('tx')
    const first = proposal('\u0000first')
    expect(await value(policy.mint(key, first, 60_000))).toMatchObject({ ref: first.ref, replayed: false })
    const again = await value(policy.mint(key, proposal('second'), 60_000))
    expect(again).toMatchObject({ ref: first.ref, replayed: true })
    expect(Buffer.from(again.decision).toString()).toBe('\u0000first')
    const read = await value(policy.readMint(key))
    expect(read?.ref).toBe(first.ref)
    expect(Buffer.from(read?.decision ?? '').toString()).toBe('\u0000first')
    expect(await value(policy.readMint(at().name('tx')))).toBeUndefined()
    expect(await value(policy.releaseMint(key, 200))).toBe(true)
    await at().advance(260)
    const later = proposal('third')
    expect(await value(policy.mint(key, later, 60_000))).toMatchObject({ ref: later.ref, replayed: false })
    expect(await value(policy.releaseMint(at().name('tx'), 200))).toBe(false)
  })

  it('MUST open one call on record, and none for a decision without a call', async () => {
    const { policy } = at().store
    const made = proposal()
    const key = at().name('tx')
    await value(policy.mint(key, made, 60_000))
    await value(policy.mint(key, proposal(), 60_000))
    const live = await value(policy.readLive(made.ref))
    expect(live).toMatchObject({ callRef: made.ref, transactionKey: key, state: 'setup' })
    expect(live?.call.callId).toBe(made.call.callId)
    const bare = { ...proposal(), call: undefined }
    await value(policy.mint(at().name('tx'), bare, 60_000))
    expect(await value(policy.readLive(bare.ref))).toBeUndefined()
  })

  it('MUST not open a finished call again on a replay', async () => {
    const { policy } = at().store
    const made = proposal()
    const key = at().name('tx')
    await value(policy.mint(key, made, 60_000))
    await value(policy.failed(made.ref, { call: made.call, ageMs: 0, status: 486, cause: 'rejected', reason: '' }))
    expect(await value(policy.mint(key, proposal(), 60_000))).toMatchObject({ ref: made.ref, replayed: true })
    expect(await value(policy.readLive(made.ref))).toBeUndefined()
  })

  it('MUST refuse a reference that carries no shard', async () => {
    const result = await at().store.policy.mint(at().name('tx'), proposal('x', 'zz'), 1000)
    expect(result).toMatchObject({ state: 'notStored', reason: 'invalid' })
  })

  const using = (nonceId: string, ttlMs: number, user = at().name('user')) => {
    return (count: number, transactionKey: string) =>
      value(at().store.policy.useNonce({ nonceId, count, transactionKey, ttlMs, user, source: '192.0.2.1' }))
  }

  it('MUST take a nonce count once, and again for its own transaction', async () => {
    const use = using(at().name('nonce'), 60_000)
    expect(await use(1, 'tx1')).toBe('fresh')
    expect(await use(1, 'tx1')).toBe('fresh')
    expect(await use(1, 'tx2')).toBe('replay')
    expect(await use(3, 'tx3')).toBe('fresh')
    expect(await use(2, 'tx4')).toBe('fresh')
    expect(await use(2, 'tx5')).toBe('replay')
    expect(await use(3, 'tx3')).toBe('fresh')
  })

  it('MUST bound a nonce by its window and its time', async () => {
    const use = using(at().name('nonce'), 500)
    for (const nc of [1, 5, 100]) expect(await use(nc, `tx${nc}`)).toBe('fresh')
    expect(await use(36, 'tx')).toBe('replay')
    expect(await use(37, 'tx')).toBe('fresh')
    expect(await use(69, 'tx69')).toBe('fresh') // its place was that of 5
    expect(await use(69, 'tx5')).toBe('replay')
    await at().advance(600)
    expect(await use(1, 'tx')).toBe('fresh')
  })

  it('MUST take each count of the window once in any order, and none below it', async () => {
    const use = using(at().name('nonce'), 60_000)
    const highest = 0xffff_ffff
    expect(await use(highest, 'top')).toBe('fresh')
    for (let back = 63; back > 0; back--) expect(await use(highest - back, `tx${back}`)).toBe('fresh')
    for (const back of [63, 30, 1]) {
      expect(await use(highest - back, `tx${back}`)).toBe('fresh')
      expect(await use(highest - back, 'another')).toBe('replay')
    }
    for (const nc of [highest - 64, highest - 65, 1]) expect(await use(nc, `low${nc}`)).toBe('replay')
  })

  it('MUST count a nonce for each user by himself', async () => {
    const nonce = at().name('nonce')
    expect(await using(nonce, 60_000)(1, 'tx1')).toBe('fresh')
    expect(await using(nonce, 60_000)(1, 'tx2')).toBe('fresh')
  })
}

export function callContract(at: () => World): void {
  /** A call in set-up, its reports, and its record once there is one. */
  const open = async (isMinted = true) => {
    const { policy } = at().store
    const ref = createReference()
    const call = description(at().name('call'))
    const key = at().name('tx')
    const reader = policy.openRecords(at().name('group'), 'c')
    if (isMinted) await value(policy.mint(key, { ref, decision: decision(''), call, deadlineMs: 400 }, 60_000))
    const answered = (toTag: string, ageMs = 0, status = 200) =>
      value(policy.answered(ref, { call: { ...call, ringAgeMs: 50 }, ageMs, toTag, status, target: `sip:${toTag}@h` }))
    const ended = (fromTag: string, toTag: string, by = 'caller', ageMs = 0) =>
      value(policy.ended(ref, { call: passing(call.callId), ageMs, fromTag, toTag, by, status: 200, reason: 'done' }))
    const failed = (status: number, cause: string) =>
      value(policy.failed(ref, { call, ageMs: 0, status, cause, reason: 'why' }))
    const records = async () => {
      const found: CallRecord[] = []
      const read = async () => {
        for (const { record, id } of await value(reader.read(1_000))) {
          if (record.cdrId === ref) found.push(record)
          expect(id.startsWith(`${shardOfReference(record.cdrId)}/`)).toBe(true)
        }
        return found.length > 0
      }
      await at().until(read)
      await read()
      return found
    }
    return { policy, ref, call, key, answered, ended, failed, records }
  }

  it('MUST make one complete record of set-up, answer and end, dated by store time less age', async () => {
    const { ref, key, call, answered, ended, records } = await open()
    expect(await answered('callee', 80)).toEqual({ result: 'applied', state: 'answered', transactionKey: key })
    expect(await answered('callee')).toMatchObject({ result: 'repeated', state: 'answered' })
    expect(await ended('callee', 'caller', 'callee', 20)).toEqual({
      result: 'applied',
      state: 'finished',
      transactionKey: key,
    })
    expect(await ended('callee', 'caller', 'callee')).toMatchObject({ result: 'repeated', state: 'finished' })
    expect(await ended('caller', 'callee', 'caller')).toMatchObject({ result: 'repeated', state: 'finished' })
    expect(await answered('callee')).toMatchObject({ result: 'repeated', state: 'finished' })
    const all = await records()
    expect(all).toHaveLength(1)
    const [record] = all as [CallRecord]
    expect(record).toMatchObject({
      cdrId: ref,
      callId: call.callId,
      fromTag: 'caller',
      toTags: ['callee'],
      fromUri: call.fromUri,
      identity: call.identity,
      account: 'demo',
      sourceTransport: 'udp',
      sourceAddress: '192.0.2.1',
      sourcePort: 5060,
      target: 'sip:callee@h',
      finalStatus: 200,
      outcome: 'answered',
      endedBy: 'callee',
      reason: 'done',
      state: 'complete',
      setupEdge: 'edge0.1',
      endEdge: 'edge1.1',
      attempts: call.attempts,
    })
    expect(record.durationMs).toBe(record.endedUnixMs - record.answeredUnixMs)
    expect(record.durationMs).toBeGreaterThanOrEqual(20n)
    expect(record.setupUnixMs <= record.answeredUnixMs).toBe(true)
    expect(record.ringUnixMs).toBeGreaterThan(record.setupUnixMs)
  })

  it.each([
    { status: 486, cause: 'rejected' },
    { status: 487, cause: 'cancelled' },
    { status: 408, cause: 'unanswered' },
    { status: 503, cause: 'unreachable' },
  ])('MUST make a record of a call that failed: $cause', async ({ status, cause }) => {
    const { answered, ended, failed, records } = await open()
    expect(await failed(status, cause)).toMatchObject({ result: 'applied', state: 'finished' })
    expect(await failed(status, cause)).toMatchObject({ result: 'repeated' })
    expect(await answered('late')).toMatchObject({ result: 'ignored', state: 'finished' })
    expect(await ended('caller', 'late')).toMatchObject({ result: 'ignored', state: 'finished' })
    const all = await records()
    expect(all).toHaveLength(1)
    const expected = { finalStatus: status, outcome: cause, state: 'complete', reason: 'why', durationMs: 0n }
    expect(all[0]).toMatchObject({ ...expected, answeredUnixMs: 0n, toTags: [] })
  })

  it('MUST tell with the end which trunk had answered, and how long that was', async () => {
    const { policy } = at().store
    const endOf = async (trunk: string, charge?: string) => {
      const ref = createReference()
      const call = { ...description(at().name('call')), charge }
      const answerer = { aor: '', userAgent: '', transport: 'udp', address: '192.0.2.9', port: 5060, trunk }
      const answer = { call, ageMs: 2_000, toTag: 'callee', status: 200, target: 'sip:1@carrier', answerer }
      expect(await value(policy.answered(ref, answer))).not.toHaveProperty('trunk')
      const tags = { fromTag: 'caller', toTag: 'callee', by: 'caller', status: 200, reason: '' }
      return value(policy.ended(ref, { call: passing(call.callId), ageMs: 0, ...tags }))
    }
    const { trunk } = await endOf('carrier-1')
    expect(trunk?.name).toBe('carrier-1')
    expect(trunk?.talkMs).toBeGreaterThanOrEqual(100)
    expect(await endOf('')).not.toHaveProperty('trunk')
    const charged = await endOf('carrier-1', '{}')
    expect(charged).toMatchObject({ trunk: { name: 'carrier-1' }, charged: { state: 'ended' } })
  })

  it('MUST tell with the end who had answered, once', async () => {
    const { policy } = at().store
    const ref = createReference()
    const call = description(at().name('call'))
    const answerer = {
      aor: 'sip:bob@example.test',
      userAgent: '',
      transport: 'udp',
      address: '192.0.2.9',
      port: 5060,
      trunk: '',
    }
    const answer = { call, ageMs: 50, toTag: 'callee', status: 200, target: 'sip:bob@192.0.2.9', answerer }
    expect(await value(policy.answered(ref, answer))).not.toHaveProperty('answeredBy')
    const tags = { fromTag: 'caller', toTag: 'callee', by: 'caller', status: 200, reason: '' }
    const ended = await value(policy.ended(ref, { call: passing(call.callId), ageMs: 0, ...tags }))
    expect(ended).toMatchObject({ state: 'finished', answeredBy: 'sip:bob@example.test' })
    expect(ended).not.toHaveProperty('trunk')
    const again = await value(policy.ended(ref, { call: passing(call.callId), ageMs: 0, ...tags }))
    expect(again).not.toHaveProperty('answeredBy')
  })

  it('MUST make a record of answer and end that were never minted', async () => {
    const { answered, ended, records } = await open(false)
    expect(await answered('callee')).toMatchObject({ result: 'applied', transactionKey: '' })
    expect(await ended('caller', 'callee')).toMatchObject({ state: 'finished' })
    const [record] = await records()
    expect(record).toMatchObject({ state: 'complete', outcome: 'answered', identity: 'alice@example.test' })
  })

  it('MUST complete an end that came before its answer', async () => {
    const { answered, ended, records } = await open()
    expect(await ended('caller', 'callee', 'caller', 10)).toMatchObject({ result: 'applied', state: 'setup' })
    expect(await answered('callee', 60)).toMatchObject({ result: 'applied', state: 'finished' })
    const [record] = await records()
    expect(record).toMatchObject({ state: 'complete', toTags: ['callee'], endedBy: 'caller' })
    expect(record?.durationMs).toBeGreaterThanOrEqual(0n)
  })

  it('MUST make a partial record of an end that stays alone', async () => {
    const { policy, ref, ended, records } = await open(false)
    expect(await ended('caller', 'callee')).toMatchObject({ result: 'applied', state: 'setup' })
    expect(await value(policy.settleDue(ref))).toEqual({ finished: false })
    await at().advance(CONTRACT_SETTINGS.partialGraceMs + 20)
    expect(await value(policy.settleDue(ref))).toEqual({ finished: true })
    expect(await value(policy.settleDue(ref))).toEqual({ finished: false })
    const all = await records()
    expect(all).toHaveLength(1)
    expect(all[0]).toMatchObject({ state: 'partial', toTags: ['callee'], answeredUnixMs: 0n, durationMs: 0n })
  })

  it('MUST end only by its own tags', async () => {
    const { policy, ref, call, answered, ended, records } = await open()
    await answered('callee')
    expect(await ended('stranger', 'callee')).toMatchObject({ result: 'ignored', state: 'answered' })
    const foreign = { call: passing('other-call'), ageMs: 0, fromTag: 'caller', toTag: 'callee', by: 'caller' }
    const told = await value(policy.ended(ref, { ...foreign, status: 200, reason: '' }))
    expect(told).toMatchObject({ result: 'ignored', state: 'answered' })
    const otherTag = { call: { ...passing(call.callId), fromTag: 'x' }, ageMs: 0, fromTag: 'x', toTag: 'callee' }
    const other = await value(policy.ended(ref, { ...otherTag, by: 'caller', status: 200, reason: '' }))
    expect(other).toMatchObject({ result: 'ignored', state: 'answered' })
    expect(await ended('caller', 'callee')).toMatchObject({ result: 'applied', state: 'finished' })
    expect(await records()).toHaveLength(1)
  })

  it('MUST keep a second answer as a leg and end with the last leg', async () => {
    const { answered, ended, records } = await open()
    await answered('one', 100)
    expect(await answered('two', 50)).toMatchObject({ result: 'applied', state: 'answered' })
    expect(await ended('caller', 'two')).toMatchObject({ result: 'applied', state: 'answered' })
    expect(await ended('one', 'caller', 'callee')).toMatchObject({ result: 'applied', state: 'finished' })
    const all = await records()
    expect(all).toHaveLength(1)
    expect(all[0]).toMatchObject({ toTags: ['one', 'two'], target: 'sip:one@h', endedBy: 'callee', state: 'complete' })
  })

  it('MUST not let a failure end an answered call', async () => {
    const { answered, failed } = await open()
    await answered('callee')
    expect(await failed(487, 'cancelled')).toMatchObject({ result: 'ignored', state: 'answered' })
  })

  it('MUST never date an end before its answer', async () => {
    const { answered, ended, records } = await open()
    await answered('callee', 0)
    await ended('caller', 'callee', 'caller', 5_000)
    expect((await records())[0]).toMatchObject({ durationMs: 0n })
  })

  it('MUST end set-up that nobody reports as partial, by any worker, after one lease', async () => {
    const { policy, ref, records } = await open()
    const shard = shardOfReference(ref)
    const claim = () => value(policy.claimDue(shard, 1_000, 100))
    await at().until(async () => (await claim()).some((due) => due.ref === ref && due.state === 'setup'))
    expect((await claim()).some((due) => due.ref === ref)).toBe(false)
    await at().until(async () => (await claim()).some((due) => due.ref === ref))
    expect(await value(policy.settleDue(ref))).toEqual({ finished: true })
    const all = await records()
    expect(all).toHaveLength(1)
    expect(all[0]).toMatchObject({ state: 'partial', outcome: 'error' })
  })

  it('MUST recover an answered call beyond its maximum', async () => {
    const { policy, ref, answered, records } = await open()
    await answered('callee')
    expect(await value(policy.settleDue(ref))).toEqual({ finished: false })
    await at().advance(CONTRACT_SETTINGS.maxCallMs + 20)
    expect(await value(policy.settleDue(ref))).toEqual({ finished: true })
    expect((await records())[0]).toMatchObject({ state: 'recovered', outcome: 'answered', endedBy: 'system' })
  })

  it('MUST list live calls, newest first, and say when there are more', async () => {
    const first = await open()
    await at().advance(20)
    const second = await open()
    await second.answered('callee')
    const { calls } = await value(first.policy.listLive(10_000))
    const ours = calls.filter((call) => call.callRef === first.ref || call.callRef === second.ref)
    expect(ours.map((call) => call.callRef)).toEqual([second.ref, first.ref])
    expect(ours[0]).toMatchObject({ state: 'answered', call: { attempts: second.call.attempts } })
    expect(await value(first.policy.listLive(1))).toMatchObject({ truncated: true })
    expect((await value(second.policy.readLive(second.ref)))?.answeredUnixMs).toBeGreaterThan(0n)
  })
}
