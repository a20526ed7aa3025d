// SPDX-License-Identifier: MIT
// What operators do to a cluster, while calls go on: new processes for everything, of this version or from another one to it and back, more edges and fewer, another master of Redis, another certificate,
// another key ring. SIPp calls (test/chaos/support/parties.ts); what became of each call is judged by its traces and the records files alone
// (test/chaos/support/judge.ts), TLS by phones of the harness.
// Left out: load balancers and orchestrators (the kernel spreads datagrams over the edges' sockets), several machines, arm64.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, startRedis } from '@tandem/test-kit'
import { RedisSet } from '../chaos/money/redis-set.ts'
import { answeredCalls, type Figures, judge } from '../chaos/support/judge.ts'
import { Parties, type Traces, type Traffic } from '../chaos/support/parties.ts'
import { freeBlock } from '../e2e/support/cluster.ts'
import { SecureCall, writeCertificate } from './certificate.ts'
import { ADDRESS, type End, type Name, OFFSETS, OpsCluster, ROOT, type Secret, type Service } from './cluster.ts'

export const SCENARIOS = ['roll', 'scale', 'redis', 'certificate', 'keys', 'key-file', 'upgrade', 'rollback'] as const
export type Scenario = (typeof SCENARIOS)[number]

export interface OpsOptions {
  readonly scenario: Scenario
  /** In which calls are begun, at most: no longer than the steps take. */
  readonly seconds: number
  /** Calls a second. */
  readonly rate: number
  readonly talkMs: number
  /** Calls go on for so long before the first step: services that have just started are cold, as those of a cluster in use are not. */
  readonly settleMs: number
  readonly callees: number
  /** Of each service in `roll` and `keys`. */
  readonly nodes: Readonly<Record<Service, number>>
  readonly drainMs: number
  readonly warmUpCalls: number
  /** Of `upgrade` and `rollback`: a built checkout of another version. */
  readonly otherVersion?: string
}

/** One thing that was done. */
export interface Step {
  readonly what: string
  /** After the first call. */
  readonly atMs: number
  readonly tookMs: number
}

export interface OpsOutcome {
  readonly figures: Figures
  readonly steps: readonly Step[]
  readonly ends: readonly End[]
  /** Whether calls were begun until the last step was over. */
  readonly isCovered: boolean
  /** What was wrong besides calls, in sentences. */
  readonly faults: readonly string[]
  readonly output: string
  readonly traces: Traces
}

/** From a change of the key ring or of the store on; longer than calls talk. */
const RECORDS_MS = 60_000
const SECOND_RECORD_MS = 1_000
/** Calls go on for so long after a step that is waited for. */
const SETTLE_MS = 2_000

const OLD: Secret = { id: 1, secret: 'the-old-one-of-this-harness' }
const NEW: Secret = { id: 2, secret: 'the-new-one-of-this-harness' }

/** Does things one after the other, and notes them. */
class Operator {
  readonly steps: Step[] = []
  readonly ends: End[] = []
  readonly faults: string[] = []
  readonly cluster: OpsCluster
  readonly #began = performance.now()

  constructor(cluster: OpsCluster) {
    this.cluster = cluster
  }

