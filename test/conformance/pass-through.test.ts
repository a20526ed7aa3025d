// SPDX-License-Identifier: MIT
//
// Methods and extensions that are the phones' business: RFC 3262, 3311, 3428, 3515, 3841, 3891, 3903, 4028, 6086, 6228, 6665
// and the bodies of RFC 5118. What a proxy owes them is to route them and to leave them alone.
import { EdgeBench, requestText, responseTo } from '@tandem/edge/internal'
import type { RequestParts } from '@tandem/test-kit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import { createWorld, headerOf, headersOf, methodOf, requestUriOf, statusOf, type World } from './support/world.ts'

let world: World
let alice: MemoryPhone
let bob: MemoryPhone
let carol: MemoryPhone

beforeEach(async () => {
  world = await createWorld({ edgeCount: 2 })
  alice = world.phone('alice')
  bob = world.phone('bob', 1)
  carol = world.phone('carol')
  await world.register(bob, BOB)
})
afterEach(() => world.cluster.close())

const BOB = 'sip:bob@tandem.test'
const CALL = { uri: BOB, to: `<${BOB}>`, from: '<sip:alice@tandem.test>;tag=a', callId: 'dialog' }

/** Header lines and body without what a proxy writes. */
function untouched(text: string): string[] {
  const [head = '', body = ''] = text.split(/\r\n\r\n/)
  const lines = head.split('\r\n').slice(1)
  return [
    ...lines.filter((line) => !/^(Via|Max-Forwards|Max-Breadth|Record-Route|Route|History-Info):/.test(line)),
    body,
  ]
}

async function call(headers: readonly string[] = [], body = ''): Promise<string> {
  await world.exchange(alice, alice.request('INVITE', { ...CALL, contact: alice.contact, headers, body }))
  return bob.last()
}

/** A request of alice's inside the dialog that `response` has made. */
function inside(response: string, method: string, parts: RequestParts = {}): string {
  const routes = alice.routesOf(response, true)
  const { headers = [], ...rest } = parts
  const contact = headerOf(response, 'contact')
  const uri = contact.slice(1, contact.indexOf('>'))
  return alice.request(method, {
    ...CALL,
    to: headerOf(response, 'to'),
    uri,
    cseq: 2,
    ...rest,
    headers: [...routes, ...headers],
  })
}

async function answered(status: number, headers: readonly string[] = []): Promise<string> {
  bob.answer(await call(), status, { headers })
  await world.cluster.settle()
  return alice.last()
}

