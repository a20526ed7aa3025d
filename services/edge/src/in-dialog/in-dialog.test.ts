// SPDX-License-Identifier: MIT
// Requests inside a dialog: the way by token and Route set, the ACK of a 2xx, and what the end of a call reports.
// Does not test: the hop to another edge (hops.test.ts).
import { type policy, unknown } from '@tandem/rpc'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ALICE, BOB, EdgeBench, type RequestOptions, requestText, responseTo, valuesOf } from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const UP = `udp ${ALICE}:5060`
const BOB_URI = `sip:bob@${BOB}`
const BOB_CONTACT = `sip:bob@${BOB}:5070`
const NAT_VIA = 'Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-a1;rport'

/** A call from alice to bob that is answered; gives the Route lines of the dialog. */
const answered = (invite: RequestOptions = {}, port = 5060, uri = BOB_URI, callRef = 'ref'): string[] => {
  bench = new EdgeBench()
  bench.udpIn(requestText(invite), ALICE, port)
  bench.plan([[uri]], {}, callRef)
  bench.begin()
  bench.udpIn(responseTo(bench.last('INVITE'), 200, 'bob', [`Contact: <${BOB_CONTACT}>`]), BOB)
  if (callRef !== '') bench.policy.take('report').answer({})
  bench.take()
  return valuesOf(bench.last('200'), 'Record-Route').map((value) => `Route: ${value}`)
}

const inDialog = (headers: string[], options: RequestOptions = {}): string =>
  requestText({ method: 'BYE', uri: BOB_CONTACT, toTag: 'bob', branch: 'z9hG4bK-a2', cseq: 2, headers, ...options })

const fromBob = (headers: string[], options: RequestOptions = {}): string =>
  requestText({
    method: 'BYE',
    uri: `sip:alice@${ALICE}`,
    via: `Via: SIP/2.0/UDP ${BOB}:5060;branch=z9hG4bK-b1`,
    fromTag: 'bob',
    toTag: 'alice',
    headers,
    ...options,
  })

const ended = (): unknown => {
  if (!bench.policy.waiting().includes('report')) return undefined
  const { event } = bench.policy.take<policy.ReportRequest>('report').request
  return event?.$case === 'ended' ? event.value : event
}

describe('the way', () => {
  test('MUST go by the Request-URI once our Routes are popped [RFC3261-16.12]', () => {
    const routes = answered()
    bench.udpIn(inDialog(routes))
    expect(bench.take()).toEqual([`BYE → udp ${BOB}:5070`])
    const text = bench.last('BYE')
    expect(valuesOf(text, 'Route')).toEqual([])
    expect(text.startsWith(`BYE ${BOB_CONTACT} SIP/2.0`)).toBe(true)
    expect(bench.policy.waiting()).toEqual([])
  })

  test('MUST go to the next Route where another proxy follows [RFC3261-16.6.7d]', () => {
    const routes = answered()
    bench.udpIn(inDialog([...routes, 'Route: <sip:192.0.2.66:5090;lr>']))
    expect(bench.take()).toEqual(['BYE → udp 192.0.2.66:5090'])
    expect(valuesOf(bench.last('BYE'), 'Route')).toEqual(['<sip:192.0.2.66:5090;lr>'])
  })

  test('to a caller behind NAT by the address that it called from', () => {
    const routes = answered({ via: NAT_VIA }, 6_000)
    bench.udpIn(fromBob(routes, { uri: 'sip:alice@10.0.0.1' }), BOB)
    expect(bench.take()).toEqual([`BYE → udp ${ALICE}:6000`])
  })

  test('to a flow of this edge; gone, to the contact itself', () => {
    const routes = answered({}, 5060, `${BOB_URI};transport=tcp`)
    bench.udpIn(inDialog(routes))
    expect(bench.take()).toEqual(['BYE → tcp 1'])
    const [flow] = bench.tcp.connections
    flow?.close()
    bench.udpIn(inDialog(routes, { branch: 'z9hG4bK-a3' }))
    expect(bench.take()).toEqual([`BYE → udp ${BOB}:5070`])
  })

  test('no way: 430 for a flow that is gone [RFC5626-5.3.1b], and the call has ended', () => {
    const routes = answered({}, 5060, `${BOB_URI};transport=tcp`)
    const [flow] = bench.tcp.connections
    flow?.close()
    bench.udpIn(inDialog(routes, { uri: 'sips:bob@192.0.2.30' }))
    expect(bench.core.counts.flowFailures).toBe(1)
    expect(bench.take()).toEqual([])
    const report = bench.policy.take<policy.ReportRequest>('report')
    expect(report.request.event).toMatchObject({ value: { status: 408 } })
    report.answer({})
    expect(bench.take()).toEqual([`430 → ${UP}`])
  })

  test('sips does not go back over TCP because the dialog came so [RFC3261-26.2.2c] [RFC5630-5.3a]', () => {
    const routes = answered({}, 5060, `${BOB_URI};transport=tcp`)
    bench.udpIn(inDialog(routes, { uri: 'sips:bob@192.0.2.30', method: 'INFO' }))
    expect(bench.take()).toEqual([`430 → ${UP}`])
    const [flow] = bench.tcp.connections
    if (flow === undefined) throw new Error('no connection')
    flow.transport = 'tls'
    bench.udpIn(inDialog(routes, { uri: 'sips:bob@192.0.2.30', branch: 'z9hG4bK-a4' }))
    expect(bench.take()).toEqual(['BYE → tcp 1'])
  })

  test('a token of another call, or of another dialog, is forged: 403 [RFC5626-5.3.1a]', () => {
    const routes = answered()
    bench.udpIn(inDialog(routes, { callId: 'call-2' }))
    bench.udpIn(inDialog(routes, { fromTag: 'mallory', toTag: 'x', branch: 'z9hG4bK-m' }))
    expect(bench.take()).toEqual([`403 → ${UP}`, `403 → ${UP}`])
  })

  test('a token without a To tag is no way in: 403', () => {
    const routes = answered()
    bench.udpIn(requestText({ uri: BOB_CONTACT, headers: routes, branch: 'z9hG4bK-n' }))
    expect(bench.take()).toEqual([`403 → ${UP}`])
  })

  test('an INVITE inside the dialog gets 100, and no directory, decision or second Record-Route [RFC3261-17.2.1a]', () => {
    const routes = answered()
    bench.udpIn(inDialog(routes, { method: 'INVITE' }))
    expect(bench.take()).toEqual([`100 → ${UP}`, `INVITE → udp ${BOB}:5070`])
    expect(valuesOf(bench.last('INVITE'), 'Record-Route')).toEqual([])
    expect(bench.policy.waiting()).toEqual([])
  })
})

