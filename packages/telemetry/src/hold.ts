// SPDX-License-Identifier: MIT
//
// Spans of calls that are not sampled, until somebody says that their call has failed: then they are sent after all. By trace, in the
// order in which traces began. Bounds: spans in all, spans of one trace, age; at the bound the oldest trace goes (counted).
// Races: a span may end after its trace was kept (a report that comes last): kept traces are known for as long as spans are held.
import type { Span } from './span.ts'

export interface HoldSettings {
  readonly maxSpansHeld: number
  readonly holdMs: number
}

export interface HoldCounts {
  /** Spans that gave way to others, or were of a trace with too many. */
  evicted: number
  /** Spans of calls that ended well, or of whose end nothing was heard in time. */
  forgotten: number
}

interface Held {
  readonly sinceMs: number
  readonly spans: Span[]
}

const MAX_SPANS_OF_TRACE = 256
const MAX_KEPT = 8_192

export class Hold {
  readonly counts: HoldCounts = { evicted: 0, forgotten: 0 }
  readonly #settings: HoldSettings
  readonly #release: (span: Span) => void
  readonly #held = new Map<string, Held>()
  /** Traces that are sent, and since when. */
  readonly #kept = new Map<string, number>()
  #size = 0

  constructor(settings: HoldSettings, release: (span: Span) => void) {
    this.#settings = settings
    this.#release = release
  }

  /** Spans that wait. */
  get size(): number {
    return this.#size
  }

  isKept(traceId: string): boolean {
    return this.#kept.has(traceId)
  }

  /** Holds an ended span, or sends it where its trace is kept. */
  add(span: Span, nowMs: number): void {
    if (this.#kept.has(span.traceId)) return this.#release(span)
    this.expire(nowMs)
    const held = this.#heldOf(span.traceId, nowMs)
    if (held.spans.length >= MAX_SPANS_OF_TRACE) {
      this.counts.evicted += 1
      return
    }
    held.spans.push(span)
    this.#size += 1
    while (this.#size > this.#settings.maxSpansHeld) this.counts.evicted += this.#dropOldest()
  }

  #heldOf(traceId: string, nowMs: number): Held {
    const known = this.#held.get(traceId)
    if (known !== undefined) return known
    const held: Held = { sinceMs: nowMs, spans: [] }
    this.#held.set(traceId, held)
    return held
  }

  /** Its call has failed: what is held of it goes, and what is still to come. */
  keep(traceId: string, nowMs: number): void {
    if (this.#kept.size >= MAX_KEPT) for (const oldest of this.#kept.keys()) if (this.#kept.delete(oldest)) break
    this.#kept.set(traceId, nowMs)
    const held = this.#held.get(traceId)
    if (held === undefined) return
    this.#held.delete(traceId)
    this.#size -= held.spans.length
    for (const span of held.spans) this.#release(span)
  }

  /** Its call has ended well. */
  forget(traceId: string): void {
    const held = this.#held.get(traceId)
    if (held === undefined) return
    this.#held.delete(traceId)
    this.#size -= held.spans.length
    this.counts.forgotten += held.spans.length
  }

  /** Lets go of what is too old. */
  expire(nowMs: number): void {
    const bornMs = nowMs - this.#settings.holdMs
    for (const { sinceMs } of this.#held.values()) {
      if (sinceMs >= bornMs) break
      this.counts.forgotten += this.#dropOldest()
    }
    for (const [traceId, sinceMs] of this.#kept) {
      if (sinceMs >= bornMs) break
      this.#kept.delete(traceId)
    }
  }

  #dropOldest(): number {
    for (const [traceId, { spans }] of this.#held) {
      this.#held.delete(traceId)
      this.#size -= spans.length
      return spans.length
    }
    return 0
  }
}
