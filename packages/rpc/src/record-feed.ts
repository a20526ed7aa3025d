// SPDX-License-Identifier: MIT
//
// The feed of finished call records as policy offers it and records consumes it. Every item is delivered again until it
// is acknowledged; at most `window` items are out without an acknowledgement. Exactly-once is made by the sink (STATE.md).
import type { FeedItem } from './gen/tandem/records/v1/records.ts'

export interface FeedStart {
  /** One consumer group per sink, e.g. `ndjson`. */
  readonly group: string
  readonly consumer: string
  /** Items out without an acknowledgement, at most. */
  readonly window: number
}

export interface FeedConsumer {
  /** Once delivered for good. Unconfirmed by design: a lost acknowledgement is a second delivery. */
  acknowledge(ids: string[]): void
  /** What is not acknowledged is delivered again to the group's next consumer. */
  close(): void
}

export interface RecordFeed {
  consume(start: FeedStart, onItems: (items: FeedItem[]) => void): FeedConsumer
}
