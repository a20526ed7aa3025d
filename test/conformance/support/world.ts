// SPDX-License-Identifier: MIT
//
// For the tests of clauses: a cluster in memory with domains of every kind, phones on its network, and requests whose
// answers are awaited. What a phone reads and computes is its own (test-kit, node:crypto), never the code under test.
import { createHash } from 'node:crypto'
import type { ResourceSource } from '@tandem/resources'
import { headerValues, type RequestParts, startLine } from '@tandem/test-kit'
import { createMemoryCluster, type MemoryCluster, type MemoryClusterOptions } from '../../support/memory-cluster.ts'
import { MemoryPhone } from '../../support/phone.ts'

export const EDGE = '192.0.2.1'

export const resource = (kind: string, metadata: object, spec: object = {}): ResourceSource => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata,
  spec,
})

const user = (name: string, domain: string, spec: object = {}): ResourceSource =>
  resource('Subscriber', { name, domain }, spec)
const withPassword = (name: string, domain: string): ResourceSource =>
  user(name, domain, { credentials: { password: `${name}-secret` } })
const domain = (name: string, spec: object): ResourceSource =>
  resource('Domain', { name }, { accounting: false, anonymous: 'allow', ...spec })
const open = { authentication: 'none', identity: 'off' }

/** tandem.test asks nobody; secure.test asks for credentials; redirect.test redirects; the others are as they are called. */
export const DOMAINS: readonly ResourceSource[] = [
  domain('tandem.test', { ...open, alsoBindAddress: true, aliases: ['alias.test'] }),
  ...['alice', 'bob', 'carol', 'dave'].map((name) => user(name, 'tandem.test')),
  domain('secure.test', { identity: 'assert' }),
  ...['alice', 'bob'].map((name) => withPassword(name, 'secure.test')),
  domain('legacy.test', { legacyDigest: true }),
  withPassword('alice', 'legacy.test'),
  domain('relay.test', { relay: { allow: ['192.0.2.102'] } }),
  withPassword('alice', 'relay.test'),
  domain('slow.test', { ...open, registration: { minExpiresMs: 7_200_000 } }),
  user('bob', 'slow.test'),
  domain('redirect.test', { ...open, routing: 'redirect' }),
  ...['bob', 'carol'].map((name) => user(name, 'redirect.test')),
  domain('recurse.test', { ...open, redirects: 'recurse' }),
  ...['bob', 'carol'].map((name) => user(name, 'recurse.test')),
]

export interface World {
  readonly cluster: MemoryCluster
  /** Opens a phone at the next free address, at the edge of that index. */
  phone(name: string, edge?: number): MemoryPhone
  /** Sends, settles, and returns what has come to that phone meanwhile. */
  exchange(phone: MemoryPhone, text: string): Promise<string[]>
  /** The same with a request of these parts; the last message that came. */
  ask(phone: MemoryPhone, method: string, parts?: RequestParts): Promise<string>
  /** Registers `phone` as `aor`; the response. */
  register(phone: MemoryPhone, aor: string, parts?: RequestParts): Promise<string>
}

export async function createWorld(options: MemoryClusterOptions = {}): Promise<World> {
  const cluster = await createMemoryCluster({ address: EDGE, resources: DOMAINS, ...options })
  let phones = 0
  const exchange = async (phone: MemoryPhone, text: string): Promise<string[]> => {
    const before = phone.inbox.length
    phone.send(text)
    await cluster.settle()
    return phone.inbox.slice(before)
  }
  const ask = async (phone: MemoryPhone, method: string, parts: RequestParts = {}): Promise<string> =>
    (await exchange(phone, phone.request(method, parts))).at(-1) ?? ''
  return {
    cluster,
    exchange,
    ask,
    phone: (name, edge = 0) => {
      phones += 1
      const { address, port } = cluster.edges[edge]?.endpoint ?? { address: EDGE, port: 5060 }
      return new MemoryPhone(cluster.network, name, `192.0.2.${100 + phones}`, 5060, { address, port })
    },
    register: (phone, aor, parts = {}) =>
      ask(phone, 'REGISTER', {
        uri: `sip:${aor.slice(aor.indexOf('@') + 1)}`,
        to: `<${aor}>`,
        from: `<${aor}>;tag=r`,
        contact: phone.contact,
        ...parts,
      }),
  }
}

/** 0 for a request or nothing at all. */
export const statusOf = (text: string): number => Number(/^SIP\/2\.0 (\d{3})/.exec(text)?.[1] ?? 0)
export const reasonOf = (text: string): string => startLine(text).slice('SIP/2.0 200 '.length)
export const methodOf = (text: string): string => (statusOf(text) > 0 ? '' : (text.split(' ')[0] ?? ''))
export const requestUriOf = (text: string): string => startLine(text).split(' ')[1] ?? ''
export const headerOf = (text: string, name: string): string => headerValues(text, name)[0] ?? ''
export const headersOf = (text: string, name: string): string[] => headerValues(text, name)
export const tagOf = (value: string): string => /;tag=([^;]+)/.exec(value)?.[1] ?? ''

/** The CANCEL that its sender makes of a request. */
export const cancelOf = (request: string): string =>
  request
    .replace(/^\w+/, 'CANCEL')
    .replace(/^CSeq: (\d+) .*$/m, 'CSeq: $1 CANCEL')
    .replace(/^Contact:.*\r\n/m, '')

const hash = (algorithm: string, text: string): string =>
  createHash(algorithm === 'SHA-256' ? 'sha256' : 'md5')
    .update(text)
    .digest('hex')

export interface Login {
  readonly username: string
  readonly password: string
  readonly method: string
  readonly uri: string
  /** RFC 2069: no qop, nc and cnonce. */
  readonly withoutQop?: boolean
}

/** A value for Authorization or Proxy-Authorization that answers `challenge`. [RFC7616-3.4] */
export function answerTo(challenge: string, login: Login): string {
  const read = (name: string): string => new RegExp(`${name}="?([^",]+)`).exec(challenge)?.[1] ?? ''
  const [realm, nonce, algorithm] = [read('realm'), read('nonce'), read('algorithm')]
  const ha1 = hash(algorithm, `${login.username}:${realm}:${login.password}`)
  const ha2 = hash(algorithm, `${login.method}:${login.uri}`)
  const middle = login.withoutQop === true ? nonce : `${nonce}:00000001:abc:auth`
  const protection = login.withoutQop === true ? '' : ', qop=auth, nc=00000001, cnonce="abc"'
  const head = `Digest username="${login.username}", realm="${realm}", nonce="${nonce}", uri="${login.uri}"`
  return `${head}, response="${hash(algorithm, `${ha1}:${middle}:${ha2}`)}", algorithm=${algorithm}${protection}`
}
