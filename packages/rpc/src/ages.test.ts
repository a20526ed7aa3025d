// SPDX-License-Identifier: MIT
//
// Ages of a report that waits: at its sender while the stream is stalled, on the way to a service that does not read, at a service
// without a stream. What waits for a store, and repeats of a report, are the edge's (services/edge/src/accounting).
import { afterEach, describe, expect, it } from 'vitest'
import { agedReport } from './aged-request.ts'
import { BatchWriter } from './batch.ts'
import { deferred, turn } from './contract-kit.ts'
import { DecideRequest, ReportRequest } from './gen/tandem/policy/v1/policy.ts'
import { done, refused } from './result.ts'
import { createRpcServer } from './rpc-server.ts'
import { type PolicyHandlers, servePolicy } from './serve.ts'
import { policyService } from './service.ts'
import { createStreamCaller } from './stream-caller.ts'
import { Transit } from './transit.ts'
import { encodeRequestBody } from './wire-copy.ts'

const closers: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const UNKNOWN = 0xffff_ffff
const CALL = { setupAgeMs: 5_000, ringAgeMs: UNKNOWN } as never
const report = (callRef: string) => ReportRequest.fromPartial({ callRef, ageMs: 100, call: CALL })

async function open(decide: PolicyHandlers['decide']) {
  const reports = new Map<string, ReportRequest>()
  const handlers = {
    decide,
    report: (request: ReportRequest) => {
      reports.set(request.callRef, request)
      return done({ paidMs: undefined })
    },
  } as unknown as PolicyHandlers
  const server = createRpcServer()
  servePolicy(server, handlers, { maxInProgressPerStream: 4 })
  const address = `127.0.0.1:${await server.listen('127.0.0.1', 0)}`
  closers.push(() => server.close(0))
  const caller = createStreamCaller(policyService, [address], { peer: 'edge-1.a' })
  closers.push(() => caller.close())
  while (!caller.ready) await turn()
  return { caller, reports }
}

describe('the age of a report', () => {
  it('is what it was told where nothing waits', async () => {
    const { caller, reports } = await open(() => refused('no', 403, 'no'))
    const before = performance.now()
    await caller.invoke('report', report('quick'), 10_000)
    const tookMs = performance.now() - before
    const { ageMs = 0, call } = reports.get('quick') ?? {}
    expect(ageMs).toBeGreaterThanOrEqual(100)
    expect(ageMs).toBeLessThanOrEqual(100 + Math.ceil(tookMs))
    expect(call?.ringAgeMs).toBe(UNKNOWN)
  })

  it.each([
    ['in the queue of the sender', 2_000, 2_000],
    ['on the way to a service that does not read', 8, 200],
  ])('grows while it waits %s', async (_where, calls, bytes) => {
    const { promise: released, resolve: release } = deferred<void>()
    const { caller, reports } = await open(() => released.then(() => refused('no', 403, 'no')))
    await caller.invoke('report', report('first'), 10_000)
    const request = DecideRequest.fromPartial({ transactionKey: 'k', from: 'x'.repeat(bytes) })
    for (let k = 0; k < calls; k++) {
      caller.call('decide', request, 30_000, () => undefined)
      if (k % 50 === 0) await turn()
    }
    await sleep(30)
    const handedMs = performance.now()
    const told = caller.invoke('report', report('late'), 30_000)
    await sleep(400)
    expect(reports.has('late')).toBe(false)
    release()
    await told
    const { ageMs = 0, call } = reports.get('late') ?? {}
    expect(ageMs).toBeGreaterThanOrEqual(100 + 350)
    expect(ageMs).toBeLessThanOrEqual(100 + Math.ceil(performance.now() - handedMs))
    expect((call?.setupAgeMs ?? 0) - ageMs).toBe(4_900)
    expect(call?.ringAgeMs).toBe(UNKNOWN)
  })

  it('does not pass its bounds', () => {
    expect(agedReport(ReportRequest.fromPartial({ ageMs: UNKNOWN - 5 }), 100).ageMs).toBe(UNKNOWN - 1)
  })
})

describe('a batch of policy', () => {
  it('is what the generated decoder reads, with times of waiting and of writing', () => {
    const body = encodeRequestBody(policyService, 'report', report('r'))
    const batch = new BatchWriter(2 * body.length, 2)
    batch.append(1, 500, body, 70_000)
    batch.append(2, 500, body)
    batch.sentAt(4_000_000_000)
    const read = policyService.request.decode(batch.finish())
    expect(read.sentMs).toBe(4_000_000_000)
    expect(read.items.map(({ waitedMs }) => waitedMs)).toEqual([70_000, 0])
  })
})

describe('Transit', () => {
  it('is how much longer than the shortest way of late, whatever the clocks show', () => {
    for (const offset of [0, 123_456, -99_999]) {
      const transit = new Transit()
      const at = (sentMs: number, wayMs: number) => transit.lateness(sentMs >>> 0, sentMs + offset + wayMs)
      expect(at(1_000, 3)).toBe(0)
      expect(at(1_100, 1)).toBe(0)
      expect(at(1_200, 501)).toBe(500)
      expect(at(1_800, 1)).toBe(0)
      // A stall that is longer than a window.
      expect(at(2_000, 90_001)).toBe(90_000)
      // What is always slow is no delay after a while.
      expect(at(93_000, 1)).toBe(0)
      expect(at(160_000, 301)).toBe(300)
      expect(at(400_000, 301)).toBe(0)
    }
  })

  it('goes over the end of the clock', () => {
    const transit = new Transit()
    const turnMs = 2 ** 32
    expect(transit.lateness((turnMs - 10) >>> 0, 50)).toBe(0)
    expect(transit.lateness(20, 80 + 200)).toBe(200)
  })
})
