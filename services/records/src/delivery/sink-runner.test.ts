// SPDX-License-Identifier: MIT
//
// What is acknowledged, when, and where it is then: in the sink, in the spool, in the dead letters. A file's own failures:
// files/line-file.test.ts. Kills: kill.test.ts.
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { encodeLine, parseLineKey } from '../encode-line.ts'
import { LineFile } from '../files/line-file.ts'
import { FileSink } from '../sinks/file-sink.ts'
import type { Sink, SinkRecord, WriteResult } from '../sinks/sink.ts'
import { itemOf } from '../testing.ts'
import { DeadLetters } from './dead-letters.ts'
import { createSinkCounts } from './sink-counts.ts'
import { type RunnerOptions, SinkRunner } from './sink-runner.ts'
import { Spool } from './spool.ts'

let folder: string
let path: string
const runners: SinkRunner[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-runner-'))
  path = join(folder, 'cdr.ndjson')
})
afterEach(async () => {
  for (const runner of runners.splice(0)) await runner.stop(1_000)
  await rm(folder, { recursive: true })
})

const items = (...ids: string[]) => ids.map((id) => itemOf(id))
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `7/${from + index}-0`)

interface SetUp extends Partial<RunnerOptions> {
  readonly spoolMaxBytes?: number
  readonly spoolFolder?: string
}

async function setUp(makeSink: (counts: RunnerOptions['counts']) => Sink, options: SetUp = {}) {
  const { spoolMaxBytes = 1e9, spoolFolder = join(folder, 'spool'), ...more } = options
  const counts = createSinkCounts()
  const logger = { info: vi.fn(), warn: vi.fn(), error: vi.fn() }
  const deadFile = join(folder, 'dead.ndjson')
  const runner = new SinkRunner({
    name: 'test',
    sink: makeSink(counts),
    spool: new Spool({ folder: spoolFolder, maxBytes: spoolMaxBytes, segmentBytes: 2_000, recentKeys: 1_000 }),
    deadLetters: new DeadLetters({ file: deadFile, maxBytes: 1e9, keepFiles: 1, recentKeys: 1_000 }),
    counts,
    logger,
    capacity: 100,
    maxLagMs: 60_000,
    maxLagRecords: 1_000,
    retryMinMs: 1,
    retryMaxMs: 4,
    ...more,
  })
  runners.push(runner)
  await runner.start()
  const acknowledged: string[] = []
  const consumer = { acknowledge: (ids: string[]) => void acknowledged.push(...ids) }
  return { counts, logger, runner, acknowledged, consumer, deadFile }
}

function fileSink(file = path, more: { recentLines?: number } = {}) {
  return (counts: RunnerOptions['counts']) =>
    new FileSink({
      file: new LineFile(file, { header: '', keyOf: parseLineKey }),
      encode: encodeLine,
      counts,
      maxBatchRecords: 10,
      recentLines: 1_000,
      onTornLine: () => undefined,
      ...more,
    })
}

const idsInFile = async (name = path): Promise<string[]> =>
  (await readFile(name, 'utf8'))
    .split('\n')
    .slice(0, -1)
    .map((text) => (JSON.parse(text) as { id: string }).id)

