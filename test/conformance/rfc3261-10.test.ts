// SPDX-License-Identifier: MIT
//
// RFC 3261 section 10, the registrar, from outside. Bindings in all their cases are tested beside the location service
// and, over every store, in the store's contract suite.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import { answerTo, createWorld, headerOf, headersOf, methodOf, statusOf, type World } from './support/world.ts'

let world: World
let bob: MemoryPhone

beforeEach(async () => {
  world = await createWorld({ edgeCount: 2 })
  bob = world.phone('bob')
})
afterEach(() => world.cluster.close())

const BOB = 'sip:bob@tandem.test'
const contactsOf = (text: string): string[] =>
  headersOf(text, 'contact').map((value) => value.slice(value.indexOf('<') + 1, value.indexOf('>')))
const query = async (): Promise<string[]> => contactsOf(await world.register(bob, BOB, { contact: undefined }))

describe('what is registered', () => {
  test('through one edge is found by another [RFC3261-10.1]', async () => {
    await world.register(bob, BOB)
    const alice = world.phone('alice', 1)
    await world.exchange(alice, alice.request('MESSAGE', { uri: BOB, to: `<${BOB}>` }))
    expect(methodOf(bob.last())).toBe('MESSAGE')
  })

  test('is told without a Contact, which changes nothing [RFC3261-10.2.3]', async () => {
    expect(await query()).toEqual([])
    await world.register(bob, BOB)
    expect(await query()).toEqual([`sip:bob@${bob.place}`])
    expect(await query()).toEqual([`sip:bob@${bob.place}`])
  })

  test('is told with all Contacts, the seconds each has left, and a Date [RFC3261-10.3.8a] [RFC3261-10.3.8b] [RFC3261-10.3.8c] [RFC3261-20.17]', async () => {
    await world.register(bob, BOB, { contact: '<sip:bob@192.0.2.201>;expires=600' })
    await world.cluster.advance(100_000, 10_000)
    const answer = await world.register(bob, BOB, { contact: '<sip:bob@192.0.2.202>;expires=900' })
    expect(headersOf(answer, 'contact').toSorted()).toEqual([
      expect.stringMatching(/^<sip:bob@192\.0\.2\.201>;expires=500\b/),
      expect.stringMatching(/^<sip:bob@192\.0\.2\.202>;expires=900\b/),
    ])
    expect(headerOf(answer, 'date')).toMatch(
      /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/,
    )
  })
})

describe('how long', () => {
  test.each([
    ['its own expires [RFC3261-10.3.7a]', ';expires=700', ['Expires: 800'], 700],
    ['else Expires [RFC3261-10.3.7b]', '', ['Expires: 800'], 800],
    ['else the default [RFC3261-10.3.7c]', '', [], 3600],
    ['a malformed expires is 3600 [RFC3261-10.2b]', ';expires=soon', ['Expires: 800'], 3600],
    ['so is a malformed Expires [RFC3261-10.2b]', '', ['Expires: Thu, 01 Dec 2030 16:00:00 GMT'], 3600],
  ])('%s: %s %j → %i', async (_what, param, headers, seconds) => {
    const answer = await world.register(bob, BOB, { contact: `${bob.contact}${param}`, headers })
    expect(headerOf(answer, 'contact')).toContain(`;expires=${seconds}`)
  })

  test.each([
    [1, 423],
    [59, 423],
    [60, 200],
    [0, 200],
  ])(
    '%i seconds where the minimum is 60: %i, a 423 with Min-Expires [RFC3261-10.3.7j] [RFC3261-10.3.7d]',
    async (seconds, status) => {
      const answer = await world.register(bob, BOB, { headers: [`Expires: ${seconds}`] })
      expect(statusOf(answer)).toBe(status)
      expect(headerOf(answer, 'min-expires')).toBe(status === 423 ? '60' : '')
    },
  )
})

describe('an hour', () => {
  test.each([
    [3599, 423],
    [3600, 200],
  ])('%i seconds where the minimum is two hours: %i [RFC3261-10.3.7j]', async (seconds, status) => {
    const answer = await world.register(bob, 'sip:bob@slow.test', { headers: [`Expires: ${seconds}`] })
    expect(statusOf(answer)).toBe(status)
  })
})

