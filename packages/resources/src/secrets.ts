// SPDX-License-Identifier: MIT
//
// Reads the secrets that resources name, from their files and environment variables. Problems name the place only.
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { ResourceProblem } from './errors.ts'
import type { LocatedResource } from './parse-yaml.ts'
import { resourceKey } from './resource.ts'
import { Secret, type SecretSource } from './secret.ts'

/** Passwords by resource key (`Subscriber/example.test/alice`). */
export type SecretTable = ReadonlyMap<string, Secret>

interface SecretPlaces {
  readonly baseDir: string
  readonly env: Readonly<Record<string, string | undefined>>
}

async function readSecret(source: SecretSource, places: SecretPlaces): Promise<Secret | string> {
  if ('inline' in source) return source.inline
  if ('env' in source) {
    const value = places.env[source.env]
    return value ? new Secret(value) : `expected the environment variable ${source.env} to be set`
  }
  try {
    const value = (await readFile(resolve(places.baseDir, source.file), 'utf8')).replace(/\r?\n$/, '')
    return value === '' ? `expected a secret in ${source.file}, found an empty file` : new Secret(value)
  } catch {
    return `expected a readable file ${source.file}`
  }
}

export async function resolveSecrets(
  located: readonly LocatedResource[],
  places: SecretPlaces,
): Promise<{ secrets: SecretTable; problems: readonly ResourceProblem[] }> {
  const secrets = new Map<string, Secret>()
  const problems: ResourceProblem[] = []
  for (const { resource, origin } of located) {
    const source = resource.kind === 'Subscriber' ? resource.spec.credentials?.password : undefined
    if (source === undefined) continue
    const secret = await readSecret(source, places)
    if (secret instanceof Secret) secrets.set(resourceKey(resource), secret)
    else problems.push({ ...origin, code: 'secret', path: 'spec.credentials.password', expected: secret })
  }
  return { secrets, problems }
}
