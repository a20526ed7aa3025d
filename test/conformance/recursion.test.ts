// SPDX-License-Identifier: MIT
//
// A domain that follows redirections: RFC 3261 sections 8.1.3.4, 19.1.5 and 21.3 from outside, and History-Info of a redirect
// server (RFC 7044 section 8). Which Contacts are followed is tested beside the edge's recursion.
import { EdgeBench, requestText, responseTo } from '@tandem/edge/internal'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import { createWorld, headersOf, methodOf, requestUriOf, statusOf, type World } from './support/world.ts'

const BOB = 'sip:bob@recurse.test'

let world: World
let alice: MemoryPhone
let bob: MemoryPhone
let first: MemoryPhone
let second: MemoryPhone

beforeEach(async () => {
  world = await createWorld()
  alice = world.phone('alice')
  bob = world.phone('bob')
  first = world.phone('first')
  second = world.phone('second')
  await world.register(bob, BOB)
})
afterEach(() => world.cluster.close())

const asked = (phone: MemoryPhone): number => phone.inbox.filter((text) => methodOf(text) === 'MESSAGE').length
const ask = (): Promise<string[]> => world.exchange(alice, alice.request('MESSAGE', { uri: BOB, to: `<${BOB}>` }))
const answer = async (phone: MemoryPhone, status: number, contacts: readonly string[] = []): Promise<void> => {
  phone.answer(phone.last(), status, { contact: undefined, headers: contacts.map((value) => `Contact: ${value}`) })
  await world.cluster.settle()
}

describe('the addresses of a 302', () => {
  test('are tried in the order of their q, each once [RFC3261-8.1.3.4a] [RFC3261-8.1.3.4b]', async () => {
    await ask()
    const [one, two] = [`sip:first@${first.place}`, `sip:second@${second.place}`]
    await answer(bob, 302, [`<${one}>;q=0.2`, `<${two}>;q=0.9`, `<${one}>;q=0.1`])
    expect([asked(first), asked(second), alice.inbox.length]).toEqual([0, 1, 0])
    await answer(second, 302, [`<${one}>`, `<${two}>`, `<sip:bob@${bob.place}>`])
    expect([asked(bob), asked(first), asked(second)]).toEqual([1, 1, 1])
    await answer(first, 404)
    expect([asked(bob), asked(first), asked(second), alice.inbox.length]).toEqual([1, 1, 1, 1])
  })

  test('become the Request-URI, without method and headers; no header of theirs is honoured [RFC3261-8.1.3.4c] [RFC3261-19.1.5c] [RFC3261-19.1.5d]', async () => {
    await ask()
    const headers = '?Route=%3Csip:192.0.2.66%3Blr%3E&Subject=owned&Contact=%3Csip:eve%40192.0.2.66%3E'
    await answer(bob, 302, [`<sip:first@${first.place};method=INVITE;x=1${headers}>`])
    expect([methodOf(first.last()), requestUriOf(first.last())]).toEqual(['MESSAGE', `sip:first@${first.place};x=1`])
    for (const name of ['route', 'subject', 'contact']) expect(headersOf(first.last(), name)).toEqual([])
  })

  test('are not kept for the next request [RFC3261-21.3.3b]', async () => {
    await ask()
    await answer(bob, 302, [`<sip:first@${first.place}>`])
    await answer(first, 200)
    await ask()
    expect([asked(bob), asked(first)]).toEqual([2, 1])
  })

  test('go to the caller where the domain does not follow them', async () => {
    await world.register(bob, 'sip:bob@tandem.test')
    await world.exchange(alice, alice.request('MESSAGE', { uri: 'sip:bob@tandem.test', to: '<sip:bob@tandem.test>' }))
    await answer(bob, 302, [`<sip:first@${first.place}>`])
    expect([asked(first), statusOf(alice.last())]).toEqual([0, 302])
    expect(headersOf(alice.last(), 'contact')).toEqual([`<sip:first@${first.place}>`])
  })
})

