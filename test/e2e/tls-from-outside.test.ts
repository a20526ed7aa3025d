// SPDX-License-Identifier: MIT
// TLS, sips and flows as somebody outside sees them: which certificate is shown to whom, also after the files have changed; versions that are
// refused; a trunk that proves itself, and one that does not; dialogs that begin as sips; keep-alives; what is left of a phone whose
// connection has ended. Calls over all transports: secure-transports.test.ts.
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { waitUntil } from '@tandem/test-kit'
import { issueCertificate } from '@tandem/transport'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from './support/cluster.ts'
import { startOpenCluster } from './support/open-cluster.ts'
import { type Message, Phone, token } from './support/phone.ts'
import { FIN, frame, framesOf, OPCODE, openWebSocket, Raw } from './support/raw.ts'

const OFFSET = { udp: 0, tcp: 0, tls: 1, ws: 6, wss: 7 } as const
type Transport = keyof typeof OFFSET
const RELOAD_MS = 200
const authority = { commonName: 'Test CA', ...issueCertificate({ commonName: 'Test CA', isAuthority: true }) }
const folder = mkdtempSync(join(tmpdir(), 'tandem-tls-'))
const phones: Phone[] = []
const sockets: { destroy(): unknown }[] = []
let cluster: Cluster

function fileOf(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** Written to where the edge looks for it. */
function issueFor(name: string): string {
  const { cert, key } = issueCertificate({ commonName: name, dns: [name], issuer: authority })
  fileOf(`${name}.key`, key)
  fileOf(`${name}.pem`, cert)
  return new X509Certificate(cert).serialNumber
}

beforeAll(async () => {
  for (const name of ['example.test', 'other.test']) issueFor(name)
  const certificates = ['example.test', 'other.test'].map((name) => ({
    certFile: join(folder, `${name}.pem`),
    keyFile: join(folder, `${name}.key`),
  }))
  const caFile = fileOf('ca.pem', authority.cert)
  const tls = { certificates, caFile, reloadMs: RELOAD_MS, clientCertificates: 'request' }
  const trunk = {
    apiVersion: 'tandem/v1',
    kind: 'Trunk',
    metadata: { name: 'carrier' },
    spec: { hosts: [{ host: 'carrier.test', transport: 'tls' }], trusted: true },
  }
  const domains = { 'example.test': {}, 'asks.test': { authentication: 'required' } }
  cluster = await startOpenCluster(domains, { edge: { tls }, documents: [trunk] })
})
afterEach(() => {
  for (const phone of phones.splice(0)) phone.close()
  for (const socket of sockets.splice(0)) socket.destroy()
})
afterAll(async () => {
  await cluster?.stop()
  rmSync(folder, { recursive: true })
})

const portOf = (transport: Transport, edge = 0): number => cluster.sipPort(edge) + OFFSET[transport]

async function open(user: string, transport: Transport, edge = 0): Promise<Phone> {
  const verified = transport === 'tls' ? { ca: authority.cert, serverName: 'example.test' } : {}
  const phone = await Phone.open({ user, port: portOf(transport, edge), transport, ...verified })
  phones.push(phone)
  return phone
}

/** Rejects where the handshake fails. */
async function shakeHands(transport: 'tls' | 'wss', more: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port: portOf(transport), host: '127.0.0.1', ca: authority.cert, ...more })
  sockets.push(socket)
  await once(socket, 'secureConnect')
  socket.on('error', () => {})
  return socket
}

const serialOf = (socket: TLSSocket): string => socket.getPeerX509Certificate()?.serialNumber ?? ''

describe.each(['tls', 'wss'] as const)('certificates, over %s', (transport) => {
  it('are those of the domain that is named, else the first, and verify [RFC3261-26.3.2.1a]', async () => {
    for (const servername of ['example.test', 'other.test']) {
      const socket = await shakeHands(transport, { servername })
      expect(socket.authorized).toBe(true)
      expect(socket.getPeerCertificate().subject.CN).toBe(servername)
    }
    const nameless = await shakeHands(transport, { rejectUnauthorized: false })
    expect(nameless.getPeerCertificate().subject.CN).toBe('example.test')
  })

  it('that have changed are shown to new connections; those that stand go on', async () => {
    const phone = await open('user1', transport)
    const before = serialOf(await shakeHands(transport, { servername: 'other.test' }))
    const serial = issueFor('other.test')
    expect(serial).not.toBe(before)
    const shown = async (): Promise<string> => serialOf(await shakeHands(transport, { servername: 'other.test' }))
    await waitUntil('the new certificate', async () => (await shown()) === serial, 4_000, 50)
    expect((await phone.ask('OPTIONS')).status).toBe(200)
  })

  it.each(['TLSv1', 'TLSv1.1'] as const)('%s is refused', async (version) => {
    const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0', servername: 'example.test' }
    await expect(shakeHands(transport, old)).rejects.toThrow(/version|alert/i)
  })
})

