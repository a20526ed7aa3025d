// SPDX-License-Identifier: MIT
// Attempts at trunks: bounds, places that come back, breakers, what a challenge gets. Not here: two nodes (trunks-redis.test.ts).
import { createHash } from 'node:crypto'
import { policy } from '@tandem/rpc'
import { createReference, type TrunkStore } from '@tandem/store'
import { describe, expect, test } from 'vitest'
import type { PolicyService } from '../options.ts'
import { reportTo, type World } from '../policy-fixture.ts'
import { judgeAttempt } from './outcome.ts'
import { PLACE_LEASE_MS } from './trunk-board.ts'
import {
  beginAt,
  CONTEXT,
  endAt,
  FakeEdge,
  HOST,
  statusOf,
  storedValue,
  trunkDocument,
  trunkWorld,
} from './trunk-fixture.ts'

const ANSWERED = { status: 200, pddMs: 90 }
const CALL = {
  callId: 'c',
  fromTag: 'a',
  fromUri: 'sip:alice@example.test',
  toUri: 'sip:+49@example.test',
  requestUri: 'sip:+49@example.test',
  source: undefined,
  identity: '',
  account: '',
  edgeId: 'edge-0.1',
  userAgent: '',
  setupAgeMs: 1_000,
  ringAgeMs: 0xffffffff,
}
const attemptAt = (trunk: string, status: number) => ({ target: 'sip:1@h', status, provisionalStatus: 180, trunk })

/** A call on record with a plan that names these trunks. */
async function callOn({ store }: World, trunks: readonly string[]): Promise<string> {
  const ref = createReference()
  const targets = trunks.map((trunk) => ({
    where: { $case: 'uri' as const, value: 'sip:1@192.0.2.9' },
    trunkLeg: { trunk, host: HOST, answersChallenges: true },
  }))
  const plan = { steps: [{ targets }] }
  const response = policy.DecideResponse.fromPartial({ verdict: { $case: 'plan', value: plan }, callRef: ref })
  const decision = policy.DecideResponse.encode(response).finish()
  storedValue(
    await store.policy.mint(
      `tx-${ref}`,
      { ref, decision, call: { ...CALL, attempts: [] }, deadlineMs: 600_000 },
      600_000,
    ),
  )
  return ref
}

async function answer(node: PolicyService, callRef: string, trunk = 'carrier'): Promise<void> {
  const answerer = { aor: '', userAgent: '', transport: 'udp', address: '192.0.2.9', port: 5060, trunk }
  const value = { toTag: 'b', status: 200, target: 'sip:1@192.0.2.9', answerer }
  const call = { ...CALL, attempts: [attemptAt(trunk, 200)] }
  await reportTo(node, { callRef, call, event: { $case: 'answered', value }, ageMs: 0 })
}

async function hangUp(node: PolicyService, callRef: string): Promise<void> {
  const value = { fromTag: 'a', toTag: 'b', by: 'caller', status: 200, reason: '' }
  await reportTo(node, { callRef, call: { ...CALL, attempts: [] }, event: { $case: 'ended', value }, ageMs: 0 })
}

