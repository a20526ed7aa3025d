// SPDX-License-Identifier: MIT
// Calls on record in memory: reports, due work with claims, finishing into the record log exactly once.
// A finished call leaves a stone behind, so that late or repeated reports change nothing.

import { type CallOnRecord, liveCallOf, NO_PLAN, recordOf } from '../call-record.ts'
import type { Billing } from '../charges.ts'
import { notStored, type Stored, stored } from '../result.ts'
import { SHARDS, shardOfReference } from '../shard.ts'
import type {
  AnsweredReport,
  CallDescription,
  CallLimits,
  CallState,
  CallWork,
  DueCall,
  EndedReport,
  FailedReport,
  HangUpWish,
  LiveCall,
  LiveCalls,
  ProbeFinding,
  ReportOutcome,
  UpdatedReport,
} from '../types.ts'
import {
  applyAnswered,
  applyDue,
  applyEnded,
  applyFailed,
  createCall,
  describe,
  isForeign,
  type Step,
  waitsForAnswer,
} from './call-machine.ts'
import {
  applyLife,
  applyUpdate,
  applyWish,
  change,
  endUnclaimed,
  nearestOf,
  postpone,
  takeWork,
  workInMs,
} from './call-plan.ts'
import { full, type MemoryContext, SWEEP_PER_OPERATION } from './context.ts'
import { Deadlines, type Timed } from './deadlines.ts'
import type { MemoryRecords } from './records.ts'
import { chargedPart, type Held, MemorySettlements } from './settlements.ts'

interface Stone extends Timed {
  readonly ref: string
  readonly transactionKey: string
  /** Events that made the record: 'f', 'a:<tag>', 'e:<tag>'. */
  readonly events: readonly string[]
  /** Remembered at least until then, for late reports. */
  readonly keepUntilMs: number
}

interface DueShard {
  readonly due: Deadlines<Held>
  claimedMs: number
  holdUntilMs: number
}

export class MemoryCalls {
  readonly #context: MemoryContext
  readonly #records: MemoryRecords
  readonly #calls = new Map<string, Held>()
  readonly #stones = new Map<string, Stone>()
  readonly #forget = new Deadlines<Stone>()
  readonly #shards: DueShard[]
  readonly #settlements: MemorySettlements
  #refused = 0

