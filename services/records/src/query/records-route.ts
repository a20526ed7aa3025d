// SPDX-License-Identifier: MIT
//
// `/records`: finished records as NDJSON, oldest first, from PostgreSQL where there is such a sink, else from the files.
// The first record is waited for before the status is said, so a server that is away is a 503 and not an empty list.
import type { HttpReply, HttpRoute } from '@tandem/service-kit'
import { fileOf } from '../create-sink.ts'
import type { RecordsServiceConfig } from '../options.ts'
import { describeError } from '../sinks/postgres/connection.ts'
import { recordsFromFiles } from './from-files.ts'
import { recordsFromPostgres } from './from-postgres.ts'
import { parseRecordQuery, type RecordQuery } from './record-query.ts'

/** Answered at once; further ones are told to come later. */
const MAX_QUERIES = 4

const TEXT = 'text/plain; charset=utf-8'
const refuse = (status: number, sentence: string): HttpReply => ({ status, body: `${sentence}\n`, contentType: TEXT })

export function recordsRoute(config: RecordsServiceConfig): HttpRoute {
  let running = 0
  return async (url) => {
    const query = queryOf(url)
    if (typeof query === 'string') return refuse(400, query)
    const source = sourceOf(config, query)
    if (source === undefined)
      return refuse(404, 'no sink keeps records that could be read: neither NDJSON nor PostgreSQL')
    if (running >= MAX_QUERIES) return refuse(503, 'too many questions at once')
    running++
    const done = () => void running--
    try {
      const first = await source.next()
      return { status: 200, body: '', contentType: 'application/x-ndjson', stream: rest(first, source, done) }
    } catch (error) {
      done()
      return refuse(503, describeError(error))
    }
  }
}

function queryOf(url: URL): RecordQuery | string {
  try {
    return parseRecordQuery(url.searchParams)
  } catch (error) {
    return (error as Error).message
  }
}

function sourceOf({ sinks, file }: RecordsServiceConfig, query: RecordQuery): AsyncGenerator<string> | undefined {
  const postgres = sinks.find((sink) => sink.type === 'postgres')
  if (postgres !== undefined && query.from !== 'files') return recordsFromPostgres(postgres, query)
  const ndjson = sinks.find((sink) => sink.type === 'ndjson')
  const path = ndjson && fileOf(ndjson, file)
  return path === undefined || query.from === 'postgres' ? undefined : recordsFromFiles(path, query)
}

async function* rest(
  first: IteratorResult<string, unknown>,
  source: AsyncGenerator<string>,
  done: () => void,
): AsyncGenerator<string> {
  try {
    if (first.done) return
    yield first.value
    yield* source
  } finally {
    done()
    await source.return(undefined)
  }
}
