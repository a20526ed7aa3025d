// SPDX-License-Identifier: MIT
//
// Composes feeds and sinks: each sink has its own consumer group, queue, spool and dead letters, so none waits for another.
// The feeds reconnect by themselves (@tandem/rpc); what is not acknowledged comes again.
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FeedConsumer, FeedStart, RecordFeed } from '@tandem/rpc'
import type { Logger } from '@tandem/service-kit'
import type { SpanSource } from '@tandem/telemetry'
import type { CallLines } from './call-lines.ts'
import { createSink, type SinkConfig } from './create-sink.ts'
import { AckGate } from './delivery/ack-gate.ts'
import { DeadLetters } from './delivery/dead-letters.ts'
import { createSinkCounts, registerSinks, type SinkCounts } from './delivery/sink-counts.ts'
import { SinkRunner } from './delivery/sink-runner.ts'
import { Spool } from './delivery/spool.ts'
import { RECORDS_ERRORS } from './errors.ts'
import { FileLock } from './files/file-lock.ts'
import {
  RECORDS_TUNING,
  type RecordsService,
  type RecordsServiceConfig,
  type RecordsServiceOptions,
  type RecordsTuning,
} from './options.ts'
import { recordsRoute } from './query/records-route.ts'
import { RecordTraces } from './record-traces.ts'

/** Of a sink that is no more. */
const RETIRED_WINDOW = 4_096

interface Line {
  readonly config: SinkConfig
  readonly runner: SinkRunner
  readonly counts: SinkCounts
  /** One process has a spool, as one process has a file. */
  readonly lock: FileLock
  readonly start: FeedStart
  readonly consumers: FeedConsumer[]
}

export function createRecordsService(options: RecordsServiceOptions): RecordsService {
  const { feeds, config, logger, metrics } = options
  const tuning = { ...RECORDS_TUNING, ...options.tuning }
  const traces = options.tracing && new RecordTraces(options.tracing, sourceOf(options))
  const lines = config.sinks.map((sink) => lineOf(sink, config, tuning, logger, feeds.length, traces))
  const stopping = new AbortController()
  const retired = config.retiredSinks.filter((name) => !config.sinks.some((sink) => sink.name === name))
  const idlers: FeedConsumer[] = []
  const gate = new AckGate(lines.length > 1 ? tuning.firstAckMs : 0)
  if (metrics)
    registerSinks(
      metrics,
      lines.map(({ runner, counts }) => measured(runner, counts)),
    )
  return {
    counts: Object.fromEntries(lines.map(({ config: { name }, counts }) => [name, counts])),
    routes: { '/records': recordsRoute(config) },
    ready: () => !stopping.signal.aborted && lines.every(({ runner }) => runner.healthy),
    start: async () => {
      for (const group of retired) for (const feed of feeds) idlers.push(letGo(feed, group, config))
      for (const [k, line] of lines.entries()) {
        const callLines = k === 0 ? options.callLines : undefined
        void begin(line, feeds, { tuning, logger, gate, callLines, signal: stopping.signal })
      }
    },
    useKeyRing: (ring) => options.callLines?.useKeyRing(ring),
    reopen: () => {
      for (const { runner } of lines) runner.reopen()
    },
    stop: async () => {
      await untilQuiet(lines, tuning)
      stopping.abort()
      gate.open()
      await Promise.all(lines.map((line) => end(line, tuning)))
      for (const idler of idlers.splice(0)) idler.close()
      options.callLines?.close()
    },
  }
}

function sourceOf({ config, traceAttributes = {} }: RecordsServiceOptions): SpanSource {
  const attributes = { ...traceAttributes, 'service.instance.id': config.node || hostname() }
  return { service: 'tandem-records', attributes }
}

