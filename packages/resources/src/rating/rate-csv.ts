// SPDX-License-Identifier: MIT
//
// A rate deck as CSV (RFC 4180 without line breaks in fields): a line of column names, then one rate a line. Prices are
// decimal units of the plan's currency, or micro-units in a column that says so. One broken line refuses the whole file;
// each is named by its number. Empty lines and lines that begin with # are passed over.
// Decks say the same of many prefixes: where the prefix is the first column, what follows it is read once for all lines that have it.
import { BadLine, badLine, splitLine } from '../csv-line.ts'
import { MAX_PRICE, parseAmount, type Rate } from './price.ts'
import { RATE_PREFIX, type RatePlan } from './rate-plan.ts'
import { type Period, RateTable, type RateTerms } from './rate-table.ts'

/** Stops a file that would not fit into memory as rates. */
export const MAX_RATES = 2_000_000
/** Broken lines that are listed. */
const MAX_PROBLEMS = 20
const MAX_LINE = 1_024
/** Ends of lines that are known at once. */
const MAX_KNOWN = 65_536
/** Lines between two chances for others. */
const SLICE_LINES = 2_000

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
  | { readonly ok: true; readonly table: RateTable }
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

function readPrefix(text: string, e164: boolean): string {
  const prefix = e164 && /^\d/.test(text) ? `+${text}` : text
  if (!RATE_PREFIX.test(prefix)) badLine(`expected digits, + and digits, or * in prefix, found ${text}`)
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

type Spec = RatePlan['spec']

function readTerms(fields: readonly string[], columns: Columns, currency: string): RateTerms {
  const read: Read = (column) => fields[columns.get(column) ?? -1] ?? ''
  const own = read('currency')
  if (own !== '' && own !== currency) badLine(`expected the plan's currency ${currency}, found ${own}`)
  const fromMs = readTime(read, 'validFrom', Number.NEGATIVE_INFINITY)
  const toMs = readTime(read, 'validTo', Number.POSITIVE_INFINITY)
  if (fromMs >= toMs) badLine('expected validFrom before validTo')
  return { name: read('name').slice(0, 128), rate: readRate(read), fromMs, toMs, period: readPeriod(read) }
}

class DeckReader {
  readonly table = new RateTable()
  readonly #spec: Spec
  readonly #columns: Columns
  readonly #isFirst: boolean
  /** By what follows the prefix in the line. */
  readonly #known = new Map<string, RateTerms>()

  constructor(spec: Spec, columns: Columns) {
    this.#spec = spec
    this.#columns = columns
    this.#isFirst = columns.get('prefix') === 0
  }

  read(line: string): void {
    if (line.length > MAX_LINE) badLine(`expected at most ${MAX_LINE} characters`)
    const comma = this.#isFirst && !line.startsWith('"') ? line.indexOf(',') : -1
    if (comma < 0) this.#readWhole(line, '')
    else {
      const rest = line.slice(comma)
      const terms = this.#known.get(rest)
      if (terms === undefined) this.#readWhole(line, rest)
      else this.#add(line.slice(0, comma).trimEnd(), terms)
    }
  }

  #readWhole(line: string, rest: string): void {
    const fields = splitLine(line)
    const { size } = this.#columns
    if (fields.length !== size) badLine(`expected ${size} fields, found ${fields.length}`)
    const terms = readTerms(fields, this.#columns, this.#spec.currency)
    this.#add(fields[this.#columns.get('prefix') ?? 0] ?? '', terms)
    if (rest === '') return
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(rest, terms)
  }

  #add(text: string, terms: RateTerms): void {
    const prefix = readPrefix(text, this.#spec.import?.e164 ?? true)
    if (this.table.size >= MAX_RATES) badLine(`expected at most ${MAX_RATES} rates`)
    if (!this.table.add(prefix, terms)) badLine(`expected one rate for ${prefix} at a time; an earlier line has one`)
  }
}

/** All rates of `text`, or its broken lines; with a pause now and then, in which others may have their turn. */
export function* readRateCsv(text: string, spec: Spec): Generator<undefined, RateCsv> {
  const problems: LineProblem[] = []
  let deck: DeckReader | undefined
  let number = 0
  for (let at = 0; at < text.length && problems.length < MAX_PROBLEMS; ) {
    const end = text.indexOf('\n', at)
    const line = text.slice(at, end < 0 ? text.length : end).trim()
    at = end < 0 ? text.length : end + 1
    if (++number % SLICE_LINES === 0) yield
    if (line === '' || line.startsWith('#')) continue
    try {
      if (deck === undefined) deck = new DeckReader(spec, readColumns(line))
      else deck.read(line)
    } catch (error) {
      if (!(error instanceof BadLine)) throw error
      problems.push({ line: number, expected: error.message })
      if (deck === undefined || deck.table.size >= MAX_RATES) break
    }
  }
  if (deck === undefined && problems.length === 0)
    problems.push({ line: 1, expected: 'expected a line of column names' })
  return deck === undefined || problems.length > 0 ? { ok: false, problems } : { ok: true, table: deck.table }
}

/** The same in one go. */
export function parseRateCsv(text: string, spec: Spec): RateCsv {
  const reading = readRateCsv(text, spec)
  for (;;) {
    const step = reading.next()
    if (step.done === true) return step.value
  }
}
