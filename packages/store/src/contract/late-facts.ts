// SPDX-License-Identifier: MIT
// Contract: what a record is told of its call besides times and charges, and what is told too late for it: corrections, and
// repeats that come when nobody remembers the call any more.
import { expect, it } from 'vitest'
import type { RecordReader } from '../policy-store.ts'
import { createReference } from '../shard.ts'
import type { CallFacts, CallRecord } from '../types.ts'
import { description, passing, value, type World } from './world.ts'

const FACTS: CallFacts = {
  tenant: 'example.test',
  direction: 'internal',
  dialled: 'bob@example.test',
  ingressTrunk: '',
  authMethod: 'digest-md5',
  fraudVerdict: '',
  traceId: '',
}
const ANSWERER = {
  aor: 'bob@example.test',
  userAgent: 'phone/2',
  transport: 'udp',
  address: '192.0.2.2',
  port: 5060,
  trunk: '',
}

/** A call, its reports as different edges would send them, and its records. */
async function openCall(world: World, minted: { deadlineMs: number; charge?: string } | undefined) {
  const { policy } = world.store
  const ref = createReference()
  const about = description(world.name('call'), { facts: FACTS, media: 'audio', charge: minted?.charge })
  const reader: RecordReader = policy.openRecords(world.name('group'), 'c')
  await value(reader.read(1))
  if (minted !== undefined) {
    const { deadlineMs } = minted
    await value(policy.mint(world.name('tx'), { ref, decision: Buffer.from(''), call: about, deadlineMs }, 60_000))
  }
  const seen: CallRecord[] = []
  return {
    ref,
    answered: (toTag = 'callee', ageMs = 0) =>
      value(
        policy.answered(ref, {
          call: about,
          ageMs,
          toTag,
          status: 200,
          target: 'sip:bob@192.0.2.2',
          answerer: ANSWERER,
        }),
      ),
    ended: (toTag = 'callee', ageMs = 0) => {
      const call = passing(about.callId, 'edge1.1')
      return value(
        policy.ended(ref, { call, ageMs, fromTag: 'caller', toTag, by: 'caller', status: 200, reason: 'bye' }),
      )
    },
    failed: (ageMs = 0) =>
      value(policy.failed(ref, { call: about, ageMs, status: 486, cause: 'rejected', reason: 'busy' })),
    /** Reads until there are so many, and a while longer. */
    records: async (count: number) => {
      const look = async () => {
        for (const { record } of await value(reader.read(200))) if (record.callRef === ref) seen.push(record)
        return seen.length >= count
      }
      await world.until(look)
      for (let i = 0; i < 5; i++) {
        await world.advance(20)
        await look()
      }
      return seen
    },
    settle: () => world.until(async () => (await value(policy.settleDue(ref))).finished),
  }
}

