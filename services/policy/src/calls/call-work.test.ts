// SPDX-License-Identifier: MIT
// Who is told of what is due at calls, and what becomes of it when he is silent, gone, or can't: edges that the test plays, a clock that
// it moves. The store's side is in packages/store, that of edges and phones in test/hang-up.
import { policy } from '@tandem/rpc'
import type { CallWork } from '@tandem/store'
import { beforeEach, describe, expect, it, test } from 'vitest'
import type { PolicyService } from '../options.ts'
import { createWorld, decideOn, recordsOf, reportTo, request, START_MS, type World } from '../policy-fixture.ts'
import { edgeFor } from './call-work.ts'
import { HANG_UP_REASONS, isReason, statusOf } from './hang-up.ts'

const CONTEXT = { msLeft: 1_000, peer: 'test' }
const { TAKEN, ELSEWHERE, REFUSED } = policy.Acknowledged_Outcome

const party = (edgeId: string): policy.Party => ({
  target: 'sip:p@192.0.2.1',
  routes: [],
  cseq: 1,
  flow: { transport: 'tcp', address: '192.0.2.1', port: 5060, edgeId, flowId: 1 },
  aor: '',
})
const dialog: policy.Dialog = { toTag: 'b1', token: 'AQ', caller: party(''), callee: party('') }

let world: World
let node: PolicyService
/** What each edge was told, in order. */
let told: { edge: string; push: policy.Push }[]

beforeEach(async () => {
  world = await createWorld()
  node = world.node()
  told = []
})

function join(edge: string, at = node): () => void {
  return at.pushes.subscribe(edge, (push) => told.push({ edge, push }))
}

const edges = (): string[] => told.map(({ edge }) => edge)
const hangUps = (): policy.HangUp[] =>
  told.flatMap(({ push }) => (push.event?.$case === 'hangUp' ? [push.event.value] : []))

/** A call on record. */
async function call(isAnswered = true): Promise<string> {
  const asked = request({ requestUri: 'sip:bob@believed.test', from: '<sip:alice@believed.test>;tag=a1' })
  const { callRef } = await decideOn(node, asked)
  if (isAnswered) await report(callRef, { $case: 'answered', value: { toTag: 'b1', status: 200, target: '', dialog } })
  return callRef
}

function report(callRef: string, event: policy.ReportRequest['event'], at = node) {
  const about = { callId: '', fromTag: 'a1', edgeId: 'edge-1.x', setupAgeMs: 0xffffffff, ringAgeMs: 0xffffffff }
  return reportTo(at, { callRef, call: policy.Call.fromPartial(about), event, ageMs: 0 })
}

const acknowledge = (callRef: string, outcome: policy.Acknowledged_Outcome, at = node) =>
  report(callRef, { $case: 'acknowledged', value: { commandId: `${callRef}.1`, outcome } }, at)

const end = (callRef: string) =>
  report(callRef, { $case: 'ended', value: { fromTag: 'a1', toTag: 'b1', by: 'system', status: 200, reason: 'r' } })

const hangUp = async (callRef: string, at = node) => {
  const result = await at.handlers.requestHangUp({ callRef, reason: '' }, CONTEXT)
  await turns()
  return result
}

/** What waits for nothing but promises. */
async function turns(): Promise<void> {
  for (let k = 0; k < 20; k++) await Promise.resolve()
}

async function pass(ms: number, at = node): Promise<void> {
  for (let left = ms; left > 0; left -= 250) {
    world.clock.ms += Math.min(250, left)
    at.work.tick()
    await turns()
  }
}

