// SPDX-License-Identifier: MIT
// TLS over real sockets on loopback, with certificates made here. What a stream connection does in general is tested in tcp.test.ts.
// Not tested here: certificates that OpenSSL itself finds wrong, beyond an unknown authority.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { buildRequest, waitUntil } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { StreamAdmission } from './admission.ts'
import { TlsCredentials } from './tls/credentials.ts'
import { type CertificateParts, type Identity, issueCertificate } from './tls/issue-certificate.ts'
import type { ClientCertificates } from './tls/tls-stage.ts'
import { TlsTransport, type TlsTransportOptions } from './tls.ts'
import type { CloseReason, Connection } from './types.ts'

const MESSAGE = buildRequest({ method: 'OPTIONS' })
const BYTES = Buffer.from(MESSAGE)
const CA = { commonName: 'Test CA', ...issueCertificate({ commonName: 'Test CA', isAuthority: true }) }
const folder = mkdtempSync(join(tmpdir(), 'tandem-tls-'))
const transports: TlsTransport[] = []
const sockets: Socket[] = []
const notices: string[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(transports.splice(0).map((transport) => transport.close(50)))
  notices.length = 0
})
afterAll(() => rmSync(folder, { recursive: true }))

function files(name: string, parts: Partial<CertificateParts>): { certFile: string; keyFile: string } {
  const { cert, key } = issueCertificate({ commonName: name, issuer: CA, ...parts })
  const paths = { certFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) }
  writeFileSync(paths.certFile, cert)
  writeFileSync(paths.keyFile, key)
  return paths
}

const caFile = join(folder, 'ca.pem')
beforeAll(() => writeFileSync(caFile, CA.cert))

function credentials(...certificates: { certFile: string; keyFile: string }[]): Promise<TlsCredentials> {
  const given = { certificates, caFile, minVersion: 'TLSv1.2', ownName: 'here', ownNames: ['localhost'] } as const
  return TlsCredentials.open(given, (sentence) => notices.push(sentence))
}

class Recorder {
  readonly messages: { text: string; conn: Connection }[] = []
  readonly opened: Connection[] = []
  readonly reasons: CloseReason[] = []
  onMessage(conn: Connection, buf: Buffer, start: number, end: number): void {
    this.messages.push({ text: buf.toString('latin1', start, end), conn })
  }
  onClose(_conn: Connection, reason: CloseReason): void {
    this.reasons.push(reason)
  }
  onFramingError(): void {}
  onOpen(conn: Connection): void {
    this.opened.push(conn)
  }
}

type Options = Omit<TlsTransportOptions, 'sink' | 'tls'> & { readonly clientCertificates?: ClientCertificates }

function open(own: TlsCredentials, options: Options = {}) {
  const sink = new Recorder()
  const time = { now: 0 }
  const { clientCertificates = 'none', ...more } = options
  const tls = { credentials: own, clientCertificates }
  const onNotice = (sentence: string): void => void notices.push(sentence)
  const transport = new TlsTransport({ sink, tls, now: () => time.now, onNotice, ...more })
  transports.push(transport)
  return { sink, transport, time }
}

async function listening(own: TlsCredentials, options: Options = {}) {
  const opened = open(own, options)
  const { port } = await opened.transport.listen({ address: '127.0.0.1', port: 0 })
  return { ...opened, port }
}

/** A TLS client of the test; resolves when the handshake is over, one way or the other. */
function dial(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = tlsConnect({ port, host: '127.0.0.1', ca: CA.cert, servername: 'a.test', ...options })
  sockets.push(socket)
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket))
    socket.once('error', reject)
  })
}

const until = (isTrue: () => boolean): Promise<void> => waitUntil(String(isTrue), isTrue, 4_000, 2)
const client = (name: string, parts: Partial<CertificateParts> = {}): Identity =>
  issueCertificate({ commonName: name, issuer: CA, ...parts })

