// SPDX-License-Identifier: MIT
//
// Files and variables that settings name: read once, at the start; what is missing is bad configuration.
import { readFileSync } from 'node:fs'
import { ConfigError } from '@tandem/service-kit'

/** Text of the file, without the line feed at its end; undefined where none is named. @throws ConfigError */
export function readNamedFile(path: string, setting: string): string | undefined {
  if (path === '') return undefined
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    const expected = `expected a readable file at ${path} (${(error as NodeJS.ErrnoException).code ?? 'error'})`
    throw new ConfigError([{ path: setting, origin: 'file', expected }])
  }
}

/** From the file, else from the variable; undefined where neither is there. @throws ConfigError */
export function readSecret(
  from: { readonly file: string; readonly env: string },
  setting: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  return readNamedFile(from.file, setting) ?? (from.env === '' ? undefined : env[from.env])
}