  constructor(context: MemoryContext, records: MemoryRecords) {
    this.#context = context
    this.#records = records
    this.#shards = Array.from({ length: SHARDS }, () => ({
      due: new Deadlines<Held>(),
      claimedMs: Number.NEGATIVE_INFINITY,
      holdUntilMs: 0,
    }))
    this.#settlements = new MemorySettlements({
      schedule: (held, atMs) => this.#due(held, atMs),
      record: (call) => this.#records.append(shardOfReference(call.ref), recordOf(call)),
      entomb: (held) => {
        this.#dueOf(held.call.ref).remove(held)
        this.#entomb(held, Math.floor(this.#context.now()))
      },
    })
  }

  /** Puts a minted call on record, unless it is or was. */
  open(
    ref: string,
    key: string,
    call: CallDescription,
    deadlineMs: number,
    keepUntilMs: number,
    limits?: CallLimits,
  ): Stored<void> {
    const now = Math.floor(this.#context.now())
    this.#sweep(now, SWEEP_PER_OPERATION)
    if (this.#calls.has(ref) || this.#isOver(ref)) return stored(undefined)
    const held = this.#create(ref, now + deadlineMs)
    if (held === undefined) return full('calls on record', this.#context.limits.maxCalls)
    held.call.transactionKey = key
    held.keepUntilMs = keepUntilMs
    describe(held.call, call, 'owner', now)
    if (held.call.setupMs === 0) held.call.setupMs = now
    if (limits !== undefined) change(held.call, limits)
    return stored(undefined)
  }

  /** The transaction of the call is forgotten sooner than open() was told. */
  shorten(ref: string, keepUntilMs: number): void {
    const held = this.#calls.get(ref) ?? this.#settlements.get(ref)
    if (held !== undefined) held.keepUntilMs = Math.min(held.keepUntilMs, keepUntilMs)
    const stone = this.#stones.get(ref)
    if (stone === undefined) return
    stone.deadlineMs = Math.min(stone.deadlineMs, Math.max(stone.keepUntilMs, keepUntilMs))
    this.#forget.set(stone)
  }

  answered(ref: string, report: AnsweredReport): Stored<ReportOutcome> {
    return this.#report(ref, `a:${report.toTag}`, (call, now) => applyAnswered(call, report, now))
  }

  ended(ref: string, report: EndedReport): Stored<ReportOutcome> {
    const event = `e:${report.fromTag}\n${report.toTag}`
    return this.#report(ref, event, (call, now) => applyEnded(call, report, now))
  }

  failed(ref: string, report: FailedReport): Stored<ReportOutcome> {
    return this.#report(ref, 'f', (call, now) => applyFailed(call, report, now))
  }

  updated(ref: string, report: UpdatedReport): Stored<ReportOutcome> {
    const now = Math.floor(this.#context.now())
    const held = this.#calls.get(ref)
    const isOurs = held !== undefined && !isForeign(held.call, report.call)
    const isApplied = isOurs && applyUpdate(held.call, report, now)
    if (isApplied) this.#reschedule(held)
    const state = held?.call.state ?? 'finished'
    return stored({ result: isApplied ? 'applied' : 'ignored', state, transactionKey: '' })
  }

  requestHangUp(ref: string, wish: HangUpWish): Stored<CallState | ''> {
    const held = this.#calls.get(ref)
    if (held === undefined) return stored(this.#isOver(ref) ? 'finished' : '')
    applyWish(held.call, wish, Math.floor(this.#context.now()))
    this.#reschedule(held)
    return stored(held.call.state)
  }

  takeWork(ref: string, leaseMs: number): Stored<CallWork | undefined> {
    const now = Math.floor(this.#context.now())
    const held = this.#calls.get(ref)
    const work = held && takeWork(held.call, leaseMs, now)
    if (held === undefined || work === undefined) return stored(undefined)
    this.#reschedule(held)
    const { call } = held
    return stored({ ...work, call: liveCallOf(call, now), transactionKey: call.transactionKey })
  }

  postponeHangUp(ref: string, inMs: number, isUncounted: boolean): Stored<void> {
    const held = this.#calls.get(ref)
    if (held === undefined) return stored(undefined)
    postpone(held.call, inMs, isUncounted, Math.floor(this.#context.now()))
    this.#reschedule(held)
    return stored(undefined)
  }

  noteLife(ref: string, found: ProbeFinding, reason: string): Stored<{ finished: boolean }> {
    const now = Math.floor(this.#context.now())
    const held = this.#calls.get(ref)
    if (held === undefined || held.call.state !== 'answered') return stored({ finished: false })
    const isOver = applyLife(held.call, found, now)
    if (isOver) return this.#endUnclaimed(held, reason, held.call.plan.lifeMs, now)
    this.#reschedule(held)
    return stored({ finished: false })
  }

  endBySystem(ref: string, reason: string): Stored<{ finished: boolean }> {
    const now = Math.floor(this.#context.now())
    const held = this.#calls.get(ref)
    if (held === undefined) return stored({ finished: false })
    return this.#endUnclaimed(held, reason, held.call.plan.hangUpSinceMs || now, now)
  }

  #endUnclaimed(held: Held, reason: string, atMs: number, now: number): Stored<{ finished: boolean }> {
    endUnclaimed(held.call, reason, atMs)
    this.#finish(held, now)
    return stored({ finished: true })
  }

  planCharge(ref: string, inMs: number): Stored<CallState | ''> {
    const held = this.#calls.get(ref)
    if (held === undefined) {
      return stored(this.#settlements.get(ref)?.call.state ?? (this.#stones.has(ref) ? 'finished' : ''))
    }
    change(held.call, { chargeAtMs: Math.floor(this.#context.now()) + inMs })
    this.#reschedule(held)
    return stored(held.call.state)
  }

  settled(ref: string, billing: Billing, checkInMs: number | undefined): Stored<boolean> {
    const checkAtMs = checkInMs === undefined ? undefined : Math.floor(this.#context.now()) + checkInMs
    return stored(this.#settlements.settled(ref, billing, checkAtMs))
  }

  checked(ref: string): Stored<void> {
    this.#settlements.checked(ref)
    return stored(undefined)
  }

  claimDue(shard: number, leaseMs: number, limit: number): Stored<DueCall[]> {
    const now = this.#context.now()
    const at = this.#shards[shard & (SHARDS - 1)] as DueShard
    if (now - at.claimedMs > 2 * leaseMs) at.holdUntilMs = now + leaseMs
    at.claimedMs = now
    const claimed: DueCall[] = []
    while (now >= at.holdUntilMs && claimed.length < limit) {
      const held = at.due.peek()
      if (held === undefined || held.deadlineMs > now) break
      held.deadlineMs = now + leaseMs
      at.due.set(held)
      const { ref, state } = held.call
      claimed.push({ ref, state, ...chargedPart(held.call, Math.floor(now)) })
    }
    return stored(claimed)
  }

  settleDue(ref: string): Stored<{ finished: boolean }> {
    const now = Math.floor(this.#context.now())
    const held = this.#calls.get(ref)
    if (held === undefined) return stored({ finished: false })
    if (held.dueMs > now) {
      this.#reschedule(held)
      return stored({ finished: false })
    }
    applyDue(held.call, now)
    this.#finish(held, now)
    return stored({ finished: true })
  }

  listLive(limit: number): Stored<LiveCalls> {
    const now = this.#context.now()
    const all = [...this.#calls.values()].sort((a, b) => b.call.setupMs - a.call.setupMs)
    const calls = all.slice(0, limit).map((held) => liveCallOf(held.call, now))
    return stored({ calls, truncated: all.length > limit })
  }

  readLive(ref: string): Stored<LiveCall | undefined> {
    const held = this.#calls.get(ref)
    return stored(held && liveCallOf(held.call, this.#context.now()))
  }

  tick(): void {
    this.#sweep(this.#context.now(), 50_000)
  }

  counts(): Record<string, number> {
    return {
      callCount: this.#calls.size + this.#settlements.size,
      finishedCallCount: this.#stones.size,
      callsRefused: this.#refused,
    }
  }

  #report(ref: string, event: string, apply: (call: CallOnRecord, now: number) => Step): Stored<ReportOutcome> {
    if (shardOfReference(ref) < 0) return notStored('invalid', 'the call reference carries no shard')
    const now = Math.floor(this.#context.now())
    this.#sweep(now, SWEEP_PER_OPERATION)
    const stone = this.#stones.get(ref)
    if (stone !== undefined) return stored(this.#afterwards(stone, event))
    const settling = this.#settlements.get(ref)?.call
    if (settling !== undefined) return stored(this.#afterwards({ ...settling, events: eventsOf(settling) }, event))
    const known = this.#calls.get(ref)
    const held = known ?? this.#create(ref, now + this.#context.settings.partialGraceMs)
    if (held === undefined) return full('calls on record', this.#context.limits.maxCalls)
    const step = apply(held.call, now)
    if (known === undefined && step === 'ignored') this.#remove(held)
    this.#after(held, step, now)
    const { state, transactionKey } = held.call
    const wait = state === 'answered' ? workInMs(held.call, now) : undefined
    return stored({
      result: step === 'finished' ? 'applied' : step,
      state,
      transactionKey,
      ...(wait === undefined ? {} : { workInMs: wait }),
      ...(state === 'setup' || step === 'ignored' ? {} : chargedPart(held.call, now)),
    })
  }

  #isOver(ref: string): boolean {
    return this.#stones.has(ref) || this.#settlements.get(ref) !== undefined
  }

  #after(held: Held, step: Step, now: number): void {
    if (step === 'finished') this.#finish(held, now)
    if (step !== 'applied') return
    const { charge, plan, state } = held.call
    const { partialGraceMs } = this.#context.settings
    // Whoever takes the report makes the hold grow; if he dies before, another one does.
    if (state === 'answered' && charge !== '' && plan.chargeAtMs === 0) {
      change(held.call, { chargeAtMs: now + partialGraceMs })
    }
    if (held.call.state === 'answered') this.#due(held, held.call.answeredMs + this.#context.settings.maxCallMs)
    else if (waitsForAnswer(held.call))
      this.#due(held, Math.min(held.dueMs, now + this.#context.settings.partialGraceMs))
  }

  #afterwards(stone: Pick<Stone, 'events' | 'transactionKey'>, event: string): ReportOutcome {
    const repeated = stone.events.some((known) => known === event || isEndOf(known, event))
    return { result: repeated ? 'repeated' : 'ignored', state: 'finished', transactionKey: stone.transactionKey }
  }

  #create(ref: string, dueMs: number): Held | undefined {
    if (this.#calls.size + this.#settlements.size + this.#stones.size >= this.#context.limits.maxCalls) {
      this.#refused++
      return undefined
    }
    const held: Held = { call: createCall(ref), dueMs, keepUntilMs: 0, deadlineMs: dueMs, heapIndex: -1 }
    this.#calls.set(ref, held)
    this.#dueOf(ref).set(held)
    return held
  }

  #due(held: Held, dueMs: number): void {
    held.dueMs = dueMs
    this.#reschedule(held)
  }

  #reschedule(held: Held): void {
    held.deadlineMs = nearestOf(held.call, held.dueMs)
    this.#dueOf(held.call.ref).set(held)
  }

  #finish(held: Held, now: number): void {
    if (held.call.charge !== '') {
      this.#calls.delete(held.call.ref)
      change(held.call, NO_PLAN)
      this.#settlements.begin(held, now + this.#context.settings.partialGraceMs)
      return
    }
    this.#remove(held)
    this.#records.append(shardOfReference(held.call.ref), recordOf(held.call))
    this.#entomb(held, now)
  }

  #entomb(held: Held, now: number): void {
    const { ref, transactionKey } = held.call
    const events = eventsOf(held.call)
    const keepUntilMs = now + this.#context.settings.finishedKeepMs
    const deadlineMs = Math.max(keepUntilMs, held.keepUntilMs)
    const stone: Stone = { ref, transactionKey, events, keepUntilMs, deadlineMs, heapIndex: -1 }
    this.#stones.set(ref, stone)
    this.#forget.set(stone)
  }

  #remove(held: Held): void {
    this.#dueOf(held.call.ref).remove(held)
    this.#calls.delete(held.call.ref)
  }

  #dueOf(ref: string): Deadlines<Held> {
    return (this.#shards[shardOfReference(ref)] as DueShard).due
  }

  #sweep(now: number, limit: number): void {
    for (let i = 0; i < limit; i++) {
      const stone = this.#forget.take(now)
      if (stone === undefined) return
      this.#stones.delete(stone.ref)
    }
  }
}

function eventsOf({ outcome, legs }: CallOnRecord): string[] {
  const events = outcome === 'answered' ? [] : ['f']
  for (const { tag, answered, endedMs } of legs) {
    if (answered) events.push(`a:${tag}`)
    if (endedMs > 0) events.push(`e:${tag}`)
  }
  return events
}

// An end is known by its leg's tag, whichever side sent the BYE.
function isEndOf(known: string, event: string): boolean {
  return event.startsWith('e:') && known.startsWith('e:') && event.slice(2).split('\n').includes(known.slice(2))
}
