// SPDX-License-Identifier: MIT
//
// From a plain value (a parsed YAML document or an inline object) to a resource, or to problems that name the key.
import type { z } from 'zod'
import { API_VERSION } from './envelope.ts'
import type { Origin, ResourceProblem } from './errors.ts'
import { knownKeys } from './known-keys.ts'
import { suggestion } from './nearest.ts'
import { KINDS, type Kind, type Resource, resourceSchemas } from './resource.ts'

export type Path = readonly PropertyKey[]
export type Parsed = { readonly resource: Resource } | { readonly problems: readonly ResourceProblem[] }

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isKind = (value: unknown): value is Kind =>
  typeof value === 'string' && (KINDS as readonly string[]).includes(value)

/** `['spec', 'hosts', 0, 'port']` → `spec.hosts[0].port` */
export function pathText(path: Path): string {
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${String(key)}`)).join('')
}

/** zod's own sentences name the value that came for no type that can hold a secret; unions get theirs from the schema. */
function describeIssue({ message }: z.core.$ZodIssue): string {
  return message.startsWith('expected') ? message : message.replace(/^Invalid [a-z]+: /, '')
}

function toProblems(issue: z.core.$ZodIssue, kind: Kind, origin: Origin): ResourceProblem[] {
  const { path } = issue
  if (issue.code !== 'unrecognized_keys') {
    return [{ ...origin, code: 'invalid', path: pathText(path), expected: describeIssue(issue) }]
  }
  return issue.keys.map((key) => {
    const expected = `unknown key "${key}"${suggestion(key, knownKeys(kind, path))}`
    return { ...origin, code: 'invalid', path: pathText([...path, key]), expected }
  })
}

/** Validates one document and fills in its defaults. */
export function parseDocument(value: unknown, origin: Origin): Parsed {
  const at = (path: Path, code: ResourceProblem['code'], expected: string): Parsed => ({
    problems: [{ ...origin, code, path: pathText(path), expected }],
  })
  if (!isRecord(value)) return at([], 'invalid', 'expected a mapping with apiVersion, kind, metadata and spec')
  const { apiVersion, kind } = value
  if (apiVersion !== API_VERSION) return at(['apiVersion'], 'unknownKind', `expected ${API_VERSION}`)
  if (!isKind(kind)) {
    const meant = typeof kind === 'string' ? suggestion(kind, KINDS) : ''
    return at(['kind'], 'unknownKind', `expected one of ${KINDS.join(', ')}${meant}`)
  }
  const result = resourceSchemas[kind].safeParse(value)
  if (result.success) return { resource: result.data }
  return { problems: result.error.issues.flatMap((issue) => toProblems(issue, kind, origin)) }
}
