// SPDX-License-Identifier: MIT
// What is left of calls that are over: a stone each for a while, so that late or repeated reports change nothing; for longer a mark
// of 48 bits, so that a report that comes much later makes no second record; and the whole call where its record lacks facts
// that may still be told (late-facts.ts). All three are bounded: marks by `maxCalls`, the oldest go first.

import { type CallOnRecord, LATE_KEEPS, MARK_KEEPS } from '../call-record.ts'
import { type MemoryContext, SWEEP_PER_OPERATION } from './context.ts'
import { Deadlines, type Timed } from './deadlines.ts'
import { lacksFacts } from './late-facts.ts'

export interface Stone extends Timed {
  readonly ref: string
  readonly transactionKey: string
  /** Events that made the record: 'f', 'a:<tag>', 'e:<tag>'. */
  events: readonly string[]
  /** Remembered at least until then, for late reports. */
  readonly keepUntilMs: number
  /** Whose record lacks facts. */
  late: CallOnRecord | undefined
}

export class MemoryStones {
  readonly #context: MemoryContext
  readonly #stones = new Map<string, Stone>()
  readonly #forget = new Deadlines<Stone>()
  /** Number of the keep time to the marks of calls that ended in it; in order. */
  readonly #marks = new Map<number, Set<number>>()
  #markCount = 0

  constructor(context: MemoryContext) {
    this.#context = context
  }

  get size(): number {
    return this.#stones.size
  }

  get(ref: string): Stone | undefined {
    return this.#stones.get(ref)
  }

  /** @param untilMs its transaction may come again until then */
  add(call: CallOnRecord, now: number, untilMs: number): void {
    const { ref, transactionKey } = call
    const keepMs = this.#context.settings.finishedKeepMs
    const late = lacksFacts(call) ? call : undefined
    const keepUntilMs = now + (late === undefined ? keepMs : LATE_KEEPS * keepMs)
    const deadlineMs = Math.max(keepUntilMs, untilMs)
    const stone: Stone = { ref, transactionKey, events: eventsOf(call), keepUntilMs, deadlineMs, heapIndex: -1, late }
    this.#stones.set(ref, stone)
    this.#forget.set(stone)
    this.#mark(ref, Math.floor(now / keepMs))
  }

  /** It is forgotten sooner than add() was told. */
  shorten(ref: string, untilMs: number): void {
    const stone = this.#stones.get(ref)
    if (stone === undefined) return
    stone.deadlineMs = Math.min(stone.deadlineMs, Math.max(stone.keepUntilMs, untilMs))
    this.#forget.set(stone)
  }

  /** Whether such a call was over, at most MARK_KEEPS keep times ago. */
  isMarked(ref: string): boolean {
    const mark = markOf(ref)
    for (const marks of this.#marks.values()) if (marks.has(mark)) return true
    return false
  }

  sweep(now: number, limit = SWEEP_PER_OPERATION): void {
    for (let i = 0; i < limit; i++) {
      const stone = this.#forget.take(now)
      if (stone === undefined) break
      this.#stones.delete(stone.ref)
    }
    const keepMs = this.#context.settings.finishedKeepMs
    const [oldest] = this.#marks.keys()
    if (oldest !== undefined && oldest < Math.floor(now / keepMs) - MARK_KEEPS) this.#dropMarks(oldest)
  }

  #mark(ref: string, period: number): void {
    const marks = this.#marks.get(period) ?? new Set<number>()
    this.#marks.set(period, marks)
    const before = marks.size
    marks.add(markOf(ref))
    this.#markCount += marks.size - before
    const [oldest] = this.#marks.keys()
    if (this.#markCount > this.#context.limits.maxCalls && oldest !== undefined) this.#dropMarks(oldest)
  }

  #dropMarks(period: number): void {
    this.#markCount -= this.#marks.get(period)?.size ?? 0
    this.#marks.delete(period)
  }
}

/** 48 of a reference's 96 random bits. */
function markOf(ref: string): number {
  return Buffer.from(ref.slice(2, 10), 'base64url').readUIntBE(0, 6)
}

export function eventsOf({ outcome, finalStatus, legs }: CallOnRecord): string[] {
  const events = outcome === 'answered' || finalStatus === 0 ? [] : ['f']
  for (const { tag, answered, endedMs } of legs) {
    if (answered) events.push(`a:${tag}`)
    if (endedMs > 0) events.push(`e:${tag}`)
  }
  return events
}

/** Whether one of its events is this one. An end is known by its leg's tag, whichever side sent the BYE. */
export function hasHappened(events: readonly string[], event: string): boolean {
  return events.some((known) => known === event || isEndOf(known, event))
}

function isEndOf(known: string, event: string): boolean {
  return event.startsWith('e:') && known.startsWith('e:') && event.slice(2).split('\n').includes(known.slice(2))
}
