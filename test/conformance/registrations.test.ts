// SPDX-License-Identifier: MIT
//
// Registrations together with what follows them, from outside: Path (RFC 3327), Service-Route (RFC 3608), GRUUs (RFC 5627), flows
// of one instance (RFC 5626), contacts by configuration. Cases of the answer alone are tested beside the edge.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MemoryPhone } from '../support/phone.ts'
import {
  createWorld,
  EDGE,
  headerOf,
  headersOf,
  methodOf,
  requestUriOf,
  resource,
  statusOf,
  type World,
} from './support/world.ts'

let world: World
let alice: MemoryPhone
let bob: MemoryPhone

const open = { authentication: 'none', identity: 'off', accounting: false, anonymous: 'allow' }
const RESOURCES = [
  resource('Domain', { name: 'tandem.test' }, { ...open, alsoBindAddress: true }),
  resource('Subscriber', { name: 'alice', domain: 'tandem.test' }),
  resource('Subscriber', { name: 'bob', domain: 'tandem.test' }),
  resource('Subscriber', { name: 'pbx', domain: 'tandem.test' }, { contacts: [{ uri: 'sip:pbx@192.0.2.60:5060' }] }),
  resource(
    'Domain',
    { name: 'home.test' },
    { ...open, registration: { atMaxContacts: 'replaceOldest', maxContacts: 2, serviceRoute: true } },
  ),
  resource('Subscriber', { name: 'bob', domain: 'home.test' }),
]

beforeEach(async () => {
  world = await createWorld({ edgeCount: 2, resources: RESOURCES })
  alice = world.phone('alice')
  bob = world.phone('bob', 1)
})
afterEach(async () => {
  expect(world.cluster.problems).toEqual([])
  await world.cluster.close()
})

const BOB = 'sip:bob@tandem.test'
const URN = 'urn:uuid:00000000-0000-1000-8000-0000000000b0'
const INSTANCE = `;+sip.instance="<${URN}>"`

/** MESSAGE of alice to a URI; what alice got, and what each phone did. */
async function message(uri: string, to = uri, headers: string[] = []): Promise<string> {
  alice.inbox.length = 0
  await world.exchange(alice, alice.request('MESSAGE', { uri, to: `<${to}>`, headers }))
  return alice.last()
}
const gotMessages = (phone: MemoryPhone): string[] => phone.inbox.filter((text) => methodOf(text) === 'MESSAGE')
const answering = (phone: MemoryPhone, status = 200): void => {
  phone.onRequest = (text) => phone.answer(text, status)
}

describe('Path', () => {
  test('MUST be the Route of a request to the binding, from any edge [RFC3327-5.4] [RFC5626-6j]', async () => {
    const proxy = new MemoryPhone(world.cluster.network, 'proxy', '192.0.2.50', 5060, { address: EDGE, port: 5160 })
    const path = ['<sip:192.0.2.50:5060;lr;token=x>', '<sip:first@192.0.2.51;lr>']
    const ok = await world.register(proxy, BOB, {
      contact: '<sip:bob@10.0.0.7:5060>',
      headers: [`Path: ${path[0]}`, `Path: ${path[1]}`, 'Supported: path'],
    })
    expect(headerOf(ok, 'path')).toBe(path.join(', '))
    await message(BOB)
    const [sent = ''] = gotMessages(proxy)
    expect(requestUriOf(sent)).toBe('sip:bob@10.0.0.7:5060')
    expect(headersOf(sent, 'route').join(', ')).toBe(path.join(', '))
  })

  test('SHOULD NOT come from a phone that does not know of it: 420, and nothing is bound [RFC3327-5.3c]', async () => {
    const refused = await world.register(bob, BOB, { headers: ['Path: <sip:192.0.2.50;lr>'] })
    expect([statusOf(refused), headerOf(refused, 'unsupported')]).toEqual([420, 'path'])
    expect(statusOf(await message(BOB))).toBe(480)
  })
})

describe('Service-Route', () => {
  test('MUST lead back through any edge as the Route of the next request [RFC3608-5] [RFC3608-6.3a]', async () => {
    const ok = await world.register(bob, 'sip:bob@home.test')
    const route = headerOf(ok, 'service-route')
    expect(route).toBe(`<sip:${EDGE}:5160;lr>`)
    expect(headerOf(await world.register(bob, 'sip:bob@home.test', { contact: undefined }), 'service-route')).toBe(
      route,
    )
    answering(bob)
    expect(statusOf(await message('sip:bob@home.test', 'sip:bob@home.test', [`Route: ${route}`]))).toBe(200)
    expect(headersOf(gotMessages(bob)[0] ?? '', 'route')).toEqual([])
  })
})

