// SPDX-License-Identifier: MIT
//
// Records from an NDJSON file and its rotated ones, oldest first, line by line: memory is bounded by the limit, not by the
// files. Files that were last written before the time asked for are passed over.
// Race: a rotation while it reads. The growing file is opened before the others are listed, so none is missed or read twice.
import { createReadStream } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { listRotated, type RotatedFile } from '../files/rotated.ts'
import { readTail } from '../files/tail.ts'
import { isUnfiltered, matches, type RecordQuery } from './record-query.ts'

/** A record is written some time after its end; clocks differ a little. */
const SLACK_MS = 60_000
/** Longer lines are not ours. */
const MAX_LINE_CHARS = 1_048_576
/** What `readTail` gives at once. */
const MAX_TAIL = 1_000

/** Lines with their line feeds. */
export async function* recordsFromFiles(path: string, query: RecordQuery): AsyncGenerator<string> {
  if (query.limit === Number.POSITIVE_INFINITY) yield* allLines(path, query)
  else if (isUnfiltered(query) && query.limit <= MAX_TAIL) yield* await lastLines(path, query.limit)
  else yield* await newestMatches(path, query)
}

async function* allLines(path: string, query: RecordQuery): AsyncGenerator<string> {
  const { current, rotated } = await openAll(path)
  try {
    const since = (query.sinceMs ?? 0) - SLACK_MS
    for (const file of rotated) if (file.mtimeMs >= since) yield* matching(streamOf(file), query)
    if (current !== undefined) yield* matching(current.createReadStream({ autoClose: false, start: 0 }), query)
  } finally {
    await current?.close().catch(() => undefined)
  }
}

async function openAll(path: string): Promise<{ current: FileHandle | undefined; rotated: RotatedFile[] }> {
  const current = await open(path, 'r').catch(() => undefined)
  const held = await current?.stat()
  const rotated: RotatedFile[] = []
  for (const file of await listRotated(path)) {
    const { ino } = await stat(file.path).catch(() => ({ ino: undefined }))
    if (ino !== undefined && ino !== held?.ino) rotated.push(file)
  }
  return { current, rotated }
}

function streamOf({ path, isCompressed }: RotatedFile): Readable {
  const source = createReadStream(path)
  if (!isCompressed) return source
  const plain = createGunzip()
  source.on('error', (error) => plain.destroy(error))
  return source.pipe(plain)
}

/** Without filters nothing needs to be parsed. */
async function lastLines(path: string, limit: number): Promise<string[]> {
  let lines: string[] = []
  const plain = (await listRotated(path)).filter(({ isCompressed }) => !isCompressed).map((file) => file.path)
  for (const file of [path, ...plain.reverse()]) {
    if (lines.length >= limit) break
    const tail = await readTail(file, limit - lines.length)
    lines = [
      ...tail
        .split('\n')
        .slice(0, -1)
        .map((line) => `${line}\n`),
      ...lines,
    ]
  }
  return lines
}

/** From the newest file back, until there are enough. */
async function newestMatches(path: string, query: RecordQuery): Promise<string[]> {
  const { current, rotated } = await openAll(path)
  const since = (query.sinceMs ?? 0) - SLACK_MS
  try {
    let found =
      current === undefined
        ? []
        : await lastOf(current.createReadStream({ autoClose: false, start: 0 }), query, query.limit)
    for (const file of rotated.reverse()) {
      if (found.length >= query.limit || file.mtimeMs < since) break
      found = [...(await lastOf(streamOf(file), query, query.limit - found.length)), ...found]
    }
    return found
  } finally {
    await current?.close().catch(() => undefined)
  }
}

async function lastOf(stream: Readable, query: RecordQuery, limit: number): Promise<string[]> {
  let found: string[] = []
  for await (const line of matching(stream, query)) {
    found.push(line)
    if (found.length >= 2 * limit) found = found.slice(-limit)
  }
  return found.slice(-limit)
}

async function* matching(stream: Readable, query: RecordQuery): AsyncGenerator<string> {
  for await (const line of linesOf(stream)) {
    const parsed = parse(line)
    if (parsed !== undefined && matches(parsed, query)) yield `${line}\n`
  }
}

function parse(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

async function* linesOf(stream: Readable): AsyncGenerator<string> {
  stream.setEncoding('utf8')
  let rest = ''
  for await (const chunk of stream) {
    const lines = (rest + (chunk as string)).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > MAX_LINE_CHARS) rest = ''
    yield* lines
  }
}
