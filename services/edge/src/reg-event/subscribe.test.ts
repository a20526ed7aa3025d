// SPDX-License-Identifier: MIT
// SUBSCRIBE and NOTIFY at one edge, with location and policy answered by hand. Not tested here: which NOTIFYs are due
// (location), the document (reginfo.test.ts), several edges (test/conformance/rfc3680.test.ts).
import { location, type policy } from '@tandem/rpc'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Facing } from '../listeners/facing.ts'
import {
  ALICE,
  BOB,
  EDGE_ADDRESS,
  EdgeBench,
  edgeOf,
  messageOf,
  requestText,
  responseTo,
  valuesOf,
} from '../testing.ts'
import { dialogContact, resubscribedAor } from './dialog-contact.ts'

const AOR = 'sip:alice@example.test'
const OUR_CONTACT = `sip:reg.${Buffer.from(AOR).toString('base64url')}@${EDGE_ADDRESS}:5060;gr`
const BOUNDS = { aor: AOR, minExpiresS: 120, maxExpiresS: 7_200, defaultExpiresS: 3_761 }

let bench: EdgeBench
beforeEach(() => {
  bench = new EdgeBench()
})
afterEach(() => bench.close())

interface SubscribeParts {
  readonly toTag?: string
  readonly uri?: string
  readonly cseq?: number
  readonly event?: string
  readonly contact?: string
  readonly headers?: readonly string[]
  readonly branch?: string
}

function subscribe(parts: SubscribeParts = {}): string {
  const { event = 'Event: reg', contact = `Contact: <sip:alice@${ALICE}:5060>`, headers = [] } = parts
  const lines = [event, contact, ...headers].filter((line) => line !== '')
  return requestText({ method: 'SUBSCRIBE', uri: AOR, fromTag: 'theirs', callId: 'watch-1', ...parts, headers: lines })
}

/** Sends a SUBSCRIBE and lets policy admit it. */
function admit(parts: SubscribeParts = {}): void {
  bench.udpIn(subscribe(parts))
  bench.decide({ $case: 'watchRegistrations', value: BOUNDS })
}

function notification(more: Partial<location.Notification> = {}): location.Notification {
  return location.Notification.fromPartial({
    aor: AOR,
    callId: 'watch-1',
    localTag: 'ours',
    remoteTag: 'theirs',
    cseq: 1,
    remoteTarget: `sip:alice@${ALICE}:5060`,
    localUri: AOR,
    remoteUri: AOR,
    contact: OUR_CONTACT,
    flow: { transport: 'udp', address: ALICE, port: 5060 },
    expiresS: 600,
    full: true,
    registrationId: 'r1',
    registrationState: 'init',
    ...more,
  })
}

const push = (of: location.Notification): void => bench.location.push({ event: { $case: 'notify', value: of } })
const done = (): location.NotifyDoneRequest => bench.location.take<location.NotifyDoneRequest>('notifyDone').request