describe('a GRUU', () => {
  let cseq = 0
  const gruu = (name: string, text: string): string =>
    new RegExp(`${name}="([^"]+)"`).exec(headerOf(text, 'contact'))?.[1] ?? ''
  /** Registers a phone as an instance of bob; the response. */
  const register = (phone: MemoryPhone, callId = 'reg', param = INSTANCE, headers: string[] = []) => {
    cseq += 1
    const contact = `<sip:bob@${phone.host}:${phone.port}>${param}`
    return world.register(phone, BOB, {
      contact,
      callId,
      cseq,
      headers: ['Supported: gruu, path, outbound', ...headers],
    })
  }

  beforeEach(() => {
    cseq = 0
    answering(bob)
  })

  test('MUST lead to its instance alone, public or temporary, through any edge [RFC5627-5.4a] [RFC5627-5.2a]', async () => {
    const other = world.phone('other')
    answering(other)
    await register(other, 'other', ';+sip.instance="<urn:uuid:another>"')
    const ok = await register(bob)
    for (const name of ['pub-gruu', 'temp-gruu']) {
      const uri = gruu(name, ok)
      expect(uri).not.toBe('')
      expect(statusOf(await message(uri))).toBe(200)
    }
    expect(gotMessages(bob).map(requestUriOf)).toEqual(Array(2).fill(`sip:bob@${bob.place}`)) // without gr
    expect(gotMessages(other)).toEqual([])
  })

  test('that is temporary MUST stay valid through refreshes, and end with another Call-ID: 404 [RFC5627-5.4d] [RFC5627-5.1g]', async () => {
    const first = gruu('temp-gruu', await register(bob))
    const second = gruu('temp-gruu', await register(bob))
    expect(second).not.toBe(first)
    for (const uri of [first, second]) expect(statusOf(await message(uri))).toBe(200)
    const third = gruu('temp-gruu', await register(bob, 'another-call'))
    for (const uri of [first, second]) expect(statusOf(await message(uri))).toBe(404)
    expect(statusOf(await message(third))).toBe(200)
  })

  test('that is temporary MUST end with the last contact; a public one gets 480, and lives on [RFC5627-5.3a] [RFC5627-5.3b] [RFC5627-5.3c] [RFC5627-6.1b]', async () => {
    const ok = await register(bob)
    await register(bob, 'reg', `${INSTANCE};expires=0`)
    expect(statusOf(await message(gruu('pub-gruu', ok)))).toBe(480)
    const again = await register(bob)
    expect(gruu('pub-gruu', again)).toBe(gruu('pub-gruu', ok))
    expect(statusOf(await message(gruu('pub-gruu', ok)))).toBe(200)
    expect(statusOf(await message(gruu('temp-gruu', ok)))).toBe(404)
  })

  test('SHOULD be one of ours: 404 else [RFC5627-6.1a]', async () => {
    await register(bob)
    const forged = `sip:tgruu.${'A'.repeat(108)}@tandem.test;gr`
    expect(statusOf(await message(forged))).toBe(404)
    expect(statusOf(await message(`sip:nobody@tandem.test;gr=${URN}`))).toBe(404)
    expect(gotMessages(bob)).toEqual([])
  })

  test('MUST lead to the contact that was refreshed last, and to the next after a 408 or 430 only [RFC5627-6.1c] [RFC5627-6.1e]', async () => {
    const later = world.phone('later')
    answering(later, 486)
    const ok = await register(bob)
    await register(later)
    expect(statusOf(await message(gruu('pub-gruu', ok)))).toBe(486)
    expect([gotMessages(bob).length, gotMessages(later).length]).toEqual([0, 1])
  })

  test('MUST be told in quotes and bound to no other address by a phone [RFC5627-5.1b]', async () => {
    const ok = await register(bob)
    const refused = await world.register(bob, BOB, { contact: `<${gruu('temp-gruu', ok)}>${INSTANCE}` })
    expect(statusOf(refused)).toBe(403)
  })

  test('of an instance with two flows MUST reach one of them at a time, the other after 430 [RFC5626-7a] [RFC5626-7b]', async () => {
    const second = world.phone('second')
    answering(second, 430)
    const ok = await register(bob, 'flow-1', `${INSTANCE};reg-id=1`)
    expect(headerOf(ok, 'require')).toBe('outbound')
    await register(second, 'flow-2', `${INSTANCE};reg-id=2`)
    expect(statusOf(await message(gruu('temp-gruu', ok)))).toBe(200)
    expect([gotMessages(bob).length, gotMessages(second).length]).toEqual([1, 1])
  })
})