describe('a hang-up', () => {
  it('goes to the next edge where one does not acknowledge it in time', async () => {
    join('edge-0')
    join('edge-1')
    const ref = await call()
    await hangUp(ref)
    expect(told).toHaveLength(1)
    await pass(1_250)
    expect(told).toHaveLength(1)
    await pass(750)
    expect(new Set(edges())).toEqual(new Set(['edge-0', 'edge-1']))
    expect(hangUps().map(({ attempt, commandId }) => [attempt, commandId])).toEqual([
      [1, `${ref}.1`],
      [2, `${ref}.2`],
    ])
  })

  it('is not repeated once an edge has it, until its BYEs must have ended', async () => {
    join('edge-0')
    join('edge-1')
    const ref = await call()
    await hangUp(ref)
    await acknowledge(ref, TAKEN)
    await pass(39_000)
    expect(told).toHaveLength(1)
    await pass(2_000)
    await node.work.do(ref)
    expect(told).toHaveLength(2)
  })

  it('goes at once to another edge when the one that has it is gone', async () => {
    const leave = { 'edge-0': join('edge-0'), 'edge-1': join('edge-1') } as Record<string, () => void>
    const ref = await call()
    await hangUp(ref)
    await acknowledge(ref, TAKEN)
    const [first] = edges() as [string]
    leave[first]?.()
    await pass(250)
    expect(edges()).toHaveLength(2)
    expect(edges()[1]).not.toBe(first)
  })

  it('acknowledged at another node counts here', async () => {
    const other = world.node()
    join('edge-0')
    const ref = await call()
    await hangUp(ref)
    await acknowledge(ref, TAKEN, other)
    await pass(10_000)
    expect(told).toHaveLength(1)
  })

  it('is done by another node when the one that was asked dies', async () => {
    const other = world.node()
    const ref = await call()
    await hangUp(ref) // no edge: this node waits, and is gone
    join('edge-0', other)
    world.clock.ms += 6_000
    expect(await other.work.do(ref)).toBe(true)
    expect(edges()).toEqual(['edge-0'])
  })

  it('waits for an edge without counting attempts', async () => {
    const ref = await call()
    expect(await hangUp(ref)).toMatchObject({ value: { state: 'answered', edgeCount: 0 } })
    await pass(120_000)
    expect(await recordsOf(world.store.policy)).toEqual([])
    join('edge-0')
    await pass(6_000)
    expect(hangUps()[0]?.attempt).toBeLessThanOrEqual(2)
  })

  it('that everybody refuses ends the record as of the first attempt', async () => {
    join('edge-0')
    const ref = await call()
    await pass(10_000)
    await hangUp(ref)
    for (let attempt = 1; attempt <= 8; attempt++) {
      expect(told).toHaveLength(attempt)
      await acknowledge(ref, REFUSED)
      await pass(6_000)
    }
    const [record] = await recordsOf(world.store.policy)
    expect(record).toMatchObject({ state: 'recovered', endedBy: 'system', reason: HANG_UP_REASONS.administrator })
    expect(record?.endedUnixMs).toBe(BigInt(START_MS + 10_000))
    expect(node.counts.hangUpsGivenUp).toBe(1)
    expect(told).toHaveLength(8)
  })

  it('of a call in set-up is handed from edge to edge until one runs it', async () => {
    for (const name of ['edge-0', 'edge-1', 'edge-2']) join(name)
    const ref = await call(false)
    await hangUp(ref)
    expect(edges()).toEqual(['edge-0']) // which asked for the decision
    expect(hangUps()[0]).toMatchObject({ status: 480, dialogs: [] })
    expect(hangUps()[0]?.transactionKey).not.toBe('')
    await acknowledge(ref, ELSEWHERE)
    await turns()
    await acknowledge(ref, ELSEWHERE)
    await turns()
    expect(new Set(edges())).toEqual(new Set(['edge-0', 'edge-1', 'edge-2']))
  })

  it('asked for twice goes out once, and ends once', async () => {
    join('edge-0')
    const ref = await call()
    await Promise.all([hangUp(ref), hangUp(ref, world.node())])
    await acknowledge(ref, TAKEN)
    await end(ref)
    await end(ref)
    await pass(60_000)
    expect(told).toHaveLength(1)
    expect(await recordsOf(world.store.policy)).toHaveLength(1)
  })

  it('of a call whose dialog is not on record ends the record', async () => {
    join('edge-0')
    const ref = await call(false)
    const value = { toTag: 'b1', status: 200, target: '', dialog: undefined }
    await report(ref, { $case: 'answered', value })
    await hangUp(ref)
    expect(told).toEqual([])
    expect(await recordsOf(world.store.policy)).toMatchObject([{ state: 'recovered', endedBy: 'system' }])
  })
})

describe('the edge that is told', () => {
  const work = (state: 'setup' | 'answered', edgeId: string, attempt = 1): CallWork =>
    ({
      kind: 'hangUp',
      attempt,
      dialogs: [{ ...dialog, callee: party(edgeId) }],
      call: { callRef: '4fabc', state, call: { edgeId } },
    }) as unknown as CallWork

  test.each([
    ['holds the connection of a party', 'answered', 'edge-2.a1', 'edge-2'],
    ['runs the INVITE', 'setup', 'edge-1.a1', 'edge-1'],
  ] as const)('%s, if it is there', (_what, state, edgeId, expected) => {
    expect(edgeFor(['edge-0', 'edge-1', 'edge-2'], work(state, edgeId))).toBe(expected)
    expect(edgeFor(['edge-0'], work(state, edgeId))).toBe('edge-0')
    expect(edgeFor([], work(state, edgeId))).toBeUndefined()
  })

  it('is another one at each attempt, the same for the same attempt', () => {
    const peers = ['edge-0', 'edge-1', 'edge-2']
    const order = [1, 2, 3].map((attempt) => edgeFor(peers, work('answered', '', attempt)))
    expect(new Set(order).size).toBe(3)
    expect(edgeFor([...peers].reverse(), work('answered', '', 4))).toBe(order[0])
  })
})

test.each([
  ['SIP;cause=402;text="x"', 402],
  ['SIP ; text="a;b" ; cause=603', 603],
  ['SIP;cause=200', 480],
  ['Q.850;cause=402', 480],
  ['', 480],
])('a caller in set-up gets the status of the reason: %s', (reason, status) => {
  expect(statusOf(reason)).toBe(status)
})

test.each([
  ['SIP;cause=402', true],
  ['Q.850 ;cause=16;text="ü"', true],
  ['SIP', true],
  ['no reason', false],
  ['SIP;cause=402\r\nX: y', false],
  [`SIP;text="${'x'.repeat(200)}"`, false],
  ['', false],
])('[RFC3326-2] %j is a reason: %s', (text, expected) => {
  expect(isReason(text)).toBe(expected)
})