describe('a SUBSCRIBE that policy admits', () => {
  test('[RFC6665-4.2.1.2] [RFC6665-3.1.1c] [RFC6665-8.3] is kept by location, gets 200, and its NOTIFY at once', () => {
    admit({ headers: ['Expires: 600', 'Record-Route: <sip:p1@192.0.2.7;lr>, <sip:p2@192.0.2.8;lr>'] })
    const { request, answer } = bench.location.take<location.SubscribeRequest>('subscribe')
    expect(request).toMatchObject({
      aor: AOR,
      callId: 'watch-1',
      remoteTag: 'theirs',
      remoteCseq: 1,
      initial: true,
      expiresS: 600,
      eventId: '',
      remoteTarget: `sip:alice@${ALICE}:5060`,
      routes: ['<sip:p1@192.0.2.7;lr>', '<sip:p2@192.0.2.8;lr>'],
      localUri: 'sip:bob@example.test',
      remoteUri: AOR,
      contact: OUR_CONTACT,
      flow: { transport: 'udp', address: ALICE, port: 5060, edgeId: '', flowId: 0 },
      edgeId: 'edge-0.test',
    })
    expect(bench.take()).toEqual([])
    answer({ notification: notification({ localTag: request.localTag }) })
    expect(bench.take()).toEqual([`200 → udp ${ALICE}:5060`, `NOTIFY → udp ${ALICE}:5060`])
    const ok = bench.last('200')
    expect(valuesOf(ok, 'To')[0]).toContain(`;tag=${request.localTag}`)
    expect(valuesOf(ok, 'Expires')).toEqual(['600'])
    expect(valuesOf(ok, 'Contact')).toEqual([`<${OUR_CONTACT}>`])
    expect(valuesOf(ok, 'Record-Route')).toEqual(['<sip:p1@192.0.2.7;lr>', '<sip:p2@192.0.2.8;lr>'])
    expect(bench.core.counts).toMatchObject({ subscriptions: 1, notifies: 1 })
  })

  test.each([
    ['[RFC6665-3.1.1b] without Expires the default', '', 3_761],
    ['[RFC6665-3.1.1d] a longer wish is cut', 'Expires: 99999', 7_200],
    ['[RFC6665-4.2.1.1d] a wish stays', 'Expires: 120', 120],
    ['[RFC3680-4.7.2b] zero fetches', 'Expires: 0', 0],
  ])('%s', (_what, line, expected) => {
    admit({ headers: [line] })
    expect(bench.location.take<location.SubscribeRequest>('subscribe').request.expiresS).toBe(expected)
  })

  test.each([
    ['[RFC6665-4.2.1.4b] too short', { headers: ['Expires: 60'] }, 423, 'Min-Expires', '120'],
    ['[RFC6665-4.2.1.1b] another package', { event: 'Event: presence' }, 489, 'Allow-Events', 'reg'],
    ['[RFC6665-4.2.3] no package', { event: '' }, 489, 'Allow-Events', 'reg'],
    ['[RFC3680-4.5b] Accept without it', { headers: ['Accept: text/plain'] }, 406, 'Accept', 'application/reginfo+xml'],
    ['[RFC3261-8.2.2.3] Require', { headers: ['Require: x, y'] }, 420, 'Unsupported', 'x, y'],
    ['[RFC3261-12.1.1] no Contact', { contact: '' }, 400, 'Content-Length', '0'],
    ['[RFC3261-12.1.1] two Contacts', { contact: 'Contact: <sip:a@h>, <sip:b@h>' }, 400, 'Content-Length', '0'],
    ['an id of Event that is no token', { event: 'Event: reg;id="a b"' }, 400, 'Content-Length', '0'],
    [
      'a dialog that is too long to keep',
      { headers: [`Record-Route: <sip:${'p'.repeat(4_096)}@h;lr>`] },
      513,
      'Content-Length',
      '0',
    ],
    ['a Contact that is no SIP URI', { contact: 'Contact: <tel:+4912345>' }, 400, 'Content-Length', '0'],
  ])('%s is refused', (_what, parts, status, header, expected) => {
    admit(parts)
    expect(bench.location.waiting()).not.toContain('subscribe')
    expect(valuesOf(bench.last(String(status)), header)).toEqual([expected])
    expect(bench.core.counts.subscriptionsFailed).toBe(1)
  })

  test.each(['application/reginfo+xml', 'text/plain, APPLICATION/REGINFO+XML;q=0.5', 'application/*', '*/*'])(
    '[RFC3680-4.5b] Accept: %s will do',
    (accept) => {
      admit({ headers: [`Accept: ${accept}`] })
      expect(bench.location.waiting()).toContain('subscribe')
    },
  )

  test('[RFC3261-8.2.3] a filter that we can not read is refused, one that may be ignored is', () => {
    const body = (disposition: string) =>
      subscribe({
        headers: ['Content-Type: application/simple-filter+xml', ...(disposition === '' ? [] : [disposition])],
      })
        .replace('Content-Length: 0', 'Content-Length: 4')
        .concat('<f/>')
    bench.udpIn(body(''))
    bench.decide({ $case: 'watchRegistrations', value: BOUNDS })
    expect(bench.take()).toEqual([`415 → udp ${ALICE}:5060`])
    bench.udpIn(body('Content-Disposition: filter;handling=optional').replace('z9hG4bK-a1', 'z9hG4bK-a2'))
    bench.decide({ $case: 'watchRegistrations', value: BOUNDS })
    expect(bench.location.waiting()).toContain('subscribe')
  })

  test('[RFC6665-4.6a] a CANCEL of it is answered and changes nothing', () => {
    const text = subscribe()
    bench.udpIn(text)
    bench.udpIn(text.replace(/^SUBSCRIBE/, 'CANCEL').replace('1 SUBSCRIBE', '1 CANCEL'))
    expect(bench.take()).toHaveLength(1)
    bench.decide({ $case: 'watchRegistrations', value: BOUNDS })
    bench.location.take('subscribe').answer({ notification: notification() })
    expect(bench.take()).toEqual([`200 → udp ${ALICE}:5060`, `NOTIFY → udp ${ALICE}:5060`])
  })

  test.each([
    ['refused', { outcome: 'refused', refusal: { sipStatus: 403, retryAfterS: 0 } }, '403'],
    ['refused while the store is away', { outcome: 'refused', refusal: { sipStatus: 503, retryAfterS: 5 } }, '503'],
    ['unknown', { outcome: 'unknown', detail: '' }, '503'],
  ])('%s by location is no 200', (_what, result, status) => {
    admit()
    bench.location.take('subscribe').end(result)
    expect(bench.take()).toEqual([`${status} → udp ${ALICE}:5060`])
  })
})

