// SPDX-License-Identifier: MIT
//
// Bearer tokens (RFC 8898): who gets in with which, what is said of the others, and that a changed key set counts.
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadResources } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import { createMemoryStore } from '@tandem/store'
import { exportJWK, SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PolicyService } from '../options.ts'
import {
  authenticated,
  createWorld,
  decideOn,
  outcomeOf,
  request,
  SETTINGS,
  START_MS,
  type World,
} from '../policy-fixture.ts'
import { MAX_TOKEN_LENGTH } from './judge-token.ts'

const NOW_S = START_MS / 1_000
const ISSUER = 'https://as.example.test'
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const strange = generateKeyPairSync('ec', { namedCurve: 'P-256' })

let folder: string
let world: World
let node: PolicyService

const publicOf = async (key: KeyObject, kid: string) => ({ ...(await exportJWK(key)), kid })

const resource = (kind: string, metadata: object, spec: object = {}) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata,
  spec,
})
const bearer = (more: object = {}) => ({
  bearer: {
    jwks: { file: 'keys.json' },
    issuer: ISSUER,
    audience: 'sip',
    authorizationServer: ISSUER,
    ...more,
  },
})
const subscriber = (domain: string, name = 'alice') =>
  resource('Subscriber', { name, domain }, { credentials: { password: `${name}-secret` } })

const DOCUMENTS = [
  resource('Domain', { name: 'example.test' }, bearer()),
  resource('Domain', { name: 'token.test' }, { schemes: ['bearer'], ...bearer({ scope: ['sip', 'voice'] }) }),
  resource(
    'Domain',
    { name: 'first.test' },
    { schemes: ['bearer', 'digest'], ...bearer({ insecureTransports: true }) },
  ),
  resource('Domain', { name: 'claim.test' }, bearer({ userClaim: 'sip_uri', algorithms: ['ES256'], clockSkewMs: 0 })),
  ...['example', 'token', 'first', 'claim'].map((name) => subscriber(`${name}.test`)),
  subscriber('example.test', 'bob'),
]

async function load() {
  const loaded = await loadResources(DOCUMENTS, { baseDir: folder, env: {} })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
  return loaded.set
}

/** As a key rotation does: whole, under the old name. */
async function writeKeys(keys: readonly object[]): Promise<void> {
  await writeFile(join(folder, 'keys.new'), JSON.stringify({ keys }))
  await rename(join(folder, 'keys.new'), join(folder, 'keys.json'))
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-jwks-'))
  await writeKeys([await publicOf(pair.publicKey, 'one'), await publicOf(rsa.publicKey, 'two')])
  world = { ...(await createWorld([])), resources: await load() }
  node = nodeOf(world)
})
afterAll(() => rm(folder, { recursive: true }))

/** A node over the resources of this file, which the fixture can't load: they name a file. */
function nodeOf(of: World): PolicyService {
  const made = of.node({ store: createMemoryStore({ now: () => of.clock.ms }).policy })
  made.replaceResources(of.resources)
  return made
}

interface TokenParts {
  readonly claims?: Record<string, unknown>
  readonly key?: KeyObject
  readonly alg?: string
  readonly kid?: string
}

function token({ claims = {}, key = pair.privateKey, alg = 'ES256', kid = 'one' }: TokenParts = {}): Promise<string> {
  const payload = { sub: 'alice', iss: ISSUER, aud: 'sip', exp: NOW_S + 300, ...claims }
  return new SignJWT(payload).setProtectedHeader({ alg, kid }).sign(key)
}

const TLS = { transport: 'tls', address: '192.0.2.1', port: 5061 }
const bearing = (value: string, proxy = false): policy.Credentials => ({ proxy, value: `Bearer ${value}` })
const inDomain = (domain: string): Partial<policy.DecideRequest> => ({
  source: TLS,
  requestUri: `sip:alice@${domain}`,
  from: `<sip:alice@${domain}>;tag=a1`,
  to: `<sip:alice@${domain}>`,
})
const register = (domain: string, ...credentials: policy.Credentials[]) =>
  decideOn(node, request({ ...inDomain(domain), method: 'REGISTER', requestUri: `sip:${domain}`, credentials }))
