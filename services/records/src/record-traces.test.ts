// SPDX-License-Identifier: MIT
//
// Which records have a span, and what it says.
import { records } from '@tandem/rpc'
import { isSampledId, rootIdOf, traceIdOf } from '@tandem/telemetry'
import { testTracing } from '@tandem/telemetry/internal'
import { expect, it } from 'vitest'
import { RecordTraces } from './record-traces.ts'
import type { SinkRecord } from './sinks/sink.ts'

const SOURCE = { service: 'tandem-records', attributes: {} }
const idThat = (isSampled: boolean): string => {
  for (let k = 0; ; k++) {
    const id = traceIdOf(`call-${k}`)
    if (isSampledId(id, 0.5) === isSampled) return id
  }
}
const [SAMPLED, OTHER] = [idThat(true), idThat(false)]

function recordOf(traceId: string, finalStatus: number): SinkRecord {
  const facts = records.CallFacts.fromPartial({ traceId })
  const record = records.CallRecord.fromPartial({ callRef: 'ref', finalStatus, facts })
  return { id: '1/1-0', record, bornMs: 900 }
}

it.each([
  ['sampled', SAMPLED, 200, 1],
  ['not sampled', OTHER, 200, 0],
  ['not sampled, busy', OTHER, 486, 0],
  ['not sampled, failed', OTHER, 503, 1],
  ['of a call that was not traced', '', 503, 0],
])('%s: %s %i has %i', async (_name, traceId, finalStatus, count) => {
  const { tracing, sent } = testTracing({ sampleRatio: 0.5 }, () => 1_100)
  new RecordTraces(tracing, SOURCE).onWritten('archive', [recordOf(traceId, finalStatus)], 1_000, 7)
  const spans = await sent()
  expect(spans).toHaveLength(count)
  for (const span of spans) {
    expect(span).toMatchObject({ name: 'record archive', startMs: 1_000, endMs: 1_100 })
    expect(span.parentSpanId).toBe(rootIdOf(traceId))
    expect(span.attributes).toEqual({
      'tandem.sink': 'archive',
      'tandem.call_ref': 'ref',
      'tandem.record.age_ms': 100,
      'tandem.record.batch': 7,
    })
  }
})

it('has none of a call that is not traced at all: no facts', async () => {
  const { tracing, sent } = testTracing()
  const record = records.CallRecord.fromPartial({ callRef: 'ref', finalStatus: 503 })
  new RecordTraces(tracing, SOURCE).onWritten('archive', [{ id: '1/1-0', record, bornMs: 0 }], 0, 1)
  expect(await sent()).toEqual([])
})
