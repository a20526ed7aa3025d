// SPDX-License-Identifier: MIT
//
// RFC 3261 section 11: OPTIONS for the cluster and through it.
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import { createWorld, headerOf, headersOf, methodOf, statusOf, type World } from './support/world.ts'

let world: World
let alice: MemoryPhone
let bob: MemoryPhone

beforeEach(async () => {
  world = await createWorld()
  alice = world.phone('alice')
  bob = world.phone('bob')
})
afterEach(() => world.cluster.close())

const TO_BOB = { uri: 'sip:bob@tandem.test', to: '<sip:bob@tandem.test>' }

test.each(['sip:tandem.test', 'sip:192.0.2.1:5060', 'sip:secure.test'])(
  'for the cluster itself as %s: 200 with Allow, Accept, Accept-Encoding, Accept-Language, Supported and Allow-Events [RFC3261-11] [RFC3261-11.1] [RFC3261-11.2b] [RFC6665-4.4.4a]',
  async (uri) => {
    const answer = await world.ask(alice, 'OPTIONS', { uri, to: `<${uri}>` })
    expect(statusOf(answer)).toBe(200)
    for (const name of ['allow', 'accept', 'accept-encoding', 'accept-language', 'supported']) {
      expect(headersOf(answer, name), name).toHaveLength(1)
    }
    expect(headerOf(answer, 'allow-events')).toBe('reg')
  },
)

test('Supported names registered option tags, Allow what is served [RFC3261-20.37] [RFC3261-20.5a]', async () => {
  const answer = await world.ask(alice, 'OPTIONS', { uri: 'sip:tandem.test', to: '<sip:tandem.test>' })
  const tags = headerOf(answer, 'supported').split(/\s*,\s*/)
  expect(tags.toSorted()).toEqual(['gruu', 'outbound', 'path'])
  expect(
    headerOf(answer, 'allow')
      .split(/\s*,\s*/)
      .toSorted(),
  ).toEqual(['ACK', 'CANCEL', 'OPTIONS', 'REGISTER', 'SUBSCRIBE'])
})

test('for a user: as an INVITE would: proxied, 480, 404 [RFC3261-11.1] [RFC3261-11.2a] [RFC3261-21.4.18b]', async () => {
  expect(statusOf(await world.ask(alice, 'OPTIONS', TO_BOB))).toBe(480)
  expect(statusOf(await world.ask(alice, 'OPTIONS', { ...TO_BOB, uri: 'sip:nobody@tandem.test' }))).toBe(404)
  await world.register(bob, 'sip:bob@tandem.test')
  await world.ask(alice, 'OPTIONS', TO_BOB)
  expect(methodOf(bob.last())).toBe('OPTIONS')
})

test('at its last hop: 200 of a proxy, without Allow [RFC3261-11.2c]', async () => {
  await world.register(bob, 'sip:bob@tandem.test')
  const answer = await world.ask(alice, 'OPTIONS', { ...TO_BOB, maxForwards: 0 })
  expect(statusOf(answer)).toBe(200)
  expect(headersOf(answer, 'allow')).toEqual([])
  expect(bob.inbox.map(methodOf)).not.toContain('OPTIONS')
})
