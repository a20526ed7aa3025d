// SPDX-License-Identifier: MIT
//
// `tandem cdr`: finished call records, from PostgreSQL where records go there, else from the files of the records service.
// They are printed as they come: however many there are, memory holds the first rows of the table, for its widths.
import { csvLine, RECORD_FIELDS, type RecordLine } from '@tandem/records'
import type { Config } from '@tandem/service-kit'
import { stringify } from 'yaml'
import type { CdrFormat } from '../formats.ts'
import { type Row, renderTable } from '../output.ts'
import { type CdrFlags, recordsPath } from './cdr-flags.ts'
import { streamRecords } from './targets.ts'

const COLUMNS = ['ended', 'outcome', 'status', 'seconds', 'by', 'account', 'from', 'to', 'cdr_id']
/** Rows that decide how wide the columns are; later ones may stick out. */
const MEASURED_ROWS = 200

/** A line of the records service; another version of it may have written other fields. */
type CdrRecord = Partial<RecordLine>

const text = (record: CdrRecord, key: keyof RecordLine): string => String(record[key] ?? '')

function row(record: CdrRecord): Row {
  return {
    ended: text(record, 'end_time'),
    outcome: text(record, 'outcome'),
    status: text(record, 'final_status'),
    seconds: (Number(record.duration_ms ?? 0) / 1_000).toFixed(1),
    by: text(record, 'ended_by'),
    account: text(record, 'account'),
    from: text(record, 'from_uri'),
    to: text(record, 'to_uri'),
    cdr_id: text(record, 'cdr_id'),
  }
}

async function* table(found: AsyncIterable<CdrRecord>): AsyncGenerator<string> {
  let rows: Row[] = []
  let widths: readonly number[] | undefined
  for await (const record of found) {
    rows.push(row(record))
    if (rows.length < MEASURED_ROWS) continue
    yield renderTable(COLUMNS, rows, widths)
    widths ??= widthsOf(rows)
    rows = []
  }
  if (widths === undefined || rows.length > 0) yield renderTable(COLUMNS, rows, widths)
}

function widthsOf(rows: readonly Row[]): number[] {
  return COLUMNS.map((name) => Math.max(name.length, ...rows.map((cells) => String(cells[name] ?? '').length)))
}

/** One array, whose elements come one by one. */
async function* json(found: AsyncIterable<CdrRecord>): AsyncGenerator<string> {
  let previous: string | undefined
  for await (const record of found) {
    yield previous === undefined ? '[' : `${previous},`
    previous = JSON.stringify(record, null, 2).replace(/^/gm, '  ')
  }
  if (previous === undefined) yield '[]'
  else yield `${previous}\n]`
}

async function* yaml(found: AsyncIterable<CdrRecord>): AsyncGenerator<string> {
  let isEmpty = true
  for await (const record of found) {
    isEmpty = false
    yield stringify([record]).trimEnd()
  }
  if (isEmpty) yield '[]'
}

async function* csv(found: AsyncIterable<CdrRecord>): AsyncGenerator<string> {
  const names = RECORD_FIELDS.map(({ name }) => name)
  yield csvLine(names).trimEnd()
  for await (const record of found) yield csvLine(names.map((name) => record[name])).trimEnd()
}

const WRITERS = { table, json, yaml, csv }

async function* parse(lines: AsyncIterable<string>): AsyncGenerator<CdrRecord> {
  for await (const line of lines) yield JSON.parse(line) as CdrRecord
}

/** Pieces of the output, each to be ended by a line feed. Throws `CommandFailed`. */
export async function* cdr(config: Config, flags: CdrFlags, format: CdrFormat): AsyncGenerator<string> {
  yield* WRITERS[format](parse(streamRecords(config, recordsPath(flags, Date.now()))))
}
