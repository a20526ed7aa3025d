// SPDX-License-Identifier: MIT
// `tandem hangup`: calls that a person ends from the command line, with phones that others wrote, each service and edge a process of its
// own, so that the edge that set a call up can be killed. The record of each says that the system ended it, once.
// Not tested here: who asks for a hang-up otherwise (test/hang-up), what the command says of configuration (failures.test.ts).
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { sippAvailable, waitUntil } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { linphone, startLinphone } from './support/linphone.ts'
import { forget, type Message, Phone, type PhoneOptions, token } from './support/phone.ts'
import { beginSipp, expectPlayed, newCallId, playSipp, registerSipp } from './support/sipp.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const ADMINISTRATOR = 'SIP;cause=480;text="Ended by an administrator"'
const sipp = sippAvailable()
let cluster: Cluster
const cleanups: (() => unknown)[] = []

beforeAll(async () => {
  if (!sipp.available) return
  cluster = await Cluster.start({ processes: 'many', env: { TANDEM_EDGE_TIMERS_T1_MS: '100' } })
})
beforeEach(async (context) => {
  if (!sipp.available) return context.skip(sipp.reason)
  await waitUntil('both edges', async () => (await Promise.all([0, 1].map(isReady))).every(Boolean), 20_000)
  await Promise.all(['alice', 'bob'].map((user) => forget(user, cluster.sipPort(1))))
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
afterAll(() => cluster?.stop())

const isReady = async (edge: number): Promise<boolean> => (await cluster.http(edge, '/readyz')) === 200

interface Told {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** The command as a person runs it. */
function tandem(...args: string[]): Promise<Told> {
  const env = { ...process.env, TANDEM_POLICY_GRPC_PORT: String(cluster.basePort + 21) }
  const command = [join(ROOT, 'cli/dist/main.js'), ...args]
  return new Promise((done) => {
    execFile(process.execPath, command, { env, cwd: ROOT, timeout: 15_000 }, (error, out, err) => {
      done({ status: error === null ? 0 : Number(error.code ?? -1), out, err })
    })
  })
}

interface Live {
  readonly callRef: string
  readonly state: string
  readonly call: { readonly callId: string; readonly edgeId: string }
}

/** Once it is on record in this state. */
async function liveCall(callId: string, state = 'answered'): Promise<Live> {
  let found: Live | undefined
  const look = async (): Promise<boolean> => {
    const { out } = await tandem('calls', '-o', 'json')
    found = (JSON.parse(out) as Live[]).find((live) => live.call.callId === callId && live.state === state)
    return found !== undefined
  }
  await waitUntil(`${callId} to be ${state}`, look, 10_000, 100)
  return found as Live
}

/** The process of an edge, by its arguments. */
function pidOfEdge(index: number): number {
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const about = (file: string): string => {
      try {
        return readFileSync(`/proc/${entry}/${file}`, 'latin1')
      } catch {
        return ''
      }
    }
    const isChild = new RegExp(`^PPid:\\s${cluster.process.pid}$`, 'm').test(about('status'))
    const args = about('cmdline').split('\0')
    const at = args.indexOf('run')
    if (isChild && args[at + 1] === 'edge' && args[args.indexOf('--index') + 1] === String(index)) return Number(entry)
  }
  throw new Error(`no process of edge ${index}`)
}

async function open(options: Partial<PhoneOptions> & { user: string; edge: number }): Promise<Phone> {
  const { edge, ...rest } = options
  const phone = await Phone.open({ port: cluster.sipPort(edge), ...rest })
  cleanups.push(() => phone.close())
  return phone
}

interface Dialog {
  readonly callId: string
  /** Parts of a request of the caller inside it. */
  readonly parts: { uri: string; to: string; callId: string; headers: string[] }
}

/** The caller calls the callee, whose phone answers. */
async function call(caller: Phone, callee: Phone): Promise<Dialog> {
  expect((await callee.register()).status).toBe(200)
  const uri = callee.aor
  const callId = `call-${token()}`
  const invite = caller.ask('INVITE', { uri, to: `<${uri}>`, callId, headers: [`Contact: ${caller.contact}`] })
  const incoming = await callee.next('the INVITE', (message) => message.method === 'INVITE')
  callee.reply(incoming, '200 OK', [`Contact: ${callee.contact}`])
  const answer = await invite
  expect(answer.status).toBe(200)
  const routes = answer.all('Record-Route').reverse()
  const headers = routes.map((value) => `Route: ${value}`)
  const target = /<(.*)>/.exec(answer.header('Contact'))?.[1] ?? ''
  const parts = { uri: target, to: answer.header('To'), callId, headers }
  const cseq = Number(answer.header('CSeq').split(' ')[0])
  caller.send(caller.request('ACK', { ...parts, cseq }))
  await callee.next('the ACK', (message) => message.method === 'ACK')
  return { callId, parts }
}

const bye = (phone: Phone): Promise<Message> => phone.next('the BYE', (message) => message.method === 'BYE')

async function expectEnded(callId: string, reason = ADMINISTRATOR) {
  const record = await cluster.record(callId, 10_000)
  expect(record).toMatchObject({ ended_by: 'system', reason, outcome: 'answered', state: 'complete' })
  return record
}

describe('a call that is hung up by command', () => {
  it('ends while the edge that set it up has been killed, by the other one', async () => {
    const bob = await beginSipp({ scenario: 'answer-by-via' })
    await registerSipp('bob', cluster.sipPort(1), bob.port)
    const callId = newCallId('killed')
    const keys = { callee: 'bob' }
    const alice = playSipp({
      scenario: 'call-and-be-hung-up-by-via',
      port: cluster.sipPort(0),
      user: 'alice',
      callId,
      keys,
    })
    const { callRef, call } = await liveCall(callId)
    expect(call.edgeId).toMatch(/^edge-0\./)
    process.kill(pidOfEdge(0), 'SIGKILL')
    const told = await tandem('hangup', callRef)
    expect(told).toMatchObject({ status: 0, err: '' })
    expect(told.out).toContain('answered')
    expectPlayed(await alice)
    expectPlayed(await bob.result)
    expect((await expectEnded(callId)).end_edge).toMatch(/^edge-1\./)
  })

  it.each(['udp', 'tcp'] as const)('reaches two phones whose flows are at different edges (%s)', async (transport) => {
    const alice = await open({ user: 'alice', edge: 0, transport })
    const bob = await open({ user: 'bob', edge: 1, transport })
    const { callId } = await call(alice, bob)
    const { callRef } = await liveCall(callId)
    expect(await tandem('hangup', callRef, '--reason', 'Line "closed"')).toMatchObject({ status: 0 })
    for (const phone of [alice, bob]) {
      const request = await bye(phone)
      expect(request.header('Reason')).toBe('SIP;cause=480;text="Line \\"closed\\""')
      phone.reply(request, '200 OK')
    }
    await expectEnded(callId, 'SIP;cause=480;text="Line \\"closed\\""')
  })

  it('reaches a phone on TCP that has connected anew, to another edge', async () => {
    const alice = await open({ user: 'alice', edge: 1 })
    const first = await open({ user: 'bob', edge: 0, transport: 'tcp' })
    const { callId } = await call(alice, first)
    first.close()
    await forget('bob', cluster.sipPort(1))
    const second = await open({ user: 'bob', edge: 1, transport: 'tcp' })
    expect((await second.register()).status).toBe(200)
    const { callRef } = await liveCall(callId)
    expect(await tandem('hangup', callRef)).toMatchObject({ status: 0 })
    for (const phone of [alice, second]) {
      const request = await bye(phone)
      expect(request.header('Call-ID')).toBe(callId)
      phone.reply(request, '200 OK')
    }
    await expectEnded(callId)
  })

  it('ends when a phone knows nothing of it: 481', async () => {
    const [alice, bob] = [await open({ user: 'alice', edge: 0 }), await open({ user: 'bob', edge: 1 })]
    const { callId } = await call(alice, bob)
    const { callRef } = await liveCall(callId)
    await tandem('hangup', callRef)
    bob.reply(await bye(bob), '481 Call/Transaction Does Not Exist')
    await expectEnded(callId)
  })

  it('ends once where the BYE of a party crosses ours', async () => {
    const [alice, bob] = [await open({ user: 'alice', edge: 0 }), await open({ user: 'bob', edge: 1 })]
    const { callId, parts } = await call(alice, bob)
    const { callRef } = await liveCall(callId)
    // The edge waits 6.4 s for the answers, the command may take as long on a slow machine.
    const told = tandem('hangup', callRef)
    const ours = await bye(alice)
    alice.send(alice.request('BYE', { ...parts, cseq: 9 }))
    alice.reply(ours, '200 OK')
    for (let k = 0; k < 2; k++) bob.reply(await bye(bob), k === 0 ? '200 OK' : '481 Call/Transaction Does Not Exist')
    expect([200, 481]).toContain((await alice.final('the answer to the BYE', callId, '9 BYE')).status)
    await told
    await expectEnded(callId)
  })

  it('ends in set-up: the phone that rings gets CANCEL, the caller 480', async () => {
    const [alice, bob] = [await open({ user: 'alice', edge: 0 }), await open({ user: 'bob', edge: 1 })]
    expect((await bob.register()).status).toBe(200)
    const callId = `call-${token()}`
    const uri = bob.aor
    const parts = { uri, to: `<${uri}>`, callId, headers: [`Contact: ${alice.contact}`] }
    alice.send(alice.request('INVITE', parts))
    const challenge = await alice.final('the challenge', callId, '1 INVITE')
    alice.acknowledge(challenge, uri)
    const headers = [...parts.headers, alice.credentials(challenge, 'INVITE', uri)]
    alice.send(alice.request('INVITE', { ...parts, cseq: 2, headers }))
    const incoming = await bob.next('the INVITE', (message) => message.method === 'INVITE')
    bob.reply(incoming, '180 Ringing', [`Contact: ${bob.contact}`])
    const { callRef } = await liveCall(callId, 'setup')
    expect(await tandem('hangup', callRef)).toMatchObject({ status: 0 })
    const cancel = await bob.next('the CANCEL', (message) => message.method === 'CANCEL')
    expect(cancel.header('Reason')).toBe(ADMINISTRATOR)
    bob.reply(cancel, '200 OK')
    bob.reply(incoming, '487 Request Terminated')
    const final = await alice.final('the failure', callId, '2 INVITE')
    expect([final.status, final.header('Reason')]).toEqual([480, ADMINISTRATOR])
    alice.acknowledge(final, bob.aor)
    expect(await cluster.record(callId)).toMatchObject({ ended_by: 'system', reason: ADMINISTRATOR, final_status: 480 })
  })

  it('ends a call of two linphones', async (context) => {
    if (!linphone.available) return context.skip(linphone.reason)
    const bob = await startLinphone({ user: 'bob', proxy: cluster.sip(1), answers: true })
    cleanups.push(() => bob.stop())
    const alice = await startLinphone({ user: 'alice', proxy: cluster.sip(0) })
    cleanups.push(() => alice.stop())
    const known = new Set(cluster.records().map((line) => line.cdr_id))
    alice.say('call sip:bob@example.test')
    await alice.process.waitForLine(/connected|answered|Media streams established/i)
    let ref = ''
    const answered = async (): Promise<boolean> => {
      const { out } = await tandem('calls', '-o', 'json')
      ref = (JSON.parse(out) as Live[]).find((live) => live.state === 'answered')?.callRef ?? ''
      return ref !== ''
    }
    await waitUntil('the call', answered, 10_000, 100)
    expect(await tandem('hangup', ref)).toMatchObject({ status: 0 })
    for (const phone of [alice, bob]) await phone.process.waitForLine(/ended|terminated/i)
    await waitUntil('its record', () => cluster.records().some((line) => line.cdr_id === ref), 10_000)
    const lines = cluster.records().filter((line) => !known.has(line.cdr_id))
    expect(lines).toMatchObject([{ cdr_id: ref, ended_by: 'system', reason: ADMINISTRATOR }])
  })
})

describe('a hang-up that can not be', () => {
  it.each([
    { ref: 'nonsense', status: 1, says: /bad_reference/ },
    { ref: '00AAAAAAAAAAAAAAAA', status: 1, says: /No call 00AAAAAAAAAAAAAAAA is on record. `tandem calls`/ },
  ])('says so: $ref', async ({ ref, status, says }) => {
    const told = await tandem('hangup', ref)
    expect(told).toMatchObject({ status, out: '' })
    expect(told.err).toMatch(says)
  })

  it('is one of usage without a reference', async () => {
    expect(await tandem('hangup')).toMatchObject({ status: 2, out: '' })
  })

  it('says that the call has ended', async () => {
    const [alice, bob] = [await open({ user: 'alice', edge: 0 }), await open({ user: 'bob', edge: 1 })]
    const { callId, parts } = await call(alice, bob)
    const { callRef } = await liveCall(callId)
    alice.send(alice.request('BYE', { ...parts, cseq: 9 }))
    bob.reply(await bye(bob), '200 OK')
    await cluster.record(callId)
    const told = await tandem('hangup', callRef)
    expect(told).toMatchObject({ status: 1, err: `tandem: The call ${callRef} has ended already.\n` })
  })
})