describe('a SUBSCRIBE inside the dialog', () => {
  const refresh = { toTag: 'ours', uri: OUR_CONTACT, cseq: 2, headers: ['Expires: 600'], branch: 'z9hG4bK-r' }

  test('[RFC6665-4.2.1.3] asks policy for its address, and refreshes', () => {
    bench.udpIn(subscribe(refresh))
    const { request } = bench.policy.items[0] as { request: policy.DecideRequest }
    expect(request).toMatchObject({
      method: 'SUBSCRIBE',
      requestUri: AOR,
      event: 'reg',
      from: expect.stringMatching('alice'),
    })
    bench.decide({ $case: 'watchRegistrations', value: BOUNDS })
    const item = bench.location.take<location.SubscribeRequest>('subscribe')
    expect(item.request).toMatchObject({
      initial: false,
      localTag: 'ours',
      remoteTag: 'theirs',
      remoteCseq: 2,
      aor: AOR,
    })
    item.answer({ notification: notification({ cseq: 2 }) })
    expect(bench.take()).toEqual([`200 → udp ${ALICE}:5060`, `NOTIFY → udp ${ALICE}:5060`])
    expect(valuesOf(bench.last('200'), 'To')).toEqual(['<sip:bob@example.test>;tag=ours'])
  })

  test('[RFC6665-4.2.1] of a dialog that nobody knows gets 481', () => {
    bench.udpIn(subscribe(refresh))
    bench.decide({ $case: 'watchRegistrations', value: BOUNDS })
    bench.location.take('subscribe').end({ outcome: 'refused', refusal: { sipStatus: 481, retryAfterS: 0 } })
    expect(bench.take()).toEqual([`481 → udp ${ALICE}:5060`])
  })

  test.each([
    ['challenge', { $case: 'challenge', value: { status: 401, values: ['Digest x'] } }, '401'],
    ['reject', { $case: 'reject', value: { status: 403, reason: '', retryAfterS: 0 } }, '403'],
    ['anything else', { $case: 'answer', value: { status: 200 } }, '403'],
  ])('[RFC6665-4.2.1.3] %s by policy', (_what, verdict, status) => {
    bench.udpIn(subscribe(refresh))
    bench.decide(verdict as policy.DecideResponse['verdict'])
    expect(bench.take()).toEqual([`${status} → udp ${ALICE}:5060`])
    expect(bench.location.waiting()).not.toContain('subscribe')
  })

  test.each([
    ['another method', { method: 'MESSAGE', uri: OUR_CONTACT }],
    ['another user part', { method: 'SUBSCRIBE', uri: `sip:alice@${EDGE_ADDRESS}:5060` }],
    ['a user part that names no address', { method: 'SUBSCRIBE', uri: `sip:reg.AAAA@${EDGE_ADDRESS}:5060` }],
  ])('%s still gets 481', (_what, parts) => {
    bench.udpIn(requestText({ ...parts, toTag: 'ours', headers: ['Event: reg'] }))
    expect(bench.take()).toEqual([`481 → udp ${ALICE}:5060`])
    expect(bench.core.counts.refusedNoDialog).toBe(1)
  })

  test.each([
    ['its Request-URI', { uri: 'sips:alice@example.test' }, /^Contact: <sips:/m],
    ['its first Record-Route', { headers: ['Record-Route: <sips:p.test;lr>'] }, /^Contact: <sips:/m],
    ['only a later Record-Route', { headers: ['Record-Route: <sip:p.test;lr>, <sips:q.test;lr>'] }, /^Contact: <sip:/m],
  ])('[RFC3261-8.1.1.8b] a sips Contact where %s is sips', (_what, parts, contact) => {
    admit(parts)
    const { request, answer } = bench.location.take<location.SubscribeRequest>('subscribe')
    answer({})
    expect(request.contact).toMatch(/^sips?:reg\./)
    expect(bench.last('200')).toMatch(contact)
  })

  test('[RFC6665-4.5.1] our Contact is a GRUU that leads back to its address from any listener', () => {
    for (const [transport, host, isSecure, form] of [
      ['udp', '192.0.2.1', false, /^sip:[^;]*@192\.0\.2\.1:5060;gr$/],
      ['udp', '192.0.2.1', true, /^sips:[^;]*@192\.0\.2\.1:5060;gr$/],
      ['tcp', '2001:db8::1', false, /^sip:[^;]*@\[2001:db8::1\]:5060;transport=tcp;gr$/],
      ['tls', '192.0.2.1', false, /^sips:[^;]*;gr$/],
      ['wss', '192.0.2.1', true, /^sips:[^;]*;transport=ws;gr$/],
    ] as const) {
      const facing = new Facing({ transport, host, port: 5060, edgeHash: 1, internal: false })
      const uri = dialogContact(AOR, facing, isSecure)
      expect(uri).toMatch(form)
      expect(resubscribedAor(messageOf(subscribe({ uri })))).toBe(AOR)
    }
  })
})

