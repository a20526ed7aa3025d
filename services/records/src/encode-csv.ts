// SPDX-License-Identifier: MIT
//
// One call record as one line of CSV [RFC4180-2]: the columns of an NDJSON line in their order, so `id` and `cdr_id` are
// first and recovery finds them. Lists and objects are JSON in one column. A line is a record: line feeds in values become
// spaces, though RFC 4180 would allow them in quotes. A value that a spreadsheet would run as a formula (`=`, `+`, `-`,
// `@`, tab) gets an apostrophe in front, where that is set; numbers stay numbers. Pure.
import type { records } from '@tandem/rpc'
import { toLine } from './encode-line.ts'

const NEEDS_QUOTES = /[",\r\n]/
const FORMULA = /^[=+\-@\t\r]/
const NUMBER = /^[+-]?\d+(\.\d+)?$/

function textOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function cellOf(value: unknown, escapeFormulas: boolean): string {
  let text = textOf(value)
  if (escapeFormulas && FORMULA.test(text) && !NUMBER.test(text)) text = `'${text}`
  if (!NEEDS_QUOTES.test(text)) return text
  return `"${text.replace(/[\r\n]+/g, ' ').replaceAll('"', '""')}"`
}

/** Cells of one line, with its end. */
export function csvLine(values: readonly unknown[], escapeFormulas = true): string {
  return `${values.map((value) => cellOf(value, escapeFormulas)).join(',')}\r\n`
}

export interface CsvFormat {
  readonly header: string
  readonly encode: (id: string, record: records.CallRecord) => string
}

export function csvFormat(columns: readonly string[], escapeFormulas: boolean): CsvFormat {
  return {
    header: csvLine(columns, false),
    encode: (id, record) => {
      const line = toLine(id, record) as unknown as Readonly<Record<string, unknown>>
      return csvLine(
        columns.map((column) => line[column]),
        escapeFormulas,
      )
    },
  }
}

const FIRST_TWO = /^("(?:[^"]|"")*"|[^",]*),("(?:[^"]|"")*"|[^",\r]*)/

function plain(cell: string): string {
  const text = cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell
  return text.startsWith("'") && FORMULA.test(text.slice(1)) ? text.slice(1) : text
}

/** What identifies a line that csvFormat wrote, from its first bytes; undefined for the header. */
export function parseCsvKey(head: string): { id: string; cdrId: string } | undefined {
  const match = FIRST_TWO.exec(head)
  if (match?.[1] === undefined || match[2] === undefined || match[1] === 'id') return undefined
  return { id: plain(match[1]), cdrId: plain(match[2]) }
}
