// SPDX-License-Identifier: MIT
// The accounting of a call at the edge (STATE.md, "Answer" and "End"): what waits for its report, what is reported, and what
// happens where no report is taken in time. The deadline runs on vitest's clock.
// Does not test: what policy makes of reports.
import { type policy, unknown } from '@tandem/rpc'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ALICE, BOB, EdgeBench, requestText, responseTo, valuesOf } from '../testing.ts'

let bench: EdgeBench
beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  bench.close()
  vi.useRealTimers()
})

const UP = `udp ${ALICE}:5060`
const DOWN = `udp ${BOB}:5060`
const BOB_URI = `sip:bob@${BOB}`
const CAROL_URI = 'sip:carol@192.0.2.31'

const ring = (settings: Record<string, unknown> = {}, uris = [BOB_URI]): void => {
  bench = new EdgeBench({ 'edge.reportDeadlineMs': 1_000, ...settings })
  bench.udpIn(requestText())
  bench.plan([uris], {}, 'ref')
  bench.begin()
  bench.take()
}

const CONTACT = [`Contact: <sip:bob@${BOB}:5070>`]
const answer = (status: number, tag = 'bob'): void => {
  const invites = bench.sent.filter(({ text }) => text.startsWith('INVITE'))
  const invite = invites.at(tag === 'carol' ? -1 : 0)?.text ?? ''
  bench.udpIn(responseTo(invite, status, tag, status < 300 ? CONTACT : []), BOB)
}

const describedCall: policy.Call = {
  callId: '',
  fromTag: 'alice',
  fromUri: '',
  toUri: '',
  requestUri: '',
  source: undefined,
  identity: '',
  account: '',
  edgeId: 'e',
  userAgent: '',
  setupAgeMs: 0,
  ringAgeMs: 0,
  attempts: [],
}

const reported = () => bench.policy.take<policy.ReportRequest>('report')

describe('an answer', () => {
  test('waits until it is on record, and its repetitions with it; then all pass', () => {
    ring()
    bench.nowMs += 2_000
    answer(180)
    bench.nowMs += 3_000
    answer(200)
    answer(200)
    expect(bench.take()).toEqual([`180 → ${UP}`])
    const report = reported()
    expect(report.request).toMatchObject({
      callRef: 'ref',
      event: { $case: 'answered', value: { toTag: 'bob', status: 200, target: BOB_URI } },
      call: { callId: 'call-1', fromTag: 'alice', setupAgeMs: 5_000, ringAgeMs: 3_000 },
    })
    expect(bench.policy.waiting()).toEqual([])
    report.answer({})
    expect(bench.take()).toEqual([`200 → ${UP}`])
    expect(bench.location.take('endCall').request).toMatchObject({ finalStatus: 200 })
    answer(200)
    expect(bench.take()).toEqual([`200 → ${UP}`])
    expect(bench.policy.waiting()).toEqual([])
    expect(bench.core.counts.callsAnswered).toBe(1)
  })

  test('of a second branch is a leg of its own', () => {
    ring({}, [BOB_URI, CAROL_URI])
    answer(200)
    reported().answer({})
    answer(200, 'carol')
    const { request, answer: store } = reported()
    expect(request.event).toMatchObject({ value: { toTag: 'carol' } })
    expect(bench.take()).toEqual([`200 → ${UP}`])
    store({})
    expect(bench.take()).toEqual([`200 → ${UP}`])
  })

  test('at once ends the other branches', () => {
    ring({}, [BOB_URI, CAROL_URI])
    answer(180, 'carol')
    answer(200)
    expect(bench.take()).toEqual([`180 → ${UP}`, 'CANCEL → udp 192.0.2.31:5060'])
  })

  test('a CANCEL while it waits gets 200, and the INVITE no 487 [RFC3261-9.2]', () => {
    ring()
    answer(200)
    bench.udpIn(requestText({ method: 'CANCEL' }))
    expect(bench.take()).toEqual([`200 → ${UP}`])
    reported().answer({})
    expect(bench.take()).toEqual([`200 → ${UP}`])
  })

  test('that policy refuses to record passes all the same: a report never refuses an answer', () => {
    ring()
    answer(200)
    reported().end({ outcome: 'refused', refusal: { code: 'x', sipStatus: 400, detail: '', retryAfterS: 0 } })
    expect(bench.take()).toEqual([`200 → ${UP}`])
  })
})