describe('a trunk over TLS', () => {
  const certificateOf = (name: string, issuer: typeof authority | undefined): { cert: string; key: string } =>
    issueCertificate({ commonName: name, uris: [`sip:${name}`], ...(issuer === undefined ? {} : { issuer }) })
  const options = (): string =>
    [
      'MESSAGE sip:user1@asks.test SIP/2.0',
      `Via: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK${token()}`,
      'Max-Forwards: 70',
      `From: <sip:+4930123@carrier.test>;tag=${token()}`,
      'To: <sip:user1@asks.test>',
      `Call-ID: ${token()}`,
      'CSeq: 1 MESSAGE',
      'Content-Length: 0',
      '\r\n',
    ].join('\r\n')

  it.each([
    ['with the certificate of its host is believed', certificateOf('carrier.test', authority), 480],
    ['with that of another host is asked who it is', certificateOf('mallory.test', authority), 407],
    ['with one of nobody that we know is asked too', certificateOf('carrier.test', undefined), 407],
    ['with none is asked too', {}, 407],
  ] as const)('%s [RFC5922-7.4ab]', async (_what, identity, status) => {
    const socket = await shakeHands('tls', { servername: 'example.test', ...identity })
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.write(options())
    await waitUntil('the answer', () => /^SIP\/2\.0 [2-6]/m.test(text), 4_000)
    expect(/^SIP\/2\.0 ([2-6]\d\d)/m.exec(text)?.[1]).toBe(String(status))
  })
})

const isRequest =
  (method: string) =>
  (message: Message): boolean =>
    message.method === method

describe('a call to a sips address', () => {
  it.each([
    ['tls', 'tls', [1, 1]],
    ['udp', 'tls', [1, 1]],
    ['tcp', 'tls', [1, 1]],
    ['ws', 'tls', [1, 7]],
    ['wss', 'tls', [1, 7]],
    ['tcp', 'wss', [7, 1]],
  ] as const)(
    'from %s to %s is recorded with sips and ports of TLS, and its BYEs come back over TLS [RFC3261-16.6.4gh]',
    async (from, to, [far, near]) => {
      const callee = await open('user2', to)
      const contact = `<sips:user2@127.0.0.1:${callee.localPort || 9};transport=${to === 'wss' ? 'ws' : 'tcp'}>`
      const uri = 'sips:example.test'
      expect((await callee.register({ uri, headers: [`Contact: ${contact};expires=60`] })).status).toBe(200)
      const caller = await open('user3', from)
      const callId = token()
      const target = { uri: 'sips:user2@example.test', to: '<sips:user2@example.test>', callId }
      const headers = [`Contact: <sips:user3@127.0.0.1:${caller.localPort || 9}>`]
      caller.send(caller.request('INVITE', { ...target, headers }))
      const invite = await callee.next('the INVITE', isRequest('INVITE'))
      const routes = invite.all('Record-Route').flatMap((value) => value.split(/,\s*/))
      const ports = routes.map((route) => Number(/^<sips:[^@]+@[^:>;]+:(\d+)/.exec(route)?.[1]) - cluster.sipPort(0))
      expect(ports).toEqual(far === near ? [far] : [far, near])
      callee.reply(invite, '200 OK', [`Contact: ${contact}`])
      const answer = await caller.final('the answer', callId, '1 INVITE')
      expect(answer.status, answer.text).toBe(200)
      // The caller goes on over TLS, as its Route set says.
      const secure = await open('user3', from === 'ws' || from === 'wss' ? 'wss' : 'tls')
      const route = [...routes].reverse().map((value) => `Route: ${value}`)
      const inDialog = { uri: /<(.*)>/.exec(contact)?.[1] ?? '', to: answer.header('To'), callId, headers: route }
      const asCaller = (method: string, cseq: number): string =>
        secure.request(method, { ...inDialog, cseq }).replace(/(From: .*;tag=)\S+/, `$1${caller.tag}`)
      secure.send(asCaller('ACK', 1))
      await callee.next('the ACK', isRequest('ACK'))
      secure.send(asCaller('BYE', 2))
      callee.reply(await callee.next('the BYE', isRequest('BYE')), '200 OK')
      expect((await secure.final('the answer to BYE', callId, '2 BYE')).status).toBe(200)
      await callee.register({ uri, headers: ['Contact: *', 'Expires: 0'] })
    },
  )

  it.each(['tls', 'wss'] as const)(
    'of a phone that registered as sip over %s is 480, and says why [RFC5630-5.3bc]',
    async (to) => {
      const callee = await open('user4', to)
      expect((await callee.register()).status).toBe(200)
      const caller = await open('user5', 'tls')
      const callId = token()
      const uri = 'sips:user4@example.test'
      caller.send(caller.request('MESSAGE', { uri, to: `<${uri}>`, callId }))
      const refusal = await caller.final('the refusal', callId, '1 MESSAGE')
      expect([refusal.status, refusal.header('Warning')]).toEqual([480, expect.stringContaining('SIPS Not Allowed')])
      expect(callee.inbox.filter(isRequest('MESSAGE'))).toEqual([])
    },
  )
})