describe('ACK of a 2xx', () => {
  test('MUST be forwarded without a transaction [RFC3261-17]', () => {
    const routes = answered()
    const { clientCount, serverCount } = bench.core.layer
    bench.udpIn(inDialog(routes, { method: 'ACK', cseq: 1 }))
    expect(bench.take()).toEqual([`ACK → udp ${BOB}:5070`])
    expect([bench.core.layer.clientCount, bench.core.layer.serverCount]).toEqual([clientCount, serverCount])
  })

  test('repeated, it is forwarded again with the same branch', () => {
    const routes = answered()
    const ack = inDialog(routes, { method: 'ACK', cseq: 1 })
    bench.udpIn(ack)
    const first = bench.last('ACK')
    bench.udpIn(ack)
    expect(bench.last('ACK')).toBe(first)
    expect(bench.core.counts.acksForwarded).toBe(2)
  })

  test('that names a host waits for its address on bytes of its own', async () => {
    const routes = answered()
    bench.udpIn(inDialog([...routes, 'Route: <sip:nowhere.test;lr>'], { method: 'ACK', cseq: 1 }))
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(bench.take()).toEqual([])
    expect(bench.core.counts.droppedAck).toBe(1)
  })

  test('MUST NOT be answered or forwarded with Max-Forwards 0', () => {
    const routes = answered()
    bench.udpIn(inDialog([...routes, 'Max-Forwards: 0'], { method: 'ACK' }))
    expect(bench.take()).toEqual([])
    expect(bench.core.counts.droppedAck).toBe(1)
  })

  test('with the branch of the INVITE it belongs to the 2xx all the same [RFC6026-7.1d]', () => {
    const routes = answered()
    bench.udpIn(inDialog(routes, { method: 'ACK', branch: 'z9hG4bK-a1', cseq: 1 }))
    expect(bench.take()).toEqual([`ACK → udp ${BOB}:5070`])
  })
})

