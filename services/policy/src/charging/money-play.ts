// SPDX-License-Identifier: MIT
//
// For tests of money at random: calls of a few accounts through two nodes of which either dies between any two steps of anything, reports that
// come late, twice, in the wrong order or never, top-ups, time in leaps, sweeps. After everything has settled each ledger sums to its
// balance to the micro-unit, no balance is below its limit, no hold is left, and each answered call is charged once, exactly its
// price or what was granted; of one that somebody sent on by a trunk both legs, each by its account, which may be the same one. The interleaving is one seed: what fails is run again by it.
import { type Store, type Stored, shardOf } from '@tandem/store'
import { expect } from 'vitest'
import type { PolicyService } from '../options.ts'
import { type recordsOf, resourcesOf, SETTINGS } from '../policy-fixture.ts'
import { createPolicyService } from '../service.ts'
import {
  answer,
  begin,
  type Call,
  calling,
  costOf,
  documentsWith,
  fail,
  forwardingDocuments,
  hangUp,
  OUTSIDE_URI,
  POSTPAID,
  PREPAID,
} from './charging-fixture.ts'

const CREDIT = 50_000
const ACCOUNTS = { pre: PREPAID, post: { ...POSTPAID, creditLimitMicros: CREDIT }, capped: { ...PREPAID, maxCalls: 2 } }
const LIMITS: Readonly<Record<string, bigint>> = { pre: 0n, post: -BigInt(CREDIT), capped: 0n }
const NAMES = Object.keys(ACCOUNTS)
/** Who is called: bob, and those who send their calls on by a trunk, always or when they are busy, some at the cost of callers' accounts. */
const FORWARDING = {
  away: { account: 'capped', when: 'always' },
  shared: { account: 'pre', when: 'busy' },
  busy: { account: 'post', when: 'busy' },
  stranger: { when: 'never' },
} as const
const CALLED = ['bob', 'bob', 'away', 'shared', 'busy']
const CALLERS = [...NAMES, 'stranger']
const ACTS = 24
const resources = await resourcesOf([...documentsWith(ACCOUNTS), ...forwardingDocuments(FORWARDING)])

/** What the store lives by. */
export interface PlayClock {
  ms: number
}

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const LOST: Stored<never> = { state: 'unknown', detail: 'the node died' }

/** Each operation may not happen, or happen untold, as for a node that dies before or after it. */
function fragile<T extends object>(store: T, dies: () => 'before' | 'after' | undefined): T {
  return new Proxy(store, {
    get: (target, key) => {
      const found = target[key as keyof T] as unknown
      if (typeof found !== 'function') return found
      return (...args: unknown[]) => {
        const death = dies()
        if (death === 'before') return LOST
        const result: unknown = found.apply(target, args)
        if (death !== 'after') return result
        return result instanceof Promise ? result.then(() => LOST) : LOST
      }
    },
  })
}

interface Talk {
  readonly call: Call
  /** '' for a caller without one. */
  readonly account: string
  /** That answers. */
  readonly target: string
  readonly beganMs: number
  answeredMs: number
  endedMs: number
  isAnswerTaken: boolean
  isEndTaken: boolean
}

/** An edge repeats what was not taken, for as long as policy can't be reached; what was taken may come again a little later. */
const REPEATED_MS = 600_000
const STRAGGLER_MS = 50_000
/** Longer no call rings. */
const RINGING_MS = 540_000

class Play {
  readonly clock: PlayClock
  readonly store: Store
  readonly talks: Talk[] = []
  readonly random: () => number
  nodes: PolicyService[] = []
  risk = 0.06
  toppedUp = 0

  constructor(seed: number, store: Store, clock: PlayClock) {
    this.random = randomOf(seed)
    this.store = store
    this.clock = clock
  }

  async open(): Promise<void> {
    const dies = () => {
      if (this.random() >= this.risk) return undefined
      return this.random() < 0.5 ? 'before' : ('after' as const)
    }
    const logger = {
      info: () => undefined,
      warn: () => undefined,
      error: ({ err }: { err: unknown }) => {
        throw err
      },
    }
    const make = () =>
      createPolicyService({
        store: fragile(this.store.policy, dies),
        accounts: fragile(this.store.accounts, dies),
        config: SETTINGS,
        resources,
        logger: logger as never,
        now: () => this.clock.ms,
      })
    this.nodes = [make(), make()]
    for (const node of this.nodes) node.pushes.subscribe('edge-0.1', () => undefined)
    for (const account of NAMES) await this.topUp(account)
  }

