// SPDX-License-Identifier: MIT
//
// Files that are begun anew by size and by time: what they are called, which stay, what is compressed, and that a key is
// written once across all of them. Kills in between: kill.test.ts.
import { copyFile, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { csvFormat, parseCsvKey } from '../encode-csv.ts'
import { parseLineKey } from '../encode-line.ts'
import { LineFile, type LineFileOptions, type LineFormat } from './line-file.ts'
import { OnceWriter } from './once-writer.ts'
import { listRotated } from './rotated.ts'
import { isRotationDue } from './rotation.ts'

let folder: string
let path: string
const opened: LineFile[] = []
const START_MS = Date.UTC(2026, 10, 22, 23, 0, 0)
let nowMs = START_MS

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-rotated-'))
  path = join(folder, 'cdr.ndjson')
  nowMs = START_MS
})
afterEach(async () => {
  for (const file of opened.splice(0)) await file.close()
  await rm(folder, { recursive: true })
})

const JSON_LINES: LineFormat = { header: '', keyOf: parseLineKey }
const ALL = { maxBytes: 0, every: 'never', keepFiles: 0, keepMs: 0, gzip: false } as const
const keyed = (id: string) => ({ id, cdrId: `c${id}`, line: () => `{"id":"${id}","cdr_id":"c${id}"}\n` })
const LINE_BYTES = keyed('1/1-0').line().length

async function writerOf(rotation: LineFileOptions['rotation'] & object, format = JSON_LINES) {
  const file = new LineFile(path, format, { rotation, nowMs: () => nowMs })
  opened.push(file)
  const writer = new OnceWriter(file, 2)
  await writer.open()
  return { file, writer }
}

const names = async () => (await readdir(folder)).sort()

describe('isRotationDue', () => {
  it.each([
    { name: 'room', rule: { maxBytes: 100 }, bytes: 90, added: 10, due: false },
    { name: 'no room', rule: { maxBytes: 100 }, bytes: 90, added: 11, due: true },
    { name: 'an empty file, whatever comes', rule: { maxBytes: 100 }, bytes: 0, added: 1_000, due: false },
    { name: 'no bound', rule: {}, bytes: 1e9, added: 1e9, due: false },
    { name: 'the same hour', rule: { every: 'hour' }, bytes: 1, laterMs: 3_599_999, due: false },
    { name: 'the next hour', rule: { every: 'hour' }, bytes: 1, laterMs: 3_600_000, due: true },
    { name: 'the same day', rule: { every: 'day' }, bytes: 1, laterMs: 3_599_999, due: false },
    { name: 'the next day', rule: { every: 'day' }, bytes: 1, laterMs: 3_600_000, due: true },
  ] as const)('$name: $due', ({ rule, bytes, due, ...more }) => {
    const { added = 0, laterMs = 0 } = more as { added?: number; laterMs?: number }
    expect(isRotationDue({ ...ALL, ...rule }, { bytes, sinceMs: START_MS }, added, START_MS + laterMs)).toBe(due)
  })
})

describe('a file that is full', () => {
  it('makes way for a new one, named by the time', async () => {
    const { file, writer } = await writerOf({ ...ALL, maxBytes: 2 * LINE_BYTES })
    for (const id of ['1/1-0', '1/2-0', '1/3-0']) await writer.write([keyed(id)])
    expect(await names()).toEqual(['cdr.ndjson', 'cdr.ndjson.20261122T230000Z'])
    expect(await readFile(path, 'utf8')).toBe(keyed('1/3-0').line())
    expect(file.rotations).toBe(1)
  })

  it('takes another name where there is one of that second', async () => {
    const { writer } = await writerOf({ ...ALL, maxBytes: 1 })
    for (const id of ['1/1-0', '1/2-0', '1/3-0']) await writer.write([keyed(id)])
    expect(await names()).toEqual(['cdr.ndjson', 'cdr.ndjson.20261122T230000Z', 'cdr.ndjson.20261122T230000Z-1'])
  })

  it('has each key once, however far back it was written', async () => {
    const rotation = { ...ALL, maxBytes: 1, gzip: true }
    const { file, writer } = await writerOf(rotation)
    const ids = Array.from({ length: 6 }, (_, index) => `1/${index}-0`)
    for (const id of ids) await writer.write([keyed(id)])
    expect(await writer.write(ids.map(keyed))).toBe(0)
    await file.close()
    const again = await writerOf(rotation)
    expect(await again.writer.write([...ids, '1/6-0'].map(keyed))).toBe(1)
  })
})