describe('a NOTIFY', () => {
  test('[RFC3261-12.2.1.1] [RFC6665-3.2.1a] [RFC6665-4.2.2e] [RFC6665-4.2.2f] is a request of the dialog, with its state', () => {
    push(notification({ cseq: 5, eventId: 'x1', routes: [`<sip:${BOB}:5070;lr>`, '<sip:192.0.2.8;lr>'] }))
    expect(bench.take()).toEqual([`NOTIFY → udp ${BOB}:5070`])
    const text = bench.last('NOTIFY')
    expect(text).toMatch(/^NOTIFY sip:alice@192\.0\.2\.20:5060 SIP\/2\.0\r\n/)
    expect(valuesOf(text, 'Route')).toEqual([`<sip:${BOB}:5070;lr>`, '<sip:192.0.2.8;lr>'])
    expect(valuesOf(text, 'From')).toEqual([`<${AOR}>;tag=ours`])
    expect(valuesOf(text, 'To')).toEqual([`<${AOR}>;tag=theirs`])
    expect(valuesOf(text, 'CSeq')).toEqual(['5 NOTIFY'])
    expect(valuesOf(text, 'Event')).toEqual(['reg;id=x1']) // [RFC6665-4.5.2b]
    expect(valuesOf(text, 'Subscription-State')).toEqual(['active;expires=600'])
    expect(valuesOf(text, 'Content-Type')).toEqual(['application/reginfo+xml'])
    expect(valuesOf(text, 'Contact')).toEqual([`<${OUR_CONTACT}>`])
    const body = text.slice(text.indexOf('\r\n\r\n') + 4)
    expect(valuesOf(text, 'Content-Length')).toEqual([String(body.length)])
  })

  test('[RFC6665-4.5.2b] [RFC6665-3.2.1b] the id of Event comes back', () => {
    admit({ event: 'Event: reg;id=42' })
    const { request } = bench.location.take<location.SubscribeRequest>('subscribe')
    expect(request.eventId).toBe('42')
    push(notification({ eventId: request.eventId }))
    expect(valuesOf(bench.last('NOTIFY'), 'Event')).toEqual(['reg;id=42'])
  })

  test('[RFC6665-4.2.2h] the last one says why', () => {
    push(notification({ reason: 'timeout', expiresS: 0 }))
    expect(valuesOf(bench.last('NOTIFY'), 'Subscription-State')).toEqual(['terminated;reason=timeout'])
  })

  test('[RFC3261-12.2.1.1] a strict router is the Request-URI, the watcher goes last', () => {
    push(notification({ routes: [`<sip:${BOB}:5070>`, '<sip:192.0.2.8;lr>'] }))
    const text = bench.last('NOTIFY')
    expect(text).toMatch(/^NOTIFY sip:192\.0\.2\.30:5070 SIP/)
    expect(valuesOf(text, 'Route')).toEqual(['<sip:192.0.2.8;lr>', `<sip:alice@${ALICE}:5060>`])
    expect(bench.take()).toEqual([`NOTIFY → udp ${BOB}:5070`])
  })

  test('goes behind a NAT, and down a connection of this edge', () => {
    push(notification({ remoteTarget: 'sip:alice@10.0.0.1:5060', flow: { ...flow('udp', BOB, 40_000) } }))
    const connection = bench.tcp.connect(ALICE, 50_000)
    const held = { ...flow('tcp', ALICE, 50_000), edgeId: bench.core.edgeId, flowId: connection.id }
    push(notification({ cseq: 2, remoteTarget: 'sip:alice@x.invalid;transport=tcp', flow: held }))
    expect(bench.take()).toEqual([`NOTIFY → udp ${BOB}:40000`, `NOTIFY → tcp ${connection.id}`])
  })

  test.each([200, 202, 481, 500])('its end is told to location: %i', (status) => {
    push(notification({ cseq: 9, eventId: 'x1' }))
    bench.udpIn(responseTo(bench.last('NOTIFY'), 100))
    expect(bench.location.waiting()).not.toContain('notifyDone')
    bench.udpIn(responseTo(bench.last('NOTIFY'), status, 'theirs', ['Retry-After: 7 (soon)']))
    const dialog = { aor: AOR, callId: 'watch-1', localTag: 'ours', remoteTag: 'theirs', eventId: 'x1' }
    expect(done()).toEqual({ ...dialog, cseq: 9, status, retryAfterS: 7 })
    expect(bench.core.counts.notifiesFailed).toBe(status < 300 ? 0 : 1)
  })

  test('[RFC6665-4.2.2c] no answer at all is 408', () => {
    push(notification())
    bench.advance(32_100)
    expect(done()).toMatchObject({ status: 408 })
    expect(bench.core.layer.clientCount).toBe(0)
  })

  test('no way, a lost connection, and a report that is tried again', () => {
    push(notification({ remoteTarget: 'sip:alice@nowhere.invalid', flow: undefined }))
    return new Promise(setImmediate).then(() => {
      const first = bench.location.take<location.NotifyDoneRequest>('notifyDone')
      expect(first.request).toMatchObject({ status: 430 })
      first.end({ outcome: 'unknown', detail: '' })
      expect(done()).toMatchObject({ status: 430 })
      expect(bench.core.counts.notifiesFailed).toBe(1)
      const connection = bench.tcp.connect(ALICE, 50_000)
      const held = { ...flow('tcp', ALICE, 50_000), edgeId: bench.core.edgeId, flowId: connection.id }
      push(notification({ cseq: 2, flow: held }))
      const peer = bench.peerOf(connection)
      expect(peer.clients.size).toBe(1)
      for (const client of peer.clients) bench.core.layer.transportError(client)
      expect(done()).toMatchObject({ cseq: 2, status: 503 })
      expect(peer.clients.size).toBe(0)
    })
  })

  test('its answer at another edge is handed to this one; a forged one goes nowhere', () => {
    push(notification())
    const notify = bench.last('NOTIFY')
    const other = new EdgeBench({}, 'edge-1.test')
    other.joined([edgeOf(bench.core.edgeId, '198.51.100.2')], 2n)
    other.udpIn(responseTo(notify, 200, 'theirs'))
    expect(other.take().map((line) => line.slice(0, 9))).toEqual(['RELAY → t'])
    other.udpIn(responseTo(notify, 200, 'theirs').replace('Call-ID: watch-1', 'Call-ID: other'))
    expect(other.take()).toEqual([])
    expect(other.core.counts).toMatchObject({ relayedResponses: 1, droppedStrayResponse: 1 })
    other.close()
  })
})

function flow(transport: string, address: string, port: number): location.Flow {
  return { transport, address, port, edgeId: '', flowId: 0 }
}
