// SPDX-License-Identifier: MIT
//
// The field table as columns of PostgreSQL: values that stand alone typed, lists as jsonb.
import { type FieldKind, RECORD_FIELDS } from './record-fields.ts'

export interface Column {
  readonly name: string
  readonly type: string
}

const TYPES: Readonly<Record<FieldKind, string>> = {
  text: 'text',
  texts: 'jsonb',
  integer: 'bigint',
  time: 'timestamptz',
  decimal: 'numeric',
  attempts: 'jsonb',
  forwards: 'jsonb',
}

export const COLUMNS: readonly Column[] = RECORD_FIELDS.map(({ name, kind }) => ({ name, type: TYPES[kind] }))