function lineOf(
  sink: SinkConfig,
  config: RecordsServiceConfig,
  tuning: RecordsTuning,
  logger: RecordsServiceOptions['logger'],
  feedCount: number,
  traces: RecordTraces | undefined,
): Line {
  const counts = createSinkCounts()
  const folder = join(config.spoolFolder || join(dirname(config.file), 'spool'), sink.name)
  const window = Math.max(config.window, sink.maxLagRecords)
  const { recentLines: recentKeys, spoolSegmentBytes: segmentBytes } = tuning
  const runner = new SinkRunner({
    name: sink.name,
    sink: createSink(sink, { logger, tuning, counts, defaultFile: config.file }),
    spool: new Spool({ folder, maxBytes: sink.spoolMaxBytes, segmentBytes, recentKeys }),
    deadLetters: new DeadLetters({
      file: join(folder, 'dead-letters.ndjson'),
      maxBytes: config.deadLetterMaxBytes,
      keepFiles: config.deadLetterFiles,
      recentKeys,
    }),
    counts,
    logger,
    capacity: 2 * window * Math.max(1, feedCount),
    maxLagMs: sink.maxLagMs,
    maxLagRecords: sink.maxLagRecords,
    retryMinMs: sink.retryMinMs,
    retryMaxMs: sink.retryMaxMs,
    traces,
  })
  const lost = () => logger.error({ code: 'not_alone', sink: sink.name }, RECORDS_ERRORS.not_alone.meaning)
  const start = { group: sink.name, consumer: config.node || hostname(), window }
  return { config: sink, runner, counts, lock: new FileLock(join(folder, 'spool'), lost), start, consumers: [] }
}

function measured(runner: SinkRunner, counts: SinkCounts) {
  return {
    name: runner.name,
    counts,
    get lagMs() {
      return runner.lagMs
    },
    get queuedCount() {
      return runner.queuedCount
    },
    get spooledBytes() {
      return runner.spooledBytes
    },
    get isFailing() {
      return runner.isFailing
    },
  }
}

interface Beginning {
  readonly tuning: RecordsTuning
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly gate: AckGate
  readonly callLines: CallLines | undefined
  readonly signal: AbortSignal
}

/** Consumes once the sink's files are ours; what another process holds is looked at again and again. */
async function begin(
  line: Line,
  feeds: readonly RecordFeed[],
  { tuning, logger, gate, callLines, signal }: Beginning,
): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    const trouble = await tryStart(line)
    if (signal.aborted) return
    if (trouble === undefined) {
      for (const feed of feeds) line.consumers.push(connect(feed, line, gate, callLines))
      return
    }
    const { code, reason } = trouble
    if (attempt === 0) logger.error({ code, sink: line.config.name, reason }, RECORDS_ERRORS[code].meaning)
    await sleep(tuning.acquireMs, undefined, { signal, ref: false }).catch(() => undefined)
  }
}

type Trouble = { readonly code: 'not_alone' | 'spool_failed'; readonly reason: string }

async function tryStart({ lock, runner }: Line): Promise<Trouble | undefined> {
  try {
    if (!(await lock.acquire()) || !(await runner.start())) return { code: 'not_alone', reason: 'its lock is held' }
    return undefined
  } catch (error) {
    return { code: 'spool_failed', reason: error instanceof Error ? error.message : String(error) }
  }
}

async function end({ runner, lock, consumers }: Line, { stopMs }: RecordsTuning): Promise<void> {
  await runner.stop(stopMs)
  for (const consumer of consumers.splice(0)) consumer.close()
  await lock.release()
}

/** The calls that edges ended as they stopped are still on their way, and an embedded store ends with its process. */
async function untilQuiet(lines: readonly Line[], { quietMs, lingerMs }: RecordsTuning): Promise<void> {
  const deadline = performance.now() + lingerMs
  const received = () => lines.reduce((sum, { counts }) => sum + counts.received, 0)
  for (let seen = -1; seen !== received() && performance.now() < deadline; ) {
    seen = received()
    await sleep(quietMs)
  }
}

/** Acknowledgements go to the consumer that delivered: its feed knows the ids. */
function connect(
  feed: RecordFeed,
  { start, runner }: Line,
  gate: AckGate,
  callLines: CallLines | undefined,
): FeedConsumer {
  const source = { acknowledge: (ids: string[]) => gate.pass(() => consumer.acknowledge(ids)) }
  const consumer = feed.consume(start, (items) => {
    gate.onItems()
    callLines?.take(items)
    runner.offer(items, source)
  })
  return consumer
}

/** A sink that is no more holds nothing back: its group takes and forgets. */
function letGo(feed: RecordFeed, group: string, { node }: RecordsServiceConfig): FeedConsumer {
  const start = { group, consumer: node || hostname(), window: RETIRED_WINDOW }
  const consumer = feed.consume(start, (items) => consumer.acknowledge(items.map(({ id }) => id)))
  return consumer
}
