// SPDX-License-Identifier: MIT
// Where records go, from outside: policy and records as processes of their own over Redis, records killed outright again and again while
// calls end, with four sinks of which the webhook is dead. Afterwards each sink has each record once, Redis holds none, and what was spooled
// arrives when the webhook comes back. Needs the built command (`npm run build`).
// Not tested here: kills in the middle of each step (services/records/src/kill.test.ts).
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { verifyWebhook } from '@tandem/service-kit'
import { createRedisStore, createReference, type Store } from '@tandem/store'
import {
  freePorts,
  type ManagedProcess,
  postgresAvailable,
  type RunningPostgres,
  type RunningRedis,
  redisAvailable,
  startPostgres,
  startProcess,
  startRedis,
  waitUntil,
} from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const MAIN = join(ROOT, 'cli/dist/main.js')
const ROUNDS = 4
const CALLS_PER_ROUND = 500
const ALL = ROUNDS * CALLS_PER_ROUND
const [redisThere, postgresThere] = [redisAvailable(), postgresAvailable()]
const missing = [redisThere, postgresThere].flatMap((found) => (found.available ? [] : [found.reason])).join('; ')

let folder: string
let config: string
let redis: RunningRedis
let database: RunningPostgres
let store: Store
let policy: ManagedProcess
let records: ManagedProcess | undefined
let ports: number[]
let hook: Server | undefined
const taken = new Map<string, boolean>()

function writeConfig(): void {
  const [grpcPort, httpPort, recordsPort, hookPort] = ports as [number, number, number, number]
  const sinks = [
    { type: 'ndjson', name: 'lines', rotate: { maxBytes: 300_000, gzip: true } },
    { type: 'csv', name: 'sheet', file: join(folder, 'cdr.csv') },
    { type: 'postgres', name: 'sql', url: database.url, passwordFile: join(folder, 'password') },
    {
      type: 'webhook',
      name: 'hook',
      url: `http://127.0.0.1:${hookPort}/calls`,
      secretFile: join(folder, 'secret'),
      maxLagMs: 500,
      retryMaxMs: 500,
    },
  ]
  const apiVersion = 'tandem/v1'
  const settings = {
    cluster: { name: 'sinks', secrets: [{ id: 1, secret: 'for-this-harness-and-no-other' }] },
    store: { url: redis.url },
    policy: { grpcPort, httpPort },
    records: { httpPort: recordsPort, file: join(folder, 'cdr.ndjson'), sinks },
    logging: { level: 'warn' },
    resources: { documents: [{ apiVersion, kind: 'Domain', metadata: { name: 'example.test' }, spec: {} }] },
  }
  writeFileSync(join(folder, 'password'), database.password)
  writeFileSync(join(folder, 'secret'), 'a secret of webhooks\n')
  config = join(folder, 'cluster.json')
  writeFileSync(config, JSON.stringify(settings))
}

const run = (service: string) =>
  startProcess({ command: process.execPath, args: [MAIN, 'run', service, '--config', config], cwd: ROOT })

async function status(port: number | undefined): Promise<number> {
  return fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(1_000) }).then(
    (response) => response.status,
    () => 0,
  )
}

/** Calls that ended unanswered: each is a record in the feed once this resolves. */
async function endCalls(count: number): Promise<string[]> {
  const refs = Array.from({ length: count }, () => createReference())
  for (const ref of refs) {
    const call = {
      callId: ref,
      fromTag: 'a',
      fromUri: 'sip:alice@example.test',
      toUri: 'sip:bob@example.test',
      requestUri: 'sip:bob@example.test',
      source: undefined,
      identity: 'alice@example.test',
      account: 'demo',
      edgeId: 'edge0.1',
      userAgent: 'phone, "1"',
      setupAgeMs: 100,
      ringAgeMs: 50,
      attempts: [],
    }
    const done = await store.policy.failed(ref, { call, ageMs: 0, status: 486, cause: 'rejected', reason: '' })
    expect(done.state).toBe('stored')
  }
  return refs
}

/** Records that Redis still holds, of all shards. */
async function heldByRedis(): Promise<number> {
  const script =
    "local n = 0 for _, k in ipairs(redis.call('KEYS', '*:cdr')) do n = n + redis.call('XLEN', k) end return n"
  return Number(await redis.ask('EVAL', script, '0'))
}

