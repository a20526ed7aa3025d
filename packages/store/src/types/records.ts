// SPDX-License-Identifier: MIT
// Finished records, and how they are read.

import type { Attempt } from './calls.ts'

export interface CallRecord {
  cdrId: string
  callId: string
  fromTag: string
  toTags: string[]
  fromUri: string
  toUri: string
  requestUri: string
  target: string
  identity: string
  account: string
  sourceTransport: string
  sourceAddress: string
  sourcePort: number
  userAgent: string
  setupUnixMs: bigint
  ringUnixMs: bigint
  answeredUnixMs: bigint
  endedUnixMs: bigint
  durationMs: bigint
  finalStatus: number
  outcome: string
  endedBy: string
  reason: string
  /** "complete" | "partial" | "recovered" */
  state: string
  setupEdge: string
  endEdge: string
  attempts: Attempt[]
  /** '' and 0 for a call that was not charged. */
  currency: string
  priceMicros: bigint
  billedMs: bigint
  unbilledMs: bigint
  ratePlan: string
  ratePrefix: string
  rate: string
}

export interface RecordItem {
  /** "<shard>/<stream id>": unique, ordered within a shard. */
  id: string
  record: CallRecord
}

export interface RecordLag {
  /** Finished, not yet delivered to the group. */
  waiting: number
  /** Delivered, not acknowledged. */
  pending: number
}
