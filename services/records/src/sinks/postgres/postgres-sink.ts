// SPDX-License-Identifier: MIT
//
// Records into a table of PostgreSQL, each once by its id: a batch is one INSERT … ON CONFLICT DO NOTHING from one JSON
// parameter, so a batch of any size is the same prepared statement. A record that can't be stored is found by halving the
// batch and refused; whatever else fails is the connection's or the schema's, and the batch comes again.
import type { Logger } from '@tandem/service-kit'
import { COLUMNS } from '../../columns.ts'
import { toLine } from '../../encode-line.ts'
import type { Refusal, Sink, SinkRecord, WriteResult } from '../sink.ts'
import {
  clientConfig,
  describeError,
  isDataError,
  type PostgresConfig,
  PostgresConnection,
  type Session,
} from './connection.ts'
import { migrate } from './migrations.ts'

const MAX_BATCH_RECORDS = 512

export function createPostgresSink(config: PostgresConfig, { logger }: { logger: Pick<Logger, 'info'> }): Sink {
  return new PostgresSink(config, logger)
}

function insertInto(table: string): string {
  const names = COLUMNS.map(({ name }) => name).join(', ')
  const typed = COLUMNS.map(({ name, type }) => `${name} ${type}`).join(', ')
  return `INSERT INTO ${table} (${names}) SELECT ${names} FROM json_to_recordset($1::json) AS r(${typed}) ON CONFLICT DO NOTHING`
}

// Text of PostgreSQL holds no U+0000 and no half of a surrogate pair; both can come in by SIP.
const ODD_ESCAPE = /\\u(0000|d[89a-f])/i
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
const UNSTORABLE = /\u0000|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** JSON that PostgreSQL takes: what its text can't hold becomes U+FFFD. */
export function jsonFor(lines: readonly object[]): string {
  const json = JSON.stringify(lines)
  if (!ODD_ESCAPE.test(json)) return json
  return JSON.stringify(lines, (_key, value: unknown) =>
    typeof value === 'string' ? value.replace(UNSTORABLE, '\ufffd') : value,
  )
}

class PostgresSink implements Sink {
  readonly isLocal = false
  readonly maxBatchRecords = MAX_BATCH_RECORDS
  readonly #connection: PostgresConnection
  readonly #insert: string

  constructor(config: PostgresConfig, logger: Pick<Logger, 'info'>) {
    const { name, table } = config
    this.#insert = insertInto(table)
    this.#connection = new PostgresConnection(clientConfig(config), async (session) => {
      await migrate(session, table)
      logger.info({ sink: name, table }, 'connected to PostgreSQL; the table is up to date')
    })
  }

  async acquire(): Promise<boolean> {
    return true
  }

  async write(batch: readonly SinkRecord[], signal: AbortSignal): Promise<WriteResult> {
    try {
      return await this.#connection.run((session) => this.#store(session, batch), signal)
    } catch (error) {
      return { written: [], refused: [], failure: { reason: describeError(error), retryAfterMs: 0 } }
    }
  }

  reopen(): void {}

  async tick(): Promise<void> {}

  async close(): Promise<void> {
    this.#connection.close()
  }

  async #store(session: Session, batch: readonly SinkRecord[]): Promise<WriteResult> {
    try {
      const json = jsonFor(batch.map(({ id, record }) => toLine(id, record)))
      const { rowCount } = await session.query(this.#insert, [json], 'insert-cdr')
      return { written: batch, refused: [], duplicates: batch.length - rowCount }
    } catch (error) {
      if (!isDataError(error)) throw error
      return batch.length === 1 ? refusal(batch, error) : this.#halve(session, batch)
    }
  }

  async #halve(session: Session, batch: readonly SinkRecord[]): Promise<WriteResult> {
    const middle = batch.length >> 1
    const first = await this.#store(session, batch.slice(0, middle))
    const second = await this.#store(session, batch.slice(middle))
    return {
      written: [...first.written, ...second.written],
      refused: [...first.refused, ...second.refused],
      duplicates: (first.duplicates ?? 0) + (second.duplicates ?? 0),
    }
  }
}

function refusal(batch: readonly SinkRecord[], error: unknown): WriteResult {
  const refused: Refusal[] = batch.map((item) => ({ item, reason: describeError(error) }))
  return { written: [], refused }
}
