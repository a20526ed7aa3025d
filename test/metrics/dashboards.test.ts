// SPDX-License-Identifier: MIT
// Dashboards and alerts against the reference of metrics: no panel, legend, variable or rule names a metric or label that does not exist; each alert has
// a runbook and a unit test; promtool parses every expression and runs the tests of the rules.
// Not tested here: that a cluster gives data for each query (test/e2e/prometheus.test.ts).
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { namesIn, withoutVariables } from './promql.ts'
import { labelsOf, ROOT, troublesOf } from './reference.ts'

interface Panel {
  readonly title: string
  readonly type: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

interface Dashboard {
  readonly uid: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
}

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly runbook_url: string }
}

const DASHBOARDS = globSync('deploy/grafana/dashboards/*.json', { cwd: ROOT }).sort()
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const dashboardOf = (file: string): Dashboard => JSON.parse(read(file)) as Dashboard
const RULES = 'deploy/prometheus/alerts.yaml'
const TESTS = 'deploy/prometheus/alerts.test.yaml'
const { groups } = parse(read(RULES)) as { groups: { rules: Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)
const hasPromtool = spawnSync('promtool', ['--version']).error === undefined
const NO_PROMTOOL = 'promtool (Debian: prometheus) is not on the PATH'

function promtool(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8', cwd: ROOT })
  return status === 0 ? '' : `${stdout}${stderr}`
}

describe.each(DASHBOARDS)('%s', (file) => {
  const dashboard = dashboardOf(file)
  const targets = dashboard.panels.flatMap(({ title, targets: all = [] }) =>
    all.map((target) => ({ title, ...target })),
  )

  it('asks for metrics and labels that exist', () => {
    const troubles = targets.flatMap(({ title, expr }) => troublesOf(expr).map((trouble) => `${title}: ${trouble}`))
    expect(troubles).toEqual([])
  })

  it('has legends of labels that the query leaves', () => {
    for (const { title, expr, legendFormat } of targets) {
      const { selections, grouping } = namesIn(withoutVariables(expr))
      const left = new Set(grouping.length > 0 ? grouping : selections.flatMap(({ metric }) => labelsOf(metric) ?? []))
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        expect(left, `${title}: ${legendFormat}`).toContain(label)
    }
  })

  it('has variables of labels that exist, and uses no other', () => {
    const { list } = dashboard.templating
    const names = new Set(['datasource', '__rate_interval', ...list.map(({ name }) => name)])
    for (const { definition } of list) {
      const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(definition ?? '') ?? []
      if (definition !== undefined) expect(labelsOf(metric ?? ''), definition).toContain(label)
    }
    for (const { title, expr } of targets)
      for (const [, name] of expr.matchAll(/\$\{?(\w+)/g)) expect(names, `${title}: ${expr}`).toContain(name)
  })

  it('has panels that do not lie upon one another', () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
  })
})

it('dashboards have names of their own', () => {
  expect(DASHBOARDS.length).toBeGreaterThanOrEqual(6)
  expect(new Set(DASHBOARDS.map((file) => dashboardOf(file).uid)).size).toBe(DASHBOARDS.length)
})

describe('alerts', () => {
  it.each(rules.map((rule) => [rule.alert, rule] as const))(
    '%s asks for what exists, and has a runbook',
    (_name, rule) => {
      expect(troublesOf(rule.expr)).toEqual([])
      expect(['critical', 'warning']).toContain(rule.labels.severity)
      const runbook = rule.annotations.runbook_url
      expect(existsSync(join(ROOT, runbook)), runbook).toBe(true)
      expect(read(runbook)).toContain(`\`${rule.alert}\``)
      expect(read('docs/operations/alerts.md')).toContain(`| \`${rule.alert}\` | ${rule.labels.severity} |`)
    },
  )

  it('each has a test that it fires and one that it does not', () => {
    const { tests } = parse(read(TESTS)) as {
      tests: { promql_expr_test: { expr: string; exp_samples: unknown[] }[] }[]
    }
    const [fires = [], quiet = []] = tests.map(({ promql_expr_test }) => promql_expr_test)
    for (const { alert } of rules) {
      const ofAlert = ({ expr }: { expr: string }) => expr.includes(`"${alert}"`)
      expect(fires.find(ofAlert)?.exp_samples, alert).toHaveLength(1)
      expect(quiet.find(ofAlert)?.exp_samples, alert).toEqual([])
    }
  })

  it('every runbook belongs to an alert', () => {
    const used = new Set(rules.map(({ annotations }) => annotations.runbook_url))
    const unused = globSync('docs/operations/runbooks/*.md', { cwd: ROOT }).filter((page) => !used.has(page))
    expect(unused).toEqual([])
  })
})

describe('promtool', () => {
  it('understands the rules, and their tests pass', (context) => {
    if (!hasPromtool) return context.skip(NO_PROMTOOL)
    expect(promtool('check', 'rules', RULES)).toBe('')
    expect(promtool('test', 'rules', TESTS)).toBe('')
  })

  it('understands every query of every dashboard', (context) => {
    if (!hasPromtool) return context.skip(NO_PROMTOOL)
    const exprs = DASHBOARDS.flatMap((file) => dashboardOf(file).panels.flatMap(({ targets = [] }) => targets))
    const recorded = exprs.map(({ expr }, at) => ({ record: `query:${at}`, expr: withoutVariables(expr) }))
    const folder = mkdtempSync(join(tmpdir(), 'tandem-rules-'))
    try {
      const file = join(folder, 'queries.yaml')
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'queries', rules: recorded }] }))
      expect(promtool('check', 'rules', file)).toBe('')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('what finds names in PromQL', () => {
  it.each([
    ['sum by (a, b) (rate(x_total{c="d{}", e=~"f"}[5m])) / y', ['x_total c,e', 'y '], ['a', 'b']],
    ['histogram_quantile(0.9, sum by (le) (rate(h_bucket{}[1m]))) > 0.5 and z offset 1h', ['h_bucket ', 'z '], ['le']],
    ['topk(3, max without (q) (g{edge="e"})) or vector(0)', ['g edge'], []],
  ])('%s', (expr, selections, grouping) => {
    const found = namesIn(expr)
    expect(found.selections.map(({ metric, labels }) => `${metric} ${labels.join(',')}`)).toEqual(selections)
    expect(found.grouping).toEqual(grouping)
  })

  it('says what does not exist', () => {
    expect(troublesOf('rate(tandem_edge_calls_total{trunk="x"}[5m])')).toEqual([
      'tandem_edge_calls_total has no label trunk',
    ])
    expect(troublesOf('sum by (colour) (tandem_edge_members)')).toHaveLength(1)
    expect(troublesOf('tandem_edge_nothing')).toEqual(['no metric tandem_edge_nothing'])
    expect(troublesOf('tandem_edge_calls_total')).toHaveLength(1)
  })
})
