// SPDX-License-Identifier: MIT
//
// The copy of ledgers, read: what a lost ledger is made from. Amounts are micro-units.
import type { RecordsConfig } from '@tandem/service-kit'
import type { PostgresConnection, QueryResult } from '../sinks/postgres/connection.ts'
import { ledgerConnection, ledgerSinkOf } from './create-ledger-copy.ts'
import { partsOf } from './ledger-table.ts'

export interface CopiedLedger {
  readonly account: string
  readonly entries: number
  readonly sum: bigint
}

export interface CopiedEntry {
  readonly id: string
  readonly key: string
  readonly cause: string
  readonly amount: bigint
}

const entryOf = (row: QueryResult['rows'][number]): CopiedEntry => ({
  id: String(row.id),
  key: String(row.key),
  cause: String(row.cause),
  amount: BigInt(String(row.amount_micros)),
})

export class LedgerCopyReader {
  readonly #connection: PostgresConnection
  readonly #table: string

  constructor(connection: PostgresConnection, table: string) {
    this.#connection = connection
    this.#table = table
  }

  /** By name. @param account '' for all */
  async ledgers(account: string): Promise<CopiedLedger[]> {
    const text = `SELECT account, count(*) AS entries, sum(amount_micros) AS sum FROM ${this.#table}
      WHERE $1 = '' OR account = $1 GROUP BY account ORDER BY account`
    const { rows } = await this.#ask(text, [account])
    return rows.map(({ account: name, entries, sum }) => ({
      account: String(name),
      entries: Number(entries),
      sum: BigInt(String(sum)),
    }))
  }

  /** Id of the newest entry behind the `keep` newest ones, '' where there are no more than those. */
  async idBehind(account: string, keep: number): Promise<string> {
    const text = `SELECT id FROM ${this.#table} WHERE account = $1 ORDER BY id_ms DESC, id_seq DESC OFFSET $2 LIMIT 1`
    const { rows } = await this.#ask(text, [account, keep])
    return String(rows[0]?.id ?? '')
  }

  /** Sum of all entries up to and with that of the id. */
  async upTo(account: string, id: string): Promise<{ readonly count: number; readonly amount: bigint }> {
    const text = `SELECT count(*) AS entries, coalesce(sum(amount_micros), 0) AS sum FROM ${this.#table}
      WHERE account = $1 AND (id_ms, id_seq) <= ($2::bigint, $3::bigint)`
    const { rows } = await this.#ask(text, [account, ...partsOf(id)])
    return { count: Number(rows[0]?.entries), amount: BigInt(String(rows[0]?.sum)) }
  }

  /** Oldest first. */
  async after(account: string, id: string, limit: number): Promise<CopiedEntry[]> {
    const text = `SELECT id, key, cause, amount_micros FROM ${this.#table}
      WHERE account = $1 AND (id_ms, id_seq) > ($2::bigint, $3::bigint) ORDER BY id_ms, id_seq LIMIT $4`
    const { rows } = await this.#ask(text, [account, ...partsOf(id), limit])
    return rows.map(entryOf)
  }

  /** The newest top-ups up to that id. */
  async topUps(account: string, id: string, limit: number): Promise<CopiedEntry[]> {
    const text = `SELECT id, key, cause, amount_micros FROM ${this.#table} WHERE account = $1 AND cause = 'topup'
      AND (id_ms, id_seq) <= ($2::bigint, $3::bigint) ORDER BY id_ms DESC, id_seq DESC LIMIT $4`
    const { rows } = await this.#ask(text, [account, ...partsOf(id), limit])
    return rows.map(entryOf)
  }

  close(): void {
    this.#connection.close()
  }

  #ask(text: string, values: readonly unknown[]): Promise<QueryResult> {
    return this.#connection.run((session) => session.query(text, values))
  }
}

/** undefined: no sink is named. @throws ConfigError */
export function readLedgerCopy(config: Pick<RecordsConfig, 'ledger' | 'sinks'>): LedgerCopyReader | undefined {
  const sink = ledgerSinkOf(config)
  return sink && new LedgerCopyReader(ledgerConnection(config, sink), config.ledger.table)
}
