// SPDX-License-Identifier: MIT
//
// Takes secrets out of documents and puts them back. Where a document has a secret is what its schema says: the place of each `Secret` of
// the parsed resource. In the document its text gives way to a mask; a document that comes with the mask there keeps the secret that is held.
import { pathText } from '../parse-document.ts'
import { Secret } from '../secret.ts'

export const MASK = '[secret]'

/** Keys from the document's top. */
type Path = readonly (string | number)[]
/** Texts by the JSON of their paths. */
export type SecretTexts = Readonly<Record<string, string>>

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

function findSecrets(value: unknown, path: Path, found: Path[]): void {
  if (!isObject(value)) return
  if (value instanceof Secret || value.inline instanceof Secret) found.push(path)
  else if (Array.isArray(value)) for (const [i, item] of value.entries()) findSecrets(item, [...path, i], found)
  else for (const [key, inner] of Object.entries(value)) if (isObject(inner)) findSecrets(inner, [...path, key], found)
}

const parentOf = (document: unknown, path: Path): unknown => {
  let at = document
  for (const key of path.slice(0, -1)) at = isObject(at) ? at[key] : undefined
  return at
}

function put(document: unknown, path: Path, text: string): boolean {
  const parent = parentOf(document, path)
  const key = path.at(-1)
  if (!isObject(parent) || key === undefined || typeof parent[key] !== 'string') return false
  parent[key] = text
  return true
}

/**
 * Masks a document in place, and gives what was there; undefined where it has no secret.
 *
 * @param resource what the document was parsed to; a path where a secret does not stand as text is a bug and throws
 */
export function maskSecrets(document: unknown, resource: unknown): SecretTexts | undefined {
  const paths: Path[] = []
  findSecrets(resource, [], paths)
  if (paths.length === 0) return undefined
  const secrets: Record<string, string> = {}
  for (const path of paths) {
    const parent = parentOf(document, path)
    const text = isObject(parent) ? parent[path.at(-1) as string] : undefined
    if (typeof text !== 'string' || !put(document, path, MASK)) throw new Error(`no secret at ${pathText(path)}`)
    secrets[JSON.stringify(path)] = text
  }
  return secrets
}

/** The document with its secrets, changed in place. */
export function unmaskSecrets(document: unknown, secrets: SecretTexts): void {
  for (const [path, text] of Object.entries(secrets)) put(document, JSON.parse(path) as Path, text)
}

/**
 * Puts held secrets where a document has the mask, in place.
 * @returns paths at which none is held
 */
export function keepSecrets(document: unknown, held: SecretTexts | undefined): string[] {
  const missing: string[] = []
  const walk = (value: unknown, path: Path): void => {
    if (!isObject(value)) return
    for (const [key, inner] of Object.entries(value)) {
      const at = [...path, Array.isArray(value) ? Number(key) : key]
      if (inner !== MASK) {
        walk(inner, at)
        continue
      }
      const text = held?.[JSON.stringify(at)]
      if (text === undefined) missing.push(pathText(at))
      else value[key] = text
    }
  }
  // Only a spec has secrets.
  if (isObject(document)) walk(document.spec, ['spec'])
  return missing
}