describe('a file', () => {
  it('acknowledges what is in the file, in batches with one sync each', async () => {
    const { runner, acknowledged, consumer, counts } = await setUp(fileSink())
    await runner.idle()
    const ids = range(0, 25)
    runner.offer(items(...ids), consumer)
    expect(acknowledged).toEqual([])
    await runner.idle()
    expect(acknowledged).toEqual(ids)
    expect(await idsInFile()).toEqual(ids)
    expect(counts).toMatchObject({ written: 25, batches: 3, duplicates: 0 })
  })

  it('acknowledges but does not repeat what it has written, within a batch, later, and after a restart', async () => {
    const first = await setUp(fileSink())
    first.runner.offer(items('1/1-0', '1/1-0'), first.consumer)
    await first.runner.idle()
    first.runner.offer(items('1/1-0'), first.consumer)
    await first.runner.stop(1_000)
    const second = await setUp(fileSink())
    second.runner.offer(items('1/1-0', '1/2-0'), second.consumer)
    await second.runner.idle()
    expect(await idsInFile()).toEqual(['1/1-0', '1/2-0'])
    expect(first.acknowledged).toEqual(['1/1-0', '1/1-0', '1/1-0'])
    expect(second.acknowledged).toEqual(['1/1-0', '1/2-0'])
    expect(first.counts.duplicates + second.counts.duplicates).toBe(3)
  })

  it('writes a record that another policy node held back, though later ones of its shard are written', async () => {
    const { runner, consumer } = await setUp(fileSink(path, { recentLines: 2 }))
    runner.offer(items('1/5-0', '1/6-0', '1/7-0', '1/8-0'), consumer)
    await runner.idle()
    runner.offer(items('1/4-0', '1/5-0'), consumer)
    await runner.idle()
    expect(await idsInFile()).toEqual(['1/5-0', '1/6-0', '1/7-0', '1/8-0', '1/4-0'])
  })

  it('acknowledges to the consumer that delivered', async () => {
    const { runner, acknowledged, consumer } = await setUp(fileSink())
    const other: string[] = []
    runner.offer(items('1/1-0'), consumer)
    runner.offer(items('1/2-0', '1/1-0'), { acknowledge: (ids) => void other.push(...ids) })
    await runner.idle()
    expect([acknowledged, other]).toEqual([['1/1-0'], ['1/2-0', '1/1-0']])
  })

  it('that can not be opened keeps everything, logs once, and goes on by itself', async () => {
    const inside = join(folder, 'later', 'cdr.ndjson')
    const { runner, acknowledged, consumer, logger, counts } = await setUp(fileSink(inside))
    await runner.idle()
    await rm(join(folder, 'later'), { recursive: true })
    await writeFile(join(folder, 'later'), '')
    runner.offer(items('1/1-0', '1/2-0'), consumer)
    await vi.waitFor(() => expect(counts.writeFailures).toBeGreaterThan(3), 10_000)
    expect(runner.healthy).toBe(false)
    expect(acknowledged).toEqual([])
    expect(logger.error).toHaveBeenCalledTimes(1)
    await rm(join(folder, 'later'))
    await runner.idle()
    expect(acknowledged).toEqual(['1/1-0', '1/2-0'])
    expect(await idsInFile(inside)).toEqual(['1/1-0', '1/2-0'])
    expect(runner.healthy).toBe(true)
    expect(logger.info).toHaveBeenCalledTimes(1)
  })

  it('leaves what exceeds its bound to be delivered again', async () => {
    const { runner, acknowledged, consumer, counts, logger } = await setUp(fileSink(), { capacity: 2 })
    await runner.idle()
    runner.offer(items('1/1-0', '1/2-0', '1/3-0', '1/4-0'), consumer)
    await runner.idle()
    expect(acknowledged).toEqual(['1/1-0', '1/2-0'])
    expect(counts.surplus).toBe(2)
    expect(logger.warn).toHaveBeenCalledTimes(1)
    runner.offer(items('1/3-0', '1/4-0'), consumer)
    await runner.idle()
    expect(await idsInFile()).toEqual(['1/1-0', '1/2-0', '1/3-0', '1/4-0'])
  })

  it('gets an item without a record out of the way, loudly', async () => {
    const { runner, acknowledged, consumer, counts, logger } = await setUp(fileSink())
    runner.offer([{ id: '1/1-0', record: undefined }, itemOf('1/2-0')], consumer)
    await runner.idle()
    expect(acknowledged).toEqual(['1/1-0', '1/2-0'])
    expect(counts).toMatchObject({ empty: 1, written: 1, duplicates: 0 })
    expect(logger.error).toHaveBeenCalledTimes(1)
  })

  it('reopens on request without waiting for a record', async () => {
    const { runner, consumer, counts } = await setUp(fileSink())
    runner.offer(items('1/1-0'), consumer)
    await runner.idle()
    await rename(path, `${path}.1`)
    runner.reopen()
    await runner.idle()
    expect(await readFile(path, 'utf8')).toBe('')
    expect(counts.reopens).toBe(1)
  })

  it('has one writer: a second runner waits', async () => {
    const first = await setUp(fileSink())
    await first.runner.idle()
    const second = fileSink()(createSinkCounts())
    expect(await second.acquire()).toBe(false)
    await first.runner.stop(1_000)
    expect(await second.acquire()).toBe(true)
    await second.close()
  })
})

