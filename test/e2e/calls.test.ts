// SPDX-License-Identifier: MIT
// The main job, by SIPp: alice registers at one edge, bob at another, and they call each other. One table of calls for each way
// to run the cluster. Not tested here: calls that fail (call-ends.test.ts), phones that keep a TCP connection (flows.test.ts).
import {
  type RunningRedis,
  type RunningRedisCluster,
  redisAvailable,
  sippAvailable,
  startRedis,
  startRedisCluster,
} from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Cluster, type ClusterOptions } from './support/cluster.ts'
import { forget } from './support/phone.ts'
import { beginSipp, expectPlayed, newCallId, playSipp, registerSipp, type Transport } from './support/sipp.ts'

interface CallCase {
  readonly caller: Transport
  readonly callee: Transport
  /** Edge of alice; bob is at the other one. */
  readonly from: 0 | 1
  readonly bye: 'caller' | 'callee'
  /** Whether ACK and BYE go to the other edge than the INVITE. */
  readonly where: '' | 'through the other edge'
}

const EVERY_CALL: CallCase[] = (['udp', 'tcp'] as const).flatMap((caller) =>
  (['udp', 'tcp'] as const).flatMap((callee) =>
    ([0, 1] as const).flatMap((from) =>
      (['caller', 'callee'] as const).map((bye): CallCase => ({ caller, callee, from, bye, where: '' })),
    ),
  ),
)
const OTHER_EDGE: CallCase[] = (['caller', 'callee'] as const).flatMap((bye) =>
  ([0, 1] as const).map(
    (from): CallCase => ({ caller: 'udp', callee: 'udp', from, bye, where: 'through the other edge' }),
  ),
)
/** Each transport on either side, each direction, each end, once. */
const SOME_CALLS: CallCase[] = [
  { caller: 'udp', callee: 'udp', from: 0, bye: 'callee', where: '' },
  { caller: 'tcp', callee: 'tcp', from: 1, bye: 'caller', where: '' },
  { caller: 'udp', callee: 'tcp', from: 1, bye: 'caller', where: '' },
  { caller: 'tcp', callee: 'udp', from: 0, bye: 'callee', where: '' },
  { caller: 'udp', callee: 'udp', from: 0, bye: 'caller', where: 'through the other edge' },
]
const ONE_CALL = SOME_CALLS.slice(0, 1)

interface Variant {
  readonly processes: 'single' | 'many'
  readonly store: 'memory' | 'redis' | 'redis-cluster'
  readonly calls: readonly CallCase[]
}

const VARIANTS: Variant[] = [
  { processes: 'single', store: 'memory', calls: [...EVERY_CALL, ...OTHER_EDGE] },
  { processes: 'many', store: 'memory', calls: SOME_CALLS },
  { processes: 'many', store: 'redis', calls: SOME_CALLS },
  { processes: 'single', store: 'redis-cluster', calls: ONE_CALL },
]

const TALK_MS = 400

/** Scenarios of caller and callee. Over UDP SIPp has to be told to answer where the Via says. */
function scenarios({ caller, callee, bye, where }: CallCase): [string, string] {
  const byVia = { udp: '-by-via', tcp: '' }
  return bye === 'caller'
    ? [where ? 'call-and-bye-elsewhere' : 'call-and-hang-up', `answer${byVia[callee]}`]
    : [`call-and-be-hung-up${byVia[caller]}`, where ? 'answer-and-bye-elsewhere' : 'answer-and-hang-up']
}

async function startStore(kind: Variant['store']): Promise<RunningRedis | RunningRedisCluster | undefined> {
  if (kind === 'redis') return startRedis()
  return kind === 'redis-cluster' ? startRedisCluster() : undefined
}

function unavailable(store: Variant['store']): string {
  const needed = store === 'memory' ? [sippAvailable()] : [sippAvailable(), redisAvailable()]
  return needed.flatMap((program) => (program.available ? [] : [program.reason])).join('; ')
}

describe.each(VARIANTS)('calls with --processes $processes --store $store', ({ processes, store, calls }) => {
  const reason = unavailable(store)
  let redis: RunningRedis | RunningRedisCluster | undefined
  let cluster: Cluster
  const callIds: string[] = []

  beforeAll(async () => {
    if (reason !== '') return
    redis = await startStore(store)
    const options: ClusterOptions = { processes, ...(redis && { store: redis.url }) }
    cluster = await Cluster.start(options)
  })
  beforeEach((context) => {
    if (reason !== '') context.skip(reason)
  })
  afterAll(async () => {
    await cluster?.stop()
    await redis?.stop()
  })

  it.for(calls)('alice ($caller) at edge $from calls bob ($callee) at the other, BYE by $bye $where', async (call) => {
    const { caller, callee, from, bye } = call
    const [near, far] = [cluster.sipPort(from), cluster.sipPort(1 - from)]
    const [calling, answering] = scenarios(call)
    await Promise.all([forget('alice', near), forget('bob', near)])
    const bob = await beginSipp({
      scenario: answering,
      transport: callee,
      pauseMs: TALK_MS,
      keys: { callee: 'bob', other_port: far },
    })
    await Promise.all([registerSipp('alice', near, 5099, caller), registerSipp('bob', far, bob.port, callee)])
    const callId = newCallId('call')
    callIds.push(callId)
    const alice = await playSipp({
      scenario: calling,
      port: near,
      transport: caller,
      user: 'alice',
      callId,
      pauseMs: TALK_MS,
      keys: { callee: 'bob', other_port: far },
    })
    expectPlayed(alice)
    expectPlayed(await bob.result)
    const record = await cluster.record(callId)
    expect(record).toMatchObject({
      from_uri: 'sip:alice@example.test',
      to_uri: 'sip:bob@example.test',
      identity: 'sip:alice@example.test',
      final_status: 200,
      outcome: 'answered',
      ended_by: bye,
    })
    expect(Math.abs(record.duration_ms - TALK_MS), `duration ${record.duration_ms}`).toBeLessThan(300)
  })

  it.for(['message', 'options'])('%s end to end', async (method) => {
    await forget('bob', cluster.sipPort(0))
    const bob = await beginSipp({ scenario: `take-${method}` })
    await registerSipp('bob', cluster.sipPort(1), bob.port)
    const sent = { scenario: `send-${method}`, port: cluster.sipPort(0), user: 'alice', keys: { callee: 'bob' } }
    expectPlayed(await playSipp(sent))
    expectPlayed(await bob.result)
  })

  it('every call left one line, and nothing else did', () => {
    expect(
      cluster
        .records()
        .map((line) => line.call_id)
        .sort(),
    ).toEqual([...callIds].sort())
  })
})
