// SPDX-License-Identifier: MIT
// Lines of refusals and of calls without a record, as the way of a request comes by them.
// Does not test: bounds and names (packages/service-kit/src/log-lines.test.ts), lines of records (services/records/src/call-lines.test.ts).
import { refused, unknown } from '@tandem/rpc'
import { createLogger } from '@tandem/service-kit'
import { afterEach, expect, test } from 'vitest'
import { ALICE, BOB, EdgeBench, requestText, responseTo, testConfig, valuesOf } from '../testing.ts'
import { createCallLog } from './call-log.ts'

type Line = Readonly<Record<string, unknown>>

let bench: EdgeBench
let lines: Line[]
afterEach(() => bench.close())

function start(settings: Readonly<Record<string, unknown>> = {}): void {
  lines = []
  const sink = { write: (line: string) => void lines.push(JSON.parse(line) as Line) }
  const logger = createLogger({ level: 'info', service: 'edge', sink })
  bench = new EdgeBench(settings)
  const config = testConfig({ 'logging.users': 'plain', ...settings })
  Object.assign(bench.core, { callLog: createCallLog(config, logger) })
}

const BOB_URI = `sip:bob@${BOB}`
const ABOUT = {
  edge: 'edge-0',
  from_uri: 'sip:alice@example.test',
  source_transport: 'udp',
  source_address: ALICE,
  source_port: 5060,
}
const answer = (status: number): void => bench.udpIn(responseTo(bench.last('INVITE'), status, 'bob'), BOB)

/** alice calls bob, who is rung. */
function ring(): void {
  bench.udpIn(requestText())
  bench.plan([[BOB_URI]])
  bench.begin()
  answer(180)
}

test('a request that is refused before it is decided', () => {
  start()
  bench.udpIn(requestText().replace(/Max-Forwards: \d+/, 'Max-Forwards: 0'))
  expect(lines).toMatchObject([
    { event: 'refused', method: 'INVITE', ...ABOUT, final_status: 483, reason: 'max_forwards', msg: 'request refused' },
  ])
  expect(lines[0]).not.toHaveProperty('trace_id')
})

test('a request that nobody can read', () => {
  start()
  bench.udpIn(requestText().replace('SIP/2.0', 'SIP/3.0'))
  expect(lines).toMatchObject([{ event: 'refused', final_status: 505, reason: 'unreadable' }])
})

test('a request that policy rejects, with its code; a challenge is no refusal', () => {
  start()
  bench.udpIn(requestText())
  bench.decide({ $case: 'challenge', value: { status: 407, values: ['Digest realm="a"'] } })
  expect(lines).toEqual([])
  bench.udpIn(requestText({ callId: 'second', branch: 'z9hG4bK-second' }))
  const rejected = { status: 403, reason: '', code: 'number_barred', retryAfterS: 0, texts: [] }
  bench.decide({ $case: 'reject', value: rejected } as never)
  expect(lines).toMatchObject([
    { event: 'refused', call_id: 'second', ...ABOUT, final_status: 403, reason: 'number_barred' },
  ])
})

test('policy refuses to decide, or gives no answer', () => {
  start()
  bench.udpIn(requestText())
  bench.policy.take('decide').end(refused('store_away', 503, 'x'))
  bench.udpIn(requestText({ callId: 'second', branch: 'z9hG4bK-second' }))
  bench.policy.take('decide').end(unknown('nobody'))
  expect(lines.map(({ final_status, reason }) => [final_status, reason])).toEqual([
    [503, 'store_away'],
    [503, 'no_decision'],
  ])
})

test('a call without a record that fails: once, with what became of it', () => {
  start()
  ring()
  bench.advance(500)
  answer(486)
  answer(486)
  expect(lines).toMatchObject([
    { event: 'call_end', ...ABOUT, final_status: 486, outcome: 'rejected', ended_by: 'callee', pdd_ms: 0 },
  ])
})

test('a call that its caller gives up', () => {
  start()
  ring()
  bench.udpIn(requestText({ method: 'CANCEL' }))
  answer(487)
  expect(lines).toMatchObject([{ event: 'call_end', final_status: 487, outcome: 'cancelled', ended_by: 'caller' }])
})

test('a call without a record that is answered: at its BYE', () => {
  start()
  ring()
  answer(200)
  expect(lines).toEqual([])
  const routes = valuesOf(bench.last('INVITE'), 'Record-Route').map((value) => `Route: ${value}`)
  const bye = requestText({ method: 'BYE', uri: BOB_URI, toTag: 'bob', branch: 'z9hG4bK-bye', headers: routes })
  bench.udpIn(bye)
  expect(lines).toMatchObject([{ event: 'call_end', edge: 'edge-0', outcome: 'answered', ended_by: 'caller' }])
})

test('a call that leaves a record is left to the records service', () => {
  start()
  bench.udpIn(requestText())
  bench.plan([[BOB_URI]], { accounting: true }, 'ref')
  bench.begin()
  answer(486)
  expect(lines).toEqual([])
})

test('settings: no lines of calls, none of refusals, none at all; nobody is named', () => {
  start({ 'logging.calls': false, 'logging.users': 'off' })
  ring()
  answer(486)
  expect(lines).toEqual([])
  bench.udpIn(requestText({ callId: 'x', branch: 'z9hG4bK-x' }).replace(/Max-Forwards: \d+/, 'Max-Forwards: 0'))
  expect(lines).toHaveLength(1)
  expect(JSON.stringify(lines)).not.toMatch(/alice|bob/)
  const logger = createLogger({ level: 'warn', service: 'edge' })
  expect(createCallLog(testConfig(), logger)).toBeUndefined()
})
