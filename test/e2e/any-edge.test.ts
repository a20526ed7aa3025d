// SPDX-License-Identifier: MIT
// Edges behind one UDP address, each a process of its own, one of which is killed outright at a point of the call that the test chooses
// [DESIGN §4]. Calls through a death are SIPp's; where a message has to go to a certain edge, a phone with several sockets plays: the kernel
// ties each socket to one edge while no edge comes or goes.
// Not tested here: many calls at once and random points (test/chaos), every message in every state (test/any-edge).

import { readFileSync } from 'node:fs'
import { runSipp, sippAvailable, startSipp, waitUntil } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { offsets } from '../chaos/any-edge.ts'
import { ChaosCluster, DOMAIN } from '../chaos/support/cluster.ts'
import { freeBlock } from './support/cluster.ts'
import { type Message, Phone, type PhoneOptions, token } from './support/phone.ts'

const HOST = '127.0.0.1'
const EDGES = [0, 1, 2]
const sipp = sippAvailable()
let cluster: ChaosCluster
let base: number
/** The one that a test has killed. */
let killed = -1
/** The start of the one that the test before has killed: goes on beside the next test, until that needs it. */
let restart: Promise<unknown> = Promise.resolve()
const phones: Phone[] = []
const cleanups: (() => unknown)[] = []

beforeAll(async () => {
  base = await freeBlock([...offsets(EDGES.length), 6])
  cluster = await ChaosCluster.start({
    edges: EDGES.map(() => ({ address: HOST, prefix: [] })),
    advertisedAddress: HOST,
    serviceAddress: HOST,
    basePort: base,
    store: 'memory',
    callees: 12,
    domain: { forking: 'serial', ringMs: 20_000 },
    // Whose request counts grow is who got a message: no edge asks itself here.
    edge: { warmUpCalls: 0, readiness: { probe: false } },
  })
})
afterAll(async () => {
  await restart
  await cluster?.stop()
})
beforeEach((context) => {
  if (!sipp.available) context.skip(sipp.reason)
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  for (const phone of phones.splice(0)) phone.close()
  if (killed >= 0) restart = cluster.startEdge(killed)
  restart.catch(() => undefined) // who waits for it hears of it
  killed = -1
})

async function kill(edge: number): Promise<void> {
  await restart
  killed = edge
  await cluster.killEdge(edge)
}

const LABELLED: Readonly<Record<string, string>> = {
  requests: 'tandem_sip_requests_total{direction="in"}',
  calls_answered: 'tandem_edge_calls_ended_total{result="answered"}',
  registrations: 'tandem_edge_registrations_total{result="accepted"}',
}
const metricOf = (name: string): string => LABELLED[name] ?? `tandem_edge_${name}_total`

const counts = (name: string): Promise<number[]> =>
  Promise.all(EDGES.map((edge) => cluster.count(edge, metricOf(name))))

/** The edge whose count grows over `before`. */
async function edgeThat(name: string, before: readonly number[]): Promise<number> {
  let found = -1
  const grows = async (): Promise<boolean> => {
    found = (await counts(name)).findIndex((count, edge) => count > (before[edge] ?? 0))
    return found >= 0
  }
  await waitUntil(`an edge whose ${name} grow`, grows, 5_000, 20)
  return found
}

async function open(user: string, more: Partial<PhoneOptions> = {}): Promise<Phone> {
  const phone = await Phone.open({ user, port: base, ...more })
  phones.push(phone)
  return phone
}

const address = (user: string): string => `sip:${user}@${DOMAIN}`

/** A socket whose datagrams this edge gets. */
async function socketAt(fits: (edge: number) => boolean): Promise<Phone> {
  await restart
  for (let attempt = 0; attempt < 40; attempt++) {
    const phone = await open('caller')
    const before = await counts('requests')
    await phone.ask('OPTIONS', { uri: `sip:${HOST}:${base}` })
    if (fits(await edgeThat('requests', before))) return phone
  }
  throw new Error('the kernel gives that edge no socket')
}

async function register(phone: Phone, q = '1.0'): Promise<void> {
  const aor = `<${address(phone.options.user)}>`
  const headers = [`Contact: ${phone.contact};q=${q}`, 'Expires: 600']
  const reply = await phone.ask('REGISTER', { uri: `sip:${DOMAIN}`, to: aor, from: aor, headers })
  expect(reply.startLine).toBe('SIP/2.0 200 OK')
  cleanups.push(async () => {
    const gone = [`Contact: ${phone.contact}`, 'Expires: 0']
    if (phone.transport === 'udp')
      await phone.ask('REGISTER', { uri: `sip:${DOMAIN}`, to: aor, from: aor, headers: gone })
  })
}

