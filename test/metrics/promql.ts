// SPDX-License-Identifier: MIT
//
// Which metrics and labels a PromQL expression names. No parser of PromQL: `promtool check rules` is one, and is asked beside this. What it
// reads is what our dashboards and rules use: selectors, functions, aggregations with `by` and `without`, arithmetic.

export interface Selection {
  readonly metric: string
  /** Labels that its selector names. */
  readonly labels: readonly string[]
}

export interface Named {
  readonly selections: readonly Selection[]
  /** Labels of `by (…)`. */
  readonly grouping: readonly string[]
}

const KEYWORDS = new Set([
  'by',
  'without',
  'on',
  'ignoring',
  'and',
  'or',
  'unless',
  'offset',
  'bool',
  'group_left',
  'inf',
])

/** Grafana's variables as something that Prometheus understands. */
export function withoutVariables(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '5m')
    .replaceAll('$__range', '1h')
    .replace(/\$(\w+)/g, '.*')
}

function labelsOf(selector: string): string[] {
  return [...selector.matchAll(/([a-z_][a-z0-9_]*)\s*(?:=~|!~|!=|=)/gi)].map(([, label]) => label as string)
}

export function namesIn(text: string): Named {
  const expr = text.replace(/"(?:[^"\\]|\\.)*"/g, '""')
  const grouping = [...expr.matchAll(/\bby\s*\(([^)]*)\)/g)].flatMap(([, list]) =>
    (list as string).split(',').map((label) => label.trim()),
  )
  const rest = expr.replace(/\b(?:by|without|on|ignoring)\s*\([^)]*\)/g, ' ').replace(/\[[^\]]*\]/g, ' ')
  const selections: Selection[] = []
  for (const [, name, after = '', selector = ''] of rest.matchAll(/([a-z_:][a-z0-9_:]*)\s*(\(|\{([^}]*)\})?/gi)) {
    if (after === '(' || KEYWORDS.has((name as string).toLowerCase()) || isWithinSelector(rest, name as string))
      continue
    selections.push({ metric: name as string, labels: labelsOf(selector) })
  }
  return { selections, grouping: grouping.filter((label) => label !== '') }
}

/** A name that stands nowhere outside of braces is a label. */
function isWithinSelector(expr: string, name: string): boolean {
  return !new RegExp(`(?<![a-zA-Z0-9_:])${name}(?![a-zA-Z0-9_:])`).test(expr.replace(/\{[^}]*\}/g, ' '))
}
