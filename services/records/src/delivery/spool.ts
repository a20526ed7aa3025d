// SPDX-License-Identifier: MIT
//
// What a sink could not take yet, on disk, in order: numbered segments of lines, and a cursor behind the last line that
// the sink has taken. A segment goes when it was read to its end; bounded by bytes.
// Invariants: `append` resolves when its lines are synced, and each key is in the spool once; a crash between a delivery
// and its cursor delivers again, which every sink tells by the record's id. Lines are read only behind a finished append.
// Calls of one kind are made one after the other; appending and reading may go on at once.
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseLineKey } from '../encode-line.ts'
import { closeQuietly, LineFile, syncFolderOf, writeAll } from '../files/line-file.ts'
import { lineKey } from '../files/written-keys.ts'
import type { SinkRecord } from '../sinks/sink.ts'
import { decodeSpoolLine, encodeSpoolLine } from './spool-line.ts'

export interface SpoolOptions {
  readonly folder: string
  /** Of all segments. */
  readonly maxBytes: number
  /** At which a new segment is begun. */
  readonly segmentBytes: number
  /** Keys that are remembered, so that what is delivered twice by the feed is spooled once. */
  readonly recentKeys: number
}

interface Segment {
  readonly number: number
  /** Synced, whole lines. */
  bytes: number
}

interface Cursor {
  segment: number
  offset: number
}

const READ_BYTES = 1_048_576
const LF = 0x0a
const SUFFIX = '.spool'

export class Spool {
  readonly #options: SpoolOptions
  readonly #segments: Segment[] = []
  readonly #keys = new Map<string, true>()
  #writing: LineFile | undefined
  #cursor: Cursor = { segment: 0, offset: 0 }
  #next: Cursor | undefined
  #opened = false
  /** Appending and clearing, one after the other. */
  #last: Promise<unknown> = Promise.resolve()
  /** Born time of the record that is read next; undefined while that is not known. */
  oldestBornMs: number | undefined
  /** Lines that could not be read back. */
  unreadable = 0

  constructor(options: SpoolOptions) {
    this.#options = options
  }

  get isOpen(): boolean {
    return this.#opened
  }

  /** On disk, what was read of the first segment included. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  get isEmpty(): boolean {
    const first = this.#segments[0]
    if (first === undefined) return true
    return this.#segments.length === 1 && first.number === this.#cursor.segment && this.#cursor.offset >= first.bytes
  }

  /** Reads what an earlier process left; cuts a torn last line. */
  async open(): Promise<void> {
    const { folder } = this.#options
    await mkdir(folder, { recursive: true })
    const numbers = (await readdir(folder))
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => Number.parseInt(name, 10))
    this.#segments.length = 0
    for (const number of numbers.sort((a, b) => a - b)) await this.#recover(number)
    this.#cursor = await this.#readCursor()
    await this.#removeRead()
    const first = this.#segments[0]
    if (first !== undefined && first.number !== this.#cursor.segment)
      this.#cursor = { segment: first.number, offset: 0 }
    this.#opened = true
  }

  /** Spools what there is room for, in order; returns what is beyond the bound. Rejects with nothing of it spooled. */
  append(items: readonly SinkRecord[]): Promise<readonly SinkRecord[]> {
    return this.#exclusively(() => this.#append(items))
  }

  async #append(items: readonly SinkRecord[]): Promise<readonly SinkRecord[]> {
    const fresh = items.filter(({ id, record }) => !this.#keys.has(lineKey(id, record.cdrId)))
    let room = this.#options.maxBytes - this.bytes
    let lines = ''
    let taken = 0
    for (const item of fresh) {
      const line = encodeSpoolLine(item)
      if (line.length > room) break
      room -= line.length
      lines += line
      taken++
    }
    if (taken > 0) await this.#write(lines)
    for (const { id, record } of fresh.slice(0, taken)) this.#remember(lineKey(id, record.cdrId))
    return fresh.slice(taken)
  }

  /** The next records, in order, at most `limit`; the same again until `advance`. */
  async read(limit: number): Promise<readonly SinkRecord[]> {
    for (;;) {
      const segment = this.#segments.find(({ number }) => number === this.#cursor.segment)
      if (segment === undefined) return []
      if (this.#cursor.offset < segment.bytes) {
        const items = await this.#readLines(segment, limit)
        this.oldestBornMs = items[0]?.bornMs
        if (items.length > 0) return items
        await this.advance()
        continue
      }
      const following = this.#segments.find(({ number }) => number > segment.number)
      if (following === undefined) return []
      this.#cursor = { segment: following.number, offset: 0 }
      await this.#removeRead()
    }
  }