describe('an answer whose report is late', () => {
  test('open: passes at the deadline, counted; the outcome that comes then changes nothing', () => {
    ring()
    answer(200)
    vi.advanceTimersByTime(999)
    expect(bench.take()).toEqual([])
    vi.advanceTimersByTime(1)
    expect(bench.take()).toEqual([`200 → ${UP}`])
    expect(bench.core.counts.answersLate).toBe(1)
    reported().answer({})
    expect(bench.take()).toEqual([])
    answer(200)
    expect(bench.take()).toEqual([`200 → ${UP}`])
  })

  const closed = (uris?: string[]): void => {
    ring({ 'edge.whenReportLate': 'closed' }, uris)
    answer(200)
  }

  test('closed: the callee gets ACK and BYE, the caller 503; nothing fails when the BYE’s transaction ends', () => {
    closed()
    vi.advanceTimersByTime(1_000)
    expect(bench.take()).toEqual([`ACK → ${DOWN}`, `BYE → ${DOWN}`, `503 → ${UP}`])
    const [ack, bye] = [bench.last('ACK'), bench.last('BYE')]
    expect(ack.split('\r\n')[0]).toBe(`ACK sip:bob@${BOB}:5070 SIP/2.0`)
    expect(valuesOf(ack, 'CSeq')).toEqual(['1 ACK'])
    expect(valuesOf(bye, 'CSeq')).toEqual(['2 BYE'])
    expect(valuesOf(bye, 'From')).toEqual(['<sip:alice@example.test>;tag=alice'])
    expect(valuesOf(bye, 'To')).toEqual(['<sip:bob@example.test>;tag=bob'])
    bench.udpIn(responseTo(bye, 200), BOB)
    bench.advance(40_000)
    expect(bench.core.layer.clientCount).toBe(0)
    expect(bench.core.proxy.inProgress).toBe(0)
  })

  test('closed: the call failed, and has ended if it is on record all the same', () => {
    closed()
    reported()
    vi.advanceTimersByTime(1_000)
    expect(reported().request.event).toMatchObject({ $case: 'failed', value: { status: 503 } })
    expect(reported().request.event).toMatchObject({
      $case: 'ended',
      value: { fromTag: 'alice', toTag: 'bob', by: 'system', status: 503 },
    })
  })

  test('closed: no repetition of the answer goes up, nor the report’s late outcome', () => {
    closed()
    const report = reported()
    vi.advanceTimersByTime(1_000)
    bench.take()
    report.answer({})
    answer(200)
    expect(bench.take()).toEqual([])
  })

  test('closed: a second leg that is late ends by itself; the first goes on', () => {
    closed([BOB_URI, CAROL_URI])
    reported().answer({})
    answer(200, 'carol')
    bench.take()
    vi.advanceTimersByTime(1_000)
    expect(bench.take()).toEqual(['ACK → udp 192.0.2.31:5060', 'BYE → udp 192.0.2.31:5060'])
    expect(bench.policy.waiting()).toEqual(['report', 'report'])
    reported()
    expect(reported().request.event).toMatchObject({ $case: 'ended', value: { toTag: 'carol' } })
  })
})

describe('an answer that comes when the caller has his failure', () => {
  test('[RFC6026-8.3] after a hang-up in set-up it does not go up: the callee gets ACK and BYE, once', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    const asked = bench.policy.items[0]?.request as policy.DecideRequest
    bench.plan([[BOB_URI]], {}, 'ref')
    bench.begin()
    const invite = bench.last('INVITE')
    const about = {
      commandId: 'ref.1',
      callRef: 'ref',
      reason: 'SIP;cause=402',
      status: 402,
      attempt: 1,
    }
    const call = { ...describedCall, callId: 'call-1' }
    bench.policy.push({
      event: { $case: 'hangUp', value: { ...about, transactionKey: asked.transactionKey, call, dialogs: [] } },
    })
    expect(bench.take()).toContain(`402 → ${UP}`)
    bench.udpIn(responseTo(invite, 200, 'bob', CONTACT), BOB)
    expect(bench.take()).toEqual([`ACK → ${DOWN}`, `BYE → ${DOWN}`])
    expect(valuesOf(bench.last('BYE'), 'Reason')).toEqual(['SIP;cause=402'])
    bench.udpIn(responseTo(invite, 200, 'bob', CONTACT), BOB)
    expect(bench.take()).toEqual([])
    expect(bench.core.counts.lateAnswersEnded).toBe(1)
  })
})

describe('a call that is not answered', () => {
  const cause = (): unknown => {
    const { event } = reported().request
    return event?.$case === 'failed' ? [event.value.status, event.value.cause] : event
  }

  test.each([
    [486, [486, 'rejected']],
    [480, [480, 'unreachable']],
    [408, [408, 'unanswered']],
    [500, [500, 'error']],
    [603, [603, 'rejected']],
  ])('%i', (status, expected) => {
    ring()
    answer(status)
    expect(cause()).toEqual(expected)
    expect(bench.core.counts.callsFailed).toBe(1)
  })

  test('cancelled', () => {
    ring()
    answer(180)
    bench.udpIn(requestText({ method: 'CANCEL' }))
    answer(487)
    expect(cause()).toEqual([487, 'cancelled'])
  })

  test('cancelled before its decision came', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    bench.udpIn(requestText({ method: 'CANCEL' }))
    bench.plan([[BOB_URI]], {}, 'ref')
    expect(cause()).toEqual([487, 'cancelled'])
  })

  test('nobody picked up: Timer C', () => {
    ring({ 'edge.timers.timerCMs': 5_000 })
    answer(180)
    bench.advance(5_200)
    answer(487)
    expect(bench.take()).toEqual([`180 → ${UP}`, `CANCEL → ${DOWN}`, `ACK → ${DOWN}`, `408 → ${UP}`])
    expect(cause()).toEqual([408, 'unanswered'])
  })

  test('the directory did not take it', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    bench.plan([[BOB_URI]], {}, 'ref')
    bench.location.take('beginCall').end(unknown('timeout'))
    expect(cause()).toEqual([503, 'error'])
  })

  test('a challenge leaves no record', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    bench.decide({ $case: 'challenge', value: { status: 407, values: ['Digest a'] } })
    expect(bench.policy.waiting()).toEqual([])
  })
})
