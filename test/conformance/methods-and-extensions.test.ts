// SPDX-License-Identifier: MIT
//
// Methods and extensions that pass through: what a phone says arrives as it said it, and what the other answers comes back so, through
// two edges, out of a dialog and within one. Not tested here: REGISTER, the cluster's own subscriptions, transfer flows (flows/).
import { headerValues } from '@tandem/test-kit'
import { afterEach, describe, expect, test } from 'vitest'
import type { MemoryPhone } from '../support/phone.ts'
import {
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
afterEach(() => world.cluster.close())

const FROM_ALICE = '<sip:alice@tandem.test>;tag=a'
const TO_BOB = '<sip:bob@tandem.test>'

/** Alice at the first edge, bob at the second. */
async function open(): Promise<void> {
  world = await createWorld({ edgeCount: 2 })
  alice = world.phone('alice', 0)
  bob = world.phone('bob', 1)
  await world.register(alice, 'sip:alice@tandem.test')
  await world.register(bob, 'sip:bob@tandem.test')
}

interface Said {
  readonly headers: readonly string[]
  readonly body?: string
}

function partsOf({ headers, body = '' }: Said) {
  return { headers: [...headers], body, contentLength: body.length }
}

/** The lines and the body stand in the text, byte for byte and in their order. */
function expectSaid(text: string, { headers, body = '' }: Said): void {
  expect(text).toContain(`\r\n${[...headers, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`)
  expect(text.endsWith(`\r\n\r\n${body}`)).toBe(true)
}

/** Sends a request out of any dialog to bob; what came to him. */
async function toBob(method: string, said: Said, extra: { cseq?: number } = {}): Promise<string> {
  const parts = { ...partsOf(said), ...extra, contact: alice.contact }
  alice.send(alice.request(method, { uri: 'sip:bob@tandem.test', from: FROM_ALICE, to: TO_BOB, ...parts }))
  await world.cluster.settle()
  const came = bob.last()
  expect(methodOf(came)).toBe(method)
  return came
}

/** Answers a request that came to `phone`; what came to the one who sent it. */
async function answer(phone: MemoryPhone, request: string, status: number, said: Said): Promise<string> {
  const other = phone === bob ? alice : bob
  phone.answer(request, status, partsOf(said))
  await world.cluster.settle()
  expect(statusOf(other.last())).toBe(status)
  return other.last()
}

const MULTIPART =
  '--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b1\r\nContent-Type: image/jpeg\r\n' +
  'Content-Transfer-Encoding: binary\r\n\r\n\xff\xd8\x00\x01\r\n\r\n\n\r--b1--\r\n'

interface Passing {
  readonly cite: string
  readonly method: string
  readonly request: Said
  readonly status: number
  readonly response: Said
}

const OUT_OF_DIALOG: readonly Passing[] = [
  {
    cite: '[RFC3428-6] MESSAGE with its body',
    method: 'MESSAGE',
    request: {
      headers: ['Date: Sat, 13 Nov 2010 23:29:00 GMT', 'Expires: 600', 'Content-Type: text/plain'],
      body: 'Watson, come here.',
    },
    status: 202,
    response: { headers: ['X-Queue: 1'] },
  },
  {
    cite: '[RFC6665-4.3a] [RFC6665-4.4.4b] SUBSCRIBE with Event and Accept; Allow-Events of the answer only',
    method: 'SUBSCRIBE',
    request: { headers: ['Event: dialog;id=7', 'Accept: application/dialog-info+xml', 'Expires: 3600'] },
    status: 200,
    response: { headers: ['Expires: 1800', 'Allow-Events: dialog, presence'] },
  },
  {
    cite: '[RFC3903-6a] [RFC3903-4a] PUBLISH with SIP-If-Match; SIP-ETag comes back; no Record-Route',
    method: 'PUBLISH',
    request: {
      headers: ['Event: presence', 'Expires: 3600', 'SIP-If-Match: dx200xyz', 'Content-Type: application/pidf+xml'],
      body: '<presence/>',
    },
    status: 200,
    response: { headers: ['SIP-ETag: kwj449x', 'Expires: 1800'] },
  },
  {
    cite: '[RFC3903-6a] PUBLISH: 412 comes back',
    method: 'PUBLISH',
    request: { headers: ['Event: presence', 'SIP-If-Match: gone'] },
    status: 412,
    response: { headers: ['Warning: 399 pa.tandem.test "no such state"'] },
  },
  {
    cite: '[RFC3515-2a] [RFC4488-4] [RFC4538-4] REFER out of dialog with Refer-Sub, norefersub and Target-Dialog',
    method: 'REFER',
    request: {
      headers: [
        'Refer-To: <sip:carol@tandem.test?Replaces=12%40x%3Bto-tag%3D1%3Bfrom-tag%3D2>',
        'Referred-By: <sip:alice@tandem.test>',
        'Refer-Sub: false',
        'Supported: norefersub, tdialog',
        'Require: tdialog',
        'Target-Dialog: fa77as7dad8-sd98ajzz@host.example.com;local-tag=kkaz-;remote-tag=6544',
      ],
    },
    status: 202,
    response: { headers: ['Refer-Sub: false', 'Supported: norefersub'] },
  },
  {
    cite: '[RFC4028-5a] [RFC4028-8.1a] session timers: Session-Expires and Min-SE untouched, 422 with Min-SE back',
    method: 'INVITE',
    request: { headers: ['Supported: timer', 'Session-Expires: 90;refresher=uac', 'Min-SE: 90'] },
    status: 422,
    response: { headers: ['Min-SE: 3600'] },
  },
  {
    cite: '[RFC4028-8.1a] session timers in compact form, from one who does not support them',
    method: 'INVITE',
    request: { headers: ['x: 60', 'Min-SE: 60'] },
    status: 486,
    response: { headers: ['Retry-After: 5 (in a call)'] },
  },
  {
    cite: '[RFC3891-3a] [RFC3911-4] INVITE with Replaces, Join, Require',
    method: 'INVITE',
    request: {
      headers: [
        'Require: replaces, join',
        'Replaces: 425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only',
        'Join: 12adf2f34456gs5;to-tag=12345;from-tag=54321',
      ],
    },
    status: 481,
    response: { headers: ['Reason: Q.850;cause=31;text="terminated"'] },
  },
  {
    cite: '[RFC3841-7] Accept-Contact, Reject-Contact, Request-Disposition pass unchanged',
    method: 'INVITE',
    request: {
      headers: [
        'Accept-Contact: *;audio;require',
        'a: *;video;explicit',
        'Reject-Contact: *;actor="msg-taker";video',
        'd: proxy, fork',
      ],
    },
    status: 480,
    response: { headers: ['Contact: <sip:bob@192.0.2.200>;audio;+sip.x="<y>"'] },
  },
  {
    cite: '[RFC3312-11] preconditions and P-Early-Media',
    method: 'INVITE',
    request: {
      headers: [
        'Require: precondition',
        'Supported: 100rel',
        'P-Early-Media: supported',
        'Content-Type: application/sdp',
      ],
      body: 'v=0\r\nm=audio 20000 RTP/AVP 0\r\na=curr:qos e2e none\r\na=des:qos mandatory e2e sendrecv\r\n',
    },
    status: 580,
    response: { headers: ['Content-Type: application/sdp'], body: 'v=0\r\na=des:qos failure e2e sendrecv\r\n' },
  },
  {
    cite: '[RFC5621-3] a multipart body with a binary part and odd line ends',
    method: 'INVITE',
    request: {
      headers: ['Content-Type: multipart/mixed;boundary=b1', 'Content-Disposition: session;handling=required'],
      body: MULTIPART,
    },
    status: 488,
    response: {
      headers: ['Warning: 304 bob "Media type not available", 399 bob "\xc3\xa4h"', 'Accept: application/sdp'],
    },
  },
  {
    cite: '[RFC3261-25.1] names in UTF-8 and in latin1, escaped quotes, odd case and spacing, folds, empty and unknown headers',
    method: 'MESSAGE',
    request: {
      headers: [
        'Subject: \xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82',
        'Organization: Caf\xe9 GmbH',
        'Referred-By: "J\xc3\xbcrgen \\"J\\"" <sip:j@tandem.test>',
        'x-mIxEd  :   two   spaces ',
        'X-Folded: one\r\n two\r\n\tthree',
        'X-Empty:',
      ],
    },
    status: 200,
    response: { headers: ['Server: b\xf6b', 'X-Empty: '] },
  },
]

describe('out of a dialog', () => {
  test.each(OUT_OF_DIALOG)('$cite', async ({ method, request, status, response }) => {
    await open()
    const came = await toBob(method, request)
    expectSaid(came, request)
    expect(headerOf(came, 'from')).toBe(FROM_ALICE)
    const hasRecordRoute = headersOf(came, 'record-route').length > 0
    expect(hasRecordRoute).toBe(['INVITE', 'SUBSCRIBE', 'REFER'].includes(method))
    expectSaid(await answer(bob, came, status, response), response)
  })

  test('[RFC3261-20.20] [RFC3261-25.1] display names of From and To come as they were', async () => {
    await open()
    const [from, to] = ['J\xfcrgen <sip:alice@tandem.test>;tag=a', '"\xe6\x97\xa5\xe6\x9c\xac" <sip:bob@tandem.test>']
    alice.send(alice.request('MESSAGE', { uri: 'sip:bob@tandem.test', from, to }))
    await world.cluster.settle()
    expect([headerOf(bob.last(), 'from'), headerOf(bob.last(), 'to')]).toEqual([from, to])
  })
})

/** A call from alice that bob has answered; what a request inside it needs, from either side. */
async function establish(method = 'INVITE', headers: readonly string[] = []) {
  await open()
  const came = await toBob(method, { headers })
  bob.answer(came, 200, { contact: bob.contact })
  await world.cluster.settle()
  const ok = alice.last()
  expect(statusOf(ok)).toBe(200)
  const callId = headerOf(came, 'call-id')
  const common = { callId, cseq: 2 }
  const ofAlice = {
    ...common,
    uri: `sip:bob@${bob.place}`,
    from: FROM_ALICE,
    to: headerOf(ok, 'to'),
    routes: alice.routesOf(ok, true),
  }
  const ofBob = {
    ...common,
    cseq: 101,
    uri: `sip:alice@${alice.place}`,
    from: headerOf(ok, 'to'),
    to: FROM_ALICE,
    routes: bob.routesOf(came, false),
  }
  return { came, ok, ofAlice, ofBob }
}

type Inside = Awaited<ReturnType<typeof establish>>['ofAlice']

/** Sends within the dialog; what came to the other. */
async function within(from: MemoryPhone, method: string, inside: Inside, said: Said): Promise<string> {
  const { routes, ...parts } = inside
  const text = from.request(method, {
    ...parts,
    ...partsOf(said),
    headers: [...routes, ...said.headers],
    contact: from.contact,
  })
  from.send(text)
  await world.cluster.settle()
  const came = (from === alice ? bob : alice).last()
  expect([methodOf(came), requestUriOf(came)]).toEqual([method, inside.uri])
  expect(headersOf(came, 'route')).toEqual([])
  return came
}

const INSIDE: readonly Passing[] = [
  {
    cite: '[RFC6086-4.2.1a] INFO with its package and body',
    method: 'INFO',
    request: {
      headers: [
        'Info-Package: dtmf-relay',
        'Content-Disposition: Info-Package',
        'Content-Type: application/dtmf-relay',
      ],
      body: 'Signal=5\r\nDuration=160\r\n',
    },
    status: 469,
    response: { headers: ['Recv-Info: x'] },
  },
  {
    cite: '[RFC3311-5.1a] [RFC4028-8.2a] UPDATE with Session-Expires, and its answer',
    method: 'UPDATE',
    request: { headers: ['Session-Expires: 1800;refresher=uac', 'Supported: timer'] },
    status: 200,
    response: { headers: ['Require: timer', 'Session-Expires: 1800;refresher=uac'] },
  },
  {
    cite: '[RFC3515-2a] REFER inside the dialog',
    method: 'REFER',
    request: { headers: ['Refer-To: <sip:carol@tandem.test>', 'Refer-Sub: true'] },
    status: 202,
    response: { headers: ['Expires: 60'] },
  },
  {
    cite: '[RFC6665-4.3a] NOTIFY inside the dialog',
    method: 'NOTIFY',
    request: {
      headers: [
        'Event: refer;id=2',
        'Subscription-State: active;expires=60',
        'Content-Type: message/sipfrag;version=2.0',
      ],
      body: 'SIP/2.0 100 Trying\r\n',
    },
    status: 200,
    response: { headers: ['X: 1'] },
  },
  {
    cite: '[RFC3428-6] MESSAGE inside the dialog',
    method: 'MESSAGE',
    request: { headers: ['Content-Type: text/plain'], body: 'hi' },
    status: 200,
    response: { headers: ['X: 1'] },
  },
  {
    cite: '[RFC3326-2b] BYE with the Reason of its sender, and none of ours',
    method: 'BYE',
    request: { headers: ['Reason: Q.850;cause=16;text="Terminated", SIP;cause=200'] },
    status: 200,
    response: { headers: ['X: 1'] },
  },
  {
    cite: 'a method that nobody has heard of',
    method: 'TELEPORT',
    request: { headers: ['Location: x'], body: 'y' },
    status: 200,
    response: { headers: ['X: 1'] },
  },
]

describe('inside a dialog, from either side, through either edge', () => {
  test.each(INSIDE)('$cite', async ({ method, request, status, response }) => {
    const { ofAlice, ofBob } = await establish()
    const there = await within(alice, method, ofAlice, request)
    expectSaid(there, request)
    expectSaid(await answer(bob, there, status, response), response)
    const back = await within(bob, method, ofBob, request)
    expectSaid(back, request)
    expectSaid(await answer(alice, back, status, response), response)
  })

  test('[RFC4028-8.3] nothing is sent when a session timer runs out', async () => {
    await establish('INVITE', ['Supported: timer', 'Session-Expires: 90'])
    const counts = [alice.inbox.length, bob.inbox.length]
    const retransmissions = 'SIP/2.0 200'
    await world.cluster.advance(200_000, 1_000)
    const later = [...alice.inbox.slice(counts[0]), ...bob.inbox.slice(counts[1])]
    expect(later.filter((text) => !text.startsWith(retransmissions))).toEqual([])
  })
})

describe('subscriptions', () => {
  test('[RFC6665-4.3a] a NOTIFY before the 200 finds its way by the Record-Route of the SUBSCRIBE', async () => {
    await open()
    const came = await toBob('SUBSCRIBE', { headers: ['Event: dialog', 'Expires: 600'] })
    const early = {
      callId: headerOf(came, 'call-id'),
      cseq: 1,
      uri: `sip:alice@${alice.place}`,
      from: `${headerOf(came, 'to')};tag=n`,
      to: FROM_ALICE,
      routes: bob.routesOf(came, false),
    }
    const notify: Said = { headers: ['Event: dialog', 'Subscription-State: active;expires=600'] }
    const there = await within(bob, 'NOTIFY', early, notify)
    expectSaid(there, notify)
    expect(headersOf(there, 'record-route').length).toBeGreaterThan(0)
    await answer(alice, there, 200, { headers: [] })
    // [RFC6665-4.4.1] the route set of the NOTIFY serves the refresh
    const refresh = {
      callId: early.callId,
      cseq: 2,
      uri: `sip:bob@${bob.place}`,
      from: FROM_ALICE,
      to: early.from,
      routes: alice.routesOf(there, false),
    }
    await within(alice, 'SUBSCRIBE', refresh, { headers: ['Event: dialog', 'Expires: 0'] })
  })

  test('[RFC6665-4.6b] CANCEL of a SUBSCRIBE is answered and goes no further', async () => {
    await open()
    const subscribe = alice.request('SUBSCRIBE', {
      uri: 'sip:bob@tandem.test',
      from: FROM_ALICE,
      to: TO_BOB,
      headers: ['Event: dialog'],
    })
    alice.send(subscribe)
    await world.cluster.settle()
    const before = bob.inbox.length
    alice.send(cancelOf(subscribe))
    await world.cluster.settle()
    expect(bob.inbox.length).toBe(before)
    expect(headerOf(alice.last(), 'cseq')).toMatch(/CANCEL$/)
  })

  test('[RFC6665-4.2.2] NOTIFYs of several notifiers of one forked SUBSCRIBE come through, each in its own dialog', async () => {
    await open()
    const second = world.phone('bob', 0)
    await world.register(second, 'sip:bob@tandem.test')
    const came = await toBob('SUBSCRIBE', { headers: ['Event: dialog', 'Expires: 600'] })
    const forked = second.last()
    expect(methodOf(forked)).toBe('SUBSCRIBE')
    for (const [phone, request, tag] of [
      [bob, came, 'n1'],
      [second, forked, 'n2'],
    ] as const) {
      const routes = phone.routesOf(request, false)
      const from = `${headerOf(request, 'to')};tag=${tag}`
      const parts = { callId: headerOf(request, 'call-id'), from, to: FROM_ALICE, contact: phone.contact }
      phone.send(
        phone.request('NOTIFY', { ...parts, uri: `sip:alice@${alice.place}`, headers: [...routes, 'Event: dialog'] }),
      )
      await world.cluster.settle()
      expect(tagOf(headerOf(alice.last(), 'from'))).toBe(tag)
    }
  })
})

describe('reliable provisional responses and early media', () => {
  test('[RFC3262-3abd] Require, RSeq, P-Early-Media and body go up; PRACK goes to its branch and back', async () => {
    await open()
    const came = await toBob('INVITE', { headers: ['Supported: 100rel', 'Require: 100rel'] })
    const early: Said = {
      headers: ['Require: 100rel', 'RSeq: 9021', 'P-Early-Media: sendrecv', 'Content-Type: application/sdp'],
      body: 'v=0\r\n',
    }
    bob.answer(came, 183, { ...partsOf(early), contact: bob.contact })
    await world.cluster.settle()
    const progress = alice.last()
    expectSaid(progress, early)
    const dialog = {
      callId: headerOf(came, 'call-id'),
      cseq: 2,
      uri: `sip:bob@${bob.place}`,
      from: FROM_ALICE,
      to: headerOf(progress, 'to'),
      routes: alice.routesOf(progress, true),
    }
    const prack: Said = { headers: ['RAck: 9021 1 INVITE', 'Content-Type: application/sdp'], body: 'v=1\r\n' }
    const there = await within(alice, 'PRACK', dialog, prack)
    expectSaid(there, prack)
    await answer(bob, there, 200, { headers: ['X: 1'] })
    const update = await within(alice, 'UPDATE', { ...dialog, cseq: 3 }, { headers: ['X: 2'] })
    await answer(bob, update, 200, { headers: ['X: 3'] })
  })

  test('[RFC3262-3c] the 100 of the cluster is never reliable', async () => {
    await open()
    await toBob('INVITE', { headers: ['Supported: 100rel', 'Require: 100rel'] })
    const trying = alice.inbox.find((text) => statusOf(text) === 100) ?? ''
    expect([statusOf(trying), headerValues(trying, 'require'), headerValues(trying, 'rseq')]).toEqual([100, [], []])
  })

  test('[RFC3326-2a] the Reason of a CANCEL goes with it', async () => {
    await open()
    const invite = alice.request('INVITE', {
      uri: 'sip:bob@tandem.test',
      from: FROM_ALICE,
      to: TO_BOB,
      contact: alice.contact,
    })
    alice.send(invite)
    await world.cluster.settle()
    bob.answer(bob.last(), 180)
    await world.cluster.settle()
    const reason = 'Reason: SIP;cause=200;text="Call completed elsewhere"'
    alice.send(cancelOf(invite).replace('Content-Length', `${reason}\r\nContent-Length`))
    await world.cluster.settle()
    expect([methodOf(bob.last()), headersOf(bob.last(), 'reason')]).toEqual(['CANCEL', [reason.slice(8)]])
  })
})
