// SPDX-License-Identifier: MIT
//
// RFC 3261 section 19: URIs, their comparison, and what of a URI stands in a request. The parsers' other cases are tested
// beside them, contacts as the registrar compares them beside the location service.
import { compareUris, parseUri } from '@tandem/sip'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import { createWorld, headersOf, methodOf, requestUriOf, statusOf, type World } from './support/world.ts'

const BOB = 'sip:bob@tandem.test'

const SAME: readonly (readonly [string, string, string, boolean])[] = [
  ['sip is not sips [RFC3261-19.1.4a]', 'sip:a@h', 'sips:a@h', false],
  ['the user has case [RFC3261-19.1.4b]', 'sip:Alice@h', 'sip:alice@h', false],
  ['so has the password [RFC3261-19.1.4b]', 'sip:a:P@h', 'sip:a:p@h', false],
  [
    'scheme, host and parameters have none [RFC3261-19.1.4b]',
    'SIP:a@H.test;Transport=TCP',
    'sip:a@h.TEST;transport=tcp',
    true,
  ],
  ['order of parameters [RFC3261-19.1.4c]', 'sip:a@h;x=1;y=2', 'sip:a@h;y=2;x=1', true],
  ['order of headers [RFC3261-19.1.4c]', 'sip:a@h?b=1&c=2', 'sip:a@h?c=2&b=1', true],
  ['an escape that is not needed [RFC3261-19.1.4d]', 'sip:%61lice@h', 'sip:alice@h', true],
  ['an escape that is [RFC3261-19.1.4d]', 'sip:a%40b@h', 'sip:a%2540b@h', false],
  ['a name and its address [RFC3261-19.1.4e]', 'sip:a@localhost', 'sip:a@127.0.0.1', false],
  ['user left out [RFC3261-19.1.4f]', 'sip:a@h', 'sip:h', false],
  ['password left out [RFC3261-19.1.4f]', 'sip:a@h', 'sip:a:p@h', false],
  ['host [RFC3261-19.1.4f]', 'sip:a@h1', 'sip:a@h2', false],
  ['port left out where it is the default [RFC3261-19.1.4f]', 'sip:a@h', 'sip:a@h:5060', false],
  ['transport left out where it is the default [RFC3261-19.1.4f]', 'sip:a@h', 'sip:a@h;transport=udp', false],
  ['both have it, alike [RFC3261-19.1.4g]', 'sip:a@h;line=1', 'sip:a@h;line=1', true],
  ['both have it, not alike [RFC3261-19.1.4g]', 'sip:a@h;line=1', 'sip:a@h;line=2', false],
  ['user in one [RFC3261-19.1.4h]', 'sip:1@h', 'sip:1@h;user=phone', false],
  ['ttl in one [RFC3261-19.1.4h]', 'sip:a@h', 'sip:a@h;ttl=1', false],
  ['method in one [RFC3261-19.1.4h]', 'sip:a@h', 'sip:a@h;method=INVITE', false],
  ['maddr in one [RFC3261-19.1.4h]', 'sip:a@h', 'sip:a@h;maddr=192.0.2.1', false],
  ['any other in one [RFC3261-19.1.4i]', 'sip:a@h', 'sip:a@h;line=1', true],
  ['any other, one in each [RFC3261-19.1.4i]', 'sip:a@h;x=1', 'sip:a@h;y=2', true],
  ['headers in one [RFC3261-19.1.4j]', 'sip:a@h', 'sip:a@h?Subject=x', false],
  ['headers that differ [RFC3261-19.1.4j]', 'sip:a@h?Subject=y', 'sip:a@h?Subject=x', false],
  ['escapes of a host stay as they are [RFC3261-19.1.2b]', 'sip:a@h', 'sip:a@%68', false],
]

describe('comparison', () => {
  test.each(SAME)('%s: %s, %s', (_what, a, b, expected) => {
    const [left, right] = [parseUri(a), parseUri(b)]
    const equal = left !== undefined && right !== undefined && compareUris(left, right)
    expect(equal).toBe(expected)
    expect(left !== undefined && right !== undefined && compareUris(right, left)).toBe(expected)
  })
})

describe('comparison by the registrar: one binding or two', () => {
  test.each(SAME)('%s: %s, %s', async (_what, a, b, expected) => {
    const world = await createWorld()
    const bob = world.phone('bob')
    const answers = [a, b].map((contact) => () => world.register(bob, BOB, { contact: `<${contact}>` }))
    const statuses: number[] = []
    for (const register of answers) statuses.push(statusOf(await register()))
    const bound = headersOf(await world.register(bob, BOB, { contact: undefined }), 'contact').length
    const taken = statuses.filter((status) => status === 200).length
    expect(bound).toBe(expected ? 1 : taken) // what is no Contact at all, or no secure one, is none of two
    await world.cluster.close()
  })
})

describe('URIs of requests', () => {
  let world: World
  let alice: MemoryPhone
  let bob: MemoryPhone

  beforeEach(async () => {
    world = await createWorld()
    alice = world.phone('alice')
    bob = world.phone('bob')
  })
  afterEach(() => world.cluster.close())

  test.each([
    ['an empty user [RFC3261-19.1.1a]', 'sip:@tandem.test'],
    ['a blank [RFC3261-19.1.2a]', 'sip:b ob@tandem.test'],
    ['a control character [RFC3261-19.1.2a]', 'sip:b\x01ob@tandem.test'],
    ['headers [RFC3261-19.1.1i]', 'sip:bob@tandem.test?Subject=x'],
  ])('%s: 400', async (_what, target) => {
    await world.register(bob, BOB)
    expect(statusOf(await world.ask(alice, 'MESSAGE', { uri: target, to: `<${BOB}>` }))).toBe(400)
    expect(bob.inbox.map(methodOf)).not.toContain('MESSAGE')
  })

  test('parameters that nobody knows change nothing [RFC3261-19.1.1h]', async () => {
    await world.register(bob, BOB)
    await world.exchange(alice, alice.request('MESSAGE', { uri: `${BOB};unheard=of;x`, to: `<${BOB};y>` }))
    expect(methodOf(bob.last())).toBe('MESSAGE')
  })

  test('method, ttl and headers in From, To and Contact are passed over [RFC3261-19.1.1i]', async () => {
    await world.register(bob, BOB)
    const odd = `<${BOB};method=INVITE;ttl=1?Subject=x>`
    await world.exchange(alice, alice.request('MESSAGE', { uri: BOB, to: odd, from: `${odd};tag=1`, contact: odd }))
    expect(methodOf(bob.last())).toBe('MESSAGE')
    expect(headersOf(bob.last(), 'to')).toEqual([odd])
  })

  test('a Contact’s transport, user and other parameters stand in the Request-URI [RFC3261-19.1.5a] [RFC3261-19.1.5b]', async () => {
    const target = `sip:bob@${bob.place};transport=udp;user=phone;unheard=of`
    await world.register(bob, BOB, { contact: `<${target}>` })
    await world.exchange(alice, alice.request('MESSAGE', { uri: BOB, to: `<${BOB}>` }))
    expect(requestUriOf(bob.last())).toBe(target)
  })

  test('maddr stays in the Request-URI, and is where the request goes [RFC3261-19.1.5a]', async () => {
    const target = `sip:bob@192.0.2.250:5060;maddr=${bob.host}`
    await world.register(bob, BOB, { contact: `<${target}>` })
    await world.exchange(alice, alice.request('MESSAGE', { uri: BOB, to: `<${BOB}>` }))
    expect(requestUriOf(bob.last())).toBe(target)
  })
})