const valuesOf = ({ verdict }: policy.DecideResponse) => (verdict?.$case === 'challenge' ? verdict.value.values : [])
const bearerOf = (response: policy.DecideResponse) => valuesOf(response).find((value) => value.startsWith('Bearer'))

describe('challenges', () => {
  test('[RFC8898-2.2] name the authorization server, after the digests', async () => {
    const values = valuesOf(await register('example.test'))
    expect(values.map((value) => value.split(' ')[0])).toEqual(['Digest', 'Digest', 'Bearer'])
    expect(values[2]).toBe(`Bearer realm="example.test", authz_server="${ISSUER}"`)
  })

  test('[RFC8898-4] ask for the scopes that are needed; digest only where the domain takes it', async () => {
    expect(valuesOf(await register('token.test'))).toEqual([
      `Bearer realm="token.test", authz_server="${ISSUER}", scope="sip voice"`,
    ])
  })

  test('in the order of the domain', async () => {
    expect(valuesOf(await register('first.test'))[0]).toContain('Bearer realm')
  })

  test('no token is asked for in the clear', async () => {
    const clear = { ...inDomain('example.test'), source: { ...TLS, transport: 'tcp' } }
    expect(bearerOf(await decideOn(node, request(clear)))).toBeUndefined()
    const alone = { ...inDomain('token.test'), source: { ...TLS, transport: 'udp' } }
    expect(outcomeOf(await decideOn(node, request(alone)))).toBe('reject 403 insecure_transport')
    const wss = { ...inDomain('example.test'), source: { ...TLS, transport: 'wss' } }
    expect(bearerOf(await decideOn(node, request(wss)))).toBeDefined()
  })
})

