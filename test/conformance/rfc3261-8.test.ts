// SPDX-License-Identifier: MIT
//
// RFC 3261 section 8 as far as the cluster creates requests or is their user agent server, or registrar.
// Not here: redirecting (8.3), what a proxy does with requests that it passes on (16), CANCEL (9), transactions (17).
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import {
  answerTo,
  cancelOf,
  createWorld,
  headerOf,
  headersOf,
  methodOf,
  requestUriOf,
  statusOf,
  tagOf,
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

const OPTIONS = { uri: 'sip:tandem.test', to: '<sip:tandem.test>' }
const CALL = { uri: 'sip:bob@tandem.test', to: '<sip:bob@tandem.test>', from: '<sip:alice@tandem.test>;tag=a' }

/** The request without the header field of that name. */
const without = (text: string, name: string): string => text.replace(new RegExp(`^${name}:.*\r\n`, 'm'), '')

describe('requests that come', () => {
  test.each([['To'], ['From'], ['Call-ID'], ['CSeq']])('without %s: never processed [RFC3261-8.1.1a]', async (name) => {
    await world.register(bob, 'sip:bob@tandem.test')
    const answers = await world.exchange(alice, without(alice.request('MESSAGE', CALL), name))
    expect(answers.map(statusOf)).toEqual(name === 'CSeq' ? [] : [400])
    expect(bob.inbox.map(methodOf)).not.toContain('MESSAGE')
  })

  test('without Via: nobody to answer, dropped and counted [RFC3261-8.1.1a]', async () => {
    expect(await world.exchange(alice, without(alice.request('MESSAGE', CALL), 'Via'))).toEqual([])
    expect(world.cluster.edge.core.counts.droppedUnreadable).toBe(1)
  })

  test('a preset route set: the Request-URI is the target, the Route of ours is taken off [RFC3261-8.1.1.1a]', async () => {
    await world.register(bob, 'sip:bob@tandem.test')
    await world.exchange(alice, alice.request('MESSAGE', { ...CALL, headers: ['Route: <sip:192.0.2.1;lr>'] }))
    expect(requestUriOf(bob.last())).toBe(`sip:bob@${bob.place}`)
    expect(headersOf(bob.last(), 'route')).toEqual([])
  })

  test('sip URIs are understood in Request-URI, To, From, Contact and Route [RFC3261-8.1.1.2a]', async () => {
    const answer = await world.ask(alice, 'OPTIONS', { ...OPTIONS, contact: alice.contact })
    expect(statusOf(answer)).toBe(200)
  })

  test('CSeq of another method: 400 [RFC3261-8.1.1.5a]', async () => {
    const text = alice.request('OPTIONS', OPTIONS).replace('1 OPTIONS', '1 INVITE')
    expect((await world.exchange(alice, text)).map(statusOf)).toEqual([400])
  })

  test.each([
    ['2147483647', 200],
    ['2147483648', 400],
  ])('CSeq %s: %i [RFC3261-8.1.1.5b]', async (number, status) => {
    const text = alice.request('OPTIONS', OPTIONS).replace('1 OPTIONS', `${number} OPTIONS`)
    expect((await world.exchange(alice, text)).map(statusOf)).toEqual([status])
  })
})

describe('requests that leave', () => {
  const branchesOf = (texts: readonly string[]): string[] =>
    texts.map((text) => /branch=([^;]+)/.exec(headerOf(text, 'via'))?.[1] ?? '')

  test('carry a Via of ours, SIP/2.0, with a branch of its own that begins with the cookie [RFC3261-8.1.1.7a] [RFC3261-8.1.1.7b] [RFC3261-8.1.1.7c] [RFC3261-20.42]', async () => {
    await world.register(bob, 'sip:bob@tandem.test')
    const carol = world.phone('carol')
    await world.register(carol, 'sip:bob@tandem.test')
    await world.exchange(alice, alice.request('MESSAGE', CALL))
    await world.exchange(alice, alice.request('MESSAGE', CALL))
    const sent = [...bob.inbox, ...carol.inbox].filter((text) => methodOf(text) === 'MESSAGE')
    expect(sent).toHaveLength(4)
    for (const text of sent) expect(headerOf(text, 'via')).toMatch(/^SIP\/2\.0\/UDP 192\.0\.2\.1:5060;branch=z9hG4bK/)
    expect(new Set(branchesOf(sent)).size).toBe(4)
  })

  test('a CANCEL and an ACK of ours have all six mandatory header fields and Max-Forwards 70 [RFC3261-8.1.1b] [RFC3261-8.1.1.6] [RFC3261-8.1.1.3a] [RFC3261-8.1.1.4a]', async () => {
    await world.register(bob, 'sip:bob@tandem.test')
    const invite = alice.request('INVITE', { ...CALL, contact: alice.contact, callId: 'mandatory' })
    await world.exchange(alice, invite)
    bob.answer(bob.last(), 180)
    await world.cluster.settle()
    await world.exchange(alice, cancelOf(invite))
    const cancel = bob.last()
    bob.answer(cancel, 200)
    bob.answer(bob.inbox.find((text) => methodOf(text) === 'INVITE') ?? '', 487)
    await world.cluster.settle()
    for (const [method, text] of [
      ['CANCEL', cancel],
      ['ACK', bob.last()],
    ] as const) {
      expect(methodOf(text)).toBe(method)
      expect(headerOf(text, 'via')).not.toBe('')
      expect(headerOf(text, 'max-forwards')).toBe('70')
      expect(headerOf(text, 'cseq')).toBe(`1 ${method}`)
      expect(headerOf(text, 'call-id')).toBe('mandatory')
      expect(tagOf(headerOf(text, 'from'))).toBe('a')
      expect(headerOf(text, 'to')).toContain('sip:bob@tandem.test')
    }
  })
})

describe('the registrar and the proxy as user agent server', () => {
  const bindings = async (): Promise<string[]> =>
    headersOf(await world.register(bob, 'sip:bob@tandem.test', { contact: undefined }), 'contact')

  test('accepted is done in full, refused changes nothing [RFC3261-8.2a] [RFC3261-8.2b]', async () => {
    const two = ['Contact: <sip:bob@192.0.2.201>', 'Contact: <sip:bob@192.0.2.202>']
    expect(statusOf(await world.register(bob, 'sip:bob@tandem.test', { contact: undefined, headers: two }))).toBe(200)
    expect(await bindings()).toHaveLength(2)
    const mixed = ['Contact: <sip:bob@192.0.2.203>', 'Contact: <sip:bob@192.0.2.204>;expires=1']
    expect(statusOf(await world.register(bob, 'sip:bob@tandem.test', { contact: undefined, headers: mixed }))).toBe(423)
    expect(await bindings()).toHaveLength(2)
  })

  test('who it is comes before what it asks for: a challenge, not 420 [RFC3261-8.2c]', async () => {
    const headers = ['Require: unheard-of']
    expect(statusOf(await world.register(bob, 'sip:bob@secure.test', { headers }))).toBe(401)
    expect(statusOf(await world.register(bob, 'sip:bob@tandem.test', { headers }))).toBe(420)
  })

  test.each(['INVITE', 'MESSAGE', 'REFER', 'PUBLISH'])(
    '%s for the cluster itself: 405 with Allow [RFC3261-8.2.1a] [RFC3261-8.2.1b] [RFC3261-8.2.1c] [RFC3261-21.4.6] [RFC3261-20.5a] [RFC3515-2.5]',
    async (method) => {
      const answer = await world.ask(alice, method, { ...OPTIONS, contact: alice.contact })
      expect(statusOf(answer)).toBe(405)
      const allowed = headerOf(answer, 'allow').split(/\s*,\s*/)
      expect(allowed).toEqual(expect.arrayContaining(['REGISTER', 'OPTIONS', 'ACK', 'CANCEL']))
      expect(allowed).not.toContain(method)
    },
  )

  test('unknown and malformed header fields that nobody needs change nothing [RFC3261-8.2.2a] [RFC3261-8.2.2b] [RFC3261-20c]', async () => {
    const headers = [
      'X-Unheard-Of: ;;;,',
      'Date: yesterday',
      'Warning: broken',
      'Reply-To: <<<',
      'Accept: /',
      'Expires: 600',
    ]
    const answer = await world.register(bob, 'sip:bob@tandem.test', { headers, contact: `${bob.contact};unheard="of"` })
    expect(statusOf(answer)).toBe(200)
    expect(headerOf(answer, 'contact')).toContain('expires=600')
  })

  test('a To of another scheme refuses no request [RFC3261-8.2.2.1a]', async () => {
    await world.register(bob, 'sip:bob@tandem.test')
    await world.exchange(alice, alice.request('MESSAGE', { ...CALL, to: '<isbn:2983792873>' }))
    expect(methodOf(bob.last())).toBe('MESSAGE')
  })

  test('a REGISTER whose To is somebody else’s: 403 [RFC3261-8.2.2.1b]', async () => {
    const [challenge = ''] = headersOf(await world.register(bob, 'sip:alice@secure.test'), 'www-authenticate')
    const login = { username: 'bob', password: 'bob-secret', method: 'REGISTER', uri: 'sip:secure.test' }
    const headers = [`Authorization: ${answerTo(challenge, login)}`]
    expect(statusOf(await world.register(bob, 'sip:alice@secure.test', { headers }))).toBe(403)
  })

  test('a Request-URI of an unknown scheme: 416 [RFC3261-8.2.2.1c]', async () => {
    expect(statusOf(await world.ask(alice, 'MESSAGE', { ...CALL, uri: 'nobodyKnowsThisScheme:opaque' }))).toBe(416)
  })

  test('an address that nobody has: 404 [RFC3261-8.2.2.1d] [RFC3261-21.4.5]', async () => {
    expect(statusOf(await world.ask(alice, 'MESSAGE', { ...CALL, uri: 'sip:nobody@tandem.test' }))).toBe(404)
  })

  test('Require: 420, Unsupported with what is not known and only that [RFC3261-8.2.2.3a] [RFC3261-8.2.2.3b] [RFC3261-21.4.15] [RFC3261-20.32a]', async () => {
    const headers = ['Require: path, unheard-of', 'Require: neither', 'Supported: path']
    const answer = await world.register(bob, 'sip:bob@tandem.test', { headers })
    expect(statusOf(answer)).toBe(420)
    expect(headersOf(answer, 'unsupported').join(', ')).toBe('unheard-of, neither')
  })

  test('Require and Proxy-Require of a CANCEL are passed over [RFC3261-8.2.2.3c]', async () => {
    await world.register(bob, 'sip:bob@tandem.test')
    const invite = alice.request('INVITE', { ...CALL, contact: alice.contact })
    await world.exchange(alice, invite)
    bob.answer(bob.last(), 180)
    await world.cluster.settle()
    const strange = 'Proxy-Require: unheard-of\r\nRequire: unheard-of\r\nContent-Length'
    const answers = await world.exchange(alice, cancelOf(invite).replace('Content-Length', strange))
    expect(answers.map(statusOf)).toEqual([200])
    expect(methodOf(bob.last())).toBe('CANCEL')
  })

  test('a body that must be understood: 415 with Accept [RFC3261-8.2.3a] [RFC3261-8.2.3b] [RFC3261-21.4.13] [RFC3261-20.11a]', async () => {
    const body = { headers: ['Content-Type: application/unheard-of'], body: 'x' }
    const answer = await world.register(bob, 'sip:bob@tandem.test', body)
    expect(statusOf(answer)).toBe(415)
    expect(headersOf(answer, 'accept')).toEqual([''])
    expect(await bindings()).toEqual([])
  })

  test('one that may be ignored is [RFC3261-8.2.3a]', async () => {
    const headers = ['Content-Type: application/unheard-of', 'Content-Disposition: render;handling=optional']
    expect(statusOf(await world.register(bob, 'sip:bob@tandem.test', { headers, body: 'x' }))).toBe(200)
  })

  test('an encoded body: 415 with Accept-Encoding [RFC3261-8.2.3c] [RFC3261-21.4.13]', async () => {
    const headers = ['Content-Type: text/plain', 'Content-Encoding: gzip']
    const answer = await world.register(bob, 'sip:bob@tandem.test', { headers, body: 'x' })
    expect(statusOf(answer)).toBe(415)
    expect(headersOf(answer, 'accept-encoding')).toEqual(['identity'])
  })

  test('extensions of a response only where the request supports them [RFC3261-8.2.4a]', async () => {
    const contact = `${bob.contact};+sip.instance="<urn:uuid:1>"`
    const plain = await world.register(bob, 'sip:bob@tandem.test', { contact })
    expect(headerOf(plain, 'contact')).not.toContain('gruu')
    const asked = await world.register(bob, 'sip:bob@tandem.test', { contact, headers: ['Supported: gruu'] })
    expect(headerOf(asked, 'contact')).toContain('pub-gruu')
  })

  test('an extension that was used stands in Require [RFC3261-8.2.4b]', async () => {
    const contact = `${bob.contact};+sip.instance="<urn:uuid:1>";reg-id=1`
    const answer = await world.register(bob, 'sip:bob@tandem.test', { contact, headers: ['Supported: path, outbound'] })
    expect(headerOf(answer, 'require')).toBe('outbound')
  })

  test('no provisional response to anything but INVITE until RFC 4320 asks for one [RFC3261-8.2.6.1a]', async () => {
    await world.register(bob, 'sip:bob@tandem.test')
    await world.exchange(alice, alice.request('MESSAGE', CALL))
    await world.cluster.advance(3_000, 100)
    expect(alice.inbox).toEqual([])
  })

  test('OPTIONS and REGISTER are answered in the same instant [RFC3261-8.2.6.1b]', async () => {
    const before = world.cluster.clock.now()
    expect(statusOf(await world.ask(alice, 'OPTIONS', OPTIONS))).toBe(200)
    expect(statusOf(await world.register(bob, 'sip:bob@tandem.test'))).toBe(200)
    expect(world.cluster.clock.now()).toBe(before)
  })

  test('Timestamp goes into the 100 [RFC3261-8.2.6.1c]', async () => {
    await world.register(bob, 'sip:bob@tandem.test')
    const headers = ['Timestamp: 54.5']
    const [trying] = await world.exchange(alice, alice.request('INVITE', { ...CALL, contact: alice.contact, headers }))
    expect(statusOf(trying ?? '')).toBe(100)
    expect(headerOf(trying ?? '', 'timestamp')).toMatch(/^54\.5\b/)
  })

  test('From, Call-ID, CSeq and Vias are the request’s; To gets a tag, always the same [RFC3261-8.2.6.2a] [RFC3261-8.2.6.2b] [RFC3261-8.2.6.2c] [RFC3261-8.2.6.2d] [RFC3261-8.2.6.2f]', async () => {
    const via = [`SIP/2.0/UDP ${alice.place};branch=z9hG4bK-1`, 'SIP/2.0/TCP 203.0.113.9:5099;branch=z9hG4bK-0']
    const answer = await world.ask(alice, 'OPTIONS', {
      ...OPTIONS,
      via,
      callId: 'c-1',
      cseq: 77,
      from: '"A" <sip:a@x.test>;tag=f;x=y',
    })
    expect(headersOf(answer, 'via')).toEqual(via)
    expect(headerOf(answer, 'from')).toBe('"A" <sip:a@x.test>;tag=f;x=y')
    expect(headerOf(answer, 'call-id')).toBe('c-1')
    expect(headerOf(answer, 'cseq')).toBe('77 OPTIONS')
    expect(headerOf(answer, 'to')).toMatch(/^<sip:tandem\.test>;tag=[\w.-]+$/)
  })

  test('a To with a tag stays as it is [RFC3261-8.2.6.2e]', async () => {
    const answer = await world.ask(alice, 'BYE', { ...CALL, to: '<sip:bob@tandem.test>;tag=old' })
    expect(statusOf(answer)).toBe(481)
    expect(headerOf(answer, 'to')).toBe('<sip:bob@tandem.test>;tag=old')
  })

  test('one To tag for all responses to one request, 32 bits and more, another for another request [RFC3261-8.2.6.2g] [RFC3261-19.3]', async () => {
    await world.register(bob, 'sip:bob@tandem.test')
    const invite = alice.request('INVITE', { ...CALL, contact: alice.contact })
    await world.exchange(alice, invite)
    const answers = await world.exchange(alice, cancelOf(invite))
    const tags = answers.map((text) => tagOf(headerOf(text, 'to')))
    expect(new Set(tags).size).toBe(1)
    expect(tags[0]?.length).toBeGreaterThanOrEqual(8)
    expect(tagOf(headerOf(await world.ask(alice, 'OPTIONS', OPTIONS), 'to'))).not.toBe(tags[0])
  })
})

describe('without a transaction', () => {
  const REFUSED = { ...CALL, uri: 'nobodyKnowsThisScheme:opaque' }

  test('answered once, the same again only to the same again, its ACK passed over [RFC3261-8.2.7a] [RFC3261-8.2.7b] [RFC3261-8.2.7c] [RFC3261-8.2.7e]', async () => {
    const invite = alice.request('INVITE', { ...REFUSED, contact: alice.contact })
    const first = await world.exchange(alice, invite)
    expect(first.map(statusOf)).toEqual([416])
    expect(tagOf(headerOf(first[0] ?? '', 'to'))).not.toBe('')
    const before = alice.inbox.length
    await world.cluster.advance(2_000, 100)
    expect(alice.inbox).toHaveLength(before)
    expect(await world.exchange(alice, invite)).toEqual(first)
    const ack = invite.replace(/^INVITE/, 'ACK').replace('1 INVITE', '1 ACK')
    expect(await world.exchange(alice, ack)).toEqual([])
  })
})