describe('bounds', () => {
  test('as many attempts as the trunk may have calls; a failed one makes room at once', async () => {
    const world = await trunkWorld(trunkDocument({ maxCalls: 2 }))
    const node = world.node()
    const [first, second] = [createReference(), createReference()]
    expect(await beginAt(node, { callRef: first })).toEqual({ refused: false, code: '' })
    expect(await beginAt(node, { callRef: second })).toMatchObject({ refused: false })
    expect(await beginAt(node)).toEqual({ refused: true, code: 'trunk_calls' })
    expect(await beginAt(node, { callRef: first })).toMatchObject({ refused: false })
    await endAt(node, { status: 486 }, { callRef: first })
    expect(await beginAt(node)).toMatchObject({ refused: false })
    expect(await statusOf(node)).toMatchObject({ calls: 2, maxCalls: 2, attempts: 1 })
  })

  test('calls in a second', async () => {
    const world = await trunkWorld(trunkDocument({ callsPerSecond: 3 }))
    const node = world.node()
    const codes = await Promise.all(Array.from({ length: 5 }, async () => (await beginAt(node)).code))
    expect(codes.sort()).toEqual(['', '', '', 'trunk_rate', 'trunk_rate'])
    world.clock.ms += 1_001
    expect(await beginAt(node)).toMatchObject({ refused: false })
  })

  test('an answered call keeps its place until its end is reported, with its talk', async () => {
    const world = await trunkWorld(trunkDocument({ maxCalls: 1 }))
    const node = world.node()
    const callRef = await callOn(world, ['carrier'])
    await beginAt(node, { callRef })
    await answer(node, callRef)
    await endAt(node, ANSWERED, { callRef })
    expect(await beginAt(node)).toMatchObject({ refused: true })
    world.clock.ms += 30_000
    await hangUp(node, callRef)
    expect(await statusOf(node)).toMatchObject({
      calls: 0,
      answered: 1,
      ended: 1,
      talkMs: 30_000n,
      rang: 1,
      pddMs: 90n,
    })
    expect(await beginAt(node)).toMatchObject({ refused: false })
  })

  test('ends that were never told are found: of a call that is gone, and of one that another trunk answered', async () => {
    const world = await trunkWorld(trunkDocument({ maxCalls: 4 }))
    const node = world.node()
    const [gone, here, elsewhere] = await Promise.all(
      ['carrier', 'carrier', 'other'].map((trunk) => callOn(world, [trunk])),
    )
    for (const callRef of [createReference(), gone, here, elsewhere]) await beginAt(node, { callRef: callRef ?? '' })
    await answer(node, here ?? '')
    await answer(node, elsewhere ?? '', 'other')
    const failed = { status: 503, cause: 'error', reason: '' }
    await reportTo(node, {
      callRef: gone ?? '',
      call: { ...CALL, attempts: [] },
      event: { $case: 'failed', value: failed },
      ageMs: 0,
    })
    expect(await statusOf(node)).toMatchObject({ calls: 4 })
    world.clock.ms += PLACE_LEASE_MS
    await node.trunks.board.poll()
    expect(await statusOf(node)).toMatchObject({ calls: 1 })
    expect(node.counts.trunkPlacesFreed).toBe(3)
    await hangUp(node, here ?? '')
    expect(await statusOf(node)).toMatchObject({ calls: 0 })
  })

  test.each([
    ['refuse', { refused: true, code: 'trunk_store' }],
    ['allow', { refused: false, code: '' }],
  ] as const)('while the store is away: %s', async (withoutStore, expected) => {
    const world = await trunkWorld(trunkDocument({ maxCalls: 2 }))
    const failure = { state: 'notStored', reason: 'away', detail: 'no connection' } as const
    const away = new Proxy(world.store.trunks, { get: () => () => failure }) as TrunkStore
    const node = world.node({ trunks: away, config: { trunks: { withoutStore, qualityWindowMs: 900_000 } } })
    expect(await beginAt(node)).toEqual(expected)
    const phase = { $case: 'end' as const, value: { status: 503, lost: false, cancelled: false } }
    const told = { callRef: createReference(), trunk: 'carrier', attempt: 0, host: HOST, ageMs: 0, phase }
    expect(await node.handlers.trunkAttempt(told, CONTEXT)).toMatchObject({
      outcome: 'refused',
      refusal: { code: 'store_away' },
    })
  })

  test('nothing is begun at a trunk that no resource names, or without a call', async () => {
    const node = (await trunkWorld()).node()
    expect(await beginAt(node)).toEqual({ refused: true, code: 'trunk_unknown' })
    await expect(beginAt(node, { callRef: 'x' })).rejects.toThrow('bad_attempt')
  })
})