describe('challenges', () => {
  test('of two branches go up in one response [RFC3261-22.3f]', () => {
    const bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    bench.plan([['sip:bob@192.0.2.30:5060', 'sip:bob@192.0.2.31:5060']])
    const [one = '', two = ''] = bench.sent.map(({ text }) => text).filter((text) => text.startsWith('MESSAGE'))
    bench.udpIn(responseTo(one, 407, 'x', ['Proxy-Authenticate: Digest realm="one", nonce="1"']), '192.0.2.30')
    bench.udpIn(responseTo(two, 401, 'y', ['WWW-Authenticate: Digest realm="two", nonce="2"']), '192.0.2.31')
    const up = bench.sent.map(({ text }) => text).filter((text) => /^SIP\/2\.0 40[17]/.test(text))
    expect(up).toHaveLength(1)
    expect(up[0]).toContain('Proxy-Authenticate: Digest realm="one", nonce="1"')
    expect(up[0]).toContain('WWW-Authenticate: Digest realm="two", nonce="2"')
    bench.close()
  })
})

describe('addresses in header fields', () => {
  test('received of an IPv6 sender has no brackets [RFC5118-4.5c]', () => {
    const bench = new EdgeBench()
    bench.udpIn(
      requestText({ method: 'OPTIONS', uri: 'sip:example.test', via: 'Via: SIP/2.0/UDP host.test;branch=z9hG4bK1' }),
      '2001:db8::9',
    )
    bench.decide({ $case: 'answer', value: { status: 200 } })
    expect(bench.last('200')).toContain('Via: SIP/2.0/UDP host.test;branch=z9hG4bK1;received=2001:db8::9\r\n')
    bench.close()
  })

  test('an IPv4-mapped address in Via and body is read and passed [RFC5118-4.9]', () => {
    const bench = new EdgeBench()
    const via = 'Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bK1'
    bench.udpIn(requestText({ method: 'MESSAGE', via }), '::ffff:192.0.2.10', 19_823)
    bench.plan([['sip:bob@192.0.2.30:5060']])
    expect(bench.last('MESSAGE')).toContain(`${via}\r\n`)
    bench.close()
  })

  test('what we write has brackets around its URI, and never transport=tls [RFC8217-3a] [RFC5658-6.2c]', async () => {
    await world.register(bob, 'sip:bob@tandem.test', { contact: `<sip:bob@${bob.place};line=a,b?x=y>` })
    const registered = await world.register(bob, 'sip:bob@tandem.test', { contact: undefined })
    for (const value of headersOf(registered, 'contact')) expect(value).toMatch(/^<sip:[^>]*>;expires=\d+/)
    const invite = alice.request('INVITE', {
      uri: 'sip:bob@tandem.test',
      to: '<sip:bob@tandem.test>',
      contact: alice.contact,
    })
    await world.exchange(alice, invite)
    for (const value of headersOf(bob.last(), 'record-route')) expect(value).toMatch(/^<sip:(?!.*transport=tls)[^>]*>$/)
  })

  test('keep of a phone goes on without a value, and comes back without one [RFC6223-10a] [RFC6223-10b]', () => {
    const bench = new EdgeBench()
    const via = 'Via: SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bK1;keep'
    bench.udpIn(requestText({ method: 'MESSAGE', via }))
    bench.plan([['sip:bob@192.0.2.30:5060']])
    expect(bench.last('MESSAGE')).toContain(`\r\n${via}\r\n`)
    const forged = responseTo(bench.last('MESSAGE'), 200).replace(';keep\r\n', ';Keep=1;x=2, SIP/2.0/UDP h;keep=30\r\n')
    bench.udpIn(forged, '192.0.2.30')
    expect(bench.last('200')).toContain(`\r\n${via.replace('keep', 'Keep')};x=2, SIP/2.0/UDP h;keep\r\n`)
    bench.close()
  })
})
