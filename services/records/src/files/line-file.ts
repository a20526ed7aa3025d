// SPDX-License-Identifier: MIT
//
// A file of lines, each with a key: open and recover, append a batch and sync it, begin a new file when it is full or its
// time is over, follow a rotation by others. One writer per file (file-lock.ts).
// Invariants: after `append` returned, its lines are on disk and whole; after it threw, none of them counts: the end of
// the file is cut back to where it was before anything else is written. A file that was moved away (logrotate) or asked to
// be reopened (SIGHUP) is synced and closed, and the name is opened anew. With copytruncate the file shrinks under us:
// O_APPEND goes on at its new end. A file that begins with another header than ours is rotated before it is written to.
// Calls are made one after the other by the file's owner.
import { type FileHandle, mkdir, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { listRotated, type Retention, type RotatedFile, rotatedName, tidyRotated } from './rotated.ts'
import { isRotationDue, type RotationRule } from './rotation.ts'
import { scanCompressedLines, scanLines } from './scan-lines.ts'

export type OpenFile = (path: string, flags: string) => Promise<FileHandle>

export interface LineKey {
  readonly id: string
  readonly cdrId: string
}

/** What distinguishes a CSV file from one of JSON lines. */
export interface LineFormat {
  /** First line of every file, with its line feed; '' for none. */
  readonly header: string
  /** The key of a line from its first 1,024 bytes; undefined for a line that is not ours. */
  readonly keyOf: (head: string) => LineKey | undefined
}

export interface LineFileOptions {
  readonly rotation?: RotationRule & Retention
  /** Wall clock, for names and ages. */
  readonly nowMs?: () => number
  /** Replaced where a test needs a disk that fails. */
  readonly openFile?: OpenFile
  /** A rotated file could not be compressed or removed: nothing is lost by it. */
  readonly onTidyFailure?: (error: unknown) => void
}

export interface OpenReport {
  /** Bytes of an unfinished last line that were cut. */
  readonly cutBytes: number
}

export type OnKey = (id: string, cdrId: string) => void

/**
 * Rotated files that changed this long before the newest are read too when it is asked what was written: what is delivered
 * again comes within the store's redelivery time and a restart, so well within it.
 */
const RECOVERY_MS = 600_000

export async function closeQuietly(handle: FileHandle): Promise<void> {
  try {
    await handle.close()
  } catch {
    // The descriptor is gone either way; what was acknowledged had been synced before.
  }
}

/** Makes names in a folder durable: without it a new file can vanish with its acknowledged lines. */
export async function syncFolderOf(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await closeQuietly(folder)
  }
}

export async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at, null)).bytesWritten
}

export class LineFile {
  readonly path: string
  readonly #format: LineFormat
  readonly #options: LineFileOptions
  readonly #nowMs: () => number
  #handle: FileHandle | undefined
  /** When the first line of the file was written. */
  #sinceMs = 0
  /** Where the last failed batch began; it is cut there before the next. */
  #cutAt: number | undefined
  #reopenWanted = false
  #recovered = false
  #tidying: Promise<void> | undefined
  /** Times that a moved file was left for a new one. */
  reopens = 0
  /** Times that we began a new file ourselves. */
  rotations = 0

  constructor(path: string, format: LineFormat, options: LineFileOptions = {}) {
    this.path = path
    this.#format = format
    this.#options = options
    this.#nowMs = options.nowMs ?? Date.now
  }

  get isOpen(): boolean {
    return this.#handle !== undefined && this.#recovered
  }

