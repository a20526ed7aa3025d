// SPDX-License-Identifier: MIT
//
// The copy of ledgers from its settings: into the database of one of the sinks.
import type { RecordFeed } from '@tandem/rpc'
import { ConfigError, type Logger, type Metrics, type RecordsConfig } from '@tandem/service-kit'
import { clientConfig, type PostgresConfig, PostgresConnection } from '../sinks/postgres/connection.ts'
import { LedgerCopy } from './ledger-copy.ts'
import { migrateLedger } from './ledger-table.ts'

type Settings = Pick<RecordsConfig, 'ledger' | 'sinks'>

/** The sink whose database has the copy; undefined for none. @throws ConfigError where it is no PostgreSQL sink */
export function ledgerSinkOf({ ledger, sinks }: Settings): PostgresConfig | undefined {
  if (ledger.sink === '') return undefined
  const sink = sinks.find(({ name }) => name === ledger.sink)
  if (sink?.type === 'postgres' && sink.table !== ledger.table) return sink
  throw new ConfigError([
    {
      path: 'records.ledger.sink',
      origin: 'the configuration',
      expected: 'the name of a sink of type postgres, whose table is another',
    },
  ])
}

/** A connection whose table of ledger entries is up to date. */
export function ledgerConnection(config: Settings, sink: PostgresConfig): PostgresConnection {
  return new PostgresConnection(clientConfig(sink), (session) => migrateLedger(session, config.ledger.table))
}

export interface LedgerCopyParts {
  readonly feeds: readonly RecordFeed[]
  readonly config: Settings
  readonly consumer: string
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly metrics?: Metrics
}

/** undefined: no sink is named. @throws ConfigError */
export function ledgerCopyFrom({ config, metrics, ...more }: LedgerCopyParts): LedgerCopy | undefined {
  const sink = ledgerSinkOf(config)
  if (sink === undefined) return undefined
  const { table, window, retryMinMs, retryMaxMs } = config.ledger
  const connection = ledgerConnection(config, sink)
  return new LedgerCopy({ ...more, connection, table, window, retryMinMs, retryMaxMs, metrics })
}