describe('tokens', () => {
  test('[RFC8898-2.2] a right one registers', async () => {
    const response = await register('example.test', bearing(await token()))
    expect(outcomeOf(response)).toBe('admit')
    expect(response.identity).toBe('sip:alice@example.test')
  })

  const call = (credentials: policy.Credentials) =>
    decideOn(
      node,
      request({ ...inDomain('example.test'), requestUri: 'sip:bob@example.test', credentials: [credentials] }),
    )

  test.each([false, true])(
    '[RFC8898-2.1.4] [RFC8898-2.3] calls, in Proxy-Authorization: %s; and goes no further',
    async (proxy) => {
      const credentials = bearing(await token(), proxy)
      const { verdict, identity } = await call(credentials)
      if (verdict?.$case !== 'plan') throw new Error('expected a plan')
      expect(identity).toBe('sip:alice@example.test')
      const name = proxy ? 'Proxy-Authorization' : 'Authorization'
      expect(verdict.value.edits).toContainEqual(expect.objectContaining({ name, value: credentials.value }))
    },
  )

  const GOOD: readonly (readonly [string, string, TokenParts])[] = [
    ['RSA', 'example.test', { key: rsa.privateKey, alg: 'RS256', kid: 'two' }],
    ['PSS', 'example.test', { key: rsa.privateKey, alg: 'PS384', kid: 'two' }],
    ['several audiences', 'example.test', { claims: { aud: ['web', 'sip'] } }],
    ['a clock that is a little ahead', 'example.test', { claims: { nbf: NOW_S + 20 } }],
    ['one that expired a moment ago', 'example.test', { claims: { exp: NOW_S - 20 } }],
    ['a SIP URI', 'example.test', { claims: { sub: 'sip:alice@example.test' } }],
    ['user@domain', 'example.test', { claims: { sub: 'alice@example.test' } }],
    ['another claim', 'claim.test', { claims: { sub: 'auth0|77', sip_uri: 'sip:alice@claim.test' } }],
    ['scopes as text', 'token.test', { claims: { scope: 'voice sip more' } }],
    ['scopes as a list', 'token.test', { claims: { scp: ['sip', 'voice'] } }],
  ]
  test.each(GOOD)('right: %s', async (_what, domain, parts) => {
    expect(outcomeOf(await register(domain, bearing(await token(parts))))).toBe('admit')
  })

  const BAD: readonly (readonly [string, string, TokenParts])[] = [
    ['[RFC8898-2.2] expired', 'example.test', { claims: { exp: NOW_S - 31 } }],
    ['expired, without a skew', 'claim.test', { claims: { exp: NOW_S - 1, sip_uri: 'alice' } }],
    ['not yet valid', 'example.test', { claims: { nbf: NOW_S + 31 } }],
    ['without an end', 'example.test', { claims: { exp: undefined } }],
    ['of another issuer', 'example.test', { claims: { iss: 'https://evil.test' } }],
    ['for another audience', 'example.test', { claims: { aud: 'web' } }],
    ['signed by somebody', 'example.test', { key: strange.privateKey }],
    ['with a key that nobody knows', 'example.test', { kid: 'three' }],
    ['of an algorithm that is not taken', 'claim.test', { key: rsa.privateKey, alg: 'RS256', kid: 'two' }],
    ['for nobody', 'example.test', { claims: { sub: 'mallory' } }],
    ['for a user of another domain', 'example.test', { claims: { sub: 'sip:alice@claim.test' } }],
    ['without the claim', 'claim.test', {}],
    ['that names a number', 'example.test', { claims: { sub: 7 } }],
    ['too large', 'example.test', { claims: { padding: 'x'.repeat(MAX_TOKEN_LENGTH) } }],
  ]
  test.each(BAD)('wrong: %s → 401 with invalid_token', async (_what, domain, parts) => {
    const response = await register(domain, bearing(await token(parts)))
    expect(outcomeOf(response)).toBe('challenge 401')
    expect(bearerOf(response)).toContain(', error="invalid_token"')
  })

  test.each(['', 'x', 'a.b.c', 'a.b', '..', 'ey..'])('no token at all: %j', async (text) => {
    expect(bearerOf(await register('example.test', bearing(text)))).toContain('error="invalid_token"')
  })

  test('unsigned, and signed with the public key as a secret', async () => {
    const claims = { sub: 'alice', iss: ISSUER, aud: 'sip', exp: NOW_S + 300 }
    const pem = new TextEncoder().encode(rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString())
    const forged = [
      new UnsecuredJWT(claims).encode(),
      await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'two' }).sign(pem),
    ]
    for (const one of forged) {
      expect(bearerOf(await register('example.test', bearing(one)))).toContain('error="invalid_token"')
    }
  })

  test('[RFC8898-4] with too little scope: invalid_scope', async () => {
    const response = await register('token.test', bearing(await token({ claims: { scope: 'sip' } })))
    expect(bearerOf(response)).toContain('error="invalid_scope"')
  })

  test('registers nobody else, and calls as nobody else', async () => {
    const credentials = [bearing(await token({ claims: { sub: 'bob' } }))]
    const other = { ...inDomain('example.test'), credentials }
    const registers = request({ ...other, method: 'REGISTER', requestUri: 'sip:example.test' })
    expect(outcomeOf(await decideOn(node, registers))).toBe('reject 403 not_your_address')
    expect(outcomeOf(await decideOn(node, request(other)))).toBe('reject 403 not_your_identity')
  })

  test('in the clear a right one is not looked at, unless the domain says so', async () => {
    const clear = (domain: string) => ({ ...inDomain(domain), source: { ...TLS, transport: 'ws' } })
    const credentials = [bearing(await token())]
    const response = await decideOn(node, request({ ...clear('example.test'), credentials }))
    expect(valuesOf(response).map((value) => value.split(' ')[0])).toEqual(['Digest', 'Digest'])
    expect(outcomeOf(await decideOn(node, request({ ...clear('first.test'), credentials })))).toBe('plan')
  })

  test('digest goes on beside it', async () => {
    expect(outcomeOf(await authenticated(node, inDomain('example.test')))).toBe('plan')
  })

  test('nothing of a token is logged', () => {
    expect(JSON.stringify(world.lines)).not.toMatch(/ey[A-Za-z0-9_-]{8}/)
  })
})

