// SPDX-License-Identifier: MIT
//
// A HeaderPolicy as edits, in the order in which an edge makes them. Built once and frozen.
import type { PlanEdit } from '../plan-verdict.ts'
import type { HeaderPolicy } from './header-policy.ts'

export const removal = (name: string, value = ''): PlanEdit => Object.freeze({ operation: 'remove', name, value })
export const addition = (name: string, value: string): PlanEdit => Object.freeze({ operation: 'add', name, value })

export const NO_EDITS: readonly PlanEdit[] = Object.freeze([])

function privacyEdits(privacy: HeaderPolicy['spec']['privacy']): PlanEdit[] {
  if (privacy === 'keep') return []
  const gone = removal('Privacy')
  return privacy === 'remove' ? [gone] : [gone, addition('Privacy', privacy)]
}

export function headerEdits({ spec }: HeaderPolicy): readonly PlanEdit[] {
  const rewrites = spec.rewrite.map(({ name, match, value }) =>
    Object.freeze<PlanEdit>({ operation: 'rewrite', name, value, match: match ?? '' }),
  )
  return Object.freeze([
    ...spec.remove.map(({ name, value }) => removal(name, value)),
    ...rewrites,
    ...spec.add.map(({ name, value }) => addition(name, value)),
    ...privacyEdits(spec.privacy),
  ])
}