  get node(): PolicyService {
    return this.nodes[this.random() < 0.5 ? 0 : 1] as PolicyService
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.random() * from.length)]
  }

  async topUp(account: string): Promise<void> {
    const key = `top-${++this.toppedUp}`
    const amount = BigInt(Math.floor(this.random() * 200_000) + 1)
    const one = { account, key, amount, currency: 'EUR', cause: 'topup' }
    await this.store.accounts.topUp(one)
    if (this.random() < 0.3) await this.store.accounts.topUp(one)
  }

  async act(): Promise<void> {
    const dice = this.random()
    if (dice < 0.25) return this.begin()
    if (dice < 0.5) return this.answer()
    if (dice < 0.7) return this.end()
    if (dice < 0.75) return this.topUp(this.pick(NAMES) as string)
    this.clock.ms += Math.floor(this.random() ** 4 * 400_000)
    if (dice < 0.9) await this.work(1)
  }

  async begin(): Promise<void> {
    const caller = this.pick(CALLERS) as string
    const called = this.pick(CALLED) as string
    const call = await begin(this.node, caller, calling(called)).catch(() => undefined)
    if (call?.decision.verdict?.$case !== 'plan') return
    const targets = call.decision.verdict.value.steps.flatMap((step) => step.targets)
    const where = this.pick(targets)?.where
    this.talks.push({
      call,
      account: call.decision.account,
      target: where?.$case === 'uri' ? where.value : `sip:${called}@192.0.2.7`,
      beganMs: this.clock.ms,
      answeredMs: 0,
      endedMs: 0,
      isAnswerTaken: false,
      isEndTaken: false,
    })
  }

  async answer(): Promise<void> {
    const talk = this.pick(this.talks)
    if (talk !== undefined && talk.endedMs === 0) await this.reportAnswer(talk)
  }

  async reportAnswer(talk: Talk): Promise<void> {
    const now = this.clock.ms
    if (talk.answeredMs === 0 && now - talk.beganMs > RINGING_MS) return
    if (talk.answeredMs === 0) talk.answeredMs = now
    if (now - talk.answeredMs > (talk.isAnswerTaken ? STRAGGLER_MS : REPEATED_MS)) return
    const taken = answer(this.node, talk.call, now - talk.answeredMs, talk.target).then(() => true)
    talk.isAnswerTaken = (await taken.catch(() => false)) || talk.isAnswerTaken
  }

  async end(): Promise<void> {
    const talk = this.pick(this.talks)
    if (talk !== undefined) await this.reportEnd(talk)
  }

  async reportEnd(talk: Talk): Promise<void> {
    const now = this.clock.ms
    if (talk.answeredMs === 0 && now - talk.beganMs > RINGING_MS) return
    if (talk.endedMs === 0) talk.endedMs = now
    if (now - talk.endedMs > (talk.isEndTaken ? STRAGGLER_MS : REPEATED_MS)) return
    const end = talk.answeredMs > 0 ? hangUp(this.node, talk.call, now - talk.endedMs) : fail(this.node, talk.call)
    talk.isEndTaken = (await end).outcome === 'done' || talk.isEndTaken
  }

  /** Due work of all shards, as both nodes do it. */
  async work(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      for (const node of this.risk === 0 ? [this.node] : this.nodes) {
        for (const shard of this.shards()) await node.due.shard(shard)
      }
    }
  }

  shards(): Set<number> {
    return new Set([
      ...this.talks.map(({ call }) => Number.parseInt(call.ref.slice(0, 2), 16)),
      ...NAMES.map((account) => shardOf(account)),
    ])
  }

  /** Nobody dies any more, all reports come in the end, and time passes. */
  async settle(): Promise<void> {
    this.risk = 0
    for (const talk of this.talks) {
      // One in eight is never heard of again: due work ends it.
      if (this.random() < 0.125) continue
      if (talk.answeredMs > 0) await this.reportAnswer(talk)
      await this.reportEnd(talk)
    }
    // The claims of the last nodes lapse, then each step of each settlement, then leases and marks.
    for (let i = 0; i < 8; i++) {
      this.clock.ms += 11_000
      await this.work(1)
    }
    for (const leapMs of [20, 13 * 60, 25, 25].map((minutes) => minutes * 60_000)) {
      this.clock.ms += leapMs
      for (let i = 0; i < 4; i++) {
        await this.work(1)
        this.clock.ms += 11_000
      }
    }
  }
}

