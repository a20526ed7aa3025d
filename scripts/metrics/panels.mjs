// SPDX-License-Identifier: MIT
//
// Panels and dashboards of Grafana from a few words: a title, a unit and queries. Sizes and places follow from the order.

// Grafana's own syntax, no template of ours.
const DATASOURCE = { type: 'prometheus', uid: '$datasource' }
const WIDTH = 24

/** One query: PromQL and the legend of its series. */
export const query = (expr, legend = '') => ({ expr, legend })

const targetsOf = (queries) =>
  queries.map(({ expr, legend }, at) => ({
    datasource: DATASOURCE,
    editorMode: 'code',
    expr,
    legendFormat: legend || '__auto',
    range: true,
    refId: String.fromCharCode(65 + at),
  }))

const fieldConfig = (unit, more = {}) => ({ defaults: { unit, min: 0, ...more }, overrides: [] })

/** Lines over time. */
export const graph = (title, unit, queries, { stack = false, width = 8, description = '' } = {}) => ({
  type: 'timeseries',
  title,
  description,
  width,
  height: 8,
  targets: targetsOf(queries),
  fieldConfig: fieldConfig(unit, {
    custom: {
      fillOpacity: stack ? 40 : 10,
      lineWidth: 1,
      showPoints: 'never',
      stacking: { mode: stack ? 'normal' : 'none' },
    },
  }),
  options: {
    legend: { displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'] },
    tooltip: { mode: 'multi' },
  },
})

/** One number, coloured from `steps`: [colour, from] in order. */
export const stat = (title, unit, expr, { steps = [['text', null]], width = 4, description = '' } = {}) => ({
  type: 'stat',
  title,
  description,
  width,
  height: 4,
  targets: targetsOf([query(expr)]),
  fieldConfig: fieldConfig(unit, {
    thresholds: { mode: 'absolute', steps: steps.map(([color, value]) => ({ color, value })) },
  }),
  options: { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'value', graphMode: 'area' },
})

export const row = (title) => ({ type: 'row', title, width: WIDTH, height: 1, collapsed: false, panels: [] })

/** From left to right, then down. */
function place(panels) {
  let [x, y, tallest] = [0, 0, 0]
  return panels.map(({ width, height, description, ...panel }, at) => {
    if (x + width > WIDTH) [x, y, tallest] = [0, y + tallest, 0]
    const gridPos = { h: height, w: width, x, y }
    x += width
    tallest = Math.max(tallest, height)
    const common = panel.type === 'row' ? {} : { datasource: DATASOURCE, ...(description && { description }) }
    return { id: at + 1, gridPos, ...common, ...panel }
  })
}

const variable = (name, label, metric) => ({
  type: 'query',
  name,
  label,
  datasource: DATASOURCE,
  definition: `label_values(${metric}, ${name})`,
  query: { query: `label_values(${metric}, ${name})`, refId: name },
  refresh: 2,
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: '.*',
  current: { text: 'All', value: '$__all' },
})

/** @param variables [name, label, metric that has it as a label] beyond the cluster */
export function dashboard(name, title, description, panels, variables = []) {
  const all = [['cluster', 'Cluster', 'tandem_process_event_loop_busy_seconds_total'], ...variables]
  return {
    uid: `tandem-${name}`,
    title: `Tandem: ${title}`,
    description,
    tags: ['tandem', 'sip'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    timezone: 'browser',
    links: [
      { type: 'dashboards', tags: ['tandem'], title: 'Tandem', asDropdown: true, includeVars: true, keepTime: true },
    ],
    templating: {
      list: [
        { type: 'datasource', name: 'datasource', label: 'Data source', query: 'prometheus', current: {} },
        ...all.map(([variableName, label, metric]) => variable(variableName, label, metric)),
      ],
    },
    annotations: { list: [] },
    panels: place(panels),
  }
}

/** The p-th quantile of a histogram by these labels. */
export const quantile = (share, metric, selector, by = []) =>
  `histogram_quantile(${share}, sum by (${['le', ...by].join(', ')}) (rate(${metric}_bucket{${selector}}[$__rate_interval])))`

/** Median, 95 % and 99 %. */
export const quantiles = (metric, selector) => [
  query(quantile(0.5, metric, selector), 'half'),
  query(quantile(0.95, metric, selector), '95 %'),
  query(quantile(0.99, metric, selector), '99 %'),
]

/** Per second, summed over all but these labels. */
export const rate = (metric, selector, by = []) => {
  const grouped = by.length === 0 ? '' : ` by (${by.join(', ')})`
  return `sum${grouped} (rate(${metric}{${selector}}[$__rate_interval]))`
}
