// SPDX-License-Identifier: MIT
//
// From a plain value (a parsed YAML document or an inline object) to a resource, or to problems that name the key.
import type { z } from 'zod'
import { API_VERSION } from './envelope.ts'
import type { Origin, ResourceProblem } from './errors.ts'
import { KINDS, type Kind, type Resource, resourceSchemas } from './resource.ts'

export type Path = readonly PropertyKey[]
/** Line of the key at `path` in its file; 0 when it is not known. */
export type LineOf = (path: Path) => number
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
function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')}`
  const { message } = issue
  return message.startsWith('expected') ? message : message.replace(/^Invalid [a-z]+: /, '')
}

function issueToProblem(issue: z.core.$ZodIssue, origin: Origin, lineOf: LineOf): ResourceProblem {
  const line = lineOf(issue.path) || origin.line
  return { ...origin, line, code: 'invalid', path: pathText(issue.path), expected: describeIssue(issue) }
}

/** Validates one document and fills in its defaults. */
export function parseDocument(value: unknown, origin: Origin, lineOf: LineOf = () => 0): Parsed {
  const at = (path: Path, code: ResourceProblem['code'], expected: string): Parsed => ({
    problems: [{ ...origin, line: lineOf(path) || origin.line, code, path: pathText(path), expected }],
  })
  if (!isRecord(value)) return at([], 'invalid', 'expected a mapping with apiVersion, kind, metadata and spec')
  if (value.apiVersion !== API_VERSION) return at(['apiVersion'], 'unknownKind', `expected ${API_VERSION}`)
  if (!isKind(value.kind)) return at(['kind'], 'unknownKind', `expected one of ${KINDS.join(', ')}`)
  const result = resourceSchemas[value.kind].safeParse(value)
  if (result.success) return { resource: result.data }
  return { problems: result.error.issues.map((issue) => issueToProblem(issue, origin, lineOf)) }
}
