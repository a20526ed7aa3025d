// SPDX-License-Identifier: MIT
//
// What a metric may be called, and what the reference page says of it. A name that breaks the rule is a bug, found at the first start.

export type MetricType = 'counter' | 'gauge' | 'histogram'

export interface MetricDescription {
  readonly name: string
  readonly type: MetricType
  readonly help: string
  /** Its own labels; those of the process (`service`, `cluster`, `edge`) left out. */
  readonly labels: readonly string[]
}

/** The last word of a name, before `_total`, where it says what is counted in. Names that end otherwise are numbers of things. */
const UNITS = ['seconds', 'bytes', 'ratio'] as const

/** What people write where the base unit belongs. */
const WRONG_UNITS = /_(ms|millis|milliseconds|micros|us|minutes|kilobytes|kb|percent)(_total)?$/

/** Seconds, bytes, ratio (0 to 1), or '' for a number of things. */
export function unitOf(name: string): (typeof UNITS)[number] | '' {
  const stem = name.replace(/_total$/, '')
  return UNITS.find((unit) => stem.endsWith(`_${unit}`)) ?? ''
}

/** A sentence about a description that breaks the rule; undefined for a good one. */
export function nameTrouble({ name, type, help, labels }: MetricDescription): string | undefined {
  if (!/^tandem(_[a-z0-9]+){2,}$/.test(name)) return `${name} is not tandem_<subsystem>_<name>`
  if (WRONG_UNITS.test(name)) return `${name} is not in a base unit`
  if (/_(count|sum|bucket)$/.test(name)) return `${name} ends as the series of a histogram do`
  if ((type === 'counter') !== name.endsWith('_total')) return `${name}: counters, and they alone, end in _total`
  if (type === 'histogram' && unitOf(name) === '') return `${name}: a histogram ends in its unit`
  if (help === '' || !help.endsWith('.')) return `${name} has no sentence of help`
  const bad = labels.find((label) => !/^[a-z][a-z0-9_]*$/.test(label) || RESERVED.has(label))
  return bad === undefined ? undefined : `${name}: ${bad} is no label of ours`
}

/** Labels of the process, or of Prometheus itself. */
const RESERVED = new Set(['service', 'cluster', 'edge', 'job', 'instance', 'le', 'quantile'])
