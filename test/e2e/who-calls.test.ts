// SPDX-License-Identifier: MIT
// Who is calling, seen from outside: phones that others wrote log in where only hashes are kept; subscribers and a trunk are known by
// their address over IPv4 and IPv6, or by a certificate that openssl made; tokens over TLS, with keys that change; callers whom nobody
// knows. And that no password and no token is in what the cluster prints, nor a password in its memory.
import { execFileSync } from 'node:child_process'
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { waitUntil } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { linphone, startLinphone } from './support/linphone.ts'
import { Phone, token } from './support/phone.ts'
import { beginSipp, expectPlayed, newCallId, playSipp } from './support/sipp.ts'
import { runTandem } from './support/tandem.ts'

const folder = mkdtempSync(join(tmpdir(), 'tandem-who-'))
const path = (name: string): string => join(folder, name)
const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
const hash = (algorithm: string, text: string): string => createHash(algorithm).update(text).digest('hex')

const ISSUER = 'https://as.example.test'
const ISSUERS_KEYS = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const NEW_KEYS = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const PLAIN = 'a-password-that-nobody-should-find-again'
const FROM_FILE = 'another-password-that-nobody-should-find'

const apiVersion = 'tandem/v1'
const document = (kind: string, metadata: object, spec: object = {}) => ({ apiVersion, kind, metadata, spec })
const user = (name: string, spec: object = {}, domain = 'example.test') =>
  document('Subscriber', { name, domain }, spec)

/** Where the callee of a test waits: a contact that is always there. */
const CALLEE_PORTS = { four: 0, six: 0 }

const documents = () => [
  document('Account', { name: 'acme' }),
  document(
    'Domain',
    { name: 'example.test' },
    {
      challenge: ['SHA-256'],
      clientCertificates: 'accept',
      anonymous: { to: ['sales'], methods: ['INVITE'] },
      bearer: {
        jwks: { file: path('keys.json') },
        issuer: ISSUER,
        audience: 'sip',
        authorizationServer: ISSUER,
        scope: ['sip'],
        userClaim: 'sip_uri',
      },
    },
  ),
  document('Domain', { name: 'md5.test' }, { challenge: ['MD5'], alsoBindAddress: true }),
  document('Domain', { name: 'both.test' }, { challenge: ['SHA-256', 'MD5'] }),
  user('alice', { credentials: { password: PLAIN }, account: 'acme' }),
  user('filed', { credentials: { password: { file: path('password') } } }),
  user('sales', { contacts: [{ uri: `sip:sales@127.0.0.1:${CALLEE_PORTS.four}` }] }),
  user('sales6', { contacts: [{ uri: `sip:sales6@[::1]:${CALLEE_PORTS.six}` }] }),
  user('boss', { contacts: [{ uri: `sip:boss@127.0.0.1:${CALLEE_PORTS.four}` }] }),
  user('pbx', { account: 'acme', acl: { sources: ['127.0.0.32/28', '::1'] } }),
]

function writeKeys(...keys: readonly [kid: string, key: typeof ISSUERS_KEYS.publicKey][]): void {
  const set = { keys: keys.map(([kid, key]) => ({ ...key.export({ format: 'jwk' }), kid })) }
  writeFileSync(path('keys.new'), JSON.stringify(set))
  renameSync(path('keys.new'), path('keys.json'))
}

function makeCertificates(): void {
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=Test CA',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  )
  const issue = (name: string, alternative: string): void => {
    writeFileSync(path(`${name}.ext`), `subjectAltName=${alternative}\n`)
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    )
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    )
  }
  issue('edge', 'DNS:example.test')
  issue('alice', 'URI:sip:alice@example.test')
  issue('trunk', 'DNS:carrier.test')
}

/** Users of another system, through the command. */
async function importUsers(): Promise<void> {
  const rows = [
    ['sipper', 'md5.test', hash('md5', 'sipper:md5.test:sipper-secret'), ''],
    ['linda', 'example.test', '', hash('sha256', 'linda:example.test:linda-secret')],
    ['emdee', 'both.test', hash('md5', 'emdee:both.test:emdee-secret'), ''],
    ['shaah', 'both.test', '', hash('sha256', 'shaah:both.test:shaah-secret')],
  ]
  const text = ['username,domain,ha1_md5,ha1_sha256', ...rows.map((row) => row.join())].join('\n')
  writeFileSync(path('users.csv'), text)
  const ran = await runTandem(['import', 'subscribers', path('users.csv'), '--out', path('users.yaml')])
  expect(ran).toMatchObject({ status: 0, out: '' })
}

