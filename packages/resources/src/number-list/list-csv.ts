// SPDX-License-Identifier: MIT
//
// A list of numbers as CSV. Lists come in many shapes, so columns are found by their names in any case and spelling, or
// by those that the resource gives; a file without a line of names has prefix, country, category in this order. A cell
// may be a prefix, a whole number, a number with X for its last digits, or the start of a range with its end in another column.
// One broken line refuses the whole file; each is named by its number. Empty lines and lines that begin with # are passed
// over; a prefix that stands twice counts as it first stands.
import { BadLine, badLine, splitLine } from '../csv-line.ts'
import type { LineProblem } from '../rating/rate-csv.ts'
import type { NumberList } from './number-list.ts'
import type { NumberTable } from './number-table.ts'
import { rangePrefixes } from './ranges.ts'

/** Stops a file that would not fit into memory. */
export const MAX_PREFIXES = 1_000_000
/** Broken lines that are listed. */
const MAX_PROBLEMS = 20
const MAX_LINE = 1_024
const MAX_TEXT = 64
const MIN_DIGITS = 2

type Import = NonNullable<NumberList['spec']['import']>
type Column = 'prefix' | 'rangeEnd' | 'country' | 'category'

/** Letters and digits of a name alone, so that `Test Number`, `test_number` and `TestNumber` are one. */
const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')

const COMMON: Readonly<Record<Column, readonly string[]>> = {
  prefix: [
    ...['prefix', 'number', 'testnumber', 'phonenumber', 'phone', 'msisdn', 'e164', 'bnumber', 'code', 'dialcode'],
    ...['range', 'numberrange', 'rangestart', 'rangefrom', 'from', 'start', 'startnumber', 'destinationcode', 'digits'],
  ],
  rangeEnd: ['rangeend', 'rangeto', 'to', 'end', 'endnumber'],
  country: ['country', 'countrycode', 'iso', 'iso2', 'countryiso', 'countryname', 'destination'],
  category: ['category', 'type', 'numbertype', 'service', 'class', 'reason', 'list'],
}

interface Layout {
  readonly delimiter: string
  readonly columns: ReadonlyMap<Column, number>
  /** Of the line of names; 0 without one. */
  readonly fields: number
}

function delimiterOf(line: string): string {
  const counted = [',', ';', '\t', '|'].map((one) => ({ one, count: line.split(one).length }))
  return counted.reduce((best, next) => (next.count > best.count ? next : best)).one
}

/** A first line that begins with a number is no line of names. */
const isData = (line: string): boolean => /^["']?[+\d(]/.test(line)

function layOut(line: string, { columns: named }: Import): Layout {
  const delimiter = delimiterOf(line)
  if (isData(line)) {
    return { delimiter, columns: new Map([['prefix', 0] as const, ['country', 1], ['category', 2]]), fields: 0 }
  }
  const names = splitLine(line, delimiter).map(plain)
  const columns = new Map<Column, number>()
  for (const column of Object.keys(COMMON) as Column[]) {
    const wanted = named[column]
    const candidates = wanted === undefined ? COMMON[column] : [plain(wanted)]
    const at = candidates.map((name) => names.indexOf(name)).find((index) => index >= 0)
    if (at !== undefined) columns.set(column, at)
    else if (wanted !== undefined) badLine(`expected a column ${wanted}`)
  }
  if (!columns.has('prefix')) badLine(`expected a column of numbers, named one of ${COMMON.prefix.join(', ')}`)
  return { delimiter, columns, fields: names.length }
}

/** `+49 (30) 12-3XX` → `+4930123`; `0049…` → `+49…`. */
function readNumber(text: string, { e164, dropDigits }: Import): string {
  const bare = text.replace(/^'/, '').replace(/[\s().\-/]/g, '')
  const match = /^(\+|00)?(\d+)[xX*]*$/.exec(bare)
  if (match === null) return badLine(`expected a number or a prefix, found ${text.slice(0, 40)}`)
  const digits = dropDigits > 0 ? (match[2] as string).slice(0, -dropDigits) : (match[2] as string)
  const isGlobal = match[1] !== undefined || e164
  if (digits.length < (isGlobal ? MIN_DIGITS : 1) || digits.length > (isGlobal ? 15 : 32))
    return badLine(`expected ${MIN_DIGITS} to 15 digits, found ${text.slice(0, 40)}`)
  return isGlobal ? `+${digits}` : digits
}

/** A country code in upper case; other text as it is. */
const countryText = (text: string): string =>
  /^[A-Za-z]{2}$/.test(text) ? text.toUpperCase() : text.slice(0, MAX_TEXT)

function addLine(line: string, layout: Layout, spec: NumberList['spec'], from: Import, table: NumberTable): void {
  if (line.length > MAX_LINE) badLine(`expected at most ${MAX_LINE} characters`)
  const fields = splitLine(line, layout.delimiter)
  if (layout.fields > 0 && fields.length !== layout.fields)
    badLine(`expected ${layout.fields} fields, found ${fields.length}`)
  const read = (column: Column): string => fields[layout.columns.get(column) ?? -1] ?? ''
  const country = countryText(read('country'))
  const category = read('category').slice(0, MAX_TEXT) || spec.category
  const first = readNumber(read('prefix'), from)
  const end = read('rangeEnd')
  const prefixes = end === '' ? [first] : rangePrefixes(first, readNumber(end, from))
  for (const prefix of prefixes ??
    badLine(`expected a range of numbers of one length, upwards, found ${first} to ${end}`))
    table.add(prefix, country, category)
  if (table.size > MAX_PREFIXES) badLine(`expected at most ${MAX_PREFIXES} prefixes`)
}

/** Adds all prefixes of `text` to `table`; its broken lines, none when all is well. */
export function parseListCsv(text: string, spec: NumberList['spec'], table: NumberTable): readonly LineProblem[] {
  const from = spec.import
  if (from === undefined) return []
  const problems: LineProblem[] = []
  let layout: Layout | undefined
  let number = 0
  for (let at = 0; at < text.length && problems.length < MAX_PROBLEMS; ) {
    const end = text.indexOf('\n', at)
    const line = text
      .slice(at, end < 0 ? text.length : end)
      .replace(/^\uFEFF/, '')
      .replace(/[\r ]+$/, '')
    at = end < 0 ? text.length : end + 1
    number++
    if (line.trim() === '' || line.startsWith('#')) continue
    try {
      const isFirst = layout === undefined
      layout ??= layOut(line, from)
      if (!isFirst || layout.fields === 0) addLine(line, layout, spec, from, table)
    } catch (error) {
      if (!(error instanceof BadLine || error instanceof RangeError)) throw error
      problems.push({ line: number, expected: error.message })
      if (layout === undefined || table.size > MAX_PREFIXES) break
    }
  }
  if (table.size === 0 && problems.length === 0) problems.push({ line: 1, expected: 'expected a line with a number' })
  return problems
}
