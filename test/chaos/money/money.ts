// SPDX-License-Identifier: MIT
// Money while everything dies: calls of a hundred accounts through three edges and two policy nodes, of which one process at a time is killed
// outright and started again, top-ups meanwhile, and the master of Redis killed once in the middle. Then all is left alone until nothing is
// due any more, and judged. [STATE.md, Calls and money]
// Left out: two deaths at once, phones that fall silent (liveness: test/e2e), Redis Cluster.
import { setTimeout as sleep } from 'node:timers/promises'
import { createRandom } from '@tandem/test-kit'
import { freeBlock } from '../../e2e/support/cluster.ts'
import { answeredIn, type Figures, judge, type Statement } from './judge.ts'
import { Phones, type Traces } from './phones.ts'
import { calleesOf, documentsOf, type Payer, payersOf } from './plan.ts'
import { MoneyCluster, NAMES, type Name, OFFSETS, type PricedLine } from './processes.ts'
import { RedisSet } from './redis-set.ts'

export interface MoneyOptions {
  /** In which calls are begun. */
  readonly seconds: number
  /** Calls a second. */
  readonly rate: number
  readonly seed: number
  readonly accounts: number
  /** At most. */
  readonly kills: number
  /** Small processes: 192 MiB of heap for each, 256 MiB for each Redis. */
  readonly isSmall: boolean
}

export const DEFAULTS: MoneyOptions = { seconds: 180, rate: 200, seed: 1, accounts: 100, kills: 1_000, isSmall: false }

export interface Kill {
  readonly name: Name | 'redis'
  /** After the first call. */
  readonly atMs: number
  /** Until it, or another master, was there. */
  readonly backMs: number
}

export interface MoneyOutcome {
  readonly figures: Figures
  readonly kills: readonly Kill[]
  readonly doctor: { readonly status: number | null; readonly output: string }
  /** From the end of the last call until nothing was held. */
  readonly settledMs: number
  readonly output: string
  readonly traces: Traces
  readonly records: readonly PricedLine[]
}

const CALLEES = 12
const SETTLE_MS = 2_000
const RANDOM_MS = 1_000
const TOP_UP_MS = 1_500
/** Two leases of an unanswered hold, a walk over all accounts, the second look. */
const SETTLED_MS = 360_000
/** More of a ledger is not read. */
const LEDGER = 1_000
const SECOND_LOOK_MS = 45_000

/** Adds money under keys of its own until policy says that it has it; sometimes once more. */
class Purse {
  readonly #cluster: MoneyCluster
  readonly #random: () => number
  readonly added = new Map<string, bigint>()
  #keys = 0

  constructor(cluster: MoneyCluster, random: () => number) {
    this.#cluster = cluster
    this.#random = random
  }

  async topUp({ name, topUp }: Payer): Promise<void> {
    if (topUp === 0) return
    const key = `payment-${++this.#keys}`
    const request = { account: name, amount: BigInt(topUp), key }
    const deadline = performance.now() + 60_000
    for (let node = Math.floor(this.#random() * 2); ; node++) {
      if (performance.now() > deadline) throw new Error(`${name} can not be topped up`)
      const caller = this.#cluster.policyAt(node % 2)
      const result = await caller.invoke('topUp', request, 1_000)
      await caller.close()
      if (result.outcome !== 'done') await sleep(200)
      else if (this.#random() > 0.2) break
    }
    this.added.set(name, (this.added.get(name) ?? 0n) + BigInt(topUp))
  }
}

async function topUpAtRandom(purse: Purse, payers: readonly Payer[], random: () => number, untilMs: number) {
  const poor = payers.filter(({ topUp }) => topUp > 0 && topUp < 1_000_000)
  while (performance.now() < untilMs) {
    await sleep(TOP_UP_MS)
    const one = poor[Math.floor(random() * poor.length)]
    if (one !== undefined) await purse.topUp(one)
  }
}

/** One after the other, each at a point that the seed chooses; Redis half-way. */
async function killAtRandom(
  cluster: MoneyCluster,
  redis: RedisSet,
  { seed, seconds, kills: most }: MoneyOptions,
): Promise<Kill[]> {
  const random = createRandom(seed + 7_919)
  const began = performance.now()
  const now = (): number => Math.round(performance.now() - began)
  const kills: Kill[] = []
  let hasFailedOver = false
  while (kills.length < most) {
    await sleep(SETTLE_MS + random() * RANDOM_MS)
    const atMs = now()
    if (atMs > seconds * 1_000) break
    if (!hasFailedOver && atMs > seconds * 500) {
      hasFailedOver = true
      kills.push({ name: 'redis', atMs, backMs: await redis.failOver() })
      continue
    }
    const name = NAMES[Math.floor(random() * NAMES.length)] as Name
    await cluster.kill(name)
    kills.push({ name, atMs, backMs: await cluster.launch(name) })
  }
  return kills
}

async function statementOf(cluster: MoneyCluster, account: string, toppedUp: bigint): Promise<Statement> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const caller = cluster.policyAt(attempt % 2)
    const result = await caller.invoke('getAccount', { account, ledger: LEDGER }, 5_000)
    await caller.close()
    if (result.outcome !== 'done') {
      await sleep(500)
      continue
    }
    const { balance, ledgerSum, held, holdsSum, ledger } = result.value
    return { account, balance, ledgerSum, held, holdsSum, ledger: ledger.length < LEDGER ? ledger : [], toppedUp }
  }
  throw new Error(`${account} can not be read`)
}

