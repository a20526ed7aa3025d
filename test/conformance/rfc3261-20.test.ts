// SPDX-License-Identifier: MIT
//
// RFC 3261 sections 20 and 21: header fields that the cluster handles, and the responses that it makes. Their grammar in
// all cases is tested beside the parsers; what a status of a branch does, beside the proxy core.
import { EdgeBench, messageOf, requestText, responseTo } from '@tandem/edge/internal'
import { parseContacts, REASON_PHRASES } from '@tandem/sip'
import { startLine } from '@tandem/test-kit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import {
  answerTo,
  createWorld,
  headerOf,
  headersOf,
  methodOf,
  reasonOf,
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
})
afterEach(() => world.cluster.close())

const BOB = 'sip:bob@tandem.test'
const CALL = { uri: BOB, to: `<${BOB}>`, from: '<sip:alice@tandem.test>;tag=a' }

describe('header fields', () => {
  test('without Max-Forwards, Contact and Content-Length it is still processed [RFC3261-20a]', async () => {
    await world.register(bob, BOB)
    await world.exchange(alice, alice.request('MESSAGE', { ...CALL, maxForwards: undefined, contentLength: null }))
    expect(methodOf(bob.last())).toBe('MESSAGE')
  })

  test('a From and a Contact without brackets have their parameters outside the URI [RFC3261-20d] [RFC3261-20.20] [RFC3261-20.10] [RFC8217-3b]', async () => {
    const msg = messageOf(requestText({ headers: ['Contact: sip:alice@192.0.2.20;expires=60'] }))
    const [contact] = parseContacts(msg)?.contacts ?? []
    expect([contact?.uriText, contact?.expiresS]).toEqual(['sip:alice@192.0.2.20', 60])
    await world.register(bob, BOB)
    await world.exchange(alice, alice.request('MESSAGE', { ...CALL, from: 'sip:alice@tandem.test;tag=bare' }))
    expect(headerOf(bob.last(), 'from')).toBe('sip:alice@tandem.test;tag=bare')
  })

  test.each([
    ['Max-Forwards 256 [RFC3261-20.22]', 'Max-Forwards: 70', 'Max-Forwards: 256'],
    ['CSeq of 2^32 [RFC3261-20.16]', 'CSeq: 1 MESSAGE', 'CSeq: 4294967296 MESSAGE'],
  ])('%s: 400', async (_what, from, to) => {
    await world.register(bob, BOB)
    const answers = await world.exchange(alice, alice.request('MESSAGE', CALL).replace(from, to))
    expect(answers.map(statusOf)).toEqual([400])
  })

  test('several Authorization lines, each read by itself [RFC3261-20.7] [RFC3261-22.3h]', async () => {
    const [challenge = ''] = headersOf(await world.register(bob, 'sip:bob@secure.test'), 'www-authenticate')
    const login = { username: 'bob', password: 'bob-secret', method: 'REGISTER', uri: 'sip:secure.test' }
    const other = 'Digest username="bob", realm="elsewhere.test", nonce="n", uri="sip:secure.test", response="00"'
    const headers = [`Authorization: ${other}`, `Authorization: ${answerTo(challenge, login)}`]
    expect(statusOf(await world.register(bob, 'sip:bob@secure.test', { headers }))).toBe(200)
  })

  test('several Proxy-Authorization lines likewise; ours goes no further, the others pass, none is added [RFC3261-20.28] [RFC3261-22.3b] [RFC3261-22.3d] [RFC3261-22.3h]', async () => {
    const to = { uri: BOB, to: `<${BOB}>`, from: '<sip:alice@secure.test>;tag=a' }
    await world.register(bob, BOB)
    const [challenge = ''] = headersOf(await world.ask(alice, 'MESSAGE', to), 'proxy-authenticate')
    const login = { username: 'alice', password: 'alice-secret', method: 'MESSAGE', uri: BOB }
    const other = `Digest username="alice", realm="elsewhere.test", nonce="n", uri="${BOB}", response="00"`
    const headers = [`Proxy-Authorization: ${other}`, `Proxy-Authorization: ${answerTo(challenge, login)}`]
    await world.exchange(alice, alice.request('MESSAGE', { ...to, headers }))
    expect(methodOf(bob.last())).toBe('MESSAGE')
    expect(headersOf(bob.last(), 'proxy-authorization')).toEqual([other])
  })

  test('answers of ours have Content-Length 0 [RFC3261-20.14a] [RFC3261-20.14b]', async () => {
    for (const uri of ['sip:tandem.test', 'sip:nobody@tandem.test']) {
      expect(headersOf(await world.ask(alice, 'OPTIONS', { uri, to: `<${uri}>` }), 'content-length')).toEqual(['0'])
    }
  })

  test('a Warning changes nothing and passes [RFC3261-20.43]', async () => {
    await world.register(bob, BOB)
    const warning = '305 isi.edu "Incompatible media format"'
    await world.exchange(alice, alice.request('MESSAGE', { ...CALL, headers: [`Warning: ${warning}`] }))
    expect(headersOf(bob.last(), 'warning')).toEqual([warning])
    bob.answer(bob.last(), 488, { headers: [`Warning: ${warning}`] })
    await world.cluster.settle()
    expect([statusOf(alice.last()), headersOf(alice.last(), 'warning')]).toEqual([488, [warning]])
  })
})

