// SPDX-License-Identifier: MIT
//
// What is sent, what is held, what is dropped: the bounds of it all.
import { describe, expect, it, vi } from 'vitest'
import { ExportQueue, type SpanExporter } from './export-queue.ts'
import { FailureFilter } from './failures.ts'
import { ServiceTracer } from './service-tracer.ts'
import { SPAN_KIND, Span } from './span.ts'
import { NO_LOG, testTracing } from './testing.ts'

const SOURCE = { service: 'tandem-edge', attributes: {} }
const [ONE, TWO, THREE] = ['1'.repeat(32), '2'.repeat(32), '3'.repeat(32)]

function spanOf(traceId: string, name = 'span', endMs = 0): Span {
  const span = new Span(SOURCE, traceId, 'a'.repeat(16), '', name, SPAN_KIND.INTERNAL, 0)
  span.endMs = endMs
  return span
}

const names = (spans: readonly Span[]): string[] => spans.map(({ name }) => name)

describe('a span of a trace', () => {
  it('that is sampled is sent', async () => {
    const { tracing, sent } = testTracing()
    tracing.add(spanOf(ONE), true)
    expect(names(await sent())).toEqual(['span'])
  })

  it('that is not is held until its call has failed, and later ones then go too', async () => {
    const { tracing, exporter, sent } = testTracing({}, () => 0)
    tracing.add(spanOf(ONE, 'one'), false)
    tracing.add(spanOf(TWO, 'two'), false)
    expect([tracing.hold.size, exporter.spans]).toEqual([2, []])
    tracing.keep(ONE)
    tracing.add(spanOf(ONE, 'late'), false)
    expect(names(await sent())).toEqual(['one', 'late'])
    expect(tracing.hold.size).toBe(1)
  })

  it('is forgotten when its call has ended well', async () => {
    const { tracing, sent } = testTracing({}, () => 0)
    tracing.add(spanOf(ONE), false)
    tracing.forget(ONE)
    tracing.forget(ONE)
    tracing.keep(ONE)
    expect(await sent()).toEqual([])
    expect([tracing.hold.size, tracing.hold.counts.forgotten]).toEqual([0, 1])
  })

  it('is not even held without keepFailures', async () => {
    const { tracing, sent } = testTracing({ keepFailures: false })
    tracing.add(spanOf(ONE), false)
    tracing.keep(ONE)
    expect([tracing.hold.size, tracing.wants(false), tracing.wants(true)]).toEqual([0, false, true])
    expect(tracing.keepsFailure(ONE, 500)).toBe(false)
    expect(await sent()).toEqual([])
  })
})

describe('what is held has bounds', () => {
  it('in spans: the oldest trace goes', async () => {
    const { tracing, sent } = testTracing({ maxSpansHeld: 3 }, () => 0)
    for (const traceId of [ONE, ONE, TWO, THREE]) tracing.add(spanOf(traceId, traceId), false)
    expect([tracing.hold.size, tracing.hold.counts.evicted]).toEqual([2, 2])
    for (const traceId of [ONE, TWO, THREE]) tracing.keep(traceId)
    expect(names(await sent())).toEqual([TWO, THREE])
  })

  it('in spans of one trace', () => {
    const { tracing } = testTracing({}, () => 0)
    for (let k = 0; k < 300; k++) tracing.add(spanOf(ONE), false)
    expect([tracing.hold.size, tracing.hold.counts.evicted]).toEqual([256, 44])
  })

  it('in time, and what was kept is forgotten with it', async () => {
    const { tracing, sent } = testTracing({ holdMs: 100 }, () => 0)
    tracing.keep(THREE)
    tracing.add(spanOf(ONE, 'one', 0), false)
    tracing.add(spanOf(TWO, 'two', 101), false)
    expect([tracing.hold.size, tracing.hold.counts.forgotten, tracing.hold.isKept(THREE)]).toEqual([1, 1, false])
    tracing.keep(ONE)
    expect(await sent()).toEqual([])
  })
})

describe('a failure', () => {
  it.each([
    [200, false],
    [302, false],
    [401, false],
    [404, true],
    [407, false],
    [486, false],
    [487, false],
    [503, true],
    [603, false],
    [606, true],
  ])('%i: %s', (status, expected) => {
    expect(testTracing().tracing.failures.isFailure(status)).toBe(expected)
  })

  it('is one of so many a second at most; one that is kept already is not counted again', () => {
    let nowMs = 0
    const { tracing } = testTracing({ maxFailuresPerSecond: 2 }, () => nowMs)
    const keeps = [ONE, TWO, THREE].map((traceId) => tracing.keepsFailure(traceId, 500))
    expect([keeps, tracing.failures.surplus]).toEqual([[true, true, false], 1])
    tracing.keep(ONE)
    expect(tracing.keepsFailure(ONE, 500)).toBe(true)
    nowMs = 500
    expect([tracing.keepsFailure(TWO, 500), tracing.keepsFailure(THREE, 500)]).toEqual([true, false])
  })

  it('is none where none is let through', () => {
    expect(new FailureFilter([], 0).admits(0)).toBe(false)
  })
})

