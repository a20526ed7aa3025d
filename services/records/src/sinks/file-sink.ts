// SPDX-License-Identifier: MIT
//
// A file of lines as a sink, NDJSON and CSV alike: each record once, rotated, one writer.
import type { records } from '@tandem/rpc'
import type { SinkCounts } from '../delivery/sink-counts.ts'
import { FileLock } from '../files/file-lock.ts'
import type { LineFile } from '../files/line-file.ts'
import { OnceWriter } from '../files/once-writer.ts'
import type { Sink, SinkRecord, WriteResult } from './sink.ts'

export interface FileSinkOptions {
  readonly file: LineFile
  readonly encode: (id: string, record: records.CallRecord) => string
  readonly counts: Pick<SinkCounts, 'reopens' | 'rotations'>
  readonly maxBatchRecords: number
  /** Lines whose keys are remembered exactly; older ones are looked up in the file. */
  readonly recentLines: number
  /** An unfinished last line was found and cut. */
  readonly onTornLine: (cutBytes: number) => void
}

export class FileSink implements Sink {
  readonly isLocal = true
  readonly maxBatchRecords: number
  readonly #options: FileSinkOptions
  readonly #writer: OnceWriter
  readonly #lock: FileLock
  #locked = false

  constructor(options: FileSinkOptions) {
    this.#options = options
    this.maxBatchRecords = options.maxBatchRecords
    this.#writer = new OnceWriter(options.file, options.recentLines)
    this.#lock = new FileLock(options.file.path, () => {
      this.#locked = false
    })
  }

  async acquire(): Promise<boolean> {
    this.#locked = await this.#lock.acquire()
    return this.#locked
  }

  async write(batch: readonly SinkRecord[]): Promise<WriteResult> {
    await this.#open()
    const { encode } = this.#options
    const lines = batch.map(({ id, record }) => ({ id, cdrId: record.cdrId, line: () => encode(id, record) }))
    const fresh = await this.#writer.write(lines)
    this.#count()
    return { written: batch, refused: [], duplicates: batch.length - fresh }
  }

  reopen(): void {
    this.#options.file.wantReopen()
  }

  async tick(): Promise<void> {
    await this.#open()
    await this.#options.file.followRotation()
    this.#count()
  }

  async close(): Promise<void> {
    await this.#options.file.close()
    await this.#lock.release()
  }

  #count(): void {
    const { file, counts } = this.#options
    counts.reopens = file.reopens
    counts.rotations = file.rotations
  }

  /** A lock that was lost is taken again before anything is written, and the file read again: another may have added to it. */
  async #open(): Promise<void> {
    const { file, onTornLine } = this.#options
    if (!this.#locked) {
      await file.close()
      if (!(await this.acquire())) throw new Error(`${file.path} has another writer`)
    }
    if (file.isOpen) return
    const cutBytes = await this.#writer.open()
    if (cutBytes > 0) onTornLine(cutBytes)
  }
}
