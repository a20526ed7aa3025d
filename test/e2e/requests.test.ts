// SPDX-License-Identifier: MIT
// Who may do what, and what the registrar answers, over the wire: digest with both algorithms, refusals, bindings. The phone is
// our own small one (support/phone.ts), because SIPp gives up on SHA-256. Not tested here: calls (calls.test.ts, call-ends.test.ts).
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { forget, type Message, Phone, type PhoneOptions, token } from './support/phone.ts'

let cluster: Cluster
const phones: Phone[] = []

beforeAll(async () => {
  cluster = await Cluster.start()
})
afterEach(async () => {
  for (const phone of phones.splice(0)) phone.close()
  await Promise.all(['alice', 'bob'].map((user) => forget(user, cluster.sipPort(0))))
})
afterAll(() => cluster?.stop())

async function open(user: string, edge: 0 | 1, more: Partial<PhoneOptions> = {}): Promise<Phone> {
  const phone = await Phone.open({ user, port: cluster.sipPort(edge), ...more })
  phones.push(phone)
  return phone
}

const BOB = 'sip:bob@example.test'
const contactsOf = (reply: Message): string[] => reply.all('Contact')

describe.for(['udp', 'tcp'] as const)('digest over %s', (transport) => {
  it.for(['MD5', 'SHA-256'] as const)('%s: REGISTER and MESSAGE', async (algorithm) => {
    const bob = await open('bob', 1, { transport, algorithm })
    expect((await bob.register()).status).toBe(200)
    const alice = await open('alice', 0, { transport, algorithm })
    const headers = ['Content-Type: text/plain']
    const sent = alice.ask('MESSAGE', { uri: BOB, to: `<${BOB}>`, headers, body: 'hello' })
    const message = await bob.next('the MESSAGE', (m) => m.method === 'MESSAGE')
    expect(message.body).toBe('hello')
    bob.reply(message, '200 OK')
    expect((await sent).status).toBe(200)
  })
})

describe('who is not let in', () => {
  it.for([
    { what: 'a wrong password', user: 'alice', password: 'wrong' },
    { what: 'a user that does not exist', user: 'mallory', password: 'mallory-secret' },
  ])('REGISTER with $what is never a 200', async ({ user, password }) => {
    const phone = await open(user, 0, { password })
    const reply = await phone.register()
    expect([401, 403, 404]).toContain(reply.status)
  })

  it('INVITE with a wrong password: 407 again or 403, and no callee rings', async () => {
    const bob = await open('bob', 1)
    await bob.register()
    const alice = await open('alice', 0, { password: 'wrong' })
    const reply = await alice.ask('INVITE', { uri: BOB, to: `<${BOB}>`, headers: [`Contact: ${alice.contact}`] })
    expect([403, 407]).toContain(reply.status)
    expect(bob.inbox).toEqual([])
  })

  it('the From of another user: 403', async () => {
    const alice = await open('alice', 0)
    const reply = await alice.ask('MESSAGE', { uri: BOB, to: `<${BOB}>`, from: '<sip:carol@example.test>' })
    expect(reply.status).toBe(403)
  })

  it('registering somebody else: 403', async () => {
    const alice = await open('alice', 0)
    const reply = await alice.register({ to: `<${BOB}>` })
    expect(reply.status).toBe(403)
  })

  it('credentials are good for one request: the same again is challenged', async () => {
    const alice = await open('alice', 0)
    const callId = token()
    const parts = { callId, headers: [`Contact: ${alice.contact}`] }
    alice.send(alice.request('REGISTER', parts))
    const challenge = await alice.final('the challenge', callId, '1 REGISTER')
    const headers = [...parts.headers, alice.credentials(challenge, 'REGISTER', 'sip:example.test')]
    alice.send(alice.request('REGISTER', { callId, cseq: 2, headers }))
    expect((await alice.final('the first', callId, '2 REGISTER')).status).toBe(200)
    alice.send(alice.request('REGISTER', { callId, cseq: 3, headers }))
    expect((await alice.final('the replay', callId, '3 REGISTER')).status).toBe(401)
  })

  it('a challenge of one edge is answered at the other, with counts that go on', async () => {
    const alice = await open('alice', 0)
    const callId = token()
    const parts = { callId, headers: [`Contact: ${alice.contact}`] }
    alice.send(alice.request('REGISTER', parts))
    const challenge = await alice.final('the challenge', callId, '1 REGISTER')
    for (const nc of [1, 2]) {
      const headers = [...parts.headers, alice.credentials(challenge, 'REGISTER', 'sip:example.test', { nc })]
      alice.send(alice.request('REGISTER', { callId, cseq: 1 + nc, headers }), cluster.sipPort(nc % 2))
      expect((await alice.final(`nc=${nc}`, callId, `${1 + nc} REGISTER`)).status).toBe(200)
    }
  })
})

