// SPDX-License-Identifier: MIT
// A real phone, linphonec, with an edge as its outbound proxy: it registers, calls and is called, by its own kind and by SIPp,
// through two edges. Driven by its standard input; it plays files instead of a sound card. Media is not looked at.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram, freePort, type ManagedProcess, sippAvailable, startProcess, waitUntil } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { forget, withPhone } from './support/phone.ts'
import { beginSipp, expectPlayed, newCallId, playSipp, registerSipp } from './support/sipp.ts'

const linphone = findProgram(['linphonec'], 'linphone-cli')
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

async function settings(user: string, edge: number): Promise<string> {
  const proxy = `127.0.0.1:${cluster.sipPort(edge)}`
  const sip = [
    '[sip]',
    `sip_port=${await freePort()}`,
    'sip_tcp_port=0',
    'sip_tls_port=0',
    'use_ipv6=0',
    'default_proxy=0',
  ]
  const account = [
    '[proxy_0]',
    `reg_proxy=<sip:${proxy}>`,
    `reg_route=<sip:${proxy};lr>`,
    `reg_identity=sip:${user}@example.test`,
    'reg_expires=600',
    'reg_sendregister=1',
  ]
  const secret = ['[auth_info_0]', `username=${user}`, `passwd=${user}-secret`, 'realm=example.test']
  return [...sip, ...account, ...secret, '[rtp]', `audio_rtp_port=${await freePort()}`, ''].join('\n')
}

/** A phone of `user` at an edge, registered. */
async function startPhone(user: string, edge: number, args: readonly string[] = []): Promise<ManagedProcess> {
  if (!linphone.available) throw new Error(linphone.reason)
  const home = mkdtempSync(join(tmpdir(), 'tandem-linphone-'))
  mkdirSync(join(home, '.local/share/linphone'), { recursive: true })
  writeFileSync(join(home, 'phone.rc'), await settings(user, edge))
  const phone = await startProcess({
    command: linphone.path,
    args: ['-c', join(home, 'phone.rc'), '-S', ...args],
    env: { HOME: home },
    cwd: home,
  })
  cleanups.push(async () => {
    phone.write('quit\n')
    await phone.waitForEnd(3_000).catch(() => phone.stop(0))
    rmSync(home, { recursive: true, force: true })
  })
  phone.write('soundcard use files\n')
  await waitUntil(`${user} to be registered\n${phone.output()}`, () => isRegistered(user), 10_000, 100)
  return phone
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
  const bob = await startPhone('bob', 1, ['-a'])
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
  const bob = await startPhone('bob', 1, ['-a'])
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