/** An INVITE as its caller sends it, each time the same. */
function inviteOf(alice: Phone, user: string) {
  const parts = { uri: address(user), to: `<${address(user)}>`, from: `<${address('caller')}>`, callId: token() }
  const branch = `z9hG4bK${token()}`
  const text = (method: string, to = parts.to): string =>
    alice.request(method, { ...parts, to, branch, headers: method === 'INVITE' ? [`Contact: ${alice.contact}`] : [] })
  return { ...parts, text }
}

const isInvite = (message: Message): boolean => message.method === 'INVITE'
const nextInvite = (phone: Phone): Promise<Message> => phone.next('the INVITE', isInvite)

/** What the caller sends in the dialog that `answer` has made, over any of his sockets. */
function inDialog(alice: Phone, answer: Message, method: string, cseq: number): string {
  const headers = answer.all('Record-Route').map((value) => `Route: ${value}`)
  const uri = answer.header('Contact').slice(1, -1)
  const parts = { to: answer.header('To'), from: `<${address('caller')}>`, callId: answer.header('Call-ID') }
  if (method === 'INVITE') headers.push(`Contact: ${alice.contact}`)
  return alice.request(method, { ...parts, uri, cseq, headers }).replace(/tag=\w+(\r\n?To)/, `tag=${tagOf(answer)}$1`)
}

const tagOf = (answer: Message): string => /tag=(\w+)/.exec(answer.header('From'))?.[1] ?? ''

/** ACK, a while, BYE: over `alice`. */
async function finish(alice: Phone, bob: Phone, answer: Message): Promise<void> {
  alice.send(inDialog(alice, answer, 'ACK', 1))
  await bob.next('the ACK', ({ method }) => method === 'ACK')
  alice.send(inDialog(alice, answer, 'BYE', 9))
  bob.reply(await bob.next('the BYE', ({ method }) => method === 'BYE'), '200 OK')
  const end = await alice.final('the end', answer.header('Call-ID'), '9 BYE')
  expect(end.status).toBe(200)
}

/** The one record of a call. */
async function record(callId: string) {
  const own = () => cluster.records().filter((line) => line.call_id === callId)
  await waitUntil(`the record of ${callId}`, () => own().length > 0, 10_000)
  expect(own()).toHaveLength(1)
  return own()[0]
}

const chaosScenario = (name: string): string =>
  readFileSync(`${import.meta.dirname}/../chaos/sipp/${name}.xml`, 'latin1').replaceAll('TALK_MS', '300')

const pause = (ms: number): string => `<pause milliseconds="${ms}"/>`

/** A callee that waits before its 180, and before its 200, and then does as the chaos callee does. */
const callee = (beforeRingingMs: number, ringMs: number): string =>
  chaosScenario('answer')
    .replace('<label id="1"/>', `${pause(beforeRingingMs)}<label id="1"/>`)
    .replaceAll('RING_MS', String(ringMs))

/** A caller that waits before its first ACK. */
const caller = (beforeAckMs: number): string =>
  chaosScenario('call-and-hang-up').replace('<label id="1"/>', `${pause(beforeAckMs)}<label id="1"/>`)

describe('the owner is killed, SIPp calls SIPp over UDP: answered, ACKed, talked, ended, one record', () => {
  it.for([
    {
      when: 'after the INVITE has left, before 180',
      user: 'callee0',
      grows: 'calls',
      rings: 1_500,
      answers: 300,
      acks: 0,
    },
    { when: 'between 180 and 200', user: 'callee8', grows: 'calls', rings: 0, answers: 1_800, acks: 0 },
    { when: 'between 200 and ACK', user: 'callee9', grows: 'calls_answered', rings: 0, answers: 200, acks: 1_500 },
  ])('$when', { timeout: 60_000 }, async ({ user, grows, rings, answers, acks }) => {
    const target = `${HOST}:${base}`
    const bob = await startSipp({ scenario: { xml: callee(rings, answers) }, calls: 1 })
    cleanups.push(() => bob.stop(0))
    const keys = { user, domain: DOMAIN, contact: `<sip:${user}@${HOST}:${bob.port}>` }
    const args = Object.entries(keys).flatMap(([name, value]) => ['-key', name, value])
    const scenario = { file: `${import.meta.dirname}/sipp/register-open.xml` }
    expect((await runSipp({ scenario, target, args })).exitCode).toBe(0)
    const before = await counts(grows)
    const callId = `${token()}@${HOST}`
    const more = { inject: `SEQUENTIAL\n${user}\n`, args: ['-cid_str', callId] }
    const alice = runSipp({ scenario: { xml: caller(acks) }, target, ...more })
    const owner = await edgeThat(grows, before)
    if (rings === 0 && acks === 0) await new Promise((resolve) => setTimeout(resolve, 400)) // its 180 has gone
    await kill(owner)
    const called = await alice
    expect(called.exitCode, called.errors + called.messages).toBe(0)
    expect(await record(callId)).toMatchObject({ outcome: 'answered', ended_by: 'caller' })
    const invites = (await bob.stop(0)).messages.match(/^INVITE .*[\s\S]*?branch=[^;]+/gm) ?? []
    expect(new Set(invites.map((text) => text.slice(text.lastIndexOf('branch=')))).size).toBe(1)
  })
})