describe('a GRUU as Contact in a dialog', () => {
  test.each(['pub-gruu', 'temp-gruu'])(
    'MUST lead requests inside it to the instance, ACK too: %s [RFC5627-6.1] [RFC5627-6.2a]',
    async (name) => {
      const contact = `${bob.contact}${INSTANCE}`
      const ok = await world.register(bob, BOB, { contact, headers: ['Supported: gruu'] })
      const gruu = new RegExp(`${name}="([^"]+)"`).exec(headerOf(ok, 'contact'))?.[1] ?? ''
      bob.onRequest = (text) => methodOf(text) !== 'ACK' && bob.answer(text, 200, { contact: `<${gruu}>` })
      const ends = { from: '<sip:alice@tandem.test>;tag=a', to: `<${BOB}>`, callId: 'gruu-dialog' }
      await world.exchange(alice, alice.request('INVITE', { ...ends, uri: BOB, contact: alice.contact }))
      const answer = alice.last()
      expect(headerOf(answer, 'contact')).toBe(`<${gruu}>`)
      const inDialog = { ...ends, to: headerOf(answer, 'to'), uri: gruu, headers: alice.routesOf(answer, true) }
      await world.exchange(alice, alice.request('ACK', inDialog))
      const [bye] = await world.exchange(alice, alice.request('BYE', { ...inDialog, cseq: 2 }))
      expect(statusOf(bye ?? '')).toBe(200)
      const got = bob.inbox.filter((text) => statusOf(text) === 0)
      expect(got.map((text) => `${methodOf(text)} ${requestUriOf(text)}`)).toEqual(
        ['INVITE', 'ACK', 'BYE'].map((method) => `${method} sip:bob@${bob.place}`),
      )
    },
  )
})

describe('contacts by configuration', () => {
  test('are reached, though the PBX never registers', async () => {
    const pbx = new MemoryPhone(world.cluster.network, 'pbx', '192.0.2.60', 5060, { address: EDGE, port: 5060 })
    answering(pbx)
    expect(statusOf(await message('sip:pbx@tandem.test'))).toBe(200)
    const listed = await world.register(pbx, 'sip:pbx@tandem.test', { contact: undefined })
    expect(headerOf(listed, 'contact')).toMatch(/^<sip:pbx@192\.0\.2\.60:5060>;expires=\d+$/)
  })
})

describe('contacts that are no phones', () => {
  test('are listed, and not rung', async () => {
    await world.register(bob, BOB, { contact: '<mailto:bob@example.org>, <tel:+4930123>, <http://example.org/~bob>' })
    const listed = await world.register(bob, BOB, { contact: undefined })
    expect(headersOf(listed, 'contact')).toHaveLength(3)
    expect(statusOf(await message(BOB))).toBe(480)
  })

  test('Contact to ourselves is refused: 403, and no request goes in a circle', async () => {
    for (const contact of [`<sip:bob@${EDGE}:5160>`, `<${BOB}>`, `<sip:bob@${EDGE}>`])
      expect(statusOf(await world.register(bob, BOB, { contact }))).toBe(403)
    expect(statusOf(await message(BOB))).toBe(480)
  })
})

test('the newest contact takes the place of the oldest where the domain says so', async () => {
  const register = (contact: string, callId: string) => world.register(bob, 'sip:bob@home.test', { contact, callId })
  for (const [host, callId] of [
    ['a', '1'],
    ['b', '2'],
    ['c', '3'],
  ] as const) {
    expect(statusOf(await register(`<sip:bob@${host}.example>`, callId))).toBe(200)
  }
  const listed = await world.register(bob, 'sip:bob@home.test', { contact: undefined })
  expect(headersOf(listed, 'contact').map((value) => value.slice(1, value.indexOf('>')))).toEqual([
    'sip:bob@c.example',
    'sip:bob@b.example',
  ])
})

test('a REGISTER repeated through another edge changes nothing [RFC3261-10.3d]', async () => {
  const parts = { callId: 'same', cseq: 5, headers: ['Expires: 600'] }
  const first = await world.register(bob, BOB, parts)
  const elsewhere = new MemoryPhone(world.cluster.network, 'bob', '192.0.2.70', 5060, { address: EDGE, port: 5060 })
  const again = await world.register(elsewhere, BOB, { ...parts, contact: bob.contact })
  expect(headersOf(again, 'contact')).toEqual(headersOf(first, 'contact'))
  const late = await world.register(elsewhere, BOB, { ...parts, cseq: 4, contact: bob.contact })
  expect(statusOf(late)).toBe(500)
})
