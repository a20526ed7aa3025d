// SPDX-License-Identifier: MIT
//
// RFC 3261 sections 22 and 26: challenges and credentials from outside. The arithmetic is tested beside it, nonces and
// replays beside the policy service.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import {
  answerTo,
  cancelOf,
  createWorld,
  headerOf,
  headersOf,
  methodOf,
  statusOf,
  type World,
} from './support/world.ts'

let world: World
let alice: MemoryPhone
let bob: MemoryPhone

beforeEach(async () => {
  world = await createWorld()
  alice = world.phone('alice')
  bob = world.phone('bob')
  await world.register(bob, BOB)
})
afterEach(() => world.cluster.close())

const BOB = 'sip:bob@tandem.test'
const FROM_ALICE = { uri: BOB, to: `<${BOB}>`, from: '<sip:alice@secure.test>;tag=a' }
const LOGIN = { username: 'alice', password: 'alice-secret', uri: BOB }

/** The credentials that answer a fresh challenge to this request. */
async function credentials(method: string, parts = FROM_ALICE, login: object = {}): Promise<string> {
  const [challenge = ''] = headersOf(await world.ask(alice, method, parts), 'proxy-authenticate')
  return answerTo(challenge, { ...LOGIN, method, ...login })
}

const withCredentials = (value: string, parts = FROM_ALICE) => ({
  ...parts,
  headers: [`Proxy-Authorization: ${value}`],
})
const arrived = (): boolean => bob.inbox.some((text) => methodOf(text) === 'MESSAGE')

describe('challenges', () => {
  test('407 with Proxy-Authenticate for what is proxied, never 401 [RFC3261-22.1a] [RFC3261-22.3a] [RFC3261-21.4.8]', async () => {
    for (const method of ['INVITE', 'MESSAGE', 'SUBSCRIBE', 'OPTIONS', 'PUBLISH']) {
      const answer = await world.ask(alice, method, { ...FROM_ALICE, contact: alice.contact } as typeof FROM_ALICE)
      expect([method, statusOf(answer)]).toEqual([method, 407])
      expect(headersOf(answer, 'proxy-authenticate').length).toBeGreaterThan(0)
      expect(headersOf(answer, 'www-authenticate')).toEqual([])
    }
  })

  test('401 with WWW-Authenticate for REGISTER [RFC3261-22.2a]', async () => {
    const answer = await world.register(alice, 'sip:alice@secure.test')
    expect(statusOf(answer)).toBe(401)
    expect(headersOf(answer, 'www-authenticate').length).toBeGreaterThan(0)
  })

  test('all Digest with qop and the domain’s own name as realm, none Basic [RFC3261-22c] [RFC3261-22.4b] [RFC3261-22.4c] [RFC3261-22.1b] [RFC3261-22.1c] [RFC3261-22.1d] [RFC3261-26.3.1b] [RFC3261-26.3.1c]', async () => {
    for (const name of ['secure.test', 'legacy.test']) {
      const values = headersOf(await world.register(alice, `sip:alice@${name}`), 'www-authenticate')
      expect(values.length).toBeGreaterThan(0)
      for (const value of values) {
        expect(value).toMatch(/^Digest /)
        expect(value).toContain(`realm="${name}"`)
        expect(value).toContain('qop="auth"')
      }
    }
  })

  test('before the way of a request is looked at: somebody unknown is a challenge too [RFC3261-26.3.2.2b]', async () => {
    const uri = 'sip:nobody@secure.test'
    expect(statusOf(await world.ask(alice, 'MESSAGE', { ...FROM_ALICE, uri }))).toBe(407)
  })

  test('ACK and CANCEL get none [RFC3261-22.1e] [RFC3261-22.1f] [RFC3261-22.1g] [RFC3261-22.1h]', async () => {
    const parts = { ...FROM_ALICE, contact: alice.contact }
    const value = await credentials('INVITE', parts)
    const invite = alice.request('INVITE', withCredentials(value, parts))
    await world.exchange(alice, invite)
    const atBob = bob.last()
    bob.answer(atBob, 180)
    await world.cluster.settle()
    const bare = cancelOf(invite).replace(/^Proxy-Authorization:.*\r\n/m, '')
    expect((await world.exchange(alice, bare)).map(statusOf)).toEqual([200])
    bob.answer(bob.last(), 200)
    bob.answer(atBob, 487)
    await world.cluster.settle()
    const ack = invite
      .replace(/^INVITE/, 'ACK')
      .replace('1 INVITE', '1 ACK')
      .replace(/^Proxy-Authorization:.*\r\n/m, '')
    expect(await world.exchange(alice, ack)).toEqual([])
    await world.cluster.advance(2_000, 100)
    expect(alice.inbox.filter((text) => statusOf(text) === 487)).toHaveLength(1)
  })
})

