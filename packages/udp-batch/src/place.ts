// SPDX-License-Identifier: MIT
// Where the sources and the built addon lie, of this package or of another that has a folder native/. One folder for each platform, architecture and ABI of Node; the file is named by a hash of the
// sources, so that an old one is never taken for a new one. An image carries the built file alone: without sources, any file there is.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** This package; the same from src/ and from dist/. */
export const PACKAGE = fileURLToPath(new URL('..', import.meta.url))

const UDP_BATCH = 'udp_batch'

export interface Place {
  readonly folder: string
  /** C files, sorted; empty where the sources are not there. */
  readonly sources: readonly string[]
  /** The addon of these sources, built or not; undefined where there are neither sources nor an addon. */
  readonly file: string | undefined
  /** Why the last build gave none. */
  readonly reasonFile: string
}

/** @param name of the addon, and so the begin of its file's name */
export function placeOf(root: string = PACKAGE, name: string = UDP_BATCH): Place {
  const { platform, arch, versions } = process
  const folder = join(root, 'build', `${platform}-${arch}-${versions.modules}`)
  const native = join(root, 'native')
  const files = existsSync(native) ? readdirSync(native).sort() : []
  const paths = files.filter((file) => /\.[ch]$/.test(file)).map((file) => join(native, file))
  return {
    folder,
    sources: paths.filter((path) => path.endsWith('.c')),
    file: paths.length > 0 ? join(folder, `${name}-${hashOf(paths)}.node`) : builtIn(folder, name)[0],
    reasonFile: join(folder, 'reason.txt'),
  }
}

/** Addons of that name in a folder. */
export function builtIn(folder: string, name: string = UDP_BATCH): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.startsWith(`${name}-`) && file.endsWith('.node'))
    .map((file) => join(folder, file))
}

function hashOf(paths: readonly string[]): string {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(readFileSync(path))
  return hash.digest('hex').slice(0, 16)
}
