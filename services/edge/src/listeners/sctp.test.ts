// SPDX-License-Identifier: MIT
// SCTP as the edge has it: what it writes into messages, how it finds and opens associations, what happens at start without SCTP. Does not
// test: associations (packages/transport/src/sctp.test.ts; test/e2e/sctp.test.ts where the kernel has SCTP).
import type { location } from '@tandem/rpc'
import { createLogger } from '@tandem/service-kit'
import type { SctpTransport } from '@tandem/transport'
import { afterEach, describe, expect, test } from 'vitest'
import { endBindings } from '../registration/flow-end.ts'
import {
  ALICE,
  BOB,
  bindingOf,
  EDGE_ADDRESS,
  EdgeBench,
  FakeConnection,
  requestText,
  responseTo,
  stepOf,
  targetOf,
  testConfig,
  valuesOf,
} from '../testing.ts'
import { EdgeStreams } from './edge-streams.ts'
import { Facing } from './facing.ts'
import { openListeners } from './listeners.ts'
import { trySctp } from './try-sctp.ts'

const PORT = 40_000
const FACING = new Facing({ transport: 'sctp', host: EDGE_ADDRESS, port: 5060, edgeHash: 1, internal: false })

let bench: EdgeBench
afterEach(() => bench?.close())

/** An association from there. */
function association(address: string): FakeConnection {
  const connection = bench.tcp.connect(address, PORT)
  connection.transport = 'sctp'
  bench.peerOf(connection, FACING)
  return connection
}

const flowOf = ({ id, remoteAddress }: FakeConnection): Partial<location.Flow> => ({
  transport: 'sctp',
  address: remoteAddress,
  port: PORT,
  edgeId: bench.core.edgeId,
  flowId: id,
})

/** MESSAGE over an association to a binding over another. */
function message(): { readonly sent: string; readonly alice: FakeConnection; readonly bob: FakeConnection } {
  bench = new EdgeBench()
  const [alice, bob] = [association(ALICE), association(BOB)]
  const via = `Via: SIP/2.0/SCTP ${ALICE}:5060;branch=z9hG4bK-a1`
  bench.tcpIn(requestText({ method: 'INVITE', via }), alice)
  const aor = 'sip:bob@example.test'
  const step = { ...stepOf({}), targets: [targetOf({ $case: 'aor', value: aor })] }
  const plan = {
    edits: [],
    maxDurationS: 0,
    accounting: false,
    stateless: false,
    maxRecursions: 0,
    sourceTrusted: false,
  }
  bench.decide({ $case: 'plan', value: { ...plan, steps: [step] } })
  const bindings = [bindingOf(`sip:bob@${BOB}:${PORT};transport=sctp`, flowOf(bob))]
  bench.location.take('locate').answer({ bindings, version: 1n })
  if (bench.location.waiting().includes('beginCall')) bench.begin()
  return { sent: bench.last('INVITE'), alice, bob }
}

describe('a call over SCTP', () => {
  test('[RFC4168-4] its Via says SCTP, its Record-Route transport=sctp', () => {
    const { sent, bob } = message()
    expect(bench.sent.at(-1)?.to).toBe(`tcp ${bob.id}`)
    expect(valuesOf(sent, 'Via')[0]).toMatch(new RegExp(`^SIP/2\\.0/SCTP ${EDGE_ADDRESS}:5060;branch=z9hG4bK`))
    for (const route of valuesOf(sent, 'Record-Route')) expect(route).toMatch(/^<sip:[^@]+@[^;]+;transport=sctp;lr>$/)
    expect(valuesOf(sent, 'Record-Route')).not.toEqual([])
  })

  test('its response goes back over the association of its request [RFC3261-18.2.2b]', () => {
    const { sent, alice, bob } = message()
    bench.tcpIn(responseTo(sent, 180), bob)
    expect(bench.take().at(-1)).toBe(`180 → tcp ${alice.id}`)
  })

  test('the end of the association ends the binding that was made over it', () => {
    bench = new EdgeBench()
    const alice = association(ALICE)
    const contact = `Contact: <sip:alice@${ALICE}:${PORT};transport=sctp>;expires=600`
    const via = `Via: SIP/2.0/SCTP ${ALICE}:${PORT};branch=z9hG4bK-r1`
    bench.tcpIn(requestText({ method: 'REGISTER', uri: 'sip:example.test', via, headers: [contact] }), alice)
    const admit = {
      aor: 'sip:alice@example.test',
      minExpiresS: 60,
      maxExpiresS: 3_600,
      defaultExpiresS: 600,
      maxContacts: 4,
      replaceOldest: false,
      serviceRoute: false,
    }
    bench.decide({ $case: 'admit', value: admit as never })
    const { request, answer } = bench.location.take<location.RegisterRequest>('register')
    expect(request.contacts[0]?.flow).toMatchObject(flowOf(alice))
    answer({ bindings: [], version: 1n })
    alice.close()
    endBindings(bench.core, bench.peerOf(alice))
    const bindings = [bindingOf(`sip:alice@${ALICE}:${PORT};transport=sctp`, flowOf(alice))]
    bench.location.take('locate').answer({ bindings, version: 1n })
    expect(bench.location.take<location.RegisterRequest>('register').request.contacts).toMatchObject([{ expiresS: 0 }])
  })
})

describe('associations', () => {
  const conn = new FakeConnection(7, BOB, 5060, [])
  const asked: string[] = []
  const connect = (address: string, port: number): FakeConnection => {
    asked.push(`${address}:${port}`)
    return conn
  }
  const find = (id: number): FakeConnection | undefined => (id === 7 ? conn : undefined)
  const sctp = { transport: { connect, find } as unknown as SctpTransport, facing: FACING }

  test('are found by their flow, and opened for requests alone that want SCTP [RFC4168-5]', () => {
    const streams = new EdgeStreams(undefined, undefined, { sctp })
    expect(streams.find(7)?.facing).toBe(FACING)
    expect(streams.find(8)).toBeUndefined()
    expect(streams.connect({ transport: 'sctp', address: BOB, port: 5060 })?.connection).toBe(conn)
    expect(streams.connect({ transport: 'tcp', address: BOB, port: 5060 })).toBeUndefined()
    expect(asked).toEqual([`${BOB}:5060`])
  })

  test('are none where the edge does not listen on SCTP', () => {
    expect(
      new EdgeStreams(undefined, undefined).connect({ transport: 'sctp', address: BOB, port: 5060 }),
    ).toBeUndefined()
  })
})

test('an edge that is to listen on SCTP does, or ends with the reason before it joins', async () => {
  const settings = { 'edge.bindAddress': '127.0.0.1', 'edge.basePort': 27_460, 'edge.listeners.sctp': true }
  const logger = createLogger({ level: 'silent', service: 'test' })
  const opened = await openListeners(testConfig(settings), logger, () => undefined).catch((error: Error) => error)
  const code = await trySctp('127.0.0.1', 27_461)
  if (opened instanceof Error) {
    expect(opened.message).toMatch(/^edge\.listeners\.sctp: .* turn edge\.listeners\.sctp off\.$/)
    expect(code).toMatch(/^(E[A-Z]+|no addon)$/)
    return
  }
  await opened.openPublic()
  expect(opened.facings().map(({ name }) => name)).toContain('sctp:127.0.0.1:27460')
  expect(code).toBe('')
  await opened.close()
})