describe('credentials', () => {
  test('right ones pass [RFC3261-26.3.1b]', async () => {
    await world.ask(alice, 'MESSAGE', withCredentials(await credentials('MESSAGE')))
    expect(arrived()).toBe(true)
  })

  test('Basic ones do not [RFC3261-22b] [RFC3261-22.4b]', async () => {
    const basic = `Basic ${Buffer.from('alice:alice-secret').toString('base64')}`
    expect(statusOf(await world.ask(alice, 'MESSAGE', withCredentials(basic)))).toBe(407)
    expect(arrived()).toBe(false)
  })

  test('right ones of somebody who may not: 403 [RFC3261-22a]', async () => {
    const parts = { ...FROM_ALICE, uri: 'sip:somebody@elsewhere.test' }
    const value = await credentials('MESSAGE', parts, { uri: parts.uri })
    expect(statusOf(await world.ask(alice, 'MESSAGE', withCredentials(value, parts)))).toBe(403)
  })

  test.each([
    ['where the domain takes them [RFC3261-22.4a]', 'legacy.test', true],
    ['and not where it does not [RFC3261-22.4d]', 'secure.test', false],
  ])('without qop, as RFC 2069 has them: %s', async (_what, name, expected) => {
    const parts = { ...FROM_ALICE, from: `<sip:alice@${name}>;tag=a` }
    const value = await credentials('MESSAGE', parts, { withoutQop: true })
    await world.ask(alice, 'MESSAGE', withCredentials(value, parts))
    expect(arrived()).toBe(expected)
  })

  test('qop of another kind, a count that is none, no cnonce: refused [RFC3261-22.4d]', async () => {
    const value = await credentials('MESSAGE')
    for (const wrong of [
      value.replace('qop=auth', 'qop=auth-int'),
      value.replace('nc=00000001', 'nc=1'),
      value.replace(/, cnonce="abc"/, ''),
    ]) {
      expect(statusOf(await world.ask(alice, 'MESSAGE', withCredentials(wrong)))).toBe(407)
    }
    expect(arrived()).toBe(false)
  })

  test('made for another Request-URI: refused [RFC3261-22.4e]', async () => {
    const value = await credentials('MESSAGE', FROM_ALICE, { uri: 'sip:carol@tandem.test' })
    expect(statusOf(await world.ask(alice, 'MESSAGE', withCredentials(value)))).toBe(400)
    expect(arrived()).toBe(false)
  })
})

describe('what only the entitled learn', () => {
  test('bindings are told to nobody who may not register the address, and calls tell none [RFC3261-26.5]', async () => {
    const asked = await world.register(alice, 'sip:bob@secure.test', { contact: undefined })
    expect([statusOf(asked), headersOf(asked, 'contact')]).toEqual([401, []])
    await world.exchange(alice, alice.request('MESSAGE', { uri: BOB, to: `<${BOB}>` }))
    bob.answer(bob.last(), 404, { contact: undefined })
    await world.cluster.settle()
    expect([statusOf(alice.last()), headersOf(alice.last(), 'contact')]).toEqual([404, []])
  })

  test('a dialog through us comes back through us [RFC3261-26.3.2.2c]', async () => {
    await world.exchange(alice, alice.request('INVITE', { uri: BOB, to: `<${BOB}>`, contact: alice.contact }))
    expect(headerOf(bob.last(), 'record-route')).toMatch(/^<sip:[\w.-]+@192\.0\.2\.1:5060;.*lr/)
  })
})
