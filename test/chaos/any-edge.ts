// SPDX-License-Identifier: MIT
// Edges behind one address die, one at a time, while calls go on [DESIGN §4]. The edges share a UDP port (SO_REUSEPORT), so that each
// datagram goes to the edge that the kernel's hash of its addresses names, or to a random one; a kill and a start move flows to other edges
// in the middle of calls. Every phone is a socket of its own: one for each call of the callers, one for each callee.
// Left out: TCP, location and policy dying, edges with addresses of their own.
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, type RunningRedis, startRedis } from '@tandem/test-kit'
import { freeBlock } from '../e2e/support/cluster.ts'
import { ChaosCluster, type EdgePlace, SERVICE_PORTS } from './support/cluster.ts'
import { answeredCalls, type Figures, judge } from './support/judge.ts'
import { type Kill, killInTurn, type Victims } from './support/kills.ts'
import { Parties, type Traces, type Traffic } from './support/parties.ts'
import { steerAtRandom } from './support/steering.ts'

export interface ChaosOptions {
  /** In which calls are begun. */
  readonly seconds: number
  /** Calls a second. */
  readonly rate: number
  readonly edges: number
  readonly store: 'memory' | 'redis'
  readonly steering: 'hash' | 'random'
  readonly seed: number
  /** At most. */
  readonly kills: number
  readonly talkMs: number
  readonly callees: number
}

export const DEFAULTS: ChaosOptions = {
  seconds: 60,
  rate: 100,
  edges: 3,
  store: 'memory',
  steering: 'hash',
  seed: 1,
  kills: 1_000,
  talkMs: 2_000,
  callees: 16,
}

export interface ChaosOutcome {
  readonly figures: Figures
  readonly kills: readonly Kill[]
  /** Of the edges that ran at the end; what a killed one counted went with it. */
  readonly metrics: ReadonlyMap<string, number>
  /** What the processes logged, from warnings up. */
  readonly output: string
  readonly traces: Traces
}

const ADDRESS = '127.0.0.1'
/** What a record may take after its call: a BYE whose response went another way ends by Timer F, 32 s, and its record then. */
const RECORDS_MS = 45_000
/** Two records take as long as one and a while. */
const SECOND_RECORD_MS = 1_000

/** Makes the calls and the kills, and waits for the records. */
export async function makeCalls(
  cluster: ChaosCluster,
  parties: Parties,
  options: Pick<ChaosOptions, 'edges' | 'seed' | 'kills' | 'seconds'>,
  victims: Victims = cluster,
): Promise<ChaosOutcome> {
  const { edges, seed, kills: most, seconds } = options
  const plan = { edges, seed, kills: most, untilMs: seconds * 1_000 }
  const [traces, kills] = await Promise.all([parties.call(), killInTurn(victims, plan)])
  await untilRecorded(cluster, answeredCalls(traces.callers))
  const figures = judge(traces.callers, traces.callees, cluster.records())
  return { figures, kills, metrics: await cluster.metrics(), output: cluster.output(), traces }
}

async function untilRecorded(cluster: ChaosCluster, callIds: readonly string[]): Promise<void> {
  const deadline = performance.now() + RECORDS_MS
  const isRecorded = (): boolean => {
    const kept = new Set(cluster.records().map((line) => line.call_id))
    return callIds.every((callId) => kept.has(callId))
  }
  while (!isRecorded() && performance.now() < deadline) await sleep(200)
  await sleep(SECOND_RECORD_MS)
}

/** Of all ports from the base port, for so many edges. */
export function offsets(edges: number): number[] {
  const own = Array.from({ length: edges }, (_, k) => [90 + 100 * k, SERVICE_PORTS.edgeHttp + k])
  return [...new Set([0, ...own.flat(), ...Object.values(SERVICE_PORTS)])]
}

/** Runs all of it on 127.0.0.1; nothing is left behind. */
export async function anyEdge(options: ChaosOptions): Promise<ChaosOutcome> {
  const basePort = await freeBlock(offsets(options.edges))
  const redis = options.store === 'redis' ? await startRedis() : undefined
  try {
    return await runOn(basePort, redis, options)
  } finally {
    await redis?.stop()
  }
}

async function runOn(basePort: number, redis: RunningRedis | undefined, options: ChaosOptions): Promise<ChaosOutcome> {
  const { callees, seconds, rate, talkMs } = options
  const place: EdgePlace = { address: ADDRESS, prefix: [] }
  const cluster = await ChaosCluster.start({
    edges: Array.from({ length: options.edges }, () => place),
    advertisedAddress: ADDRESS,
    serviceAddress: ADDRESS,
    basePort,
    store: redis?.url ?? 'memory',
    callees,
  })
  const traffic: Traffic = { seconds, rate, talkMs, callees }
  let parties: Parties | undefined
  try {
    if (options.steering === 'random') steerAtRandom(ADDRESS, basePort, options.edges)
    const nextPort = (): Promise<number> => freePort(ADDRESS)
    parties = await Parties.start({ ...place, target: `${ADDRESS}:${basePort}`, nextPort }, traffic)
    return await makeCalls(cluster, parties, options)
  } finally {
    await parties?.stop()
    await cluster.stop()
  }
}
