// SPDX-License-Identifier: MIT
//
// A sink from its settings. Files of secrets are read here, once.
import { type Logger, type RecordsConfig, WebhookSender } from '@tandem/service-kit'
import type { SinkCounts } from './delivery/sink-counts.ts'
import { csvFormat, parseCsvKey } from './encode-csv.ts'
import { CSV_COLUMNS, encodeLine, parseLineKey } from './encode-line.ts'
import { LineFile, type LineFormat } from './files/line-file.ts'
import { readNamedFile, readSecret } from './files/read-secret.ts'
import type { RecordsTuning } from './options.ts'
import { FileSink } from './sinks/file-sink.ts'
import { createPostgresSink } from './sinks/postgres/postgres-sink.ts'
import type { Sink } from './sinks/sink.ts'
import { WebhookSink } from './sinks/webhook-sink.ts'

export type SinkConfig = RecordsConfig['sinks'][number]
type Of<T extends SinkConfig['type']> = Extract<SinkConfig, { type: T }>

export interface SinkContext {
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly tuning: RecordsTuning
  readonly counts: SinkCounts
  /** File of the NDJSON sink that names none. */
  readonly defaultFile: string
}

/** @throws ConfigError where a file that it names can't be read */
export function createSink(config: SinkConfig, context: SinkContext): Sink {
  if (config.type === 'ndjson') return ndjsonSink(config, context)
  if (config.type === 'csv') return csvSink(config, context)
  if (config.type === 'postgres') return createPostgresSink(config, context)
  return webhookSink(config)
}

/** The file that a file sink writes; undefined for the others. */
export function fileOf(config: SinkConfig, defaultFile: string): string | undefined {
  if (config.type === 'ndjson') return config.file === '' ? defaultFile : config.file
  return config.type === 'csv' ? config.file : undefined
}

function ndjsonSink(config: Of<'ndjson'>, context: SinkContext): Sink {
  return fileSink(config, context, { header: '', keyOf: parseLineKey }, encodeLine)
}

function csvSink(config: Of<'csv'>, context: SinkContext): Sink {
  const { header, encode } = csvFormat(CSV_COLUMNS, config.escapeFormulas)
  return fileSink(config, context, { header, keyOf: parseCsvKey }, encode)
}

function fileSink(
  config: Of<'ndjson' | 'csv'>,
  { logger, tuning, counts, defaultFile }: SinkContext,
  format: LineFormat,
  encode: typeof encodeLine,
): Sink {
  const path = fileOf(config, defaultFile) as string
  const onTidyFailure = (error: unknown) =>
    logger.warn({ sink: config.name, err: error }, 'a rotated file could not be compressed or removed')
  const onTornLine = (cutBytes: number) => {
    counts.tornLines++
    logger.info({ file: path, cutBytes }, 'cut an unfinished last line; its record is delivered again')
  }
  const file = new LineFile(path, format, { rotation: config.rotate, onTidyFailure })
  const { maxBatchLines: maxBatchRecords, recentLines } = tuning
  return new FileSink({ file, encode, counts, maxBatchRecords, recentLines, onTornLine })
}

function webhookSink(config: Of<'webhook'>): Sink {
  const at = `records.sinks.${config.name}`
  const secret = readSecret({ file: config.secretFile, env: config.secretEnv }, `${at}.secretFile`) ?? ''
  const authorization = readNamedFile(config.authorizationFile, `${at}.authorizationFile`)
  const ca = readNamedFile(config.caFile, `${at}.caFile`)
  const { url, timeoutMs, headers, batchRecords, concurrency, maxAgeMs } = config
  const sender = new WebhookSender({
    url,
    timeoutMs,
    secrets: secret
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== ''),
    headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
    maxConnections: concurrency,
    ...(ca === undefined ? {} : { ca }),
  })
  return new WebhookSink({ sender, batchRecords, concurrency, maxAgeMs })
}