async function statementsOf(cluster: MoneyCluster, payers: readonly Payer[], purse: Purse): Promise<Statement[]> {
  const statements: Statement[] = []
  for (const { name } of payers) statements.push(await statementOf(cluster, name, purse.added.get(name) ?? 0n))
  return statements
}

/** Until nothing is held and each answered call has its record, or SETTLED_MS; then the second looks. @returns how long it took */
async function untilSettled(cluster: MoneyCluster, payers: readonly Payer[], purse: Purse, traces: Traces) {
  const began = performance.now()
  const answered = answeredIn(traces)
  while (performance.now() - began < SETTLED_MS) {
    const held = (await statementsOf(cluster, payers, purse)).filter((one) => one.held !== 0n)
    const kept = new Set(cluster.records().map((line) => line.call_id))
    if (held.length === 0 && answered.every((callId) => kept.has(callId))) break
    await sleep(2_000)
  }
  const settledMs = Math.round(performance.now() - began)
  await sleep(SECOND_LOOK_MS)
  return settledMs
}

/** Runs all of it on 127.0.0.1; nothing is left behind. */
export async function money(options: MoneyOptions): Promise<MoneyOutcome> {
  const redis = await RedisSet.start(options.isSmall ? 256 : 0)
  try {
    return await runOn(redis, options)
  } finally {
    await redis.stop()
  }
}

async function runOn(redis: RedisSet, options: MoneyOptions): Promise<MoneyOutcome> {
  const { seed, accounts, seconds, rate, isSmall } = options
  const payers = payersOf(accounts, seed)
  const callees = calleesOf(CALLEES)
  const base = await freeBlock(OFFSETS)
  const documents = documentsOf(payers, callees)
  const cluster = await MoneyCluster.start({ base, store: redis.url, documents, heapMb: isSmall ? 192 : 0 })
  let phones: Phones | undefined
  try {
    const random = createRandom(seed + 104_729)
    const purse = new Purse(cluster, random)
    for (const one of payers) await purse.topUp(one)
    const names = payers.map(({ name }) => name)
    phones = await Phones.start({ target: cluster.sip, seconds, rate, seed, payers: names, callees })
    const untilMs = performance.now() + seconds * 1_000
    const [traces, kills] = await Promise.all([
      phones.call(),
      killAtRandom(cluster, redis, options),
      topUpAtRandom(purse, payers, random, untilMs),
    ])
    const settledMs = await untilSettled(cluster, payers, purse, traces)
    const figures = judge(traces, cluster.records(), await statementsOf(cluster, payers, purse), payers)
    const doctor = await cluster.command('doctor')
    return { figures, kills, doctor, settledMs, output: cluster.output(), traces, records: cluster.records() }
  } finally {
    await phones?.stop()
    await cluster.stop()
  }
}
