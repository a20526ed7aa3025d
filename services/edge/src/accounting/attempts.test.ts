// SPDX-License-Identifier: MIT
// What the edge reports of each ending for its record: attempts with their times, who ended it and why, who answered, what was offered.
// Does not test: what the store makes of it (packages/store/src/contract), what waits for a report (call-account.test.ts).
import type { policy } from '@tandem/rpc'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BOB, EdgeBench, requestText, responseTo, stepOf, targetOf } from '../testing.ts'

let bench: EdgeBench
beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  bench.close()
  vi.useRealTimers()
})

const BOB_URI = `sip:bob@${BOB}`
const CAROL_URI = 'sip:carol@192.0.2.31'
const SDP = ['v=0', 'm=audio 6000 RTP/AVP 0', 'a=m=text', 'm=video 6002 RTP/AVP 96', 'm=audio 6004 RTP/AVP 8', ''].join(
  '\r\n',
)
const FACTS = {
  tenant: 'example.test',
  direction: 'internal',
  dialled: 'bob@example.test',
  ingressTrunk: '',
  authMethod: 'digest-md5',
  fraudVerdict: 'dry-run',
  traceId: '0af7651916cd43dd8448eb211c80319c',
}

/** @param trunks of the targets, '' for none */
const begin = (uris: string[], { trunks = [], ringMs = 0, body = '' }: Partial<Wanted> = {}): void => {
  bench = new EdgeBench()
  bench.udpIn(requestText().replace(/Content-Length: 0\r\n\r\n$/, `Content-Length: ${body.length}\r\n\r\n${body}`))
  const targets = uris.map((uri, at) => ({ ...targetOf({ $case: 'uri', value: uri }), trunk: trunks[at] }))
  const plan: policy.Plan = {
    steps: [{ ...stepOf({}), targets, ringMs }],
    edits: [],
    maxDurationS: 0,
    accounting: true,
    stateless: false,
    maxRecursions: 0,
    sourceTrusted: false,
  }
  const verdict = { $case: 'plan', value: plan } as const
  bench.policy
    .take('decide')
    .answer({ verdict, callRef: 'ref', identity: 'alice@example.test', account: 'demo', facts: FACTS })
  bench.begin()
}
interface Wanted {
  trunks: string[]
  ringMs: number
  body: string
}
const invites = () => bench.sent.filter(({ text }) => text.startsWith('INVITE')).map(({ text }) => text)
const respond = (at: number, status: number, headers: string[] = []): void => {
  const contact = status < 300 ? [`Contact: <sip:bob@${BOB}:5070>`] : []
  bench.udpIn(
    responseTo(invites()[at] ?? '', status, `callee${at}`, [...contact, ...headers]),
    at === 0 ? BOB : '192.0.2.31',
  )
}
const reported = (): policy.ReportRequest => bench.policy.take<policy.ReportRequest>('report').request

describe('a call that is answered', () => {
  test('tells what policy knew, what was offered, the attempt with its times, and who answered', () => {
    begin([BOB_URI], { body: SDP })
    bench.nowMs += 700
    respond(0, 180)
    bench.nowMs += 2_000
    respond(0, 200, ['User-Agent: phone/2'])
    const { call, event } = reported()
    expect(call).toMatchObject({ facts: FACTS, media: 'audio,video', setupAgeMs: 2_700, ringAgeMs: 2_000 })
    expect(call?.attempts).toEqual([
      { target: BOB_URI, status: 200, provisionalStatus: 180, trunk: '', startMs: 0, pddMs: 700, endMs: 2_700 },
    ])
    expect(event?.value).toMatchObject({
      target: BOB_URI,
      answerer: { aor: '', userAgent: 'phone/2', transport: 'udp', address: BOB, port: 5060, trunk: '' },
    })
  })

  test('names the trunk that answered; its Server stands for a User-Agent; the other branch is cancelled', () => {
    begin([BOB_URI, CAROL_URI], { trunks: ['carrier'] })
    respond(1, 180)
    respond(0, 200, ['Server: switch/3'])
    const { call, event } = reported()
    expect(event?.value).toMatchObject({ answerer: { userAgent: 'switch/3', trunk: 'carrier' } })
    expect(call?.attempts).toMatchObject([
      { target: BOB_URI, status: 200, trunk: 'carrier' },
      { target: CAROL_URI, status: 487, provisionalStatus: 180, trunk: '' },
    ])
  })

  test('has a leg for each answer of a fork, and says only with the first who answered', () => {
    begin([BOB_URI, CAROL_URI])
    respond(0, 200)
    const first = bench.policy.take<policy.ReportRequest>('report')
    expect(first.request.event?.value).toMatchObject({ toTag: 'callee0', answerer: { address: BOB } })
    first.answer({})
    respond(1, 200)
    expect(reported().event?.value).toMatchObject({ toTag: 'callee1', answerer: undefined })
  })
})

