// SPDX-License-Identifier: MIT
//
// Traces over two edges and in the places that a call between two phones does not come by: the hop, challenges, spirals, adoption, trunks,
// what is handed over. Not tested here: whole calls with their services (test/traces).
import { type location, unknown } from '@tandem/rpc'
import { rootIdOf, type Span, spanIdOf, traceIdOf } from '@tandem/telemetry'
import { testTracing } from '@tandem/telemetry/internal'
import { afterEach, describe, expect, test } from 'vitest'
import {
  ALICE,
  BOB,
  bindingOf,
  EdgeBench,
  edgeOf,
  messageOf,
  namesOf,
  requestText,
  responseTo,
  stepOf,
  targetOf,
} from '../testing.ts'

const [A, B, B_ADDRESS] = ['edge-0.test', 'edge-1.test', '198.51.100.2']
const BOB_URI = `sip:bob@${BOB}`
const TRACE = traceIdOf('call-1')
type Settings = Parameters<typeof testTracing>[0]

const benches: EdgeBench[] = []
afterEach(() => {
  for (const bench of benches.splice(0)) bench.close()
})

function edge(settings: Settings = {}, id = A, address = '198.51.100.1') {
  const traces = testTracing(settings)
  const names = namesOf({})
  const bench = new EdgeBench({ 'edge.bindAddress': address }, id, names, undefined, traces.tracing)
  benches.push(bench)
  const told: string[] = []
  Object.assign(bench.location, { keepTrace: (traceId: string) => told.push(traceId) })
  return { bench, told, sent: traces.sent }
}

const branchOf = (text: string): string => {
  const { buf, viaBranchStart, viaBranchEnd } = messageOf(text)
  return buf.latin1Slice(viaBranchStart, viaBranchEnd)
}
const eventsOf = (span: Span | undefined): string[] => span?.events?.map(({ name }) => name) ?? []
const serverSpan = (spans: readonly Span[]): Span | undefined => spans.find(({ kind }) => kind === 1)

/** alice at edge A calls bob, whose flow edge B holds. */
function twoEdges(settings: Settings) {
  const [a, b] = [edge(settings), edge(settings, B, B_ADDRESS)]
  a.bench.joined([edgeOf(B, B_ADDRESS)])
  b.bench.joined([edgeOf(A, '198.51.100.1')])
  const phone = b.bench.tcp.connect(BOB, 40_000)
  a.bench.udpIn(requestText())
  a.bench.plan([], { steps: [stepOf({ targets: [targetOf({ $case: 'aor', value: 'b' })] })] })
  const binding = bindingOf(`sip:bob@${BOB}:9;transport=tls`, { transport: 'tcp', edgeId: B, flowId: phone.id })
  a.bench.location.take('locate').answer({ bindings: [binding], version: 1n })
  a.bench.begin()
  const link = b.bench.internalTcp.connect('198.51.100.1', 50_000)
  const down = (): void => b.bench.tcpIn(a.bench.last('INVITE'), link, true)
  const up = (status: number): void => {
    b.bench.tcpIn(responseTo(b.bench.last('INVITE'), status), phone)
    a.bench.tcpIn(b.bench.last(String(status)), a.bench.internalTcp.connect(B_ADDRESS, 5150), true)
  }
  return { a, b, phone, down, up }
}

describe('the hop between edges', () => {
  test('hangs on the branch that brought the request, without a word about it', async () => {
    const { a, b, down, up } = twoEdges({})
    down()
    up(200)
    const [hop] = await b.sent()
    const branch = (await a.sent()).find(({ kind, name }) => kind === 2 && name === 'INVITE')
    expect(branch?.spanId).toBe(spanIdOf(branchOf(a.bench.last('INVITE'))))
    expect([hop?.traceId, hop?.parentSpanId]).toEqual([TRACE, branch?.spanId])
    expect(hop?.attributes).toMatchObject({ 'tandem.edge': 'edge-0', 'tandem.next_hop.address': BOB })
  })

  test('of a call that is not sampled is sent when location says that the call has failed', async () => {
    const { a, b, down, up } = twoEdges({ sampleRatio: 0 })
    down()
    up(500)
    expect(a.told).toEqual([TRACE])
    const kept = { $case: 'keptTraces', value: { traceIds: `${traceIdOf('another')},${TRACE}` } }
    b.bench.location.push({ event: kept })
    expect((await b.sent()).map(({ name }) => name)).toEqual(['INVITE'])
    expect(b.told).toEqual([])
  })

  test('whose flow is gone is an error', async () => {
    const { b, phone, down } = twoEdges({})
    phone.close()
    down()
    expect((await b.sent()).map(({ failure }) => failure)).toEqual(['430'])
  })
})