const phones: Phone[] = []
const sockets: TLSSocket[] = []
let cluster: Cluster
let six: Cluster

async function freeUdpPort(address: string): Promise<number> {
  const { createSocket } = await import('node:dgram')
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  socket.bind(0, address)
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return port
}

function writeConfig(name: string, bindAddress: string): string {
  const tls = {
    certificates: [{ certFile: path('edge.pem'), keyFile: path('edge.key') }],
    caFile: path('ca.pem'),
    clientCertificates: 'request',
  }
  const trunks = [
    document('Trunk', { name: 'carrier' }, { hosts: [{ host: 'carrier.test', transport: 'tls' }], inbound: 'allow' }),
    document('Trunk', { name: 'by-address' }, { hosts: [{ host: '127.0.0.60' }], inbound: 'allow' }),
  ]
  const config = {
    cluster: { name: 'who', secrets: [{ id: 1, secret: 'for-this-test-and-no-other' }] },
    edge: { count: 2, bindAddress, tls },
    logging: { level: 'info' },
    resources: { files: [path('users.yaml')], documents: [...documents(), ...trunks] },
  }
  writeFileSync(path(name), JSON.stringify(config))
  return path(name)
}

beforeAll(async () => {
  makeCertificates()
  writeFileSync(path('password'), `${FROM_FILE}\n`)
  writeKeys(['one', ISSUERS_KEYS.publicKey])
  await importUsers()
  CALLEE_PORTS.four = await freeUdpPort('127.0.0.1')
  CALLEE_PORTS.six = await freeUdpPort('::1')
  const NODE_OPTIONS = `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${folder}`
  const config = writeConfig('four.json', '127.0.0.1')
  cluster = await Cluster.start({ config, processes: 'single', env: { NODE_OPTIONS } })
  six = await Cluster.start({ config: writeConfig('six.json', '::1') })
}, 120_000)
afterEach(() => {
  for (const phone of phones.splice(0)) phone.close()
  for (const socket of sockets.splice(0)) socket.destroy()
})
afterAll(async () => {
  await Promise.all([cluster?.stop(), six?.stop()])
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

async function open(name: string, more: Partial<Phone['options']> = {}): Promise<Phone> {
  const isTls = more.transport === 'tls'
  const verified = isTls ? { ca: readFileSync(path('ca.pem'), 'utf8'), serverName: 'example.test' } : {}
  const phone = await Phone.open({ user: name, port: cluster.sipPort(0) + (isTls ? 1 : 0), ...verified, ...more })
  phones.push(phone)
  return phone
}

describe('hashes alone', () => {
  it('SIPp registers with MD5', async () => {
    const keys = { domain: 'md5.test', contact: '<sip:sipper@127.0.0.1:5999>' }
    expectPlayed(await playSipp({ scenario: 'register-in', port: cluster.sipPort(0), user: 'sipper', keys }))
  }, 30_000)

  it('linphonec registers with SHA-256', async (context) => {
    if (!linphone.available) return context.skip(linphone.reason)
    const phone = await startLinphone({ user: 'linda', proxy: cluster.sip(1) })
    await phone.stop()
  }, 60_000)

  const register = async (name: string, algorithm: 'MD5' | 'SHA-256', password?: string) => {
    const phone = await open(name, { algorithm, ...(password && { password }) })
    const aor = `<sip:${name}@both.test>`
    const uri = 'sip:both.test'
    return phone.ask('REGISTER', { uri, from: aor, to: aor, headers: [`Contact: ${phone.contact};expires=600`] })
  }

  it('a user with one hash registers with its algorithm, and is asked again with the other', async () => {
    expect((await register('emdee', 'MD5')).status).toBe(200)
    expect((await register('shaah', 'SHA-256')).status).toBe(200)
    expect((await register('emdee', 'SHA-256')).status).toBe(401)
    expect((await register('shaah', 'MD5')).status).toBe(401)
  }, 30_000)

  it('the challenge is the same for whoever has which hash, and for nobody', async () => {
    const challengeOf = async (name: string): Promise<string> => {
      const phone = await open(name)
      const aor = `<sip:${name}@both.test>`
      const parts = { uri: 'sip:both.test', from: aor, to: aor, callId: token(), cseq: 1 }
      phone.send(phone.request('REGISTER', parts))
      const response = await phone.final('a challenge', parts.callId, '1 REGISTER')
      return [response.status, ...response.all('WWW-Authenticate')].join('\n').replaceAll(/nonce="[^"]*"/g, 'nonce')
    }
    const [one, other, nobody] = [await challengeOf('emdee'), await challengeOf('shaah'), await challengeOf('nobody')]
    expect(one).toContain('SHA-256')
    expect(new Set([one, other, nobody]).size).toBe(1)
  }, 30_000)

  it('a broken line of an import is named, and nothing is written', async () => {
    writeFileSync(path('broken.csv'), 'username,domain,ha1_md5\nbob,md5.test,hunter22\n')
    const ran = await runTandem(['import', 'subscribers', path('broken.csv'), '--out', path('broken.yaml')])
    expect(ran.status).toBe(1)
    expect(ran.err).toContain('broken.csv:2: expected 32 hexadecimal digits in ha1_md5')
    expect(ran.err).not.toContain('hunter22')
    expect(existsSync(path('broken.yaml'))).toBe(false)
    expect(statSync(path('users.yaml')).mode & 0o077).toBe(0)
  }, 30_000)
})

describe('by address', () => {
  const FAMILIES = [
    { family: 'IPv4', callee: 'sales', from: '127.0.0.33', at: '127.0.0.1', port: () => CALLEE_PORTS.four },
    { family: 'IPv6', callee: 'sales6', from: '::1', at: '::1', port: () => CALLEE_PORTS.six },
  ]
  it.each(FAMILIES)(
    'over $family a subscriber calls without a question, and his account is on record',
    async ({ callee, from, at, port, family }) => {
      const used = family === 'IPv4' ? cluster : six
      const answering = await beginSipp({ scenario: 'ipv6-call.callee', address: at, localPort: port() })
      const callId = newCallId('acl')
      const keys = { domain: 'example.test', callee }
      const call = { scenario: 'ipv6-call', port: used.sipPort(0), user: 'pbx', callId, keys }
      expectPlayed(await playSipp({ ...call, address: at, from }))
      expectPlayed(await answering.result)
      expect(await used.record(callId, 15_000)).toMatchObject({ identity: 'sip:pbx@example.test', account: 'acme' })
    },
    60_000,
  )

  const invite = async (localAddress: string, parts: { from: string; callee: string }) => {
    const { createSocket } = await import('node:dgram')
    const socket = createSocket('udp4')
    socket.bind(0, localAddress)
    await once(socket, 'listening')
    const heard = new Promise<string>((resolve) => {
      socket.on('message', (bytes) => {
        const status = bytes.toString('latin1').split(' ')[1] ?? ''
        if (status !== '100') resolve(status)
      })
    })
    const lines = [
      `INVITE sip:${parts.callee}@example.test SIP/2.0`,
      `Via: SIP/2.0/UDP ${localAddress}:${socket.address().port};branch=z9hG4bK${token()};rport`,
      'Max-Forwards: 70',
      `From: <${parts.from}>;tag=${token()}`,
      `To: <sip:${parts.callee}@example.test>`,
      `Call-ID: ${token()}`,
      'CSeq: 1 INVITE',
      `Contact: <sip:x@${localAddress}:${socket.address().port}>`,
      'Content-Length: 0',
    ]
    socket.send(`${lines.join('\r\n')}\r\n\r\n`, cluster.sipPort(0), '127.0.0.1')
    try {
      return await Promise.race([heard, new Promise<string>((resolve) => setTimeout(resolve, 15_000, 'nothing'))])
    } finally {
      socket.close()
    }
  }

  it.each([
    ['from outside of his range is asked', '127.0.0.50', 'sip:pbx@example.test', '407'],
    ['at his address another user is asked', '127.0.0.33', 'sip:alice@example.test', '407'],
    ['at his address a stranger is refused', '127.0.0.33', 'sip:x@elsewhere.test', '403'],
    ['a trunk is let in: nobody is registered', '127.0.0.60', 'sip:+49301234@elsewhere.test', '480'],
  ])(
    '%s',
    async (_what, localAddress, from, expected) => {
      expect(await invite(localAddress, { from, callee: 'alice' })).toBe(expected)
    },
    30_000,
  )
})

describe('by certificate', () => {
  async function exchange(name: string | undefined, lines: readonly string[]): Promise<string> {
    const own =
      name === undefined ? {} : { cert: readFileSync(path(`${name}.pem`)), key: readFileSync(path(`${name}.key`)) }
    const ca = readFileSync(path('ca.pem'))
    const socket = connect({ port: cluster.sipPort(0) + 1, host: '127.0.0.1', servername: 'example.test', ca, ...own })
    sockets.push(socket)
    await once(socket, 'secureConnect')
    let text = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk
    })
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    await waitUntil('a final response', () => /^SIP\/2\.0 [2-6]\d\d/m.test(text), 15_000)
    return /^SIP\/2\.0 ([2-6]\d\d)/m.exec(text)?.[1] ?? ''
  }

  const message = (method: string, uri: string, from: string, to: string): string[] => [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/TLS 127.0.0.1:5999;branch=z9hG4bK${token()};rport`,
    'Max-Forwards: 70',
    `From: <${from}>;tag=${token()}`,
    `To: <${to}>`,
    `Call-ID: ${token()}`,
    `CSeq: 1 ${method}`,
    'Contact: <sip:x@127.0.0.1:5999;transport=tls>;expires=60',
    'Content-Length: 0',
  ]
  const register = (who: string): string[] =>
    message('REGISTER', 'sip:example.test', `sip:${who}@example.test`, `sip:${who}@example.test`)

  it("openssl's certificate for sip:alice@example.test registers alice and nobody else", async () => {
    expect(await exchange('alice', register('alice'))).toBe('200')
    expect(await exchange('alice', register('filed'))).toBe('401')
    expect(await exchange(undefined, register('alice'))).toBe('401')
  }, 60_000)

  it('[RFC5922-7.4] a trunk that is not trusted gets in by its domain, and registers nobody', async () => {
    const call = message('INVITE', 'sip:filed@example.test', 'sip:+4930@carrier.test', 'sip:filed@example.test')
    expect(await exchange('trunk', call)).toBe('480')
    expect(await exchange('trunk', register('alice'))).toBe('401')
  }, 60_000)
})

interface TokenParts {
  readonly claims?: Record<string, unknown>
  readonly kid?: string
}

/** Signed by hand, so that the cluster's arithmetic is not its own judge. [RFC7515-5.1] */
function tokenOf({ claims = {}, kid = 'one' }: TokenParts = {}): string {
  const isOld = kid === 'one'
  const exp = Math.floor(Date.now() / 1_000) + 600
  const payload = { iss: ISSUER, aud: 'sip', exp, scope: 'sip', sip_uri: 'sip:alice@example.test', ...claims }
  const parts = [{ alg: isOld ? 'ES256' : 'RS256', kid }, payload]
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const key = isOld ? { key: ISSUERS_KEYS.privateKey, dsaEncoding: 'ieee-p1363' as const } : NEW_KEYS.privateKey
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`
}

describe('tokens', () => {
  const seen: string[] = []
  function bearing(parts: TokenParts = {}): string {
    const text = tokenOf(parts)
    seen.push(text)
    return `Authorization: Bearer ${text}`
  }
  /** One exchange without an answer to a challenge. */
  async function exchange(phone: Phone, method: string, uri: string, headers: readonly string[]) {
    const callId = token()
    const to = method === 'REGISTER' ? `<${phone.aor}>` : `<${uri}>`
    phone.send(phone.request(method, { uri, to, callId, cseq: 1, headers: [`Contact: ${phone.contact}`, ...headers] }))
    return phone.final(`the response to ${method}`, callId, `1 ${method}`, 15_000)
  }
  const register = (phone: Phone, ...headers: string[]) => exchange(phone, 'REGISTER', 'sip:example.test', headers)

  it('[RFC8898-2.2] are asked for over TLS, register and call; the callee never sees one', async () => {
    const phone = await open('alice', { transport: 'tls' })
    const asked = await register(phone)
    expect(asked.status).toBe(401)
    const offered = asked.all('WWW-Authenticate').join('\n')
    expect(offered).toContain(`Bearer realm="example.test", authz_server="${ISSUER}", scope="sip"`)
    expect(offered).toContain('Digest realm="example.test"')
    expect((await register(phone, bearing())).status).toBe(200)
    const callee = await beginSipp({ scenario: 'ring-and-refuse', localPort: CALLEE_PORTS.four })
    const refused = await exchange(phone, 'INVITE', 'sip:boss@example.test', [bearing()])
    expect(refused.status).toBeGreaterThanOrEqual(480)
    const heard = await callee.result
    expect(heard.messages).toContain('INVITE sip:boss@')
    expect(heard.messages).not.toContain('Bearer')
    expect(heard.messages).toContain('P-Asserted-Identity: <sip:alice@example.test>')
  }, 60_000)

  it('[RFC8898-2.2] one that has expired, or is for another, gets 401 with invalid_token', async () => {
    const phone = await open('alice', { transport: 'tls' })
    for (const claims of [
      { exp: Math.floor(Date.now() / 1_000) - 120 },
      { aud: 'web' },
      { sip_uri: 'sip:nobody@example.test' },
    ]) {
      const response = await register(phone, bearing({ claims }))
      expect(response.status).toBe(401)
      expect(response.all('WWW-Authenticate').join('\n')).toContain('error="invalid_token"')
    }
    const scope = await register(phone, bearing({ claims: { scope: 'mail' } }))
    expect(scope.all('WWW-Authenticate').join('\n')).toContain('error="invalid_scope"')
  }, 60_000)

  it('are not taken in the clear, and not asked for there', async () => {
    const phone = await open('alice', { transport: 'tcp' })
    const response = await register(phone, bearing())
    expect(response.status).toBe(401)
    expect(response.all('WWW-Authenticate').join('\n')).not.toContain('Bearer')
  }, 30_000)

  it('a new key of the issuer counts without a restart', async () => {
    const phone = await open('alice', { transport: 'tls' })
    expect((await register(phone, bearing({ kid: 'two' }))).status).toBe(401)
    try {
      writeKeys(['one', ISSUERS_KEYS.publicKey], ['two', NEW_KEYS.publicKey])
      const until = Date.now() + 30_000
      let status = 401
      while (status !== 200 && Date.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 500))
        status = (await register(phone, bearing({ kid: 'two' }))).status
      }
      expect(status).toBe(200)
      expect((await register(phone, bearing())).status).toBe(200)
    } finally {
      writeKeys(['one', ISSUERS_KEYS.publicKey])
    }
  }, 60_000)

  it('none was printed', () => {
    expect(seen.length).toBeGreaterThan(0)
    for (const text of seen) expect(cluster.process.output()).not.toContain(text.slice(0, 60))
  })
})

