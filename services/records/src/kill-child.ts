// SPDX-License-Identifier: MIT
//
// The process that kill.test.ts kills: the records service, fed by its parent over IPC.
// argv: its settings as JSON. In: ids for a group. Out: ids of a group that are acknowledged; the groups as they begin to
// consume.
import type { FeedStart, records } from '@tandem/rpc'
import { createRecordsService } from './service.ts'
import { itemOf } from './testing.ts'

interface Message {
  readonly group: string
  readonly ids: string[]
}

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined } as never

function consume({ group }: FeedStart, onItems: (items: records.FeedItem[]) => void) {
  process.on('message', (message: Message) => {
    if (message.group === group) onItems(message.ids.map((id) => itemOf(id, { userAgent: 'x'.repeat(1_000) })))
  })
  process.send?.({ group })
  return { acknowledge: (ids: string[]) => void process.send?.({ group, ids }), close: () => undefined }
}

const service = createRecordsService({
  config: JSON.parse(process.argv[2] as string),
  logger: quiet,
  tuning: { maxBatchLines: 16, recentLines: 64, spoolSegmentBytes: 50_000, acquireMs: 20, firstAckMs: 0 },
  feeds: [{ consume }],
})

await service.start()
