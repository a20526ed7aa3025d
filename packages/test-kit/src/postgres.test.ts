// SPDX-License-Identifier: MIT
//
// A PostgreSQL for tests: starts, survives a crash with its data, leaves nothing behind.
import { expect, test } from 'vitest'
import { postgresAvailable, startPostgres } from './postgres.ts'

const postgres = postgresAvailable()

test.skipIf(!postgres.available)(
  `starts, keeps what was committed across a kill, and ends${postgres.available ? '' : ` (skipped: ${postgres.reason})`}`,
  { timeout: 90_000 },
  async () => {
    const server = await startPostgres()
    try {
      await server.ask('CREATE TABLE t (n int); INSERT INTO t VALUES (7), (8)')
      await server.kill()
      await expect(server.ask('SELECT 1')).rejects.toThrow()
      await server.start()
      expect(await server.ask('SELECT n, n + 1 FROM t ORDER BY n')).toBe('7|8\n8|9')
    } finally {
      await server.stop()
    }
  },
)