/** A read of Redis gives those of a few shards. */
async function allRecords({ policy }: Store) {
  const reader = policy.openRecords('judge', 'judge')
  const records: Awaited<ReturnType<typeof recordsOf>> = []
  for (let empty = 0; empty < 3; ) {
    const read = await reader.read(1_000)
    if (read.state !== 'stored') throw new Error('the records can not be read')
    empty = read.value.length === 0 ? empty + 1 : 0
    records.push(...read.value.map(({ record }) => record))
  }
  return records
}

type Judged = Awaited<ReturnType<typeof recordsOf>>[number]

/** Of all who pay. */
const sumOf = ({ priceMicros, forwards }: Judged): bigint =>
  forwards.reduce((sum, one) => sum + one.priceMicros, priceMicros)

async function judge(play: Play): Promise<void> {
  const spent = new Map<string, bigint>()
  const records = await allRecords(play.store)
  // A report that is repeated for minutes finds its call forgotten and makes the record again: at the same price, or where the first
  // one was that of a call of which nobody had told the answer, at its own. Sinks keep one by its id.
  const seen = new Map<string, (typeof records)[number]>()
  for (const record of records) {
    const known = seen.get(record.cdrId)
    if (known === undefined || sumOf(known) < sumOf(record)) seen.set(record.cdrId, record)
  }
  for (const record of records) expect([0n, sumOf(seen.get(record.cdrId) as Judged)]).toContain(sumOf(record))
  const spend = (account: string, price: bigint) => spent.set(account, (spent.get(account) ?? 0n) + price)
  for (const { account, priceMicros, forwards } of seen.values()) {
    spend(account, priceMicros)
    for (const one of forwards) spend(one.account, one.priceMicros)
  }
  expect(spent.get('') ?? 0n).toBe(0n)
  for (const account of NAMES) {
    const audit = await play.store.accounts.audit(account)
    const state = await play.store.accounts.read(account, 1_000)
    if (audit.state !== 'stored' || state.state !== 'stored') throw new Error('no account')
    const { balance, ledgerSum, held, holdsSum } = audit.value
    expect({ ledgerSum, held, holdsSum }).toEqual({ ledgerSum: balance, held: 0n, holdsSum: 0n })
    expect(balance).toBeGreaterThanOrEqual(LIMITS[account] as bigint)
    const keys = state.value.ledger.map(({ key }) => key)
    expect(new Set(keys).size).toBe(keys.length)
    const charged = state.value.ledger.reduce((sum, { cause, amount }) => (cause === 'topup' ? sum : sum - amount), 0n)
    expect(charged).toBe(spent.get(account) ?? 0n)
  }
  for (const talk of play.talks) judgeTalk(talk, seen.get(talk.call.ref))
}

function judgeTalk(talk: Talk, record: Judged | undefined): void {
  if (record === undefined) throw new Error(`no record of ${talk.call.ref}`)
  const { durationMs, outcome, forwards, target } = record
  const price = outcome === 'answered' ? costOf(Number(durationMs)) : 0n
  judgePrice(record, talk.account === '' ? 0n : price)
  // Of an end that was told alone nobody knows who had answered: it is free.
  expect(outcome === 'answered' ? [talk.target, ''] : ['']).toContain(target)
  if (target === '') expect(sumOf(record)).toBe(0n)
  const isSentOn = outcome === 'answered' && target === OUTSIDE_URI
  expect(forwards).toHaveLength(isSentOn ? 1 : 0)
  for (const one of forwards) judgePrice(one, price)
}

function judgePrice({ priceMicros, unbilledMs }: Pick<Judged, 'priceMicros' | 'unbilledMs'>, price: bigint): void {
  expect(priceMicros).toBeLessThanOrEqual(price)
  if (unbilledMs === 0n) expect(priceMicros).toBe(price)
}

/** One interleaving, judged. Throws with the seed. */
export async function playMoney(seed: number, store: Store, clock: PlayClock): Promise<void> {
  const play = new Play(seed, store, clock)
  await play.open()
  for (let act = 0; act < ACTS; act++) await play.act()
  await play.settle()
  try {
    await judge(play)
  } catch (error) {
    throw new Error(`TANDEM_MONEY_SEED=${seed} TANDEM_MONEY_RUNS=1`, { cause: error })
  }
}