describe('over a stream', () => {
  test('what leaves has Content-Length, though what came had none of ours to copy [RFC3261-20b]', () => {
    const bench = new EdgeBench()
    const connection = bench.tcp.connect('192.0.2.20', 40_000)
    bench.tcpIn(
      requestText({ method: 'OPTIONS', uri: 'sip:example.test', via: 'Via: SIP/2.0/TCP 192.0.2.20;branch=z9hG4bK-t' }),
      connection,
    )
    bench.decide({ $case: 'answer', value: { status: 200 } })
    expect(bench.last('200')).toContain('\r\nContent-Length: 0\r\n\r\n')
    bench.close()
  })
})

describe('responses of ours', () => {
  test('have codes of SIP only [RFC3261-21]', () => {
    const HTTP_ONLY = [201, 203, 205, 206, 303, 304, 307, 409, 411, 418, 426, 451, 507, 511]
    expect(HTTP_ONLY.filter((status) => status in REASON_PHRASES)).toEqual([])
  })

  test('a 400 says what is wrong [RFC3261-21.4.1]', async () => {
    const [answer = ''] = await world.exchange(alice, alice.request('MESSAGE', CALL).replace('1 MESSAGE', '1 INVITE'))
    expect(statusOf(answer)).toBe(400)
    expect(reasonOf(answer)).toMatch(/CSeq/i)
    const bad = await world.register(bob, BOB, { contact: '*' })
    expect(reasonOf(bad)).toContain('Expires: 0')
  })

  test('nobody and nobody any more are both 404, never 410 [RFC3261-21.4.5] [RFC3261-21.4.10]', async () => {
    expect(startLine(await world.ask(alice, 'MESSAGE', { ...CALL, uri: 'sip:nobody@tandem.test' }))).toContain(' 404 ')
  })

  test('no binding: 480 [RFC3261-21.4.18b]', async () => {
    expect(statusOf(await world.ask(alice, 'MESSAGE', CALL))).toBe(480)
  })

  test('no hop left: 483 [RFC3261-21.4.21]', async () => {
    await world.register(bob, BOB)
    expect(statusOf(await world.ask(alice, 'MESSAGE', { ...CALL, maxForwards: 0 }))).toBe(483)
  })

  test('a failure goes up, and the request is not sent again to whoever refused it [RFC3261-21.4]', async () => {
    await world.register(bob, BOB)
    await world.exchange(alice, alice.request('MESSAGE', CALL))
    bob.answer(bob.last(), 403)
    await world.cluster.settle()
    expect(statusOf(alice.last())).toBe(403)
    await world.cluster.advance(5_000, 100)
    expect(bob.inbox.filter((text) => methodOf(text) === 'MESSAGE')).toHaveLength(1)
  })

  test('a failure of the same call comes as it came [RFC3261-22.3c]', () => {
    const bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    bench.plan([['sip:bob@192.0.2.30:5060']])
    bench.udpIn(
      responseTo(bench.last('MESSAGE'), 407, 'x', ['Proxy-Authenticate: Digest realm="far", nonce="n"']),
      '192.0.2.30',
    )
    expect(bench.last('407')).toContain('Proxy-Authenticate: Digest realm="far", nonce="n"')
    bench.close()
  })
})
