// SPDX-License-Identifier: MIT
//
// The process that kill.test.ts kills: the records service, fed by its parent over IPC.
// argv: the file. In: FeedItem of one id each. Out: the ids that are acknowledged, 'consuming' once it takes items.
import { records } from '@tandem/rpc'
import { createRecordsService } from './service.ts'

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined } as never

const service = createRecordsService({
  config: { file: process.argv[2] as string, window: 256 },
  logger: quiet,
  tuning: { maxBatchLines: 16, recentLines: 64 },
  feeds: [
    {
      consume: (_start, onItems) => {
        process.on('message', (ids: string[]) => onItems(ids.map(itemOf)))
        process.send?.('consuming')
        return { acknowledge: (ids) => void process.send?.(ids), close: () => undefined }
      },
    },
  ],
})

function itemOf(id: string): records.FeedItem {
  return { id, record: records.CallRecord.fromPartial({ cdrId: `c${id}`, userAgent: 'x'.repeat(2_000) }) }
}

await service.start()