describe('the end of a call (STATE.md, "End")', () => {
  const bye = (status: number): void => {
    const routes = answered()
    bench.udpIn(inDialog([...routes, 'Reason: Q.850;cause=16']))
    bench.nowMs += 1_500
    bench.udpIn(responseTo(bench.last('BYE'), status), BOB)
  }

  test.each([200, 481, 408])('a BYE that gets %i ends it', (status) => {
    bye(status)
    expect(ended()).toEqual({
      fromTag: 'alice',
      toTag: 'bob',
      by: 'caller',
      status,
      reason: 'Q.850;cause=16',
    })
  })

  test.each([401, 407, 483, 500, 503])('a BYE that gets %i ends nothing', (status) => {
    bye(status)
    expect(ended()).toBeUndefined()
  })

  test('as of the arrival of the BYE', () => {
    const routes = answered()
    bench.udpIn(inDialog(routes))
    bench.nowMs += 1_500
    bench.udpIn(responseTo(bench.last('BYE'), 200), BOB)
    expect(bench.policy.take<policy.ReportRequest>('report').request.ageMs).toBe(1_500)
  })

  test('a BYE that nobody answers ends it, and the sender is told nothing [RFC4320-4.2a]', () => {
    const routes = answered()
    bench.udpIn(inDialog(routes))
    bench.advance(33_000)
    expect(ended()).toMatchObject({ status: 408 })
    expect(bench.take().filter((word) => word.startsWith('408'))).toEqual([])
  })

  test('by the callee, told from the caller’s side', () => {
    const routes = answered()
    bench.udpIn(fromBob(routes), BOB)
    bench.udpIn(responseTo(bench.last('BYE'), 200))
    const { request } = bench.policy.take<policy.ReportRequest>('report')
    expect(request).toMatchObject({
      callRef: 'ref',
      call: { fromTag: 'alice', fromUri: 'sip:bob@example.test' },
      event: { value: { by: 'callee', fromTag: 'bob', toTag: 'alice' } },
    })
  })

  test('a repeated BYE is absorbed and reports once', () => {
    const routes = answered()
    const text = inDialog(routes)
    bench.udpIn(text)
    bench.udpIn(text)
    bench.udpIn(responseTo(bench.last('BYE'), 200), BOB)
    bench.udpIn(text)
    bench.policy.take('report').answer({})
    bench.udpIn(text)
    expect(bench.policy.waiting()).toEqual([])
    expect(bench.take()).toEqual([`BYE → udp ${BOB}:5070`, `200 → ${UP}`, `200 → ${UP}`])
  })

  test.each([200, 481])('its %i goes on once the end is on record, and not before', (status) => {
    bye(status)
    bench.udpIn(responseTo(bench.last('BYE'), status), BOB) // repeated: absorbed
    expect(bench.take()).toEqual([`BYE → udp ${BOB}:5070`])
    expect(bench.core.proxy.inProgress).toBe(1)
    bench.policy.take('report').answer({})
    expect(bench.take()).toEqual([`${status} → ${UP}`])
    expect(bench.core.proxy.inProgress).toBe(0)
    bench.advance(33_000)
    expect(bench.core.layer.serverCount + bench.core.layer.clientCount).toBe(0)
  })

  test('an end that policy will not have holds nothing back', () => {
    bye(200)
    bench.policy
      .take('report')
      .end({ outcome: 'refused', refusal: { code: 'x', sipStatus: 400, detail: '', retryAfterS: 0 } })
    expect(bench.take()).toEqual([`BYE → udp ${BOB}:5070`, `200 → ${UP}`])
  })

  test('policy is away: the 200 waits for the deadline, and the report goes on being sent', () => {
    vi.useFakeTimers()
    try {
      bye(200)
      bench.policy.take('report').end(unknown('timeout'))
      vi.advanceTimersByTime(bench.core.config.reportDeadlineMs - 1)
      expect(bench.take()).toEqual([`BYE → udp ${BOB}:5070`])
      vi.advanceTimersByTime(1)
      expect(bench.take()).toEqual([`200 → ${UP}`])
      expect(bench.core.counts.endsLate).toBe(1)
      expect(bench.core.reporter.pending).toBe(1)
      bench.policy.take('report').answer({})
      expect(bench.core.reporter.pending).toBe(0)
      expect(bench.take()).toEqual([])
    } finally {
      vi.useRealTimers()
    }
  })

  test('a call that leaves no record waits for nothing', () => {
    const routes = answered({}, 5060, BOB_URI, '')
    bench.udpIn(inDialog(routes))
    bench.udpIn(responseTo(bench.last('BYE'), 200), BOB)
    expect(bench.policy.waiting()).toEqual([])
    expect(bench.take()).toEqual([`BYE → udp ${BOB}:5070`, `200 → ${UP}`])
  })
})
