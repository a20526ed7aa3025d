// SPDX-License-Identifier: MIT
//
// What commands print: tables for people, JSON and YAML for programs. Control characters in data are shown, not obeyed.
import { stringify } from 'yaml'
import type { Format } from './formats.ts'

export type Row = Readonly<Record<string, string | number>>

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g
export const printable = (value: string | number): string => String(value).replace(CONTROL, '·')

/**
 * Columns in the order given, as wide as their widest cell.
 *
 * @param widthsBefore of a table that goes on: no heading then, and columns at least as wide
 */
export function renderTable(
  columns: readonly string[],
  rows: readonly Row[],
  widthsBefore?: readonly number[],
): string {
  const cells = [
    ...(widthsBefore === undefined ? [columns.map((name) => name.toUpperCase())] : []),
    ...rows.map((row) => columns.map((name) => printable(row[name] ?? ''))),
  ]
  const widths = columns.map((_, column) =>
    Math.max(widthsBefore?.[column] ?? 0, ...cells.map((line) => (line[column] as string).length)),
  )
  return cells
    .map((line) =>
      line
        .map((text, column) => text.padEnd(widths[column] as number))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** bigints as numbers: the protos' 64-bit times and counters stay below 2^53. */
const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value)

/** `data` as it is for json and yaml; `rows` for tables. */
export function render(format: Format, data: unknown, columns: readonly string[], rows: readonly Row[]): string {
  if (format === 'table') return renderTable(columns, rows)
  const json = JSON.stringify(data, plain, 2)
  return format === 'json' ? json : stringify(JSON.parse(json)).trimEnd()
}
