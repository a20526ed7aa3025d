// SPDX-License-Identifier: MIT
// Reports to policy: sent until they are taken, ages that grow, a bounded queue. On vitest's clock.
import { type PolicyMethods, type policy, refused, unknown } from '@tandem/rpc'
import { createLogger } from '@tandem/service-kit'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { callerOf, ManualService } from '../testing.ts'
import { Reporter } from './reporter.ts'

const UNKNOWN_AGE = 0xffffffff
let service: ManualService
let nowMs: number
const clock = (ms: number): void => {
  nowMs += ms
  vi.advanceTimersByTime(ms)
}

beforeEach(() => {
  vi.useFakeTimers()
  service = new ManualService()
  nowMs = 0
})
afterEach(() => {
  vi.useRealTimers()
})

const reporterOf = (capacity?: number): Reporter =>
  new Reporter({
    policy: callerOf<PolicyMethods, policy.Push>(service),
    timeoutMs: 1_000,
    logger: createLogger({ level: 'silent', service: 'test' }),
    now: () => nowMs,
    ...(capacity === undefined ? {} : { capacity }),
  })

const REPORT: policy.ReportRequest = {
  callRef: 'ref',
  call: {
    callId: 'c',
    fromTag: 'a',
    fromUri: '',
    toUri: '',
    requestUri: '',
    source: undefined,
    identity: '',
    account: '',
    edgeId: 'e',
    userAgent: '',
    setupAgeMs: 500,
    ringAgeMs: UNKNOWN_AGE,
    attempts: [],
  },
  event: { $case: 'answered', value: { toTag: 'b', status: 200, target: '' } },
  ageMs: 10,
}

const next = () => service.take<policy.ReportRequest>('report')

describe('a report', () => {
  test('that is stored is told once', () => {
    const reporter = reporterOf()
    const outcomes: string[] = []
    expect(reporter.report(REPORT, (outcome) => outcomes.push(outcome))).toBe(true)
    next().answer({})
    expect(outcomes).toEqual(['stored'])
    expect(reporter.pending).toBe(0)
    expect(reporter.counts).toEqual({ reports: 1, stored: 1, refused: 0, retries: 0, dropped: 0 })
  })

  test.each([
    ['unknown', unknown('timeout')],
    ['a store that is away', refused('away', 503, '')],
  ])('is sent again after %s, at growing intervals, as old as it is by then', (_name, result) => {
    const reporter = reporterOf()
    reporter.report(REPORT)
    const waits: number[] = []
    for (const wait of [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
      next().end(result)
      clock(wait - 1)
      expect(service.waiting()).toEqual([])
      clock(1)
      waits.push(wait)
    }
    const { request } = next()
    const elapsed = waits.reduce((sum, wait) => sum + wait, 0)
    expect(request).toMatchObject({ ageMs: 10 + elapsed, call: { setupAgeMs: 500 + elapsed, ringAgeMs: UNKNOWN_AGE } })
    expect(REPORT.ageMs).toBe(10)
    expect(reporter.counts.retries).toBe(8)
  })

  test('that policy will not have is not sent again', () => {
    const reporter = reporterOf()
    const outcomes: string[] = []
    reporter.report(REPORT, (outcome) => outcomes.push(outcome))
    next().end(refused('bad', 400, ''))
    clock(60_000)
    expect([outcomes, service.waiting(), reporter.counts.refused]).toEqual([['refused'], [], 1])
  })

  test('beyond the bound is dropped, counted, and never told', () => {
    const reporter = reporterOf(2)
    const taken = [1, 2, 3].map(() => reporter.report(REPORT))
    expect(taken).toEqual([true, true, false])
    expect(reporter.counts.dropped).toBe(1)
    next().answer({})
    expect(reporter.report(REPORT)).toBe(true)
  })
})

describe('the end', () => {
  test('drain waits for what is pending', async () => {
    const reporter = reporterOf()
    reporter.report(REPORT)
    const drained = reporter.drain(5_000)
    next().answer({})
    expect(await drained).toBe(0)
    expect(await reporter.drain(5_000)).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('drain says what is left at its deadline; close sends nothing more', async () => {
    const reporter = reporterOf()
    reporter.report(REPORT)
    reporter.report(REPORT)
    next().end(unknown('x'))
    const drained = reporter.drain(50)
    clock(50)
    expect(await drained).toBe(2)
    reporter.close()
    next().end(unknown('x'))
    clock(60_000)
    expect(service.waiting()).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })
})
