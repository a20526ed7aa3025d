// SPDX-License-Identifier: MIT
//
// The service as its callers see it: feeds in, lines out, the last lines over HTTP. One sink's way: delivery/sink-runner.test.ts.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FeedStart, type RecordFeed, records } from '@tandem/rpc'
import { Metrics } from '@tandem/service-kit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readTail } from './files/tail.ts'
import { createRecordsService } from './service.ts'
import { settingsIn } from './testing.ts'

let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-records-'))
  file = join(folder, 'cdr.ndjson')
})
afterEach(() => rm(folder, { recursive: true }))

const configOf = () => settingsIn(folder, [{ type: 'ndjson', name: 'ndjson', maxLagRecords: 8 }])

const logger = { info: vi.fn(), warn: vi.fn(), error: vi.fn() }

/** A feed that delivers at once, inside `consume`. */
function feedOf(ids: readonly string[]) {
  const acknowledged: string[] = []
  const starts: FeedStart[] = []
  const close = vi.fn()
  const feed: RecordFeed = {
    consume(start, onItems) {
      starts.push(start)
      onItems(ids.map((id) => ({ id, record: records.CallRecord.fromPartial({ cdrId: `c${id}` }) })))
      return { acknowledge: (done) => void acknowledged.push(...done), close }
    },
  }
  return { feed, acknowledged, starts, close }
}

describe('createRecordsService', () => {
  it('writes what several policy sources deliver, and acknowledges to each its own', async () => {
    const [a, b] = [feedOf(['1/1-0', '2/1-0']), feedOf(['1/2-0', '1/1-0'])]
    const metrics = new Metrics()
    const service = createRecordsService({ feeds: [a.feed, b.feed], config: configOf(), logger, metrics })
    await service.start()
    await vi.waitFor(() => expect(b.acknowledged).toHaveLength(2))
    expect(service.ready()).toBe(true)
    expect(a.acknowledged).toEqual(['1/1-0', '2/1-0'])
    expect(a.starts).toEqual([{ group: 'ndjson', consumer: 'node-1', window: 8 }])
    expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(4)
    const text = await metrics.render()
    expect(text).toMatch(/^tandem_records_written_total\{sink="ndjson"\} 3$/m)
    expect(text).toMatch(/^tandem_records_queued_records\{sink="ndjson"\} 0$/m)
    await service.stop()
    expect(a.close).toHaveBeenCalledTimes(1)
    expect(service.ready()).toBe(false)
  })

  it('stop takes what is still on its way from edges that have just stopped', async () => {
    const acknowledged: string[] = []
    let deliver: (items: records.FeedItem[]) => void = () => undefined
    const feed: RecordFeed = {
      consume(_start, onItems) {
        deliver = onItems
        return { acknowledge: (done) => void acknowledged.push(...done), close: () => undefined }
      },
    }
    const service = createRecordsService({ feeds: [feed], config: configOf(), logger })
    await service.start()
    const stopped = service.stop()
    setTimeout(() => deliver([{ id: '1/1-0', record: records.CallRecord.fromPartial({ cdrId: 'c' }) }]), 50)
    await stopped
    expect(acknowledged).toEqual(['1/1-0'])
    expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(2)
  })

  it('lets go of what the feed holds for a sink that is no more, and of nothing else', async () => {
    const delivered: Record<string, string[]> = {}
    const feed: RecordFeed = {
      consume({ group }, onItems) {
        delivered[group] = []
        queueMicrotask(() => onItems([{ id: '1/1-0', record: records.CallRecord.fromPartial({ cdrId: 'c' }) }]))
        return { acknowledge: (ids) => void delivered[group]?.push(...ids), close: vi.fn() }
      },
    }
    const config = { ...configOf(), retiredSinks: ['old', 'ndjson'] }
    const service = createRecordsService({ feeds: [feed], config, logger })
    await service.start()
    await vi.waitFor(() => expect(delivered).toEqual({ old: ['1/1-0'], ndjson: ['1/1-0'] }), 10_000)
    expect(service.counts.ndjson?.written).toBe(1)
    await service.stop()
  })

  it('gives the last lines over HTTP', async () => {
    const { feed, acknowledged } = feedOf(['1/1-0', '1/2-0', '1/3-0'])
    const service = createRecordsService({ feeds: [feed], config: configOf(), logger })
    await service.start()
    await vi.waitFor(() => expect(acknowledged).toHaveLength(3))
    const reply = await service.routes['/records']?.(new URL('http://h/records?limit=2'), 'GET')
    expect(reply).toMatchObject({ status: 200, contentType: 'application/x-ndjson' })
    const lines: string[] = []
    for await (const line of reply?.stream ?? []) lines.push(line)
    const ids = lines.map((line) => (JSON.parse(line) as { id: string }).id)
    expect(ids).toEqual(['1/2-0', '1/3-0'])
    await service.stop()
  })

  it.each(['0', '-1', '1.5', 'x', '10001'])('refuses limit=%s', async (limit) => {
    const service = createRecordsService({ feeds: [], config: configOf(), logger })
    const reply = await service.routes['/records']?.(new URL(`http://h/records?limit=${limit}`), 'GET')
    expect(reply?.status).toBe(400)
  })
})

describe('readTail', () => {
  const lines = Array.from({ length: 500 }, (_, index) => `${index} ${'é'.repeat(index)}\n`)

  it.each([
    { name: 'no file', text: undefined, limit: 5, expected: '' },
    { name: 'an empty file', text: '', limit: 5, expected: '' },
    { name: 'fewer lines than asked for', text: 'a\nb\n', limit: 5, expected: 'a\nb\n' },
    { name: 'as many as asked for', text: 'a\nb\n', limit: 2, expected: 'a\nb\n' },
    { name: 'an unfinished line is left out', text: 'a\nb\nc', limit: 1, expected: 'b\n' },
    { name: 'nothing but an unfinished line', text: 'a', limit: 1, expected: '' },
    { name: 'empty lines', text: 'a\n\n\n', limit: 2, expected: '\n\n' },
    { name: 'more than a block', text: lines.join(''), limit: 400, expected: lines.slice(-400).join('') },
    { name: 'the whole of several blocks', text: lines.join(''), limit: 1_000, expected: lines.join('') },
  ])('$name', async ({ text, limit, expected }) => {
    if (text !== undefined) await writeFile(file, text)
    expect(await readTail(file, limit)).toBe(expected)
  })
})
