// SPDX-License-Identifier: MIT
//
// The files beside a growing one: which of them are its former selves, oldest first; how a new one is named; which go.
// Ours are `<name>.<UTC time>[-n][.gz]`, logrotate's `<name>.1` or `<name>-20260101`: both are read, only ours are ever
// removed or compressed. A compression that was cut short leaves the plain file, which counts until its successor is whole.
import { createReadStream, createWriteStream } from 'node:fs'
import { open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

export interface RotatedFile {
  readonly path: string
  readonly mtimeMs: number
  readonly isCompressed: boolean
  /** Named by us. */
  readonly isOurs: boolean
}

export interface Retention {
  /** Rotated files that are kept; 0: all. */
  readonly keepFiles: number
  /** Age at which a rotated file goes; 0: never. */
  readonly keepMs: number
  readonly gzip: boolean
}

/** Compressed by others than us, which we can't read. */
const FOREIGN = /\.(xz|zst|bz2|lz4|part|lock)$/
const OURS = /^\.\d{8}T\d{6}Z(-\d+)?(\.gz)?$/

/** Former selves of `path`, oldest first. A compressed one counts only where its plain one is gone. */
export async function listRotated(path: string): Promise<RotatedFile[]> {
  const name = basename(path)
  const all = await listFolder(dirname(path))
  const there = new Set(all)
  const found: RotatedFile[] = []
  for (const entry of all) {
    if (!entry.startsWith(`${name}.`) && !entry.startsWith(`${name}-`)) continue
    const isCompressed = entry.endsWith('.gz')
    if (FOREIGN.test(entry) || (isCompressed && there.has(entry.slice(0, -3)))) continue
    const file = await stat(join(dirname(path), entry)).catch(() => undefined)
    if (!file?.isFile()) continue
    const isOurs = OURS.test(entry.slice(name.length))
    found.push({ path: join(dirname(path), entry), mtimeMs: file.mtimeMs, isCompressed, isOurs })
  }
  return found.sort((a, b) => a.mtimeMs - b.mtimeMs || (a.path < b.path ? -1 : 1))
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** A free name for what `path` holds now: `cdr.ndjson.20261122T230000Z`. */
export async function rotatedName(path: string, nowMs: number): Promise<string> {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')
  const taken = new Set(await listFolder(dirname(path)))
  for (let n = 0; ; n++) {
    const name = `${path}.${time}${n === 0 ? '' : `-${n}`}`
    if (!taken.has(basename(name)) && !taken.has(`${basename(name)}.gz`)) return name
  }
}

/**
 * Removes what is beyond the retention and compresses the rest. The newest stays plain: a restart looks there for what was
 * written and not acknowledged. Returns how many were removed.
 */
export async function tidyRotated(
  path: string,
  { keepFiles, keepMs, gzip }: Retention,
  nowMs: number,
): Promise<number> {
  const ours = (await listRotated(path)).filter((file) => file.isOurs)
  const surplus = keepFiles === 0 ? 0 : Math.max(0, ours.length - keepFiles)
  const gone = ours.filter((file, index) => index < surplus || (keepMs > 0 && nowMs - file.mtimeMs > keepMs))
  for (const file of gone) await rm(file.path, { force: true })
  if (gzip) {
    const kept = ours.filter((file) => !gone.includes(file))
    for (const file of kept.slice(0, -1)) if (!file.isCompressed) await compress(file)
  }
  return gone.length
}

async function compress({ path, mtimeMs }: RotatedFile): Promise<void> {
  const part = `${path}.gz.part`
  await pipeline(createReadStream(path), createGzip(), createWriteStream(part))
  const handle = await open(part, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
  await utimes(part, mtimeMs / 1_000, mtimeMs / 1_000)
  await rename(part, `${path}.gz`)
  await rm(path)
}
