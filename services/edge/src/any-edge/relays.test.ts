// SPDX-License-Identifier: MIT
// Relays between edges and what becomes of them, one edge at a time: bounds, silence, refusals, what location can't say.
// Not tested here: whole calls between edges (test/any-edge).
import { type location, type policy, unknown } from '@tandem/rpc'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { edgeHashOf } from '../membership/edge-hash.ts'
import { ALICE, BOB, EdgeBench, edgeOf, messageOf, requestText, responseTo, valuesOf } from '../testing.ts'

const OTHER = 'edge-1.x'
const INTERNAL = 'tcp 1001'
const BOB_URI = `sip:bob@${BOB}`
const KEY = 'Bz9hG4bK-a1;192.0.2.20:0605'
const CANCEL = requestText({ method: 'CANCEL' })

let bench: EdgeBench
/** The edge that runs the call. */
let owner: EdgeBench
beforeEach(() => {
  owner = new EdgeBench({}, OTHER)
  bench = new EdgeBench()
  bench.joined([edgeOf(OTHER, '198.51.100.2')], 2n)
})
afterEach(() => {
  bench.close()
  owner.close()
})

/** The INVITE as the owner has sent it. */
const sentInvite = (callRef = ''): string => {
  owner.udpIn(requestText())
  owner.plan([[BOB_URI]], {}, callRef)
  owner.begin()
  return owner.last('INVITE')
}

const ringing = (): string => {
  const invite = sentInvite()
  bench.udpIn(responseTo(invite, 180), BOB)
  return bench.last('RELAY')
}

const acknowledge = (frame: string, status: number): void =>
  bench.tcpIn(responseTo(frame, status, 'ack'), bench.internalTcp.connections[0] as never, true)

const entry = (changes: Partial<location.CallEntry> = {}): location.CallEntry => ({
  transactionKey: KEY,
  owner: OTHER,
  epoch: 1,
  invite: Buffer.from(requestText({ headers: [`Contact: <sip:alice@${ALICE}>`] }), 'latin1'),
  upstream: { transport: 'udp', address: ALICE, port: 5060, edgeId: '', flowId: 0 },
  plan: Buffer.alloc(0),
  step: 0,
  branches: [],
  callRef: '',
  finalStatus: 0,
  ...changes,
})

/** The list of members names it no more. */
const otherGone = (): void => bench.joined([edgeOf('edge-2.x', '198.51.100.3')], 4n)

const asksDirectory = (): void => void bench.location.defaults.delete('readCall')

describe('a relay', () => {
  test('carries the message as it came, and ends with its acknowledgement', () => {
    const invite = sentInvite()
    bench.udpIn(responseTo(invite, 180), BOB)
    expect(bench.take()).toEqual([`RELAY → ${INTERNAL}`])
    const frame = bench.last('RELAY')
    expect(frame.slice(frame.indexOf('\r\n\r\n') + 4)).toBe(responseTo(invite, 180))
    expect(bench.core.anyEdge.relays.size).toBe(1)
    acknowledge(frame, 200)
    expect(bench.core.anyEdge.relays.size).toBe(0)
    bench.advance(100)
    expect(bench.core.counts).toMatchObject({ relayedResponses: 1, relaysLost: 0, droppedStrayResponse: 0 })
  })

  test('is not acknowledged by anybody who does not have its proof', () => {
    const frame = ringing()
    acknowledge(frame.replace(/branch=[^;]+/, 'branch=z9hG4bK010123456789abcdef'), 200)
    expect(bench.core.anyEdge.relays.size).toBe(1)
  })

  test('is lost after 50 ms of silence, and the directory asked', () => {
    asksDirectory()
    ringing()
    bench.advance(40)
    expect(bench.location.waiting()).toEqual([])
    bench.advance(20)
    expect(bench.location.waiting()).toEqual([]) // an acknowledgement may be in the socket
    bench.advance(10)
    expect(bench.location.take<location.ReadCallRequest>('readCall').request.transactionKey).toBe(KEY)
    expect(bench.core.counts.relaysLost).toBe(1)
  })

  test('is given 50 ms more where that edge acknowledges others meanwhile, and no longer', () => {
    asksDirectory()
    const invite = sentInvite()
    bench.udpIn(responseTo(invite, 180), BOB)
    bench.take()
    const first = bench.last('RELAY')
    bench.advance(20)
    bench.udpIn(responseTo(invite, 183), BOB)
    bench.advance(10)
    acknowledge(first, 200)
    bench.advance(60)
    expect(bench.core.counts).toMatchObject({ relaysWaitedOn: 1, relaysLost: 0 })
    bench.advance(40)
    bench.advance(10)
    expect(bench.core.counts).toMatchObject({ relaysWaitedOn: 1, relaysLost: 1 })
  })

  test('is lost with its connection, at once, and the next one does not wait', () => {
    asksDirectory()
    const invite = sentInvite()
    bench.udpIn(responseTo(invite, 180), BOB)
    bench.core.anyEdge.relays.onLost(bench.peerOf(bench.internalTcp.connections[0] as never))
    expect(bench.location.waiting()).toEqual(['readCall'])
    bench.location.take('readCall').answer({ entry: undefined })
    bench.take()
    bench.udpIn(responseTo(invite, 183), BOB)
    expect(bench.location.waiting()).toEqual(['readCall'])
    expect(bench.take()).toEqual([])
  })

  test('of which there are too many is dropped and counted', () => {
    const invite = sentInvite()
    const bytes = Buffer.from(responseTo(invite, 180), 'latin1')
    const { relays } = bench.core.anyEdge
    for (let k = 0; k < 10_001; k += 1) relays.send(edgeHashOf(OTHER), 'message', bytes, () => undefined)
    expect(relays.size).toBe(10_000)
    expect(bench.core.counts.droppedRelay).toBe(1)
  })
})

