// SPDX-License-Identifier: MIT
//
// A rate deck as CSV (RFC 4180 without line breaks in fields): a line of column names, then one rate a line. Prices are
// decimal units of the plan's currency, or micro-units in a column that says so. One broken line refuses the whole file;
// each is named by its number. Empty lines and lines that begin with # are passed over.
import { BadLine, badLine, splitLine } from '../csv-line.ts'
import { MAX_PRICE, parseAmount, type Rate } from './price.ts'
import { type RatePlan, ratePrefix } from './rate-plan.ts'
import { type Period, type RateRow, RateTable } from './rate-table.ts'

/** Stops a file that would not fit into memory as rates. */
export const MAX_RATES = 2_000_000
/** Broken lines that are listed. */
const MAX_PROBLEMS = 20
const MAX_LINE = 1_024

const COLUMNS = [
  'prefix',
  'name',
  'connectFee',
  'connectFeeMicros',
  'perMinute',
  'perMinuteMicros',
  'firstS',
  'nextS',
  'graceS',
  'validFrom',
  'validTo',
  'period',
  'currency',
] as const
type Column = (typeof COLUMNS)[number]
type Columns = ReadonlyMap<Column, number>

export interface LineProblem {
  /** From 1. */
  readonly line: number
  readonly expected: string
}

export type RateCsv =
  | { readonly ok: true; readonly rows: readonly RateRow[] }
  | { readonly ok: false; readonly problems: readonly LineProblem[] }

function readColumns(line: string): Columns {
  const columns = new Map<Column, number>()
  for (const [index, name] of splitLine(line.replace(/^\uFEFF/, '')).entries()) {
    const column =
      COLUMNS.find((known) => known === name) ?? badLine(`expected one of ${COLUMNS.join(', ')}, found ${name}`)
    if (columns.has(column)) badLine(`expected the column ${name} once`)
    columns.set(column, index)
  }
  if (!columns.has('prefix')) badLine('expected a column prefix')
  if (columns.has('perMinute') === columns.has('perMinuteMicros'))
    badLine('expected one of the columns perMinute and perMinuteMicros')
  if (columns.has('connectFee') && columns.has('connectFeeMicros'))
    badLine('expected one of the columns connectFee and connectFeeMicros')
  return columns
}

type Read = (column: Column) => string

function readPrice(read: Read, column: 'connectFee' | 'perMinute', absent: bigint | undefined): bigint {
  const units = read(column)
  const micros = read(`${column}Micros`)
  const given = units || micros
  if (given === '') return absent ?? badLine(`expected a price in ${column}`)
  const amount = units === '' ? (/^\d{1,15}$/.test(micros) ? BigInt(micros) : undefined) : parseAmount(units)
  if (amount === undefined || amount < 0n || amount > MAX_PRICE)
    return badLine(
      `expected a price from 0 to ${MAX_PRICE / 1_000_000n} with at most six decimals in ${column}, found ${given}`,
    )
  return amount
}

function readSeconds(read: Read, column: Column, absent: number, min: number, max: number): number {
  const text = read(column)
  if (text === '') return absent
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : -1
  if (seconds < min || seconds > max) badLine(`expected ${min} to ${max} seconds in ${column}, found ${text}`)
  return seconds * 1_000
}

const DATE = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(\.\d{1,3})?(Z|[+-]\d{2}:\d{2}))?$/

function readTime(read: Read, column: Column, absent: number): number {
  const text = read(column)
  if (text === '') return absent
  const time = DATE.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? badLine(`expected a date or a time with its zone in ${column}, found ${text}`) : time
}

function readPeriod(read: Read): Period {
  const text = read('period') || 'always'
  if (text !== 'always' && text !== 'peak' && text !== 'offPeak')
    return badLine(`expected always, peak or offPeak in period, found ${text}`)
  return text
}

function readPrefix(read: Read, e164: boolean): string {
  const text = read('prefix')
  const prefix = e164 && /^\d/.test(text) ? `+${text}` : text
  if (!ratePrefix.safeParse(prefix).success) badLine(`expected digits, + and digits, or * in prefix, found ${text}`)
  return prefix
}

function readRate(read: Read): Rate {
  return {
    connectFee: readPrice(read, 'connectFee', 0n),
    perMinute: readPrice(read, 'perMinute', undefined),
    firstMs: readSeconds(read, 'firstS', 60_000, 1, 3_600),
    nextMs: readSeconds(read, 'nextS', 60_000, 1, 3_600),
    graceMs: readSeconds(read, 'graceS', 0, 0, 600),
  }
}

function readRow(line: string, columns: Columns, { currency, import: from }: RatePlan['spec']): RateRow {
  if (line.length > MAX_LINE) badLine(`expected at most ${MAX_LINE} characters`)
  const fields = splitLine(line)
  if (fields.length !== columns.size) badLine(`expected ${columns.size} fields, found ${fields.length}`)
  const read: Read = (column) => fields[columns.get(column) ?? -1] ?? ''
  const own = read('currency')
  if (own !== '' && own !== currency) badLine(`expected the plan's currency ${currency}, found ${own}`)
  const prefix = readPrefix(read, from?.e164 ?? true)
  const fromMs = readTime(read, 'validFrom', Number.NEGATIVE_INFINITY)
  const toMs = readTime(read, 'validTo', Number.POSITIVE_INFINITY)
  if (fromMs >= toMs) badLine('expected validFrom before validTo')
  return { prefix, name: read('name').slice(0, 128), rate: readRate(read), fromMs, toMs, period: readPeriod(read) }
}

/** All rates of `text`, or its broken lines. */
export function parseRateCsv(text: string, spec: RatePlan['spec']): RateCsv {
  const rows: RateRow[] = []
  const problems: LineProblem[] = []
  const table = new RateTable()
  let columns: Columns | undefined
  let number = 0
  for (let at = 0; at < text.length && problems.length < MAX_PROBLEMS; ) {
    const end = text.indexOf('\n', at)
    const line = text.slice(at, end < 0 ? text.length : end).trim()
    at = end < 0 ? text.length : end + 1
    number++
    if (line === '' || line.startsWith('#')) continue
    try {
      if (columns === undefined) columns = readColumns(line)
      else {
        const row = readRow(line, columns, spec)
        if (!table.add(row)) badLine(`expected one rate for ${row.prefix} at a time; an earlier line has one`)
        if (rows.push(row) > MAX_RATES) badLine(`expected at most ${MAX_RATES} rates`)
      }
    } catch (error) {
      if (!(error instanceof BadLine)) throw error
      problems.push({ line: number, expected: error.message })
      if (columns === undefined || rows.length > MAX_RATES) break
    }
  }
  if (columns === undefined && problems.length === 0)
    problems.push({ line: 1, expected: 'expected a line of column names' })
  return problems.length > 0 ? { ok: false, problems } : { ok: true, rows }
}
