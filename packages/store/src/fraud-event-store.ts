// SPDX-License-Identifier: MIT
// The feed of fraud events: one stream of the newest, for people to look back and for consumer groups to deliver. Whoever is
// slower than `fraudEventsMaxLen` events loses the oldest; events are warnings, not money.

import type { Eventual } from './result.ts'
import type { FraudEvent } from './types.ts'

export interface FraudEventItem {
  /** Orders the events; `<ms>-<n>` by the store's clock. */
  readonly id: string
  readonly event: FraudEvent
}

export interface FraudEventReader {
  /** Items not yet given out by this reader: unacknowledged ones of earlier readers of the group first. Empty: none now. */
  read(limit: number): Eventual<FraudEventItem[]>
  /** Repeats are harmless. */
  acknowledge(ids: readonly string[]): Eventual<void>
}

export interface FraudEventLag {
  /** Not delivered, and delivered without acknowledgement. */
  readonly waiting: number
  readonly pending: number
}

export interface FraudEventStore {
  /** Once by the event's own id, among the last `fraudEventsMaxLen` ones. False: it was there. */
  append(event: FraudEvent): Eventual<boolean>
  /** Oldest first. @param after id of the last one seen, '' for all that are kept */
  after(after: string, limit: number): Eventual<FraudEventItem[]>
  /** Newest first. @param before id, '' for the newest; none that is older than sinceMs */
  newest(before: string, sinceMs: number, limit: number): Eventual<FraudEventItem[]>
  /** A group begins with the oldest event kept. Opening it again delivers what was not acknowledged. */
  open(group: string, consumer: string): FraudEventReader
  lag(group: string): Eventual<FraudEventLag>
  dropGroup(group: string): Eventual<void>
}
