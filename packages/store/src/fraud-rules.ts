// SPDX-License-Identifier: MIT
// Numbers that both stores count by, and what can be a key.

import type { FraudCounter, FraudSlot } from './fraud-store.ts'

/** A window is this many sub-buckets and the one that has begun: it looks back for its length and up to a tenth more. */
export const SUB_BUCKETS = 10
/** Distinct members that are known one by one. */
export const MAX_DISTINCT = 1_000
/** Members of `fresh`; beyond it the oldest is new again. */
export const MAX_KNOWN = 4_096
/** Calls with leases that one look at their countries sees. */
export const MAX_COUNTRY_CALLS = 256
/** A call can be cancelled this long after it began. */
export const CANCEL_MS = 60_000
/** The end of a call is known as done this long. */
export const ENDED_MS = 180_000
/** Counters of one slot in one step. */
export const MAX_CHECKS = 256

const COUNTER = /^[A-Za-z0-9._-]{1,200}$/
const SUBJECT = /^[^{}\s]{1,400}$/
const MEMBER = /^[^\s]{0,256}$/

export const bucketMs = (windowMs: number): number => Math.max(1, Math.ceil(windowMs / SUB_BUCKETS))

export const bucketOf = (ms: number, windowMs: number): number => Math.floor(ms / bucketMs(windowMs))

export const isSlot = ({ scope, subject }: FraudSlot): boolean =>
  SUBJECT.test(subject) && /^[A-Za-z]{1,32}$/.test(scope)

export const areCounters = (counters: readonly FraudCounter[]): boolean =>
  counters.length <= MAX_CHECKS && counters.every(({ counter, member }) => COUNTER.test(counter) && MEMBER.test(member))