describe('initial requests pass as they came, routed by their Request-URI', () => {
  const SDP_BOTH =
    'v=0\r\no=u 1 1 IN IP6 2001:db8::1\r\nc=IN IP6 2001:db8::1\r\nm=audio 9 RTP/AVP 0\r\nc=IN IP4 192.0.2.9'
  test.each([
    ['MESSAGE [RFC3428-6]', 'MESSAGE', ['Content-Type: text/plain', 'Expires: 60'], 'Watson, come here.'],
    ['REFER, record-routed [RFC3515-2a]', 'REFER', ['Refer-To: <sip:carol@tandem.test?Replaces=1%3Bto-tag=2>'], ''],
    [
      'PUBLISH [RFC3903-6a]',
      'PUBLISH',
      ['Event: presence', 'SIP-If-Match: dx200xyz', 'Content-Type: application/pidf+xml'],
      '<x/>',
    ],
    [
      'SUBSCRIBE, record-routed [RFC6665-4.3a] [RFC6665-4.4.4b]',
      'SUBSCRIBE',
      ['Event: presence;id=7', 'Accept: a/b', 'Expires: 60'],
      '',
    ],
    ['INVITE with Replaces [RFC3891-3a]', 'INVITE', ['Replaces: 1@h;to-tag=2;from-tag=3', 'Require: replaces'], ''],
    ['INVITE that requires 100rel [RFC3262-3b]', 'INVITE', ['Require: 100rel', 'Supported: 100rel, 199'], ''],
    [
      'INVITE with session timer [RFC4028-4] [RFC4028-8.1a]',
      'INVITE',
      ['Session-Expires: 91;refresher=uac', 'Min-SE: 90', 'Supported: timer'],
      '',
    ],
    [
      'INVITE with preferences [RFC3841-7]',
      'INVITE',
      ['Accept-Contact: *;audio;require', 'Reject-Contact: *;video', 'Request-Disposition: proxy'],
      '',
    ],
    [
      'INVITE with IPv6 in its SDP [RFC5118-4.6]',
      'INVITE',
      ['Content-Type: application/sdp'],
      SDP_BOTH.replace(/\r\nc=IN IP4.*/, ''),
    ],
    ['INVITE with both families in its SDP [RFC5118-4.8]', 'INVITE', ['Content-Type: application/sdp'], SDP_BOTH],
    [
      'INVITE with both families in its header fields [RFC5118-4.7]',
      'INVITE',
      ['Call-Info: <http://[2001:db8::9]/a>, <http://192.0.2.9/b>'],
      '',
    ],
  ])('%s', async (_what, method, headers, body) => {
    const request = alice.request(method, { ...CALL, contact: alice.contact, headers, body })
    await world.exchange(alice, request)
    expect(requestUriOf(bob.last())).toBe(`sip:bob@${bob.place}`)
    expect(untouched(bob.last())).toEqual(untouched(request))
    const forms = ['INVITE', 'SUBSCRIBE', 'REFER'].includes(method)
    expect(headersOf(bob.last(), 'record-route')).toHaveLength(forms ? 1 : 0)
  })

  test('no Record-Route in MESSAGE and PUBLISH, which make no dialog [RFC3428-5b] [RFC3903-4a]', async () => {
    for (const method of ['MESSAGE', 'PUBLISH']) {
      await world.exchange(alice, alice.request(method, { ...CALL, headers: ['Event: presence'] }))
      expect([methodOf(bob.last()), headersOf(bob.last(), 'record-route')]).toEqual([method, []])
    }
  })

  test.each(['MESSAGE', 'PUBLISH', 'INVITE'])(
    '%s is authenticated like all others [RFC3428-11a] [RFC3903-14a] [RFC3891-8a]',
    async (method) => {
      const headers = ['Replaces: 1@h;to-tag=2;from-tag=3']
      const parts = { ...CALL, from: '<sip:alice@secure.test>;tag=a', contact: alice.contact, headers }
      expect(statusOf(await world.ask(alice, method, parts))).toBe(407)
    },
  )

  test('MESSAGE is forked, and the best response goes up [RFC3428-6]', async () => {
    await world.register(carol, BOB)
    await world.exchange(alice, alice.request('MESSAGE', CALL))
    bob.answer(bob.last(), 404)
    await world.cluster.settle()
    expect(alice.inbox).toEqual([])
    carol.answer(carol.last(), 202)
    await world.cluster.settle()
    expect(alice.inbox.map(statusOf)).toEqual([202])
  })
})

describe('responses pass as they came', () => {
  test.each([
    ['a reliable 183 [RFC3262-3d]', 183, ['Require: 100rel', 'RSeq: 988789', 'Content-Type: application/sdp'], 'v=0'],
    ['a 199 [RFC6228-6a]', 199, ['Reason: SIP;cause=486', 'Require: 100rel', 'RSeq: 2'], ''],
    ['a 422 with its Min-SE [RFC4028-5a]', 422, ['Min-SE: 3600'], ''],
    ['a 200 with its session timer [RFC4028-8.2a]', 200, ['Require: timer', 'Session-Expires: 1800;refresher=uas'], ''],
  ])('%s', async (_what, status, headers, body) => {
    bob.answer(await call(), status, { headers, body })
    const sent = world.cluster.network.trace.at(-1)?.text ?? ''
    await world.cluster.settle()
    expect(statusOf(alice.last())).toBe(status)
    expect(untouched(alice.last())).toEqual(untouched(sent))
  })

  test('our own 100 is never reliable [RFC3262-3c]', async () => {
    const [trying = ''] = await world.exchange(
      alice,
      alice.request('INVITE', { ...CALL, contact: alice.contact, headers: ['Require: 100rel'] }),
    )
    expect(statusOf(trying)).toBe(100)
    expect([...headersOf(trying, 'require'), ...headersOf(trying, 'rseq')]).toEqual([])
  })

  test('Path and Service-Route of a REGISTER that we only pass on [RFC3327-5.2b] [RFC3608-6.2a]', () => {
    const bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'REGISTER', uri: 'sip:elsewhere.test' }))
    bench.plan([['sip:192.0.2.30:5060']])
    const headers = ['Path: <sip:p1;lr>, <sip:p2;lr>', 'Service-Route: <sip:s1;lr>']
    bench.udpIn(responseTo(bench.last('REGISTER'), 200, 'r', headers), '192.0.2.30')
    for (const line of headers) expect(bench.last('200')).toContain(`${line}\r\n`)
    bench.close()
  })
})