  get nowMs(): number {
    return Math.round(performance.now() - this.#began)
  }

  async do<T>(what: string, work: () => Promise<T>): Promise<T> {
    const atMs = this.nowMs
    const result = await work()
    this.steps.push({ what, atMs, tookMs: this.nowMs - atMs })
    return result
  }

  start(name: Name): Promise<number> {
    return this.do(`start ${name}`, () => this.cluster.launch(name))
  }

  async stop(name: Name): Promise<void> {
    const end = await this.do(`stop ${name}`, () => this.cluster.terminate(name))
    this.ends.push(end)
    if (end.code !== 0) this.faults.push(`${name} ended with status ${end.code}`)
  }

  /** A new one is ready before an old one goes; records in place. */
  async roll(service: Service): Promise<void> {
    for (const old of this.cluster.running(service)) {
      if (service === 'records') {
        await this.stop(old)
        await this.start(old)
      } else {
        await this.start(this.cluster.spare(service))
        await this.stop(old)
      }
    }
  }

  async rollAll(): Promise<void> {
    for (const service of ['location', 'policy', 'records', 'edge'] as const) await this.roll(service)
  }
}

interface World {
  readonly options: OpsOptions
  readonly redis: RedisSet | undefined
  /** Of the edges' certificate. */
  readonly folder: string
}

async function scale(operator: Operator): Promise<void> {
  for (let k = 1; k < 4; k++) await operator.start(`edge ${k}`)
  await sleep(SETTLE_MS)
  for (let k = 3; k > 0; k--) await operator.stop(`edge ${k}`)
}

/** Each ring everywhere before the next one: a key verifies before it signs, and signs no more before it goes. */
async function changeKeys(operator: Operator, { talkMs }: OpsOptions): Promise<void> {
  const rings: [string, Secret[]][] = [
    ['old, new', [OLD, NEW]],
    ['new, old', [NEW, OLD]],
  ]
  for (const [what, ring] of rings) {
    operator.cluster.configure(ring)
    await operator.do(`key ring: ${what}`, () => operator.rollAll())
  }
  // The dialogs that the old key has signed end first.
  await sleep(talkMs + SETTLE_MS)
  operator.cluster.configure([NEW])
  await operator.do('key ring: new', () => operator.rollAll())
}

/** The same without a restart: processes follow the file. Calls go on through each step. */
async function changeKeyFile(operator: Operator, { talkMs }: OpsOptions): Promise<void> {
  const rings: [string, Secret[]][] = [
    ['old, new', [OLD, NEW]],
    ['new, old', [NEW, OLD]],
    ['new', [NEW]],
  ]
  for (const [what, ring] of rings) {
    operator.cluster.configure(ring)
    await operator.do(`key ring: ${what}`, () => operator.cluster.untilKeys((ring[0] as Secret).id, ring.length))
    // The dialogs of before end before the next one.
    await sleep(talkMs + SETTLE_MS)
  }
}

async function changeCertificate(operator: Operator, { folder }: World): Promise<void> {
  const call = await SecureCall.begin(operator.cluster.tlsPort)
  try {
    const before = call.fingerprint
    writeCertificate(folder)
    await operator.do('another certificate', () => call.untilChanged(before))
    await call.end()
  } catch (error) {
    operator.faults.push(error instanceof Error ? error.message : String(error))
  } finally {
    call.close()
  }
}

function work(operator: Operator, world: World): Promise<unknown> {
  switch (world.options.scenario) {
    case 'roll':
      return operator.rollAll()
    case 'upgrade':
      operator.cluster.useVersion(ROOT)
      return operator.rollAll()
    case 'rollback':
      operator.cluster.useVersion(world.options.otherVersion as string)
      return operator.rollAll()
    case 'scale':
      return scale(operator)
    case 'redis':
      return operator.do('another master of Redis', async () => world.redis?.failOver())
    case 'certificate':
      return changeCertificate(operator, world)
    case 'keys':
      return changeKeys(operator, world.options)
    case 'key-file':
      return changeKeyFile(operator, world.options)
  }
}

async function untilRecorded(cluster: OpsCluster, callIds: readonly string[]): Promise<void> {
  const deadline = performance.now() + RECORDS_MS
  const isRecorded = (): boolean => {
    const kept = new Set(cluster.records().map((line) => line.call_id))
    return callIds.every((callId) => kept.has(callId))
  }
  while (!isRecorded() && performance.now() < deadline) await sleep(200)
  await sleep(SECOND_RECORD_MS)
}

async function runOn(cluster: OpsCluster, world: World): Promise<OpsOutcome> {
  const { seconds, rate, talkMs, callees } = world.options
  const traffic: Traffic = { seconds, rate, talkMs, callees }
  const nextPort = (): Promise<number> => freePort(ADDRESS)
  const parties = await Parties.start({ address: ADDRESS, prefix: [], target: cluster.sip, nextPort }, traffic)
  try {
    const operator = new Operator(cluster)
    const calls = parties.call()
    await sleep(world.options.settleMs)
    await work(operator, world).catch((error: Error) => operator.faults.push(error.message))
    await sleep(SETTLE_MS)
    const isCovered = operator.nowMs < seconds * 1_000
    parties.finish()
    const traces = await calls
    await untilRecorded(cluster, answeredCalls(traces.callers))
    const figures = judge(traces.callers, traces.callees, cluster.records())
    const { steps, ends, faults } = operator
    return { figures, steps, ends, faults, isCovered, output: cluster.output(), traces }
  } finally {
    await parties.stop()
  }
}

/** Runs one scenario on 127.0.0.1; nothing is left behind. */
export async function ops(options: OpsOptions): Promise<OpsOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-ops-tls-'))
  const needsSet = options.scenario === 'redis'
  const redis = needsSet ? await RedisSet.start(0) : undefined
  const single = needsSet ? undefined : await startRedis()
  let cluster: OpsCluster | undefined
  try {
    const nodes = options.scenario === 'scale' ? { ...options.nodes, edge: 1 } : options.nodes
    cluster = await OpsCluster.start(
      {
        base: await freeBlock(OFFSETS),
        store: redis?.url ?? (single?.url as string),
        durability: needsSet ? 'replica' : 'async',
        nodes,
        callees: options.callees,
        drainMs: options.drainMs,
        warmUpCalls: options.warmUpCalls,
        followsRing: options.scenario === 'key-file',
        isMixed: options.otherVersion !== undefined,
        version: options.scenario === 'upgrade' ? (options.otherVersion as string) : ROOT,
        ...(options.scenario === 'certificate' && { tls: writeCertificate(folder) }),
      },
      [OLD],
    )
    return await runOn(cluster, { options, redis, folder })
  } finally {
    await cluster?.stop()
    await redis?.stop()
    await single?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