/** A sink of somebody else's: does what it is told, and remembers what it has, each once, in order. */
class FakeSink implements Sink {
  readonly isLocal = false
  readonly maxBatchRecords = 10
  readonly has: string[] = []
  mode: 'up' | 'down' | 'silent' = 'up'
  /** Ids that it refuses. */
  readonly poison = new Set<string>()
  writes = 0

  async acquire() {
    return true
  }
  async write(batch: readonly SinkRecord[], signal: AbortSignal): Promise<WriteResult> {
    this.writes++
    if (this.mode === 'silent') await new Promise((resolve) => signal.addEventListener('abort', resolve))
    if (this.mode !== 'up') return { written: [], refused: [], failure: { reason: 'down', retryAfterMs: 0 } }
    const refused = batch.filter(({ id }) => this.poison.has(id)).map((item) => ({ item, reason: 'poison' }))
    const written = batch.filter(({ id }) => !this.poison.has(id))
    for (const { id } of written) if (!this.has.includes(id)) this.has.push(id)
    return { written, refused }
  }
  reopen() {}
  async tick() {}
  async close() {}
}

describe('a sink that is down', () => {
  it.each(['down', 'silent'] as const)(
    '(%s) spools beyond its lag, acknowledges, and gets all of it in order later',
    async (mode) => {
      const sink = new FakeSink()
      const { runner, acknowledged, consumer, counts, logger } = await setUp(() => sink, { maxLagMs: 300 })
      runner.offer(items(...range(0, 5)), consumer)
      await vi.waitFor(() => expect(acknowledged).toHaveLength(5), 10_000)
      sink.mode = mode
      runner.offer(items(...range(5, 50)), consumer)
      expect(acknowledged).toHaveLength(5)
      await vi.waitFor(() => expect(acknowledged).toHaveLength(50), 10_000)
      expect(sink.has).toHaveLength(5)
      expect(runner.spooledBytes).toBeGreaterThan(0)
      expect(runner.healthy).toBe(true)
      runner.offer(items(...range(50, 60)), consumer)
      await vi.waitFor(() => expect(acknowledged).toHaveLength(60), 10_000)
      expect(counts).toMatchObject({ spooled: 55, deadLetters: 0 })
      expect(logger.warn).toHaveBeenCalledTimes(1)
      sink.mode = 'up'
      if (mode === 'silent') await runner.stop(10)
      if (mode === 'silent') await (await setUp(() => sink)).runner.idle()
      await runner.idle()
      expect(sink.has).toEqual(range(0, 60))
      expect(await readdir(join(folder, 'spool'))).toEqual(['cursor.json'])
    },
  )

  it('spools at once where as many wait as may', async () => {
    const sink = new FakeSink()
    sink.mode = 'down'
    const { runner, acknowledged, consumer } = await setUp(() => sink, { maxLagRecords: 20 })
    runner.offer(items(...range(0, 19)), consumer)
    await vi.waitFor(() => expect(sink.writes).toBeGreaterThan(3), 10_000)
    expect(acknowledged).toEqual([])
    runner.offer(items(...range(19, 20)), consumer)
    await vi.waitFor(() => expect(acknowledged).toHaveLength(20), 10_000)
  })

  it('beyond the bound of the spool the newest go to the dead letters, loudly', async () => {
    const sink = new FakeSink()
    sink.mode = 'down'
    const bound = { spoolMaxBytes: 5_000, maxLagRecords: 10 }
    const { runner, acknowledged, consumer, counts, logger, deadFile } = await setUp(() => sink, bound)
    runner.offer(items(...range(0, 100)), consumer)
    await vi.waitFor(() => expect(acknowledged).toHaveLength(100), 10_000)
    expect(counts.deadLetters).toBe(100 - counts.spooled)
    expect(counts.deadLetters).toBeGreaterThan(10)
    expect(await idsInFile(deadFile)).toEqual(range(counts.spooled, 100))
    expect(logger.error).toHaveBeenCalledWith(
      expect.objectContaining({ code: 'dead_letter', reason: 'the spool is full' }),
      expect.any(String),
    )
    sink.mode = 'up'
    await runner.idle()
    expect(sink.has).toEqual(range(0, counts.spooled))
  })

  it('what is spooled outlives the process, once, a torn line and an item that comes again included', async () => {
    const sink = new FakeSink()
    sink.mode = 'down'
    const first = await setUp(() => sink, { maxLagRecords: 10 })
    first.runner.offer(items(...range(0, 30)), first.consumer)
    await vi.waitFor(() => expect(first.acknowledged).toHaveLength(30), 10_000)
    await first.runner.stop(10)
    const [last] = (await readdir(join(folder, 'spool')))
      .filter((name) => name.endsWith('.spool'))
      .sort()
      .slice(-1)
    await writeFile(join(folder, 'spool', last as string), '{"id":"7/30-0","cdr', { flag: 'a' })
    const second = await setUp(() => sink, { maxLagRecords: 10 })
    second.runner.offer(items(...range(25, 35)), second.consumer)
    await vi.waitFor(() => expect(second.acknowledged).toHaveLength(10), 10_000)
    const lines = await Promise.all(
      (await readdir(join(folder, 'spool')))
        .filter((name) => name.endsWith('.spool'))
        .sort()
        .map((name) => idsInFile(join(folder, 'spool', name))),
    )
    expect(lines.flat()).toEqual(range(0, 35))
    sink.mode = 'up'
    await second.runner.idle()
    expect(sink.has).toEqual(range(0, 35))
  })

  it('keeps records unacknowledged where there is no room for a spool', async () => {
    const sink = new FakeSink()
    const spoolFolder = join(folder, 'gone')
    const { runner, acknowledged, consumer, counts } = await setUp(() => sink, { maxLagRecords: 5, spoolFolder })
    await rm(spoolFolder, { recursive: true })
    await writeFile(spoolFolder, '')
    sink.mode = 'down'
    runner.offer(items(...range(0, 10)), consumer)
    await vi.waitFor(() => expect(counts.spoolFailures).toBeGreaterThan(2), 10_000)
    expect(acknowledged).toEqual([])
    expect(runner.healthy).toBe(false)
    await rm(spoolFolder)
    await vi.waitFor(() => expect(acknowledged).toHaveLength(10), 10_000)
    expect(runner.healthy).toBe(true)
  })
})

describe('a record that is refused', () => {
  it('goes to the dead letters with its reason, once, and is in nobody’s way', async () => {
    const sink = new FakeSink()
    sink.poison.add('7/3-0')
    const first = await setUp(() => sink)
    first.runner.offer(items(...range(0, 6)), first.consumer)
    await first.runner.idle()
    expect(first.acknowledged).toHaveLength(6)
    expect(sink.has).toEqual(['7/0-0', '7/1-0', '7/2-0', '7/4-0', '7/5-0'])
    await first.runner.stop(1_000)
    const second = await setUp(() => sink)
    second.runner.offer(items('7/3-0'), second.consumer)
    await second.runner.idle()
    expect(second.acknowledged).toEqual(['7/3-0'])
    const lines = (await readFile(first.deadFile, 'utf8')).trim().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ id: '7/3-0', cdr_id: 'c7/3-0', reason: 'poison' }),
    ])
  })
})
