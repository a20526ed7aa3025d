// SPDX-License-Identifier: MIT
//
// Records from the table of a PostgreSQL sink, oldest first, page by page by (end_time, cdr_id): a page is what is in
// memory. Values come back as a line of the NDJSON file has them.
import { COLUMNS } from '../columns.ts'
import { type FieldKind, RECORD_FIELDS } from '../record-fields.ts'
import { clientConfig, type PostgresConfig, PostgresConnection, type Session } from '../sinks/postgres/connection.ts'
import { CALLEE_FIELDS, CALLER_FIELDS, type RecordQuery } from './record-query.ts'

const PAGE_RECORDS = 500

type Row = Readonly<Record<string, unknown>>

interface Where {
  readonly conditions: readonly string[]
  readonly values: readonly unknown[]
}

/** Lines with their line feeds. Rejects where the server does not answer. */
export async function* recordsFromPostgres(config: PostgresConfig, query: RecordQuery): AsyncGenerator<string> {
  const connection = new PostgresConnection(clientConfig(config))
  try {
    if (query.limit === Number.POSITIVE_INFINITY) yield* pages(connection, config.table, query)
    else {
      const rows = await connection.run((session) => newest(session, config.table, query))
      for (const row of rows) yield lineOf(row)
    }
  } finally {
    connection.close()
  }
}

const selected = COLUMNS.map(({ name }) => name).join(', ')

async function* pages(connection: PostgresConnection, table: string, query: RecordQuery): AsyncGenerator<string> {
  const where = whereOf(query)
  for (let after: Row | undefined; ; ) {
    const { text, values } = pageAfter(table, where, after)
    const { rows } = await connection.run((session) => session.query(text, values))
    for (const row of rows) yield lineOf(row)
    after = rows.at(-1)
    if (rows.length < PAGE_RECORDS) return
  }
}

function pageAfter(table: string, { conditions, values }: Where, after: Row | undefined) {
  const all = [...conditions, 'end_time IS NOT NULL']
  const more: unknown[] = []
  if (after !== undefined) {
    all.push(`(end_time, cdr_id) > ($${values.length + 1}, $${values.length + 2})`)
    more.push(after.end_time, after.cdr_id)
  }
  const text = `SELECT ${selected} FROM ${table} WHERE ${all.join(' AND ')} ORDER BY end_time, cdr_id LIMIT ${PAGE_RECORDS}`
  return { text, values: [...values, ...more] }
}

async function newest(session: Session, table: string, query: RecordQuery): Promise<Row[]> {
  const { conditions, values } = whereOf(query)
  const where = [...conditions, 'end_time IS NOT NULL'].join(' AND ')
  const text = `SELECT ${selected} FROM ${table} WHERE ${where} ORDER BY end_time DESC, cdr_id DESC LIMIT ${query.limit}`
  return [...(await session.query(text, values)).rows].reverse()
}

function whereOf(query: RecordQuery): Where {
  const conditions: string[] = []
  const values: unknown[] = []
  const add = (value: unknown, condition: (place: string) => string) => {
    if (value === undefined) return
    values.push(value)
    conditions.push(condition(`$${values.length}`))
  }
  const time = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms))
  add(time(query.sinceMs), (at) => `end_time >= ${at}`)
  add(time(query.untilMs), (at) => `end_time < ${at}`)
  add(query.account, (at) => `account = ${at}`)
  add(query.callId, (at) => `call_id = ${at}`)
  add(query.trunk, (at) => `${at} IN (ingress_trunk, egress_trunk)`)
  add(query.caller, (at) => anyHas(CALLER_FIELDS, at))
  add(query.callee, (at) => anyHas(CALLEE_FIELDS, at))
  if (query.failed) conditions.push(`outcome IS DISTINCT FROM 'answered'`)
  return { conditions, values }
}

const anyHas = (fields: readonly string[], place: string): string =>
  `(${fields.map((field) => `position(lower(${place}::text) in lower(${field})) > 0`).join(' OR ')})`

const PLAIN: Partial<Record<FieldKind, (value: unknown) => unknown>> = {
  integer: Number,
  time: (value) => (value as Date).toISOString(),
}

function lineOf(row: Row): string {
  const line: Record<string, unknown> = {}
  for (const { name, kind } of RECORD_FIELDS) {
    const value = row[name]
    line[name] = value === null || value === undefined ? emptyOf(kind) : (PLAIN[kind]?.(value) ?? value)
  }
  return `${JSON.stringify(line)}\n`
}

/** A row that an older version wrote lacks what was added since. */
function emptyOf(kind: FieldKind): unknown {
  if (kind === 'text') return ''
  return kind === 'texts' || kind === 'attempts' || kind === 'forwards' ? [] : null
}
