// SPDX-License-Identifier: MIT
//
// The sink, its table and its answers against a real PostgreSQL. Kills of either side: kill.test.ts.
// Not tested here: certificates of clients.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { records } from '@tandem/rpc'
import { postgresAvailable, type RunningPostgres, startPostgres } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COLUMNS } from '../../columns.ts'
import { toLine } from '../../encode-line.ts'
import { recordsFromPostgres } from '../../query/from-postgres.ts'
import { parseRecordQuery } from '../../query/record-query.ts'
import { itemOf, settingsIn } from '../../testing.ts'
import type { SinkRecord } from '../sink.ts'
import type { PostgresConfig } from './connection.ts'
import { createPostgresSink } from './postgres-sink.ts'

const server = postgresAvailable()
const logger = { info: () => undefined }
const { signal } = new AbortController()
let folder: string
let database: RunningPostgres

function configOf(more: object): PostgresConfig {
  const sink = { type: 'postgres', name: 'sql', url: database.url, passwordFile: join(folder, 'password'), ...more }
  return settingsIn(folder, [sink]).sinks[0] as PostgresConfig
}

const item = (id: string, more: Partial<records.CallRecord> = {}): SinkRecord => ({ ...itemOf(id, more), bornMs: 0 })

async function written(table: string, ...items: SinkRecord[]) {
  const sink = createPostgresSink(configOf({ table }), { logger })
  try {
    return await sink.write(items, signal)
  } finally {
    await sink.close()
  }
}

async function ask(table: string, text: string): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = []
  for await (const line of recordsFromPostgres(configOf({ table }), parseRecordQuery(new URLSearchParams(text))))
    found.push(JSON.parse(line))
  return found
}

