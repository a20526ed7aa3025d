// SPDX-License-Identifier: MIT
//
// `tandem cdr` against the records service itself: a record goes in by the feed and comes out as a row.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RecordFeed, records } from '@tandem/rpc'
import { type Config, createLogger, Lifecycle, recordsConfig } from '@tandem/service-kit'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { CdrFormat } from '../formats.ts'
import { buildRecords } from '../parts/records.ts'
import { loadSettings } from '../up/settings.ts'
import { cdr } from './cdr.ts'
import { type CdrFlags, parseWhen, recordsPath } from './cdr-flags.ts'

const CALL = records.CallRecord.fromPartial({
  cdrId: 'f12ZRzHv',
  fromUri: 'sip:alice@example.test',
  toUri: 'sip:bob@example.test',
  endedUnixMs: BigInt(Date.UTC(2026, 10, 22, 11, 12, 6, 927)),
  durationMs: 3_049n,
  finalStatus: 200,
  outcome: 'answered',
  endedBy: 'caller',
  account: 'demo',
})
const logger = createLogger({ level: 'silent', service: 'test' })
const feed: RecordFeed = {
  consume(_start, onItems) {
    onItems([{ id: '241/1-0', record: CALL }])
    return { acknowledge: vi.fn(), close: vi.fn() }
  },
}
let folder: string
let config: Config
let lifecycle: Lifecycle

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tandem-cdr-'))
  vi.stubEnv('TANDEM_RECORDS_HTTP_PORT', String(await freePort()))
  vi.stubEnv('TANDEM_RECORDS_FILE', join(folder, 'cdr.ndjson'))
  config = loadSettings({}, { makeKeys: true })
  lifecycle = new Lifecycle({ logger, drainMs: 100 })
  for (const part of buildRecords(recordsConfig(config), [feed], logger).parts) lifecycle.add(part)
  await lifecycle.start()
})
afterEach(async () => {
  await lifecycle.stop()
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

async function printed(flags: Partial<CdrFlags>, format: CdrFormat): Promise<string> {
  const pieces: string[] = []
  for await (const piece of cdr(config, { failed: false, ...flags }, format)) pieces.push(piece)
  return pieces.join('\n')
}

it('shows when a call ended, how, how long it was and who was in it', async () => {
  const table = await vi.waitFor(async () => {
    const text = await printed({}, 'table')
    expect(text).toContain('f12ZRzHv')
    return text
  })
  const [heading, ...rows] = table.split('\n').map((line) => line.split(/ {2,}/))
  expect(heading).toEqual(['ENDED', 'OUTCOME', 'STATUS', 'SECONDS', 'BY', 'ACCOUNT', 'FROM', 'TO', 'CDR_ID'])
  const ended = '2026-11-22T11:12:06.927Z'
  const parties = ['sip:alice@example.test', 'sip:bob@example.test']
  expect(rows).toEqual([[ended, 'answered', '200', '3.0', 'caller', 'demo', ...parties, 'f12ZRzHv']])
})

it.each([
  ['json', (text: string) => (JSON.parse(text) as { cdr_id: string }[]).map(({ cdr_id }) => cdr_id)],
  ['yaml', (text: string) => [...text.matchAll(/cdr_id: (\S+)/g)].map(([, id]) => id)],
  ['csv', (text: string) => text.split('\n').map((line) => line.split(',')[1])],
] as const)('prints %s, and what nothing matches as nothing', async (format, idsOf) => {
  const none = format === 'csv' ? ['cdr_id'] : []
  await vi.waitFor(async () => expect(idsOf(await printed({}, format))).toEqual([...none, 'f12ZRzHv']), 10_000)
  expect(idsOf(await printed({ account: 'demo', caller: 'ALICE', since: '2026-11-22' }, format))).toHaveLength(
    none.length + 1,
  )
  expect(idsOf(await printed({ failed: true }, format))).toEqual(none)
  expect(idsOf(await printed({ until: '2026-11-22T11:12:06.927Z' }, format))).toEqual(none)
})

it('says what the service says', async () => {
  await expect(printed({ limit: 99_999 }, 'table')).rejects.toThrow('answered 400: limit: expected an integer')
  await lifecycle.stop()
  await expect(printed({}, 'table')).rejects.toThrow('does not answer')
})

it.each([
  ['90s', 910_000],
  ['1h', -2_600_000],
  ['1970-01-01', 0],
  ['1970-01-01T00:00:05Z', 5_000],
  ['1x', undefined],
  ['yesterday', undefined],
])('takes %s at 1,000 s for %s', (text, expected) => {
  expect(parseWhen(text, 1_000_000)).toBe(expected)
})

it('asks for exactly what the flags say', () => {
  const flags = { failed: true, since: '1s', caller: 'a b&c', trunk: 't', limit: 5 }
  expect(recordsPath(flags, 5_000)).toBe('/records?since=4000&trunk=t&caller=a+b%26c&failed=true&limit=5')
})
