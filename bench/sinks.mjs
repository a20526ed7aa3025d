// SPDX-License-Identifier: MIT
//
// Records a second of each kind of sink, one after the other, from a feed in memory through the records service as it is
// (queue, files with fsync, acknowledgement): node --conditions=@tandem/source bench/sinks.mjs [records]
// The receiver of webhooks runs in this process too; PostgreSQL is left out where it is not installed, and does not sync.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { createRecordsService } from '@tandem/records'
import { records } from '@tandem/rpc'
import { configSchema } from '@tandem/service-kit'
import { postgresAvailable, startPostgres } from '@tandem/test-kit'

const COUNT = Number(process.argv[2] ?? 20_000)
const folder = mkdtempSync(join(tmpdir(), 'tandem-bench-sinks-'))
const START_MS = Date.now()
const quiet = { info() {}, warn() {}, error() {} }

function itemOf(n) {
  const record = records.CallRecord.fromPartial({
    cdrId: `c${n}`,
    callId: `${n}@192.0.2.1`,
    fromTag: 'a1b2c3',
    toTags: ['d4e5f6'],
    fromUri: 'sip:alice@example.test',
    toUri: 'sip:bob@example.test',
    requestUri: 'sip:bob@example.test',
    target: 'sip:bob@192.0.2.2:5060',
    account: 'demo',
    setupUnixMs: 1_700_000_000_000n,
    answeredUnixMs: 1_700_000_002_000n,
    endedUnixMs: 1_700_000_062_000n,
    durationMs: 60_000n,
    finalStatus: 200,
    outcome: 'answered',
    attempts: [{ target: 'sip:bob@192.0.2.2:5060', status: 200, provisionalStatus: 180 }],
  })
  return { id: `${n % 256}/${START_MS + n}-0`, record }
}

/** A feed that always has more, within the window; resolves when everything is acknowledged. */
function feedOf(count, finish) {
  let next = 0
  let acknowledged = 0
  return {
    consume({ window }, onItems) {
      const give = () => {
        const items = []
        while (next < count && next - acknowledged < window) items.push(itemOf(next++))
        if (items.length > 0) onItems(items)
      }
      setImmediate(give)
      const acknowledge = (ids) => {
        acknowledged += ids.length
        if (acknowledged === count) finish()
        else setImmediate(give)
      }
      return { acknowledge, close() {} }
    },
  }
}

async function measure(name, sink, count = COUNT) {
  const own = join(folder, name.replaceAll(/\W/g, '-'))
  // It never spools for lag: what the sink itself can do is measured.
  const all = { name: 'bench', maxLagMs: 3_600_000, maxLagRecords: 4_096, ...sink }
  const settings = { file: join(own, 'cdr.ndjson'), spoolFolder: join(own, 'spool'), sinks: [all] }
  const config = configSchema.shape.records.parse(settings)
  const { promise, resolve } = Promise.withResolvers()
  const service = createRecordsService({
    config,
    logger: quiet,
    feeds: [feedOf(count, resolve)],
    tuning: { quietMs: 1 },
  })
  const [cpu, start] = [process.cpuUsage(), performance.now()]
  await service.start()
  await promise
  const seconds = (performance.now() - start) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  await service.stop()
  const perRecord = ((user + system) / count).toFixed(0)
  console.log(`| ${name} | ${Math.round(count / seconds).toLocaleString('en')} | ${perRecord} |`)
}

const server = createServer((request, response) => request.resume().on('end', () => response.end()))
await new Promise((done) => server.listen(0, '127.0.0.1', done))
const url = `http://127.0.0.1:${server.address().port}/`
const postgres = postgresAvailable().available ? await startPostgres() : undefined
process.env.PGPASSWORD = postgres?.password ?? ''

try {
  console.log('| sink | records/s | CPU per record, this process, µs |\n|---|---|---|')
  await measure('NDJSON', { type: 'ndjson' })
  await measure('CSV', { type: 'csv', file: join(folder, 'cdr.csv') })
  if (postgres) await measure('PostgreSQL', { type: 'postgres', url: postgres.url })
  await measure('webhook, 8 at once', { type: 'webhook', url }, COUNT / 4)
  await measure('webhook, 8 at once, 64 a request', { type: 'webhook', url, batchRecords: 64 })
  const nobody = { type: 'webhook', url: 'http://127.0.0.1:9/', maxLagRecords: 1_024, maxLagMs: 100, retryMinMs: 10 }
  await measure('a dead webhook: into the spool', nobody)
} finally {
  await postgres?.stop()
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true, force: true })
}
