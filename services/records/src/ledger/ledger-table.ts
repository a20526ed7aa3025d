// SPDX-License-Identifier: MIT
//
// The table of ledger entries in PostgreSQL: one row per account and key, so that an entry that comes again changes nothing. A key that
// comes with a later id was lost in the store with its master and made again: what the store has now counts, and the row says in
// `replaces` what it had been. Key of a top-up that is used again after the store has forgotten it: a row of its own.

import type { Session } from '../sinks/postgres/connection.ts'
import { migrateWith, type Step } from '../sinks/postgres/migrations.ts'

/** One row. Amounts are micro-units as decimal text; `after` is set of what was folded. */
export interface LedgerRow {
  readonly account: string
  readonly currency: string
  readonly id: string
  readonly key: string
  readonly cause: string
  readonly amount: string
  readonly balance: string
}

/** What was folded into one sum stands for all after this id, up to its own. */
export interface FoldedRow extends LedgerRow {
  readonly after: string
}

/** Never changed once released; added to. */
const STEPS: readonly Step[] = [
  {
    number: 1,
    statements: (table) => [
      `CREATE TABLE IF NOT EXISTS ${table} (
         account text NOT NULL,
         key text NOT NULL,
         id text NOT NULL,
         id_ms bigint NOT NULL,
         id_seq bigint NOT NULL,
         at timestamptz NOT NULL,
         cause text NOT NULL,
         currency text NOT NULL,
         amount_micros bigint NOT NULL,
         balance_micros bigint NOT NULL,
         replaces jsonb,
         stored_at timestamptz NOT NULL DEFAULT now(),
         PRIMARY KEY (account, key)
       )`,
      `CREATE INDEX IF NOT EXISTS ${table}_order ON ${table} (account, id_ms, id_seq)`,
      `CREATE INDEX IF NOT EXISTS ${table}_at ON ${table} (at)`,
    ],
  },
]

export const migrateLedger = (session: Session, table: string): Promise<void> => migrateWith(session, table, STEPS)

const COLUMNS = 'account, key, id, id_ms, id_seq, at, cause, currency, amount_micros, balance_micros'
/** Well below the time that the store remembers a top-up's key. */
const REUSED_AFTER_MS = 60 * 86_400_000

const onConflict = (table: string): string => `ON CONFLICT (account, key) DO UPDATE SET
    id = EXCLUDED.id, id_ms = EXCLUDED.id_ms, id_seq = EXCLUDED.id_seq, at = EXCLUDED.at, cause = EXCLUDED.cause,
    amount_micros = EXCLUDED.amount_micros, balance_micros = EXCLUDED.balance_micros,
    replaces = jsonb_build_object('id', ${table}.id, 'cause', ${table}.cause,
      'amount_micros', ${table}.amount_micros, 'replaces', ${table}.replaces)
  WHERE (${table}.id_ms, ${table}.id_seq) < (EXCLUDED.id_ms, EXCLUDED.id_seq)`

const insertEntries = (table: string): string => `INSERT INTO ${table} (${COLUMNS})
  SELECT r.account,
    CASE WHEN r.cause = 'topup' AND EXISTS (SELECT FROM ${table} t
        WHERE t.account = r.account AND t.key = r.key AND r.id_ms - t.id_ms > ${REUSED_AFTER_MS})
      THEN r.key || '#' || r.id ELSE r.key END,
    r.id, r.id_ms, r.id_seq, to_timestamp(r.id_ms / 1000.0), r.cause, r.currency, r.amount, r.balance
  FROM json_to_recordset($1::json) AS r(account text, key text, id text, id_ms bigint, id_seq bigint, cause text,
    currency text, amount bigint, balance bigint)
  ORDER BY r.account, r.key
  ${onConflict(table)}`

/** Less what had come one by one before it was folded. */
const insertFolded = (table: string): string => `INSERT INTO ${table} (${COLUMNS})
  SELECT $1, $2, $3, $4::bigint, $5::bigint, to_timestamp($4::bigint / 1000.0), 'folded', $6,
    $7::bigint - coalesce((SELECT sum(t.amount_micros) FROM ${table} t WHERE t.account = $1 AND t.key <> $2
      AND (t.id_ms, t.id_seq) > ($9::bigint, $10::bigint) AND (t.id_ms, t.id_seq) <= ($4::bigint, $5::bigint)), 0),
    $8::bigint
  ${onConflict(table)}`

export const partsOf = (id: string): [ms: string, sequence: string] => {
  const dash = id.indexOf('-')
  return [id.slice(0, dash), id.slice(dash + 1)]
}

function json(rows: readonly LedgerRow[]): string {
  // Two nodes may have read the same entries: a statement changes a row once.
  const once = new Map(rows.map((row) => [`${row.account}/${row.key}`, row]))
  return JSON.stringify(
    [...once.values()].map((row) => {
      const [id_ms, id_seq] = partsOf(row.id)
      return { ...row, id_ms, id_seq }
    }),
  )
}

/** All or nothing. */
export async function storeEntries(
  session: Session,
  table: string,
  rows: readonly LedgerRow[],
  folded: readonly FoldedRow[],
): Promise<void> {
  await session.query('BEGIN')
  try {
    for (const row of folded) {
      const { account, key, id, currency, amount, balance, after } = row
      const values = [account, key, id, ...partsOf(id), currency, amount, balance, ...partsOf(after)]
      await session.query(insertFolded(table), values, 'insert-folded')
    }
    await session.query(insertEntries(table), [json(rows)], 'insert-ledger')
    await session.query('COMMIT')
  } catch (error) {
    await session.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}
