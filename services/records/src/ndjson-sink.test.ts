// SPDX-License-Identifier: MIT
//
// What is acknowledged, when, and how often it stands in the file. The file's own failures: ndjson-file.test.ts.
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { records } from '@tandem/rpc'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createCounts } from './counts.ts'
import { NdjsonFile } from './ndjson-file.ts'
import { NdjsonSink, type SinkOptions } from './ndjson-sink.ts'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-sink-'))
  path = join(folder, 'cdr.ndjson')
})
const sinks: NdjsonSink[] = []

afterEach(async () => {
  for (const sink of sinks.splice(0)) await sink.stop(1_000)
  await rm(folder, { recursive: true })
})

const item = (id: string): records.FeedItem => ({ id, record: records.CallRecord.fromPartial({ cdrId: `c${id}` }) })
const items = (...ids: string[]) => ids.map(item)

function setUp(options: Partial<SinkOptions> = {}) {
  const counts = createCounts()
  const logger = { info: vi.fn(), warn: vi.fn(), error: vi.fn() }
  const sink = new NdjsonSink({
    file: new NdjsonFile(path),
    counts,
    logger,
    capacity: 100,
    recentLines: 1_000,
    maxBatchLines: 10,
    retryMinMs: 1,
    retryMaxMs: 4,
    ...options,
  })
  sinks.push(sink)
  const acknowledged: string[] = []
  const consumer = { acknowledge: (ids: string[]) => void acknowledged.push(...ids) }
  return { counts, logger, sink, acknowledged, consumer }
}

const idsInFile = async (name = path): Promise<string[]> =>
  (await readFile(name, 'utf8'))
    .split('\n')
    .slice(0, -1)
    .map((text) => (JSON.parse(text) as { id: string }).id)

describe('NdjsonSink', () => {
  it('acknowledges what is in the file, in batches with one sync each', async () => {
    const { sink, acknowledged, consumer, counts } = setUp()
    const ids = Array.from({ length: 25 }, (_, index) => `7/${index}-0`)
    sink.offer(items(...ids), consumer)
    expect(acknowledged).toEqual([])
    await sink.work()
    expect(acknowledged).toEqual(ids)
    expect(await idsInFile()).toEqual(ids)
    expect(counts).toMatchObject({ written: 25, batches: 3, duplicates: 0 })
  })

  it('acknowledges but does not repeat what it has written, within a batch, later, and after a restart', async () => {
    const first = setUp()
    first.sink.offer(items('1/1-0', '1/1-0'), first.consumer)
    await first.sink.work()
    first.sink.offer(items('1/1-0'), first.consumer)
    await first.sink.stop(1_000)
    const second = setUp()
    second.sink.offer(items('1/1-0', '1/2-0'), second.consumer)
    await second.sink.work()
    expect(await idsInFile()).toEqual(['1/1-0', '1/2-0'])
    expect(first.acknowledged).toEqual(['1/1-0', '1/1-0', '1/1-0'])
    expect(second.acknowledged).toEqual(['1/1-0', '1/2-0'])
    expect(first.counts.duplicates + second.counts.duplicates).toBe(3)
  })

  it('writes a record that another policy node held back, though later ones of its shard are written', async () => {
    const { sink, consumer } = setUp({ recentLines: 2 })
    sink.offer(items('1/5-0', '1/6-0', '1/7-0', '1/8-0'), consumer)
    await sink.work()
    sink.offer(items('1/4-0', '1/5-0'), consumer)
    await sink.work()
    expect(await idsInFile()).toEqual(['1/5-0', '1/6-0', '1/7-0', '1/8-0', '1/4-0'])
  })

  it('after a restart behind a rotation writes nothing twice', async () => {
    const first = setUp()
    first.sink.offer(items('1/1-0'), first.consumer)
    await first.sink.stop(1_000)
    await rename(path, `${path}.1`)
    const second = setUp()
    second.sink.offer(items('1/1-0', '1/2-0'), second.consumer)
    await second.sink.work()
    expect(await idsInFile()).toEqual(['1/2-0'])
  })

  it('acknowledges to the consumer that delivered', async () => {
    const { sink, acknowledged, consumer } = setUp()
    const other: string[] = []
    sink.offer(items('1/1-0'), consumer)
    sink.offer(items('1/2-0', '1/1-0'), { acknowledge: (ids) => void other.push(...ids) })
    await sink.work()
    expect([acknowledged, other]).toEqual([['1/1-0'], ['1/2-0', '1/1-0']])
  })

  it('while the path can not be opened keeps everything, logs once, and goes on by itself', async () => {
    await writeFile(join(folder, 'occupied'), '')
    const inside = join(folder, 'occupied', 'cdr.ndjson')
    const { sink, acknowledged, consumer, logger, counts } = setUp({ file: new NdjsonFile(inside) })
    sink.offer(items('1/1-0', '1/2-0'), consumer)
    await vi.waitFor(() => expect(counts.writeFailures).toBeGreaterThan(3))
    expect(sink.healthy).toBe(false)
    expect(acknowledged).toEqual([])
    expect(logger.error).toHaveBeenCalledTimes(1)
    await rm(join(folder, 'occupied'))
    await sink.work()
    expect(acknowledged).toEqual(['1/1-0', '1/2-0'])
    expect(await idsInFile(inside)).toEqual(['1/1-0', '1/2-0'])
    expect(sink.healthy).toBe(true)
    expect(logger.info).toHaveBeenCalledTimes(1)
  })

  it('stops within its time though the path can not be opened', async () => {
    await writeFile(join(folder, 'occupied'), '')
    const { sink, acknowledged, consumer } = setUp({ file: new NdjsonFile(join(folder, 'occupied', 'x')) })
    sink.offer(items('1/1-0'), consumer)
    await sink.stop(20)
    expect(acknowledged).toEqual([])
    expect(sink.queuedCount).toBe(1)
  })

  it('leaves what exceeds its bound to be delivered again', async () => {
    const { sink, acknowledged, consumer, counts, logger } = setUp({ capacity: 2 })
    sink.offer(items('1/1-0', '1/2-0', '1/3-0', '1/4-0'), consumer)
    await sink.work()
    expect(acknowledged).toEqual(['1/1-0', '1/2-0'])
    expect(counts.surplus).toBe(2)
    expect(logger.warn).toHaveBeenCalledTimes(1)
    sink.offer(items('1/3-0', '1/4-0'), consumer)
    await sink.work()
    expect(await idsInFile()).toEqual(['1/1-0', '1/2-0', '1/3-0', '1/4-0'])
  })

  it('gets an item without a record out of the way, loudly', async () => {
    const { sink, acknowledged, consumer, counts, logger } = setUp()
    sink.offer([{ id: '1/1-0', record: undefined }, item('1/2-0')], consumer)
    await sink.work()
    expect(acknowledged).toEqual(['1/1-0', '1/2-0'])
    expect(counts).toMatchObject({ empty: 1, written: 1, duplicates: 0 })
    expect(logger.error).toHaveBeenCalledTimes(1)
  })

  it('reopens on request without waiting for a record', async () => {
    const { sink, consumer, counts } = setUp()
    sink.offer(items('1/1-0'), consumer)
    await sink.work()
    await rename(path, `${path}.1`)
    sink.reopen()
    await sink.work()
    expect(await readFile(path, 'utf8')).toBe('')
    expect(counts.reopens).toBe(1)
  })
})
