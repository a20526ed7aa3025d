// SPDX-License-Identifier: MIT
//
// RFC 3261 section 8.3: a domain that redirects. What is in its Contacts is tested beside the edge's redirect.
import { EdgeBench, requestText } from '@tandem/edge/internal'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import { cancelOf, createWorld, headersOf, methodOf, statusOf, type World } from './support/world.ts'

let world: World
let alice: MemoryPhone
let bob: MemoryPhone

beforeEach(async () => {
  world = await createWorld()
  alice = world.phone('alice')
  bob = world.phone('bob')
})
afterEach(() => world.cluster.close())

describe('redirecting', () => {
  const TO_BOB = { uri: 'sip:bob@redirect.test', to: '<sip:bob@redirect.test>', from: '<sip:a@x.test>;tag=a' }

  test('a 3xx with where he is; nothing is forwarded [RFC3261-8.3d] [RFC3261-21.3.1] [RFC3261-21.3.4]', async () => {
    await world.register(bob, 'sip:bob@redirect.test')
    const answer = await world.ask(alice, 'MESSAGE', TO_BOB)
    expect([300, 302]).toContain(statusOf(answer))
    expect(headersOf(answer, 'contact').join()).toContain(`sip:bob@${bob.place}`)
    expect(bob.inbox.map(methodOf)).not.toContain('MESSAGE')
  })

  test('nobody there: no 3xx without Contact [RFC3261-8.3d]', async () => {
    expect(statusOf(await world.ask(alice, 'MESSAGE', TO_BOB))).toBe(480)
  })

  test('never back to the Request-URI [RFC3261-8.3b]', () => {
    const toldOf = (contacts: string[]): string => {
      const bench = new EdgeBench()
      bench.udpIn(requestText({ uri: 'sip:bob@example.test' }))
      bench.decide({ $case: 'redirect', value: { status: 302, contacts, aor: '' } })
      const told = bench.sent.at(-1)?.text ?? ''
      bench.close()
      return `${statusOf(told)} ${headersOf(told, 'contact').join()}`
    }
    expect(toldOf(['<sip:%62ob@EXAMPLE.test>', '<sip:carol@example.test>'])).toBe('302 <sip:carol@example.test>')
    expect(toldOf(['<sip:bob@example.test>'])).toBe('404 ')
  })

  test.each([
    ['a method', 'FROBNICATE', []],
    ['an option tag in Require', 'INVITE', ['Require: unheard-of']],
    ['a header field', 'MESSAGE', ['X-Unheard-Of: 1']],
  ])('%s that nobody knows stops no redirection [RFC3261-8.3c]', async (_what, method, headers) => {
    await world.register(bob, 'sip:bob@redirect.test')
    const answer = await world.ask(alice, method, { ...TO_BOB, contact: alice.contact, headers })
    expect([300, 302]).toContain(statusOf(answer))
  })

  test('a CANCEL gets 200, though the redirection is there already [RFC3261-8.3a]', async () => {
    await world.register(bob, 'sip:bob@redirect.test')
    const invite = alice.request('INVITE', { ...TO_BOB, contact: alice.contact })
    await world.exchange(alice, invite)
    expect((await world.exchange(alice, cancelOf(invite))).map(statusOf)).toEqual([200])
  })
})
