// SPDX-License-Identifier: MIT
//
// RFC 3680 and what RFC 6665 asks of a notifier, from outside: a user watches his own registrations. The document and the
// store of subscriptions in all their cases are tested beside the edge and the location service.

import { headerValues } from '@tandem/test-kit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import { answerTo, createWorld, headerOf, headersOf, methodOf, statusOf, type World } from './support/world.ts'

const BOB = 'sip:bob@secure.test'

let world: World
let watcher: MemoryPhone
let bob: MemoryPhone

beforeEach(async () => {
  world = await createWorld({ edgeCount: 2 })
  bob = world.phone('bob')
  watcher = world.phone('watcher', 1)
  watcher.onRequest = (text) => watcher.answer(text, 200)
})
afterEach(() => world.cluster.close())

let dialogs = 0

/** Headers that prove to be bob, for a request with this method and Request-URI. */
async function proven(phone: MemoryPhone, method: string, uri: string, parts: object): Promise<string[]> {
  const asked = await world.ask(phone, method, { uri, ...parts })
  const [challenge = ''] = headersOf(asked, 'www-authenticate') // [RFC6665-4.2.1.3]
  const value = answerTo(challenge, { username: 'bob', password: 'bob-secret', method, uri })
  return [`Authorization: ${value}`]
}

async function register(params = ''): Promise<void> {
  const parts = { to: `<${BOB}>`, from: `<${BOB}>;tag=r` }
  const headers = await proven(bob, 'REGISTER', 'sip:secure.test', parts)
  await world.register(bob, BOB, { contact: `${bob.contact}${params}`, headers: [...headers, 'Supported: gruu'] })
}

/** What came to the watcher for a SUBSCRIBE of his: the answer to it, and the NOTIFYs. */
async function subscribe(headers: readonly string[] = [], aor = BOB): Promise<{ answer: string; notifies: string[] }> {
  dialogs += 1
  const parts = {
    to: `<${aor}>`,
    from: `<${BOB}>;tag=w${dialogs}`,
    callId: `watch-${dialogs}`,
    contact: watcher.contact,
  }
  const event = headers.some((line) => line.startsWith('Event')) ? [] : ['Event: reg']
  const login = await proven(watcher, 'SUBSCRIBE', aor, { ...parts, headers: [...event, ...headers] })
  const request = watcher.request('SUBSCRIBE', {
    uri: aor,
    ...parts,
    cseq: 2,
    headers: [...event, ...headers, ...login],
  })
  const came = await world.exchange(watcher, request)
  return {
    answer: came.find((text) => statusOf(text) > 0) ?? '',
    notifies: came.filter((text) => methodOf(text) === 'NOTIFY'),
  }
}

const bodyOf = (text: string): string => text.slice(text.indexOf('\r\n\r\n') + 4)

describe('a SUBSCRIBE', () => {
  test('is authenticated: a challenge, and again when its credentials are played again [RFC3680-7a] [RFC6665-4.2.1.1c] [RFC6665-6.3] [RFC6665-6.4]', async () => {
    const parts = { uri: BOB, to: `<${BOB}>`, from: `<${BOB}>;tag=w`, contact: watcher.contact }
    expect(statusOf(await world.ask(watcher, 'SUBSCRIBE', { ...parts, headers: ['Event: reg'] }))).toBe(401)
    const login = await proven(watcher, 'SUBSCRIBE', BOB, { ...parts, headers: ['Event: reg'] })
    const headers = ['Event: reg', ...login]
    const first = await world.exchange(watcher, watcher.request('SUBSCRIBE', { ...parts, cseq: 2, headers }))
    expect(first.map(statusOf)).toContain(200)
    const again = await world.exchange(watcher, watcher.request('SUBSCRIBE', { ...parts, cseq: 3, headers }))
    expect(again.map(statusOf)).toEqual([401])
  })

  test('of bob to bob is 200 with Expires at once, and a NOTIFY with the full state follows [RFC6665-4.2.1.1a] [RFC6665-4.2.1.2] [RFC6665-8.3] [RFC3680-4.5a] [RFC3261-8.1.1.8a] [RFC3261-8.1.1b] [RFC3261-8.1.1.6] [RFC3261-20.15] [RFC6665-3.2.1c] [RFC6665-8.2.1]', async () => {
    await register()
    const before = world.cluster.clock.now()
    const { answer, notifies } = await subscribe(['Expires: 600', 'Accept: application/reginfo+xml'])
    expect([statusOf(answer), headerOf(answer, 'expires')]).toEqual([200, '600'])
    expect(world.cluster.clock.now()).toBe(before)
    expect(notifies).toHaveLength(1)
    const [notify = ''] = notifies
    for (const name of ['via', 'from', 'to', 'call-id', 'cseq']) expect(headersOf(notify, name), name).toHaveLength(1)
    expect(headersOf(notify, 'max-forwards')).toEqual(['70'])
    expect(headersOf(notify, 'event')).toEqual(['reg'])
    expect(headersOf(notify, 'content-type')).toEqual(['application/reginfo+xml'])
    expect(headersOf(notify, 'contact')).toEqual([expect.stringMatching(/^<sip:[^>]+>$/)])
    expect(bodyOf(notify)).toContain(`<uri>sip:bob@${bob.place}</uri>`)
  })

  test('Event stands in SUBSCRIBE and NOTIFY only, Subscription-State in NOTIFY only [RFC6665-8.2.1] [RFC6665-8.2.3]', async () => {
    const { answer, notifies } = await subscribe()
    expect([...headersOf(answer, 'event'), ...headersOf(answer, 'subscription-state')]).toEqual([])
    expect(headersOf(notifies[0] ?? '', 'subscription-state')).toEqual([expect.stringMatching(/^active;expires=\d+$/)])
  })

  test('without Expires it lasts as long as the package says [RFC3680-4.4] [RFC6665-3.1.1b]', async () => {
    expect(headerOf((await subscribe()).answer, 'expires')).toBe('3761')
  })

  test('of bob to alice: 403, and nothing is told [RFC6665-4.2.1.3] [RFC3680-4.6a]', async () => {
    const { answer, notifies } = await subscribe([], 'sip:alice@secure.test')
    expect([statusOf(answer), notifies]).toEqual([403, []])
  })
})

describe('NOTIFYs', () => {
  test('a change is told with a version one higher; what is left of the subscription never grows [RFC6665-4.2.2g] [RFC6665-4.2.2b] [RFC6665-5.3.2]', async () => {
    await subscribe(['Expires: 600'])
    await world.cluster.advance(20_000, 500)
    const before = watcher.inbox.length
    await register()
    await world.cluster.advance(2_000, 500)
    const [notify = ''] = watcher.inbox.slice(before).filter((text) => methodOf(text) === 'NOTIFY')
    const left = Number(/expires=(\d+)/.exec(headerOf(notify, 'subscription-state'))?.[1])
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThanOrEqual(580)
    expect(bodyOf(notify)).toMatch(/version="1"/)
  })

  test('GRUUs of a phone stand in its contact [RFC5627-5.5]', async () => {
    await register(';+sip.instance="<urn:uuid:00000000-0000-0000-0000-000000000001>"')
    const [notify = ''] = (await subscribe()).notifies
    expect(bodyOf(notify)).toMatch(/pub-gruu uri="sip:bob@secure\.test;gr=/)
    expect(headerValues(notify, 'content-length')).toEqual([String(Buffer.byteLength(bodyOf(notify), 'latin1'))])
  })
})
