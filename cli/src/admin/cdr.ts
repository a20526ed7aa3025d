// SPDX-License-Identifier: MIT
//
// `tandem cdr`: the newest finished call records, as the records service wrote them.
import type { Config } from '@tandem/service-kit'
import { type Format, type Row, render } from '../output.ts'
import { fetchRecords } from './targets.ts'

const COLUMNS = ['ended', 'outcome', 'status', 'seconds', 'from', 'to', 'ref']

type CdrRecord = Readonly<Record<string, unknown>>

const text = (record: CdrRecord, key: string): string => String(record[key] ?? '')

function row(record: CdrRecord): Row {
  return {
    ended: text(record, 'endedAt'),
    outcome: text(record, 'outcome'),
    status: text(record, 'finalStatus'),
    seconds: (Number(record.durationMs ?? 0) / 1_000).toFixed(1),
    from: text(record, 'fromUri'),
    to: text(record, 'toUri'),
    ref: text(record, 'cdrId'),
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
