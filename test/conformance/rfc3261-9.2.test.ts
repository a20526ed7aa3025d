// SPDX-License-Identifier: MIT
//
// RFC 3261 section 9.2, CANCEL at the server, from outside. What the branches do is tested beside the proxy core.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import { cancelOf, createWorld, headerOf, methodOf, statusOf, tagOf, type World } from './support/world.ts'

let world: World
let alice: MemoryPhone
let bob: MemoryPhone

beforeEach(async () => {
  world = await createWorld()
  alice = world.phone('alice')
  bob = world.phone('bob')
  await world.register(bob, 'sip:bob@tandem.test')
})
afterEach(() => world.cluster.close())

const CALL = { uri: 'sip:bob@tandem.test', to: '<sip:bob@tandem.test>', from: '<sip:alice@tandem.test>;tag=a' }

describe('a CANCEL', () => {
  test('of nothing: 481 [RFC3261-9.2a]', async () => {
    const cancel = cancelOf(alice.request('INVITE', { ...CALL, contact: alice.contact }))
    expect((await world.exchange(alice, cancel)).map(statusOf)).toEqual([481])
  })

  test('of an INVITE that rings: 200, then 487 with the same To tag [RFC3261-9.2b] [RFC3261-9.2c]', async () => {
    const invite = alice.request('INVITE', { ...CALL, contact: alice.contact })
    await world.exchange(alice, invite)
    const atBob = bob.last()
    bob.answer(atBob, 180)
    await world.cluster.settle()
    const [ok = ''] = await world.exchange(alice, cancelOf(invite))
    expect(statusOf(ok)).toBe(200)
    bob.answer(bob.last(), 200)
    bob.answer(atBob, 487)
    await world.cluster.settle()
    expect(statusOf(alice.last())).toBe(487)
  })

  test('of an INVITE that was not forwarded yet: both answers of the cluster have one To tag [RFC3261-9.2c]', async () => {
    const invite = alice.request('INVITE', { ...CALL, contact: alice.contact })
    alice.send(invite)
    alice.send(cancelOf(invite))
    await world.cluster.settle()
    const answers = alice.inbox.filter((text) => statusOf(text) >= 200)
    expect(answers.map(statusOf)).toEqual([200, 487])
    expect(new Set(answers.map((text) => tagOf(headerOf(text, 'to')))).size).toBe(1)
    expect(bob.inbox.map(methodOf)).not.toContain('INVITE')
  })

  test('after the final response: 200, and the answer stands [RFC3261-9.2d]', async () => {
    const invite = alice.request('INVITE', { ...CALL, contact: alice.contact })
    await world.exchange(alice, invite)
    bob.answer(bob.last(), 200)
    await world.cluster.settle()
    expect((await world.exchange(alice, cancelOf(invite))).map(statusOf)).toEqual([200])
    expect(bob.inbox.map(methodOf)).not.toContain('CANCEL')
    expect(alice.inbox.map(statusOf)).not.toContain(487)
  })

  test.each(['MESSAGE', 'SUBSCRIBE'])(
    'of a %s changes nothing and goes nowhere [RFC3261-9.2e] [RFC6665-4.6a] [RFC6665-4.6b]',
    async (method) => {
      const request = alice.request(method, { ...CALL, contact: alice.contact, headers: ['Event: presence'] })
      await world.exchange(alice, request)
      const atBob = bob.last()
      const [answer = ''] = await world.exchange(alice, cancelOf(request))
      expect(statusOf(answer)).toBeGreaterThanOrEqual(200)
      expect(bob.inbox.map(methodOf)).not.toContain('CANCEL')
      bob.answer(atBob, 200)
      await world.cluster.settle()
      expect(statusOf(alice.last())).toBe(200)
      expect(headerOf(alice.last(), 'cseq')).toBe(`1 ${method}`)
    },
  )
})
