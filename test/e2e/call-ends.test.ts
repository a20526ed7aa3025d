// SPDX-License-Identifier: MIT
// Every way in which a call ends without an answer, calls with several phones, and what happens inside a call; by SIPp, with the
// record of each. T1 and Timer C are short here, so that silence ends in seconds.
// Not tested here: transports and directions (calls.test.ts), who may call whom (requests.test.ts).
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type RunningSipp, sippAvailable } from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Cluster, type RecordLine } from './support/cluster.ts'
import { forget, token, withPhone } from './support/phone.ts'
import { beginSipp, expectPlayed, lastStatus, newCallId, playSipp, registerSipp, type SippRun } from './support/sipp.ts'

const TIMER_C_MS = 2_000
const sipp = sippAvailable()
let cluster: Cluster
const callIds: string[] = []

beforeAll(async () => {
  if (!sipp.available) return
  cluster = await Cluster.start({
    env: { TANDEM_EDGE_TIMERS_T1_MS: '100', TANDEM_EDGE_TIMERS_TIMER_C_MS: String(TIMER_C_MS) },
  })
})
beforeEach(async (context) => {
  if (!sipp.available) return context.skip(sipp.reason)
  await Promise.all(['bob', 'carol', 'dave', 'erin'].map((user) => forget(user, cluster.sipPort(0))))
})
afterAll(() => cluster?.stop())

/** A phone of `user` at edge 1 that plays the scenario. */
async function phoneOf(user: string, scenario: string, more: Partial<SippRun> = {}): Promise<RunningSipp> {
  const running = await beginSipp({ scenario, ...more })
  await registerSipp(user, cluster.sipPort(1), running.port)
  return running
}

/** alice calls at edge 0. */
async function call(callee: string, scenario: string, more: Partial<SippRun> = {}) {
  const callId = newCallId('call')
  callIds.push(callId)
  const result = await playSipp({
    scenario,
    port: cluster.sipPort(0),
    user: 'alice',
    callId,
    keys: { callee },
    ...more,
  })
  expectPlayed(result)
  return { callId, result, status: lastStatus(result) }
}

function expectUnanswered(record: RecordLine, finalStatus: number, outcome: string): void {
  expect(record).toMatchObject({ final_status: finalStatus, outcome, duration_ms: 0, answer_time: null })
  expect(record).toMatchObject({ from_uri: 'sip:alice@example.test', identity: 'sip:alice@example.test' })
}

describe('a call without an answer', () => {
  it('the caller gives up: CANCEL, 487', async () => {
    const bob = await phoneOf('bob', 'ring-until-cancelled')
    const { callId } = await call('bob', 'call-and-cancel')
    expectPlayed(await bob.result)
    expectUnanswered(await cluster.record(callId), 487, 'cancelled')
  })

  it.for([
    { status: 486, outcome: 'rejected' },
    { status: 603, outcome: 'rejected' },
    { status: 480, outcome: 'unanswered' },
    { status: 500, outcome: 'error' },
  ])('the callee rings, then says $status: $outcome', async ({ status, outcome }) => {
    const bob = await phoneOf('bob', 'ring-and-refuse', { status })
    const made = await call('bob', 'call-and-be-refused')
    expectPlayed(await bob.result)
    expect(made.status).toBe(status)
    expectUnanswered(await cluster.record(made.callId), status, outcome)
  })

  it('the callee rings until Timer C: cancelled, 408', async () => {
    const bob = await phoneOf('bob', 'ring-until-cancelled')
    const { callId, status } = await call('bob', 'call-and-be-refused')
    expectPlayed(await bob.result)
    expect(status).toBe(408)
    expectUnanswered(await cluster.record(callId), 408, 'unanswered')
  })

  it('the callee never says anything: 408', async () => {
    const silent = createSocket('udp4').bind(0, '127.0.0.1')
    await once(silent, 'listening')
    await registerSipp('bob', cluster.sipPort(1), silent.address().port)
    const { callId, status } = await call('bob', 'call-and-be-refused')
    silent.close()
    expect(status).toBe(408)
    expectUnanswered(await cluster.record(callId), 408, 'unanswered')
  })

  it('the callee is not registered: 480', async () => {
    const { callId, status } = await call('bob', 'call-and-be-refused')
    expect(status).toBe(480)
    expectUnanswered(await cluster.record(callId), 480, 'unreachable')
  })
})

