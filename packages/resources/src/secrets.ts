// SPDX-License-Identifier: MIT
//
// Reads the credentials that subscribers name, from the resource, files and environment variables, as hashes: a password ends
// here. Problems name the place only.
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ResourceProblem } from './errors.ts'
import { type Ha1, secretHa1Of } from './ha1.ts'
import type { LocatedResource } from './parse-yaml.ts'
import { resourceKey } from './resource.ts'
import { Secret, type SecretSource } from './secret.ts'
import { HA1_DIGITS, loginOf, type Subscriber } from './subscriber.ts'

/** Hashes by resource key (`Subscriber/example.test/alice`). */
export type SecretTable = ReadonlyMap<string, Ha1>

export interface SecretPlaces {
  readonly baseDir: string
  readonly env: Readonly<Record<string, string | undefined>>
}

interface Resolving {
  readonly places: SecretPlaces
  /** Realm of each domain, by name. */
  readonly realms: ReadonlyMap<string, string>
  readonly problems: ResourceProblem[]
}

/** The secret; or what was expected, where there is none. */
export async function readSecret(source: SecretSource, places: SecretPlaces): Promise<Secret | string> {
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

/** The secret at `path`; a problem where it can't be read. */
async function take(source: SecretSource, path: string, located: LocatedResource, into: Resolving) {
  const secret = await readSecret(source, into.places)
  if (secret instanceof Secret) return secret
  into.problems.push({ ...located.origin, code: 'secret', path, expected: secret })
  return undefined
}

/** A hash from elsewhere is looked at here; an inline one was, by the schema. */
async function takeHash(source: SecretSource | undefined, kind: keyof Ha1, located: LocatedResource, into: Resolving) {
  if (source === undefined) return undefined
  const path = `spec.credentials.ha1.${kind}`
  const text = (await take(source, path, located, into))?.reveal().trim().toLowerCase()
  if (text === undefined || new RegExp(`^[0-9a-f]{${HA1_DIGITS[kind]}}$`).test(text)) return text && new Secret(text)
  const expected = `expected ${HA1_DIGITS[kind]} hexadecimal digits there`
  into.problems.push({ ...located.origin, code: 'secret', path, expected })
  return undefined
}

async function credentialsOf(subscriber: Subscriber, located: LocatedResource, into: Resolving) {
  const { password, ha1 } = subscriber.spec.credentials ?? {}
  if (password !== undefined) {
    const secret = await take(password, 'spec.credentials.password', located, into)
    const { domain } = subscriber.metadata
    return secret && secretHa1Of(loginOf(subscriber), into.realms.get(domain) ?? domain, secret)
  }
  const md5 = (await takeHash(ha1?.md5, 'md5', located, into)) || undefined
  const sha256 = (await takeHash(ha1?.sha256, 'sha256', located, into)) || undefined
  return md5 === undefined && sha256 === undefined ? undefined : { md5, sha256 }
}

/** Resources that are looked at before others get their turn. */
const TURN = 256

/** Realms by domain. */
export function realmsOfDomains(located: readonly LocatedResource[]): Map<string, string> {
  const realms = new Map<string, string>()
  for (const { resource } of located) {
    if (resource.kind === 'Domain') realms.set(resource.metadata.name, resource.spec.realm ?? resource.metadata.name)
  }
  return realms
}

export async function resolveSecrets(
  located: readonly LocatedResource[],
  places: SecretPlaces,
): Promise<{ secrets: SecretTable; problems: readonly ResourceProblem[] }> {
  const secrets = new Map<string, Ha1>()
  const into: Resolving = { places, realms: realmsOfDomains(located), problems: [] }
  for (const [n, one] of located.entries()) {
    if (n % TURN === TURN - 1) await nextTurn()
    const { resource } = one
    if (resource.kind !== 'Subscriber' || resource.spec.credentials === undefined) continue
    const found = await credentialsOf(resource, one, into)
    if (found !== undefined) secrets.set(resourceKey(resource), found)
  }
  return { secrets, problems: into.problems }
}

/** The same subscriber with hashes in the place of a password that stood in the resource. */
export function withoutPassword(resource: Subscriber, realms: ReadonlyMap<string, string>): Subscriber {
  const { credentials } = resource.spec
  if (credentials?.password === undefined || !('inline' in credentials.password)) return resource
  const { domain } = resource.metadata
  const { md5, sha256 } = secretHa1Of(loginOf(resource), realms.get(domain) ?? domain, credentials.password.inline)
  const { password: _, ...others } = credentials
  const ha1 = { ...(md5 && { md5: { inline: md5 } }), ...(sha256 && { sha256: { inline: sha256 } }) }
  return { ...resource, spec: { ...resource.spec, credentials: { ...others, ha1 } } }
}