describe('a frame', () => {
  test.each([
    ['a message of no transaction', (frame: string) => frame, '481'],
    ['one of an unknown kind', (frame: string) => frame.replace('sip:message@', 'sip:other@'), '403'],
    ['one without proof', (frame: string) => frame.replace(/branch=[^;]+/, 'branch=z9hG4bK1'), '403'],
  ])('%s is answered with %s', (_what, change, status) => {
    const frame = change(ringing())
    const third = new EdgeBench({}, 'edge-2.x')
    const connection = third.internalTcp.connect('198.51.100.1', 5150)
    third.tcpIn(frame, connection, true)
    expect(third.take()).toEqual([`${status} → ${INTERNAL}`])
    third.close()
  })

  test('from outside is a request like any other', () => {
    bench.udpIn(ringing())
    expect(bench.core.counts.relaysTaken + bench.core.counts.relaysRefused).toBe(0)
  })
})

describe('the directory', () => {
  const lost = (): void => {
    asksDirectory()
    ringing()
    bench.advance(60)
    bench.take()
  }

  test('knows nothing: a provisional response goes on without a transaction', () => {
    lost()
    bench.location.take('readCall').answer({ entry: undefined })
    expect(bench.take()).toEqual([`180 → udp ${ALICE}:5060`])
  })

  test('can not be asked: an answer is not passed on unrecorded', () => {
    asksDirectory()
    bench.udpIn(responseTo(sentInvite(), 200), BOB)
    bench.advance(60)
    bench.take()
    bench.location.take('readCall').end(unknown('timeout'))
    expect(bench.take()).toEqual([])
    expect(bench.core.counts.droppedStrayResponse).toBe(1)
  })

  test('names another edge, which has it: relayed there, and the next message too', () => {
    asksDirectory()
    bench.joined([edgeOf(OTHER, '198.51.100.2'), edgeOf('edge-2.x', '198.51.100.3')], 3n)
    const invite = sentInvite()
    bench.udpIn(responseTo(invite, 180), BOB)
    acknowledge(bench.last('RELAY'), 481)
    bench.location.take('readCall').answer({ entry: entry({ owner: 'edge-2.x', epoch: 2 }) })
    expect(bench.take()).toEqual([`RELAY → ${INTERNAL}`, 'RELAY → tcp 1002'])
    bench.udpIn(responseTo(invite, 183), BOB)
    expect(bench.take()).toEqual(['RELAY → tcp 1002'])
  })

  test('lets somebody else adopt first: relayed to that one', () => {
    bench.joined([edgeOf(OTHER, '198.51.100.2'), edgeOf('edge-2.x', '198.51.100.3')], 3n)
    lost()
    bench.location.take('readCall').answer({ entry: entry() })
    bench.plan([[BOB_URI]])
    const adopted = entry({ owner: 'edge-2.x', epoch: 2 })
    bench.location.take('adoptCall').answer({ adopted: false, entry: adopted })
    expect(bench.take()).toEqual(['RELAY → tcp 1002'])
  })

  test('gives it to this edge: the owner is told, policy asked, and the message taken', () => {
    lost()
    bench.location.take('readCall').answer({ entry: entry() })
    bench.plan([[BOB_URI]])
    const adoption = bench.location.take<location.AdoptCallRequest>('adoptCall')
    expect(adoption.request).toMatchObject({ owner: OTHER, epoch: 1, newOwner: bench.core.edgeId })
    const branch = messageOf(owner.last('INVITE'))
    const id = branch.text(branch.viaBranchStart, branch.viaBranchEnd)
    const nextHop = { transport: 'udp', address: BOB, port: 5060, edgeId: '', flowId: 0 }
    const branches = [{ id, uri: BOB_URI, nextHop, provisionalStatus: 0, finalStatus: 0 }]
    adoption.answer({ adopted: true, entry: entry({ owner: bench.core.edgeId, epoch: 2, branches }) })
    expect(bench.take()).toEqual([`RELAY → ${INTERNAL}`, `180 → udp ${ALICE}:5060`])
    expect(bench.last('RELAY')).toContain(`2 ${KEY}`)
    bench.advance(600)
    expect(bench.take()).toEqual([]) // it rings: nothing is repeated
  })

  test('says that a silent member has it, and policy has no plan: nothing is taken from it', () => {
    asksDirectory()
    bench.udpIn(responseTo(sentInvite(), 200), BOB)
    bench.advance(60)
    bench.take()
    bench.location.take('readCall').answer({ entry: entry({ callRef: 'ref' }) })
    bench.policy.take('decide').end(unknown('timeout'))
    expect(bench.location.waiting()).toEqual([])
    expect(bench.policy.waiting()).toEqual([])
    expect(bench.take()).toEqual([]) // the callee repeats its answer
    expect(bench.core.counts).toMatchObject({ adoptions: 0, adoptionsPutOff: 1, droppedStrayResponse: 1 })
  })

  test('says that an edge that is gone has it, and policy has no plan: the caller gets 503', () => {
    lost()
    otherGone()
    bench.location.take('readCall').answer({ entry: entry() })
    bench.location.take('adoptCall').answer({ adopted: true, entry: entry({ owner: bench.core.edgeId, epoch: 2 }) })
    bench.policy.take('decide').end(unknown('timeout'))
    expect(valuesOf(bench.last('503'), 'Retry-After')).toEqual(['2'])
    expect(bench.location.take('endCall').request).toMatchObject({ epoch: 2, finalStatus: 503 })
    expect(bench.core.proxy.inProgress).toBe(0)
  })

  describe('gives it to this edge, which can not go on with it:', () => {
    const failed = (status: number): string => {
      asksDirectory()
      const answer = responseTo(sentInvite('ref'), status, 'bob', [`Contact: <${BOB_URI}:5080>`])
      bench.udpIn(answer, BOB)
      bench.advance(60)
      bench.take()
      otherGone()
      bench.location.take('readCall').answer({ entry: entry({ callRef: 'ref' }) })
      const nextHop = { transport: 'udp', address: BOB, port: 5060, edgeId: '', flowId: 0 }
      const { viaBranchStart, viaBranchEnd, buf } = messageOf(answer)
      const id = buf.latin1Slice(viaBranchStart, viaBranchEnd)
      const branches = [{ id, uri: BOB_URI, nextHop, provisionalStatus: 0, finalStatus: 0 }]
      const adopted = entry({ owner: bench.core.edgeId, epoch: 2, callRef: 'ref', branches })
      bench.location.take('adoptCall').answer({ adopted: true, entry: adopted })
      bench.policy.take('decide').end(unknown('timeout'))
      return answer
    }
    const ended = (): location.EndCallRequest => bench.location.take<location.EndCallRequest>('endCall').request

    test('a 2xx is put on record, and goes to the caller, who gets no 503', () => {
      failed(200)
      expect(bench.core.counts.adoptionsFailed).toBe(1)
      const report = bench.policy.take<policy.ReportRequest>('report')
      expect(report.request).toMatchObject({ callRef: 'ref', event: { $case: 'answered', value: { status: 200 } } })
      // By which the call can be ended from here, whoever hears of its end.
      expect(report.request.event).toMatchObject({
        value: {
          target: BOB_URI,
          dialog: {
            caller: { target: `sip:alice@${ALICE}`, flow: { address: ALICE } },
            callee: { target: `${BOB_URI}:5080`, flow: { address: BOB } },
          },
        },
      })
      expect(bench.take()).toEqual([])
      report.answer({})
      expect(bench.take()).toEqual([`200 → udp ${ALICE}:5060`])
      expect(ended()).toMatchObject({ transactionKey: KEY, owner: bench.core.edgeId, epoch: 2, finalStatus: 200 })
    })

    test('its repetition too, whatever the directory has heard', () => {
      const answer = failed(200)
      bench.policy.take('report').answer({})
      bench.take()
      for (const finalStatus of [0, 200]) {
        bench.udpIn(answer, BOB)
        const held = entry({ owner: bench.core.edgeId, epoch: 2, callRef: 'ref', finalStatus })
        bench.location.take('readCall').answer({ entry: held })
        bench.policy.take('report').answer({})
        expect(bench.take()).toEqual([`200 → udp ${ALICE}:5060`])
      }
      expect(bench.core.counts.droppedStrayResponse).toBe(0)
    })
  })

  test('can not be asked about a CANCEL: its sender repeats it', () => {
    asksDirectory()
    bench.udpIn(CANCEL)
    bench.location.take('readCall').end(unknown('timeout'))
    expect(bench.take()).toEqual([])
    expect(bench.core.counts.droppedLookup).toBe(1)
  })

  test('is asked once for what comes together, and each gets its answer', () => {
    asksDirectory()
    for (let k = 0; k < 20; k += 1) bench.udpIn(CANCEL)
    expect(bench.location.waiting()).toEqual(['readCall'])
    bench.location.take('readCall').answer({ entry: undefined })
    expect(bench.take()).toHaveLength(16)
    expect(bench.core.counts).toMatchObject({ cancelsUnmatched: 16, droppedRelay: 4 })
  })
})
