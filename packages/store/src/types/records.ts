// SPDX-License-Identifier: MIT
// Finished records, and how they are read.

import type { Answerer, Attempt, CallFacts } from './calls.ts'

export interface CallRecord {
  /** Unique: the reference of a call; of a correction that, a dot and its number. */
  cdrId: string
  /** A correction is the whole record anew, in the place of the one that it names. */
  type: 'call' | 'correction'
  /** Of a correction: cdrId of the call's first record; else ''. */
  corrects: string
  /** Why: `late_end`, `late_answer`, `late_failure`; '' for a call. */
  correction: string
  callRef: string
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
  /** Every edge that reported something. */
  edges: string[]
  attempts: Attempt[]
  facts: CallFacts | undefined
  answerer: Answerer | undefined
  media: string
  /** '' and 0 for a call that was not charged. */
  currency: string
  priceMicros: bigint
  billedMs: bigint
  unbilledMs: bigint
  ratePlan: string
  ratePrefix: string
  rate: string
  rateRevision: string
  /** What the trunk that answered costs; absent where it has no price. */
  costMicros?: bigint | undefined
  costCurrency?: string | undefined
  /** Prices less cost, where all are of one currency. */
  marginMicros?: bigint | undefined
  /** Accounts that paid because they sent the call on; none of most calls. */
  forwards: ForwardCharge[]
}

/** As those of the call. */
export interface ForwardCharge {
  account: string
  currency: string
  priceMicros: bigint
  billedMs: bigint
  unbilledMs: bigint
  ratePlan: string
  ratePrefix: string
  rate: string
  rateRevision: string
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
