// SPDX-License-Identifier: MIT
//
// The line format. Not tested here: where the record's values come from (policy).
import { records } from '@tandem/rpc'
import { describe, expect, it } from 'vitest'
import { encodeLine, parseLineKey, toLine } from './encode-line.ts'

const answered = records.CallRecord.fromPartial({
  cdrId: '0aXyZ',
  callId: 'a84b4c76e66710',
  fromUri: 'sip:alice@example.test',
  toUri: 'sip:bob@example.test',
  toTags: ['t1'],
  setupUnixMs: 1_700_000_000_000n,
  answeredUnixMs: 1_700_000_002_500n,
  endedUnixMs: 1_700_000_065_499n,
  durationMs: 62_999n,
  finalStatus: 200,
  outcome: 'answered',
  attempts: [{ target: 'sip:bob@192.0.2.2', status: 200, provisionalStatus: 180 }],
})

describe('encodeLine', () => {
  it('writes times in ISO 8601 UTC with milliseconds, null where it did not happen', () => {
    expect(toLine('5/17-0', answered)).toMatchObject({
      setup_time: '2023-11-14T22:13:20.000Z',
      ring_time: null,
      answer_time: '2023-11-14T22:13:22.500Z',
      end_time: '2023-11-14T22:14:25.499Z',
    })
  })

  it('writes the duration in milliseconds and in whole seconds, rounded down', () => {
    expect(toLine('5/17-0', answered)).toMatchObject({ duration_ms: 62_999, billsec: 62 })
  })

  it('keeps a time that no date can hold out of the line', () => {
    expect(toLine('1/1-0', records.CallRecord.fromPartial({ setupUnixMs: 1n << 62n })).setup_time).toBeNull()
  })

  it.each([
    ['plain', '5/17-0', '0aXyZ'],
    ['line feeds and quotes', '5/"\n17-0', 'a\r\n"b\\'],
    ['not ASCII', '5/ü-0', '\u2028é😀'],
    ['empty', '', ''],
  ])('one line, whose key is read back from its head: %s', (_name, id, cdrId) => {
    const line = encodeLine(id, records.CallRecord.fromPartial({ cdrId, userAgent: 'x\ny' }))
    expect(line.indexOf('\n')).toBe(line.length - 1)
    expect(parseLineKey(line)).toEqual({ id, cdrId })
    expect(JSON.parse(line)).toMatchObject({ id, cdr_id: cdrId, user_agent: 'x\ny' })
  })

  it.each(['', '{}', '{"id":"5/1-0"}', 'garbage', '\0\0\0', '{"id":"5/1-0","cdr_id":"torn'])('no key in %j', (head) => {
    expect(parseLineKey(head)).toBeUndefined()
  })
})
