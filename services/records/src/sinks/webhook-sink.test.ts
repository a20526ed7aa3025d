// SPDX-License-Identifier: MIT
//
// What becomes of a batch at an endpoint that takes, refuses and fails. Sockets, signatures and pauses: the webhook of
// @tandem/service-kit. Kills: kill.test.ts.
import type { WebhookMessage, WebhookOutcome } from '@tandem/service-kit'
import { describe, expect, it } from 'vitest'
import { itemOf } from '../testing.ts'
import type { SinkRecord } from './sink.ts'
import { WebhookSink } from './webhook-sink.ts'

const NOW_MS = 1_000_000
const signal = () => new AbortController().signal
const batchOf = (count: number, bornMs = NOW_MS): SinkRecord[] =>
  Array.from({ length: count }, (_, index) => ({ ...itemOf(`1/${index}-0`), bornMs }))
const idsOf = (items: readonly SinkRecord[]) => items.map(({ id }) => id).sort()

interface Body {
  readonly type: string
  readonly records: readonly { readonly id: string; readonly cdr_id: string }[]
}

function sinkThat(
  answer: (ids: string[]) => WebhookOutcome,
  more: { batchRecords?: number; concurrency?: number } = {},
) {
  const sent: { key: string; ids: string[] }[] = []
  let running = 0
  const seen = { most: 0 }
  const send = async ({ key, body }: WebhookMessage): Promise<WebhookOutcome> => {
    running++
    seen.most = Math.max(seen.most, running)
    await new Promise((resolve) => setImmediate(resolve))
    running--
    const ids = (JSON.parse(body) as Body).records.map(({ id }) => id)
    sent.push({ key, ids })
    return answer(ids)
  }
  const options = { batchRecords: 1, concurrency: 4, maxAgeMs: 10_000, nowMs: () => NOW_MS, ...more }
  return { sink: new WebhookSink({ sender: { send, close: () => undefined }, ...options }), sent, seen }
}

const DELIVERED = { state: 'delivered', status: 200 } as const
const REFUSED = { state: 'refused', status: 400, reason: 'HTTP 400' } as const
const FAILED = { state: 'failed', reason: 'HTTP 503', retryAfterMs: 7_000 } as const

describe('WebhookSink', () => {
  it('sends each record with its id as the key, several at once but no more than it may', async () => {
    const { sink, sent, seen } = sinkThat(() => DELIVERED)
    const result = await sink.write(batchOf(20), signal())
    expect(idsOf(result.written)).toEqual(idsOf(batchOf(20)))
    expect(result.failure).toBeUndefined()
    expect(sent.map(({ key, ids }) => [key, ids])).toContainEqual(['c1/3-0', ['1/3-0']])
    expect(seen.most).toBe(4)
  })

  it('sends batches, whose key is the same for the same records', async () => {
    const first = sinkThat(() => DELIVERED, { batchRecords: 8 })
    await first.sink.write(batchOf(20), signal())
    expect(first.sent.map(({ ids }) => ids.length).sort()).toEqual([4, 8, 8])
    const second = sinkThat(() => DELIVERED, { batchRecords: 8 })
    await second.sink.write(batchOf(20), signal())
    expect(second.sent.map(({ key }) => key).sort()).toEqual(first.sent.map(({ key }) => key).sort())
    expect(new Set(first.sent.map(({ key }) => key)).size).toBe(3)
  })

  it('finds the record for which a batch is refused; the others are taken', async () => {
    const { sink } = sinkThat((ids) => (ids.includes('1/5-0') ? REFUSED : DELIVERED), { batchRecords: 8 })
    const result = await sink.write(batchOf(16), signal())
    expect(result.refused.map(({ item, reason }) => [item.id, reason])).toEqual([['1/5-0', 'HTTP 400']])
    expect(result.written).toHaveLength(15)
  })

  it('stops at a failure, with what the endpoint asked for; what was taken is taken', async () => {
    const { sink, sent } = sinkThat((ids) => (ids[0] === '1/4-0' ? FAILED : DELIVERED), { concurrency: 1 })
    const result = await sink.write(batchOf(20), signal())
    expect(result.failure).toMatchObject({ reason: 'HTTP 503', retryAfterMs: 7_000 })
    expect(idsOf(result.written)).toEqual(idsOf(batchOf(4)))
    expect(sent).toHaveLength(5)
  })

  it('gives up what is too old, and only then', async () => {
    const { sink } = sinkThat(() => FAILED)
    expect((await sink.write(batchOf(3, NOW_MS - 10_000), signal())).refused).toEqual([])
    const { refused, failure } = await sink.write(batchOf(3, NOW_MS - 10_001), signal())
    expect(refused.map(({ reason }) => reason)).toEqual(Array(3).fill('too old; last: HTTP 503'))
    expect(failure).toBeDefined()
  })

  it('gives nothing up because it was told to end', async () => {
    const abort = new AbortController()
    const { sink } = sinkThat(() => {
      abort.abort()
      return FAILED
    })
    const { refused, failure } = await sink.write(batchOf(3, 0), abort.signal)
    expect(refused).toEqual([])
    expect(failure).toBeDefined()
  })

  it('ends early when it is told to', async () => {
    const { sink, sent } = sinkThat(() => DELIVERED, { concurrency: 1 })
    const abort = new AbortController()
    const writing = sink.write(batchOf(20), abort.signal)
    abort.abort()
    const result = await writing
    expect(result.failure?.reason).toBe('aborted')
    expect(sent.length).toBe(result.written.length)
    expect(sent.length).toBeLessThan(3)
  })
})