describe('breakers', () => {
  const BREAKER = { breaker: { failures: 3, windowMs: 10_000, openMs: 5_000 } }

  test('a host that fails again and again is left alone; then one call tries it, and closes it', async () => {
    const world = await trunkWorld(trunkDocument(BREAKER))
    const [node, other] = [world.node(), world.node()]
    await node.trunks.board.poll()
    expect(node.trunks.board.facts('carrier')).toMatchObject({ open: false })
    for (let i = 0; i < 3; i++) await endAt(i === 1 ? other : node, { status: 503 })
    await other.trunks.board.poll()
    for (const one of [node, other]) expect(one.trunks.board.facts('carrier')).toMatchObject({ open: true })
    expect(await beginAt(other)).toEqual({ refused: true, code: 'trunk_open' })
    world.clock.ms += 5_000
    await Promise.all([node, other].map((one) => one.trunks.board.look('carrier')))
    expect([...(other.trunks.board.facts('carrier')?.trialHosts ?? [])]).toEqual([HOST])
    const begun = await Promise.all([beginAt(node), beginAt(other), beginAt(other), beginAt(node)])
    expect(begun.map(({ code }) => code).sort()).toEqual(['', 'trunk_open', 'trunk_open', 'trunk_open'])
    await endAt(other, { status: 180 + 306 })
    await node.trunks.board.poll()
    expect(node.trunks.board.facts('carrier')).toMatchObject({ open: false, trialHosts: new Set() })
    expect(await statusOf(node)).toMatchObject({ hosts: [{ host: HOST, breaker: 'closed', opened: 1 }] })
  })

  test('a trial that fails opens it again; a trunk is open when all its hosts are', async () => {
    const hosts = [
      { host: '192.0.2.9', port: 5060 },
      { host: '192.0.2.10', transport: 'tcp' },
    ]
    const world = await trunkWorld(trunkDocument({ ...BREAKER, hosts }))
    const node = world.node()
    for (let i = 0; i < 3; i++) await endAt(node, { lost: true })
    expect(node.trunks.board.facts('carrier')).toMatchObject({ open: false, openHosts: new Set([HOST]) })
    for (let i = 0; i < 3; i++) await endAt(node, { lost: true }, { host: '192.0.2.10;tcp' })
    expect(node.trunks.board.facts('carrier')).toMatchObject({ open: true })
    world.clock.ms += 5_000
    await node.trunks.board.poll()
    await beginAt(node)
    await endAt(node, { status: 500 })
    expect([...(node.trunks.board.facts('carrier')?.openHosts ?? [])]).toEqual([HOST])
  })

  test('busy, unknown numbers, cancelled calls and refusals of ours open nothing', async () => {
    const node = (await trunkWorld(trunkDocument(BREAKER))).node()
    for (const how of [
      { status: 486 },
      { status: 404 },
      { status: 487, cancelled: true },
      { status: 403 },
      { status: 501 },
    ]) {
      for (let i = 0; i < 4; i++) await endAt(node, how)
    }
    expect(node.trunks.board.facts('carrier')?.openHosts.size ?? 0).toBe(0)
  })
})

test.each([
  [{ status: 200 }, { keeps: true, answered: true, effective: true, seized: true, health: 'good' }],
  [{ status: 486 }, { keeps: false, answered: false, effective: true, seized: true, health: 'good' }],
  [{ status: 503 }, { effective: false, seized: true, health: 'bad' }],
  [
    { status: 408, lost: true },
    { effective: false, seized: true, health: 'bad' },
  ],
  [{ status: 408 }, { effective: false, health: 'neutral' }],
  [{ status: 403 }, { effective: false, health: 'neutral' }],
  [{ status: 501 }, { effective: false, health: 'neutral' }],
  [
    { status: 487, cancelled: true },
    { keeps: false, seized: false, health: 'neutral' },
  ],
  [
    { status: 200, cancelled: true },
    { keeps: true, answered: true },
  ],
] as const)('an end with %o is %o', (how, expected) => {
  expect(judgeAttempt({ lost: false, cancelled: false, ...how })).toMatchObject(expected)
})

