// SPDX-License-Identifier: MIT
//
// One call record as one line of JSON, in the names of record-fields.ts. The line starts with the two fields that identify
// it, in a fixed order and without spaces: recovery reads them without parsing the rest.
// Pure. JSON.stringify escapes every control character, so a record never spans lines.
import type { records } from '@tandem/rpc'
import { type FieldValue, RECORD_FIELDS, type RecordLine } from './record-fields.ts'

/** Names of the fields, in the order of a line. */
export const CSV_COLUMNS: readonly string[] = RECORD_FIELDS.map(({ name }) => name)

export type { RecordLine } from './record-fields.ts'

export function toLine(id: string, record: records.CallRecord): RecordLine {
  const line: Record<string, FieldValue> = {}
  for (const { name, of } of RECORD_FIELDS) line[name] = of(record, id)
  return line as RecordLine
}

/** The line with its line feed. */
export function encodeLine(id: string, record: records.CallRecord): string {
  return `${JSON.stringify(toLine(id, record))}\n`
}

const PREFIX = /^\{"id":("(?:[^"\\]|\\.)*"),"cdr_id":("(?:[^"\\]|\\.)*")/

/** What identifies a line that encodeLine wrote, from its first bytes; undefined for anything else. */
export function parseLineKey(head: string): { id: string; cdrId: string } | undefined {
  const match = PREFIX.exec(head)
  if (match?.[1] === undefined || match[2] === undefined) return undefined
  return { id: JSON.parse(match[1]) as string, cdrId: JSON.parse(match[2]) as string }
}