describe('a call that is challenged', () => {
  const challenge = { status: 407, values: ['Digest realm="r", nonce="n"'] }
  const withCredentials = requestText({ branch: 'z9hG4bK-a2', cseq: 2 })

  test('is one trace; what it hangs on is the INVITE that is decided', async () => {
    const { bench, sent } = edge()
    bench.udpIn(requestText())
    bench.decide({ $case: 'challenge', value: challenge })
    bench.udpIn(withCredentials)
    bench.plan([[BOB_URI]])
    bench.begin()
    bench.udpIn(responseTo(bench.last('INVITE'), 200), BOB)
    const invites = (await sent()).filter(({ kind, name }) => kind === 1 && name === 'INVITE')
    expect(invites.map(({ attributes }) => attributes['sip.response.status_code'])).toEqual([407, 200])
    expect(invites.map(({ spanId }) => spanId === rootIdOf(TRACE))).toEqual([false, true])
    expect(invites.map(({ parentSpanId }) => parentSpanId)).toEqual(['', ''])
    expect(invites.every(({ failure }) => failure === undefined)).toBe(true)
  })

  test('is held, and sent whole when it fails in the end', async () => {
    const { bench, told, sent } = edge({ sampleRatio: 0 })
    bench.udpIn(requestText())
    bench.decide({ $case: 'challenge', value: challenge })
    expect(told).toEqual([])
    bench.udpIn(withCredentials)
    bench.policy.take('decide').end(unknown('timeout'))
    const invites = (await sent()).filter(({ kind }) => kind === 1)
    expect(told).toEqual([TRACE])
    expect(invites.map(({ attributes }) => attributes['sip.response.status_code'])).toEqual([407, 503])
  })
})

test('a request that comes back to the cluster hangs on the branch that it left with', async () => {
  const { bench, sent } = edge()
  bench.udpIn(requestText())
  bench.plan([[BOB_URI]])
  bench.begin()
  const left = bench.last('INVITE')
  const back = left.replace('INVITE sip:bob@', 'INVITE sip:carol@').replace(/Route: .*\r\n/g, '')
  bench.udpIn(back.replace(/^Via: /m, `Via: SIP/2.0/UDP ${BOB};branch=z9hG4bK-carrier\r\nVia: `), BOB)
  bench.decide({ $case: 'reject', value: { status: 404, reason: '', code: 'unknown_user' } as never })
  const spans = await sent()
  const spiral = spans.find(({ attributes }) => attributes['tandem.refusal.reason'] === 'unknown_user')
  expect([spiral?.traceId, spiral?.parentSpanId]).toEqual([TRACE, spanIdOf(branchOf(left))])
})

test('a branch says to which trunk it goes, and why it ended', async () => {
  const { bench, sent } = edge()
  bench.udpIn(requestText())
  const trunk = targetOf({ $case: 'uri', value: BOB_URI }, { trunk: 'carrier' })
  bench.plan([], { steps: [stepOf({ targets: [trunk] })] })
  bench.begin()
  bench.udpIn(responseTo(bench.last('INVITE'), 502), BOB)
  const branch = (await sent()).find(({ kind, name }) => kind === 2 && name === 'INVITE')
  expect(branch?.attributes).toMatchObject({ 'tandem.trunk': 'carrier', 'sip.response.status_code': 502 })
  expect(branch?.failure).toBe('502')
})

test('what goes on without a transaction was handed over', async () => {
  const { bench, sent } = edge()
  bench.udpIn(requestText({ method: 'MESSAGE' }))
  bench.plan([[BOB_URI]], { stateless: true })
  const span = serverSpan(await sent())
  expect([span?.name, span?.traceId]).toEqual(['MESSAGE', traceIdOf('call-1', '1')])
  expect(span?.attributes).toMatchObject({ 'tandem.handed_over': true })
})

test('a call that another edge began goes on in its trace', async () => {
  const owner = edge({}, B, B_ADDRESS)
  owner.bench.udpIn(requestText())
  owner.bench.plan([[BOB_URI]])
  owner.bench.begin()
  const answer = responseTo(owner.bench.last('INVITE'), 180)
  const { bench, sent } = edge()
  bench.joined([edgeOf(B, B_ADDRESS)], 2n)
  bench.location.defaults.delete('readCall')
  bench.udpIn(answer, BOB)
  bench.advance(70)
  bench.joined([], 4n)
  const invite = Buffer.from(requestText({ headers: [`Contact: <sip:alice@${ALICE}>`] }), 'latin1')
  const upstream = { transport: 'udp', address: ALICE, port: 5060, edgeId: '', flowId: 0 }
  const key = bench.location.take<location.ReadCallRequest>('readCall')
  const entry = { transactionKey: key.request.transactionKey, owner: B, epoch: 1, invite, upstream, step: 0 }
  const whole = { ...entry, plan: Buffer.alloc(0), branches: [], callRef: '', finalStatus: 0 }
  key.answer({ entry: whole })
  const adopted = { ...whole, owner: bench.core.edgeId, epoch: 2 }
  bench.location.take('adoptCall').answer({ adopted: true, entry: adopted })
  bench.policy.take('decide').end(unknown('timeout'))
  const span = serverSpan(await sent())
  expect([span?.traceId, span?.spanId]).toEqual([TRACE, rootIdOf(TRACE)])
  expect(eventsOf(span)).toContain('adopted')
  expect(span?.failure).toBe('503')
})

test('nothing is made of a call that is neither sampled nor may be kept', async () => {
  const { bench, sent } = edge({ sampleRatio: 0, keepFailures: false })
  bench.udpIn(requestText())
  bench.decide({ $case: 'reject', value: { status: 500, reason: '', code: '' } as never })
  expect(await sent()).toEqual([])
})