  /** Opens, cuts an unfinished last line, syncs what is there and hands out the key of every line found. */
  async open(onKey: OnKey): Promise<OpenReport> {
    for (const older of await this.#recentRotated()) await this.#eachKeyOf(older, onKey)
    const handle = await this.#openHandle()
    const wholeEnd = await scanLines(handle, (head) => this.#emitKey(head, onKey))
    const { size, mtimeMs } = await handle.stat()
    if (size > wholeEnd) await handle.truncate(wholeEnd)
    await handle.sync()
    this.#sinceMs = mtimeMs
    if (wholeEnd > 0 && !(await this.#hasOurHeader(handle))) await this.#rotate(handle)
    this.#recovered = true
    this.#tidy()
    return { cutBytes: size - wholeEnd }
  }

  /** At the next append the name is opened anew. */
  wantReopen(): void {
    this.#reopenWanted = true
  }

  /** Reopens now if that is wanted or the file was moved; begins a new file if its time is over. */
  async followRotation(addedBytes = 0): Promise<void> {
    const handle = this.#handle
    if (!handle) return
    if (this.#cutAt !== undefined) await this.#cutBack(handle)
    const isMoved = this.#reopenWanted || !(await this.#isCurrent(handle))
    if (isMoved) {
      await this.#replace(handle)
      this.#reopenWanted = false
      this.reopens++
    } else if (await this.#isDue(handle, addedBytes)) await this.#rotate(handle)
  }

  /** Appends whole lines and syncs them. Throws the system's error; then nothing of the batch counts. */
  async append(lines: string): Promise<void> {
    await this.followRotation(lines.length)
    const handle = await this.#openHandle()
    const { size } = await handle.stat()
    this.#cutAt = size
    await writeAll(handle, Buffer.from(size === 0 ? this.#format.header + lines : lines))
    await handle.datasync()
    this.#cutAt = undefined
    if (size === 0) this.#sinceMs = this.#nowMs()
  }

  /** Which of these keys are in the file, or in a recently rotated one. Reads them whole: for the rare doubt. */
  async search(isWanted: (id: string, cdrId: string) => boolean, onFound: OnKey): Promise<void> {
    const visit = (id: string, cdrId: string) => {
      if (isWanted(id, cdrId)) onFound(id, cdrId)
    }
    for (const older of await this.#recentRotated()) await this.#eachKeyOf(older, visit)
    const handle = await this.#openHandle()
    await scanLines(handle, (head) => this.#emitKey(head, visit))
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    this.#recovered = false
    await this.#tidying
    if (!handle) return
    try {
      if (this.#cutAt !== undefined) await this.#cutBack(handle)
    } finally {
      await closeQuietly(handle)
    }
  }

  async #openHandle(): Promise<FileHandle> {
    if (this.#handle) return this.#handle
    await mkdir(dirname(this.path), { recursive: true })
    const handle = await (this.#options.openFile ?? open)(this.path, 'a+')
    try {
      await syncFolderOf(this.path)
    } catch (error) {
      await closeQuietly(handle)
      throw error
    }
    this.#handle = handle
    return handle
  }

  async #isCurrent(handle: FileHandle): Promise<boolean> {
    const held = await handle.stat()
    try {
      const named = await stat(this.path)
      return named.ino === held.ino && named.dev === held.dev
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw error
    }
  }

  async #isDue(handle: FileHandle, addedBytes: number): Promise<boolean> {
    const { rotation } = this.#options
    if (rotation === undefined) return false
    const { size } = await handle.stat()
    return isRotationDue(rotation, { bytes: size, sinceMs: this.#sinceMs }, addedBytes, this.#nowMs())
  }

  async #rotate(handle: FileHandle): Promise<void> {
    await handle.sync()
    await rename(this.path, await rotatedName(this.path, this.#nowMs()))
    await this.#replace(handle)
    this.rotations++
    this.#tidy()
  }

  async #replace(handle: FileHandle): Promise<void> {
    await handle.sync()
    this.#handle = undefined
    await closeQuietly(handle)
    await this.#openHandle()
  }

  /** Beside the writing; one at a time. */
  #tidy(): void {
    const { rotation, onTidyFailure } = this.#options
    if (rotation === undefined || this.#tidying !== undefined) return
    this.#tidying = tidyRotated(this.path, rotation, this.#nowMs())
      .then(() => undefined)
      .catch((error: unknown) => onTidyFailure?.(error))
      .finally(() => {
        this.#tidying = undefined
      })
  }

  async #hasOurHeader(handle: FileHandle): Promise<boolean> {
    const expected = Buffer.from(this.#format.header)
    if (expected.length === 0) return true
    const found = Buffer.alloc(expected.length)
    await handle.read(found, 0, found.length, 0)
    return found.equals(expected)
  }

  async #cutBack(handle: FileHandle): Promise<void> {
    const { size } = await handle.stat()
    if (this.#cutAt !== undefined && size > this.#cutAt) await handle.truncate(this.#cutAt)
    this.#cutAt = undefined
  }

  /** A batch can have been written just before a rotation and this process ended before it was acknowledged. */
  async #recentRotated(): Promise<RotatedFile[]> {
    const all = await listRotated(this.path)
    const newestMs = all.at(-1)?.mtimeMs ?? 0
    return all.filter((file) => file.mtimeMs >= newestMs - RECOVERY_MS)
  }

  async #eachKeyOf({ path, isCompressed }: RotatedFile, onKey: OnKey): Promise<void> {
    const onHead = (head: string) => this.#emitKey(head, onKey)
    if (isCompressed) return scanCompressedLines(path, onHead).catch(ignoreForeign)
    const handle = await open(path, 'r').catch(ignoreMissing)
    // Compressed since it was listed; removed since then if that is not there either.
    if (handle === undefined) return scanCompressedLines(`${path}.gz`, onHead).catch(ignoreForeign)
    try {
      await scanLines(handle, onHead)
    } finally {
      await closeQuietly(handle)
    }
  }

  #emitKey(head: string, onKey: OnKey): void {
    const key = this.#format.keyOf(head)
    if (key) onKey(key.id, key.cdrId)
  }
}

/** A file that ends in .gz and is none is somebody else's. */
function ignoreForeign(error: unknown): void {
  const { code } = error as NodeJS.ErrnoException
  if (!code?.startsWith('Z_') && code !== 'ENOENT') throw error
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  return undefined
}
