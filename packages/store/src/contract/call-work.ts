// SPDX-License-Identifier: MIT
// The contract of what is due at a call before its end: dialogs on record, hang-ups, warnings, probes.

import { expect, it } from 'vitest'
import { MAX_DIALOG_CHARS } from '../call-record.ts'
import { SILENT_PROBES } from '../memory/call-plan.ts'
import { createReference, shardOfReference } from '../shard.ts'
import type { CallLimits, CallRecord, Dialog, Party, UpdatedReport } from '../types.ts'
import { CONTRACT_SETTINGS, description, passing, value, type World } from './world.ts'

const NO_LIMITS: CallLimits = { maxDurationMs: 0, maxDurationReason: '', warnMs: 0, livenessMs: 0 }
const LEASE_MS = 200

const party = (target: string, changes: Partial<Party> = {}): Party => ({
  target,
  routes: ['<sip:192.0.2.9;lr>'],
  cseq: 1,
  flow: { transport: 'tcp', address: '192.0.2.1', port: 40_000, edgeId: 'edge0.1', flowId: 7 },
  aor: 'sip:alice@example.test',
  ...changes,
})

const dialogOf = (toTag: string): Dialog => ({
  toTag,
  token: 'AQIDBA',
  caller: party('sip:alice@192.0.2.1'),
  callee: party('sip:"é"@192.0.2.2', { cseq: 0, flow: undefined, routes: [], aor: '' }),
})

