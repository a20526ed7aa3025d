// SPDX-License-Identifier: MIT
// A real phone, linphonec, with an edge as its outbound proxy: it registers, calls and is called, by its own kind and by SIPp,
// through two edges. Driven by its standard input; it plays files instead of a sound card. Media is not looked at.
import { type ManagedProcess, sippAvailable, waitUntil } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { linphone, startLinphone } from './support/linphone.ts'
import { forget, withPhone } from './support/phone.ts'
import { beginSipp, expectPlayed, newCallId, playSipp, registerSipp } from './support/sipp.ts'

const sipp = sippAvailable()
const TALK_MS = 1_500
let cluster: Cluster
const cleanups: (() => unknown)[] = []

beforeAll(async () => {
  if (linphone.available) cluster = await Cluster.start()
})
beforeEach((context) => {
  if (!linphone.available) context.skip(linphone.reason)
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  await Promise.all(['alice', 'bob'].map((user) => forget(user, cluster.sipPort(0))))
})
afterAll(() => cluster?.stop())

/** A phone of `user` at an edge, registered. */
async function startPhone(user: string, edge: number, answers = false): Promise<ManagedProcess> {
  const phone = await startLinphone({ user, proxy: cluster.sip(edge), answers })
  cleanups.push(() => phone.stop())
  await waitUntil(`${user} to be registered\n${phone.process.output()}`, () => isRegistered(user), 10_000, 100)
  return phone.process
}

async function isRegistered(user: string): Promise<boolean> {
  const reply = await withPhone({ user, port: cluster.sipPort(0) }, (phone) => phone.ask('REGISTER'))
  return reply.all('Contact').length > 0
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function onlyRecord() {
  await waitUntil('a record', () => cluster.records().length > seen, 5_000)
  const lines = cluster.records().slice(seen)
  seen = cluster.records().length
  expect(lines).toHaveLength(1)
  return lines[0]
}
let seen = 0

it('a phone calls a phone through two edges, and hangs up', async () => {
  const bob = await startPhone('bob', 1, true)
  const alice = await startPhone('alice', 0)
  alice.write('call sip:bob@example.test\n')
  await alice.waitForLine(/connected|answered|Media streams established/i)
  await pause(TALK_MS)
  alice.write('terminate\n')
  await bob.waitForLine(/ended|terminated/i)
  const record = await onlyRecord()
  expect(record).toMatchObject({
    outcome: 'answered',
    final_status: 200,
    ended_by: 'caller',
    to_uri: 'sip:bob@example.test',
  })
  expect(Math.abs((record?.duration_ms ?? 0) - TALK_MS)).toBeLessThan(600)
  // It reads every header of ours that it looks at.
  for (const phone of [alice, bob]) expect(phone.output()).not.toMatch(/parser error/)
})

it('a phone is called by SIPp, and hangs up', async (context) => {
  if (!sipp.available) return context.skip(sipp.reason)
  const bob = await startPhone('bob', 1, true)
  const callId = newCallId('call')
  const alice = playSipp({
    scenario: 'call-and-be-hung-up-by-via',
    port: cluster.sipPort(0),
    user: 'alice',
    callId,
    keys: { callee: 'bob' },
  })
  await bob.waitForLine(/connected|answered|Media streams established/i)
  await pause(TALK_MS)
  bob.write('terminate\n')
  expectPlayed(await alice)
  expect(await onlyRecord()).toMatchObject({ call_id: callId, outcome: 'answered', ended_by: 'callee' })
})

it('a phone calls SIPp, which hangs up', async (context) => {
  if (!sipp.available) return context.skip(sipp.reason)
  const bob = await beginSipp({ scenario: 'answer-and-hang-up', keys: { callee: 'bob' }, pauseMs: 500 })
  await registerSipp('bob', cluster.sipPort(0), bob.port)
  const alice = await startPhone('alice', 1)
  alice.write('call sip:bob@example.test\n')
  expectPlayed(await bob.result)
  expect(await onlyRecord()).toMatchObject({ outcome: 'answered', ended_by: 'callee' })
})