test('quality is what the attempts of the window say', async () => {
  const world = await trunkWorld(trunkDocument())
  const node = world.node()
  for (const status of [200, 200, 200, 200, 200, 486, 480, 404, 503, 503]) await endAt(node, { status, pddMs: 100 })
  await node.trunks.board.look('carrier')
  expect(node.trunks.board.facts('carrier')).toMatchObject({ asr: 0.5, ner: 0.8, pddMs: 100 })
  world.clock.ms += 1_100_000
  await node.trunks.board.look('carrier')
  expect(node.trunks.board.facts('carrier')).toMatchObject({ asr: undefined, pddMs: undefined })
})

describe('challenges', () => {
  const SPEC = { credentials: { username: 'acme', password: 'trunk-secret' } }
  const challenge = (nonce: string, realm = 'carrier.test') => `Digest realm="${realm}", nonce="${nonce}", qop="auth"`
  const ask = async (node: PolicyService, callRef: string, parts: Partial<policy.AnswerChallengeRequest> = {}) => {
    const request = {
      method: 'INVITE',
      requestUri: 'sip:1@192.0.2.9',
      proxy: true,
      challenges: [challenge('n')],
      round: 0,
    }
    const asked = { callRef, trunk: 'carrier', attempt: 0, body: Buffer.alloc(0), ...request, ...parts }
    const result = await node.handlers.answerChallenge(asked, CONTEXT)
    return result.outcome === 'done' ? result.value.credentials : result
  }

  test('[RFC3261-22.3] the answer is right, and counts the uses of a nonce over calls and nodes', async () => {
    const world = await trunkWorld(trunkDocument(SPEC))
    const nodes = [world.node(), world.node()]
    const counts: string[] = []
    for (let i = 0; i < 3; i++) {
      const answers = await ask(nodes[i % 2] as PolicyService, await callOn(world, ['carrier']))
      const value = Array.isArray(answers) ? String(answers[0]) : ''
      const [nc = '', cnonce] = [/nc=(\w+)/.exec(value)?.[1], /cnonce="([^"]+)"/.exec(value)?.[1]]
      const h = (text: string) => createHash('md5').update(text).digest('hex')
      const response = h(`${h('acme:carrier.test:trunk-secret')}:n:${nc}:${cnonce}:auth:${h('INVITE:sip:1@192.0.2.9')}`)
      expect(value).toContain(`response="${response}"`)
      expect(value).not.toContain('trunk-secret')
      counts.push(nc)
    }
    expect(counts).toEqual(['00000001', '00000002', '00000003'])
  })

  test('nothing for a trunk that is not on the call, a call that nobody knows, a third round, or another realm', async () => {
    const world = await trunkWorld(
      trunkDocument({ credentials: { ...SPEC.credentials, realm: 'carrier.test' } }),
      trunkDocument({}, 'other'),
    )
    const node = world.node()
    const callRef = await callOn(world, ['carrier', 'other'])
    expect(await ask(node, callRef)).toHaveLength(1)
    expect(await ask(node, await callOn(world, ['other']))).toEqual([])
    expect(await ask(node, createReference())).toEqual([])
    expect(await ask(node, callRef, { round: 2 })).toEqual([])
    expect(await ask(node, callRef, { challenges: [challenge('n', 'elsewhere.test')] })).toEqual([])
    expect(await ask(node, callRef, { trunk: 'other' })).toEqual([])
    expect(await ask(node, callRef, { trunk: 'nobody' })).toMatchObject({
      outcome: 'refused',
      refusal: { code: 'unknown_trunk' },
    })
  })

  test('a password is in no line of the log', async () => {
    const world = await trunkWorld(trunkDocument(SPEC))
    const node = world.node()
    const edge = new FakeEdge(node)
    await ask(node, await callOn(world, ['carrier']))
    edge.leave()
    expect(JSON.stringify(world.lines)).not.toContain('trunk-secret')
  })
})
