// SPDX-License-Identifier: MIT
//
// How many initial requests one source address may send: a token bucket for each address that is seen, in a bounded table.
// A bucket holds the requests of one second. Where the table is full the source that was first seen goes, and begins anew with
// a full bucket: a flood from more sources than the table holds is not this bound's to stop, but that of pending requests.

interface Bucket {
  tokens: number
  atMs: number
}

const MAX_SOURCES = 50_000

export class SourceLimiter {
  private readonly perSecond: number
  private readonly maxSources: number
  private readonly buckets = new Map<string, Bucket>()

  /** @param perSecond at least 1 */
  constructor(perSecond: number, maxSources = MAX_SOURCES) {
    this.perSecond = perSecond
    this.maxSources = maxSources
  }

  get size(): number {
    return this.buckets.size
  }

  /** Takes a token; false when there is none left. @param nowMs monotonic */
  allow(address: string, nowMs: number): boolean {
    const bucket = this.buckets.get(address) ?? this.add(address, nowMs)
    const refilled = bucket.tokens + ((nowMs - bucket.atMs) * this.perSecond) / 1000
    bucket.atMs = nowMs
    bucket.tokens = Math.min(this.perSecond, refilled)
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }

  private add(address: string, nowMs: number): Bucket {
    if (this.buckets.size >= this.maxSources) {
      for (const first of this.buckets.keys()) {
        this.buckets.delete(first)
        break
      }
    }
    const bucket = { tokens: this.perSecond, atMs: nowMs }
    this.buckets.set(address, bucket)
    return bucket
  }
}
