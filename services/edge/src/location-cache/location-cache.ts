// SPDX-License-Identifier: MIT
//
// Answers to Locate, kept while location.Watch tells this edge of every change (docs/location-cache.md). An answer is used
// - while the watch is fresh (freshness.ts), whatever else holds;
// - until its address is told of, here (an own REGISTER) or by the watch;
// - until the first of its bindings may run out, counted from before the question left;
// - while each edge that holds a connection of a binding is a member, as this edge knows it.
// Never kept: an answer that a change has overtaken (fill-guard.ts), or that lacks bindings of edges that are away.
// Bounds: entries and bytes, the one that was used longest ago goes first.

import { aorHash, type Done, type location, type OnResult, type WatchFollower } from '@tandem/rpc'
import type { TraceScope } from '@tandem/telemetry'
import { aged, type Entry, entryOf } from './entry.ts'
import { FillGuard } from './fill-guard.ts'
import { Freshness } from './freshness.ts'

export interface LocationCacheOptions {
  readonly maxEntries: number
  readonly maxBytes: number
  readonly maxAgeMs: number
  /** Monotonic milliseconds, those of the watch. */
  readonly now: () => number
  readonly isMember: (edgeId: string) => boolean
  /** Locate, of the service. */
  readonly ask: (aor: string, onResult: OnResult<location.LocateResponse>, trace?: TraceScope) => void
}

export class LocationCacheCounts {
  hits = 0
  misses = 0
  bypasses = 0
  invalidations = 0
  flushes = 0
  evictions = 0
  expired = 0
  overtaken = 0
}

export class LocationCache implements WatchFollower {
  readonly counts = new LocationCacheCounts()
  private readonly options: LocationCacheOptions
  /** By the hash of the address; the one that was used longest ago first. */
  private readonly entries = new Map<number, Entry>()
  private readonly guard = new FillGuard()
  private readonly freshness: Freshness
  private heldBytes = 0

  constructor(options: LocationCacheOptions) {
    this.options = options
    this.freshness = new Freshness(options.now())
  }

  get size(): number {
    return this.entries.size
  }

  get bytes(): number {
    return this.heldBytes
  }

  get isFresh(): boolean {
    return this.freshness.isFresh(this.options.now())
  }

  get offMs(): number {
    return Math.floor(this.freshness.totalOffMs(this.options.now()))
  }

  /** Calls back within, where it is known. What it gives belongs to the cache: nobody writes into it. */
  locate(aor: string, onResult: OnResult<location.LocateResponse>, trace?: TraceScope): void {
    const entry = this.find(aor, this.options.now())
    if (entry === undefined) this.ask(aor, onResult, trace)
    else onResult(entry.result)
  }

  /** As `locate`; the bindings say what is left of them now. */
  locateAged(aor: string, onResult: OnResult<location.LocateResponse>): void {
    const now = this.options.now()
    const entry = this.find(aor, now)
    if (entry === undefined) this.ask(aor, onResult)
    else onResult({ outcome: 'done', value: aged(entry.result.value, now - entry.sinceMs) })
  }

  /** This edge knows that it changed. */
  forget(aor: string): void {
    this.onChanged([aorHash(aor)])
  }

  onChanged(hashes: readonly number[]): void {
    this.guard.told(hashes)
    for (const hash of hashes) if (this.remove(hash)) this.counts.invalidations += 1
  }

  onGap(): void {
    this.guard.toldAll()
    this.freshness.end(this.options.now())
    this.counts.flushes += 1
    this.entries.clear()
    this.heldBytes = 0
  }

  onToldUntil(ms: number): void {
    this.freshness.told(ms, this.options.now())
  }

  private find(aor: string, now: number): Entry | undefined {
    if (!this.freshness.isFresh(now)) {
      this.counts.bypasses += 1
      return undefined
    }
    const hash = aorHash(aor)
    const entry = this.entries.get(hash)
    if (entry === undefined || entry.aor !== aor || !this.holds(entry, hash, now)) {
      this.counts.misses += 1
      return undefined
    }
    this.counts.hits += 1
    this.entries.delete(hash)
    this.entries.set(hash, entry)
    return entry
  }

  private holds(entry: Entry, hash: number, now: number): boolean {
    if (now < entry.untilMs && entry.edges.every(this.options.isMember)) return true
    this.remove(hash)
    this.counts.expired += 1
    return false
  }

  private ask(aor: string, onResult: OnResult<location.LocateResponse>, trace?: TraceScope): void {
    const begun = this.guard.begin()
    const sinceMs = this.options.now()
    const onAnswer: OnResult<location.LocateResponse> = (result) => {
      if (result.outcome === 'done' && result.value.leftOut !== true) this.keep(aor, result, begun, sinceMs)
      onResult(result)
    }
    this.options.ask(aor, onAnswer, trace)
  }

  private keep(aor: string, result: Done<location.LocateResponse>, begun: number, sinceMs: number): void {
    const now = this.options.now()
    if (!this.freshness.isFresh(now)) return
    const hash = aorHash(aor)
    if (!this.guard.isCurrent(hash, begun)) {
      this.counts.overtaken += 1
      return
    }
    const entry = entryOf(aor, result, sinceMs, this.options.maxAgeMs)
    if (entry.untilMs <= now || entry.bytes > this.options.maxBytes) return
    this.remove(hash)
    this.entries.set(hash, entry)
    this.heldBytes += entry.bytes
    this.shrink()
  }

  private shrink(): void {
    const { maxEntries, maxBytes } = this.options
    while (this.entries.size > maxEntries || this.heldBytes > maxBytes) {
      const [oldest] = this.entries.keys()
      if (oldest === undefined) return
      this.remove(oldest)
      this.counts.evictions += 1
    }
  }

  private remove(hash: number): boolean {
    const entry = this.entries.get(hash)
    if (entry === undefined) return false
    this.entries.delete(hash)
    this.heldBytes -= entry.bytes
    return true
  }
}
