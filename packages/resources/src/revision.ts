// SPDX-License-Identifier: MIT
//
// The revision of a set: a hash of what it says, independent of files, of the order of documents and of keys. Secrets
// count with their value where they are written inline, and with their place where they are not; a changed secret file
// is a new revision only when its path changes.
import { createHash } from 'node:crypto'
import { type Resource, resourceKey } from './resource.ts'
import { Secret } from './secret.ts'

/** JSON with sorted keys and revealed secrets: for hashing and comparison only, never for output. */
function canonicalText(value: unknown): string {
  if (value instanceof Secret) return JSON.stringify(value.reveal())
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).filter(([, v]) => v !== undefined)
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, v]) => `${JSON.stringify(key)}:${canonicalText(v)}`).join(',')}}`
}

/** Hash of one resource, 32 hexadecimal digits. */
export function resourceHash(resource: Resource): string {
  return createHash('sha256').update(canonicalText(resource)).digest('hex').slice(0, 32)
}

/** Hash of a set, 32 hexadecimal digits; '' never occurs. @param more lines about files that the set names */
export function revisionOf(resources: readonly Resource[], more: readonly string[] = []): string {
  const lines = [...resources.map((resource) => `${resourceKey(resource)} ${resourceHash(resource)}`), ...more].sort()
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 32)
}