describe('several phones', () => {
  it('two contacts of bob ring at once; one answers, the other is cancelled', async () => {
    const loser = await phoneOf('bob', 'ring-until-cancelled')
    const winner = await phoneOf('bob', 'answer', { keys: { callee: 'bob' } })
    const { callId } = await call('bob', 'call-and-hang-up')
    expectPlayed(await winner.result)
    expectPlayed(await loser.result)
    expect(await cluster.record(callId)).toMatchObject({ outcome: 'answered', final_status: 200, ended_by: 'caller' })
  })

  it('the hunt group sales rings its members; one answers, the others are cancelled', async () => {
    const others = [await phoneOf('carol', 'ring-until-cancelled'), await phoneOf('erin', 'ring-until-cancelled')]
    const dave = await phoneOf('dave', 'answer', { keys: { callee: 'sales' } })
    const { callId } = await call('sales', 'call-and-hang-up')
    for (const phone of [dave, ...others]) expectPlayed(await phone.result)
    expect(await cluster.record(callId)).toMatchObject({ outcome: 'answered', to_uri: 'sip:sales@example.test' })
  })

  it('the first refusal does not end it while another phone rings; the best one comes back', async () => {
    const refusing = await phoneOf('bob', 'ring-and-refuse', { status: 486, pauseMs: 100 })
    const busy = await phoneOf('bob', 'ring-and-refuse', { status: 480, pauseMs: 500 })
    const { callId, status } = await call('bob', 'call-and-be-refused')
    for (const phone of [refusing, busy]) expectPlayed(await phone.result)
    expect([480, 486]).toContain(status)
    expect((await cluster.record(callId)).final_status).toBe(status)
  })
})

describe('inside a call', () => {
  it('re-INVITEs pass in both directions and leave the record alone', async () => {
    const bob = await phoneOf('bob', 'answer-with-re-invites', { keys: { callee: 'bob' } })
    const { callId } = await call('bob', 'call-with-re-invites')
    expectPlayed(await bob.result)
    const record = await cluster.record(callId)
    expect(record).toMatchObject({ outcome: 'answered', ended_by: 'caller', final_status: 200 })
    expect(record.duration_ms).toBeGreaterThan(500)
  })

  it('a repeated INVITE is absorbed, before and after its answer', async () => {
    const bob = await phoneOf('bob', 'answer')
    const callId = `call-${token()}`
    callIds.push(callId)
    await withPhone({ user: 'alice', port: cluster.sipPort(0) }, async (alice) => {
      const uri = 'sip:bob@example.test'
      const parts = { uri, to: `<${uri}>`, callId, headers: [`Contact: ${alice.contact}`] }
      alice.send(alice.request('INVITE', parts))
      const challenge = await alice.final('the challenge', callId, '1 INVITE')
      alice.acknowledge(challenge, uri)
      const headers = [...parts.headers, alice.credentials(challenge, 'INVITE', uri)]
      const invite = alice.request('INVITE', { ...parts, cseq: 2, headers })
      for (let i = 0; i < 3; i++) alice.send(invite)
      const answer = await alice.final('the answer', callId, '2 INVITE')
      alice.send(invite)
      const dialog = {
        uri: /<(.*)>/.exec(answer.header('Contact'))?.[1] ?? '',
        to: answer.header('To'),
        callId,
        headers: answer.all('Record-Route').map((value) => `Route: ${value}`),
      }
      alice.send(alice.request('ACK', { ...dialog, cseq: 2 }))
      expect((await alice.ask('BYE', { ...dialog, cseq: 3 })).status).toBe(200)
    })
    expectPlayed(await bob.result)
    expect(await cluster.record(callId)).toMatchObject({ outcome: 'answered' })
  })
})

it('every call left one line, and nothing else did', () => {
  const lines = cluster.records().map((line) => line.call_id)
  expect(lines.sort()).toEqual([...callIds].sort())
})
