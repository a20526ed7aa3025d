// SPDX-License-Identifier: MIT
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BatchWriter } from './batch.ts'
import { done, type Result, refused, unknown } from './result.ts'
import { locationService } from './service.ts'
import { encodeRequestBody, encodeResultBody, fromWireResult } from './wire-copy.ts'

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })

describe('BatchWriter', () => {
  it('writes what the generated decoder reads, for any ids, times, traces and texts', () => {
    const texts = { aor: fc.string({ unit: 'grapheme' }), traceparent: fc.string() }
    const items = fc.array(fc.record({ id: uint32, msLeft: uint32, ...texts }))
    fc.assert(
      fc.property(items, (expected) => {
        const bodies = expected.map(({ aor, traceparent }) =>
          encodeRequestBody(locationService, 'locate', { aor }, traceparent),
        )
        const batch = new BatchWriter(
          bodies.reduce((sum, { length }) => sum + length, 0),
          bodies.length,
        )
        expected.forEach(({ id, msLeft }, i) => void batch.append(id, msLeft, bodies[i] as Uint8Array))
        const { items: read } = locationService.request.decode(batch.finish())
        const wire = expected.map(({ id, msLeft, aor, traceparent }) => ({
          id,
          msLeft,
          traceparent,
          request: { $case: 'locate', value: { aor } },
        }))
        expect(read).toEqual(wire)
      }),
    )
  })

  const results: [string, Result<unknown>][] = [
    ['done', done({ bindings: [], version: 2n ** 63n })],
    ['refused', refused('store_away', 503, 'the store is away', { retryAfterS: 5 })],
    ['unknown', unknown('store away')],
  ]
  it.each(results)('carries a result that is %s', (outcome, result) => {
    const body = encodeResultBody(locationService, 'locate', result)
    const batch = new BatchWriter(body.length, 1)
    batch.append(7, 0, body)
    const [wire] = locationService.response.decode(batch.finish()).results
    expect(wire?.id).toBe(7)
    const read = wire === undefined ? undefined : fromWireResult('locate', wire)
    expect(read).toMatchObject(outcome === 'unknown' ? { outcome } : result)
  })

  it('refuses a response that is too large for a message', () => {
    const bindings = Array.from({ length: 3 }, () => 'x'.repeat(1_000_000))
    const value = { bindings: bindings.map((params) => ({ ...locationBinding, params })), version: 1n }
    const wire = locationService.itemResult.decode(encodeResultBody(locationService, 'locate', done(value)))
    expect(wire.refused?.code).toBe('item_too_large')
  })

  it('takes a response to another method for undecided', () => {
    const body = encodeResultBody(locationService, 'leaveEdge', done({}))
    expect(fromWireResult('locate', locationService.itemResult.decode(body)).outcome).toBe('unknown')
  })
})

const locationBinding = {
  uri: 'sip:a@x',
  expiresS: 0,
  qMilli: 0,
  callId: '',
  cseq: 0,
  instanceId: '',
  regId: 0,
  flow: undefined,
  path: [],
  userAgent: '',
}