describe('the owner is killed', () => {
  it('in a serial fork between two attempts', async () => {
    const [first, second] = [await open('callee1'), await open('callee1')]
    await register(first, '1.0')
    await register(second, '0.5')
    const alice = await open('caller')
    const before = await counts('calls')
    const { text, callId } = inviteOf(alice, 'callee1')
    alice.send(text('INVITE'))
    const invite = await nextInvite(first)
    first.reply(invite, '180 Ringing')
    await alice.next('180', ({ status }) => status === 180)
    await kill(await edgeThat('calls', before))
    first.reply(invite, '486 Busy Here')
    await first.next('the ACK of the failure', ({ method }) => method === 'ACK')
    second.reply(await nextInvite(second), '200 OK', [`Contact: ${second.contact}`])
    const answer = await alice.final('the answer', callId, '1 INVITE')
    expect(answer.status).toBe(200)
    await finish(alice, second, answer)
    expect(await record(callId)).toMatchObject({ outcome: 'answered' })
  })

  it('during a REGISTER: the phone repeats it, and is bound once', async () => {
    const scenario = { file: `${import.meta.dirname}/sipp/register-open.xml` }
    const keys = { user: 'callee2', domain: DOMAIN, contact: `<sip:callee2@${HOST}:9>` }
    const args = Object.entries(keys).flatMap(([name, value]) => ['-key', name, value])
    await restart // which needs policy
    cluster.signalService('policy', 'SIGSTOP')
    cleanups.push(() => cluster.signalService('policy', 'SIGCONT'))
    const before = await counts('requests')
    const registered = runSipp({ scenario, target: `${HOST}:${base}`, args })
    await kill(await edgeThat('requests', before))
    cluster.signalService('policy', 'SIGCONT')
    expect((await registered).exitCode).toBe(0)
    const phone = await open('callee2')
    const aor = `<${address('callee2')}>`
    const bindings = await phone.ask('REGISTER', { uri: `sip:${DOMAIN}`, to: aor, from: aor })
    expect(bindings.all('Contact')).toHaveLength(1)
  })

  it('while it rings, and the CANCEL reaches another edge: 200, the callee is cancelled, 487, one record', async () => {
    const bob = await open('callee3')
    await register(bob)
    const alice = await socketAt((edge) => edge === 0)
    const { text, callId } = inviteOf(alice, 'callee3')
    alice.send(text('INVITE'))
    const invite = await nextInvite(bob)
    bob.reply(invite, '180 Ringing')
    await alice.next('180', ({ status }) => status === 180)
    await kill(0)
    alice.send(text('CANCEL'))
    expect((await alice.final('the 200', callId, '1 CANCEL')).status).toBe(200)
    bob.reply(invite, '180 Ringing') // as it answers the INVITE that the adopter repeats
    const cancel = await bob.next('the CANCEL', ({ method }) => method === 'CANCEL')
    bob.reply(cancel, '200 OK')
    bob.reply(invite, '487 Request Terminated')
    const failure = await alice.final('the 487', callId, '1 INVITE')
    expect(failure.status).toBe(487)
    alice.send(text('ACK', failure.header('To')))
    expect(await record(callId)).toMatchObject({ outcome: 'cancelled' })
  })
})