describe('a call that is missed', () => {
  test('486: the callee rejects, with its Reason', () => {
    begin([BOB_URI])
    bench.nowMs += 1_500
    respond(0, 486, ['Reason: Q.850;cause=17;text="User busy"'])
    const { call, event } = reported()
    expect(event).toMatchObject({
      $case: 'failed',
      value: { status: 486, cause: 'rejected', by: 'callee', reason: 'Q.850;cause=17;text="User busy"' },
    })
    expect(call?.attempts).toMatchObject([{ target: BOB_URI, status: 486, startMs: 0, endMs: 1_500 }])
    expect(call?.attempts[0]?.pddMs).toBeUndefined()
  })

  test('CANCEL: the caller gives up, with its Reason; what rang is 487', () => {
    begin([BOB_URI])
    respond(0, 180)
    bench.udpIn(requestText({ method: 'CANCEL', headers: ['Reason: SIP;cause=600;text="Changed mind"'] }))
    respond(0, 487)
    const { call, event } = reported()
    expect(event?.value).toMatchObject({
      status: 487,
      cause: 'cancelled',
      by: 'caller',
      reason: 'SIP;cause=600;text="Changed mind"',
    })
    expect(call?.attempts).toMatchObject([{ status: 487, provisionalStatus: 180, pddMs: 0 }])
  })

  test('302: redirected, by the callee', () => {
    begin([BOB_URI])
    respond(0, 302, ['Contact: <sip:bob@elsewhere.test>'])
    expect(reported().event?.value).toMatchObject({ status: 302, cause: 'redirected', by: 'callee' })
  })

  test('every target fails: each is an attempt, in order, and the best failure counts', () => {
    begin([BOB_URI, CAROL_URI])
    bench.nowMs += 300
    respond(0, 503)
    bench.nowMs += 200
    respond(1, 486)
    const { call, event } = reported()
    expect(event?.value).toMatchObject({ status: 486, cause: 'rejected', by: 'callee' })
    expect(call?.attempts).toMatchObject([
      { target: BOB_URI, status: 503, endMs: 300 },
      { target: CAROL_URI, status: 486, endMs: 500 },
    ])
  })

  test('nobody answers within the ring time: the cluster ends it', () => {
    begin([BOB_URI], { ringMs: 20_000 })
    respond(0, 180)
    bench.advance(20_500)
    respond(0, 487)
    expect(reported().event?.value).toMatchObject({ status: 408, cause: 'unanswered', by: 'system' })
  })

  test('nobody is reached: there is an attempt without any response', () => {
    begin([BOB_URI])
    bench.advance(33_000)
    const { call, event } = reported()
    expect(event?.value).toMatchObject({ status: 408, by: 'system' })
    expect(call?.attempts).toMatchObject([{ status: 408, provisionalStatus: 0 }])
  })
})

test.each([
  ['', ''],
  ['m=message 7394 TCP/MSRP *\r\n', 'message'],
  ['v=0\nm=AUDIO 1 RTP/AVP 0\nm=audio 2 RTP/AVP 0', 'audio'],
  ['v=0\r\nm=audio', ''],
  ['v=0\r\nm=\r\nm=aud,io 1 x\r\nxm=audio 1\r\n', ''],
  [Array.from('abcdefghij', (kind) => `m=${kind} 1 x\r\n`).join(''), 'a,b,c,d,e,f,g,h'],
])('media of %j: %j', (body, media) => {
  begin([BOB_URI], { body })
  respond(0, 486)
  expect(reported().call?.media).toBe(media)
})
