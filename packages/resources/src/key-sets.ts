// SPDX-License-Identifier: MIT
//
// JSON Web Key Sets (RFC 7517) of public keys, from files that domains name. A set with a private or a symmetric key in it is
// refused: it would be a secret that lies about, and a signature with it proves nothing.
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { z } from 'zod'
import type { ResourceProblem } from './errors.ts'
import type { LocatedResource } from './parse-yaml.ts'

/** Stops a file that is no set of keys. */
const MAX_KEY_SET_BYTES = 1024 * 1024
const MAX_KEYS = 256

const text = z.string().max(8_192)

/** Members that only a private or a symmetric key has. [RFC7518-6] */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'] as const

const publicKey = z
  .looseObject({
    kty: z.enum(['RSA', 'EC', 'OKP']),
    kid: text.optional(),
    alg: text.optional(),
    use: text.optional(),
    crv: text.optional(),
    n: text.optional(),
    e: text.optional(),
    x: text.optional(),
    y: text.optional(),
  })
  .refine((key) => PRIVATE.every((name) => !(name in key)), 'expected public keys only')

const keySet = z.looseObject({ keys: z.array(publicKey).min(1).max(MAX_KEYS) }).refine(({ keys }) => {
  const ids = keys.flatMap(({ kid, kty }) => (kid === undefined ? [] : [`${kty} ${kid}`]))
  return new Set(ids).size === ids.length
}, 'expected each kid once')

/** A public key as it stands in its set. */
export type PublicKey = z.infer<typeof publicKey>

export interface KeySet {
  readonly keys: readonly PublicKey[]
}

/** The set in `json`, or what was expected instead; no key is quoted. */
export function parseKeySet(json: string): KeySet | { readonly expected: string } {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return { expected: 'expected JSON' }
  }
  const parsed = keySet.safeParse(value)
  if (parsed.success) return { keys: parsed.data.keys }
  const issue = parsed.error.issues[0]
  const message = issue?.message.replace(/^Invalid [a-z]+: /, '') ?? 'expected a JSON Web Key Set'
  return { expected: `${issue?.path.join('.') || 'the set'}: ${message}` }
}

/** Reads the file at `path`; never throws. */
export async function readKeySet(path: string): Promise<KeySet | { readonly expected: string }> {
  try {
    const { size } = await stat(path)
    if (size > MAX_KEY_SET_BYTES) return { expected: `expected at most ${MAX_KEY_SET_BYTES} bytes` }
    return parseKeySet(await readFile(path, 'utf8'))
  } catch {
    return { expected: 'expected a readable file' }
  }
}

/** A set with the place where it is read again. */
export interface KeySetFile {
  /** Absolute. */
  readonly path: string
  readonly set: KeySet
}

/** By the name of the domain. */
export type KeySetFiles = ReadonlyMap<string, KeySetFile>

/** @param baseDir folder that relative paths start from */
export async function loadKeySets(
  located: readonly LocatedResource[],
  baseDir: string,
): Promise<{ keySets: KeySetFiles; problems: readonly ResourceProblem[] }> {
  const keySets = new Map<string, KeySetFile>()
  const problems: ResourceProblem[] = []
  for (const { resource, origin } of located) {
    const file = resource.kind === 'Domain' ? resource.spec.bearer?.jwks.file : undefined
    if (file === undefined) continue
    const path = resolve(baseDir, file)
    const set = await readKeySet(path)
    if ('keys' in set) keySets.set(resource.metadata.name, { path, set })
    else
      problems.push({
        ...origin,
        code: 'unreadable',
        path: 'spec.bearer.jwks.file',
        expected: `${set.expected} in ${path}`,
      })
  }
  return { keySets, problems }
}