describe('another edge than the owner, which lives', () => {
  it('a repeated INVITE, CANCEL and the ACK of the failure do what they would at the owner; the callee sees one call', async () => {
    const bob = await open('callee4')
    await register(bob)
    const alice = await socketAt((edge) => edge === 0)
    const elsewhere = await socketAt((edge) => edge === 1)
    const before = await counts('relayed_requests')
    const { text, callId } = inviteOf(alice, 'callee4')
    alice.send(text('INVITE'))
    const invite = await nextInvite(bob)
    bob.reply(invite, '180 Ringing')
    await alice.next('180', ({ status }) => status === 180)
    elsewhere.send(text('INVITE'))
    await alice.next('the 180 again', ({ status }) => status === 180)
    elsewhere.send(text('CANCEL'))
    expect((await elsewhere.final('the 200', callId, '1 CANCEL')).status).toBe(200)
    bob.reply(await bob.next('the CANCEL', ({ method }) => method === 'CANCEL'), '200 OK')
    bob.reply(invite, '487 Request Terminated')
    const failure = await alice.final('the 487', callId, '1 INVITE')
    elsewhere.send(text('ACK', failure.header('To')))
    await new Promise((resolve) => setTimeout(resolve, 1_200)) // Timer G would have fired twice
    expect(alice.inbox.filter(({ status }) => status === 487).length).toBeLessThanOrEqual(1)
    expect(bob.inbox.filter(isInvite)).toEqual([])
    expect(((await counts('relayed_requests'))[1] ?? 0) - (before[1] ?? 0)).toBe(3)
    expect(await record(callId)).toMatchObject({ outcome: 'cancelled' })
  })
})

it('a re-INVITE, UPDATE, INFO and BYE enter an edge that was started after the call was set up', async () => {
  const bob = await open('callee5')
  await register(bob)
  const alice = await socketAt((edge) => edge === 0)
  const { text, callId } = inviteOf(alice, 'callee5')
  alice.send(text('INVITE'))
  bob.reply(await nextInvite(bob), '200 OK', [`Contact: ${bob.contact}`])
  const answer = await alice.final('the answer', callId, '1 INVITE')
  alice.send(inDialog(alice, answer, 'ACK', 1))
  await bob.next('the ACK', ({ method }) => method === 'ACK')
  await kill(2)
  await cluster.startEdge(2)
  killed = -1
  const late = await socketAt((edge) => edge === 2)
  for (const [k, method] of ['INVITE', 'UPDATE', 'INFO', 'BYE'].entries()) {
    late.send(inDialog(late, answer, method, k + 2))
    bob.reply(await bob.next(method, (message) => message.method === method), '200 OK', [`Contact: ${bob.contact}`])
    expect((await late.final(method, callId, `${k + 2} ${method}`)).status).toBe(200)
    if (method !== 'INVITE') continue
    late.send(inDialog(late, answer, 'ACK', 2))
    await bob.next('the ACK', (message) => message.method === 'ACK')
  }
  expect(await cluster.count(2, 'tandem_edge_in_dialog_total')).toBe(4)
  expect(await record(callId)).toMatchObject({ outcome: 'answered', ended_by: 'caller' })
})

describe('a user whose connection is at another edge', () => {
  it.for([
    { transport: 'tcp', port: 0, user: 'callee6' },
    { transport: 'ws', port: 6, user: 'callee7' },
  ] as const)(
    '$transport: is called over one hop; its edge dies: 480, or the next binding',
    { timeout: 60_000 },
    async ({ transport, port, user }) => {
      await restart
      const before = await counts('registrations')
      const bob = await open(user, { transport, port: base + port })
      await register(bob)
      const holder = await edgeThat('registrations', before)
      const alice = await socketAt((edge) => edge !== holder)
      const hops = await cluster.count(holder, 'tandem_edge_internal_hops_total')
      const first = inviteOf(alice, user)
      alice.send(first.text('INVITE'))
      bob.reply(await nextInvite(bob), '200 OK', [`Contact: ${bob.contact}`])
      const answer = await alice.final('the answer', first.callId, '1 INVITE')
      expect(await cluster.count(holder, 'tandem_edge_internal_hops_total')).toBeGreaterThan(hops)
      await finish(alice, bob, answer)
      expect(await record(first.callId)).toMatchObject({ outcome: 'answered', ended_by: 'caller' })

      await kill(holder)
      const second = inviteOf(alice, user)
      alice.send(second.text('INVITE'))
      const failure = await alice.final('the failure', second.callId, '1 INVITE')
      expect(failure.status).toBe(480)
      alice.send(second.text('ACK', failure.header('To')))

      const other = await open(user)
      await register(other, '0.5')
      const third = inviteOf(alice, user)
      alice.send(third.text('INVITE'))
      other.reply(await nextInvite(other), '200 OK', [`Contact: ${other.contact}`])
      const again = await alice.final('the answer of the other phone', third.callId, '1 INVITE')
      expect(again.status).toBe(200)
      await finish(alice, other, again)
      expect(await record(third.callId)).toMatchObject({ outcome: 'answered' })
    },
  )
})
