// SPDX-License-Identifier: MIT
import { configSchema, createLogger } from '@tandem/service-kit'
import { beforeEach, expect, it } from 'vitest'
import { createCallLines } from './call-lines.ts'
import { itemOf } from './testing.ts'

const lines: Record<string, unknown>[] = []
const logger = createLogger({
  level: 'info',
  service: 'records',
  sink: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
})
const linesWith = (settings: object) =>
  createCallLines(
    { logging: configSchema.shape.logging.unwrap().parse(settings), keyRing: [{ id: 1, secret: 'only for tests' }] },
    logger,
  )
const RECORD = {
  callRef: 'ref',
  callId: 'call-1',
  fromUri: 'sip:alice@example.test',
  identity: 'alice@example.test',
  outcome: 'answered',
  durationMs: 1_200n,
  finalStatus: 200,
  endedBy: 'callee',
  edges: ['edge-0', 'edge-1'],
} as const

beforeEach(() => {
  lines.length = 0
})

it('writes a line for each record once, by the names of its fields and without what is empty', () => {
  const callLines = linesWith({ users: 'plain' })
  const item = itemOf('1/1-0', { ...RECORD, edges: [...RECORD.edges] })
  callLines?.take([item])
  callLines?.take([item, { id: '1/2-0', record: undefined }])
  const [{ time: _time, ...line } = {}] = lines
  expect(lines).toHaveLength(1)
  expect(line).toEqual({
    level: 'info',
    service: 'records',
    event: 'call_end',
    type: 'call',
    call_ref: 'ref',
    call_id: 'call-1',
    identity: 'alice@example.test',
    from_uri: 'sip:alice@example.test',
    source_port: 0,
    duration_ms: 1_200,
    final_status: 200,
    outcome: 'answered',
    ended_by: 'callee',
    edges: ['edge-0', 'edge-1'],
    msg: 'call ended',
  })
})

it('says of a correction that it is one', () => {
  linesWith({})?.take([itemOf('1/3-0', { ...RECORD, edges: [], type: 'correction', correction: 'late_end' })])
  expect(lines).toMatchObject([{ type: 'correction', correction: 'late_end', msg: 'record corrected' }])
})

it('names nobody unless it is told to', () => {
  linesWith({})?.take([itemOf('1/4-0', { ...RECORD, edges: [] })])
  expect(lines[0]?.from_uri).toMatch(/^sip:~[\w-]{12}@example\.test$/)
  linesWith({ users: 'off' })?.take([itemOf('1/5-0', { ...RECORD, edges: [] })])
  expect(lines[1]).not.toHaveProperty('from_uri')
  expect(JSON.stringify(lines)).not.toContain('alice')
})

it('is bounded, and can be off', () => {
  const callLines = linesWith({ maxLinesPerSecond: 2 })
  callLines?.take(Array.from({ length: 9 }, (_, k) => itemOf(`2/${k}-0`, { ...RECORD, edges: [] })))
  callLines?.close()
  const written = lines.filter(({ event }) => event === 'call_end').length
  expect(lines.at(-1)).toMatchObject({ event: 'lines_left_out', kind: 'call_end', count: 9 - written })
  expect(linesWith({ calls: false })).toBeUndefined()
})