describe('* in Contact', () => {
  const star = (headers: string[]) => world.register(bob, BOB, { contact: '*', headers })

  test.each([
    ['without Expires', []],
    ['with another Expires', ['Expires: 60']],
    ['with another Contact', ['Contact: <sip:bob@192.0.2.201>', 'Expires: 0']],
  ])('%s: 400, nothing changes [RFC3261-10.2.2] [RFC3261-10.3.6a]', async (_what, headers) => {
    await world.register(bob, BOB)
    expect(statusOf(await star(headers))).toBe(400)
    expect(await query()).toHaveLength(1)
  })

  test('removes what other Call-IDs made [RFC3261-10.3.6b]', async () => {
    await world.register(bob, BOB)
    await world.register(bob, BOB, { contact: '<sip:bob@192.0.2.201>' })
    expect(statusOf(await star(['Expires: 0']))).toBe(200)
    expect(await query()).toEqual([])
  })

  test('with the same Call-ID only by a higher CSeq; else all stays [RFC3261-10.3.6c]', async () => {
    await world.register(bob, BOB, { callId: 'same', cseq: 5 })
    await world.register(bob, BOB, { contact: '<sip:bob@192.0.2.201>', callId: 'other', cseq: 1 })
    const remove = { contact: '*', headers: ['Expires: 0'], callId: 'same' }
    expect(statusOf(await world.register(bob, BOB, { ...remove, cseq: 4 }))).toBe(500)
    expect(await query()).toHaveLength(2)
    expect(statusOf(await world.register(bob, BOB, { ...remove, cseq: 6 }))).toBe(200)
    expect(await query()).toEqual([])
  })
})

describe('a binding that is there', () => {
  test('made with another Call-ID is updated, and removed at 0, whatever the CSeq [RFC3261-10.3.7e]', async () => {
    await world.register(bob, BOB, { callId: 'first', cseq: 9 })
    const answer = await world.register(bob, BOB, { callId: 'second', cseq: 1, headers: ['Expires: 700'] })
    expect(headersOf(answer, 'contact')).toEqual([expect.stringContaining(';expires=700')])
    await world.register(bob, BOB, { callId: 'third', cseq: 1, headers: ['Expires: 0'] })
    expect(await query()).toEqual([])
  })

  test('with the same Call-ID by a higher CSeq; else nothing changes and it fails [RFC3261-10.3.7f] [RFC3261-10.3.7g]', async () => {
    await world.register(bob, BOB, { callId: 'c', cseq: 5, headers: ['Expires: 600'] })
    const older = await world.register(bob, BOB, { callId: 'c', cseq: 4, headers: ['Expires: 900'] })
    expect(statusOf(older)).toBe(500)
    expect(headerOf(await world.register(bob, BOB, { contact: undefined }), 'contact')).toContain(';expires=600')
    const other = await world.register(bob, BOB, { callId: 'c', cseq: 5, headers: ['Expires: 900'] })
    expect(statusOf(other)).toBe(500)
    const newer = await world.register(bob, BOB, { callId: 'c', cseq: 6, headers: ['Expires: 900'] })
    expect(headerOf(newer, 'contact')).toContain(';expires=900')
    await world.register(bob, BOB, { callId: 'c', cseq: 7, headers: ['Expires: 0'] })
    expect(await query()).toEqual([])
  })
})

describe('all or nothing', () => {
  test('one Contact that cannot be taken: none is [RFC3261-10.3e] [RFC3261-10.3.7h] [RFC3261-10.3.7i]', async () => {
    await world.register(bob, BOB, { contact: '<sip:bob@192.0.2.201>', callId: 'c', cseq: 5 })
    const headers = ['Contact: <sip:bob@192.0.2.202>', 'Contact: <sip:bob@192.0.2.201>']
    const answer = await world.register(bob, BOB, { contact: undefined, headers, callId: 'c', cseq: 4 })
    expect(statusOf(answer)).toBe(500)
    expect(await query()).toEqual(['sip:bob@192.0.2.201'])
  })

  test('in the order in which they come, each by itself [RFC3261-10.3d] [RFC3261-10.3f]', async () => {
    for (const last of [1, 2, 3]) {
      const contact = `<sip:bob@192.0.2.${200 + last}>`
      bob.send(bob.request('REGISTER', { uri: 'sip:tandem.test', to: `<${BOB}>`, callId: `c${last}`, contact }))
      const gone = { contact, headers: ['Expires: 0'], callId: `d${last}` }
      if (last < 3) bob.send(bob.request('REGISTER', { uri: 'sip:tandem.test', to: `<${BOB}>`, ...gone }))
    }
    await world.cluster.settle()
    expect(bob.inbox.map(statusOf)).toEqual([200, 200, 200, 200, 200])
    expect(bob.inbox.map((text) => contactsOf(text).length)).toEqual([1, 0, 1, 0, 1])
    expect(await query()).toEqual(['sip:bob@192.0.2.203'])
  })
})

