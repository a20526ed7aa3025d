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
import { buildRecords } from '../parts/records.ts'
import { loadSettings } from '../settings.ts'
import { cdr } from './cdr.ts'

const CALL = records.CallRecord.fromPartial({
  cdrId: 'f12ZRzHv',
  fromUri: 'sip:alice@example.test',
  toUri: 'sip:bob@example.test',
  endedUnixMs: BigInt(Date.UTC(2026, 10, 22, 11, 12, 6, 927)),
  durationMs: 3_049n,
  finalStatus: 200,
  outcome: 'answered',
  endedBy: 'caller',
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

it('shows when a call ended, how, how long it was and who was in it', async () => {
  const table = await vi.waitFor(async () => {
    const text = await cdr(config, 20, 'table')
    expect(text).toContain('f12ZRzHv')
    return text
  })
  const [heading, ...rows] = table.split('\n').map((line) => line.split(/ {2,}/))
  expect(heading).toEqual(['ENDED', 'OUTCOME', 'STATUS', 'SECONDS', 'BY', 'FROM', 'TO', 'CDR_ID'])
  const ended = '2026-11-22T11:12:06.927Z'
  const parties = ['sip:alice@example.test', 'sip:bob@example.test']
  expect(rows).toEqual([[ended, 'answered', '200', '3.0', 'caller', ...parties, 'f12ZRzHv']])
})