export function lateFactContract(at: () => World): void {
  it('MUST keep what was known at the decision, who answered, and every edge that reported', async () => {
    const call = await openCall(at(), { deadlineMs: 60_000 })
    await call.answered()
    await call.ended()
    expect(await call.records(1)).toMatchObject([
      {
        cdrId: call.ref,
        callRef: call.ref,
        type: 'call',
        corrects: '',
        correction: '',
        facts: FACTS,
        media: 'audio',
        answerer: ANSWERER,
        edges: ['edge0.1', 'edge1.1'],
        setupEdge: 'edge0.1',
        endEdge: 'edge1.1',
      },
    ])
  })

  it('MUST correct a recovered record by a BYE that is reported late, once', async () => {
    const call = await openCall(at(), undefined)
    await call.answered('callee', 1_000)
    await at().advance(1_600)
    await call.settle()
    expect(await call.ended('callee', 2_000)).toMatchObject({ result: 'applied', state: 'finished' })
    expect(await call.ended('callee', 2_100)).toMatchObject({ result: 'repeated', state: 'finished' })
    const [first, correction, ...others] = await call.records(2)
    expect(others).toEqual([])
    expect(first).toMatchObject({ cdrId: call.ref, type: 'call', state: 'recovered', endedBy: 'system' })
    expect(correction).toMatchObject({
      cdrId: `${call.ref}.1`,
      type: 'correction',
      corrects: call.ref,
      correction: 'late_end',
      callRef: call.ref,
      state: 'complete',
      endedBy: 'caller',
      reason: 'bye',
      answeredUnixMs: first?.answeredUnixMs,
      facts: FACTS,
    })
    expect(correction?.endedUnixMs).toBeLessThan(first?.endedUnixMs ?? 0n)
  })

  it('MUST correct a record of a call that nobody had reported by its failure, or by its answer and then its end', async () => {
    const missed = await openCall(at(), { deadlineMs: 50 })
    const talked = await openCall(at(), { deadlineMs: 50 })
    await at().advance(60)
    await missed.settle()
    await talked.settle()
    expect(await missed.failed()).toMatchObject({ result: 'applied' })
    expect(await missed.failed()).toMatchObject({ result: 'repeated' })
    expect(await talked.answered()).toMatchObject({ result: 'applied', state: 'finished' })
    await talked.ended()
    expect(await missed.records(2)).toMatchObject([
      { outcome: 'error', state: 'partial', finalStatus: 0 },
      {
        cdrId: `${missed.ref}.1`,
        correction: 'late_failure',
        outcome: 'rejected',
        finalStatus: 486,
        state: 'complete',
      },
    ])
    expect(await talked.records(3)).toMatchObject([
      { outcome: 'error', state: 'partial' },
      { cdrId: `${talked.ref}.1`, correction: 'late_answer', outcome: 'answered', state: 'partial', endedUnixMs: 0n },
      { cdrId: `${talked.ref}.2`, correction: 'late_end', corrects: talked.ref, state: 'complete', finalStatus: 200 },
    ])
  })

  it('MUST correct an end without its answer by that answer', async () => {
    const call = await openCall(at(), undefined)
    await call.ended()
    await call.settle()
    await call.answered('callee', 400)
    expect(await call.records(2)).toMatchObject([
      { state: 'partial', outcome: 'answered', answeredUnixMs: 0n },
      { state: 'complete', outcome: 'answered', correction: 'late_answer', finalStatus: 200 },
    ])
  })

  it('MUST correct once the last leg has ended, and nothing that is complete', async () => {
    const call = await openCall(at(), undefined)
    await call.answered('one')
    await call.answered('two')
    await at().advance(1_600)
    await call.settle()
    expect(await call.ended('one', 500)).toMatchObject({ result: 'applied' })
    expect(await call.records(1)).toHaveLength(1)
    await call.ended('two', 300)
    expect(await call.records(2)).toMatchObject([{ state: 'recovered' }, { state: 'complete', toTags: ['one', 'two'] }])
    expect(await call.answered('three')).toMatchObject({ result: 'ignored' })
    expect(await call.records(2)).toHaveLength(2)
  })

  it('MUST tell the correction of a charged call after its record, with what was charged', async () => {
    const { policy } = at().store
    const call = await openCall(at(), { deadlineMs: 60_000, charge: '{"v":1}' })
    await call.answered()
    await at().advance(1_600)
    await call.settle()
    expect(await call.ended('callee', 1_000)).toMatchObject({ result: 'applied', state: 'finished' })
    expect(await call.records(0)).toEqual([])
    const amounts = { currency: 'EUR', price: 7n, billedMs: 100, unbilledMs: 0, entry: '1-1' }
    const billing = { ...amounts, ratePlan: 'retail', ratePrefix: '*', rate: '', rateRevision: 'r1' }
    expect(await value(policy.settled(call.ref, billing, 60_000))).toBe(true)
    const [first, correction] = await call.records(2)
    expect(first).toMatchObject({ cdrId: call.ref, state: 'recovered', priceMicros: 7n, rateRevision: 'r1' })
    expect(correction).toMatchObject({ cdrId: `${call.ref}.1`, state: 'complete', priceMicros: 7n, billedMs: 100n })
    expect(correction?.unbilledMs).toBe((correction?.durationMs ?? 0n) - 100n)
    await value(policy.checked(call.ref))
    expect(await call.ended('callee', 1_000)).toMatchObject({ result: 'repeated' })
    expect(await call.records(2)).toHaveLength(2)
  })

  it('MUST correct a charged call that has been settled at once', async () => {
    const { policy } = at().store
    const call = await openCall(at(), { deadlineMs: 60_000, charge: '{"v":1}' })
    await call.answered()
    await at().advance(1_600)
    await call.settle()
    const amounts = { currency: 'EUR', price: 7n, billedMs: 100, unbilledMs: 0, entry: '1-1' }
    await value(policy.settled(call.ref, { ...amounts, ratePlan: 'retail', ratePrefix: '*', rate: '' }, 60_000))
    expect(await call.ended('callee', 1_000)).toMatchObject({ result: 'applied' })
    expect(await call.records(2)).toMatchObject([{ type: 'call' }, { type: 'correction', priceMicros: 7n }])
    await value(policy.checked(call.ref))
    expect(await call.ended('callee', 1_000)).toMatchObject({ result: 'repeated' })
  })
}

/** @param at its calls are remembered for 40 ms, as marks for 2.4 s */
export function longOverContract(at: () => World): void {
  it('MUST make no second record of a report that is repeated when the call is forgotten', async () => {
    const failed = await openCall(at(), undefined)
    const talked = await openCall(at(), undefined)
    await failed.failed()
    await talked.answered('callee', 900)
    await talked.ended()
    expect(await failed.records(1)).toHaveLength(1)
    await at().advance(200)
    expect(await failed.failed(300)).toEqual({ result: 'repeated', state: 'finished', transactionKey: '' })
    expect(await talked.ended('callee')).toMatchObject({ result: 'repeated' })
    expect(await talked.answered('callee', 1_200)).toMatchObject({ result: 'repeated' })
    expect(await failed.records(1)).toHaveLength(1)
    expect(await talked.records(1)).toHaveLength(1)
  })

  it('MUST make a record of a call that nobody has heard of, and remember one whose record lacks facts for longer', async () => {
    const unknown = await openCall(at(), undefined)
    await unknown.ended('callee', 600)
    await unknown.settle()
    await at().advance(200)
    expect(await unknown.answered('callee', 900)).toMatchObject({ result: 'applied' })
    expect(await unknown.records(2)).toMatchObject([{ state: 'partial' }, { type: 'correction', state: 'complete' }])
  })
}