describe('whose address', () => {
  test('a foreign domain: forwarded for whom policy lets relay there, refused for others [RFC3261-10.3.1]', async () => {
    expect(statusOf(await world.register(bob, 'sip:bob@elsewhere.test'))).toBe(403)
    const registrar = world.phone('registrar')
    const parts = {
      uri: `sip:${registrar.host}`,
      to: `<sip:bob@${registrar.host}>`,
      from: '<sip:alice@relay.test>;tag=r',
    }
    const first = await world.ask(bob, 'REGISTER', { ...parts, contact: bob.contact })
    expect(statusOf(first)).toBe(407)
    const login = { username: 'alice', password: 'alice-secret', method: 'REGISTER', uri: parts.uri }
    const headers = [`Proxy-Authorization: ${answerTo(headerOf(first, 'proxy-authenticate'), login)}`]
    await world.ask(bob, 'REGISTER', { ...parts, contact: bob.contact, headers })
    expect([methodOf(registrar.last()), headersOf(registrar.last(), 'contact')]).toEqual(['REGISTER', [bob.contact]])
    expect(headersOf(registrar.last(), 'record-route')).toEqual([])
  })

  test('nobody of the domain: 404 [RFC3261-10.3.5a]', async () => {
    expect(statusOf(await world.register(bob, 'sip:nobody@tandem.test'))).toBe(404)
  })

  test.each([
    ['parameters [RFC3261-10.3.5b]', '<sip:bob@tandem.test;transport=udp;user=phone>'],
    ['escapes [RFC3261-10.3.5c]', '<sip:b%6Fb@tandem.test>'],
    ['case of the host, another name of the domain [RFC3261-10.3.5b]', '<sip:bob@ALIAS.test>'],
  ])('%s in To: the same address: %s', async (_what, to) => {
    await world.register(bob, BOB, { to })
    expect(await query()).toEqual([`sip:bob@${bob.place}`])
  })

  test('who is asked, and who may [RFC3261-10.3.3] [RFC3261-10.3.4a] [RFC3261-10.3.4b] [RFC3261-26.3.2.1b] [RFC3261-26.3.2.1c]', async () => {
    const first = await world.register(bob, 'sip:bob@secure.test')
    expect(statusOf(first)).toBe(401)
    const challenge = headerOf(first, 'www-authenticate')
    expect(challenge).toContain('realm="secure.test"')
    const login = { username: 'bob', password: 'bob-secret', method: 'REGISTER', uri: 'sip:secure.test' }
    const headers = [`Authorization: ${answerTo(challenge, login)}`]
    expect(statusOf(await world.register(bob, 'sip:bob@secure.test', { headers }))).toBe(200)
    const again = headerOf(await world.register(bob, 'sip:alice@secure.test'), 'www-authenticate')
    const other = [`Authorization: ${answerTo(again, login)}`]
    expect(statusOf(await world.register(bob, 'sip:alice@secure.test', { headers: other }))).toBe(403)
    const alice = world.phone('alice')
    const mine = { username: 'alice', password: 'alice-secret', method: 'REGISTER', uri: 'sip:secure.test' }
    const third = headerOf(await world.register(alice, 'sip:alice@secure.test'), 'www-authenticate')
    const read = { contact: undefined, headers: [`Authorization: ${answerTo(third, mine)}`] }
    expect(contactsOf(await world.register(alice, 'sip:alice@secure.test', read))).toEqual([])
  })
})

describe('header fields', () => {
  test('Record-Route in a REGISTER is nothing to us, and no answer has one [RFC3261-10.2a] [RFC3261-10.3b] [RFC3261-10.3c]', async () => {
    const headers = ['Record-Route: <sip:proxy.elsewhere.test;lr>']
    const answer = await world.register(bob, BOB, { headers })
    expect(statusOf(answer)).toBe(200)
    expect(headersOf(answer, 'record-route')).toEqual([])
    const alice = world.phone('alice')
    await world.exchange(alice, alice.request('MESSAGE', { uri: BOB, to: `<${BOB}>` }))
    expect(headersOf(bob.last(), 'route')).toEqual([])
  })

  test('an extension that is not supported: 420, and nothing is bound [RFC3261-10.3.2]', async () => {
    expect(statusOf(await world.register(bob, BOB, { headers: ['Require: unheard-of'] }))).toBe(420)
    expect(await query()).toEqual([])
  })

  test('whatever is wrong with it, never a 6xx [RFC3261-10.3a]', async () => {
    const bad = ['*', '<>', 'sip:', '<sip:bob@192.0.2.1', '<sip:@x>', '<sip:bob@192.0.2.1>;expires=1']
    const answers: number[] = []
    for (const contact of bad) answers.push(statusOf(await world.register(bob, BOB, { contact })))
    for (const aor of ['sip:nobody@tandem.test', 'sip:bob@elsewhere.test', 'sip:bob@secure.test']) {
      answers.push(statusOf(await world.register(bob, aor)))
    }
    expect(answers).toHaveLength(9)
    for (const status of answers) expect(Math.floor(status / 100)).toBe(4)
  })
})
