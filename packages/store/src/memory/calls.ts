// SPDX-License-Identifier: MIT
// Calls on record in memory: reports, due work with claims, finishing into the record log exactly once.
// A finished call leaves a stone behind, so that late or repeated reports change nothing.

import { type CallOnRecord, endedAtTrunk, liveCallOf, NO_PLAN, recordOf } from '../call-record.ts'
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
import { full, type MemoryContext } from './context.ts'
import { Deadlines } from './deadlines.ts'
import { closeAgain, type EventKind, lacksFacts, MAX_CORRECTIONS, reopen } from './late-facts.ts'
import type { MemoryRecords } from './records.ts'
import { chargedPart, type Held, MemorySettlements } from './settlements.ts'
import { eventsOf, hasHappened, MemoryStones, type Stone } from './stones.ts'

type Apply = (call: CallOnRecord, now: number) => Step

interface DueShard {
  readonly due: Deadlines<Held>
  claimedMs: number
  holdUntilMs: number
}

export class MemoryCalls {
  readonly #context: MemoryContext
  readonly #records: MemoryRecords
  readonly #calls = new Map<string, Held>()
  readonly #stones: MemoryStones
  readonly #shards: DueShard[]
  readonly #settlements: MemorySettlements
  #refused = 0

  constructor(context: MemoryContext, records: MemoryRecords) {
    this.#context = context
    this.#records = records
    this.#stones = new MemoryStones(context)
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
    this.#stones.sweep(now)
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
    this.#stones.shorten(ref, keepUntilMs)
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
      return stored(this.#settlements.get(ref)?.call.state ?? (this.#stones.get(ref) ? 'finished' : ''))
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
    this.#stones.sweep(this.#context.now(), 50_000)
  }

  counts(): Record<string, number> {
    return {
      callCount: this.#calls.size + this.#settlements.size,
      finishedCallCount: this.#stones.size,
      callsRefused: this.#refused,
    }
  }

  #report(ref: string, event: string, apply: Apply): Stored<ReportOutcome> {
    if (shardOfReference(ref) < 0) return notStored('invalid', 'the call reference carries no shard')
    const now = Math.floor(this.#context.now())
    this.#stones.sweep(now)
    const known = this.#calls.get(ref)
    const over = known === undefined ? this.#afterwards(ref, event, apply, now) : undefined
    if (over !== undefined) return stored(over)
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
      ...(step === 'finished' ? byWhom(held.call) : {}),
    })
  }

  #isOver(ref: string): boolean {
    return this.#stones.get(ref) !== undefined || this.#settlements.get(ref) !== undefined
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

  /** Of a call that is over; undefined: it is not. */
  #afterwards(ref: string, event: string, apply: Apply, now: number): ReportOutcome | undefined {
    const stone = this.#stones.get(ref)
    const held = stone === undefined ? this.#settlements.get(ref) : undefined
    const call = stone?.late ?? held?.late ?? held?.call
    const events = stone?.events ?? (call && eventsOf(call))
    if (events === undefined) {
      return this.#stones.isMarked(ref) ? { result: 'repeated', state: 'finished', transactionKey: '' } : undefined
    }
    const told = { state: 'finished', transactionKey: stone?.transactionKey ?? call?.transactionKey ?? '' } as const
    if (hasHappened(events, event)) return { result: 'repeated', ...told }
    const result =
      call === undefined || !lacksFacts(call) ? 'ignored' : this.#correct(call, { stone, held }, event, apply, now)
    return { result, ...told }
  }

  /** A fact that its record lacks. */
  #correct(
    before: CallOnRecord,
    { stone, held }: { readonly stone: Stone | undefined; readonly held: Held | undefined },
    event: string,
    apply: Apply,
    now: number,
  ): ReportOutcome['result'] {
    const call = reopen(before)
    const step = before.corrections >= MAX_CORRECTIONS ? 'ignored' : apply(call, now)
    if (step === 'repeated' || step === 'ignored') return step
    const isTold = closeAgain(call, before, step, event.slice(0, 1) as EventKind)
    if (held !== undefined) {
      held.late = call
      held.isToTell ||= isTold
    }
    if (stone !== undefined) {
      stone.late = call
      stone.events = eventsOf(call)
    }
    if (isTold && held?.call.state !== 'ended') this.#records.append(shardOfReference(call.ref), recordOf(call))
    return 'applied'
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
    this.#stones.add(held.late ?? held.call, now, held.keepUntilMs)
  }

  #remove(held: Held): void {
    this.#dueOf(held.call.ref).remove(held)
    this.#calls.delete(held.call.ref)
  }

  #dueOf(ref: string): Deadlines<Held> {
    return (this.#shards[shardOfReference(ref)] as DueShard).due
  }
}

/** Who answered is told with the end. */
function byWhom(call: CallOnRecord): Pick<ReportOutcome, 'trunk' | 'answeredBy'> {
  const trunk = endedAtTrunk(call)
  const answeredBy = call.outcome === 'answered' ? call.answerer?.aor : undefined
  return { ...(trunk && { trunk }), ...(answeredBy && { answeredBy }) }
}