describe('the queue', () => {
  const settings = { maxSpansQueued: 4, maxBatchSpans: 2, intervalMs: 5 }
  const blocked = (): { exporter: SpanExporter; open: () => void } => {
    let open = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    return { exporter: { export: () => gate, close: async () => undefined }, open: () => open() }
  }

  it('drops what does not fit, and never waits for the exporter', async () => {
    const { exporter, open } = blocked()
    const queue = new ExportQueue(exporter, settings, NO_LOG)
    for (let k = 0; k < 20; k++) queue.push(spanOf(ONE))
    // Four batches of two are under way, four wait.
    expect([queue.size, queue.counts.dropped]).toEqual([4, 8])
    open()
    await queue.close(1_000)
    expect(queue.counts).toMatchObject({ sent: 12, dropped: 8, failed: 0 })
    queue.push(spanOf(ONE))
    expect(queue.counts.dropped).toBe(9)
  })

  it('counts what could not be delivered, warns once, and says when it is over', async () => {
    let isDown = true
    const log = { info: vi.fn(), warn: vi.fn() }
    const exporter: SpanExporter = {
      export: async () => {
        if (isDown) throw new Error('ECONNREFUSED')
      },
      close: async () => undefined,
    }
    const queue = new ExportQueue(exporter, settings, log)
    for (let k = 0; k < 4; k++) queue.push(spanOf(ONE))
    await vi.waitFor(() => expect(queue.counts).toMatchObject({ failed: 4, failedExports: 2, sent: 0 }))
    expect(log.warn.mock.calls).toMatchObject([[{ reason: 'ECONNREFUSED' }, expect.any(String)]])
    isDown = false
    queue.push(spanOf(ONE))
    await vi.waitFor(() => expect(queue.counts.sent).toBe(1))
    expect(log.info).toHaveBeenCalledTimes(1)
    await queue.close(0)
  })

  it('is left at its end though the exporter hangs', async () => {
    const { exporter } = blocked()
    const queue = new ExportQueue(exporter, settings, NO_LOG)
    for (let k = 0; k < 12; k++) queue.push(spanOf(ONE))
    await queue.close(10)
    expect(queue.counts.dropped).toBe(4)
  })
})

describe('a service', () => {
  const PARENT = 'b'.repeat(16)
  const traceparent = (flags: string) => `00-${ONE}-${PARENT}-${flags}`

  it('has a span below that of who asks, and one below it for each operation of its store', async () => {
    const { tracing, sent } = testTracing()
    const tracer = new ServiceTracer(tracing, SOURCE)
    const served = tracer.server('tandem.location.v1.LocationService', 'locate', traceparent('01'), 'edge-0')
    const store = {
      size: 1,
      at: () => ({ state: 'stored' }),
      later: async () => ({ state: 'unknown' }),
      async fails() {
        throw new Error('no')
      },
    }
    const watched = served?.watch(store, 'store')
    expect([watched?.size, watched?.at()]).toEqual([1, { state: 'stored' }])
    expect(await watched?.later()).toEqual({ state: 'unknown' })
    await expect(watched?.fails()).rejects.toThrow('no')
    served?.end({ outcome: 'refused', refusal: { code: 'too_many', sipStatus: 503 } })
    const spans = await sent()
    const server = spans.at(-1)
    expect(spans.map(({ name, parentSpanId, failure }) => [name, parentSpanId, failure])).toEqual([
      ['store at', server?.spanId, undefined],
      ['store later', server?.spanId, 'unknown'],
      ['store fails', server?.spanId, 'Error: no'],
      ['tandem.location.v1.LocationService/locate', PARENT, 'too_many'],
    ])
    expect(server?.attributes).toMatchObject({ 'rpc.method': 'locate', 'tandem.refusal.code': 'too_many' })
  })

  it('has none for what is no trace, nor for one that is neither sampled nor may be kept', () => {
    const kept = new ServiceTracer(testTracing().tracing, SOURCE)
    const unkept = new ServiceTracer(testTracing({ keepFailures: false }).tracing, SOURCE)
    expect(kept.server('s', 'm', 'nonsense', '')).toBeUndefined()
    expect(kept.server('s', 'm', traceparent('00'), '')?.traceId).toBe(ONE)
    expect(unkept.server('s', 'm', traceparent('00'), '')).toBeUndefined()
  })

  it('sends what it holds of the calls that it is told of', async () => {
    const { tracing, sent } = testTracing({}, () => 0)
    const tracer = new ServiceTracer(tracing, SOURCE)
    tracer.server('s', 'one', traceparent('00'), '')?.end({ outcome: 'done' })
    tracer.keep(`${TWO},${ONE},`)
    expect(names(await sent())).toEqual(['s/one'])
  })

  it('makes no more than so many spans of one request', async () => {
    const { tracing, sent } = testTracing()
    const served = new ServiceTracer(tracing, SOURCE).server('s', 'm', traceparent('01'), '')
    const store = served?.watch({ at: () => 1 }, 'store')
    for (let k = 0; k < 100; k++) expect(store?.at()).toBe(1)
    expect((await sent()).length).toBe(48)
  })
})

it('events of a span have a bound', () => {
  const span = spanOf(ONE)
  for (let k = 0; k < 40; k++) span.event('180', k)
  expect([span.events?.length, span.droppedEvents]).toEqual([32, 8])
})