describe('keys', () => {
  const rotated = generateKeyPairSync('ed25519')
  const ofRotated = () => token({ key: rotated.privateKey, alg: 'EdDSA', kid: 'new' })
  const outcome = async (of: PolicyService, text: string) => {
    const asked = { ...inDomain('example.test'), method: 'REGISTER', requestUri: 'sip:example.test' }
    return outcomeOf(await decideOn(of, request({ ...asked, credentials: [bearing(text)] })))
  }
  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    const deadline = Date.now() + 15_000
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error('it never came')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  test('a set that was replaced counts without a restart; one that is broken changes nothing', async () => {
    const other = world.node({ tuning: { keySetPollMs: 20 } })
    other.replaceResources(await load())
    await other.start()
    try {
      expect(await outcome(other, await ofRotated())).toBe('challenge 401')
      await writeKeys([await publicOf(rotated.publicKey, 'new')])
      await until(async () => (await outcome(other, await ofRotated())) === 'admit')
      expect(await outcome(other, await token())).toBe('challenge 401')
      await writeFile(join(folder, 'keys.json'), '{ "keys": [')
      await until(async () => other.counts.keySetsBroken > 0)
      expect(await outcome(other, await ofRotated())).toBe('admit')
    } finally {
      await other.stop()
      await writeKeys([await publicOf(pair.publicKey, 'one'), await publicOf(rsa.publicKey, 'two')])
    }
  })

  const problemsOf = async (text: string) => {
    await writeFile(join(folder, 'bad.json'), text)
    const documents = [resource('Domain', { name: 'example.test' }, bearer({ jwks: { file: 'bad.json' } }))]
    const loaded = await loadResources(documents, { baseDir: folder, env: {} })
    return loaded.ok ? '' : loaded.problems.map(({ path, expected }) => `${path}: ${expected}`).join()
  }

  test('private and symmetric keys, and sets that are none, are refused when they are loaded', async () => {
    const secret = await exportJWK(pair.privateKey)
    expect(await problemsOf(JSON.stringify({ keys: [secret] }))).toContain('expected public keys only')
    expect(await problemsOf(JSON.stringify({ keys: [secret] }))).not.toContain(secret.d)
    expect(await problemsOf('{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}')).toContain('spec.bearer.jwks.file')
    expect(await problemsOf('{"keys":[]}')).toContain('spec.bearer.jwks.file')
    expect(await problemsOf('no json')).toContain('expected JSON')
  })
})

describe('forged tokens and bans', () => {
  const SPENT = '198.51.100.30'
  const banning = (more: object = {}): PolicyService => {
    const bans = { ...SETTINGS.bans, sourceFailures: 3, ...more }
    const stores = createMemoryStore({ now: () => world.clock.ms })
    const made = world.node({ store: stores.policy, bans: stores.bans, config: { bans } })
    made.replaceResources(world.resources)
    return made
  }
  const ask = async (of: PolicyService, parts: TokenParts, transport = 'tls') => {
    const sent = { ...inDomain('first.test'), source: { transport, address: SPENT, port: 5061 } }
    const credentials = [bearing(await token(parts))]
    return outcomeOf(
      await decideOn(of, request({ ...sent, method: 'REGISTER', requestUri: 'sip:first.test', credentials })),
    )
  }
  const forged = { key: strange.privateKey }

  test('ban their source', async () => {
    const one = banning()
    for (let n = 0; n < 3; n++) expect(await ask(one, forged)).toBe('challenge 401')
    expect(await ask(one, forged)).toBe('reject 403 banned')
    expect(await ask(one, {})).toBe('reject 403 banned')
    expect(one.counts).toMatchObject({ failures: 3, bans: 1, badTokens: 3 })
  })

  test.each([
    ['that are too old, or for others', { claims: { exp: NOW_S - 3_600 } }, 'tls', {}],
    ['that came over UDP', forged, 'udp', {}],
    ['where policy.bans.tokens is off', forged, 'tls', { tokens: false }],
  ])('do not count %s', async (_which, parts, transport, settings) => {
    const one = banning(settings)
    for (let n = 0; n < 6; n++) expect(await ask(one, parts, transport)).toBe('challenge 401')
    expect(await ask(one, {})).toBe('admit')
    expect(one.counts).toMatchObject({ failures: 0, bans: 0, badTokens: 6 })
  })
})