describe('a new day', () => {
  it('begins a new file without a record, and leaves an empty one alone', async () => {
    const { file, writer } = await writerOf({ ...ALL, every: 'day' })
    await writer.write([keyed('1/1-0')])
    nowMs += 3_600_000
    await file.followRotation()
    nowMs += 86_400_000
    await file.followRotation()
    expect(await names()).toEqual(['cdr.ndjson', 'cdr.ndjson.20261123T000000Z'])
  })
})

describe('retention', () => {
  async function rotateFive(rotation: LineFileOptions['rotation'] & object): Promise<void> {
    for (let day = 0; day < 5; day++) {
      const { file, writer } = await writerOf(rotation)
      await writer.write([keyed(`1/${day}-0`)])
      await utimes(path, nowMs / 1_000, nowMs / 1_000)
      await file.close()
      nowMs += 86_400_000
    }
    const { file } = await writerOf(rotation)
    await file.followRotation()
    await file.close()
  }

  it('keeps so many, and never what others named', async () => {
    await writeFile(`${path}.1`, 'of logrotate')
    await writeFile(`${path}.bak.txt`, 'of a person')
    await rotateFive({ ...ALL, every: 'day', keepFiles: 2 })
    expect((await names()).slice(1)).toEqual([
      'cdr.ndjson.1',
      'cdr.ndjson.20261126T230000Z',
      'cdr.ndjson.20261127T230000Z',
      'cdr.ndjson.bak.txt',
    ])
  })

  it('keeps them for so long', async () => {
    await rotateFive({ ...ALL, every: 'day', keepMs: 3 * 86_400_000 })
    expect(await names()).toHaveLength(4)
  })

  it('compresses all but the newest, which keeps its time', async () => {
    await rotateFive({ ...ALL, every: 'day', gzip: true })
    const all = await listRotated(path)
    expect(all.map(({ isCompressed }) => isCompressed)).toEqual([true, true, true, true, false])
    expect(all[0]?.mtimeMs).toBe(START_MS)
    expect(gunzipSync(await readFile(all[0]?.path as string)).toString()).toBe(keyed('1/0-0').line())
  })

  it('goes on where a compression was cut short', async () => {
    await rotateFive({ ...ALL, every: 'day' })
    const [first, second] = await listRotated(path)
    await writeFile(`${first?.path}.gz.part`, 'torn')
    await copyFile(second?.path as string, `${second?.path}.gz`)
    const { file } = await writerOf({ ...ALL, gzip: true })
    await file.close()
    const all = await listRotated(path)
    expect(all.map(({ isCompressed }) => isCompressed)).toEqual([true, true, true, true, false])
    expect(await names()).not.toContain(expect.stringContaining('part'))
  })
})

describe('CSV', () => {
  const csvOf = (...columns: string[]): LineFormat => ({ header: csvFormat(columns, true).header, keyOf: parseCsvKey })
  const row = (id: string) => ({ id, cdrId: `c${id}`, line: () => `${id},c${id}\r\n` })

  it('has a header in every file, once', async () => {
    const { file, writer } = await writerOf({ ...ALL, maxBytes: 40 }, csvOf('id', 'cdr_id'))
    for (const id of ['1/1-0', '1/2-0', '1/3-0']) await writer.write([row(id)])
    await file.close()
    for (const name of await names()) {
      const text = await readFile(join(folder, name), 'utf8')
      expect(text.startsWith('id,cdr_id\r\n')).toBe(true)
      expect(text.split('id,cdr_id')).toHaveLength(2)
    }
    const again = await writerOf(ALL, csvOf('id', 'cdr_id'))
    expect(await again.writer.write([row('1/1-0'), row('1/2-0'), row('1/3-0')])).toBe(0)
  })

  it('begins a new file where the columns are others', async () => {
    const first = await writerOf(ALL, csvOf('id', 'cdr_id'))
    await first.writer.write([row('1/1-0')])
    await first.file.close()
    const second = await writerOf(ALL, csvOf('id', 'cdr_id', 'price'))
    await second.writer.write([row('1/1-0'), row('1/2-0')])
    expect(await readFile(path, 'utf8')).toBe('id,cdr_id,price\r\n1/2-0,c1/2-0\r\n')
    expect(await listRotated(path)).toHaveLength(1)
  })
})
