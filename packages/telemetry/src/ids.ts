// SPDX-License-Identifier: MIT
//
// Ids of traces and spans that every process derives alike from what it sees of a call, so that no state and no header says which trace a
// message belongs to; and the decision whether a trace is sampled, which the id itself makes (W3C Trace Context, section 2.2).
// Leaves out a key: who chooses his Call-IDs can choose to be sampled. What that costs is bounded by the export queue.
import { hash, randomFillSync } from 'node:crypto'

const TRACE_ID_DIGITS = 32
const SPAN_ID_DIGITS = 16

/**
 * By the Call-ID alone: either side of a dialog, any of its branches and edges, and whoever reads a record of it find the same.
 *
 * @param more what tells traces of one Call-ID apart, such as the CSeq of a REGISTER
 * @returns 32 hex digits
 */
export function traceIdOf(callId: string, more = ''): string {
  return hash('sha256', `tandem trace\n${callId}\n${more}`, 'hex').slice(0, TRACE_ID_DIGITS)
}

/** Of the span of a request that left with this Via branch: whoever gets it finds the parent of its own span in the topmost Via. */
export function spanIdOf(branch: string): string {
  return hash('sha256', `tandem span\n${branch}`, 'hex').slice(0, SPAN_ID_DIGITS)
}

/** Of the span that the others of a trace hang on: that of the request which began it. */
export function rootIdOf(traceId: string): string {
  return traceId.slice(TRACE_ID_DIGITS - SPAN_ID_DIGITS)
}

const POOL_BYTES = 4_096
const ID_BYTES = 8
const pool = Buffer.allocUnsafeSlow(POOL_BYTES)
let poolAt = POOL_BYTES

/** 16 hex digits; random bytes are fetched for many at once. */
export function randomSpanId(): string {
  if (poolAt >= POOL_BYTES) {
    randomFillSync(pool)
    poolAt = 0
  }
  poolAt += ID_BYTES
  return pool.toString('hex', poolAt - ID_BYTES, poolAt)
}

/** Of the 56 bits that are random by W3C level 2 the first 52, which a number holds. */
const RANDOM_START = 18
const RANDOM_END = 31
const RANDOM_RANGE = 2 ** 52

/** The same on every node, and as OpenTelemetry's consistent sampling decides: the highest ids are sampled. @param ratio 0 to 1 */
export function isSampledId(traceId: string, ratio: number): boolean {
  if (ratio >= 1) return true
  if (ratio <= 0) return false
  return Number.parseInt(traceId.slice(RANDOM_START, RANDOM_END), 16) / RANDOM_RANGE >= 1 - ratio
}
