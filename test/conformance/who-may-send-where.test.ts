// SPDX-License-Identifier: MIT
//
// What resources say about senders and targets, seen from outside through edge, policy and location: relaying, the trust
// domain of RFC 3325, telephone numbers, GRUUs, watched registrations. The decisions alone: services/policy.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import {
  answerTo,
  createWorld,
  headerOf,
  headersOf,
  methodOf,
  requestUriOf,
  resource,
  statusOf,
  type World,
} from './support/world.ts'

// The world gives its phones the addresses 192.0.2.101, 102, … in the order in which they are opened.
const [, BOB, CARRIER, FOREIGN, PBX] = [101, 102, 103, 104, 105].map((last) => `192.0.2.${last}`)

const user = (name: string, spec: object = {}) =>
  resource('Subscriber', { name, domain: 'home.test' }, { credentials: { password: `${name}-secret` }, ...spec })

const RESOURCES = [
  resource(
    'Domain',
    { name: 'home.test' },
    {
      accounting: false,
      aliases: ['*.home.test'],
      relay: { allow: [CARRIER, FOREIGN] },
      trust: { sources: [`${PBX}/32`] },
    },
  ),
  user('alice', { usernames: ['alice', '+49-30-1234'] }),
  user('bob'),
  resource('Subscriber', { name: 'pbx', domain: 'home.test' }, { contacts: [{ uri: `sip:line@${CARRIER}` }] }),
  resource('Trunk', { name: 'carrier' }, { hosts: [{ host: CARRIER }], trusted: true }),
]

let world: World
let alice: MemoryPhone
let bob: MemoryPhone

beforeEach(async () => {
  world = await createWorld({ resources: RESOURCES })
  alice = world.phone('alice')
  bob = world.phone('bob')
})
afterEach(() => world.cluster.close())

const FROM_ALICE = '<sip:alice@home.test>;tag=a'