describe('flows (RFC 5626)', () => {
  it.each(['tcp', 'tls'] as const)(
    'CRLF CRLF is answered with one CRLF, over %s [RFC5626-4.4.1a] [RFC5626-5.4b]',
    async (transport) => {
      const raw = await Raw.open({ port: portOf(transport), tls: transport === 'tls' })
      sockets.push(raw.socket)
      raw.send('\r\n\r\n')
      await raw.until('the pong', (text) => text === '\r\n')
    },
  )

  it.each(['ws', 'wss'] as const)('over %s it is, and so are the pings of WebSocket [RFC7118-6]', async (transport) => {
    const raw = await openWebSocket({ port: portOf(transport), tls: transport === 'wss' })
    sockets.push(raw.socket)
    raw.send(Buffer.concat([frame(FIN | OPCODE.PING, 'x'), frame(FIN | OPCODE.TEXT, '\r\n\r\n')]))
    await raw.until('both', () => framesOf(raw).length === 2)
    const [pong, crlf] = framesOf(raw)
    expect(pong).toMatchObject({ opcode: OPCODE.PONG })
    expect(crlf).toMatchObject({ opcode: OPCODE.TEXT, payload: Buffer.from('\r\n') })
  })

  it.each(['tcp', 'tls', 'wss'] as const)(
    'over %s: the flow that is gone is left for the next one of the phone, at once and at every edge; without any, 480 [RFC5626-5.3.1b] [RFC5626-7]',
    async (transport) => {
      const flow = async (edge: number, regId: number): Promise<Phone> => {
        const phone = await open('user6', transport, edge)
        const params = `;reg-id=${regId};+sip.instance="<urn:uuid:00000000-0000-1000-8000-00000000000a>";expires=60`
        const headers = [`Contact: ${phone.contact}${params}`, 'Supported: path, outbound']
        expect((await phone.register({ headers })).status).toBe(200)
        return phone
      }
      const first = await flow(0, 1)
      const second = await flow(1, 2)
      const caller = await open('user7', 'udp', 1)
      const send = async (): Promise<string> => {
        const callId = token()
        const uri = 'sip:user6@example.test'
        caller.send(caller.request('MESSAGE', { uri, to: `<${uri}>`, callId }))
        return callId
      }
      second.close()
      await waitUntil(
        'the end of the flow',
        async () => (await cluster.metric(1, 'tandem_edge_bindings_ended')) > 0,
        3_000,
      )
      const callId = await send()
      first.reply(await first.next('the MESSAGE', isRequest('MESSAGE')), '200 OK')
      expect((await caller.final('the answer', callId, '1 MESSAGE')).status).toBe(200)
      first.close()
      const bindings = async (): Promise<number> =>
        (await caller.ask('REGISTER', { to: '<sip:user6@example.test>' })).all('Contact').length
      await waitUntil('the end of both', async () => (await bindings()) === 0, 3_000, 50)
      expect((await caller.final('the refusal', await send(), '1 MESSAGE')).status).toBe(480)
    },
  )
})
