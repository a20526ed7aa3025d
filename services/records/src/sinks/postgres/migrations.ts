// SPDX-License-Identifier: MIT
//
// The tables in PostgreSQL, by numbered steps that are applied once, in order, each in a transaction. An advisory lock
// makes nodes that start together wait for each other. Columns are not numbered: those of the field table that the table
// lacks are added, so that a new field needs no step and an older node goes on beside a newer one.
import { COLUMNS } from '../../columns.ts'
import type { Session } from './connection.ts'

/** 'tandem' as a number: of this database, whatever tables it is for. */
const LOCK = '7953742149997'

export interface Step {
  readonly number: number
  readonly statements: (table: string) => readonly string[]
}

/** Never changed once released; added to. */
const STEPS: readonly Step[] = [
  {
    number: 1,
    statements: (table) => [
      // A table that is there was made by hand, partitioned for example (docs/sinks.md).
      `CREATE TABLE IF NOT EXISTS ${table} (
         cdr_id text PRIMARY KEY,
         id text NOT NULL,
         stored_at timestamptz NOT NULL DEFAULT now(),
         end_time timestamptz,
         account text,
         call_id text
       )`,
      `CREATE INDEX IF NOT EXISTS ${table}_end_time ON ${table} (end_time, cdr_id)`,
      `CREATE INDEX IF NOT EXISTS ${table}_account ON ${table} (account, end_time)`,
      `CREATE INDEX IF NOT EXISTS ${table}_call_id ON ${table} (call_id)`,
    ],
  },
]

/** Makes the schema what this version expects. Idempotent; may run on several nodes at once. */
export const migrate = (session: Session, table: string): Promise<void> =>
  migrateWith(session, table, STEPS, () => addColumns(session, table))

/** The same for another table. @param last under the lock, after all steps */
export async function migrateWith(
  session: Session,
  table: string,
  steps: readonly Step[],
  last: () => Promise<void> = async () => undefined,
): Promise<void> {
  await session.query(`SELECT pg_advisory_lock(${LOCK})`)
  try {
    await session.query(`CREATE TABLE IF NOT EXISTS ${table}_migrations (
      number integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`)
    const { rows } = await session.query(`SELECT number FROM ${table}_migrations`)
    const applied = new Set(rows.map(({ number }) => number))
    for (const step of steps) if (!applied.has(step.number)) await apply(session, table, step)
    await last()
  } finally {
    await session.query(`SELECT pg_advisory_unlock(${LOCK})`).catch(() => undefined)
  }
}

async function apply(session: Session, table: string, { number, statements }: Step): Promise<void> {
  await session.query('BEGIN')
  try {
    for (const statement of statements(table)) await session.query(statement)
    await session.query(`INSERT INTO ${table}_migrations (number) VALUES ($1)`, [number])
    await session.query('COMMIT')
  } catch (error) {
    await session.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

async function addColumns(session: Session, table: string): Promise<void> {
  const { rows } = await session.query(
    'SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped',
    [table],
  )
  const there = new Set(rows.map(({ attname }) => attname))
  const missing = COLUMNS.filter(({ name }) => !there.has(name))
  if (missing.length === 0) return
  const added = missing.map(({ name, type }) => `ADD COLUMN IF NOT EXISTS ${name} ${type}`)
  await session.query(`ALTER TABLE ${table} ${added.join(', ')}`)
}
