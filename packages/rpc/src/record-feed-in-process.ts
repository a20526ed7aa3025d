// SPDX-License-Identifier: MIT
//
// The record feed within one process.
import { FeedWindow } from './feed-window.ts'
import { FeedItem } from './gen/tandem/records/v1/records.ts'
import type { RecordFeed } from './record-feed.ts'

/** The binding for one process: asynchronous, the window held, items copied by encode and decode. */
export function createInProcessRecordFeed(feed: RecordFeed): RecordFeed {
  return {
    consume: (start, onItems) =>
      new FeedWindow(feed, start, (items) =>
        onItems(items.map((item) => FeedItem.decode(FeedItem.encode(item).finish()))),
      ),
  }
}