  /** What `read` gave is in the sink, or in the dead letters. */
  async advance(): Promise<void> {
    if (this.#next === undefined) return
    this.#cursor = this.#next
    this.#next = undefined
    await this.#saveCursor()
    if (this.isEmpty) await this.#exclusively(() => this.#clear())
  }

  async close(): Promise<void> {
    this.#opened = false
    await this.#writing?.close()
    this.#writing = undefined
  }

  #pathOf(number: number): string {
    return join(this.#options.folder, `${String(number).padStart(10, '0')}${SUFFIX}`)
  }

  #fileOf(number: number): LineFile {
    return new LineFile(this.#pathOf(number), { header: '', keyOf: parseLineKey })
  }

  async #recover(number: number): Promise<void> {
    const file = this.#fileOf(number)
    try {
      await file.open((id, cdrId) => this.#remember(lineKey(id, cdrId)))
    } finally {
      await file.close()
    }
    this.#segments.push({ number, bytes: (await stat(this.#pathOf(number))).size })
  }

  #remember(key: string): void {
    this.#keys.set(key, true)
    if (this.#keys.size <= this.#options.recentKeys) return
    for (const oldest of this.#keys.keys()) {
      this.#keys.delete(oldest)
      return
    }
  }

  async #write(lines: string): Promise<void> {
    const segment = await this.#segmentToWrite()
    await (this.#writing as LineFile).append(lines)
    segment.bytes += Buffer.byteLength(lines)
  }

  async #segmentToWrite(): Promise<Segment> {
    const last = this.#segments.at(-1)
    if (last !== undefined && this.#writing !== undefined && last.bytes < this.#options.segmentBytes) return last
    await this.#writing?.close()
    this.#writing = undefined
    const number = Math.max(last?.number ?? 0, this.#cursor.segment) + 1
    const file = this.#fileOf(number)
    await file.open(() => undefined)
    this.#writing = file
    const segment = { number, bytes: 0 }
    this.#segments.push(segment)
    if (this.#segments.length === 1) this.#cursor = { segment: number, offset: 0 }
    return segment
  }

  async #readLines(segment: Segment, limit: number): Promise<readonly SinkRecord[]> {
    const start = this.#cursor.offset
    const handle = await open(this.#pathOf(segment.number), 'r')
    try {
      for (let size = READ_BYTES; ; size *= 2) {
        const bytes = Buffer.allocUnsafe(Math.min(size, segment.bytes - start))
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, start)
        const { items, end } = this.#decode(bytes.subarray(0, bytesRead), limit)
        if (end === 0 && start + bytesRead < segment.bytes && bytesRead > 0) continue
        // Of a segment that was cut behind our back nothing is left to read.
        this.#next = { segment: segment.number, offset: end === 0 ? segment.bytes : start + end }
        return items
      }
    } finally {
      await closeQuietly(handle)
    }
  }

  #decode(bytes: Buffer, limit: number): { items: SinkRecord[]; end: number } {
    const items: SinkRecord[] = []
    let end = 0
    for (let at = bytes.indexOf(LF); at >= 0 && items.length < limit; at = bytes.indexOf(LF, end)) {
      const item = decodeSpoolLine(bytes.toString('utf8', end, at))
      if (item === undefined) this.unreadable++
      else items.push(item)
      end = at + 1
    }
    return { items, end }
  }

  /** Everything was read: no file stays behind, unless an append has come in between. */
  async #clear(): Promise<void> {
    if (!this.isEmpty) return
    await this.#writing?.close()
    this.#writing = undefined
    for (const { number } of this.#segments.splice(0)) await rm(this.#pathOf(number), { force: true })
    this.oldestBornMs = undefined
  }

  async #exclusively<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#last.then(act)
    this.#last = result.catch(() => undefined)
    return result
  }

  async #removeRead(): Promise<void> {
    while ((this.#segments[0]?.number ?? Number.POSITIVE_INFINITY) < this.#cursor.segment) {
      const gone = this.#segments.shift() as Segment
      await rm(this.#pathOf(gone.number), { force: true })
    }
  }

  async #readCursor(): Promise<Cursor> {
    const text = await readFile(join(this.#options.folder, 'cursor.json'), 'utf8').catch(() => '')
    try {
      const { segment, offset } = JSON.parse(text) as Partial<Cursor>
      if (Number.isSafeInteger(segment) && Number.isSafeInteger(offset)) return { segment, offset } as Cursor
    } catch {
      // None yet, or torn: from the first segment on; the sink tells what it has.
    }
    return { segment: 0, offset: 0 }
  }

  async #saveCursor(): Promise<void> {
    const path = join(this.#options.folder, 'cursor.json')
    const handle = await open(`${path}.new`, 'w')
    try {
      await writeAll(handle, Buffer.from(JSON.stringify(this.#cursor)))
      await handle.datasync()
    } finally {
      await closeQuietly(handle)
    }
    await rename(`${path}.new`, path)
    await syncFolderOf(path)
  }
}
