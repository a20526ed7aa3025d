// SPDX-License-Identifier: MIT
// Bindings and the end of their connection, location answered by hand. That a real connection's end comes here is tested from outside
// (test/e2e/secure-transports.test.ts).
import type { location } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, bindingOf, EdgeBench, type FakeConnection, requestText } from '../testing.ts'
import { endBindings } from './flow-end.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const PORT = 40_000
const ADMIT = {
  aor: 'sip:alice@example.test',
  minExpiresS: 60,
  maxExpiresS: 3_600,
  defaultExpiresS: 600,
  maxContacts: 4,
  replaceOldest: false,
  serviceRoute: false,
}

/** A phone has registered over a connection. */
function registered(expires = 600): FakeConnection {
  bench = new EdgeBench()
  const connection = bench.tcp.connect(ALICE, PORT)
  const contact = `Contact: <sip:alice@${ALICE}:${PORT};transport=tcp>;expires=${expires}`
  const via = `Via: SIP/2.0/TCP ${ALICE}:${PORT};branch=z9hG4bK-r1`
  bench.tcpIn(requestText({ method: 'REGISTER', uri: 'sip:example.test', via, headers: [contact] }), connection)
  bench.decide({ $case: 'admit', value: ADMIT as never })
  bench.location.take('register').answer({ bindings: [], version: 1n })
  return connection
}

function ends(connection: FakeConnection, ...bindings: location.Binding[]): location.RegisterRequest[] {
  connection.close()
  endBindings(bench.core, bench.peerOf(connection))
  if (bench.location.waiting().includes('locate')) bench.location.take('locate').answer({ bindings, version: 1n })
  const removed: location.RegisterRequest[] = []
  while (bench.location.waiting().includes('register')) {
    const item = bench.location.take<location.RegisterRequest>('register')
    removed.push(item.request)
    item.answer({ bindings: [], version: 2n })
  }
  return removed
}

const own = (extra: Partial<location.Flow> = {}): Partial<location.Flow> => ({
  transport: 'tcp',
  address: ALICE,
  port: PORT,
  edgeId: bench.core.edgeId,
  flowId: 1,
  ...extra,
})

describe('the end of a connection', () => {
  test('ends the binding that was made over it, in the order of its CSeq [RFC5626-5.3]', () => {
    const connection = registered()
    const binding = bindingOf(`sip:alice@${ALICE}:${PORT};transport=tcp`, own())
    const removed = ends(connection, { ...binding, callId: 'reg', cseq: 7 })
    expect(removed).toHaveLength(1)
    expect(removed[0]).toMatchObject({ aor: ADMIT.aor, callId: 'reg', cseq: 8, removeAll: false })
    expect(removed[0]?.contacts).toMatchObject([{ uri: binding.uri, expiresS: 0 }])
    expect(bench.core.counts.bindingsEnded).toBe(1)
    expect(ends(connection, binding)).toEqual([])
  })

  test.each([
    ['of another connection', { flowId: 2 }],
    ['of another edge', { edgeId: 'edge-1.test' }],
  ])('leaves a binding %s: the phone has come back', (_what, flow) => {
    const connection = registered()
    expect(ends(connection, bindingOf(`sip:alice@${ALICE}:${PORT}`, own(flow)))).toEqual([])
  })

  test('leaves a contact that names a place of its own, unless it asked for a flow', () => {
    const uri = `sip:alice@${ALICE}:5060;transport=tcp`
    const connection = registered()
    expect(ends(connection, bindingOf(uri, own()))).toEqual([])
    const other = registered()
    expect(ends(other, { ...bindingOf(uri, own()), instanceId: '<urn:a>', regId: 1 })).toHaveLength(1)
  })

  test('over which nobody is registered any more asks nothing', () => {
    expect(ends(registered(0), bindingOf(`sip:alice@${ALICE}:${PORT}`, own()))).toEqual([])
  })
})
