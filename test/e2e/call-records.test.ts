// SPDX-License-Identifier: MIT
// Records of a complete, a missed, a cancelled and a rejected call, and one of a caller who could not say who he is: what is in
// data/cdr.ndjson, with its times held against those that SIPp noted on the wire.
// Not tested here: every way in which a call ends (call-ends.test.ts), prices (charging.test.ts), sinks (services/records).
import { type SippResult, sippAvailable } from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { Cluster, type RecordLine } from './support/cluster.ts'
import { forget } from './support/phone.ts'
import { beginSipp, expectPlayed, lastStatus, newCallId, playSipp, registerSipp, type SippRun } from './support/sipp.ts'

/** Between a phone's note and the store's clock: a process that waits for a busy machine. */
const TOLERANCE_MS = 1_000

const sipp = sippAvailable()
let cluster: Cluster

beforeAll(async () => {
  if (sipp.available) cluster = await Cluster.start()
})
beforeEach(async (context) => {
  if (!sipp.available) return context.skip(sipp.reason)
  await forget('bob', cluster.sipPort(0))
})
afterAll(() => cluster?.stop())

type WholeLine = RecordLine & Readonly<Record<string, unknown>>

/** alice calls bob, who plays the scenario. */
async function call(scenario: string, bobPlays: string, more: Partial<SippRun> = {}) {
  const callId = newCallId('record')
  const bob = await beginSipp({ scenario: bobPlays, keys: { callee: 'bob' } })
  await registerSipp('bob', cluster.sipPort(1), bob.port)
  const keys = { callee: 'bob' }
  const result = await playSipp({ scenario, port: cluster.sipPort(0), user: 'alice', callId, keys, ...more })
  expectPlayed(result)
  expectPlayed(await bob.result)
  return { record: (await cluster.record(callId)) as WholeLine, result, bobPort: bob.port }
}

/** When SIPp noted the first message that begins so, at least the `nth`. */
function notedMs({ messages }: SippResult, start: RegExp, nth = 1): number {
  const times: number[] = []
  for (const part of messages.split(/^-{20,} ?(?=\d{4}-)/m)) {
    const at = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d\.\d{3})/.exec(part)
    const line = part.split(/\r?\n/).find((text) => start.test(text))
    if (at !== null && line !== undefined) times.push(new Date(`${at[1]}T${at[2]}`).getTime())
  }
  const found = times[nth - 1]
  if (found === undefined) throw new Error(`SIPp noted no ${start.source}:\n${messages.slice(-2_000)}`)
  return found
}

function expectAt(time: unknown, wantedMs: number): void {
  expect(Math.abs(Date.parse(String(time)) - wantedMs)).toBeLessThan(TOLERANCE_MS)
}

const COMMON = {
  type: 'call',
  state: 'complete',
  corrects: '',
  tenant: 'example.test',
  account: 'demo',
  identity: 'sip:alice@example.test',
  auth_method: 'digest-md5',
  direction: 'internal',
  source_transport: 'udp',
  source_address: '127.0.0.1',
  from_uri: 'sip:alice@example.test',
  ingress_trunk: '',
  egress_trunk: '',
}

it('a complete call: who, by whom reached, when, how long, and by which rate', async () => {
  const { record, result, bobPort } = await call('call-and-hang-up', 'answer', { pauseMs: 1_200 })
  expect(record).toMatchObject({
    ...COMMON,
    outcome: 'answered',
    final_status: 200,
    ended_by: 'caller',
    dialled: 'bob@example.test',
    request_uri: 'sip:bob@example.test',
    callee: 'sip:bob@example.test',
    callee_transport: 'udp',
    callee_address: '127.0.0.1',
    callee_port: bobPort,
    currency: 'EUR',
    attempts: [{ status: 200, trunk: '' }],
  })
  expect(record.call_ref).toBe(record.cdr_id)
  expect(record.rate_revision).not.toBe('')
  expect(record.edges).toContain(record.setup_edge)
  expectAt(record.setup_time, notedMs(result, /^INVITE /, 2))
  expectAt(record.answer_time, notedMs(result, /^SIP\/2\.0 200 /))
  expectAt(record.end_time, notedMs(result, /^BYE /))
  const talkMs = notedMs(result, /^BYE /) - notedMs(result, /^SIP\/2\.0 200 /)
  expect(Math.abs(record.duration_ms - talkMs)).toBeLessThan(TOLERANCE_MS)
})

it('a missed call: the callee rings and is busy', async () => {
  const { record, result } = await call('call-and-be-refused', 'ring-and-refuse')
  expect(record).toMatchObject({
    ...COMMON,
    outcome: 'rejected',
    final_status: 486,
    ended_by: 'callee',
    answer_time: null,
    duration_ms: 0,
    callee: '',
    attempts: [{ status: 486, provisional_status: 180 }],
  })
  expectAt(record.setup_time, notedMs(result, /^INVITE /, 2))
  expectAt(record.ring_time, notedMs(result, /^SIP\/2\.0 180 /))
  expectAt(record.end_time, notedMs(result, /^SIP\/2\.0 486 /))
  const [attempt] = record.attempts as { start_ms: number; pdd_ms: number; end_ms: number }[]
  const { start_ms: start = -1, pdd_ms: pdd = -1, end_ms: end = -1 } = attempt ?? {}
  expect([start >= 0, pdd >= 0, end >= start + pdd]).toEqual([true, true, true])
})

it('a cancelled call: the caller gives up while it rings', async () => {
  const { record, result } = await call('call-and-cancel', 'ring-until-cancelled')
  const attempts = [{ status: 487, provisional_status: 180 }]
  expect(record).toMatchObject({ ...COMMON, outcome: 'cancelled', final_status: 487, ended_by: 'caller', attempts })
  expectAt(record.ring_time, notedMs(result, /^SIP\/2\.0 180 /))
  expectAt(record.end_time, notedMs(result, /^SIP\/2\.0 487 /))
})

it('a call that policy refuses to a user of ours; and one whose caller did not prove who he is, which leaves none', async () => {
  const run = { scenario: 'call-and-be-refused', port: cluster.sipPort(0), user: 'alice' }
  const stranger = newCallId('stranger')
  await playSipp({ ...run, callId: stranger, password: 'wrong', keys: { callee: 'nobody' }, timeoutMs: 5_000 })
  const callId = newCallId('record')
  const result = await playSipp({ ...run, callId, keys: { callee: 'nobody' } })
  expectPlayed(result)
  expect(lastStatus(result)).toBe(404)
  expect(await cluster.record(callId)).toMatchObject({
    ...COMMON,
    outcome: 'rejected',
    final_status: 404,
    ended_by: 'system',
    reason: 'unknown_user',
    dialled: 'nobody@example.test',
    attempts: [],
  })
  expect(cluster.recordsOf(stranger)).toEqual([])
})