describe('a listener', () => {
  it('hands up messages that come split at every byte, and answers [RFC3261-18.3]', async () => {
    const { sink, port } = await listening(await credentials(files('a.test', { dns: ['a.test'] })))
    const socket = await dial(port)
    let received = ''
    socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
    for (const byte of BYTES) socket.write(Buffer.from([byte]))
    await until(() => sink.messages.length === 1)
    expect(sink.messages[0]?.text).toBe(MESSAGE)
    const conn = sink.messages[0]?.conn
    expect(conn).toMatchObject({ transport: 'tls', inbound: true, remoteAddress: '127.0.0.1', localPort: port })
    conn?.send(BYTES, 0, BYTES.length)
    await until(() => received === MESSAGE)
    socket.write('\r\n\r\n')
    await until(() => received === `${MESSAGE}\r\n`)
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s, and nothing older', async (version) => {
    const { port } = await listening(await credentials(files('a.test', { dns: ['a.test'] })))
    expect((await dial(port, { minVersion: version, maxVersion: version })).getProtocol()).toBe(version)
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    await expect(dial(port, old)).rejects.toThrow()
  })

  it('takes the cipher suite that every SIP element has, and its modern ones first [RFC3261-26.2.1a]', async () => {
    const { port } = await listening(await credentials(files('a.test', { dns: ['a.test'], keyType: 'rsa' })))
    const required = await dial(port, { ciphers: 'AES128-SHA', maxVersion: 'TLSv1.2' })
    expect(required.getCipher().standardName).toBe('TLS_RSA_WITH_AES_128_CBC_SHA')
    expect((await dial(port)).getCipher().name).toMatch(/^TLS_AES/)
  })

  it('shows the certificate of the domain that the client names, else the first [RFC3261-26.3.2.1a]', async () => {
    const a = files('a.test', { uris: ['sip:a.test'] })
    const b = files('b.test', { dns: ['b.test', '*.b.test'] })
    const own = await credentials(a, b)
    const { port } = await listening(own)
    const shownTo = async (servername: string): Promise<string | undefined> => {
      const socket = await dial(port, { servername, checkServerIdentity: () => undefined })
      return socket.getPeerX509Certificate()?.subject
    }
    expect(await shownTo('a.test')).toBe('CN=a.test')
    expect(await shownTo('B.test')).toBe('CN=b.test')
    expect(await shownTo('www.b.test')).toBe('CN=b.test')
    expect(await shownTo('c.test')).toBe('CN=a.test')
    expect(await shownTo('')).toBe('CN=a.test')
    expect(['A.test', 'b.test', 'www.b.test', 'c.test'].map((name) => own.proves(name))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  it('takes changed files for new connections and drops none; files that are broken change nothing', async () => {
    const places = files('a.test', { dns: ['a.test'], commonName: 'first' })
    const own = await credentials(places)
    const { port, sink } = await listening(own)
    const old = await dial(port)
    const shown = async (): Promise<string | undefined> => (await dial(port)).getPeerX509Certificate()?.subject
    await own.reload()
    expect(own.counters).toEqual({ loads: 1, failures: 0 })
    files('a.test', { dns: ['a.test'], commonName: 'second' })
    await own.reload()
    expect(await shown()).toBe('CN=second')
    const other = issueCertificate({ commonName: 'third', issuer: CA })
    writeFileSync(places.certFile, other.cert)
    await own.reload()
    await own.reload()
    writeFileSync(places.certFile, 'no certificate')
    await own.reload()
    expect(await shown()).toBe('CN=second')
    expect(own.counters.loads).toBe(2)
    expect(notices.filter((sentence) => sentence.includes('the old ones stay'))).toHaveLength(2)
    expect(notices.join()).toContain(places.certFile)
    old.write(MESSAGE)
    await until(() => sink.messages.length === 1)
  })

  it('with no certificate makes one for its own names [RFC5922-6]', async () => {
    const { port } = await listening(await credentials())
    const socket = await dial(port, { servername: 'localhost', rejectUnauthorized: false })
    expect(socket.getPeerX509Certificate()?.subjectAltName).toBe('DNS:localhost, URI:sip:localhost')
  })

  it('names the file that is no certificate or has another key', async () => {
    const a = files('a.test', { dns: ['a.test'] })
    const b = files('b.test', { dns: ['b.test'] })
    const wrong = { certFile: a.certFile, keyFile: b.keyFile }
    await expect(credentials(wrong)).rejects.toMatchObject({ code: 'badCertificate' })
    await expect(credentials(wrong)).rejects.toThrow(a.certFile)
    const missing = { certFile: join(folder, 'missing'), keyFile: b.keyFile }
    await expect(credentials(missing)).rejects.toThrow(/missing can't be read/)
  })
})

describe('clients that prove who they are', () => {
  it('are asked, and their names are known [RFC5922-7.4ab] [RFC5922-7.5a] [RFC5923-9.2a] [RFC3261-26.3.2.2a]', async () => {
    const own = await credentials(files('a.test', { dns: ['a.test'] }))
    const { port, sink } = await listening(own, { clientCertificates: 'request' })
    await dial(port, client('x', { uris: ['sip:Carrier.test', 'sip:user@carrier.test'], dns: ['dns.test'] }))
    await until(() => sink.opened.length === 1)
    expect(sink.opened[0]?.verifiedNames).toEqual(['carrier.test'])
    expect(sink.opened[0]?.verifiedUsers).toEqual(['sip:user@carrier.test'])
    await dial(port)
    await dial(port, issueCertificate({ commonName: 'stranger', dns: ['carrier.test'] }))
    await until(() => sink.opened.length === 3)
    expect(sink.opened.slice(1).map((conn) => conn.verifiedNames)).toEqual([[], []])
    expect(sink.opened.slice(1).map((conn) => conn.verifiedUsers)).toEqual([[], []])
  })

  it('must be that where the setting says so [RFC3261-26.3.1a]', async () => {
    const own = await credentials(files('a.test', { dns: ['a.test'] }))
    const { port, sink, transport } = await listening(own, { clientCertificates: 'require' })
    await dial(port, client('x', { dns: ['carrier.test'] }))
    await until(() => sink.opened.length === 1)
    const refused = await dial(port, { maxVersion: 'TLSv1.2' }).catch((error: Error) => error)
    expect(refused).toBeInstanceOf(Error)
    await until(() => transport.counters.handshakeFailures === 1 && transport.arrivalCount === 0)
    expect(sink.opened).toHaveLength(1)
  })

  it('are reached over their own connection by alias, under their names only [RFC5923-8.2cef] [RFC5923-9.2b] [RFC5923-9.3b]', async () => {
    const own = await credentials(files('a.test', { dns: ['a.test'] }))
    const { port, sink, transport } = await listening(own, { clientCertificates: 'request' })
    await dial(port, client('x', { dns: ['carrier.test'] }))
    await until(() => sink.opened.length === 1)
    const conn = sink.opened[0] as Connection
    expect(transport.connect('127.0.0.1', conn.remotePort, 'carrier.test')).not.toBe(conn)
    transport.alias(conn, 5061)
    expect(transport.connect('127.0.0.1', 5061, 'Carrier.test')).toBe(conn)
    expect(transport.connect('127.0.0.1', 5061, 'other.test')).not.toBe(conn)
    expect(transport.connect('127.0.0.2', 5061, 'carrier.test')).not.toBe(conn)
    conn.close()
    const anew = transport.connect('127.0.0.1', 5061, 'carrier.test')
    expect(anew).not.toBe(conn)
    expect(anew?.inbound).toBe(false)
    await dial(port)
    await until(() => sink.opened.length === 2)
    transport.alias(sink.opened[1] as Connection, 5062)
    expect(transport.connect('127.0.0.1', 5062, '127.0.0.1')).not.toBe(sink.opened[1])
  })
})

describe('an outgoing connection', () => {
  const server = async (parts: Partial<CertificateParts>) => listening(await credentials(files('server', parts)))

  it('queues until the server has proven its name, and is reused for that name [RFC5922-7.3a] [RFC3261-26.3.2.2a]', async () => {
    const { port, sink } = await server({ dns: ['far.test'] })
    const near = open(await credentials())
    const conn = near.transport.connect('127.0.0.1', port, 'far.test')
    expect(conn?.send(BYTES, 0, BYTES.length)).toBe(true)
    expect(near.transport.connect('127.0.0.1', port, 'FAR.test')).toBe(conn)
    await until(() => sink.messages.length === 1)
    expect(conn).toMatchObject({ verifiedNames: ['far.test'], inbound: false })
    expect(near.transport.connect('127.0.0.1', port, 'near.test')).not.toBe(conn)
    expect(near.transport.find(conn?.id ?? 0)).toBe(conn)
  })

  it.each([
    ['another name', { dns: ['other.test'] }, 'far.test'],
    ['a wildcard', { dns: ['*.test'] }, 'far.test'],
    ['the name in its CN only, beside a subjectAltName', { commonName: 'far.test', dns: ['other.test'] }, 'far.test'],
    ['the name as a user', { uris: ['sip:x@far.test'] }, 'far.test'],
    ['a DNS name beside the sip URI of another', { dns: ['far.test'], uris: ['sip:other.test'] }, 'far.test'],
    ['another address', { addresses: ['127.0.0.2'] }, '127.0.0.1'],
  ])(
    'to a server that shows %s says nothing to it [RFC5922-7.3b] [RFC5922-7.5b] [RFC5922-7.2d]',
    async (_what, parts, name) => {
      const { port, sink } = await server(parts)
      const near = open(await credentials())
      near.transport.connect('127.0.0.1', port, name)?.send(BYTES, 0, BYTES.length)
      await until(() => near.sink.reasons.length === 1)
      expect(near.sink.reasons).toEqual(['connectFailed'])
      expect(near.sink.opened).toHaveLength(0)
      expect(near.transport.counters).toMatchObject({ handshakeFailures: 1, bytesSent: 0, handshakes: 0 })
      expect(notices.join()).toContain(`TLS to ${name} at 127.0.0.1 port ${port} failed: its certificate is for`)
      expect(sink.messages).toHaveLength(0)
    },
  )

  it.each([
    ['a sip URI', { uris: ['sip:far.test'], dns: ['other.test'] }, 'far.test'],
    ['its CN where there is no subjectAltName', { commonName: 'far.test' }, 'far.test'],
    ['its address', { addresses: ['127.0.0.1', '::1'] }, '127.0.0.1'],
  ])('believes %s [RFC5922-7.1ef]', async (_what, parts, name) => {
    const { port, sink } = await server(parts)
    const near = open(await credentials())
    near.transport.connect('127.0.0.1', port, name)?.send(BYTES, 0, BYTES.length)
    await until(() => sink.messages.length === 1)
  })

  it('does not believe an authority that it does not know [RFC5922-7.1a] [RFC3261-26.2.2a] [RFC3261-26.3.1a]', async () => {
    const { port } = await listening(await credentials())
    const near = open(await credentials())
    near.transport.connect('127.0.0.1', port, 'localhost')?.send(BYTES, 0, BYTES.length)
    await until(() => near.sink.reasons.length === 1)
    expect(near.sink.reasons).toEqual(['connectFailed'])
    expect(notices.join()).toContain('self-signed certificate')
  })

  it('does not believe a certificate that is for clients only [RFC5922-7.1b]', async () => {
    const { port, sink } = await server({ dns: ['far.test'], purpose: 'client' })
    const near = open(await credentials())
    near.transport.connect('127.0.0.1', port, 'far.test')?.send(BYTES, 0, BYTES.length)
    await until(() => near.sink.reasons.length === 1)
    expect(near.sink.reasons).toEqual(['connectFailed'])
    expect(notices.join()).toMatch(/purpose/)
    expect(sink.messages).toHaveLength(0)
    const other = await server({ dns: ['far.test'], purpose: 'server' })
    near.transport.connect('127.0.0.1', other.port, 'far.test')?.send(BYTES, 0, BYTES.length)
    await until(() => other.sink.messages.length === 1)
  })

  it('names the domain that it wants to a server with several [RFC5922-7.8]', async () => {
    const several = [files('first', { dns: ['other.test'] }), files('second', { dns: ['far.test'] })]
    const { port, sink } = await listening(await credentials(...several))
    const near = open(await credentials())
    near.transport.connect('127.0.0.1', port, 'far.test')?.send(BYTES, 0, BYTES.length)
    await until(() => sink.messages.length === 1)
  })

  it('shows our own certificate to a server that asks [RFC3261-26.2.2b] [RFC3261-26.3.1a]', async () => {
    const own = await credentials(files('far.test', { dns: ['far.test'] }))
    const far = await listening(own, { clientCertificates: 'require' })
    const near = open(await credentials(files('near.test', { dns: ['near.test'] })))
    near.transport.connect('127.0.0.1', far.port, 'far.test')?.send(BYTES, 0, BYTES.length)
    await until(() => far.sink.messages.length === 1)
    expect(far.sink.messages[0]?.conn.verifiedNames).toEqual(['near.test'])
  })
})

describe('bad handshakes', () => {
  it.each([
    ['garbage', Buffer.from('\0\x01\x02garbage that is no TLS at all')],
    ['plain SIP', BYTES],
    ['a PROXY header of a stranger', Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c', 'latin1')],
  ])('%s is a closed and counted connection', async (_what, bytes) => {
    const { port, transport, sink } = await listening(await credentials())
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write(bytes)
    await until(() => transport.counters.handshakeFailures === 1)
    await until(() => transport.arrivalCount === 0 && transport.connectionCount === 0)
    expect(sink.opened).toHaveLength(0)
  })

  it('half-open ones are bounded in number and in time (slowloris)', async () => {
    const limits = { handshakeMs: 10_000 }
    const admission = new StreamAdmission({ maxHandshakes: 3 })
    const { port, transport, time } = await listening(await credentials(), { limits, admission })
    for (let k = 0; k < 5; k++) {
      const socket = connect(port, '127.0.0.1')
      sockets.push(socket)
      socket.on('error', () => {})
      socket.write(Buffer.from([22, 3, 1]))
    }
    await until(() => transport.counters.refusedHandshakes === 2)
    expect(transport.arrivalCount).toBe(3)
    time.now = 10_001
    transport.sweep()
    expect(transport.counters.handshakeTimeouts).toBe(3)
    await until(() => admission.connections === 0 && admission.handshakes === 0)
  })

  it.each([
    ['says nothing and ends', (socket: Socket) => void socket.end()],
    ['says nothing and resets', (socket: Socket) => void socket.resetAndDestroy()],
  ])('a peer that %s takes no turn of another, and is counted', async (_what, leave) => {
    const admission = new StreamAdmission({ handshakesPerSecond: 1 })
    const { port, transport, sink } = await listening(await credentials(), { admission })
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => {})
    await until(() => transport.arrivalCount === 1)
    leave(socket)
    await until(() => transport.counters.handshakeFailures === 1 && admission.connections === 0)
    const other = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false })
    sockets.push(other)
    await until(() => sink.opened.length === 1)
  })

  it('beyond the rate wait while those that are connected are answered', async () => {
    const admission = new StreamAdmission({ handshakesPerSecond: 10, maxHandshakes: 100 })
    const { port, transport, sink } = await listening(await credentials(), { admission })
    const options = { port, host: '127.0.0.1', rejectUnauthorized: false }
    const talker = tlsConnect(options)
    sockets.push(talker)
    await until(() => sink.opened.length === 1)
    for (let k = 0; k < 40; k++) sockets.push(tlsConnect(options).on('error', () => {}))
    await until(() => transport.arrivalCount >= 30)
    for (let k = 1; k <= 5; k++) {
      talker.write(BYTES)
      await until(() => sink.messages.length === k)
    }
    expect(transport.arrivalCount).toBeGreaterThanOrEqual(20)
    expect(transport.counters.handshakes).toBeLessThan(20)
  })

  it('of one source leave room for others', async () => {
    const admission = new StreamAdmission({ maxHandshakes: 5, maxHandshakesPerSource: 3 })
    const { port, transport } = await listening(await credentials(), { admission })
    for (let k = 0; k < 5; k++) {
      const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
      sockets.push(socket)
      socket.on('error', () => {})
      socket.write(Buffer.from([22, 3, 1]))
    }
    await until(() => transport.counters.refusedHandshakes === 2)
    await dial(port, { rejectUnauthorized: false })
    for (const socket of sockets) socket.destroy()
    await until(() => admission.handshakes === 0 && admission.connections === 0)
    expect(admission.enterSourceHandshake('127.0.0.2')).toBe(true)
  })

  it('beyond the rate wait for their turn', async () => {
    const admission = new StreamAdmission({ handshakesPerSecond: 100 })
    const { port, transport } = await listening(await credentials(), { admission })
    const began = performance.now()
    await Promise.all(Array.from({ length: 30 }, () => dial(port, { rejectUnauthorized: false })))
    expect(performance.now() - began).toBeGreaterThan(150)
    await until(() => transport.counters.handshakes === 30)
  })
})