describe('inside an early dialog', () => {
  test('PRACK and UPDATE go to the branch that made it, each to its own [RFC3262-3a] [RFC3262-9] [RFC3311-5.1a]', async () => {
    await world.register(carol, BOB)
    await call()
    const reliable = { headers: ['Require: 100rel', 'RSeq: 1'] }
    bob.answer(bob.last(), 183, reliable)
    await world.cluster.settle()
    const fromBob = alice.last()
    carol.answer(carol.last(), 183, reliable)
    await world.cluster.settle()
    const fromCarol = alice.last()
    await world.exchange(alice, inside(fromCarol, 'PRACK', { headers: ['RAck: 1 1 INVITE'] }))
    expect([methodOf(carol.last()), headerOf(carol.last(), 'rack')]).toEqual(['PRACK', '1 1 INVITE'])
    await world.exchange(alice, inside(fromBob, 'UPDATE', { headers: ['Content-Type: application/sdp'], body: 'v=0' }))
    expect([methodOf(bob.last()), methodOf(carol.last())]).toEqual(['UPDATE', 'PRACK'])
    expect(headersOf(bob.last(), 'route')).toEqual([])
    bob.answer(bob.last(), 491)
    await world.cluster.settle()
    expect([statusOf(alice.last()), headerOf(alice.last(), 'cseq')]).toEqual([491, '2 UPDATE'])
  })

  test('a PRACK without a token of ours has no dialog: 481 [RFC3262-9]', async () => {
    const ringing = await answered(183)
    const stray = alice.request('PRACK', { ...CALL, to: headerOf(ringing, 'to'), uri: `sip:bob@${bob.place}`, cseq: 2 })
    expect((await world.exchange(alice, stray)).map(statusOf)).toEqual([481])
  })

  test('after its 199 requests are still forwarded, and another 199 still goes up [RFC6228-7] [RFC6228-6b]', async () => {
    const gone = await answered(199, ['Reason: SIP;cause=486'])
    await world.exchange(alice, inside(gone, 'PRACK', { headers: ['RAck: 1 1 INVITE'] }))
    expect(methodOf(bob.last())).toBe('PRACK')
    const invite = bob.inbox.find((text) => methodOf(text) === 'INVITE') ?? ''
    bob.answer(invite, 199, { toTag: undefined })
    await world.cluster.settle()
    expect(alice.inbox.map(statusOf).filter((status) => status === 199)).toHaveLength(2)
  })
})

describe('inside a dialog', () => {
  test.each([
    [
      'INFO [RFC6086-4.2.1a]',
      'INFO',
      ['Info-Package: foo', 'Content-Type: application/foo', 'Content-Disposition: Info-Package'],
      'x',
    ],
    ['REFER [RFC3515-2a]', 'REFER', ['Refer-To: <sip:carol@tandem.test>'], ''],
    ['UPDATE with session timer [RFC4028-8.1a]', 'UPDATE', ['Session-Expires: 1800;refresher=uac', 'Min-SE: 120'], ''],
    ['MESSAGE [RFC3428-6]', 'MESSAGE', ['Content-Type: text/plain'], 'hello'],
  ])('%s passes as it came', async (_what, method, headers, body) => {
    const ok = await answered(200)
    const request = inside(ok, method, { headers, body })
    await world.exchange(alice, request)
    expect(methodOf(bob.last())).toBe(method)
    expect(untouched(bob.last())).toEqual(untouched(request))
  })

  test('nothing is sent when a session timer runs out: no BYE of ours [RFC4028-8.3]', async () => {
    await answered(200, ['Session-Expires: 90;refresher=uas', 'Require: timer'])
    const [atBob, atAlice] = [bob.inbox.length, alice.inbox.length]
    await world.cluster.advance(200_000, 1_000)
    expect([...bob.inbox.slice(atBob), ...alice.inbox.slice(atAlice)].filter((text) => statusOf(text) === 0)).toEqual(
      [],
    )
  })

  test('NOTIFYs of a SUBSCRIBE come back through us [RFC6665-4.3a]', async () => {
    await world.exchange(
      alice,
      alice.request('SUBSCRIBE', { ...CALL, contact: alice.contact, headers: ['Event: presence'] }),
    )
    const subscribe = bob.last()
    bob.answer(subscribe, 200, { headers: ['Expires: 60'] })
    await world.cluster.settle()
    const notify = bob.request('NOTIFY', {
      uri: `sip:alice@${alice.place}`,
      callId: 'dialog',
      from: `<${BOB}>;tag=t-bob`,
      to: headerOf(subscribe, 'from'),
      headers: [...bob.routesOf(subscribe, false), 'Event: presence', 'Subscription-State: active;expires=60'],
    })
    await world.exchange(bob, notify)
    expect(methodOf(alice.last())).toBe('NOTIFY')
    expect(headersOf(alice.last(), 'record-route')).toHaveLength(1)
    expect(headersOf(alice.last(), 'allow-events')).toEqual([])
  })
})
