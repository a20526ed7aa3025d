// SPDX-License-Identifier: MIT
//
// Each record once in each sink, though the process is killed outright at any point: a real child, a feed that delivers
// again whatever was not acknowledged, files that are rotated by size and by others, torn lines, a webhook that is down
// most of the time so that its records are being spooled or drained, a PostgreSQL that crashes. The moments of the kills are
// spread by a seeded generator; whatever they hit, the outcome must be the same.
// Not tested here: a machine that loses power.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { createRandom, postgresAvailable, type RunningPostgres, startPostgres, waitUntil } from '@tandem/test-kit'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { settingsIn } from './testing.ts'

const KILLS = 6
const RECORDS_PER_LIFE = 150
const WINDOW = 256

let folder: string
let child: ChildProcess | undefined
let hook: Receiver | undefined
let postgres: RunningPostgres | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-kill-'))
})
afterEach(async () => {
  child?.kill('SIGKILL')
  hook?.close()
  await postgres?.stop()
  postgres = undefined
  await rm(folder, { recursive: true, force: true })
})

const random = createRandom(20_261_122)

/** The feed of one group: what was not acknowledged, in order, is delivered again to each new life. */
class Feed {
  readonly unacknowledged = new Set<string>()
  #next = 0

  make(count: number): void {
    for (let made = 0; made < count; made++) {
      this.#next++
      this.unacknowledged.add(`${this.#next % 7}/${this.#next}-0`)
    }
  }
}

type Feeds = ReadonlyMap<string, Feed>

/** An endpoint that remembers how often it took each key; while it is down it hangs up. */
class Receiver {
  readonly taken = new Map<string, number>()
  isDown = false
  readonly #server: Server

  constructor() {
    this.#server = createServer((request, response) => {
      if (this.isDown) return void request.socket.destroy()
      request.resume().on('end', () => {
        const key = String(request.headers['idempotency-key'])
        this.taken.set(key, (this.taken.get(key) ?? 0) + 1)
        response.end()
      })
    })
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