async function openHook(): Promise<void> {
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const header = String(request.headers['tandem-signature'])
      const isSigned = verifyWebhook(header, 'a secret of webhooks', body, Date.now() / 1_000)
      taken.set(String(request.headers['idempotency-key']), isSigned)
      response.end()
    })
  })
  hook = server
  await new Promise<void>((done) => server.listen(ports[3], '127.0.0.1', done))
}

/** The command as a person runs it. */
function tandem(...args: string[]): Promise<string> {
  return new Promise((done, fail) => {
    const options = { cwd: ROOT, timeout: 30_000, maxBuffer: 1e9 }
    execFile(process.execPath, [MAIN, ...args, '--config', config], options, (error, out) =>
      error ? fail(error) : done(out),
    )
  })
}

const files = (prefix: string) =>
  readdirSync(folder).filter((name) => name.startsWith(prefix) && !name.endsWith('.lock'))

describe.skipIf(missing !== '')(`sinks${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tandem-sinks-'))
    ;[redis, database, ports] = await Promise.all([startRedis(), startPostgres(), freePorts(4)])
    writeConfig()
    store = createRedisStore({ url: redis.url })
    policy = await run('policy')
    await waitUntil('policy', async () => (await status(ports[1])) === 200, 60_000)
  }, 120_000)
  afterAll(async () => {
    await records?.stop()
    await policy?.stop()
    await store?.close()
    hook?.closeAllConnections()
    hook?.close()
    await Promise.all([redis?.stop(), database?.stop()])
    rmSync(folder, { recursive: true, force: true })
  })

  it('have each record once, though records is killed under load and one of them is dead', {
    timeout: 240_000,
  }, async () => {
    // Calls that ended before anybody read the feed: every sink gets them.
    const refs = await endCalls(CALLS_PER_ROUND)
    for (let round = 1; round < ROUNDS; round++) {
      records = await run('records')
      await waitUntil('records', async () => (await status(ports[2])) === 200, 60_000)
      refs.push(...(await endCalls(CALLS_PER_ROUND)))
      records.signal('SIGKILL')
      await records.ended
    }
    records = await run('records')
    const output = () => records?.output().slice(-3_000)
    await waitUntil(
      'every row',
      async () => Number(await database.ask('SELECT count(*) FROM cdr')) === ALL,
      90_000,
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${output()}`)
    })
    await waitUntil('Redis to be empty', async () => (await heldByRedis()) === 0, 60_000)
    const wanted = [...refs].sort()

    expect((await database.ask('SELECT cdr_id FROM cdr')).split('\n').sort()).toEqual(wanted)
    const lines = JSON.parse(await tandem('cdr', '--since', '1h', '--from', 'files', '-o', 'json')) as {
      cdr_id: string
    }[]
    expect(lines.map(({ cdr_id }) => cdr_id).sort()).toEqual(wanted)
    expect(files('cdr.ndjson').length).toBeGreaterThan(2)
    const rows = readFileSync(join(folder, 'cdr.csv'), 'utf8').trimEnd().split('\r\n').slice(1)
    expect(rows.map((row) => row.split(',')[1]).sort()).toEqual(wanted)

    expect(taken.size).toBe(0)
    await openHook()
    await waitUntil('every key at the webhook', () => taken.size === ALL, 60_000)
    expect([...taken.keys()].sort()).toEqual(wanted)
    expect([...taken.values()].every((isSigned) => isSigned)).toBe(true)
    expect(readdirSync(join(folder, 'spool', 'hook')).filter((name) => /dead/.test(name))).toEqual([])
  })

  it('answer tandem cdr from PostgreSQL', { timeout: 60_000 }, async () => {
    const table = (await tandem('cdr', '--since', '1h', '--account', 'demo', '--failed', '--caller', 'ALICE'))
      .trimEnd()
      .split('\n')
    expect(table).toHaveLength(ALL + 1)
    expect(table[0]).toMatch(/^ENDED +OUTCOME +STATUS/)
    expect((await tandem('cdr', '--account', 'nobody', '-o', 'json')).trim()).toBe('[]')
    expect((await tandem('cdr', '--limit', '7', '-o', 'csv')).trimEnd().split('\n')).toHaveLength(8)
  })
})
