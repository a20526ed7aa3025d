// SPDX-License-Identifier: MIT
// Contract: charged calls on record, from their answer to the second look at their account.
import { expect, it } from 'vitest'
import type { Billing } from '../charges.ts'
import { createReference, shardOfReference } from '../shard.ts'
import { CONTRACT_SETTINGS, description, passing, value, type World } from './world.ts'

const BILLING: Billing = {
  currency: 'EUR',
  price: 9_007_199_254_740_991n,
  billedMs: 60_000,
  unbilledMs: 5,
  ratePlan: 'retail',
  ratePrefix: '+49',
  rate: '0.02/min 60/60',
  entry: '1-1',
}

/** Paid by the account of somebody who sent the call on, too. */
const SENT_ON: Billing = {
  ...BILLING,
  cost: 10n,
  costCurrency: 'EUR',
  price: 9_007_199_254_740_000n,
  forwards: [{ ...BILLING, account: 'bob-pays', price: 900n, rateRevision: 'r7', entry: '2-1' }],
}

export function chargeContract(at: () => World): void {
  const policy = () => at().store.policy
  const call = () => description(at().name('call'), { charge: '{"v":1}' })
  const answer = (about: ReturnType<typeof call>) => ({
    call: about,
    ageMs: 0,
    toTag: 'callee',
    status: 200,
    target: 'sip:bob@192.0.2.2',
  })
  const bye = (about: ReturnType<typeof call>) => ({
    call: passing(about.callId),
    ageMs: 0,
    fromTag: 'callee',
    toTag: 'caller',
    by: 'callee',
    status: 200,
    reason: '',
  })
  const recordOf = async (callId: string) => {
    const reader = policy().openRecords(at().name('group'), 'one')
    for (let i = 0; i < 300; i++) {
      const found = (await value(reader.read(200))).find(({ record }) => record.callId === callId)
      if (found !== undefined) return found.record
      await at().advance(10)
    }
    return undefined
  }
  const dueOf = async (ref: string) => {
    let found: Awaited<ReturnType<typeof claim>>
    const claim = async () =>
      (await value(policy().claimDue(shardOfReference(ref), 200, 100))).find((one) => one.ref === ref)
    await at().until(async () => {
      found = await claim()
      return found !== undefined
    })
    return found
  }

  it('MUST tell with an answer how the call is charged, and again for whoever repeats it', async () => {
    const about = call()
    const ref = createReference()
    const first = await value(policy().answered(ref, answer(about)))
    expect(first).toMatchObject({ result: 'applied', state: 'answered' })
    expect(first.charged).toMatchObject({ ref, state: 'answered', account: 'demo', charge: '{"v":1}', endedMs: 0 })
    const { answeredMs = 0, nowMs = 0 } = first.charged ?? {}
    expect(nowMs - answeredMs).toBeLessThan(50)
    expect((await value(policy().answered(ref, answer(about)))).charged).toMatchObject({ answeredMs })
  })

  it('MUST freeze the facts of its end, wait for its settlement, make one record of it, and be looked at again', async () => {
    const about = call()
    const ref = createReference()
    await value(policy().answered(ref, answer(about)))
    const ended = await value(policy().ended(ref, bye(about)))
    expect(ended).toMatchObject({ result: 'applied', state: 'ended' })
    expect(ended.charged).toMatchObject({ state: 'ended', outcome: 'answered', charge: '{"v":1}' })
    expect(ended.charged?.endedMs).toBeGreaterThanOrEqual(ended.charged?.answeredMs ?? 0)
    expect(await value(policy().ended(ref, bye(about)))).toMatchObject({ result: 'repeated' })
    expect(await value(policy().answered(ref, answer(about)))).toMatchObject({ result: 'repeated', state: 'finished' })
    expect(await value(policy().readLive(ref))).toBeUndefined()
    expect(await value(policy().planCharge(ref, 0))).toBe('ended')
    expect(await value(policy().requestHangUp(ref, { reason: 'SIP', inMs: 0 }))).toBe('finished')
    expect((await dueOf(ref))?.charged).toMatchObject({ state: 'ended', endedMs: ended.charged?.endedMs })
    expect(await value(policy().settled(ref, BILLING, 100))).toBe(true)
    expect(await value(policy().settled(ref, { ...BILLING, price: 1n }, 100))).toBe(false)
    expect(await recordOf(about.callId)).toMatchObject({
      cdrId: ref,
      currency: 'EUR',
      priceMicros: BILLING.price,
      billedMs: 60_000n,
      unbilledMs: 5n,
      ratePlan: 'retail',
      ratePrefix: '+49',
      rate: '0.02/min 60/60',
    })
    expect((await dueOf(ref))?.charged).toMatchObject({ state: 'settled', billing: BILLING })
    await value(policy().checked(ref))
    expect(await value(policy().planCharge(ref, 0))).toBe('finished')
    expect(await value(policy().ended(ref, bye(about)))).toMatchObject({ result: 'repeated', state: 'finished' })
  })

  it('MUST keep what those paid who sent the call on, to the micro-unit, until the second look, and put it into the record', async () => {
    const about = call()
    const ref = createReference()
    await value(policy().answered(ref, answer(about)))
    await value(policy().ended(ref, bye(about)))
    expect(await value(policy().settled(ref, SENT_ON, 100))).toBe(true)
    expect(await recordOf(about.callId)).toMatchObject({
      priceMicros: SENT_ON.price,
      marginMicros: SENT_ON.price + 890n,
      forwards: [
        {
          account: 'bob-pays',
          currency: 'EUR',
          priceMicros: 900n,
          billedMs: 60_000n,
          unbilledMs: 5n,
          ratePlan: 'retail',
          ratePrefix: '+49',
          rate: '0.02/min 60/60',
          rateRevision: 'r7',
        },
      ],
    })
    expect((await dueOf(ref))?.charged).toMatchObject({ state: 'settled', billing: SENT_ON })
    await value(policy().checked(ref))
  })

  it('MUST settle a call that failed, or that nobody ended, the same way', async () => {
    const about = call()
    const ref = createReference()
    const failed = { call: about, ageMs: 0, status: 486, cause: 'rejected', reason: '' }
    const outcome = await value(policy().failed(ref, failed))
    expect(outcome).toMatchObject({ state: 'ended', charged: { outcome: 'rejected', answeredMs: 0 } })
    expect(await value(policy().settled(ref, { ...BILLING, price: 0n }, undefined))).toBe(true)
    expect(await recordOf(about.callId)).toMatchObject({ finalStatus: 486, priceMicros: 0n })
    expect(await value(policy().failed(ref, failed))).toMatchObject({ result: 'repeated', state: 'finished' })
    const lost = createReference()
    await value(policy().answered(lost, answer(call())))
    await value(policy().planCharge(lost, 60_000))
    await at().advance(CONTRACT_SETTINGS.maxCallMs + 60)
    await dueOf(lost)
    expect(await value(policy().settleDue(lost))).toEqual({ finished: true })
    expect((await dueOf(lost))?.charged).toMatchObject({ state: 'ended', outcome: 'answered' })
  })

  it('MUST look at the hold of a live call when it is due: by itself after the answer, then when it was planned', async () => {
    const ref = createReference()
    await value(policy().answered(ref, answer(call())))
    expect((await dueOf(ref))?.charged).toMatchObject({ state: 'answered' })
    expect(await value(policy().planCharge(ref, 1_000))).toBe('answered')
    expect(await value(policy().settleDue(ref))).toEqual({ finished: false })
    await at().advance(100)
    const early = await value(policy().claimDue(shardOfReference(ref), 200, 100))
    expect(early.filter((one) => one.ref === ref)).toEqual([])
    expect((await dueOf(ref))?.charged).toMatchObject({ state: 'answered' })
    expect(await value(policy().planCharge(createReference(), 0))).toBe('')
  })

  it('MUST make the record of a call that is not charged at once', async () => {
    const about = description(at().name('call'))
    const ref = createReference()
    expect((await value(policy().answered(ref, answer(about)))).charged).toBeUndefined()
    expect(await value(policy().ended(ref, bye(about)))).toMatchObject({ state: 'finished' })
    expect(await recordOf(about.callId)).toMatchObject({ priceMicros: 0n, currency: '' })
  })
}
