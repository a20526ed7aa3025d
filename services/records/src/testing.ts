// SPDX-License-Identifier: MIT
//
// For this service's tests: settings as the schema fills them in, feed items, and a feed that delivers again what was not
// acknowledged.
import { join } from 'node:path'
import { records } from '@tandem/rpc'
import { configSchema } from '@tandem/service-kit'
import type { RecordsServiceConfig } from './options.ts'

/** Settings of a service whose files are all in `folder`. */
export function settingsIn(folder: string, sinks: readonly object[], more: object = {}): RecordsServiceConfig {
  return configSchema.shape.records.parse({
    file: join(folder, 'cdr.ndjson'),
    spoolFolder: join(folder, 'spool'),
    node: 'node-1',
    window: 8,
    sinks: sinks as never,
    ...more,
  })
}

/** A record whose every field follows from its id. */
export function itemOf(
  id: string,
  more: Partial<records.CallRecord> = {},
): records.FeedItem & { record: records.CallRecord } {
  return { id, record: records.CallRecord.fromPartial({ cdrId: `c${id}`, ...more }) }
}