describe('callers that nobody knows', () => {
  const call = async (callee: string) => {
    const phone = await open('anonymous')
    const parts = {
      uri: `sip:${callee}@example.test`,
      to: `<sip:${callee}@example.test>`,
      from: '<sip:anonymous@anonymous.invalid>',
    }
    const callId = token()
    const headers = [`Contact: ${phone.contact}`, 'P-Asserted-Identity: <sip:ceo@example.test>']
    phone.send(phone.request('INVITE', { ...parts, callId, cseq: 1, headers }))
    return (await phone.final('the end of it', callId, '1 INVITE', 15_000)).status
  }

  it('reach the users who are listed, without the name that they give themselves', async () => {
    const callee = await beginSipp({ scenario: 'ring-and-refuse', localPort: CALLEE_PORTS.four })
    expect(await call('sales')).toBeGreaterThanOrEqual(480)
    const heard = await callee.result
    expect(heard.messages).toContain('From: <sip:anonymous@anonymous.invalid>')
    expect(heard.messages).not.toContain('ceo@example.test')
  }, 30_000)

  it('are asked for credentials by everybody else', async () => {
    expect(await call('boss')).toBe(407)
  }, 30_000)
})

it('no password is left: neither printed nor in the memory of the process that read it', async () => {
  const phone = await open('alice', { password: PLAIN, algorithm: 'SHA-256' })
  expect((await phone.register()).status).toBe(200)
  const filed = await open('filed', { password: FROM_FILE, algorithm: 'SHA-256' })
  expect((await filed.register()).status).toBe(200)
  expect(cluster.process.output()).not.toContain(PLAIN)
  cluster.process.signal('SIGUSR2')
  const snapshot = (): string | undefined => readdirSync(folder).find((name) => name.endsWith('.heapsnapshot'))
  await waitUntil('a snapshot of the heap', () => snapshot() !== undefined && isWhole(path(snapshot() ?? '')), 120_000)
  const heap = readFileSync(path(snapshot() ?? ''), 'utf8')
  expect(heap).toContain('example.test')
  expect(heap).not.toContain(PLAIN)
  expect(heap).not.toContain(FROM_FILE)
}, 180_000)

/** It ends with the table of strings. */
function isWhole(file: string): boolean {
  const { size } = statSync(file)
  return size > 1_000 && readFileSync(file).subarray(-8).toString('latin1').trimEnd().endsWith('}')
}