describe.skipIf(!server.available)(`PostgreSQL${server.available ? '' : ` (skipped: ${server.reason})`}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tandem-sql-'))
    const certificate = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2', '-nodes']
    const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')]
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', ...certificate, ...files], { stdio: 'ignore' })
    const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
    database = await startPostgres({ tls })
    await writeFile(join(folder, 'password'), `${database.password}\n`)
  }, 90_000)
  afterAll(async () => {
    await database?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it('stores a record in typed columns, once, and gives it back as the file has it', async () => {
    const full = item('5/17-0', {
      account: 'demo',
      toTags: ['t1', 't2'],
      setupUnixMs: 1_700_000_000_000n,
      endedUnixMs: 1_700_000_065_499n,
      durationMs: 62_999n,
      ratePlan: 'std',
      priceMicros: -12_500n,
      attempts: [{ target: 'sip:bob@192.0.2.2', status: 200, provisionalStatus: 180 }] as never,
    })
    expect(await written('typed', full, full)).toMatchObject({ refused: [], duplicates: 1 })
    expect(await written('typed', full)).toMatchObject({ duplicates: 1 })
    const sql =
      "SELECT extract(epoch FROM end_time - setup_time), price * 2, to_tags->>1, attempts->0->>'status' FROM typed"
    expect(await database.ask(sql)).toBe('65.499000|-0.025000|t2|200')
    expect(await ask('typed', '')).toEqual([toLine(full.id, full.record)])
  })

  it('finds the records that can not be stored; the others of the batch are', async () => {
    await written('poison', item('1/0-0'))
    await database.ask('ALTER TABLE poison ADD CONSTRAINT short_name CHECK (true), ALTER account TYPE varchar(10)')
    const batch = Array.from({ length: 20 }, (_, n) => item(`1/${n}-0`, n % 9 === 4 ? { account: 'a'.repeat(11) } : {}))
    const result = await written('poison', ...batch)
    expect(result.refused.map(({ item: { id }, reason }) => [id, reason.slice(0, 5)])).toEqual([
      ['1/4-0', '22001'],
      ['1/13-0', '22001'],
    ])
    expect(result.written).toHaveLength(18)
    expect(result.failure).toBeUndefined()
    expect(await database.ask('SELECT count(*) FROM poison')).toBe('18')
  })

  it('stores text that PostgreSQL has no room for, as near as it can', async () => {
    const odd = item('1/1-0', { userAgent: 'a\u0000b\ud800c\\u0000', fromUri: 'sip:😀@x' })
    expect(await written('odd', odd)).toMatchObject({ written: [odd], refused: [] })
    const [line] = await ask('odd', '')
    expect(line).toBeUndefined()
    expect(await database.ask('SELECT user_agent, from_uri FROM odd')).toBe('a\ufffdb\ufffdc\\u0000|sip:😀@x')
  })

  it('makes its table once, though several nodes start together, and adds columns that it lacks', async () => {
    const results = await Promise.all(Array.from({ length: 6 }, (_, n) => written('together', item(`1/${n}-0`))))
    for (const result of results) expect(result.failure).toBeUndefined()
    expect(await database.ask('SELECT count(*) FROM together')).toBe('6')
    expect(await database.ask('SELECT count(*) FROM together_migrations')).toBe('1')
    await database.ask('ALTER TABLE together DROP COLUMN price, ADD COLUMN note text')
    expect((await written('together', item('1/9-0'))).failure).toBeUndefined()
    const found = await database.ask("SELECT count(*) FROM information_schema.columns WHERE table_name = 'together'")
    // Those of the field table, when it was stored, and the note.
    expect(Number(found)).toBe(COLUMNS.length + 2)
  })

  it('takes a table that was made partitioned', async () => {
    await database.ask(`CREATE TABLE parts (cdr_id text, id text NOT NULL, stored_at timestamptz NOT NULL DEFAULT now(),
      end_time timestamptz, account text, call_id text, UNIQUE (cdr_id, end_time)) PARTITION BY RANGE (end_time);
      CREATE TABLE parts_2023 PARTITION OF parts FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')`)
    const inside = item('1/1-0', { endedUnixMs: 1_700_000_000_000n })
    expect(await written('parts', inside)).toMatchObject({ duplicates: 0 })
    expect(await written('parts', inside)).toMatchObject({ duplicates: 1 })
    const outside = await written('parts', item('1/2-0', { endedUnixMs: 1_800_000_000_000n }))
    expect(outside).toMatchObject({ refused: [], written: [] })
    expect(outside.failure?.reason).toContain('no partition')
  })

  it('answers all filters, in order, page by page', async () => {
    const batch = Array.from({ length: 1_200 }, (_, n) =>
      item(`1/${n}-0`, {
        endedUnixMs: BigInt(1_700_000_000_000 + (n >> 1) * 1_000),
        account: n % 2 ? 'odd' : 'even',
        outcome: n % 3 ? 'answered' : 'rejected',
        fromUri: `sip:user${n}@example.test`,
      }),
    )
    for (let at = 0; at < batch.length; at += 400) await written('pages', ...batch.slice(at, at + 400))
    const all = await ask('pages', 'since=0')
    expect(all).toHaveLength(1_200)
    const times = all.map(({ end_time }) => String(end_time))
    expect([...times].sort()).toEqual(times)
    expect(new Set(all.map(({ cdr_id }) => cdr_id)).size).toBe(1_200)
    expect(await ask('pages', `since=${1_700_000_000_000 + 10_000}&until=${1_700_000_000_000 + 12_000}`)).toHaveLength(
      4,
    )
    expect(await ask('pages', 'since=0&account=odd&failed=true')).toHaveLength(200)
    expect((await ask('pages', 'caller=USER1199')).map(({ id }) => id)).toEqual(['1/1199-0'])
    const newest = (await ask('pages', 'limit=3')).map(({ end_time }) => end_time)
    expect(newest).toEqual(times.slice(-3))
    expect(await ask('pages', 'trunk=x%27%20OR%20true--')).toEqual([])
  })

  it('speaks TLS, and checks the certificate where it is told to', async () => {
    const url = database.url.replace('127.0.0.1', 'localhost')
    const attempt = async (tls: object) => {
      const sink = createPostgresSink(configOf({ url, table: 'tls', tls }), { logger })
      const { failure } = await sink.write([item('1/1-0')], signal)
      await sink.close()
      return failure?.reason
    }
    expect(await attempt({ mode: 'require' })).toBeUndefined()
    expect(await attempt({ mode: 'verify', caFile: join(folder, 'cert.pem') })).toBeUndefined()
    expect(await attempt({ mode: 'verify' })).toContain('self')
    const wrongName = { mode: 'verify', caFile: join(folder, 'cert.pem'), serverName: 'db.example.net' }
    expect(await attempt(wrongName)).toContain('db.example.net')
  })

  it('says why it can not connect, without the password', async () => {
    await writeFile(join(folder, 'wrong'), 'hunter2')
    const sink = createPostgresSink(configOf({ passwordFile: join(folder, 'wrong') }), { logger })
    const { failure } = await sink.write([item('1/1-0')], signal)
    await sink.close()
    expect(failure?.reason).toContain('28P01')
    expect(failure?.reason).not.toContain('hunter2')
  })

  it('comes back by itself when its session was ended', async () => {
    const sink = createPostgresSink(configOf({ table: 'back' }), { logger })
    await sink.write([item('1/1-0')], signal)
    await database.ask(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tandem-records'",
    )
    let result = await sink.write([item('1/1-0'), item('1/2-0')], signal)
    for (let turn = 0; turn < 20 && result.failure; turn++)
      result = await sink.write([item('1/1-0'), item('1/2-0')], signal)
    expect(result.failure).toBeUndefined()
    await sink.close()
    expect(await database.ask('SELECT count(*) FROM back')).toBe('2')
  })
})
