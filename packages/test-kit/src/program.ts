// SPDX-License-Identifier: MIT
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Whether a program that tests need is on the PATH; the reason is a sentence for the test that is skipped. */
export type Availability =
  | { readonly available: true; readonly path: string }
  | { readonly available: false; readonly reason: string }

/** The first of the names that is on the PATH. */
export function findProgram(names: readonly string[], debianPackage: string): Availability {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(folder, name)
      if (folder !== '' && isExecutable(path)) return { available: true, path }
    }
  }
  return { available: false, reason: `${names.join(' or ')} is not installed (Debian package ${debianPackage})` }
}

/** One program by its file. */
export function findFile(path: string): Availability {
  return isExecutable(path) ? { available: true, path } : { available: false, reason: `${path} is no program` }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