/** Sends, answers the challenge, sends again; the last message that came back. */
async function authenticated(
  phone: MemoryPhone,
  name: string,
  method: string,
  parts: { uri: string; headers?: string[] },
) {
  const address = `<sip:${name}@home.test>`
  const common = { from: `${address};tag=a`, to: method === 'REGISTER' ? address : `<${parts.uri}>` }
  const contact = method === 'MESSAGE' ? undefined : phone.contact
  const asked = { ...common, ...parts, ...(contact && { contact }) }
  const challenge = await world.ask(phone, method, asked)
  const proxy = statusOf(challenge) === 407
  const value = headerOf(challenge, proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate')
  const answer = answerTo(value, { username: name, password: `${name}-secret`, method, uri: parts.uri })
  const line = `${proxy ? 'Proxy-Authorization' : 'Authorization'}: ${answer}`
  return world.ask(phone, method, { ...asked, headers: [...(parts.headers ?? []), line] })
}

const registerBob = (headers: string[] = []) => authenticated(bob, 'bob', 'REGISTER', { uri: 'sip:home.test', headers })
const lastMessage = (phone: MemoryPhone): string =>
  phone.inbox.filter((text) => methodOf(text) === 'MESSAGE').at(-1) ?? ''

describe('relaying', () => {
  test('[RFC3261-16.5b] a proven sender reaches an allowed host, by the Request-URI as it came', async () => {
    const carrier = world.phone('carrier')
    await authenticated(alice, 'alice', 'MESSAGE', { uri: `sip:+1555@${CARRIER};x=y` })
    expect(requestUriOf(lastMessage(carrier))).toBe(`sip:+1555@${CARRIER};x=y`)
    expect(headerOf(lastMessage(carrier), 'Proxy-Authorization')).toBe('')
  })

  test('[RFC3261-26.3.2.2b] a stranger gets 403, one who says to be ours is asked first, and nothing leaves', async () => {
    const carrier = world.phone('carrier')
    const uri = `sip:+1555@${CARRIER}`
    expect(statusOf(await world.ask(alice, 'MESSAGE', { uri, from: '<sip:eve@x.test>;tag=e' }))).toBe(403)
    expect(statusOf(await world.ask(alice, 'MESSAGE', { uri, from: FROM_ALICE }))).toBe(407)
    expect(statusOf(await authenticated(alice, 'alice', 'MESSAGE', { uri: 'sip:x@192.0.2.199' }))).toBe(403)
    expect(carrier.inbox).toEqual([])
  })
})

describe('asserted identities', () => {
  const FORGED = ['P-Asserted-Identity: <sip:bob@home.test>', 'P-Preferred-Identity: <tel:+49301234>']

  test('[RFC3325-5b] [RFC3325-6a] of a proven caller his own replaces what he sent', async () => {
    await registerBob()
    await authenticated(alice, 'alice', 'MESSAGE', { uri: 'sip:bob@home.test', headers: FORGED })
    const seen = lastMessage(bob)
    expect(headersOf(seen, 'P-Asserted-Identity')).toEqual(['<sip:alice@home.test>', '<tel:+49301234>'])
    expect(headersOf(seen, 'P-Preferred-Identity')).toEqual([])
  })

  test('[RFC3325-7a] Privacy: id keeps it from phones and foreign hosts, not from a trusted trunk [RFC3325-5e]', async () => {
    await registerBob()
    const carrier = world.phone('carrier')
    const foreign = world.phone('foreign')
    for (const [phone, uri] of [
      [bob, 'sip:bob@home.test'],
      [carrier, `sip:x@${CARRIER}`],
      [foreign, `sip:x@${FOREIGN}`],
    ] as const) {
      await authenticated(alice, 'alice', 'MESSAGE', { uri, headers: [...FORGED, 'Privacy: id'] })
      const expected = phone === carrier ? ['<sip:alice@home.test>', '<tel:+49301234>'] : []
      expect(headersOf(lastMessage(phone), 'P-Asserted-Identity'), uri).toEqual(expected)
    }
  })

  test('[RFC3325-5e] a trusted source passes without credentials, and its word is kept', async () => {
    await registerBob()
    world.phone('carrier')
    world.phone('foreign')
    const pbx = world.phone('pbx')
    const headers = ['P-Asserted-Identity: "Eve" <sip:eve@pbx.test>', 'P-Preferred-Identity: <sip:x@pbx.test>']
    await world.ask(pbx, 'MESSAGE', { uri: 'sip:bob@home.test', from: '<sip:eve@pbx.test>;tag=p', headers })
    expect(headersOf(lastMessage(bob), 'P-Asserted-Identity')).toEqual(['"Eve" <sip:eve@pbx.test>'])
    expect(headersOf(lastMessage(bob), 'P-Preferred-Identity')).toEqual([])
  })
})

describe('other Request-URIs', () => {
  const reach = async (uri: string) => {
    await registerBob()
    return authenticated(alice, 'alice', 'MESSAGE', { uri })
  }

  test('[RFC3966-4a] a number without a user is 404, one of a user without a phone 480', async () => {
    expect(statusOf(await reach('tel:+1-555'))).toBe(404)
    expect(statusOf(await reach('tel:+49(30)1234'))).toBe(480)
  })

  test('a static contact is reached though nobody has registered it', async () => {
    const carrier = world.phone('carrier')
    await authenticated(alice, 'alice', 'MESSAGE', { uri: 'sip:pbx@home.test' })
    expect(requestUriOf(lastMessage(carrier))).toBe(`sip:line@${CARRIER}`)
  })

  test('a name under a wildcard is the domain', async () => {
    await reach('sip:bob@branch.home.test')
    expect(requestUriOf(lastMessage(bob))).toBe(`sip:bob@${BOB}:5060`)
  })

  test('[RFC5627-5.4a] the GRUU of a 200 to REGISTER leads to its instance, another instance to nobody [RFC5627-6.1b]', async () => {
    const instance = 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6'
    const contact = `${bob.contact};+sip.instance="<${instance}>"`
    const parts = { from: '<sip:bob@home.test>;tag=r', to: '<sip:bob@home.test>', contact, uri: 'sip:home.test' }
    const challenge = await world.ask(bob, 'REGISTER', parts)
    const login = { username: 'bob', password: 'bob-secret', method: 'REGISTER', uri: 'sip:home.test' }
    const line = `Authorization: ${answerTo(headerOf(challenge, 'WWW-Authenticate'), login)}`
    const registered = await world.ask(bob, 'REGISTER', { ...parts, headers: ['Supported: gruu', line] })
    for (const kind of ['pub', 'temp']) {
      const gruu = new RegExp(`${kind}-gruu="([^"]+)"`).exec(headerOf(registered, 'Contact'))?.[1] ?? ''
      bob.inbox.length = 0
      await authenticated(alice, 'alice', 'MESSAGE', { uri: gruu })
      expect(requestUriOf(lastMessage(bob)), gruu).toBe(`sip:bob@${BOB}:5060`)
    }
    const other = `sip:bob@home.test;gr=${instance.replace('f81d', '0000')}`
    expect(statusOf(await authenticated(alice, 'alice', 'MESSAGE', { uri: other }))).toBe(480)
  })

  test('[RFC3261-8.2.1c] what is for the cluster itself and is not served gets 405 with Allow', async () => {
    const answer = await authenticated(alice, 'alice', 'MESSAGE', { uri: 'sip:home.test' })
    expect(statusOf(answer)).toBe(405)
    expect(headerOf(answer, 'Allow')).toContain('REGISTER')
  })

  test('[RFC3680-4.6a] nobody watches the registrations of somebody else', async () => {
    const headers = ['Event: reg;id=1']
    const watch = (name: string) =>
      authenticated(alice, 'alice', 'SUBSCRIBE', { uri: `sip:${name}@home.test`, headers })
    expect(statusOf(await watch('bob'))).toBe(403)
  })
})

describe('OPTIONS for the cluster', () => {
  const options = (headers: string[], body = '') =>
    world.ask(alice, 'OPTIONS', { uri: 'sip:home.test', to: '<sip:home.test>', headers, body })

  test('[RFC3261-8.2.2.3a] [RFC3261-8.2.2.3b] what it requires and nobody here knows gets 420', async () => {
    const answer = await options(['Require: path, unheard-of'])
    expect([statusOf(answer), headerOf(answer, 'Unsupported')]).toEqual([420, 'unheard-of'])
  })

  test('[RFC3261-8.2.3a] a body that is not optional gets 415 with Accept, an optional one is passed over', async () => {
    const answer = await options(['Content-Type: text/plain'], 'x')
    expect([statusOf(answer), headersOf(answer, 'Accept')]).toEqual([415, ['']])
    const optional = ['Content-Type: text/plain', 'Content-Disposition: session;handling=optional']
    expect(statusOf(await options(optional, 'x'))).toBe(200)
  })
})