export function callWorkContract(at: () => World): void {
  const open = async (limits: Partial<CallLimits> = {}) => {
    const { policy } = at().store
    const ref = createReference()
    const call = description(at().name('call'))
    const key = at().name('tx')
    const reader = policy.openRecords(at().name('group'), 'c')
    const proposal = { ref, decision: new Uint8Array(1), call, deadlineMs: 60_000, limits: { ...NO_LIMITS, ...limits } }
    await value(policy.mint(key, proposal, 60_000))
    const answered = (toTag = 'callee', dialog = dialogOf(toTag)) =>
      value(policy.answered(ref, { call, ageMs: 0, toTag, status: 200, target: 'sip:bob@h', dialog }))
    const ended = (toTag = 'callee', by = 'system') =>
      value(
        policy.ended(ref, {
          call: passing(call.callId),
          ageMs: 0,
          fromTag: 'caller',
          toTag,
          by,
          status: 200,
          reason: 'SIP;cause=402',
        }),
      )
    const updated = (changes: Partial<UpdatedReport> = {}) =>
      value(
        policy.updated(ref, {
          call: passing(call.callId),
          ageMs: 0,
          toTag: 'callee',
          byCaller: true,
          cseq: 2,
          callerTarget: '',
          calleeTarget: '',
          ...changes,
        }),
      )
    const wish = (reason: string, inMs = 0) => value(policy.requestHangUp(ref, { reason, inMs }))
    const take = () => value(policy.takeWork(ref, LEASE_MS))
    const due = () => at().until(async () => (await value(policy.claimDue(shard, LEASE_MS, 1_000))).some(isThis))
    const shard = shardOfReference(ref)
    const isThis = (found: { ref: string }) => found.ref === ref
    const records = async () => {
      const found: CallRecord[] = []
      await at().until(async () => {
        for (const { record } of await value(reader.read(1_000))) if (record.cdrId === ref) found.push(record)
        return found.length > 0
      })
      return found
    }
    return { policy, ref, call, key, answered, ended, updated, wish, take, due, records }
  }

  it('MUST keep the dialogs of living legs, with what changed since', async () => {
    const { answered, updated, ended, wish, take } = await open()
    await answered('callee')
    await answered('second')
    await answered('third', { ...dialogOf('third'), caller: undefined })
    expect(await updated({ callerTarget: 'sip:alice@new' })).toMatchObject({ result: 'applied', state: 'answered' })
    expect(await updated({ byCaller: false, cseq: 9, calleeTarget: 'sip:bob@new' })).toMatchObject({
      result: 'applied',
    })
    expect(await updated({ cseq: 1, callerTarget: 'sip:alice@old' })).toMatchObject({ result: 'applied' })
    expect(await updated({ toTag: 'nobody' })).toMatchObject({ result: 'ignored' })
    await ended('second', 'caller')
    await wish('SIP;cause=402')
    const first = dialogOf('callee')
    const changed = {
      ...first,
      caller: { ...first.caller, cseq: 2, target: 'sip:alice@new' },
      callee: { ...first.callee, cseq: 9, target: 'sip:bob@new' },
    }
    expect((await take())?.dialogs).toEqual([changed])
  })

  it('MUST not keep a dialog that is too large', async () => {
    const { answered, wish, take } = await open()
    const large = dialogOf('callee')
    await answered('callee', { ...large, caller: party(`sip:${'x'.repeat(MAX_DIALOG_CHARS)}@h`) })
    await wish('x')
    expect((await take())?.dialogs).toEqual([])
  })

  it('MUST give a hang-up to one asker, and again after its lease, until the call has ended', async () => {
    const { call, key, answered, ended, wish, take, due, records, ref, policy } = await open()
    await answered()
    expect(await take()).toBeUndefined()
    expect(await wish('SIP;cause=402')).toBe('answered')
    const work = await take()
    expect(work).toMatchObject({ kind: 'hangUp', reason: 'SIP;cause=402', attempt: 1, transactionKey: key, leftMs: 0 })
    expect(work?.call).toMatchObject({
      callRef: ref,
      state: 'answered',
      call: { callId: call.callId, fromTag: 'caller' },
    })
    expect(await take()).toBeUndefined()
    await due()
    expect(await take()).toMatchObject({ kind: 'hangUp', attempt: 2 })
    await value(policy.postponeHangUp(ref, 0, false))
    expect(await take()).toMatchObject({ kind: 'hangUp', attempt: 3 })
    await value(policy.postponeHangUp(ref, 0, true))
    expect(await take()).toMatchObject({ kind: 'hangUp', attempt: 3 })
    await ended()
    expect(await take()).toBeUndefined()
    expect(await wish('again')).toBe('finished')
    const all = await records()
    expect(all).toHaveLength(1)
    expect(all[0]).toMatchObject({ endedBy: 'system', reason: 'SIP;cause=402', state: 'complete' })
  })

  it('MUST know nothing of a hang-up of a call that is not on record', async () => {
    const { policy } = at().store
    const ref = createReference()
    expect(await value(policy.requestHangUp(ref, { reason: 'x', inMs: 0 }))).toBe('')
    expect(await value(policy.takeWork(ref, LEASE_MS))).toBeUndefined()
    expect(await value(policy.endBySystem(ref, 'x'))).toEqual({ finished: false })
    expect(await value(policy.noteLife(ref, 'gone', 'x'))).toEqual({ finished: false })
    await value(policy.postponeHangUp(ref, 0, false))
  })

  it('MUST keep the earlier of two hang-ups, and the later wish for the same reason, until an edge was told', async () => {
    const { answered, wish, take } = await open()
    await answered()
    await wish('duration', 60_000)
    await wish('credit', 90_000)
    expect(await take()).toBeUndefined()
    await wish('duration', 120_000)
    await wish('credit', 70_000)
    await wish('credit', 80_000)
    await wish('command')
    expect(await take()).toMatchObject({ reason: 'command', attempt: 1 })
    await wish('command', 60_000)
    await wish('duration')
    await at().advance(LEASE_MS + 20)
    expect(await take()).toMatchObject({ reason: 'command', attempt: 2 })
  })

  it('MUST hang up after the maximum duration, and warn before', async () => {
    const limits = { maxDurationMs: 400, maxDurationReason: 'SIP;cause=408', warnMs: 300 }
    const { answered, take, due } = await open(limits)
    const { workInMs } = await answered()
    expect(workInMs).toBeGreaterThan(0)
    expect(workInMs).toBeLessThanOrEqual(100)
    await due()
    const warning = await take()
    expect(warning).toMatchObject({ kind: 'warn', reason: 'SIP;cause=408', attempt: 0 })
    expect(warning?.leftMs).toBeGreaterThan(0)
    expect(warning?.dialogs).toHaveLength(1)
    await due()
    expect(await take()).toMatchObject({ kind: 'hangUp', reason: 'SIP;cause=408', attempt: 1 })
  })

  it('MUST say that a call in set-up which was hung up failed by the system', async () => {
    const { policy, ref, call, wish, take, records } = await open()
    expect(await wish('SIP;cause=402')).toBe('setup')
    expect(await take()).toMatchObject({ kind: 'hangUp', dialogs: [], call: { state: 'setup' } })
    await value(policy.failed(ref, { call, ageMs: 0, status: 402, cause: 'cancelled', reason: '' }))
    const [record] = await records()
    expect(record).toMatchObject({ endedBy: 'system', reason: 'SIP;cause=402', finalStatus: 402, outcome: 'cancelled' })
  })

  it('MUST hang up at its answer a call that was to end in set-up', async () => {
    const { answered, wish, take, due } = await open()
    await wish('now')
    await take()
    expect((await answered()).workInMs).toBeLessThanOrEqual(LEASE_MS)
    await due()
    expect(await take()).toMatchObject({ kind: 'hangUp', attempt: 2, call: { state: 'answered' } })
  })

  it('MUST probe at its interval, later where the dialog shows life', async () => {
    const { policy, ref, answered, updated, take, due } = await open({ livenessMs: 300 })
    expect((await answered()).workInMs).toBeUndefined()
    await at().advance(160)
    await updated()
    await at().advance(160)
    expect(await take()).toBeUndefined()
    await due()
    expect(await take()).toMatchObject({ kind: 'probe', reason: '', dialogs: [{ toTag: 'callee' }] })
    expect(await take()).toBeUndefined()
    expect(await value(policy.noteLife(ref, 'alive', ''))).toEqual({ finished: false })
    await due()
    expect(await take()).toMatchObject({ kind: 'probe' })
  })

  it('MUST end a call of which nobody is left as of its last sign of life', async () => {
    const { policy, ref, answered, ended, take, due, records } = await open({ livenessMs: 200 })
    await answered()
    await at().advance(100)
    await value(policy.noteLife(ref, 'alive', ''))
    for (let probe = 1; probe <= SILENT_PROBES; probe++) {
      await due()
      expect(await take()).toMatchObject({ kind: 'probe' })
      expect(await value(policy.noteLife(ref, 'silent', 'dead'))).toEqual({ finished: probe === SILENT_PROBES })
    }
    expect(await ended('callee', 'caller')).toMatchObject({ state: 'finished' })
    const all = await records()
    expect(all).toHaveLength(1)
    expect(all[0]).toMatchObject({ state: 'recovered', outcome: 'answered', endedBy: 'system', reason: 'dead' })
    expect(all[0]?.durationMs).toBeGreaterThanOrEqual(95n)
    expect(all[0]?.durationMs).toBeLessThan(BigInt(100 + 2 * LEASE_MS))
  })

  it('MUST count silent probes in a row only', async () => {
    const { policy, ref, answered } = await open({ livenessMs: 200 })
    await answered()
    for (const found of ['silent', 'alive', 'silent', 'alive'] as const)
      expect(await value(policy.noteLife(ref, found, ''))).toEqual({ finished: false })
  })

  it('MUST end at once what both parties deny, and what no edge can end', async () => {
    for (const how of ['gone', 'refused']) {
      const { policy, ref, answered, records } = await open()
      await answered()
      if (how === 'gone') expect(await value(policy.noteLife(ref, 'gone', how))).toEqual({ finished: true })
      else expect(await value(policy.endBySystem(ref, how))).toEqual({ finished: true })
      expect(await value(policy.endBySystem(ref, how))).toEqual({ finished: false })
      const all = await records()
      expect(all).toHaveLength(1)
      expect(all[0]).toMatchObject({ state: 'recovered', endedBy: 'system', reason: how })
    }
  })

  it('MUST date the end that no edge could bring about by its first attempt', async () => {
    const { policy, ref, answered, wish, take, records } = await open()
    await answered()
    await wish('x')
    await take()
    await at().advance(LEASE_MS + 100)
    await take()
    await value(policy.endBySystem(ref, 'x'))
    expect((await records())[0]?.durationMs).toBeLessThan(BigInt(LEASE_MS))
  })

  it('MUST recover what is due at its end all the same', async () => {
    const { policy, ref, answered, records } = await open({ livenessMs: 300_000 })
    await answered()
    await at().advance(CONTRACT_SETTINGS.maxCallMs + 20)
    expect(await value(policy.settleDue(ref))).toEqual({ finished: true })
    expect((await records())[0]).toMatchObject({ state: 'recovered', endedBy: 'system' })
  })
}
