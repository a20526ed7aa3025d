// SPDX-License-Identifier: MIT
//
// What differs between two documents, key by key. Both are masked: a secret that changed shows as a mask on both sides.
import { pathText } from '../parse-document.ts'
import type { Held } from './held.ts'
import { MASK } from './masking.ts'

export interface FieldChange {
  readonly path: string
  /** JSON; '' for absent. */
  readonly before: string
  readonly after: string
}

const MAX_FIELDS = 64
const MAX_LENGTH = 200

const isTree = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function shown(value: unknown): string {
  const text = value === undefined ? '' : JSON.stringify(value)
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH - 1)}…`
}

/** At most 64, in the order of the keys of the later one. */
export function fieldChanges(before: Held, after: Held): FieldChange[] {
  const found: FieldChange[] = []
  const walk = (a: unknown, b: unknown, path: readonly (string | number)[]): void => {
    if (found.length >= MAX_FIELDS) return
    if (isTree(a) && isTree(b)) {
      for (const key of new Set([...Object.keys(b), ...Object.keys(a)])) walk(a[key], b[key], [...path, key])
    } else if (JSON.stringify(a) !== JSON.stringify(b)) {
      found.push({ path: pathText(path), before: shown(a), after: shown(b) })
    }
  }
  walk(JSON.parse(before.text), JSON.parse(after.text), [])
  if (before.manager !== after.manager) found.push({ path: 'manager', before: before.manager, after: after.manager })
  if (before.secrets?.reveal() !== after.secrets?.reveal()) {
    const mask = (one: Held) => (one.secrets === undefined ? '' : JSON.stringify(MASK))
    found.push({ path: 'secrets', before: mask(before), after: mask(after) })
  }
  return found.slice(0, MAX_FIELDS)
}
