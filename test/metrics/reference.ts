// SPDX-License-Identifier: MIT
//
// The generated index of metrics, and what is wrong with an expression by it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { namesIn, withoutVariables } from './promql.ts'

export const ROOT = join(import.meta.dirname, '../..')

interface Entry {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly services: readonly string[]
}

const INDEX = JSON.parse(readFileSync(join(ROOT, 'docs/reference/metrics.json'), 'utf8')) as Record<string, Entry>

/** Of programs that are not ours. */
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  up: ['job', 'instance'],
  redis_memory_used_bytes: ['instance'],
  redis_memory_max_bytes: ['instance'],
  redis_commands_processed_total: ['instance'],
  redis_connected_slaves: ['instance'],
  redis_connected_clients: ['instance'],
  redis_evicted_keys_total: ['instance'],
}

/** On every series of ours, or of every target. */
const COMMON = ['cluster', 'service', 'instance', 'job']

/** Labels that a metric has; undefined where nobody has it. Series of a histogram have `le` on their buckets. */
export function labelsOf(metric: string): readonly string[] | undefined {
  const foreign = FOREIGN[metric]
  if (foreign !== undefined) return foreign
  const stem = metric.replace(/_(bucket|sum|count)$/, '')
  const entry = INDEX[metric] ?? (INDEX[stem]?.type === 'histogram' ? INDEX[stem] : undefined)
  if (entry === undefined || (entry.type === 'histogram' && stem === metric)) return undefined
  const edge = entry.services.includes('edge') ? ['edge'] : []
  return [...COMMON, ...edge, ...entry.labels, ...(metric.endsWith('_bucket') ? ['le'] : [])]
}

/** Sentences about metrics and labels that do not exist, and about counters without a rate. */
export function troublesOf(expr: string): string[] {
  const { selections, grouping } = namesIn(withoutVariables(expr))
  const troubles: string[] = selections.length === 0 ? [`nothing is asked for: ${expr}`] : []
  const known = new Set<string>()
  for (const { metric, labels } of selections) {
    const has = labelsOf(metric)
    if (has === undefined) troubles.push(`no metric ${metric}`)
    for (const label of has ?? []) known.add(label)
    for (const label of labels)
      if (has !== undefined && !has.includes(label)) troubles.push(`${metric} has no label ${label}`)
    if (metric.endsWith('_total') && !isRated(expr, metric)) troubles.push(`${metric} is a counter: its rate is wanted`)
  }
  for (const label of grouping) if (!known.has(label)) troubles.push(`nothing in it has the label ${label}: ${expr}`)
  return troubles
}

function isRated(expr: string, metric: string): boolean {
  return new RegExp(`(?:rate|increase)\\(\\s*${metric}\\b`).test(expr)
}