describe('where requests go', () => {
  it.for([
    { what: 'an unknown user', uri: 'sip:nobody@example.test', status: 404 },
    { what: 'a user who is not registered', uri: 'sip:frank@example.test', status: 480 },
    { what: 'a foreign domain', uri: 'sip:bob@elsewhere.test', status: 403 },
  ])('INVITE and MESSAGE to $what: $status', async ({ uri, status }) => {
    const alice = await open('alice', 0)
    for (const method of ['INVITE', 'MESSAGE']) {
      const reply = await alice.ask(method, { uri, to: `<${uri}>`, headers: [`Contact: ${alice.contact}`] })
      expect(reply.status, method).toBe(status)
      if (method === 'INVITE') alice.acknowledge(reply, uri)
    }
  })

  it('OPTIONS to the proxy itself: 200 with Allow', async () => {
    const alice = await open('alice', 0)
    const reply = await alice.ask('OPTIONS')
    expect(reply.status).toBe(200)
    // What the cluster itself serves; what passes through it is the phones' to say.
    expect(reply.header('Allow')).toContain('REGISTER')
  })

  it('a phone behind TCP is reached through the edge that holds its connection, on that connection', async () => {
    const bob = await open('bob', 1, { transport: 'tcp' })
    expect((await bob.register()).status).toBe(200)
    const alice = await open('alice', 0)
    const sent = alice.ask('OPTIONS', { uri: BOB, to: `<${BOB}>` })
    bob.reply(await bob.next('OPTIONS', (m) => m.method === 'OPTIONS'), '200 OK')
    expect((await sent).status).toBe(200)
  })
})

describe('bindings', () => {
  it('re-REGISTER refreshes, two phones are two, query changes nothing, expires 0 removes', async () => {
    const first = await open('bob', 0)
    const callId = token()
    expect(contactsOf(await first.register({ callId }))).toHaveLength(1)
    expect(contactsOf(await first.register({ callId, cseq: 3 }))).toHaveLength(1)
    const second = await open('bob', 1)
    expect(contactsOf(await second.register())).toHaveLength(2)
    const query = await first.ask('REGISTER')
    expect(query.status).toBe(200)
    const bound = contactsOf(query).map((contact) => contact.replace(/;expires.*/, ''))
    expect(bound.sort()).toEqual([first.contact, second.contact].sort())
    for (const contact of contactsOf(query)) expect(contact).toMatch(/;expires=(59\d|600)\b/)
    const gone = await first.register({ callId, cseq: 5, headers: [`Contact: ${first.contact};expires=0`] })
    expect(contactsOf(gone)).toEqual([expect.stringContaining(second.contact)])
    const all = await second.ask('REGISTER', { headers: ['Contact: *', 'Expires: 0'] })
    expect([all.status, contactsOf(all)]).toEqual([200, []])
  })

  it('parameters of a Contact come back as they were, quotes included', async () => {
    const bob = await open('bob', 0)
    const params = ';+sip.instance="<urn:uuid:8764be8e-24bc-0031-b4ae-40cb26d65540>";audio;x="a b \\" c"'
    const reply = await bob.register({ headers: [`Contact: ${bob.contact};expires=600${params}`] })
    for (const param of params.slice(1).split(/;/)) expect(reply.header('Contact')).toContain(`;${param}`)
  })

  it('an interval that is too brief: 423 with Min-Expires, and nothing is bound', async () => {
    const bob = await open('bob', 0)
    const reply = await bob.register({ headers: [`Contact: ${bob.contact};expires=5`] })
    expect([reply.status, reply.header('Min-Expires')]).toEqual([423, '60'])
    expect(contactsOf(await bob.ask('REGISTER'))).toEqual([])
  })

  it('a REGISTER out of order does not undo a newer one', async () => {
    const bob = await open('bob', 0)
    const callId = token()
    expect((await bob.register({ callId, cseq: 10 })).status).toBe(200)
    const late = await bob.register({ callId, cseq: 4, headers: [`Contact: ${bob.contact};expires=0`] })
    expect(late.status).toBeGreaterThanOrEqual(400)
    expect(contactsOf(await bob.ask('REGISTER'))).toHaveLength(1)
  })
})
