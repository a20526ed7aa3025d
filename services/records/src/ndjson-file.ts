// SPDX-License-Identifier: MIT
//
// The file itself: open and recover, append a batch and sync it, follow a rotation. One writer per file.
// Invariants: after `append` returned, its lines are on disk and whole; after it threw, none of them counts: the end of
// the file is cut back to where it was before anything else is written. A file that was moved away (logrotate) or asked to
// be reopened (SIGHUP) is synced and closed, and the name is opened anew. With copytruncate the file shrinks under us:
// O_APPEND goes on at its new end.
// Left out: locks (two processes on one file), compressed rotated files.
import { type FileHandle, mkdir, open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { parseLineKey } from './encode-line.ts'
import { scanLines } from './scan-lines.ts'

const COMPRESSED = /\.(gz|xz|zst|bz2|lz4)$/

export type OpenFile = (path: string, flags: string) => Promise<FileHandle>

export interface OpenReport {
  /** Bytes of an unfinished last line that were cut. */
  readonly cutBytes: number
}

async function closeQuietly(handle: FileHandle): Promise<void> {
  try {
    await handle.close()
  } catch {
    // The descriptor is gone either way; what was acknowledged had been synced before.
  }
}

/** Makes the file's name durable: without it a new file can vanish with its acknowledged lines. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await closeQuietly(folder)
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at, null)).bytesWritten
}

export class NdjsonFile {
  readonly path: string
  readonly #openFile: OpenFile
  #handle: FileHandle | undefined
  /** Where the last failed batch began; it is cut there before the next. */
  #cutAt: number | undefined
  #reopenWanted = false
  #recovered = false
  /** Times that a moved file was left for a new one. */
  reopens = 0

  /** `openFile` is replaced where a test needs a disk that fails. */
  constructor(path: string, openFile: OpenFile = open) {
    this.path = path
    this.#openFile = openFile
  }

  get isOpen(): boolean {
    return this.#handle !== undefined && this.#recovered
  }

  /** Opens, cuts an unfinished last line, syncs what is there and hands out the key of every line found. */
  async open(onKey: (id: string, cdrId: string) => void): Promise<OpenReport> {
    const older = await this.#newestRotated()
    if (older !== undefined) await this.#eachKeyOf(older, onKey)
    const handle = await this.#openHandle()
    const wholeEnd = await scanLines(handle, (head) => emitKey(head, onKey))
    const { size } = await handle.stat()
    if (size > wholeEnd) await handle.truncate(wholeEnd)
    await handle.sync()
    this.#recovered = true
    return { cutBytes: size - wholeEnd }
  }

  /** At the next append the name is opened anew. */
  wantReopen(): void {
    this.#reopenWanted = true
  }

  /** Reopens now if that is wanted or the file was moved. */
  async followRotation(): Promise<void> {
    const handle = this.#handle
    if (!handle) return
    if (this.#cutAt !== undefined) await this.#cutBack(handle)
    if (!this.#reopenWanted && (await this.#isCurrent(handle))) return
    await handle.sync()
    this.#handle = undefined
    await closeQuietly(handle)
    await this.#openHandle()
    this.#reopenWanted = false
    this.reopens++
  }

  /** Appends whole lines and syncs them. Throws the system's error; then nothing of the batch counts. */
  async append(lines: string): Promise<void> {
    await this.followRotation()
    const handle = await this.#openHandle()
    this.#cutAt = (await handle.stat()).size
    await writeAll(handle, Buffer.from(lines))
    await handle.datasync()
    this.#cutAt = undefined
  }

  /** Which of these keys are in the file, or in the newest rotated one. Reads them whole: for the rare doubt. */
  async search(isWanted: (id: string, cdrId: string) => boolean, onFound: (id: string, cdrId: string) => void) {
    const visit = (id: string, cdrId: string) => {
      if (isWanted(id, cdrId)) onFound(id, cdrId)
    }
    const older = await this.#newestRotated()
    if (older !== undefined) await this.#eachKeyOf(older, visit)
    const handle = await this.#openHandle()
    await scanLines(handle, (head) => emitKey(head, visit))
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    this.#recovered = false
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
    const handle = await this.#openFile(this.path, 'a+')
    try {
      await syncFolder(this.path)
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

  async #cutBack(handle: FileHandle): Promise<void> {
    const { size } = await handle.stat()
    if (this.#cutAt !== undefined && size > this.#cutAt) await handle.truncate(this.#cutAt)
    this.#cutAt = undefined
  }

  /** A batch can have been written just before a rotation and this process ended before it was acknowledged. */
  async #newestRotated(): Promise<string | undefined> {
    const folder = dirname(this.path)
    const name = basename(this.path)
    let newest: { path: string; mtimeMs: number } | undefined
    for (const entry of await listFolder(folder)) {
      if (!entry.startsWith(`${name}.`) && !entry.startsWith(`${name}-`)) continue
      if (COMPRESSED.test(entry)) continue
      const path = join(folder, entry)
      const found = await stat(path)
      if (found.isFile() && found.mtimeMs > (newest?.mtimeMs ?? 0)) newest = { path, mtimeMs: found.mtimeMs }
    }
    return newest?.path
  }

  async #eachKeyOf(path: string, onKey: (id: string, cdrId: string) => void): Promise<void> {
    const handle = await open(path, 'r')
    try {
      await scanLines(handle, (head) => emitKey(head, onKey))
    } finally {
      await closeQuietly(handle)
    }
  }
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function emitKey(head: string, onKey: (id: string, cdrId: string) => void): void {
  const key = parseLineKey(head)
  if (key) onKey(key.id, key.cdrId)
}