async function startLife(settings: object, feeds: Feeds): Promise<ChildProcess> {
  const life = fork(new URL('./kill-child.ts', import.meta.url), [JSON.stringify(settings)], {
    execArgv: ['--conditions=@tandem/source'],
    env: { ...process.env, PGPASSWORD: postgres?.password ?? '' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const begun = new Set<string>()
  life.on('message', ({ group, ids }: { group: string; ids?: string[] }) => {
    if (ids === undefined) begun.add(group)
    for (const id of ids ?? []) feeds.get(group)?.unacknowledged.delete(id)
  })
  await waitUntil('every sink to consume', () => begun.size === feeds.size || life.exitCode !== null, 20_000)
  expect(life.exitCode).toBeNull()
  return life
}

/** Sends in small portions, so that a kill falls between and into batches. */
async function deliver(life: ChildProcess, feeds: Feeds): Promise<void> {
  const portions: { group: string; ids: string[] }[] = []
  for (const [group, { unacknowledged }] of feeds) {
    const ids = [...unacknowledged].slice(0, WINDOW)
    for (let at = 0; at < ids.length; at += 10) portions.push({ group, ids: ids.slice(at, at + 10) })
  }
  portions.sort((a, b) => Number(a.ids[0]?.split(/[/-]/)[1]) - Number(b.ids[0]?.split(/[/-]/)[1]))
  for (const portion of portions) {
    if (!life.connected) return
    life.send(portion)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function kill(life: ChildProcess): Promise<void> {
  const gone = once(life, 'exit')
  life.kill('SIGKILL')
  await gone
}

/** Lives that are killed, then one that may finish. `between` happens while nobody lives. */
async function liveAndDie(settings: object, feeds: Feeds, between: (life: number) => Promise<void>): Promise<void> {
  for (let life = 0; life < KILLS; life++) {
    for (const feed of feeds.values()) feed.make(RECORDS_PER_LIFE)
    child = await startLife(settings, feeds)
    const delivering = deliver(child, feeds)
    await new Promise((resolve) => setTimeout(resolve, 1 + random() * 60))
    await kill(child)
    await delivering
    await between(life)
  }
  const last = await startLife(settings, feeds)
  child = last
  const left = () => [...feeds.values()].some(({ unacknowledged }) => unacknowledged.size > 0)
  for (let turn = 0; left() && turn < 300; turn++) {
    await deliver(last, feeds)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  expect(left()).toBe(false)
  const isSpoolEmpty = async () =>
    (await readdir(join(folder, 'spool'), { recursive: true })).every((name) => !name.endsWith('.spool'))
  await waitUntil('the spool to be drained', isSpoolEmpty, 30_000)
}

async function linesOf(prefix: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(prefix) && !name.endsWith('.lock')).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name))))
  return texts.flatMap((bytes, index) =>
    (names[index]?.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n').slice(0, -1),
  )
}

function expectEachOnce(ids: readonly string[]): void {
  expect(new Set(ids).size).toBe(KILLS * RECORDS_PER_LIFE)
  expect(ids.length).toBe(KILLS * RECORDS_PER_LIFE)
}

it('writes each record once to rotated files across kills', { timeout: 90_000 }, async () => {
  const rotate = { maxBytes: 200_000, gzip: true }
  const settings = settingsIn(folder, [
    { type: 'ndjson', name: 'json', rotate },
    { type: 'csv', name: 'csv', file: join(folder, 'cdr.csv'), rotate },
  ])
  const feeds = new Map(['json', 'csv'].map((name) => [name, new Feed()]))
  await liveAndDie(settings, feeds, async (life) => {
    // It is not there where the kill fell into a rotation.
    if (life === 3) await rename(join(folder, 'cdr.ndjson'), join(folder, 'cdr.ndjson.1')).catch(() => undefined)
    else if (random() < 0.5) {
      await appendFile(join(folder, 'cdr.ndjson'), '{"id":"1/1-0","cdr_id":"c1/1-0","torn')
      await appendFile(join(folder, 'cdr.csv'), '1/1-0,c1/1-0,"torn')
    }
  })
  await kill(child as ChildProcess)
  expectEachOnce((await linesOf('cdr.ndjson')).map((line) => (JSON.parse(line) as { id: string }).id))
  const csv = await linesOf('cdr.csv')
  const rows = csv.filter((line) => !line.startsWith('id,cdr_id,'))
  expect(csv.length - rows.length).toBe(
    (await readdir(folder)).filter((name) => /^cdr\.csv(?!.*lock)/.test(name)).length,
  )
  expectEachOnce(rows.map((row) => row.split(',')[0] as string))
  expect((await readdir(folder)).filter((name) => name.endsWith('.gz')).length).toBeGreaterThan(2)
})

it('delivers every record to a webhook that is mostly down, by its key, across kills', {
  timeout: 90_000,
}, async () => {
  hook = new Receiver()
  const { taken } = hook
  const settings = settingsIn(folder, [
    { type: 'webhook', name: 'hook', url: await hook.listen(), maxLagRecords: 30, maxLagMs: 100, retryMaxMs: 20 },
  ])
  const feeds = new Map([['hook', new Feed()]])
  const receiver = hook
  await liveAndDie(settings, feeds, async (life) => {
    receiver.isDown = life < KILLS - 1 && life % 3 !== 2
  })
  expect(taken.size).toBe(KILLS * RECORDS_PER_LIFE)
  const repeated = [...taken.values()].reduce((sum, times) => sum + times - 1, 0)
  // Beyond once only what a kill caught between the answer and the note of it.
  expect(repeated).toBeLessThan(taken.size / 2)
})

const server = postgresAvailable()

it.skipIf(!server.available)(
  `inserts each record once into PostgreSQL, whichever of the two is killed${server.available ? '' : ` (skipped: ${server.reason})`}`,
  { timeout: 120_000 },
  async () => {
    const database = await startPostgres()
    postgres = database
    const settings = settingsIn(folder, [
      { type: 'postgres', name: 'sql', url: database.url, maxLagRecords: 60, maxLagMs: 200, retryMaxMs: 50 },
    ])
    const feeds = new Map([['sql', new Feed()]])
    await liveAndDie(settings, feeds, async (life) => {
      if (life % 3 === 1) await database.kill()
      if (life % 3 === 2 || life === KILLS - 1) await database.start()
    })
    expectEachOnce((await database.ask('SELECT id FROM cdr')).split('\n'))
  },
)
