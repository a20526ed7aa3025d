// SPDX-License-Identifier: MIT
//
// Every metric of every service, for the reference page and the tests of dashboards: services are composed as a cluster would compose them,
// with everything switched on that has metrics, and not started.
import { describeEdgeMetrics } from '@tandem/edge'
import { createInProcessRecordFeed } from '@tandem/rpc'
import {
  consoleConfig,
  createLogger,
  loadConfig,
  locationConfig,
  type MetricDescription,
  policyConfig,
  recordsConfig,
} from '@tandem/service-kit'
import { createMemoryStore } from '@tandem/store'
import { Tracing } from '@tandem/telemetry'
import { type Built, serviceMetrics } from './built.ts'
import { buildConsole } from './console.ts'
import { keyRingParts } from './key-ring.ts'
import { buildLocation } from './location.ts'
import { buildPolicy, ledgerCopyOf, readResources } from './policy.ts'
import { buildRecords } from './records.ts'
import { registerTraces } from './traces.ts'

export interface ServiceMetrics {
  /** edge, location, policy, records, console */
  readonly service: string
  readonly metrics: readonly MetricDescription[]
}

export interface MetricReference {
  /** Of every process: names as Node.js and Prometheus have them, and ours. */
  readonly process: readonly MetricDescription[]
  readonly services: readonly ServiceMetrics[]
}

/** Everything that has metrics. */
const FLAGS = {
  'cluster.secrets': [{ id: 1, secret: 'for a page of the documents' }],
  'store.url': 'memory',
  'records.sinks': [{ name: 'archive', type: 'postgres', url: 'postgres://127.0.0.1:1/nobody' }],
  'records.ledger.sink': 'archive',
  'records.fraudWebhook.url': 'https://127.0.0.1:1/',
}

export async function metricReference(): Promise<MetricReference> {
  const config = loadConfig({ env: {}, flags: FLAGS })
  const logger = createLogger({ level: 'silent', service: 'reference' })
  const store = createMemoryStore({ now: Date.now })
  const settings = policyConfig(config)
  const resources = await readResources(settings)
  const location = buildLocation(locationConfig(config), resources.set, store, logger)
  const policy = buildPolicy(settings, resources, store, logger, ledgerCopyOf(config))
  const feeds = [createInProcessRecordFeed(policy.service.feed)]
  const records = buildRecords(recordsConfig(config), feeds, logger, feeds, feeds)
  const admin = buildConsole(consoleConfig(config), logger)
  const process = await processDescriptions()
  const ofProcess = new Set(process.map(({ name }) => name))
  const own = (all: readonly MetricDescription[]): MetricDescription[] =>
    all.filter(({ name }) => !ofProcess.has(name)).sort((a, b) => (a.name < b.name ? -1 : 1))
  const built: readonly (readonly [string, Built<unknown>])[] = [
    ['location', location],
    ['policy', policy],
    ['records', records],
    ['console', admin],
  ]
  await Promise.all([admin.service.stop(), store.close()])
  return {
    process,
    services: [
      { service: 'edge', metrics: own(describeEdgeMetrics()) },
      ...built.map(([service, { metrics }]) => ({ service, metrics: own(metrics.descriptions) })),
    ],
  }
}

/** As it is where traces are on. */
function idleTracing(): Tracing {
  const { traces } = loadConfig({ env: {}, flags: FLAGS }).telemetry
  const exporter = { export: async () => undefined, close: async () => undefined }
  return new Tracing(traces, exporter, createLogger({ level: 'silent', service: 'reference' }))
}

/** prom-client's, and those of traces, among them. */
async function processDescriptions(): Promise<MetricDescription[]> {
  const metrics = serviceMetrics('any', 'any')
  registerTraces(metrics, idleTracing())
  keyRingParts(loadConfig({ env: {}, flags: FLAGS }), [], [metrics], createLogger({ level: 'silent', service: 'any' }))
  const { registry, descriptions } = metrics
  const ours = new Map(descriptions.map((one) => [one.name, one.labels]))
  // Its classes have the names of labels, whether or not there is a series yet.
  const theirs = registry.getMetricsAsArray() as unknown as readonly { name: string; labelNames?: readonly string[] }[]
  const labels = new Map(theirs.map(({ name, labelNames }) => [name, labelNames ?? []]))
  const all = await registry.getMetricsAsJSON()
  return all.map(({ name, help, type }) => ({
    name,
    help,
    type: String(type) as MetricDescription['type'],
    labels: ours.get(name) ?? labels.get(name) ?? [],
  }))
}
