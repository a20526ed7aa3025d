// SPDX-License-Identifier: MIT
//
// `tandem cdr`: the newest finished call records, as the records service wrote them.
import type { RecordLine } from '@tandem/records'
import type { Config } from '@tandem/service-kit'
import { type Format, type Row, render } from '../output.ts'
import { fetchRecords } from './targets.ts'

const COLUMNS = ['ended', 'outcome', 'status', 'seconds', 'by', 'from', 'to', 'cdr_id']

/** A line of the records service's file; another version of it may have written other fields. */
type CdrRecord = Partial<RecordLine>

const text = (record: CdrRecord, key: keyof RecordLine): string => String(record[key] ?? '')

function row(record: CdrRecord): Row {
  return {
    ended: text(record, 'end_time'),
    outcome: text(record, 'outcome'),
    status: text(record, 'final_status'),
    seconds: (Number(record.duration_ms ?? 0) / 1_000).toFixed(1),
    by: text(record, 'ended_by'),
    from: text(record, 'from_uri'),
    to: text(record, 'to_uri'),
    cdr_id: text(record, 'cdr_id'),
  }
}

/** NDJSON → records. */
export function parseRecords(ndjson: string): CdrRecord[] {
  const lines = ndjson.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as CdrRecord)
}

export async function cdr(config: Config, limit: number, format: Format): Promise<string> {
  const found = parseRecords(await fetchRecords(config, `/records?limit=${limit}`))
  return render(format, found, COLUMNS, found.map(row))
}
