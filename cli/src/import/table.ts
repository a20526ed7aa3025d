// SPDX-License-Identifier: MIT
//
// A table that a database wrote as text: a line of column names, then a row a line; commas, tabs, semicolons or bars between them, fields
// quoted or not (RFC 4180 without line breaks in fields). NULL and \N are nothing.
import { CommandFailed } from '../command-failed.ts'
import type { Import } from './report.ts'

const MAX_ROWS = 1_000_000
const DELIMITERS = [',', '\t', ';', '|']
const NOTHING = new Set(['NULL', '\\N'])

export interface TableText {
  readonly file: string
  readonly text: string
}

/** Each column by the first of its names. */
export interface TableRow {
  readonly place: string
  get(column: string): string
}

function split(line: string, delimiter: string): string[] | undefined {
  if (!line.includes('"')) return line.split(delimiter).map((field) => field.trim())
  const fields: string[] = []
  for (let at = 0; at <= line.length; ) {
    const quoted = /^\s*"((?:[^"]|"")*)"\s*/.exec(line.slice(at))
    const end = quoted === null ? line.indexOf(delimiter, at) : at + quoted[0].length
    const stop = end < 0 ? line.length : end
    if (quoted !== null && stop < line.length && line[stop] !== delimiter) return undefined
    fields.push(quoted === null ? line.slice(at, stop).trim() : (quoted[1] as string).replaceAll('""', '"'))
    at = stop + 1
  }
  return fields
}

/** @param columns what may stand there: `name` or `name|other name`; `?` behind it: it may be missing; `-` before it: it is passed over */
export function readTable({ file, text }: TableText, columns: readonly string[], into: Import): TableRow[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  const first = lines.findIndex((line) => line.trim() !== '' && !line.startsWith('#'))
  const header = lines[first] ?? ''
  const delimiter = DELIMITERS.find((one) => header.includes(one)) ?? ','
  const places = placesOf(split(header, delimiter) ?? [], columns, `${file}:${first + 1}`, into)
  const rows: TableRow[] = []
  for (const [at, line] of lines.entries()) {
    if (at <= first || line.trim() === '' || line.startsWith('#')) continue
    const place = `${file}:${at + 1}`
    const fields = split(line, delimiter)
    if (fields === undefined) into.remark(place, 'not understood: a quote is not closed')
    else if (rows.length >= MAX_ROWS) throw new CommandFailed(`${file} has more than ${MAX_ROWS} rows.`)
    else rows.push(rowOf(fields, places, place))
  }
  return rows
}

function rowOf(fields: readonly string[], places: ReadonlyMap<string, number>, place: string): TableRow {
  return {
    place,
    get(column) {
      const field = fields[places.get(column) ?? -1] ?? ''
      return NOTHING.has(field) ? '' : field
    },
  }
}

function placesOf(
  names: readonly string[],
  columns: readonly string[],
  place: string,
  into: Import,
): Map<string, number> {
  const places = new Map<string, number>()
  const lower = names.map((name) => name.toLowerCase())
  const known = new Set<string>()
  for (const column of columns) {
    const spellings = column.replace(/^-/, '').replace(/\?$/, '').split('|')
    for (const one of spellings) known.add(one)
    const at = lower.findIndex((name) => spellings.includes(name))
    if (at >= 0) places.set(spellings[0] as string, at)
    else if (!column.endsWith('?') && !column.startsWith('-'))
      throw new CommandFailed(`${place}: expected a line of column names with ${spellings.join(' or ')}`)
  }
  for (const name of lower)
    if (!known.has(name)) into.remark(place, `the column ${name} is not read: nothing here corresponds to it`)
  return places
}
