// SPDX-License-Identifier: MIT
// Where the sources and the built addon lie. One folder for each platform, architecture and ABI of Node; the file is named by a hash of the
// sources, so that an old one is never taken for a new one. An image carries the built file alone: without sources, any file there is.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** This package; the same from src/ and from dist/. */
export const PACKAGE = fileURLToPath(new URL('..', import.meta.url))

export interface Place {
  readonly folder: string
  /** C files, sorted; empty where the sources are not there. */
  readonly sources: readonly string[]
  /** The addon of these sources, built or not; undefined where there are neither sources nor an addon. */
  readonly file: string | undefined
  /** Why the last build gave none. */
  readonly reasonFile: string
}

export function placeOf(root: string = PACKAGE): Place {
  const { platform, arch, versions } = process
  const folder = join(root, 'build', `${platform}-${arch}-${versions.modules}`)
  const native = join(root, 'native')
  const files = existsSync(native) ? readdirSync(native).sort() : []
  const paths = files.filter((name) => /\.[ch]$/.test(name)).map((name) => join(native, name))
  return {
    folder,
    sources: paths.filter((path) => path.endsWith('.c')),
    file: paths.length > 0 ? join(folder, `udp_batch-${hashOf(paths)}.node`) : builtIn(folder)[0],
    reasonFile: join(folder, 'reason.txt'),
  }
}

/** Addons in a folder. */
export function builtIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => /^udp_batch-.*\.node$/.test(name))
    .map((name) => join(folder, name))
}

function hashOf(paths: readonly string[]): string {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(readFileSync(path))
  return hash.digest('hex').slice(0, 16)
}
