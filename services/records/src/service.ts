// SPDX-License-Identifier: MIT
//
// Composes feeds, sink and file. The feeds reconnect by themselves (@tandem/rpc); what is not acknowledged comes again.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FeedConsumer, FeedStart, RecordFeed } from '@tandem/rpc'
import type { HttpReply } from '@tandem/service-kit'
import { createCounts, type RecordsCounts, registerCounts } from './counts.ts'
import { NdjsonFile } from './ndjson-file.ts'
import { NdjsonSink } from './ndjson-sink.ts'
import { RECORDS_TUNING, type RecordsService, type RecordsServiceOptions, type RecordsTuning } from './options.ts'
import { MAX_TAIL_LINES, readTail } from './tail.ts'

const DEFAULT_LINES = 20

/** One sink that writes what the feeds deliver to `config.file`. */
export function createRecordsService(options: RecordsServiceOptions): RecordsService {
  const { feeds, config, logger, metrics } = options
  const tuning = { ...RECORDS_TUNING, ...options.tuning }
  const counts = createCounts()
  const file = new NdjsonFile(config.file)
  const sink = new NdjsonSink({
    ...tuning,
    file,
    counts,
    logger,
    capacity: 2 * config.window * Math.max(1, feeds.length),
  })
  const consumers: FeedConsumer[] = []
  const start = { group: tuning.group, consumer: tuning.consumer, window: config.window }
  if (metrics) {
    registerCounts(metrics, counts)
    metrics.gauge('tandem_records_queued', 'Records waiting to be written.', () => sink.queuedCount)
  }
  return {
    counts,
    routes: { '/records': (url) => lastRecords(config.file, url) },
    ready: () => sink.healthy,
    start: async () => {
      void sink.work()
      for (const feed of feeds) consumers.push(connect(feed, start, sink))
    },
    reopen: () => sink.reopen(),
    stop: async () => {
      await untilQuiet(counts, tuning)
      await sink.stop(tuning.stopMs)
      for (const consumer of consumers.splice(0)) consumer.close()
    },
  }
}

/** The calls that edges ended as they stopped are still on their way, and an embedded store ends with its process. */
async function untilQuiet(counts: RecordsCounts, { quietMs, lingerMs }: RecordsTuning): Promise<void> {
  const deadline = performance.now() + lingerMs
  for (let seen = -1; seen !== counts.received && performance.now() < deadline; ) {
    seen = counts.received
    await sleep(quietMs)
  }
}

/** Acknowledgements go to the consumer that delivered: its feed knows the ids. */
function connect(feed: RecordFeed, start: FeedStart, sink: NdjsonSink): FeedConsumer {
  const source = { acknowledge: (ids: string[]) => consumer.acknowledge(ids) }
  const consumer = feed.consume(start, (items) => sink.offer(items, source))
  return consumer
}

async function lastRecords(path: string, url: URL): Promise<HttpReply> {
  const limit = Number(url.searchParams.get('limit') ?? DEFAULT_LINES)
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_TAIL_LINES) {
    return { status: 400, body: `limit: expected an integer from 1 to ${MAX_TAIL_LINES}\n`, contentType: 'text/plain' }
  }
  return { status: 200, body: await readTail(path, limit), contentType: 'application/x-ndjson' }
}
