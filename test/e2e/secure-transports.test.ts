// SPDX-License-Identifier: MIT
// TLS, WebSocket and secure WebSocket from outside, with the ports that a fresh cluster has: phones that register and call each other
// over different transports and edges, what happens when a connection ends, what does not belong on a port. A certificate of an
// authority of the test's own, so that phones verify it. Not tested here: a browser (browser.test.ts), media.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitUntil } from '@tandem/test-kit'
import { issueCertificate } from '@tandem/transport'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from './support/cluster.ts'
import { startOpenCluster } from './support/open-cluster.ts'
import { type Message, Phone, type PhoneOptions, token } from './support/phone.ts'

const OFFSET = { udp: 0, tcp: 0, tls: 1, ws: 6, wss: 7 } as const
const authority = { commonName: 'Test CA', ...issueCertificate({ commonName: 'Test CA', isAuthority: true }) }
const folder = mkdtempSync(join(tmpdir(), 'tandem-secure-'))
const phones: Phone[] = []
let cluster: Cluster

function fileOf(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

beforeAll(async () => {
  const own = issueCertificate({ commonName: 'example.test', dns: ['example.test'], issuer: authority })
  const certificates = [{ certFile: fileOf('edge.pem', own.cert), keyFile: fileOf('edge.key', own.key) }]
  const tls = { certificates, caFile: fileOf('ca.pem', authority.cert) }
  cluster = await startOpenCluster({ 'example.test': {} }, { edge: { tls } })
})
afterEach(() => {
  for (const phone of phones.splice(0)) phone.close()
})
afterAll(async () => {
  await cluster.stop()
  rmSync(folder, { recursive: true })
})

async function open(user: string, transport: keyof typeof OFFSET, edge: number): Promise<Phone> {
  const port = cluster.sipPort(edge) + OFFSET[transport]
  const verified = transport === 'tls' ? { ca: authority.cert, serverName: 'example.test' } : {}
  const options: PhoneOptions = { user, port, transport, ...verified }
  const phone = await Phone.open(options)
  phones.push(phone)
  return phone
}

const isRequest =
  (method: string) =>
  (message: Message): boolean =>
    message.method === method

/** INVITE, 180, 200, ACK, BYE by the caller; all by the Route set that each side has learnt. */
async function call(caller: Phone, callee: Phone): Promise<{ invite: Message; answer: Message }> {
  const callId = token()
  const uri = `sip:${callee.options.user}@example.test`
  const contact = [`Contact: ${caller.contact}`]
  caller.send(caller.request('INVITE', { uri, to: `<${uri}>`, callId, headers: contact }))
  const invite = await callee.next('the INVITE', isRequest('INVITE'))
  callee.reply(invite, '200 OK', [`Contact: ${callee.contact}`])
  const answer = await caller.final('the answer', callId, '1 INVITE')
  expect(answer.status, answer.text).toBe(200)
  const routes = answer
    .all('Record-Route')
    .flatMap((value) => value.split(/,\s*/))
    .reverse()
  const headers = routes.map((route) => `Route: ${route}`)
  const target = /<([^>]+)>/.exec(answer.header('Contact'))?.[1] ?? ''
  const dialog = { uri: target, to: answer.header('To'), callId, headers }
  caller.send(caller.request('ACK', { ...dialog, cseq: 1 }))
  await callee.next('the ACK', isRequest('ACK'))
  caller.send(caller.request('BYE', { ...dialog, cseq: 2 }))
  callee.reply(await callee.next('the BYE', isRequest('BYE')), '200 OK')
  expect((await caller.final('the answer to BYE', callId, '2 BYE')).status).toBe(200)
  return { invite, answer }
}

describe('calls', () => {
  it.each([
    ['tls', 'tls', 0, 0],
    ['tls', 'udp', 0, 0],
    ['udp', 'tls', 0, 1],
    ['ws', 'tls', 0, 0],
    ['tls', 'wss', 0, 1],
    ['wss', 'ws', 1, 0],
    ['tcp', 'wss', 0, 0],
  ] as const)('from %s to %s, edges %i and %i', async (from, to, near, far) => {
    const caller = await open('user1', from, near)
    const callee = await open('user2', to, far)
    for (const phone of [caller, callee]) expect((await phone.register()).status).toBe(200)
    const { invite } = await call(caller, callee)
    expect(invite.all('Via')[0]).toMatch(new RegExp(`^SIP/2\\.0/${to} `, 'i'))
    for (const phone of [caller, callee]) {
      expect((await phone.register({ headers: ['Contact: *', 'Expires: 0'] })).status).toBe(200)
    }
  })
})

describe('a connection', () => {
  it.each(['tls', 'ws', 'wss'] as const)(
    'over %s that ends takes its binding with it, at every edge',
    async (transport) => {
      const phone = await open('user3', transport, 0)
      expect((await phone.register()).status).toBe(200)
      const caller = await open('user4', 'udp', 1)
      const bindings = async (): Promise<number> =>
        (await caller.ask('REGISTER', { to: '<sip:user3@example.test>' })).all('Contact').length
      expect(await bindings()).toBe(1)
      phone.close()
      await waitUntil('the binding to end', async () => (await bindings()) === 0, 3_000, 50)
    },
  )

  it.each(['tls', 'ws', 'wss'] as const)('that speaks something else to the %s port ends', async (transport) => {
    const socket = connect(cluster.sipPort(0) + OFFSET[transport], '127.0.0.1')
    socket.on('error', () => {})
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.resume()
    socket.write('OPTIONS sip:example.test SIP/2.0\r\n\r\n')
    await ended
  })
})

it('what is called as sips goes to nobody who registered without TLS', async () => {
  const caller = await open('user5', 'tls', 0)
  const callee = await open('user6', 'tcp', 0)
  expect((await callee.register()).status).toBe(200)
  const callId = token()
  const uri = 'sips:user6@example.test'
  caller.send(caller.request('MESSAGE', { uri, to: `<${uri}>`, callId }))
  expect((await caller.final('the refusal', callId, '1 MESSAGE')).status).toBe(480)
  expect(callee.inbox.map(({ startLine }) => startLine)).toEqual([])
})
